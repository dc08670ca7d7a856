"""An envelope never changes; every method gives a new one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from messenger import DelayStamp, Envelope, Stamp
from messenger.stamps import BusNameStamp, HandledStamp


@dataclass(frozen=True)
class Note:
    text: str = "hello"


class Base(Stamp, frozen=True):
    number: int


class Derived(Base, frozen=True):
    pass


FULL = Envelope(Note(), [Base(1), Derived(2), Base(3), DelayStamp(5)])


def test_stamps_keep_their_order_and_may_repeat() -> None:
    assert FULL.stamps == (Base(1), Derived(2), Base(3), DelayStamp(5))


def test_with_stamps_appends_to_a_copy() -> None:
    before = Envelope(Note(), [DelayStamp(1)])
    after = before.with_stamps(DelayStamp(2), BusNameStamp("b"))
    assert after.stamps == (DelayStamp(1), DelayStamp(2), BusNameStamp("b"))
    assert before.stamps == (DelayStamp(1),)
    assert after.message is before.message


def test_without_all_takes_exactly_this_class() -> None:
    assert FULL.without_all(Base).stamps == (Derived(2), DelayStamp(5))
    assert FULL.without_all(HandledStamp).stamps == FULL.stamps


def test_without_stamps_of_type_takes_subclasses_too() -> None:
    assert FULL.without_stamps_of_type(Base).stamps == (DelayStamp(5),)
    assert FULL.without_stamps_of_type(Stamp).stamps == ()
    assert FULL.without_stamps_of_type(Derived).stamps == (Base(1), Base(3), DelayStamp(5))


def test_last_and_all_look_for_exactly_this_class() -> None:
    assert FULL.last(Base) == Base(3)
    assert FULL.last(Derived) == Derived(2)
    assert FULL.last(HandledStamp) is None
    assert FULL.all(Base) == [Base(1), Base(3)]
    assert FULL.all(HandledStamp) == []


def test_the_list_that_all_gives_is_not_the_envelopes_own() -> None:
    FULL.all(Base).clear()
    assert FULL.all(Base) == [Base(1), Base(3)]


def test_a_list_of_stamps_is_copied() -> None:
    stamps: list[Stamp] = [DelayStamp(1)]
    envelope = Envelope(Note(), stamps)
    stamps.append(DelayStamp(2))
    assert envelope.stamps == (DelayStamp(1),)


def test_wrap_wraps_a_message() -> None:
    envelope = Envelope.wrap(Note(), [DelayStamp(1)])
    assert (envelope.message, envelope.stamps) == (Note(), (DelayStamp(1),))


def test_wrap_keeps_an_envelope_and_appends() -> None:
    envelope = Envelope(Note(), [DelayStamp(1)])
    assert Envelope.wrap(envelope, [DelayStamp(2)]).stamps == (DelayStamp(1), DelayStamp(2))
    assert Envelope.wrap(envelope) is envelope


@pytest.mark.parametrize("name", ["message", "stamps", "other"])
def test_nothing_can_be_set_or_deleted(name: str) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        setattr(FULL, name, None)
    with pytest.raises(AttributeError, match="immutable"):
        delattr(FULL, name)
    assert FULL.message == Note()


def test_a_stamp_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        DelayStamp(1).delay = 2  # type: ignore[misc]


def test_equal_by_message_and_stamps() -> None:
    assert Envelope(Note("a"), [DelayStamp(1)]) == Envelope(Note("a"), [DelayStamp(1)])
    assert Envelope(Note("a")) != Envelope(Note("b"))
    assert Envelope(Note("a")) != Envelope(Note("a"), [DelayStamp(1)])
    other: object = Note("a")
    assert Envelope(Note("a")) != other


def test_it_shows_what_it_holds() -> None:
    shown = "Envelope(message=Note(text='a'), stamps=(DelayStamp(delay=7),))"
    assert repr(Envelope(Note("a"), [DelayStamp(7)])) == shown
