"""Messages in hand, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

MESSAGES = 30  # half a minute for three workers, so that they are at work whatever a test does, and however slowly


@pytest.fixture
def busy(host: Host, app: Any, wait_until: Callable[..., None]) -> Callable[[str], dict[str, int]]:
    """busy("name"): send messages called so, and wait until each of three workers has one in hand; their pids."""

    def send(name: str) -> dict[str, int]:
        body = json.dumps({"content": name})
        app.messenger("dispatch", "App\\Message\\SmsNotification", body, "--count", str(MESSAGES))
        wait_until(lambda: [row["state"] for row in app.workers()] == ["busy"] * 3, "three workers have a message")
        return {row["process"]: row["pid"] for row in app.workers()}

    return send


@pytest.fixture
def handled_once(host: Host, app: Any, wait_until: Callable[..., None]) -> Callable[[str], None]:
    """handled_once("name"): wait until all are handled; none was handed out a second time."""

    def check(name: str) -> None:
        wait_until(
            lambda: sum(line.startswith(f"{name} ") for line in app.handled()) >= MESSAGES, f"{name} are handled", 120
        )
        wait_until(
            lambda: host.check_output("redis-cli XPENDING messages symfony").split()[0] == "0", "none is pending"
        )
        assert sum(line.startswith(f"{name} ") for line in app.handled()) == MESSAGES
        assert not host.run("grep -h delivery= /srv/sms/shared/log/*.log").stdout

    return check
