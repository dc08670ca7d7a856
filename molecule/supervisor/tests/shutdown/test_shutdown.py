"""What the shutdown of a host does to Supervisor: workers finish their message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host


def test_stopping_the_service_waits_for_the_messages(
    host: Host, app: Any, busy: Callable[[str], dict[str, int]], handled_once: Callable[[str], None]
) -> None:
    pids = busy("shutdown")
    host.check_output("systemctl stop supervisor")
    assert not [pid for pid in pids.values() if host.file(f"/proc/{pid}").exists]
    assert host.check_output("redis-cli XPENDING messages symfony").split()[0] == "0"
    host.check_output("systemctl start supervisor")
    handled_once("shutdown")
