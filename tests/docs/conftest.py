"""A guide's project: the files of its page in a directory of its own, on an empty Redis."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.blocks import write
from tests.support.forker import Forker
from tests.support.paths import ROOT
from tests.support.servers import RedisServer

SECONDS = 60


class Guide:
    """The project of one page, and its commands."""

    def __init__(self, directory: Path, server: RedisServer, forker: Forker) -> None:
        self.directory = directory
        self.server = server
        self._forker = forker
        passed_on = ("PATH", "HOME", "LANG", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
        self.environment = {name: os.environ[name] for name in passed_on if name in os.environ}
        paths = (str(directory), self.environment.get("PYTHONPATH"))
        self.environment |= {
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "MESSENGER_TRANSPORT_DSN": server.url("messages"),
        }

    def python(self, *arguments: str) -> str:
        """Run Python here; what it wrote."""
        ran = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def messenger(self, *arguments: str) -> str:
        """Run a `messenger` command here to its end; what it wrote, its log included."""
        code, out, log = self._forker.run(arguments, self.directory, self.environment)
        assert code == 0, out + log
        return out + log

    def pytest(self) -> str:
        """Run the tests that the page shows, with the package's plugin as an installation has it."""
        return self.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "messenger_pytest")

    def waiting(self) -> int:
        """How many messages lie in the stream."""
        with self.server.client() as client:
            return int(client.xlen("messages"))


@pytest.fixture
def guide(tmp_path: Path, redis_server: RedisServer, _forker: Forker) -> Callable[[str], Guide]:
    """Makes the project of a page, by its path from the root."""

    def make(page: str) -> Guide:
        write(ROOT / page, tmp_path)
        return Guide(tmp_path, redis_server, _forker)

    return make
