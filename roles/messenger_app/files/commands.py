"""Commands that the controller runs, the environment they run in, and the error that stops a deploy."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

# What a build may know of the operator's environment. Everything else stays out: passwords of the vault, ANSIBLE_*,
# PIP_* (an index URL may hold a login), SSH_AUTH_SOCK, tokens of a CI job, HOME with its configuration files.
PASSED_TO_BUILDS = ("PATH", "TMPDIR", "CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "PKG_CONFIG_PATH")

# 2020-02-02, hatchling's own default. The earliest time that a wheel may hold is 1980, in any time zone.
SOURCE_DATE_EPOCH = "1580601600"

KEPT = 3
SECONDS_KEPT = 24 * 3600


class Problem(Exception):
    """Something on the controller stops the deploy; the text is one line for the operator."""


def scrub(text: str) -> str:
    """Return TEXT without the logins of URLs."""
    return re.sub(r"://[^/\s@]*(?:@[^/\s@]*)*@", "://***@", text)


def complaint(output: str) -> str:
    """Return the line of a command's OUTPUT that says what was wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and "[notice]" not in line]
    errors = [line for line in lines if re.match(r"(ERROR|fatal|error:)", line)] or lines
    return scrub(errors[-1]).rstrip(".") if errors else "failed without a word"


def run(*command: str, environment: dict[str, str] | None = None) -> str:
    """Run COMMAND without a terminal to ask at, in ENVIRONMENT (default: the operator's).

    Returns:
        Its standard output, stripped.

    Raises:
        Problem: It failed; the text is its last error.
    """
    ran = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if ran.returncode != 0:
        raise Problem(f"{' '.join(command[:2])}: {complaint(ran.stderr)}")
    return ran.stdout.strip()


def forget_old(directories: Iterable[Path], latest: Path) -> None:
    """Remove DIRECTORIES that were not used for a day, except LATEST, which is in use now, and two more.

    Another run may still need what it made an hour ago.
    """
    os.utime(latest)
    others = sorted((each for each in directories if each != latest), key=lambda each: each.stat().st_mtime)
    for old in others[: -KEPT + 1]:
        if old.stat().st_mtime < time.time() - SECONDS_KEPT:
            shutil.rmtree(old, ignore_errors=True)


def run_build(*command: str, home: Path) -> None:
    """Run COMMAND, which runs code of a package, with HOME as its home and working directory.

    The code gets none of the operator's variables beyond `PASSED_TO_BUILDS`, and no terminal. It still runs as the
    operator's user: this keeps secrets out of its sight, it is no sandbox.

    Raises:
        Problem: It failed; the text is its last error.
    """
    # setuptools would leave its work in the source, and ship from there what the source no longer has.
    distutils = home / "distutils.cfg"
    distutils.write_text(f"[build]\nbuild_base = {home}/build\n[egg_info]\negg_base = {home}\n")
    environment = {name: os.environ[name] for name in PASSED_TO_BUILDS if name in os.environ} | {
        "DIST_EXTRA_CONFIG": str(distutils),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH,
    }
    ran = subprocess.run(
        command,
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # no controlling terminal
    )
    if ran.returncode != 0:
        raise Problem(complaint(ran.stdout))
