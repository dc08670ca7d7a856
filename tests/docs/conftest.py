"""A guide's project: the files of its page in a directory of its own, on an empty Redis."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, write
from tests.integration.servers import RedisServer

SECONDS = 60


class Guide:
    """The project of one page, and its commands."""

    def __init__(self, directory: Path, server: RedisServer) -> None:
        self.directory = directory
        self.server = server
        passed_on = ("PATH", "HOME", "LANG", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
        self.environment = {name: os.environ[name] for name in passed_on if name in os.environ}
        paths = (str(directory), self.environment.get("PYTHONPATH"))
        self.environment |= {
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "MESSENGER_TRANSPORT_DSN": server.url("messages"),
        }

    def run(self, *command: str, code: int = 0, with_log: bool = False) -> str:
        """Run a Python command here; what it wrote, with what went to stderr if so wanted."""
        ran = subprocess.run(
            [sys.executable, *command],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if with_log else subprocess.PIPE,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert ran.returncode == code, f"{ran.stdout}{ran.stderr or ''}"
        return ran.stdout

    def messenger(self, *arguments: str, code: int = 0) -> str:
        """Run a `messenger` command to its end; what it wrote, its log included."""
        return self.run("-m", "messenger.cli", *arguments, code=code, with_log=True)

    def pytest(self) -> str:
        """Run the tests that the page shows, with the package's plugin as an installation has it."""
        return self.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "messenger_pytest")

    def waiting(self) -> int:
        """How many messages lie in the stream."""
        with self.server.client() as client:
            return int(client.xlen("messages"))


@pytest.fixture
def guide(tmp_path: Path, redis_server: RedisServer) -> Callable[[str], Guide]:
    """Makes the project of a page below docs/."""

    def make(page: str) -> Guide:
        write(ROOT / "docs" / page, tmp_path)
        return Guide(tmp_path, redis_server)

    return make
