"""Messages in hand, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host


@pytest.fixture
def busy(host: Host, app: Any, wait_until: Callable[..., None]) -> Callable[[str], dict[str, int]]:
    """busy("name"): send nine messages called so, and wait until each of three workers has one in hand; their pids."""

    def send(name: str) -> dict[str, int]:
        body = json.dumps({"content": name})
        app.messenger("dispatch", "App\\Message\\SmsNotification", body, "--count", "9")
        wait_until(lambda: [row["state"] for row in app.workers()] == ["busy"] * 3, "three workers have a message")
        return {row["process"]: row["pid"] for row in app.workers()}

    return send


@pytest.fixture
def handled_once(host: Host, app: Any, wait_until: Callable[..., None]) -> Callable[[str], None]:
    """handled_once("name"): wait until all nine are handled, none twice, and none killed."""

    def check(name: str) -> None:
        wait_until(lambda: sum(line.startswith(f"{name} ") for line in app.handled()) >= 9, f"{name} are handled", 120)
        wait_until(
            lambda: host.check_output("redis-cli XPENDING messages symfony").split()[0] == "0", "none is pending"
        )
        assert sum(line.startswith(f"{name} ") for line in app.handled()) == 9
        assert "SIGKILL" not in host.file("/var/log/supervisor/supervisord.log").content_string

    return check
