"""The application under test, and a quick way to run its commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.worker.project import Project
from tests.support.forker import Forker
from tests.support.servers import RedisServer


@pytest.fixture
def project(tmp_path: Path, redis_server: RedisServer, _forker: Forker) -> Iterator[Project]:
    """An application on an empty Redis; what the test starts is ended with it."""
    made = Project(tmp_path, redis_server, _forker)
    yield made
    made.close()
