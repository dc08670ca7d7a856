"""messenger failed retry, on each of the stores."""

from __future__ import annotations

import base64
import signal

import pytest

from tests.integration.cli.failing import edit, fail, ids, listed, mend
from tests.integration.cli.terminal import Terminal
from tests.integration.worker.project import Project

RAW = b"\x00\xff raw"
UNTIL_TOLD = """
    event("again", task.name)
    while not (HERE / f"go-{task.name}").exists():
        time.sleep(0.01)
"""
SECOND_HANDLER = """
@handler
def also_on_task(task: Task):
    event("also", task.name)
"""

# --- back to the workers ------------------------------------------------------------------------------------------


def test_one_is_sent_back_and_handled_by_a_worker(store: Project) -> None:
    fail(store, "a", "b")
    first, second = ids(store)
    mend(store)
    assert store.run("failed", "retry", first).stdout == f"{first}: sent to 'async'\n"
    assert ids(store) == [second]
    store.work(1)
    assert store.events("done") == ["done a"]


def test_all_are_sent_back_and_those_that_fail_again_come_back(store: Project) -> None:
    fail(store, "a", "b", "c")
    assert store.run("failed", "retry", "--all").stdout == "3 sent to 'async'\n"
    assert listed(store) == []
    assert store.left() == (3, 0, 0)
    store.work(3)
    assert [m["from"] for m in listed(store)] == ["async"] * 3
    empty = store.run("failed", "retry", "--all", "--until", "1d")
    assert (empty.stdout, empty.stderr) == ("nothing to do in 'failed'\n", "")


def test_all_of_a_class(store: Project) -> None:
    fail(store, "a", unknown=1)
    assert store.run("failed", "retry", "--all", "--class-filter", "Task").stdout == "1 sent to 'async'\n"
    assert [m["type"] for m in listed(store)] == ["App\\Message\\New"]


def test_messages_that_fail_at_once_again_do_not_keep_it_busy_for_ever(store: Project) -> None:
    fail(store, "a", "b")
    worker = store.worker("async")
    document = store.json("failed", "retry", "--all")
    assert len(document["done"]) == 2
    store.wait_until(lambda: worker.log.count("message_failed") == 2, "both fail again")
    assert len(listed(store)) == 2


def test_what_is_not_there_is_said_and_the_rest_is_done(store: Project) -> None:
    fail(store, "a", "b")
    first, second = ids(store)
    document = store.json("failed", "retry", first, "77", second, code=1)
    assert document == {
        "transport": "failed",
        "done": {first: "sent to 'async'", second: "sent to 'async'"},
        "problems": {"77": "no message '77' in 'failed'; `messenger failed show` lists them"},
        "gone": [],
        "left": [],
    }


def test_a_target_that_is_away_ends_it_and_all_stay(project: Project) -> None:
    fail(project, "a", "b", "c")
    first, *others = ids(project)
    project.server.stop()
    document = project.json("failed", "retry", "--all", code=1)
    assert (document["done"], document["left"]) == ({}, others)
    assert document["problems"][first].startswith("not retried, it stays in 'failed': redis at 127.0.0.1:")
    text = project.run("failed", "retry", "--all", code=1)
    assert "2 not tried; still in 'failed'" in text.stderr
    assert len(ids(project)) == 3


def test_a_transport_that_is_no_more_is_named_and_the_message_stays(store: Project) -> None:
    fail(store, "a")
    (message_id,) = ids(store)
    for old, new in (("    async:\n", "    renamed:\n"), ("Task': async", "Task': renamed")):
        edit(store, "messenger.yaml", old, new)
    done = store.run("failed", "retry", message_id, code=1)
    assert "it stays in 'failed': no transport is called 'async'; known: renamed, high, failed" in done.stderr
    assert ids(store) == [message_id]


def test_one_that_does_not_say_where_it_came_from_stays(store: Project) -> None:
    store.run("dispatch", "App\\Message\\Task", '{"name": "a"}', "--transport", "failed")
    (message_id,) = ids(store)
    done = store.run("failed", "retry", message_id, code=1)
    assert "it does not say which transport it came from; use --now, or remove it" in done.stderr
    assert ids(store) == [message_id]
    assert store.run("failed", "retry", message_id, "--now", "--force").stdout.startswith(f"{message_id}: handled")


def test_an_undecodable_message_comes_back_for_a_release_that_knows_it(store: Project) -> None:
    store.send("a", type_="App\\Message\\New")
    with store.server.client() as client:
        client.xadd("async", {"message": RAW})
    store.work(2)
    new, raw = listed(store)
    assert (new["type"], raw["type"]) == ("App\\Message\\New", "undecodable")
    assert "no message class here has the wire name 'App\\\\Message\\\\New'" in new["error"]
    assert base64.b64decode(listed(store, raw["id"])[0]["body"]) == RAW, "the bytes as they came"
    refused = store.run("failed", "retry", "--now", new["id"], code=1).stderr
    assert "it stays in 'failed': it cannot be read here (no message class here has the wire name" in refused
    assert "retry it without --now" in refused
    edit(store, "tasks.py", 'name="App\\\\Message\\\\Task"', 'name="App\\\\Message\\\\New"')
    edit(store, "messenger.yaml", "Message\\Task", "Message\\New")
    assert store.run("failed", "retry", "--all").stdout == "2 sent to 'async'\n"
    store.work(2)
    assert store.events("done") == ["done a"]
    (again,) = listed(store)
    assert (again["type"], again["from"]) == ("undecodable", "async")
    assert base64.b64decode(listed(store, again["id"])[0]["body"]) == RAW, "however often it goes to and fro"


# --- now ----------------------------------------------------------------------------------------------------------


