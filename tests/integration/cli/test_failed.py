"""messenger failed show | retry | remove, on the SQLite store and on a Redis one."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

import pytest

from tests.integration.worker.project import Project

RAW = b"\x00\xff raw"
REDIS_STORE = "failed: {dsn: '%env(MESSENGER_TRANSPORT_DSN)%', options: {stream: failed}}"


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, project: Project) -> Project:
    """The application, its failed messages in one of two stores."""
    if request.param == "redis":
        text = (project.directory / "messenger.yaml").read_text()
        project.write("messenger.yaml", text.replace("failed: 'doctrine://default?queue_name=failed'", REDIS_STORE))
    return project


def fail(project: Project, *names: str) -> None:
    """Let these messages fail for good."""
    for name in names:
        project.send(name, "give-up")
    assert project.worker("async", "--limit", str(len(names))).code() == 0


def mend(project: Project) -> None:
    """The release that handles them."""
    text = (project.directory / "tasks.py").read_text()
    project.write("tasks.py", text.replace('raise UnrecoverableError(f"hopeless {task.name}")', "pass"))


def listed(project: Project, *arguments: str) -> list[Any]:
    found: list[Any] = project.json("failed", "show", *arguments)["messages"]
    return found


def test_a_failed_message_is_shown_sent_back_and_handled(store: Project) -> None:
    fail(store, "a", "b")
    first, second = listed(store)
    assert first | {"id": "", "failed_at": ""} == {
        "id": "",
        "type": "App\\Message\\Task",
        "from": "async",
        "failed_at": "",
        "error": "messenger.errors.UnrecoverableError: hopeless a",
    }
    assert datetime.fromisoformat(first["failed_at"]).tzinfo is not None
    assert listed(store, "--max", "1") == [first]
    (shown,) = listed(store, second["id"])
    without_ids = {"message_id": None, "correlation_id": None, "causation_id": None}
    assert shown == second | without_ids | {"body": '{"name": "b", "do": "give-up"}'}
    text = store.run("failed", "show").stdout
    assert "hopeless a" in text
    mend(store)
    assert store.run("failed", "retry", first["id"]).stdout == f"{first['id']}: sent to 'async'\n"
    assert listed(store) == [second]
    assert store.worker("async", "--limit", "1").code() == 0
    assert store.events("done") == ["done a"]


def test_all_are_sent_back_and_one_that_fails_again_comes_back(store: Project) -> None:
    fail(store, "a", "b", "c")
    assert len(store.run("failed", "retry", "--all").stdout.splitlines()) == 3
    assert listed(store) == []
    assert store.left() == (3, 0, 0)
    assert store.worker("async", "--limit", "3").code() == 0
    assert [m["from"] for m in listed(store)] == ["async"] * 3


def test_now_handles_here_and_keeps_what_fails_again(store: Project) -> None:
    fail(store, "a")
    (message,) = listed(store)
    done = store.run("failed", "retry", "--now", message["id"], code=1)
    assert "not retried, it stays in 'failed'" in done.stderr
    assert "hopeless a" in done.stderr
    assert len(listed(store)) == 1
    mend(store)
    assert store.run("failed", "retry", "--now", "--all").stdout == f"{message['id']}: handled\n"
    assert listed(store) == []
    assert store.events("done") == ["done a"]
    assert store.left() == (0, 0, 0)


def test_removing_asks_and_takes_away_only_what_is_named(store: Project) -> None:
    fail(store, "a", "b")
    first, second = listed(store)
    store.run("failed", "remove", first["id"], code=1)  # nobody there to say yes
    assert listed(store) == [first, second]
    assert store.run("failed", "remove", first["id"], "--force").stdout == f"{first['id']}: removed\n"
    assert listed(store) == [second]
    store.run("failed", "remove", "--all", "--force")
    assert listed(store) == []
    assert store.run("failed", "show").stdout == "no failed messages in 'failed'\n"


def test_an_undecodable_message_comes_back_for_a_release_that_knows_it(store: Project) -> None:
    store.send("a", type_="App\\Message\\New")
    with store.server.client() as client:
        client.xadd("async", {"message": RAW})
    assert store.worker("async", "--limit", "2").code() == 0
    new, raw = listed(store)
    assert (new["type"], raw["type"]) == ("App\\Message\\New", "undecodable")
    assert "no message class here has the wire name 'App\\\\Message\\\\New'" in new["error"]
    assert base64.b64decode(listed(store, raw["id"])[0]["body"]) == RAW, "the bytes as they came"
    text = (store.directory / "tasks.py").read_text()
    store.write("tasks.py", text.replace('name="App\\\\Message\\\\Task"', 'name="App\\\\Message\\\\New"'))
    text = (store.directory / "messenger.yaml").read_text()
    store.write("messenger.yaml", text.replace("Message\\Task", "Message\\New"))
    store.run("failed", "retry", "--all")
    assert store.worker("async", "--limit", "2").code() == 0
    assert store.events("done") == ["done a"]
    (again,) = listed(store)
    assert (again["type"], again["from"]) == ("undecodable", "async")
    assert base64.b64decode(listed(store, again["id"])[0]["body"]) == RAW, "however often it goes to and fro"


def test_consuming_the_failure_transport_never_loses_what_fails_again(store: Project) -> None:
    fail(store, "a", "b")
    mend_one = (
        (store.directory / "tasks.py")
        .read_text()
        .replace(
            'raise UnrecoverableError(f"hopeless {task.name}")',
            'if task.name == "b": raise UnrecoverableError("still hopeless")',
        )
    )
    store.write("tasks.py", mend_one)
    assert store.worker("failed", "--limit", "2").code() == 0
    assert store.events("done") == ["done a"]
    (left,) = listed(store)
    assert left["error"] == "messenger.errors.UnrecoverableError: still hopeless"
    assert left["from"] == "async"


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("show", "77"), 1, "no message '77' in 'failed'; `messenger failed show` lists them"),
        (("retry",), 64, "give the IDs that `messenger failed show` lists, or --all"),
        (("retry", "1", "--all"), 64, "give the IDs"),
        (("remove",), 64, "give the IDs"),
        (("retry", "77"), 1, "no message '77'"),
        (("show", "--transport", "async"), 64, "'async' is no failure transport; allowed: failed"),
        (("show", "--max", "0"), 64, "--max"),
    ],
)
def test_what_it_cannot_do_it_says(project: Project, arguments: tuple[str, ...], code: int, error: str) -> None:
    assert error in project.run("failed", *arguments, code=code).stderr


def test_several_failure_transports_must_be_told_apart(project: Project) -> None:
    text = (project.directory / "messenger.yaml").read_text()
    text = text.replace("options: {stream: high}", "options: {stream: high}\n      failure_transport: other")
    text = text.replace("  routing:", "    other: 'doctrine://default?queue_name=other'\n  routing:")
    project.write("messenger.yaml", text)
    done = project.run("failed", "show", code=64)
    assert "which failure transport? Allowed for --transport: failed, other" in done.stderr
    assert listed(project, "--transport", "other") == []


def test_without_a_failure_transport_it_says_so(project: Project) -> None:
    text = (project.directory / "messenger.yaml").read_text()
    project.write("messenger.yaml", text.replace("failure_transport: failed", "failure_transport: ~"))
    assert "messenger.yaml says 'failure_transport: null'" in project.run("failed", "show", code=78).stderr
    project.send("a", "give-up")
    worker = project.worker("async", "--limit", "1")
    assert worker.code() == 0
    assert "message_discarded" in worker.log
    assert "(failure_transport is null)" in worker.log
