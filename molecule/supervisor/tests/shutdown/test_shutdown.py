"""What the shutdown of a host does to Supervisor: workers finish their message, all at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host


def test_stopping_the_service_waits_for_the_messages(
    host: Host, app: Any, busy: Callable[[str], dict[str, int]], handled_once: Callable[[str], None]
) -> None:
    pids = busy("shutdown")
    before = len(app.handled())
    host.check_output("systemctl stop supervisor")
    assert not [pid for pid in pids.values() if host.file(f"/proc/{pid}").exists]
    done = app.handled()[before:]
    # Each finished what it had in hand. One after the other, the last would have gone on with further messages.
    assert sorted(int(line.split()[1]) for line in done) == sorted(pids.values())
    assert host.check_output("redis-cli XPENDING messages symfony").split()[0] == "0"
    host.check_output("systemctl start supervisor")
    handled_once("shutdown")
