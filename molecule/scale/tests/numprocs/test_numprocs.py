"""The other layout: the pool was paused, not killed, and takes messages again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from testinfra.host import Host


def test_three_processes_of_one_program(host: Host, app: Any) -> None:
    assert [worker["process"] for worker in app.workers()] == ["mail_00", "mail_01", "mail_02"]
    assert host.check_output("supervisorctl status").count("mail:mail_0") == 3
    assert "mail-0" not in host.check_output("supervisorctl status")


def test_every_message_was_handled_once(app: Any, host: Host, wait_until: Callable[..., None]) -> None:
    wait_until(lambda: len(app.handled()) >= 80, "80 messages are handled", 180)
    assert Counter(line.split()[0] for line in app.handled())["numprocs"] == 10
    assert len(app.handled()) == 80
    assert {worker["state"] for worker in app.workers()} <= {"idle", "busy"}
    assert "SIGKILL" not in host.file("/var/log/supervisor/supervisord.log").content_string
