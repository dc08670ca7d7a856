"""Load a configuration with Supervisor's own parser: python - FILE OWN MAIN GROUP…

Module supervisor_conf gives this file to a Python that has Supervisor's package, with the environment of the running
supervisord, which resolves `%(ENV_X)s`. It fails with one line that says why when the parser refuses FILE, when the
groups in FILE are not exactly GROUP…, or when another file that supervisord reads (MAIN, and what it includes besides
OWN) defines one of them: Supervisor would mix the two without a word.
"""

from __future__ import annotations

import configparser
import glob
import io
import os
import pwd
import shlex
import sys
import tempfile
from pathlib import Path

SECTIONS = ("program:", "group:", "eventlistener:", "fcgi-program:")


def main_configuration(main: Path) -> configparser.RawConfigParser:
    """Return the file that supervisord was started with."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, inline_comment_prefixes=(";", "#"))
    parser.read(main)
    return parser


def environment_of_supervisord(main: Path) -> dict[str, str] | None:
    """Return the environment of the running supervisord; None when it does not run."""
    pid_file = main_configuration(main).get("supervisord", "pidfile", fallback="/run/supervisord.pid")
    try:
        raw = Path(f"/proc/{int(Path(pid_file).read_text())}/environ").read_bytes()
    except (OSError, ValueError):
        return None
    return dict(entry.split("=", 1) for entry in os.fsdecode(raw).split("\0") if "=" in entry)


def groups_in(file: Path) -> set[str]:
    """Return the names of the process groups that supervisord would make of FILE.

    Raises:
        ValueError: The parser refuses it.
    """
    from supervisor.options import ServerOptions  # only the Python that runs this file as a script has it

    options = ServerOptions()
    options.stdout = options.stderr = printed = io.StringIO()
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as wrapper:
        wrapper.write(f"[supervisord]\n[include]\nfiles={file}\n")
        wrapper.flush()
        try:
            options.realize(args=["-c", wrapper.name, "-n"])
        except SystemExit:
            lines = [line for line in printed.getvalue().splitlines() if line.startswith("Error")]
            raise ValueError(
                (lines or ["refused by Supervisor's parser"])[0].replace(wrapper.name, str(file))
            ) from None
    for group in options.process_group_configs:
        for process in group.process_configs:
            check_user(process.command)
    return {group.name for group in options.process_group_configs}


def check_user(command: str) -> None:
    """Check that the user exists whom as-user would run a command as.

    Raises:
        ValueError: There is no such user.
    """
    words = shlex.split(command)
    if os.path.basename(words[0]) == "as-user":
        options = words[1 : words.index("--")]
        user = next(word for word in reversed(options) if "=" not in word)
        try:
            pwd.getpwnam(user)
        except KeyError:
            raise ValueError(f"there is no user {user}") from None


def sections_of(file: Path) -> set[str]:
    """Return the names of the programs and groups that FILE defines, whatever else is in it."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read(file)
    except (configparser.Error, OSError, UnicodeDecodeError):
        return set()
    return {section.split(":", 1)[1].strip() for section in parser.sections() if section.startswith(SECTIONS)}


def other_files(own: Path, main: Path) -> list[Path]:
    """Return the files that supervisord reads besides OWN."""
    patterns = main_configuration(main).get("include", "files", fallback="").split()
    found = [Path(name) for pattern in patterns for name in glob.glob(os.path.join(main.parent, pattern))]
    return [main] + [file for file in found if file != own]


def check(file: Path, own: Path, main: Path, wanted: set[str]) -> None:
    """Check that FILE may be put into place.

    Raises:
        ValueError: It may not; the text says why.
    """
    found = groups_in(file)
    if found != wanted:
        raise ValueError(f"groups {', '.join(sorted(found)) or '(none)'}, wanted {', '.join(sorted(wanted))}")
    for other in other_files(own, main):
        for name in sorted(sections_of(other) & wanted):
            raise ValueError(f"{name} is defined in {other} already; give the pool another name")


if __name__ == "__main__":
    try:
        check(*map(Path, sys.argv[1:4]), set(sys.argv[4:]))
    except ValueError as error:
        sys.exit(str(error))
