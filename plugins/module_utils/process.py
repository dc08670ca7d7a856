"""Commands that a module runs as another user than root: without a terminal and privileges, and bounded.

The program bin/as-user is for operators and Supervisor: it stands alone on the host, hands on signals and a terminal,
and bounds nothing that it was not told to. A module must bound time and output and needs the answer: it uses this.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.messenger.kit.plugins.module_utils.text import printable

SECONDS = 60
BYTES = 1 << 20
# Nothing of root's environment, and no site-packages of the user's home.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONNOUSERSITE": "1"}


class User(NamedTuple):
    """A user that is not root."""

    name: str
    uid: int
    gid: int

    @classmethod
    def named(cls, name: str) -> User:
        """Return the user NAME.

        Raises:
            LookupError: there is none, or it is root under another name.
        """
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            raise LookupError(f"there is no user {name}") from None
        if entry.pw_uid == 0 and os.geteuid() == 0:
            raise LookupError(f"user {name} is root; it must be a user of its own")
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    stdout: str
    stderr: str
    stopped: str = ""  # why it was killed, empty when it ended by itself

    @property
    def last_words(self) -> str:
        """The line of its output that says what was wrong, for one line of an error."""
        said, warned = ([line for line in text.splitlines() if line.strip()] for text in (self.stdout, self.stderr))
        errors = [line for line in said + warned if line.startswith("ERROR")]
        return self.stopped or printable((errors or said or warned or [f"exit code {self.code}"])[-1].strip())


def run_as(
    user: User,
    command: Sequence[str | Path],
    directory: str | Path = "/",
    *,
    stdin: bytes = b"",
    environment: dict[str, str] | None = None,
    seconds: float = SECONDS,
    most: int = BYTES,
) -> Ran:
    """Run COMMAND as USER in a session of its own, and kill its process group in the end.

    Args:
        directory: Where it runs.
        stdin: What it reads.
        environment: Added to a minimal environment; nothing else is passed on.
        seconds: After that it is killed.
        most: Bytes of output after which it is killed.

    Returns:
        Its exit code and output. Processes that it left behind are not waited for.
    """
    with tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        process = _start(user, command, directory, environment, stdin=given, stderr=subprocess.PIPE)
    try:
        output, stopped = _read(process, time.monotonic() + seconds, seconds, most)
    finally:
        _kill_group(process)
    return Ran(process.returncode, *(text.decode(errors="replace") for text in output), stopped)


def stream_as(
    user: User, command: Sequence[str | Path], *, stdin: int = subprocess.DEVNULL, seconds: float, most: int
) -> Iterator[bytes]:
    """Run COMMAND as run_as does, and yield what it writes to standard output, piece by piece.

    Args:
        stdin: A descriptor that it reads.
        seconds: After that it is killed.
        most: Bytes of output after which it is killed.

    Raises:
        TimeoutError: it did not end in time.
        OverflowError: it wrote more.
    """
    until = time.monotonic() + seconds
    process = _start(user, command, stdin=stdin, stderr=subprocess.DEVNULL)
    try:
        if process.stdout is None:
            raise AssertionError("started without a pipe")
        while select.select([process.stdout], [], [], max(0, until - time.monotonic()))[0]:
            data = os.read(process.stdout.fileno(), 1 << 16)
            if not data:
                return
            most -= len(data)
            if most < 0:
                raise OverflowError("it wrote more than is taken")
            yield data
        raise TimeoutError(f"it did not end within {seconds:g} s")
    finally:
        _kill_group(process)


def _start(
    user: User,
    command: Sequence[str | Path],
    directory: str | Path = "/",
    environment: dict[str, str] | None = None,
    **streams: Any,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, with a minimal environment and no way to gain privileges."""
    return subprocess.Popen(
        [*_privileges(), *command],
        cwd=directory,
        env=ENVIRONMENT | (environment or {}),
        stdout=subprocess.PIPE,
        start_new_session=True,
        umask=0o027,
        **streams,
        **_identity(user),
    )


def _privileges() -> list[str]:
    """The words before a command that keep it from gaining privileges."""
    return [setpriv, "--no-new-privs", "--"] if (setpriv := shutil.which("setpriv")) else []


def _identity(user: User) -> dict[str, Any]:
    """Whom Popen is to make of the process; nothing where it is that user already."""
    if os.geteuid() == user.uid:
        return {}
    return {"user": user.uid, "group": user.gid, "extra_groups": os.getgrouplist(user.name, user.gid)}


def _read(process: subprocess.Popen[bytes], until: float, seconds: float, most: int) -> tuple[list[bytes], str]:
    """What PROCESS writes to its two outputs until it has ended, and why that was not awaited."""
    if process.stdout is None or process.stderr is None:
        raise AssertionError("started without pipes")
    output = {process.stdout: b"", process.stderr: b""}
    with selectors.DefaultSelector() as selector:
        for pipe in output:
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map() or process.poll() is None:
            ended = process.poll() is not None
            if time.monotonic() > until:
                return list(output.values()), f"it did not end within {seconds:g} s"
            ready = selector.select(0 if ended else 0.1)
            if ended and not ready:  # what it left behind may keep the pipes open
                break
            for key, _ in ready:
                read = os.read(key.fd, 1 << 16)
                output[key.fileobj] += read  # type: ignore[index]
                if not read:
                    selector.unregister(key.fileobj)
            if sum(map(len, output.values())) > most:
                return list(output.values()), f"it wrote more than {most} bytes"
            if not selector.get_map() and not ended:
                time.sleep(0.01)
    return list(output.values()), ""


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kill_all_of(user: User) -> None:
    """Kill every process of USER, and return when there is none."""
    if user.uid == os.geteuid():
        return
    until = time.monotonic() + 10
    while pids := [
        int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and is_process_of(entry, user)
    ]:
        if time.monotonic() > until:
            raise OSError(f"processes of {user.name} cannot be killed: {', '.join(map(str, pids[:10]))}")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def is_process_of(entry: Path, user: User) -> bool:
    """Whether the process in /proc runs as USER; one that has ended and was not collected yet does not count."""
    try:
        status = (entry / "status").read_text(errors="replace")
    except OSError:
        return False
    words = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return str(user.uid) in words.get("Uid", "").split() and not words.get("State", "").strip().startswith("Z")
