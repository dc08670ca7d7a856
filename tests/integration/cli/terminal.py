"""A `messenger` command with a person at a terminal: stdin and stderr are a real one, stdout goes to a file."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import Self

import pytest

from tests.integration.worker.project import LONG, Project
from tests.support.servers import wait_until


class Terminal:
    """with Terminal(project, "failed", "retry") as terminal: terminal.expect("What to do?"); terminal.type("skip")"""

    def __init__(self, project: Project, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        os.set_blocking(self._ours, False)
        self._out = project.directory / "terminal.out"
        self._seen = 0
        self.screen = ""
        with self._out.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "messenger.cli", *arguments],
                cwd=project.directory,
                env=project.environment | {"TERM": "xterm", "COLUMNS": "100"},
                stdin=theirs,
                stdout=out,
                stderr=theirs,
                start_new_session=True,
            )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(LONG)
        os.close(self._ours)

    @property
    def stdout(self) -> str:
        """What went to stdout so far."""
        return self._out.read_text()

    def expect(self, text: str) -> None:
        """Wait until this comes on the screen, after what was expected before."""

        def there() -> bool:
            ended = self._process.poll() is not None
            self._read()
            found = self.screen.find(text, self._seen)
            if found >= 0:
                self._seen = found + len(text)
            elif ended:
                pytest.fail(f"it ended without {text!r}:\n{self.screen}\n{self.stdout}")
            return found >= 0

        wait_until(there, LONG, f"{text!r} on the screen")

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        os.write(self._ours, f"{line}\n".encode())

    def code(self) -> int:
        """Wait for its end; its exit code."""
        wait_until(lambda: self._read() or self._process.poll() is not None, LONG, "its end")
        self._read()
        return self._process.wait()

    def _read(self) -> bool:
        """Take what is on the screen; always false."""
        try:
            while chunk := os.read(self._ours, 65536):
                self.screen += chunk.decode()
        except (BlockingIOError, OSError):  # nothing now, or nobody there any more
            pass
        return False
