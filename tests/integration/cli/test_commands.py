"""messenger debug, setup-transports and dispatch."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.integration.worker.project import TASKS, Project

# --- debug --------------------------------------------------------------------------------------------------------


def test_debug_tells_who_handles_what_and_what_goes_where(project: Project) -> None:
    project.server.stop()  # it connects to nothing
    document = project.json("debug")
    assert document == {
        "config": str(project.directory / "messenger.yaml"),
        "release": "-",
        "buses": ["messenger.bus.default"],
        "messages": [
            {
                "name": "App\\Message\\Task",
                "class": "tasks.Task",
                "transports": ["async"],
                "handlers": ["tasks.on_task"],
            },
            {
                "name": "tasks.AsyncTask",
                "class": "tasks.AsyncTask",
                "transports": [],
                "handlers": ["tasks.on_async_task"],
            },
        ],
        "handlers": {
            name: {"bus": None, "from_transport": None, "priority": 0, "about": None}
            for name in ("tasks.on_task", "tasks.on_async_task")
        },
        "transports": ["async", "high", "failed"],
        "failure_transports": {"async": "failed", "high": "failed", "failed": "failed"},
        "outboxes": {},
        "notes": [],
    }
    text = project.run("debug").stdout
    assert "App\\Message\\Task  tasks.Task       async            tasks.on_task" in text
    assert "handled at once" in text


def test_debug_tells_on_which_bus_and_from_which_transport_a_handler_takes_messages(project: Project) -> None:
    text = (project.directory / "messenger.yaml").read_text() + "  default_bus: one\n  buses: {one: {}, two: {}}\n"
    project.write("messenger.yaml", text)
    marked = (
        '@handler(bus="two", from_transport="high", priority=5)\ndef on_task(task: Task):\n    """Do it.\n\n    So."""'
    )
    project.write("tasks.py", TASKS.replace("@handler\ndef on_task(task: Task):", marked))
    about = {"bus": "two", "from_transport": "high", "priority": 5, "about": "Do it."}
    document = project.json("debug", "two")
    assert document["buses"] == ["one", "two"]
    assert document["handlers"]["tasks.on_task"] == about
    assert "tasks.on_task        on bus two, from high  Do it." in project.run("debug").stdout
    on_one = project.json("debug", "one")
    assert list(on_one["handlers"]) == ["tasks.on_async_task"]
    assert [message["handlers"] for message in on_one["messages"]] == [[], ["tasks.on_async_task"]]
    assert "no bus is called 'three'; allowed: one, two" in project.run("debug", "three", code=64).stderr


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("tasks.py", "raise RuntimeError('no database')\n", "RuntimeError: no database"),
        ("messenger.yaml", "messenger: {transports: {a: 'redis://h?strem=x'}}", "unknown option 'strem'"),
    ],
)
def test_debug_is_the_gate_before_the_switch(project: Project, name: str, text: str, error: str) -> None:
    project.write(name, text)
    done = project.run("debug", code=78)
    assert error in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


# --- setup-transports ---------------------------------------------------------------------------------------------


def test_setup_transports_creates_what_is_needed_once_and_again(project: Project) -> None:
    for _ in range(2):
        assert project.run("setup-transports").stdout == "async: ready\nhigh: ready\nfailed: ready\n"
    with project.server.client() as client:
        for stream in ("async", "high"):
            groups = cast("list[dict[str, Any]]", client.xinfo_groups(stream))
            assert [group["name"] for group in groups] == [b"symfony"]
    assert list((project.directory / "var").iterdir())


def test_setup_transports_takes_names_and_refuses_others(project: Project) -> None:
    assert project.run("setup-transports", "high").stdout == "high: ready\n"
    with project.server.client() as client:
        assert not client.exists("async")
    assert (
        "no transport is called 'nope'; known: async, high, failed"
        in project.run("setup-transports", "nope", code=78).stderr
    )


def test_setup_transports_does_nothing_when_one_of_the_names_is_none(project: Project) -> None:
    project.run("setup-transports", "high", "nope", code=78)
    with project.server.client() as client:
        assert not client.exists("high")


def test_setup_transports_names_the_one_that_cannot_be_and_sets_up_the_others(project: Project) -> None:
    project.server.stop()
    done = project.run("setup-transports", "async", "failed", code=1)
    assert done.stdout == "failed: ready\n"
    where = f"redis at 127.0.0.1:{project.server.port} (db 0): "
    assert done.stderr.startswith(f"async: not ready: {where}")
    assert done.stderr.count("\n") == 1
    document = project.json("setup-transports", "async", "failed", code=1)
    assert document["ready"] == ["failed"]
    assert document["problems"]["async"].startswith(where)


# --- dispatch -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["App\\Message\\Task", "tasks.Task", "Task"])
def test_a_message_is_sent_by_wire_name_dotted_name_or_class_name(project: Project, name: str) -> None:
    document = project.json("dispatch", name, '{"name": "x"}')
    assert document | {"id": "ID"} == {
        "id": "ID",
        "type": "App\\Message\\Task",
        "transports": ["async"],
        "status": "sent",
        "worker": None,
        "milliseconds": None,
        "error": None,
    }
    with project.server.client() as client:
        ((entry_id, fields),) = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange("async"))
    assert entry_id.decode() == document["id"]
    assert b'"type":"App\\\\Message\\\\Task"' in fields[b"message"]


def test_dispatch_waits_until_it_is_handled_and_says_by_whom(project: Project) -> None:
    project.worker()
    (worker,) = project.wait_for_workers(1)
    document = project.json("dispatch", "Task", '{"name": "x"}', "--wait", "25")
    assert (document["status"], document["worker"], document["error"]) == ("handled", worker.id, None)
    assert document["milliseconds"] >= 0
    assert project.events() == ["start x", "done x"]
    text = project.run("dispatch", "Task", "{}", "--wait", "25").stdout
    assert f"handled by {worker.id} in " in text


def test_dispatch_tells_a_failure_once_it_is_final(project: Project) -> None:
    project.worker()
    document = project.json("dispatch", "Task", '{"name": "x", "do": "fail"}', "--wait", "25", code=1)
    assert document["status"] == "failed"
    assert "ValueError: boom x" in document["error"]
    assert project.events() == ["start x", "start x"], "after its retry"


def test_dispatch_that_nobody_handles_in_time_says_that_it_stays(project: Project) -> None:
    document = project.json("dispatch", "Task", "{}", "--wait", "0.2", code=1)
    assert document["status"] == "timeout"
    assert document["error"] == "no worker has handled it within 0.2 s; it stays in its transport"
    assert project.left() == (1, 0, 0)


def test_an_unrouted_message_is_handled_here(project: Project) -> None:
    document = project.json("dispatch", "AsyncTask", '{"name": "x"}')
    assert (document["status"], document["transports"], document["id"]) == ("handled", [], None)
    assert project.events() == ["start x", "done x"]


STEP = """
from messenger import DuplicateOfStamp

