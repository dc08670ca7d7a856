"""messenger failed remove, on each of the stores."""

from __future__ import annotations

import pytest

from tests.integration.cli.failing import fail, ids, listed
from tests.integration.cli.terminal import Terminal
from tests.integration.worker.project import Project


def test_it_takes_away_only_what_is_named(store: Project) -> None:
    fail(store, "a", "b")
    first, second = ids(store)
    assert store.run("failed", "remove", first, "--force").stdout == f"{first}: removed\n"
    assert ids(store) == [second]
    done = store.run("failed", "remove", first, second, "--force", code=1)
    assert done.stdout == f"{second}: removed\n"
    assert done.stderr == f"{first}: no message '{first}' in 'failed'; `messenger failed show` lists them\n"
    assert store.run("failed", "show").stdout == "no failed messages in 'failed'\n"


def test_all_or_all_of_a_class(store: Project) -> None:
    fail(store, "a", "b", unknown=1)
    assert store.run("failed", "remove", "--all", "--force", "--class-filter", "Task").stdout == "2 removed\n"
    assert [m["type"] for m in listed(store)] == ["App\\Message\\New"]
    (message_id,) = ids(store)
    assert store.json("failed", "remove", "--all", "--force")["done"] == {message_id: "removed"}
    assert listed(store) == []
    assert store.run("failed", "remove", "--all").stdout == "nothing to do in 'failed'\n", "and nothing to ask"


def test_nobody_there_to_say_yes_is_a_no(store: Project) -> None:
    fail(store, "a")
    (message_id,) = ids(store)
    for arguments in ((message_id,), ("--all",)):
        done = store.run("failed", "remove", *arguments, code=1)
        assert done.stdout == ""
        assert "Remove 1 messages from 'failed' for good? [y/N]:" in done.stderr
        assert "nothing was done; --force does not ask" in done.stderr
    assert ids(store) == [message_id]


def test_a_terminal_sees_them_and_is_asked(project: Project) -> None:
    fail(project, "a", "b")
    for answer, code, left in (("", 1, 2), ("n", 1, 2), ("y", 0, 0)):
        with Terminal(project, "failed", "remove", "--all", "--show-messages") as terminal:
            terminal.expect('"name": "a"')
            terminal.expect('"name": "b"')
            terminal.expect("Remove 2 messages from 'failed' for good? [y/N]:")
            terminal.type(answer)
            assert terminal.code() == code
            assert ("Removing" in terminal.screen) == (code == 0), "a bar"
        assert len(ids(project)) == left


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        ((), 64, "give the IDs that `messenger failed show` lists, or --all"),
        (("1", "--all"), 64, "give the IDs"),
        (("1", "--since", "1h"), 64, "not both"),
        (("77",), 1, "no message '77' in 'failed'"),
    ],
)
def test_what_it_cannot_do_it_says(project: Project, arguments: tuple[str, ...], code: int, error: str) -> None:
    assert error in project.run("failed", "remove", *arguments, code=code).stderr
