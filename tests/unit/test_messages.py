"""Message classes and their names on the wire; every kind of message goes through the serializer and comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest

from messenger import ConfigError, Envelope, HandlerDefinitionError, MessageEncodingFailed, message
from messenger.cli.dispatch import find_class
from messenger.messages import MessageRegistry, dotted_name, is_message_class, message_options, wire_name
from messenger.wire.encoded import Encoded, UndecodableMessage
from messenger.wire.serializer import Serializer


class Colour(Enum):
    RED = "red"


@message(name="App\\Message\\Named", aliases=["App\\Old", "App\\Older"], transport=["async", "audit"])
@dataclass(frozen=True)
class Named:
    text: str = ""


@dataclass(frozen=True)
class NamedChild(Named):
    pass


@dataclass(frozen=True)
class Plain:
    text: str = ""


@dataclass
class DataclassMessage:
    number: int
    when: datetime
    price: Decimal = Decimal("1.50")
    tags: list[str] = field(default_factory=list)
    inner: Plain | None = None
    colour: Colour = Colour.RED
    key: UUID = UUID(int=5)


@dataclass(frozen=True, slots=True)
class SlottedMessage:
    number: int


@attrs.define
class AttrsMessage:
    number: int
    tags: list[str] = attrs.field(factory=list)


class StructMessage(msgspec.Struct):
    number: int
    tags: list[str] = []


class PydanticMessage(pydantic.BaseModel):
    number: int
    tags: list[str] = []
    when: datetime | None = None


class NotAMessage:
    pass


NOON = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
MESSAGES: list[Any] = [
    DataclassMessage(2**60, NOON, tags=["ä", '"', "\\", "\n", "🐘"], inner=Plain("x")),
    SlottedMessage(-1),
    AttrsMessage(1, ["a"]),
    StructMessage(1, ["a"]),
    PydanticMessage(number=1, tags=["a"], when=NOON),
]


@pytest.mark.parametrize("original", MESSAGES, ids=lambda value: type(value).__name__)
def test_every_kind_of_message_comes_back_equal(original: Any) -> None:
    serializer = Serializer(MessageRegistry([type(original)]))
    encoded = serializer.encode(Envelope(original))
    assert encoded.headers["type"] == f"{__name__}.{type(original).__name__}"
    decoded = serializer.decode(encoded).message
    assert type(decoded) is type(original)
    assert decoded == original


@pytest.mark.parametrize("original", MESSAGES, ids=lambda value: type(value).__name__)
def test_every_kind_ignores_a_key_it_does_not_know_and_misses_one_it_needs(original: Any) -> None:
    serializer = Serializer(MessageRegistry([type(original)]))
    encoded = serializer.encode(Envelope(original))
    more = type(encoded)('{"added_later": 1, ' + encoded.body[1:], encoded.headers)
    assert serializer.decode(more).message == original
    missing = serializer.decode(type(encoded)("{}", encoded.headers)).message
    assert isinstance(missing, UndecodableMessage)
    assert "number" in missing.reason
    assert "\n" not in missing.reason


@pytest.mark.parametrize("cls", [type(m) for m in MESSAGES], ids=lambda cls: cls.__name__)
def test_every_kind_is_a_message_class(cls: type) -> None:
    assert is_message_class(cls)


@pytest.mark.parametrize("thing", [NotAMessage, int, Plain("an instance"), None, "text", Colour])
def test_other_things_are_none(thing: object) -> None:
    assert not is_message_class(thing)


def test_what_is_no_message_class_cannot_be_sent() -> None:
    with pytest.raises(MessageEncodingFailed, match=r"NotAMessage cannot be sent: a message is a dataclass"):
        Serializer(MessageRegistry()).encode(Envelope(NotAMessage()))


def test_the_wire_name_is_the_dotted_name_or_what_message_says() -> None:
    assert wire_name(Plain) == dotted_name(Plain) == f"{__name__}.Plain"
    assert wire_name(Named) == "App\\Message\\Named"


def test_options_belong_to_exactly_this_class() -> None:
    assert message_options(Named).transports == ("async", "audit")
    assert message_options(NamedChild).name is None
    assert wire_name(NamedChild) == f"{__name__}.NamedChild"


def test_one_transport_may_be_given_as_text() -> None:
    @message(transport="async")
    @dataclass
    class One:
        pass

    assert message_options(One).transports == ("async",)


def test_message_is_for_classes() -> None:
    with pytest.raises(HandlerDefinitionError, match="for classes"):
        message(name="x")(lambda: None)  # type: ignore[type-var]


def test_a_registry_finds_by_name_and_alias_and_writes_the_name() -> None:
    registry = MessageRegistry([Named, Plain])
    assert registry.get("App\\Message\\Named") is Named
    assert registry.get("App\\Old") is registry.get("App\\Older") is Named
    assert registry.get(f"{__name__}.Named") is None, "the wire name replaces the dotted one"
    assert registry.get("os.system") is None
    assert registry.names() == ["App\\Message\\Named", f"{__name__}.Plain"]
    serializer = Serializer(registry)
    encoded = serializer.encode(Envelope(Named("x")))
    old = type(encoded)(encoded.body, {**encoded.headers, "type": "App\\Old"})
    again = serializer.encode(serializer.decode(old))
    assert again.headers["type"] == "App\\Message\\Named"


def test_adding_a_class_again_is_harmless() -> None:
    registry = MessageRegistry([Named, Named])
    registry.add(Named)
    assert registry.classes == (Named,)


@pytest.mark.parametrize(
    "options",
    [{"name": "App\\Message\\Named"}, {"name": "App\\Old"}, {"name": "x", "aliases": ["App\\Message\\Named"]}],
)
def test_a_name_belongs_to_one_class(options: dict[str, Any]) -> None:
    @message(**options)
    @dataclass
    class Other:
        pass

    with pytest.raises(ConfigError, match="two message classes are called") as caught:
        MessageRegistry([Named, Other])
    assert f"{__name__}.Named" in str(caught.value)
    assert "Other" in str(caught.value)


@pytest.mark.parametrize("options", [{"name": f"{__name__}.Named"}, {"name": "x", "aliases": [f"{__name__}.Named"]}])
@pytest.mark.parametrize("named_first", [True, False])
def test_the_class_name_of_another_message_is_no_name(options: dict[str, Any], named_first: bool) -> None:
    """Routing and commands know `Named` by its dotted name as well, whatever its name on the wire."""

    @message(**options)
    @dataclass
    class Other:
        pass

    with pytest.raises(ConfigError, match=r"two message classes are called '.*\.Named': .*take the alias away"):
        MessageRegistry([Named, Other] if named_first else [Other, Named])


def test_a_class_may_have_its_own_dotted_name_as_alias() -> None:
    """So that messages sent before it was given a wire name are still read."""

    @message(name="New", aliases=["old.module.Renamed", f"{__name__}.Renamed"])
    @dataclass
    class Renamed:
        text: str = ""

    Renamed.__qualname__ = "Renamed"
    serializer = Serializer(MessageRegistry([Renamed]))
    for name in ("New", "old.module.Renamed", f"{__name__}.Renamed"):
        received = serializer.decode(Encoded('{"text":"x"}', {"type": name}))
        assert received.message == Renamed("x")
        assert serializer.encode(received).headers["type"] == "New"


def test_an_alias_is_one_text_or_several() -> None:
    @message(aliases="App\\Old")
    @dataclass
    class One:
        pass

    assert message_options(One).aliases == ("App\\Old",)


def test_a_refused_class_leaves_nothing_behind() -> None:
    @message(name="New", aliases=["App\\Old"])
    @dataclass
    class Other:
        pass

    registry = MessageRegistry([Named])
    with pytest.raises(ConfigError):
        registry.add(Other)
    assert registry.get("New") is None
    assert registry.classes == (Named,)


def test_an_operator_may_name_a_class_in_three_ways() -> None:
    registry = MessageRegistry([Named, Plain])
    for name in ("App\\Message\\Named", f"{__name__}.Named", "Named", "App\\Old"):
        assert find_class(registry, name) is Named


def test_an_unknown_or_ambiguous_name_lists_what_is_known() -> None:
    @dataclass
    class Plain:
        pass

    registry = MessageRegistry([globals()["Plain"], Plain])
    with pytest.raises(ConfigError, match=r"'Plain' is more than one message; known: .*Plain"):
        find_class(registry, "Plain")
    with pytest.raises(ConfigError, match=r"'Nope' is no message of this application; known: .*Plain"):
        find_class(registry, "Nope")
    with pytest.raises(ConfigError, match="known: none"):
        find_class(MessageRegistry(), "x")
