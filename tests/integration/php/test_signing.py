"""Signed messages between the two sides: PHP signs with its own hash_hmac(), as Symfony does since 7.4."""

from __future__ import annotations

import json
import subprocess

import pytest

from messenger import Envelope
from messenger.messages import MessageRegistry
from messenger.wire.serializer import Serializer, decode_value
from messenger.wire.signing import Signing
from tests.integration.php.peers import Ours, Php
from tests.integration.php.sms_application import SmsNotification
from tests.integration.php.test_exchange import UNICODE
from tests.support.servers import RedisServer

KEY, OTHER_KEY = "the key of both sides", "a key of nobody here"
CONTENTS = pytest.mark.parametrize("content", ["Hi", UNICODE, "é😀" * 175_000], ids=["plain", "unicode", "1 MB"])


@pytest.fixture(autouse=True)
def signing(php: Php, ours: Ours) -> None:
    """Both sides sign, and with the same key."""
    php.sign_key = KEY
    ours.signing = {"key": KEY}


@CONTENTS
def test_what_php_signed_is_handled_here(php: Php, ours: Ours, content: str) -> None:
    php.dispatch(content)
    assert ours.consume().contents() == [content]
    assert ours.waiting("failed") == []


@CONTENTS
def test_what_we_signed_is_handled_by_php(php: Php, ours: Ours, content: str) -> None:
    ours.dispatch(content)
    assert php.consume().contents() == [content]


def test_the_headers_are_what_hash_hmac_makes(php: Php, ours: Ours, redis_server: RedisServer) -> None:
    """For both writers, from the bytes that lie in Redis."""
    php.dispatch(UNICODE)
    ours.dispatch(UNICODE)
    with redis_server.client() as client:
        values = [decode_value(fields[b"message"]) for _, fields in client.xrange("messages")]
    assert len(values) == 2
    for value in values:
        code = "[, $key, $body] = $argv; echo hash_hmac('sha256', base64_decode($body), $key);"
        made = subprocess.run(["php", "-r", code, "--", KEY, base64(value.body)], capture_output=True, timeout=60)
        assert made.stderr == b""
        assert (value.headers["Body-Sign"], value.headers["Sign-Algo"]) == (made.stdout.decode(), "sha256")


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_every_algorithm_has_the_same_name_in_php(algorithm: str) -> None:
    serializer = Serializer(MessageRegistry([SmsNotification]), Signing((SmsNotification,), (KEY.encode(),), algorithm))
    sent = serializer.encode(Envelope(SmsNotification(UNICODE)))
    code = "[, $algorithm, $key, $body] = $argv; echo hash_hmac($algorithm, base64_decode($body), $key);"
    command = ["php", "-r", code, "--", algorithm, KEY, base64(sent.body)]
    assert subprocess.run(command, capture_output=True, timeout=60).stdout.decode() == sent.headers["Body-Sign"]


def test_a_retry_on_the_other_side_keeps_the_signature(php: Php, ours: Ours) -> None:
    """Ours re-sends the body as it came; PHP writes and signs it anew. Both are accepted by the other."""
    php.dispatch("try me")
    ours.consume(fail=True)
    assert php.consume(fail=True).contents("received") == ["try me"]
    assert ours.consume().contents() == ["try me"]
    assert ours.waiting() == ours.waiting("failed") == []


@pytest.mark.parametrize("sign_key", [None, OTHER_KEY])
def test_what_php_did_not_sign_is_kept_and_not_handled(php: Php, ours: Ours, sign_key: str | None) -> None:
    php.sign_key = sign_key
    php.dispatch("forged")
    worker = ours.consume()
    assert worker.lines("received") == []
    [shown] = json.loads(ours.run("failed", "show", "--format", "json"))["messages"]
    assert ("has no header Body-Sign" if sign_key is None else "does not fit") in shown["error"]
    for key in (KEY, OTHER_KEY):
        assert key not in worker.errors() + shown["error"]
    ours.signing["previous_key"] = OTHER_KEY
    ours.run("failed", "retry", "--all")
    handled = ours.consume().contents()
    assert handled == ([] if sign_key is None else ["forged"])


def test_bind_type_refuses_what_php_signed(php: Php, ours: Ours) -> None:
    ours.signing["bind_type"] = True
    php.dispatch("Hi")
    ours.dispatch("ours")
    assert ours.consume(limit=2).contents() == ["ours"]
    [shown] = json.loads(ours.run("failed", "show", "--format", "json"))["messages"]
    assert "not bound to its type" in shown["error"]


def base64(text: str) -> str:
    """For a command's argument, which cannot hold every text."""
    from base64 import b64encode

    return b64encode(text.encode()).decode()
