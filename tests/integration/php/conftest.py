"""Both sides, on one empty Redis."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.php.peers import Ours, Php
from tests.support.servers import RedisServer


@pytest.fixture
def php(redis_server: RedisServer, tmp_path: Path) -> Php:
    """PHP's application."""
    return Php(redis_server, tmp_path)


@pytest.fixture
def ours(redis_server: RedisServer, tmp_path: Path) -> Ours:
    """Our application."""
    return Ours(redis_server, tmp_path)
