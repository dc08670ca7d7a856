"""The application with its failed messages in each of the stores."""

from __future__ import annotations

import pytest

from tests.integration.cli.failing import REDIS, SQLITE, edit
from tests.integration.worker.project import Project
from tests.support.servers import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql", "redis"])
def store(request: pytest.FixtureRequest, project: Project) -> Project:
    """The application, its failed messages in one of three stores."""
    if request.param == "redis":
        edit(project, "messenger.yaml", SQLITE, REDIS)
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        edit(project, "messenger.yaml", "  handlers:", f"  connections: {{default: '{server.url}'}}\n  handlers:")
    return project
