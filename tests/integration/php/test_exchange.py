"""A message sent by one side is handled by the other."""

from __future__ import annotations

import shutil

import pytest

from messenger.stamps import BusNameStamp, DelayStamp
from tests.integration.php.peers import Ours, Php, stamps

UNICODE = 'Ümläut "quoted" a/b\\c 漢字 😀\u2028\x00\x1f end'
CONTENTS = pytest.mark.parametrize(
    "content", ["Look! I created a message!", "", UNICODE, "é😀" * 175_000], ids=["plain", "empty", "unicode", "1 MB"]
)


@pytest.fixture(params=["0", "1"], autouse=True)
def serializer(request: pytest.FixtureRequest, php: Php, ours: Ours) -> str:
    """The DSN option `serializer`, the same on both sides."""
    value: str = request.param
    php.dsn_options["serializer"] = ours.dsn_options["serializer"] = value
    return value


def depth(ours: Ours) -> tuple[int, int, int]:
    """How many messages "async" holds: ready, in flight, delayed."""
    application = ours.application()
    found = application.transport("async").depth()
    application.close()
    return found.ready, found.in_flight, found.delayed


@CONTENTS
def test_php_s_message_is_handled_here(php: Php, ours: Ours, content: str) -> None:
    php.dispatch(content, to="+41 00")
    [envelope] = ours.waiting()
    assert envelope.all(BusNameStamp) == [BusNameStamp("messenger.bus.default")]
    [line] = ours.consume().lines()
    assert (line["content"], line["to"]) == (content, "+41 00")
    assert ours.waiting() == []


@CONTENTS
def test_our_message_is_handled_by_php(php: Php, ours: Ours, content: str) -> None:
    ours.dispatch(content, to="+41 00")
    [line] = php.consume().lines()
    assert (line["content"], line["to"]) == (content, "+41 00")
    assert stamps(line, "BusNameStamp") == [{"busName": "messenger.bus.default"}]
    assert ours.waiting() == []


def test_php_s_delayed_message_is_handled_here_once_due(php: Php, ours: Ours) -> None:
    php.dispatch("later", delay=1500)
    php.dispatch("much later", delay=3_600_000)
    assert depth(ours) == (0, 0, 2)
    [later, much_later] = ours.waiting()
    assert later.all(DelayStamp) == [DelayStamp(1500)]
    assert much_later.all(DelayStamp) == [DelayStamp(3_600_000)]
    assert ours.consume().contents() == ["later"]
    assert depth(ours) == (0, 0, 1)


def test_our_delayed_message_is_handled_by_php_once_due(php: Php, ours: Ours) -> None:
    ours.dispatch("later", delay=1500)
    ours.dispatch("much later", delay=3_600_000)
    [line] = php.consume().lines()
    assert line["content"] == "later"
    assert stamps(line, "DelayStamp") == [{"delay": 1500}]
    assert depth(ours) == (0, 0, 1)


@pytest.mark.parametrize("mover", ["php", "ours"])
def test_due_messages_moved_by_one_side_are_read_by_the_other(php: Php, ours: Ours, mover: str) -> None:
    """The mover holds one of the two messages it has put into the stream; the other side takes the second."""
    first, second = (php, ours) if mover == "php" else (ours, php)
    second.dispatch("one", "two", delay=1)
    gate = ours.directory / "gate"
    with first.worker(gate=gate) as holding:
        holding.wait_for("received")
        [taken] = second.consume().contents()
        gate.touch()
        holding.finish()
    assert sorted([taken, *holding.contents()]) == ["one", "two"]


def test_our_default_suits_php_with_either(php: Php, ours: Ours) -> None:
    """PHP's default is serializer=1, ours is 0, and nobody has to know. (PHP with 0 does not read what 1 wrote.)"""
    del ours.dsn_options["serializer"]
    ours.dispatch("from us")
    assert php.consume().contents() == ["from us"]
    php.dispatch("from PHP")
    assert ours.consume().contents() == ["from PHP"]


def test_without_php_the_failure_says_what_to_install(php: Php, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(pytest.fail.Exception, match="PHP is not installed; on Debian: apt-get install .* php-cli "):
        php.dispatch("x")
