"""One stream of a Redis Cluster, shared with PHP: the same DSNs, the same keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import pytest

from tests.integration.php.peers import Ours, Php
from tests.support.cluster import Cluster
from tests.support.servers import RedisServer


class Tagged:
    """A cluster whose DSNs name streams with a hash tag."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def url(self, path: str) -> str:
        return self._cluster.url(re.sub(r"^/(\w+)", r"/{\1}", path))


@pytest.fixture
def both(redis_cluster: Cluster, tmp_path: Path) -> tuple[Php, Ours]:
    """Both sides, on one cluster."""
    server = cast(RedisServer, Tagged(redis_cluster))  # they ask it for DSNs only
    return Php(server, tmp_path), Ours(server, tmp_path)


def test_php_s_messages_are_handled_here(both: tuple[Php, Ours]) -> None:
    php, ours = both
    php.dispatch("later", delay=1000)
    php.dispatch("now")
    assert ours.consume(limit=2).contents() == ["now", "later"]
    assert ours.waiting() == []


def test_our_messages_are_handled_by_php(both: tuple[Php, Ours]) -> None:
    php, ours = both
    ours.dispatch("later", delay=1000)
    ours.dispatch("now")
    assert php.consume(limit=2).contents() == ["now", "later"]
    assert ours.waiting() == []


def test_a_failed_message_is_retried_by_the_other_side(both: tuple[Php, Ours]) -> None:
    php, ours = both
    ours.dispatch("hard")
    php.consume(fail=True)
    assert ours.consume().contents() == ["hard"]
    assert ours.waiting() == []