def test_now_handles_here_and_keeps_what_fails_again(store: Project) -> None:
    fail(store, "a")
    (message,) = listed(store)
    done = store.run("failed", "retry", "--now", message["id"], code=1)
    assert "not retried, it stays in 'failed': tasks.on_task failed: UnrecoverableError: hopeless a" in done.stderr
    assert listed(store) == [message], "untouched, under the same id"
    mend(store)
    assert store.run("failed", "retry", "--now", "--all").stdout == "1 handled\n"
    assert listed(store) == []
    assert store.events("done") == ["done a"]
    assert store.left() == (0, 0, 0)


def test_now_writes_down_another_error(store: Project) -> None:
    fail(store, "a")
    mend(store, 'raise KeyError("other")')
    store.run("failed", "retry", "--now", "--all", code=1)
    (message,) = listed(store)
    assert message["error"] == "builtins.KeyError: 'other'"
    assert message["from"] == "async"
    mend_again = 'raise KeyError("other")'
    edit(store, "tasks.py", mend_again, "pass")
    assert store.run("failed", "retry", "--now", "--all").stdout == "1 handled\n"


def test_now_does_not_run_again_the_handlers_that_succeeded(store: Project) -> None:
    fail(store, "a")
    text = (store.directory / "tasks.py").read_text()
    store.write("tasks.py", text + SECOND_HANDLER)
    for _ in range(2):
        store.run("failed", "retry", "--now", "--all", code=1)
    assert store.events("also") == ["also a"]
    mend(store)
    store.run("failed", "retry", "--now", "--all")
    assert store.events("also") == ["also a"]
    assert store.events("done") == ["done a"]
    assert listed(store) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_now_that_is_ended_in_the_middle_keeps_the_message(store: Project, number: signal.Signals) -> None:
    fail(store, "a", "b")
    before = listed(store)
    mend(store, UNTIL_TOLD.strip())
    run = store.start("failed", "retry", "--now", "--all")
    store.wait_for_event("again a")
    run.signal(number)
    assert run.code() == (-9 if number == signal.SIGKILL else 1)
    assert listed(store) == before
    if number == signal.SIGINT:
        assert "2 not tried; still in 'failed'" in run.log
    store.go("a")
    store.go("b")
    assert store.run("failed", "retry", "--now", "--all").stdout == "2 handled\n"
    assert listed(store) == []


def test_now_says_when_a_handled_message_could_not_be_removed(project: Project) -> None:
    edit(
        project,
        "messenger.yaml",
        "failed: 'doctrine://default?queue_name=failed'",
        "failed: {dsn: '%env(MESSENGER_TRANSPORT_DSN)%', options: {stream: failed}}",
    )
    fail(project, "a")
    (message_id,) = ids(project)
    mend(project, UNTIL_TOLD.strip())
    run = project.start("failed", "retry", "--now", message_id)
    project.wait_for_event("again a")
    project.server.stop()
    project.go("a")
    assert run.code() == 1
    assert f"{message_id}: it was handled, but could not be removed from 'failed'; remove it there, or it is" in run.log
    project.server.start()
    assert ids(project) == [message_id]


# --- at a terminal ------------------------------------------------------------------------------------------------


def test_a_terminal_is_asked_about_one_after_the_other(store: Project) -> None:
    fail(store, "a", "b", "c", "d")
    first, second, third, fourth = ids(store)
    with Terminal(store, "failed", "retry") as terminal:
        terminal.expect("What to do? (retry, skip, delete, quit) [retry]:")
        assert "1 of 4" in terminal.stdout
        assert '"name": "a"' in terminal.stdout
        terminal.type("nonsense")
        terminal.expect("What to do?")
        terminal.type("")
        terminal.expect("What to do?")
        terminal.type("skip")
        terminal.expect("What to do?")
        terminal.type("delete")
        terminal.expect("What to do?")
        terminal.type("quit")
        assert terminal.code() == 0
        assert "1 not tried; still in 'failed'" in terminal.screen
        for line in (f"{first}: sent to 'async'", f"{second}: skipped", f"{third}: deleted", "1 deleted"):
            assert f"{line}\n" in terminal.stdout
    assert ids(store) == [second, fourth]
    assert store.left() == (1, 0, 0)


def test_ctrl_c_at_the_question_changes_nothing(project: Project) -> None:
    fail(project, "a")
    with Terminal(project, "failed", "retry") as terminal:
        terminal.expect("What to do?")
        terminal.type("\x04")
        assert terminal.code() == 0
    assert len(ids(project)) == 1


def test_a_terminal_is_asked_before_all_and_sees_a_bar(project: Project) -> None:
    fail(project, "a", "b")
    with Terminal(project, "failed", "retry", "--all") as terminal:
        terminal.expect("Retry 2 messages of 'failed'? [Y/n]:")
        terminal.type("n")
        assert terminal.code() == 1
        assert "nothing was done" in terminal.screen
    with Terminal(project, "failed", "retry", "--all", "--force") as terminal:
        terminal.expect("Retrying")
        assert terminal.code() == 0
        assert "2/2" in terminal.screen
        assert terminal.stdout == "2 sent to 'async'\n"
    assert listed(project) == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "give the IDs that `messenger failed show` lists, or --all"),
        (("1", "--all"), "give the IDs"),
        (("--force",), "give the IDs"),
        (("1", "--class-filter", "Task"), "give IDs, or --class-filter, --since and --until, not both"),
    ],
)
def test_without_a_terminal_it_must_be_told(project: Project, arguments: tuple[str, ...], error: str) -> None:
    assert error in project.run("failed", "retry", *arguments, code=64).stderr
