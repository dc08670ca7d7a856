"""Three processes less: the one that stays went on, and no message noticed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from testinfra.host import Host


def test_the_first_kept_its_process(app: Any, before: list[dict[str, Any]]) -> None:
    (worker,) = app.workers()
    assert (worker["process"], worker["pid"]) == ("mail-00", before[0]["pid"])


def test_every_message_was_handled_once(app: Any, host: Host, wait_until: Callable[..., None]) -> None:
    wait_until(lambda: len(app.handled()) >= 60, "60 messages are handled", 180)
    assert Counter(line.split()[0] for line in app.handled()) == {"grown": 20, "shrunk": 40}
    assert "SIGKILL" not in host.file("/var/log/supervisor/supervisord.log").content_string


def test_redis_has_nothing_left_of_those_that_went(host: Host, app: Any, wait_until: Callable[..., None]) -> None:
    (worker,) = app.workers()
    wait_until(lambda: host.check_output("redis-cli XPENDING messages symfony").split()[0] == "0", "nothing is pending")
    consumers = host.check_output("redis-cli --json XINFO CONSUMERS messages symfony")
    assert consumers.count('"name"') == 1
    assert worker["id"] in consumers
