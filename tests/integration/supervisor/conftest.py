"""A supervisord for each test that asks for one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.supervisor.pool import Pool
from tests.integration.supervisor.supervisord import Supervisord
from tests.integration.worker.project import Project


@pytest.fixture
def supervisord() -> Iterator[Supervisord]:
    with tempfile.TemporaryDirectory(prefix="messenger-sv-") as directory:  # short: a socket's path has a limit
        made = Supervisord(Path(directory))
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture
def pool(project: Project, supervisord: Supervisord) -> Pool:
    """A pool for a supervisord that has nothing else."""
    made = Pool(project, supervisord)
    supervisord.write()
    supervisord.launch()
    supervisord.wait_for("supervisord started")
    return made
