"""What the tests of every scenario use: the application on a host, its messenger command, waiting for a condition."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host


@dataclass(frozen=True)
class App:
    """The deployed application `sms`, as an operator on the host sees it."""

    host: Host
    root: str = "/srv/sms"

    def messenger(self, *words: str) -> Any:
        """Run the operators' wrapper and return what it says with `--format json`."""
        command = shlex.join([f"{self.root}/bin/messenger", *words, "--format", "json"])
        return json.loads(self.host.check_output(command))

    def workers(self, host: str | None = None) -> list[dict[str, Any]]:
        """The live workers: of the whole fleet, or of one host."""
        rows: list[dict[str, Any]] = self.messenger("workers", *(["--host", host] if host else []))["workers"]
        return rows

    def send_and_wait(self, content: str) -> dict[str, Any]:
        """Dispatch one message, wait up to 10 s until a worker has handled it, and return what dispatch says."""
        body = json.dumps({"content": content})
        answer: dict[str, Any] = self.messenger("dispatch", "App\\Message\\SmsNotification", body, "--wait", "10")
        return answer

    @property
    def release(self) -> str:
        """The id of the release that `current` points to."""
        return str(self.host.file(f"{self.root}/current").linked_to).rpartition("/")[2]

    def audit(self) -> list[dict[str, str]]:
        """The audit trail of this host."""
        return [json.loads(line) for line in self.host.file(f"{self.root}/shared/log/audit.jsonl").content.splitlines()]

    def handled(self) -> list[str]:
        """One line for each message handled on this host: what the example's handler wrote."""
        log = self.host.file(f"{self.root}/shared/var/sms.txt")
        return str(log.content_string).splitlines() if log.exists else []


@pytest.fixture
def app(host: Host) -> App:
    return App(host)


@pytest.fixture
def before(host: Host) -> list[dict[str, Any]]:
    """The workers as they were before the last deploy (tasks/note_workers.yml)."""
    rows: list[dict[str, Any]] = json.loads(host.file("/root/workers-before.json").content_string)["workers"]
    assert rows
    return rows


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """wait_until(condition, "what is awaited", seconds=60): poll until it holds, else fail the test."""

    def wait(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"{what}: not within {seconds:g} s")
            time.sleep(0.3)

    return wait


@pytest.fixture
def run_output() -> str:
    """Everything this run of the scenario has printed so far, as CI would keep it."""
    scenario = os.environ["MOLECULE_SCENARIO_NAME"]
    return Path(os.environ["KIT_STATE"], f"{scenario}.log").read_text(errors="replace")
