"""The wrapper phpredis puts around a value."""

from __future__ import annotations

import pytest

from messenger.errors import MessageDecodingFailed
from messenger.wire import php_string
from tests.unit.wire.recorded import VERSIONS, recorded


def test_the_length_counts_bytes() -> None:
    assert php_string.wrap("é😀".encode()) == 's:6:"é😀";'.encode()


@pytest.mark.parametrize("value", [b"", b'";', b's:1:"a";', b"\x00\xff", b'{"body":"x"}'])
def test_what_was_wrapped_comes_out_unchanged(value: bytes) -> None:
    assert php_string.unwrap(php_string.wrap(value)) == value


@VERSIONS
def test_it_is_what_phpredis_writes(version: str) -> None:
    wrapped = recorded(version, "plain")
    assert php_string.unwrap(wrapped) == wrapped[len('s:288:"') : -len('";')]
    assert php_string.wrap(php_string.unwrap(wrapped)) == wrapped


@pytest.mark.parametrize("value", [b"", b"{}", b"s", b"s:", b"s:x", b's:-1:"', b"i:5;", b"\x00\x00\x00\x02\x11"])
def test_a_value_without_wrapper_is_returned_as_it_is(value: bytes) -> None:
    assert php_string.unwrap(value) == value


@pytest.mark.parametrize(
    "value",
    [b's:5:"abc";', b's:2:"abc";', b's:3:"abc"', b's:3:"abc"; ', b's:3:"abc', b's:999999999999:"abc";', b's:0:"'],
)
def test_a_torn_wrapper_is_refused(value: bytes) -> None:
    with pytest.raises(MessageDecodingFailed, match="length does not fit"):
        php_string.unwrap(value)
