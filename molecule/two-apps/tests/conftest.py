"""One of the two applications, and what was noted of it before something happened to the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App


@pytest.fixture
def goes_on(host: Host, app: App) -> Callable[..., None]:
    """goes_on("sms", "first"): the workers and services are those of the note, and a message is handled."""

    def check(name: str, note: str) -> None:
        before = json.loads(host.file(f"/root/{note}.json").content_string)
        there = type(app)(host, f"/srv/{name}")
        services = host.check_output("systemctl show --property MainPID --value redis-server supervisor").split()
        assert services == before["services"]
        assert sorted(row["pid"] for row in there.workers()) == before["pids"]
        assert there.send_and_wait("goes-on")["status"] == "handled"

    return check


@pytest.fixture
def stop_seconds(host: Host) -> Callable[[], int]:
    """How long systemd waits for supervisord, as it knows it now."""

    def ask() -> int:
        assert host.check_output("systemctl show supervisor --property NeedDaemonReload --value") == "no"
        unit = host.check_output("systemctl cat supervisor")
        (seconds,) = [line.partition("=")[2] for line in unit.splitlines() if line.startswith("TimeoutStopSec=")]
        return int(seconds)

    return ask
