"""Signed messages on every transport: retried, refused and kept, verified again when they are sent back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.worker.project import TASKS, YAML, Project
from tests.support.servers import PostgresServer

KEYS = {"KEY": "the key of this release", "OLD_KEY": ""}
OLD_KEY = "the key of the release before"
SIGNING = "  signing: {key: '%env(KEY)%', previous_key: '%env(OLD_KEY)%'}\n"
TASK = "App\\Message\\Task"


@pytest.fixture(params=["redis", "sqlite", "postgresql"])
def signed(request: pytest.FixtureRequest, project: Project) -> Project:
    """The application with `on_task` signed and its transport `async` here, and a `forger.yaml` without any key."""
    connections = ""
    yaml = YAML
    if request.param != "redis":
        yaml = YAML.replace(
            "      dsn: '%env(MESSENGER_TRANSPORT_DSN)%'\n      options: {stream: async, ",
            "      dsn: 'doctrine://main'\n      options: {",
            1,
        )
        yaml = yaml.replace("options: {claim_interval: 200}", "options: {}")
        url = "sqlite:///messages.db"
        if request.param == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = server.url
        connections = f"  connections: {{main: '{url}'}}\n"
    yaml += connections
    project.write("messenger.yaml", yaml + SIGNING)
    project.write("forger.yaml", yaml.replace("[tasks]", "[forger]"))
    project.write("tasks.py", TASKS.replace("@handler\ndef on_task", "@handler(sign=True)\ndef on_task"))
    project.write("forger.py", TASKS)
    project.environment |= KEYS
    return project


def failed(project: Project) -> list[dict[str, Any]]:
    """What rests in the failure transport."""
    found: list[dict[str, Any]] = project.json("failed", "show")["messages"]
    return found


def consume(project: Project, count: int, old_key: str = "") -> str:
    """Consume so many messages; what the worker wrote."""
    output = project.run("consume", "async", "--limit", str(count), "--time-limit", "60", OLD_KEY=old_key)
    for key in (*KEYS.values(), OLD_KEY):
        assert not key or key not in output.stdout + output.stderr
    return output.stderr


def test_a_retried_message_is_still_signed(signed: Project) -> None:
    signed.run("dispatch", "Task", json.dumps({"name": "a", "do": "fail-once"}))
    consume(signed, 2)
    assert signed.events() == ["start a", "start a", "done a"]
    assert failed(signed) == []


def test_a_forged_message_is_kept_and_verified_again(signed: Project) -> None:
    signed.run("--config", "forger.yaml", "dispatch", "Task", '{"name": "forged"}')
    log = consume(signed, 1)
    assert "must be signed" in log
    for _ in range(2):
        assert signed.events() == []
        [shown] = failed(signed)
        assert f"{TASK} must be signed, and this message has no header Body-Sign" in shown["error"]
        assert shown["from"] == "async"
        signed.run("failed", "retry", "--all")
        assert failed(signed) == []
        consume(signed, 1)
    assert signed.events() == []
    output = signed.run("failed", "retry", "--all", "--now", code=1)
    assert "must be signed" in output.stdout + output.stderr
    assert signed.events() == []
    assert len(failed(signed)) == 1


def test_a_message_of_the_old_key_is_handled_once_that_key_is_named(signed: Project) -> None:
    signed.run("dispatch", "Task", '{"name": "a"}', KEY=OLD_KEY)
    assert "neither signing.key nor signing.previous_key" in consume(signed, 1)
    assert signed.events() == []
    signed.run("failed", "retry", "--all")
    consume(signed, 1, old_key=OLD_KEY)
    assert signed.events() == ["start a", "done a"]
    assert failed(signed) == []


def test_a_message_that_failed_is_sent_back_signed(signed: Project) -> None:
    signed.run("dispatch", "Task", '{"name": "a", "do": "give-up"}')
    assert signed.start("consume", "async", "--limit", "1").code() == 0
    assert len(failed(signed)) == 1
    signed.write("tasks.py", (signed.directory / "tasks.py").read_text().replace("give-up", "never"))
    signed.run("failed", "retry", "--all")
    consume(signed, 1)
    assert signed.events() == ["start a", "start a", "done a"]


def test_without_a_key_no_command_starts(signed: Project) -> None:
    signed.write("messenger.yaml", (signed.directory / "messenger.yaml").read_text().replace(SIGNING, ""))
    output = signed.run("consume", "async", code=78)
    assert "signing: missing, and tasks.Task is sent signed" in output.stderr
