"""Which handlers a message finds, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pytest

from messenger import HandlerDefinitionError, handler
from messenger.handling.registry import HandlerOptions, HandlerRegistry, make_handler


class Event:
    """A parent that is no message itself."""


@dataclass(frozen=True)
class Sms(Event):
    text: str = ""


@dataclass(frozen=True)
class UrgentSms(Sms):
    pass


@dataclass(frozen=True)
class Mail:
    subject: str = ""


@runtime_checkable
class HasText(Protocol):
    text: str


@handler
def on_sms(message: Sms) -> None: ...


@handler
def on_urgent(message: UrgentSms) -> None: ...


@handler
def on_event(message: Event) -> None: ...


@handler
def on_text(message: HasText) -> None: ...


@handler(handles="*")
def on_all(message: object) -> None: ...


@handler(priority=10)
def first_on_sms(message: Sms) -> None: ...


@handler(priority=-10)
def last_on_sms(message: Sms | Mail) -> None: ...


ALL = [on_all, on_text, on_event, last_on_sms, on_sms, first_on_sms, on_urgent]


def names(message: object, *things: object) -> list[str]:
    registry = HandlerRegistry(make_handler(thing) for thing in (things or ALL))  # type: ignore[arg-type]
    return [item.name.rsplit(".", 1)[1] for item in registry.for_message(message)]


def test_class_then_parents_then_protocols_then_all() -> None:
    expected = ["on_urgent", "first_on_sms", "on_sms", "last_on_sms", "on_event", "on_text", "on_all"]
    assert names(UrgentSms()) == expected


def test_a_parents_message_does_not_reach_the_childs_handler() -> None:
    assert names(Sms()) == ["first_on_sms", "on_sms", "last_on_sms", "on_event", "on_text", "on_all"]


def test_priority_orders_within_one_type_only() -> None:
    assert names(Sms(), last_on_sms, on_sms, first_on_sms) == ["first_on_sms", "on_sms", "last_on_sms"]
    assert names(UrgentSms(), first_on_sms, on_urgent) == ["on_urgent", "first_on_sms"]


def test_the_order_of_equals_is_that_of_registration() -> None:
    assert names(Sms(), last_on_sms, on_text, on_sms) == ["on_sms", "last_on_sms", "on_text"]


def test_each_member_of_a_union_is_handled() -> None:
    assert names(Mail()) == ["last_on_sms", "on_all"]


def test_nobody_takes_what_nobody_names() -> None:
    assert names(Mail(), on_sms, on_text) == []


def test_a_handler_that_matches_twice_runs_once() -> None:
    @handler
    def both(message: Sms | Event) -> None: ...

    assert names(UrgentSms(), both) == ["both"]


def test_two_of_one_name_are_refused_unless_an_alias_tells_them_apart() -> None:
    registry = HandlerRegistry([make_handler(on_sms)])
    with pytest.raises(HandlerDefinitionError, match="alias"):
        registry.add(make_handler(on_sms))
    registry.add(make_handler(on_sms, HandlerOptions((Sms,), alias="again")))
    assert [h.name.rsplit(".", 1)[1] for h in registry.handlers] == ["on_sms", "on_sms@again"]


def test_what_is_added_later_is_found() -> None:
    registry = HandlerRegistry([make_handler(on_sms)])
    assert len(registry.for_message(Sms())) == 1
    assert len(registry.for_received(Sms(), "bus", "async")) == 1
    registry.add(make_handler(on_text))
    assert len(registry.for_message(Sms())) == 2
    assert len(registry.for_received(Sms(), "bus", "async")) == 2


def test_it_knows_its_types_and_handlers() -> None:
    registry = HandlerRegistry(make_handler(thing) for thing in (on_all, on_sms, last_on_sms))
    assert registry.message_types == (Sms, Mail)
    assert len(registry.handlers) == 3
