"""dispatch() accepts only what is read as an equal message; the sender gets the error, with field and value."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import re
import uuid
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messenger.errors import MessageEncodingFailed
from messenger.wire.arrival import what_is_lost
from messenger.wire.body import decode_body, encode_body
from messenger.wire.exact_types import exact_types_check

NAN = float("nan")


class Color(enum.Enum):
    RED = "red"


class Name(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclass
class Line:
    sku: str
    count: int = 1


@dataclass
class LongLine(Line):
    extra: int = 0


@dataclass(eq=False)
class NoEq:
    n: Any


@dataclass
class All:
    """One field of every type that can be told by types alone, and some that cannot."""

    n: int = 1
    v: float = 1.5
    text: str = ""
    flag: bool = True
    raw: bytes = b""
    maybe: str | None = None
    several: int | str | None = None
    price: Decimal = Decimal("1.10")
    id: uuid.UUID = uuid.UUID(int=7)
    day: dt.date = dt.date(2020, 2, 29)
    at: dt.datetime = dt.datetime(2020, 1, 1, 1, 1, 1, 5)
    color: Color = Color.RED
    numbers: list[int] = field(default_factory=list)
    pair: tuple[int, ...] = ()
    texts: dict[str, float] = field(default_factory=dict)
    line: Line | None = None
    lines: list[Line] = field(default_factory=list)
    others: list[NoEq] = field(default_factory=list)
    sequence: Sequence[int] = field(default_factory=list)
    keys: dict[int, str] = field(default_factory=dict)
    unique: set[str] = field(default_factory=set)
    anything: Any = None
    prices: list[Decimal] = field(default_factory=list)


ARRIVES: list[dict[str, Any]] = [
    {"v": 3},  # an int is a float to every type checker
    {"v": -0.0},
    {"n": 10**40},
    {"n": Level.HIGH},
    {"text": Name.RED},
    {"raw": b"\xff"},
    {"raw": bytearray(b"x")},
    {"price": Decimal("NaN")},
    {"price": 5},
    {"at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)},
    {"at": dt.datetime(2020, 10, 25, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"), fold=1)},
    {"line": Line("a", 2)},
    {"lines": [Line("a"), Line("b", 7)]},
    {"others": [NoEq(1), NoEq({"a": [NoEq(1).n]})]},
    {"sequence": [1, 2]},
    {"pair": (1, 2)},
    {"keys": {1: "a"}},
    {"unique": {"a", "b"}},
    {"at": dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30)))},
    {"at": dt.datetime(9999, 12, 31, 23, 59, tzinfo=dt.timezone(dt.timedelta(hours=-3)))},
    {"prices": [Decimal("1.10"), Decimal("NaN")]},
    {"anything": {"a": [1, None, {"b": 1.5}]}},
]
LOST: list[tuple[dict[str, Any], str]] = [
    ({"v": NAN}, "v is nan"),
    ({"v": float("-inf")}, "v is -inf"),
    ({"v": 2**60 + 1}, "v is 1152921504606846977, and would arrive as 1.15"),
    ({"v": True}, "v is True"),
    ({"v": "1.5"}, "v is '1.5'"),
    ({"n": "3"}, "n is '3'"),
    ({"n": True}, "n is True"),
    ({"n": 3.0}, "n is 3.0"),
    ({"n": None}, "n is None"),
    ({"flag": 1}, "flag is 1"),
    ({"text": 5}, "text is 5"),
    ({"text": b"x"}, "text is b'x', and would arrive as 'eA=='"),
    ({"text": Color.RED}, "text is <Color.RED: 'red'>, and would arrive as 'red'"),
    ({"color": "red"}, "color is 'red', and would arrive as <Color.RED: 'red'>"),
    ({"color": "blue"}, "color is 'blue'"),
    ({"price": 0.1}, "price is 0.1, and would arrive as Decimal('0.1')"),
    ({"id": "00000000-0000-0000-0000-000000000007"}, "id is '00000000"),
    ({"at": "2020-01-01T00:00:00"}, "at is '2020-01-01T00:00:00', and would arrive as datetime"),
    ({"day": dt.datetime(2020, 1, 1)}, "day is datetime.datetime(2020, 1, 1, 0, 0)"),
    ({"numbers": (1, 2)}, "numbers is (1, 2), and would arrive as [1, 2]"),
    ({"numbers": [1, True]}, "numbers is [1, True]"),
    ({"pair": [1]}, "pair is [1], and would arrive as (1,)"),
    ({"texts": {"a": NAN}}, "texts is {'a': nan}"),
    ({"keys": {"1": "a"}}, "keys is {'1': 'a'}, and would arrive as {1: 'a'}"),
    ({"line": LongLine("a", 1, 2)}, "line is LongLine(sku='a', count=1, extra=2), and would arrive as Line("),
    ({"lines": [Line("a"), Line("b", "2")]}, "lines is [Line("),  # type: ignore[arg-type]
    ({"others": [NoEq(1), NoEq((1, 2))]}, "others[1].n is (1, 2), and would arrive as [1, 2]"),
    ({"sequence": (1,)}, "sequence is (1,), and would arrive as [1]"),
    ({"anything": (1, 2)}, "anything is (1, 2), and would arrive as [1, 2]"),
    ({"anything": {"a": [NAN]}}, "anything['a'][0] is nan, and would arrive as None"),
    ({"anything": {1: 2}}, "anything is {1: 2}, and would arrive as {'1': 2}"),
    ({"anything": dt.date(2020, 1, 1)}, "anything is datetime.date(2020, 1, 1), and would arrive as '2020-01-01'"),
    ({"anything": Line("a")}, "anything is Line(sku='a', count=1), and would arrive as {'sku'"),
    ({"anything": Decimal("sNaN")}, "anything is Decimal('sNaN'), and would arrive as 'sNaN'"),
    ({"prices": [Decimal("1"), Decimal("sNaN")]}, "prices[1] is Decimal('sNaN')"),
    ({"anything": {"a": Decimal("sNaN")}}, "anything['a'] is Decimal('sNaN')"),
    ({"text": "\ud800"}, r"text is '\ud800'"),
    ({"anything": object()}, "anything is <object object"),
]


@pytest.mark.parametrize("values", ARRIVES, ids=", ".join)
def test_what_is_read_as_an_equal_message_is_accepted(values: dict[str, Any]) -> None:
    arrived = decode_body(All, encode_body(All(**values)))
    for name, value in values.items():
        if name != "others":
            found = getattr(arrived, name)
            assert found == value or str(found) == str(value) or found.timestamp() == value.timestamp()


@pytest.mark.parametrize(("values", "error"), LOST, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_not_is_refused_with_field_and_value(values: dict[str, Any], error: str) -> None:
    with pytest.raises(MessageEncodingFailed, match=r"test_arrival\.All (would not|cannot) .*: " + re.escape(error)):
        encode_body(All(**values))


@dataclass
class OnlyExact:
    n: int
    v: float | None
    text: str
    flag: bool
    raw: bytes
    several: int | str | None
    price: Decimal
    id: uuid.UUID
    day: dt.date
    at: dt.datetime
    color: Color
    numbers: list[int]
    texts: dict[str, float]
    lines: tuple[Line, ...]


short = settings(derandomize=True, max_examples=300, deadline=None, database=None)
anything = st.one_of(
    *(make() for make in (st.none, st.booleans, st.integers, st.floats, st.binary, st.decimals, st.uuids, st.dates)),
    *(st.text(st.characters(codec="utf-8")), st.datetimes(timezones=st.none() | st.just(dt.UTC) | st.timezones())),
    *(st.sampled_from([*Color, *Name, *Level]), st.lists(st.integers() | st.booleans())),
    st.dictionaries(st.text("ab") | st.integers(), st.floats()),
    st.tuples(st.builds(Line, st.text("ab"), st.integers())),
)
valid = st.builds(OnlyExact)


@short
@given(valid, st.sampled_from(list(OnlyExact.__dataclass_fields__)), anything)
def test_what_its_types_say_is_so(message: OnlyExact, name: str, value: object) -> None:
    """Whatever the quick check accepts is read as an equal message."""
    setattr(message, name, value)
    if exact_types_check(OnlyExact)(message):
        assert decode_body(OnlyExact, encode_body(message)) == message


def test_the_quick_check_takes_the_usual_message() -> None:
    at = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    plain = (1, 1.5, "a", True, b"x", "s", Decimal(1), uuid.uuid4(), at.date(), at, Color.RED)
    usual = OnlyExact(*plain, [1], {"a": 1.5}, (Line("a"),))
    assert exact_types_check(OnlyExact)(usual)
    assert not exact_types_check(All)(All()), "Any says nothing"


# --- what classes do -------------------------------------------------------------------------------------------------


class Mail(pydantic.BaseModel):
    from_: str = pydantic.Field(alias="from")


class ByName(pydantic.BaseModel):
    from_: str = pydantic.Field(serialization_alias="from")


class Computed(pydantic.BaseModel):
    model_config = {"extra": "forbid"}
    a: int = 1

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def b(self) -> int:
        return self.a + 1


class Secret(pydantic.BaseModel):
    password: pydantic.SecretStr


class Excluded(pydantic.BaseModel):
    p: str = pydantic.Field(default="d", exclude=True)


class Private(pydantic.BaseModel):
    _p: int = pydantic.PrivateAttr(default=1)


class Extra(pydantic.BaseModel):
    model_config = {"extra": "allow"}


class Number(pydantic.BaseModel):
    n: int


@attrs.define
class Pay:
    _token: str = "-"


@attrs.define
class Converted:
    n: int = attrs.field(converter=int)


@attrs.define(eq=False)
class AttrsNoEq:
    n: Any


class Struct(msgspec.Struct, rename="camel", omit_defaults=True):
    some_text: str = ""


class Open(msgspec.Struct, dict=True):
    n: int = 1


class Tenant:
    __slots__ = ("tenant",)


@dataclass(slots=True)
class Slotted(Tenant):
    n: int = 1


class Aliased(pydantic.BaseModel):
    v: float = pydantic.Field(alias="value")


class Required(pydantic.BaseModel):
    w: int = pydantic.Field(validation_alias=pydantic.AliasPath("x", "y"))


class Choices(pydantic.BaseModel):
    z: int = pydantic.Field(validation_alias=pydantic.AliasChoices("p", "q"))


@dataclass
class Compared:
    n: int
    v: float | None = field(default=None, compare=False)


@dataclass
class Prefixed:
    a: str

    def __post_init__(self) -> None:
        self.a = f"x{self.a}"


@dataclass
class Counted:
    a: str
    _total: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._total = len(self.a)

    @functools.cached_property
    def upper(self) -> str:
        return self.a.upper()


class Equal(Number):
    def __eq__(self, other: object) -> bool:
        return True


def with_attribute(message: Any, **more: Any) -> Any:
    for name, value in more.items():
        setattr(message, name, value)
    return message


def with_cached_property() -> Counted:
    made = Counted("abc")
    assert made.upper == "ABC"
    return made


@pytest.mark.parametrize(
    "message",
    [
        *(Mail(**{"from": "a@b"}), ByName(from_="a@b"), Computed(a=4), Excluded(), Private()),
        *(Extra(zz=[1]), Number(n=3), Converted("3"), AttrsNoEq([1]), Struct("x")),  # type: ignore[call-arg]
        *(Open(2), Slotted(2), Aliased(value=1), Compared(1, 2.0), Pay("-"), with_cached_property()),
    ],
    ids=repr,
)
def test_classes_of_all_kinds_arrive(message: Any) -> None:
    try:
        arrived = decode_body(type(message), encode_body(message))
    except MessageEncodingFailed:
        assert isinstance(message, Pay), "attrs' private attributes are not written"
        return
    assert repr(arrived) == repr(message)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (Pay("tok"), "_token is 'tok'"),
        (AttrsNoEq((1,)), "n is (1,), and would arrive as [1]"),
        (Struct(5), "some_text is 5"),  # type: ignore[arg-type]
        (Compared(1, NAN), "v is nan, and would arrive as None"),
        (Prefixed("a"), "a is 'xa', and would arrive as 'xxa'"),
        (with_attribute(Line("a"), more=5), "more is 5, and is not sent"),
        (Secret(password=pydantic.SecretStr("s3")), "password is SecretStr('**********')"),
        (Excluded(p="z"), "p is 'z', and would arrive as 'd'"),
        (with_attribute(Private(), _p=5), "_p is 5, and would arrive as 1"),
        (Number.model_construct(n="3"), "n is '3', and would arrive as 3"),
        (with_attribute(Open(), more=5), "more is 5, and is not sent"),
        (with_attribute(Slotted(), tenant="acme"), "tenant is 'acme', and is not sent"),
        (Aliased(value=NAN), "v is nan: its body could not be read"),
        (Required.model_validate({"x": {"y": 1}}), "w is 1: its body could not be read"),
        (Choices.model_validate({"q": 1}), "z is 1: its body could not be read"),
        (Equal.model_construct(n="3"), "n is '3', and would arrive as 3"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_class_keeps_to_itself_is_refused(message: Any, error: str) -> None:
    with pytest.raises(MessageEncodingFailed, match=re.escape(error)):
        encode_body(message)


def nested(depth: int) -> All:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return All(anything=inner)


def test_what_is_nested_too_deeply_is_refused() -> None:
    assert decode_body(All, encode_body(nested(100))) == nested(100)
    with pytest.raises(MessageEncodingFailed, match="anything is a list: maximum recursion depth"):
        encode_body(nested(3000))
    assert what_is_lost(nested(3000), "", lambda body: nested(3000)) == "it is nested too deeply to be compared"