class Step:
    def handle(self, envelope, following):
        name = envelope.message.name
        if name == "nothing":
            return following(envelope) and None
        if name == "duplicate":
            return envelope.with_stamps(DuplicateOfStamp("m-1"))
        return envelope if name == "ended" else following(envelope)
"""


def test_dispatch_says_that_a_middleware_ended_it_or_returned_nothing(project: Project) -> None:
    project.write("tasks.py", TASKS + STEP)
    config = project.directory / "messenger.yaml"
    config.write_text(config.read_text() + "  buses: {b: {middleware: [tasks.Step]}}\n")
    ended = project.run("dispatch", "Task", '{"name": "ended"}', code=1)
    assert "Task  ended: neither sent nor handled: a middleware of its bus ended it" in ended.stderr
    assert project.json("dispatch", "Task", '{"name": "ended"}', code=1)["status"] == "ended"
    many = project.run("dispatch", "Task", '{"name": "ended"}', "--count", "3", code=1)
    assert "message 1 of 3: neither sent nor handled: a middleware of its bus ended it" in many.stderr
    duplicate = project.run("dispatch", "Task", '{"name": "duplicate"}').stdout
    assert duplicate == "App\\Message\\Task not sent: message m-1 with the same key is on its way\n"
    many = project.run("dispatch", "Task", '{"name": "duplicate"}', "--count", "3")
    assert many.stdout == "0 App\\Message\\Task sent; 3 not sent, as duplicates\n"
    nothing = project.run("dispatch", "Task", '{"name": "nothing"}', code=1)
    assert nothing.stderr.startswith("messenger: the middleware tasks.Step returned NoneType instead of an envelope: ")
    assert nothing.stderr.count("\n") == 1


def test_dispatch_to_another_transport(project: Project) -> None:
    assert project.json("dispatch", "Task", "{}", "--transport", "high")["transports"] == ["high"]
    project.run("dispatch", "Task", "{}", "--transport", "nope", code=78)


@pytest.mark.parametrize(
    ("name", "body", "code", "error"),
    [
        ("Nope", "{}", 78, "'Nope' is no message of this application; known: App\\Message\\Task, tasks.AsyncTask"),
        ("Task", "{", 1, "the body does not fit tasks.Task"),
        ("Task", '{"name": 5}', 1, "$.name"),
    ],
)
def test_what_cannot_be_dispatched_is_one_line(project: Project, name: str, body: str, code: int, error: str) -> None:
    done = project.run("dispatch", name, body, code=code)
    assert error in done.stderr
    assert done.stderr.count("\n") == 1
    assert project.left() == (0, 0, 0)


def test_a_redis_that_is_away_is_one_line_and_code_1(project: Project) -> None:
    project.server.stop()
    done = project.run("dispatch", "Task", "{}", code=1)
    assert done.stderr.startswith(f"messenger: redis at 127.0.0.1:{project.server.port} (db 0): ")
    assert done.stderr.count("\n") == 1
