"""messenger failed show, on each of the stores."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from tests.integration.cli.failing import add_second_failure_transport, edit, fail, listed
from tests.integration.cli.terminal import Terminal
from tests.integration.worker.project import Project

TASK = "App\\Message\\Task"


def test_the_list_and_one_message(store: Project) -> None:
    fail(store, "a", "b")
    first, second = listed(store)
    assert first | {"id": "", "failed_at": ""} == {
        "id": "",
        "type": TASK,
        "from": "async",
        "failed_at": "",
        "error": "messenger.errors.UnrecoverableError: hopeless a",
    }
    assert datetime.fromisoformat(first["failed_at"]).tzinfo is not None
    (shown,) = listed(store, second["id"])
    without_ids = {"message_id": None, "correlation_id": None, "causation_id": None}
    assert shown == second | without_ids | {"body": '{"name": "b", "do": "give-up"}'}
    head, *rows = store.run("failed", "show").stdout.splitlines()
    assert head.split() == ["ID", "CLASS", "FROM", "FAILED", "AT", "ERROR"]
    assert [row.split()[0] for row in rows] == [first["id"], second["id"]]
    assert "hopeless a" in rows[0]


def test_one_that_is_not_there_is_an_empty_list_in_json(store: Project) -> None:
    done = store.run("failed", "show", "77", "--format", "json", code=1)
    assert json.loads(done.stdout) == {"transport": "failed", "messages": []}
    assert "no message '77' in 'failed'" in done.stderr


def test_max_says_that_there_are_more(store: Project) -> None:
    fail(store, "a", "b")
    done = store.run("failed", "show", "--max", "1")
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == "there are more; these are the oldest 1: --max shows more of them\n"
    assert len(listed(store, "--max", "1")) == 1
    assert store.run("failed", "show", "--max", "2").stderr == ""


def test_filters_by_class_under_any_of_its_names(store: Project) -> None:
    fail(store, "a", unknown=1)
    assert len(listed(store)) == 2
    for name in (TASK, "tasks.Task", "Task"):
        assert [m["error"][-10:] for m in listed(store, "--class-filter", name)] == ["hopeless a"]
    assert [m["type"] for m in listed(store, "--class-filter", "App\\Message\\New")] == ["App\\Message\\New"]
    assert store.run("failed", "show", "--class-filter", "Nope").stdout == "no such failed messages in 'failed'\n"
    assert store.json("failed", "show", "--stats") == {
        "transport": "failed",
        "classes": {"App\\Message\\New": 1, TASK: 1},
    }
    assert store.json("failed", "show", "--stats", "--class-filter", "Task")["classes"] == {TASK: 1}
    text = store.run("failed", "show", "--stats").stdout
    assert [line.split() for line in text.splitlines()[:1]] == [["CLASS", "COUNT"]]
    assert f"{TASK}             1" in text or f"{TASK}  " in text


def test_filters_by_the_time_of_failing(store: Project) -> None:
    fail(store, "a")
    (message,) = listed(store)
    moment = datetime.fromisoformat(message["failed_at"])
    before, after = (moment + timedelta(seconds=n) for n in (-1, 1))
    for given, count in (
        (("--since", moment.isoformat(), "--until", moment.isoformat()), 1),
        (("--since", after.isoformat()), 0),
        (("--until", before.isoformat()), 0),
        (("--since", "1h"), 1),
        (("--until", "1h"), 0),
        (("--since", before.replace(tzinfo=None).isoformat()), 1),
    ):
        assert len(listed(store, *given)) == count, given


def test_verbose_shows_everything_that_is_stored(store: Project) -> None:
    fail(store, "a")
    (message,) = listed(store)
    (shown,) = listed(store, "-v", message["id"])
    assert shown["class"] == "tasks.Task"
    assert shown["headers"] == {"type": TASK, "Content-Type": "application/json"}
    error = {"class": "messenger.errors.UnrecoverableError", "code": 0, "message": "hopeless a"}
    assert shown["error_details"] == error
    stamps = {stamp["stamp"]: stamp["values"] for stamp in shown["stamps"]}
    assert stamps["SentToFailureTransportStamp"] == {"originalReceiverName": "async"}
    assert "trace" in listed(store, "-vv")[0]["error_details"]
    text = store.run("failed", "show", "-v").stdout
    assert 'SentToFailureTransportStamp {"originalReceiverName":"async"}' in text
    assert "\n  message: hopeless a\n" in text


def test_the_trace_that_php_stored_is_shown(project: Project) -> None:
    edit(
        project,
        "messenger.yaml",
        "failed: 'doctrine://default?queue_name=failed'",
        "failed: {dsn: '%env(MESSENGER_TRANSPORT_DSN)%', options: {stream: failed}}",
    )
    flattened = {
        "trace_as_string": "#0 a.php(7)\n#1 b.php(8)",
        "file": "a.php",
        "line": 7,
        "previous": {"class": "PDOException", "message": "gone", "previous": None},
    }
    error = [{"exceptionClass": "RuntimeException", "exceptionMessage": "no", "flattenException": flattened}]
    stamp = "X-Message-Stamp-Symfony\\Component\\Messenger\\Stamp\\ErrorDetailsStamp"
    value = {"body": "{}", "headers": {"type": TASK, stamp: json.dumps(error)}}
    with project.server.client() as client:
        client.xadd("failed", {"message": json.dumps(value)})
    (shown,) = listed(project, "-vv")
    assert shown["error_details"]["trace"] == flattened["trace_as_string"]
    assert shown["error_details"]["previous"]["message"] == "gone"
    text = project.run("failed", "show", "-vv").stdout
    assert "  trace:\n    #0 a.php(7)\n    #1 b.php(8)\n" in text
    assert "flattenException" not in text
    assert "#0" not in project.run("failed", "show", "-v").stdout


def test_what_came_from_outside_cannot_steer_the_terminal(store: Project) -> None:
    store.send("x", type_="Evil\x1b[2J\nName")
    store.work(1)
    for arguments in ((), ("-vv",), ("--stats",)):
        text = store.run("failed", "show", *arguments).stdout
        assert "\x1b" not in text
        assert "Evil\\x1b[2J\\nName" in text
    assert listed(store)[0]["type"] == "Evil\x1b[2J\nName"


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("show", "77"), 1, "no message '77' in 'failed'; `messenger failed show` lists them"),
        (("show", "77", "--stats"), 64, "give an ID or --stats, not both"),
        (("show", "77", "--since", "1h"), 64, "not both"),
        (("show", "--since", "yesterday"), 64, "'yesterday' is no moment; allowed: how long ago (90s, 15m, 2h, 7d)"),
        (("show", "--transport", "async"), 64, "'async' is no failure transport; allowed: failed"),
        (("show", "--max", "0"), 64, "--max"),
    ],
)
def test_what_it_cannot_do_it_says(project: Project, arguments: tuple[str, ...], code: int, error: str) -> None:
    done = project.run("failed", *arguments, code=code)
    assert error in done.stderr
    assert done.stdout == ""


def test_of_several_failure_transports_the_global_one_is_used_and_the_others_are_named(project: Project) -> None:
    add_second_failure_transport(project)
    notice = "using the default failure transport 'failed'; others, for --transport: 'other'\n"
    for arguments in (("show",), ("retry", "--all"), ("remove", "--all", "--force")):
        assert project.run("failed", *arguments).stderr == notice
    assert project.json("failed", "show")["transport"] == "failed"
    done = project.run("failed", "show", "--transport", "other")
    assert (done.stdout, done.stderr) == ("no failed messages in 'other'\n", "")


def test_without_a_global_one_it_must_be_named(project: Project) -> None:
    add_second_failure_transport(project)
    edit(project, "messenger.yaml", "  failure_transport: failed\n", "  failure_transport: ~\n")
    edit(
        project,
        "messenger.yaml",
        "      options: {stream: async",
        "      failure_transport: failed\n      options: {stream: async",
    )
    done = project.run("failed", "show", code=64)
    assert "which failure transport? Allowed for --transport: failed, other" in done.stderr


def test_a_terminal_is_asked_which_one(project: Project) -> None:
    add_second_failure_transport(project)
    with Terminal(project, "failed", "show", "--format", "json") as terminal:
        terminal.expect("Which failure transport? (failed, other) [failed]:")
        terminal.type("other")
        assert terminal.code() == 0
        assert json.loads(terminal.stdout) == {"transport": "other", "on_this_host": True, "messages": []}


def test_without_a_failure_transport_it_says_so(project: Project) -> None:
    edit(project, "messenger.yaml", "failure_transport: failed", "failure_transport: ~")
    assert "messenger.yaml says 'failure_transport: null'" in project.run("failed", "show", code=78).stderr
    project.send("a", "give-up")
    worker = project.worker("async", "--limit", "1")
    assert worker.code() == 0
    assert "message_discarded" in worker.log
    assert "(failure_transport is null)" in worker.log
