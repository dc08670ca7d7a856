"""@handler: what a function or class says it handles, and what is refused, with file and line."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Optional, Union

import pytest

from messenger import HandlerDefinitionError, handler
from messenger.handling.registry import collect_handlers, make_handler


@dataclass(frozen=True)
class Sms:
    text: str = ""


@dataclass(frozen=True)
class Mail:
    text: str = ""


@handler
def bare(message: Sms) -> str:
    return message.text


@handler()
def called(message: Sms) -> None: ...


@handler(priority=7, bus="b", from_transport="async", alias="x")
def configured(message: Sms) -> None: ...


@handler
def union(message: Sms | Mail) -> None: ...


@handler
def old_union(message: Union[Sms, Mail]) -> None: ...  # noqa: UP007


@handler
async def asynchronous(message: Sms) -> None: ...


@handler
def with_more_parameters(message: Sms, extra: int = 1) -> None: ...


@handler(handles="*")
def everything(message: object) -> None: ...


@handler(handles=Mail)
def unannotated(message) -> None: ...  # type: ignore[no-untyped-def]


@handler
class Sender:
    def __call__(self, message: Mail) -> str:
        return message.text


@handler
class AsyncSender:
    async def __call__(self, message: Mail) -> None: ...


@pytest.mark.parametrize(
    ("thing", "types"),
    [
        (bare, (Sms,)),
        (called, (Sms,)),
        (union, (Sms, Mail)),
        (old_union, (Sms, Mail)),
        (with_more_parameters, (Sms,)),
        (everything, ("*",)),
        (unannotated, (Mail,)),
        (Sender, (Mail,)),
        (AsyncSender, (Mail,)),
    ],
)
def test_the_message_type_is_the_first_parameters_annotation(thing: Callable[..., Any], types: tuple[Any, ...]) -> None:
    assert make_handler(thing).options.handles == types


def test_options_are_kept() -> None:
    made = make_handler(configured)
    assert (made.options.priority, made.options.bus, made.options.from_transport) == (7, "b", "async")
    assert made.name == f"{__name__}.configured@x"


def test_the_name_is_the_dotted_name() -> None:
    assert make_handler(bare).name == f"{__name__}.bare"
    assert make_handler(Sender).name == f"{__name__}.Sender"


def test_a_decorated_function_can_still_be_called() -> None:
    assert bare(Sms("x")) == "x"
    assert make_handler(Sender).call(Mail("y")) == "y"


def test_a_class_is_created_when_it_is_registered() -> None:
    assert isinstance(make_handler(Sender).call, Sender)


Import = Callable[[str], ModuleType]


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Import]:
    """Imports a text as the module `bad_handlers`."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def import_text(text: str) -> ModuleType:
        (tmp_path / "bad_handlers.py").write_text(text)
        return importlib.import_module("bad_handlers")

    yield import_text
    sys.modules.pop("bad_handlers", None)


HEAD = "from messenger import handler\nfrom dataclasses import dataclass\n\n@dataclass\nclass Sms:\n    text: str\n\n"
AT = HEAD.count("\n") + 1  # the line of the decorator


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("@handler\ndef h(): ...\n", "it takes no message"),
        ("@handler\ndef h(message): ...\n", "'message' has no annotation: write message: YourMessage"),
        ("@handler\ndef h(message: str): ...\n", "<class 'str'> cannot be a message"),
        ("@handler\ndef h(message: dict[str, int]): ...\n", "cannot be a message"),
        ("@handler\ndef h(message: None): ...\n", "cannot be a message"),
        ("@handler\ndef h(message: Sms | None): ...\n", "NoneType'> cannot be a message"),
        ("@handler\ndef h(message: object): ...\n", "<class 'object'> cannot be a message"),
        ("@handler\ndef h(message: 'Nowhere'): ...\n", "name 'Nowhere' is not defined"),
        ("@handler\ndef h(message: 'Sms['): ...\n", "cannot be read"),
        ("@handler\nclass H:\n    pass\n", "the class has no __call__ method"),
        ("@handler\nclass H:\n    def __call__(self): ...\n", "it takes no message"),
        ("@handler\nclass H:\n    def __call__(self, message): ...\n", "'message' has no annotation"),
        ("@handler\nasync def h(message: int): ...\n", "cannot be a message"),
        ("@handler(priority=1)\ndef h(message: list): ...\n", "cannot be a message"),
        (
            "import typing\n@handler\ndef h(message: typing.Any): ...\n",
            "cannot be a message",
        ),
        (
            "import typing\nclass P(typing.Protocol):\n    text: str\n@handler\ndef h(message: P): ...\n",
            "@runtime_checkable",
        ),
    ],
)
def test_a_handler_that_cannot_be_is_an_error_with_file_and_line(
    tmp_path: Path, imported: Import, code: str, why: str
) -> None:
    with pytest.raises(HandlerDefinitionError) as caught:
        imported(HEAD + code)
    text = str(caught.value)
    line = AT + code[: code.index("@handler")].count("\n")
    name = "H" if "class H" in code else "h"
    assert text.startswith(f"{tmp_path / 'bad_handlers.py'}:{line}: handler {name!r}: ")
    assert why in text
    assert "\n" not in text


def test_a_class_that_needs_arguments_is_an_error_with_file_and_line(imported: Import) -> None:
    code = "@handler\nclass H:\n    def __init__(self, db): ...\n    def __call__(self, message: Sms): ...\n"
    module = imported(HEAD + code)
    with pytest.raises(HandlerDefinitionError, match="cannot be created without arguments") as caught:
        collect_handlers(module)
    assert f"bad_handlers.py:{AT}" in str(caught.value)


def test_what_is_no_handler_is_refused() -> None:
    def plain(message: Sms) -> None: ...

    with pytest.raises(HandlerDefinitionError, match="not marked with @handler"):
        make_handler(plain)


def test_collect_takes_the_modules_own_handlers_in_order(imported: Import) -> None:
    code = (
        "from tests.unit.handling.test_registry_handler import bare\n"
        "@handler\ndef second(message: Sms): ...\n"
        "@handler\ndef first(message: Sms): ...\n"
        "same_again = first\n"
        "def not_one(message: Sms): ...\n"
    )
    found = collect_handlers(imported(HEAD + code))
    assert [item.name for item in found] == ["bad_handlers.second", "bad_handlers.first"]


def test_a_subclass_of_a_handler_class_is_no_handler_by_itself(imported: Import) -> None:
    code = "@handler\nclass A:\n    def __call__(self, message: Sms): ...\nclass B(A): ...\n"
    assert [item.name for item in collect_handlers(imported(HEAD + code))] == ["bad_handlers.A"]


def test_optional_is_refused_like_none() -> None:
    def h(message: Optional[Sms]) -> None: ...  # noqa: UP045

    with pytest.raises(HandlerDefinitionError, match="NoneType"):
        handler(h)
