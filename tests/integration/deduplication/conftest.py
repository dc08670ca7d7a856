"""A sender beside the project."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.deduplication.sender import Sender, sender
from tests.integration.worker.project import Project


@pytest.fixture
def tasks(project: Project) -> Iterator[Sender]:
    """Sends deduplicated tasks to the project's workers."""
    with sender(project) as made:
        yield made
