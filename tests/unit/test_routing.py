"""Where a message goes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from messenger import Envelope, TransportNamesStamp, message
from messenger.routing import Router


class Base:
    pass


@dataclass
class Sms(Base):
    text: str = ""


@message(name="App\\Message\\Mail")
@dataclass
class Mail(Base):
    text: str = ""


@message(transport=["marked", "audit"])
@dataclass
class Marked:
    pass


@dataclass
class MarkedChild(Marked):
    pass


HERE = __name__
PACKAGE, _, MODULE = HERE.rpartition(".")


@pytest.mark.parametrize(
    ("cls", "routes", "expected"),
    [
        (Sms, {}, ()),
        (Sms, {"other.Thing": ["a"]}, ()),
        (Sms, {f"{HERE}.Sms": ["a", "b", "a"]}, ("a", "b")),
        (Sms, {f"{HERE}.Base": ["base"]}, ("base",)),
        (Sms, {f"{HERE}.Base": ["base"], f"{HERE}.Sms": ["sms", "base"]}, ("sms", "base")),
        (Sms, {f"{HERE}.*": ["near"], f"{PACKAGE}.*": ["far"], "*": ["all"]}, ("near",)),
        (Sms, {f"{PACKAGE}.*": ["far"], "*": ["all"]}, ("far",)),
        (Sms, {"*": ["all"]}, ("all",)),
        (Sms, {f"{HERE}.Base": ["base"], "*": ["all"]}, ("base",)),
        (Sms, {f"{HERE}*": ["no"], f"{HERE}.Sm*": ["no"]}, ()),
        (Mail, {"App\\Message\\Mail": ["php"]}, ("php",)),
        (Mail, {"App\\Message\\Mail": ["php"], f"{HERE}.Mail": ["python"]}, ("python", "php")),
        (Mail, {"App\\Message\\*": ["php"], "App\\*": ["far"]}, ("php",)),
        (Mail, {"App\\*": ["far"]}, ("far",)),
        (Mail, {f"{HERE}.*": ["python"]}, ("python",)),
        (Marked, {}, ("marked", "audit")),
        (MarkedChild, {}, ("marked", "audit")),
        (Marked, {"*": ["all"]}, ("all",)),
        (Marked, {f"{HERE}.Marked": []}, ("marked", "audit")),
    ],
)
def test_where_a_class_goes(cls: type, routes: dict[str, list[str]], expected: tuple[str, ...]) -> None:
    router = Router(routes)
    assert router.for_class(cls) == expected
    assert router.for_class(cls) == expected, "the second time too"


def test_a_transport_names_stamp_wins_and_the_last_one_counts() -> None:
    router = Router({"*": ["all"]})
    envelope = Envelope(Sms(), [TransportNamesStamp(("a",)), TransportNamesStamp(("b", "c"))])
    assert router.transport_names(envelope) == ("b", "c")
    assert router.transport_names(Envelope(Sms())) == ("all",)


def test_an_empty_transport_names_stamp_means_here_and_now() -> None:
    assert Router({"*": ["all"]}).transport_names(Envelope(Sms(), [TransportNamesStamp(())])) == ()
