"""supervisord alone is killed: systemd has the workers finish their message, and then starts everything again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host


def test_nothing_is_lost_and_nobody_is_left_behind(
    host: Host,
    app: Any,
    busy: Callable[[str], dict[str, int]],
    handled_once: Callable[[str], None],
    wait_until: Callable[..., None],
) -> None:
    pids = busy("killed")
    host.check_output("kill -KILL $(cat /run/supervisord.pid)")
    wait_until(lambda: host.run("supervisorctl status").stdout.count(" RUNNING ") == 3, "Supervisor has three workers")
    assert not [pid for pid in pids.values() if host.file(f"/proc/{pid}").exists]
    handled_once("killed")
