"""The names `messenger` promises: there, and explained."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import messenger


def test_the_list_is_sorted_and_complete() -> None:
    assert messenger.__all__ == sorted(messenger.__all__)
    public = {n for n, v in vars(messenger).items() if not n.startswith("_") and not inspect.ismodule(v)}
    lazy = {"Application"}  # imported when asked for
    assert (public - {"TYPE_CHECKING", "Any", "annotations"}) | lazy == set(messenger.__all__)


def test_a_module_of_messages_needs_neither_redis_nor_yaml() -> None:
    code = "import sys, messenger; print([m for m in ('redis', 'yaml', 'sqlalchemy', 'click') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'Nonsense'"):
        messenger.Nonsense  # noqa: B018


@pytest.mark.parametrize("name", messenger.__all__)
def test_each_is_there_with_a_docstring(name: str) -> None:
    thing = getattr(messenger, name)
    assert thing.__doc__
    assert thing.__doc__.strip()


@pytest.mark.parametrize("name", [n for n in messenger.__all__ if inspect.isclass(getattr(messenger, n))])
def test_each_public_method_has_one_too(name: str) -> None:
    cls = getattr(messenger, name)
    bare = [n for n, f in vars(cls).items() if not n.startswith("_") and inspect.isroutine(f) and not f.__doc__]
    assert bare == []


def test_every_error_is_a_messenger_error() -> None:
    errors = [getattr(messenger, n) for n in messenger.__all__]
    errors = [e for e in errors if inspect.isclass(e) and issubclass(e, Exception)]
    assert len(errors) > 10
    assert all(issubclass(e, messenger.MessengerError) for e in errors)
