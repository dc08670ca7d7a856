"""Keys of an application in a Redis that others use, too: which are its own, and what is deleted at its removal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.roles.kit_redis import KitRedis, role_module
from tests.support.modules import MODULES, answer_of

KEYS = ["sms", "sms:stop", "sms__queue", "sms2", "other", "messages", "messages__queue", "messenger:workers"]


@pytest.mark.parametrize(
    ("names", "others", "own"),
    [
        (["sms"], [], ["sms", "sms:stop", "sms__queue"]),
        (["sms", "messages"], [["other"]], ["sms", "sms:stop", "sms__queue", "messages", "messages__queue"]),
        (["sms", "messages"], [["messages"]], ["sms", "sms:stop", "sms__queue"]),
        (["messages", "messenger"], [["other"], []], []),
        (["s.s"], [], []),
        ([], [], []),
    ],
)
def test_which_keys_are_an_application_s(names: list[str], others: list[list[str]], own: list[str]) -> None:
    assert role_module("redis_keys").own_keys(KEYS, names, others) == own


@pytest.fixture(scope="module")
def _process() -> Iterator[KitRedis]:
    server = KitRedis()
    server.start()
    yield server
    server.destroy()


@pytest.fixture
def server(_process: KitRedis) -> KitRedis:
    """Holds KEYS."""
    _process.clear()
    with _process.client() as client:
        client.mset(dict.fromkeys(KEYS, "x"))
    return _process


def run(server: KitRedis, check_mode: bool = False, **given: Any) -> dict[str, Any]:
    question = {"names": ["sms"], "others": [["other"]], "config": str(server.config), **given}
    return answer_of(MODULES / "redis_keys.py", question, check_mode)


def keys(server: KitRedis) -> list[str]:
    with server.client() as client:
        return sorted(key.decode() for key in client.scan_iter())


def test_they_are_deleted_and_nothing_else(server: KitRedis) -> None:
    found = run(server)
    assert (found["changed"], found["answers"], found["own"], found["foreign"]) == (True, True, 3, 5)
    assert keys(server) == sorted(KEYS[3:])
    assert not run(server)["changed"]


@pytest.mark.parametrize(("given", "changed"), [({"check_mode": True}, True), ({"delete": False}, False)])
def test_counting_deletes_nothing(server: KitRedis, given: dict[str, Any], changed: bool) -> None:
    assert run(server, **given)["changed"] is changed
    assert keys(server) == sorted(KEYS)


def test_there_may_be_more_than_one_command_takes(server: KitRedis) -> None:
    with server.client() as client:
        client.mset({f"sms:{number}": "x" for number in range(1200)})
    assert run(server)["own"] == 1203
    assert keys(server) == sorted(KEYS[3:])


def test_another_database_counts_as_a_key_of_others(server: KitRedis) -> None:
    with server.client() as client:
        client.execute_command("MOVE", "sms2", 1)
        client.execute_command("MOVE", "other", 1)
    assert run(server)["foreign"] == 4


def test_a_redis_that_does_not_answer_is_no_failure() -> None:
    stopped = KitRedis()
    found = run(stopped)
    assert (found["answers"], found["changed"]) == (False, False)
    stopped.destroy()
