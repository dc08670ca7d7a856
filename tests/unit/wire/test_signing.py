"""Signed bodies: what is refused, what is let through, and that nothing is read before it is verified."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

import pytest

from messenger import Envelope, MessageEncodingFailed, message
from messenger.messages import MessageRegistry
from messenger.stamps import BusNameStamp, ForeignHeadersStamp, RedeliveryStamp, SerializedMessageStamp
from messenger.wire import serializer as serializer_module
from messenger.wire.body import decode_body
from messenger.wire.encoded import Encoded, UndecodableMessage
from messenger.wire.serializer import Serializer, decode_value, encode_value
from messenger.wire.signing import Signing

KEY, OLD_KEY, OTHER_KEY = b"the key of these tests", b"the key before that one", b"a key nobody here knows"
EVENTS: list[str] = []


@message(name="App\\Message\\Pay", aliases=["App\\Message\\OldPay"])
@dataclass(frozen=True)
class Pay:
    """Signed by its handler."""

    to: str

    def __post_init__(self) -> None:
        EVENTS.append(self.to)


@dataclass(frozen=True)
class PayTwice(Pay):
    """A subclass, which Pay's handler takes too."""


@message(sign=True)
@dataclass(frozen=True)
class Marked:
    """Signed by @message."""

    to: str


@dataclass(frozen=True)
class MarkedChild(Marked):
    """A subclass of it."""


@dataclass(frozen=True)
class Quote:
    """Not signed."""

    to: str


REGISTRY = MessageRegistry([Pay, PayTwice, Marked, MarkedChild, Quote])
SIGNED = pytest.mark.parametrize("cls", [Pay, PayTwice, Marked, MarkedChild])


def serializer(*keys: bytes, **options: Any) -> Serializer:
    """As an application with these keys has it; Pay's handler has sign=True."""
    return Serializer(REGISTRY, Signing((Pay,), keys, **options))


def symfony(sent: Encoded, **changed: str) -> Encoded:
    """The message as Symfony signs it: the body alone; with other headers changed."""
    kept = {name: value for name, value in sent.headers.items() if not name.startswith("X-Messenger-")}
    return Encoded(sent.body, kept | changed)


def refused(encoded: Encoded, reader: Serializer) -> str:
    """Why this message is not read; everything of it is kept, and written again as it came."""
    EVENTS.clear()
    envelope = reader.decode(encoded)
    assert isinstance(envelope.message, UndecodableMessage)
    assert reader.encode(envelope) == encoded
    assert EVENTS == []
    for key in (KEY, OLD_KEY, OTHER_KEY):
        assert key.decode() not in envelope.message.reason
    return envelope.message.reason


@SIGNED
@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_the_headers_are_symfony_s(cls: type, algorithm: str) -> None:
    sent = serializer(KEY, algorithm=algorithm).encode(Envelope(cls("é😀")))
    assert sent.headers["Body-Sign"] == hmac.new(KEY, sent.body.encode(), algorithm).hexdigest()
    assert sent.headers["Sign-Algo"] == algorithm
    assert serializer(KEY, algorithm=algorithm).decode(sent).message == cls("é😀")


@SIGNED
def test_what_symfony_signed_is_read(cls: type) -> None:
    sent = symfony(serializer(KEY).encode(Envelope(cls("a"))))
    assert serializer(KEY).decode(sent).message == cls("a")
    del sent.headers["Sign-Algo"]
    assert serializer(KEY).decode(sent).message == cls("a")


def test_other_messages_are_not_signed() -> None:
    sent = serializer(KEY).encode(Envelope(Quote("a")))
    assert sent.headers.keys() == {"type", "Content-Type"}
    assert serializer(KEY).decode(sent).message == Quote("a")


def test_an_unsigned_type_with_a_signature_is_read_and_keeps_it_for_who_wants_it() -> None:
    sent = serializer(KEY).encode(Envelope(Quote("a")))
    for signature in (hmac.new(KEY, sent.body.encode(), "sha256").hexdigest(), "no signature"):
        signed = Encoded(sent.body, sent.headers | {"Body-Sign": signature, "Sign-Algo": "sha256"})
        received = serializer(KEY).decode(signed)
        assert received.message == Quote("a")
        assert serializer(KEY).encode(received) == signed


@SIGNED
def test_a_message_without_signature_is_refused(cls: type) -> None:
    sent = serializer(KEY).encode(Envelope(cls("a")))
    bare = Encoded(sent.body, {"type": sent.headers["type"]})
    assert "must be signed, and this message has no header Body-Sign" in refused(bare, serializer(KEY))
    assert "has no header Body-Sign" in refused(Encoded(sent.body, bare.headers | {"Body-Sign": ""}), serializer(KEY))


@pytest.mark.parametrize("signature", ["0" * 64, "é", "\ud800", "x" * 100_000])
def test_a_wrong_signature_is_refused(signature: str) -> None:
    sent = symfony(serializer(KEY).encode(Envelope(Pay("a"))), **{"Body-Sign": signature})
    assert "the signature of App\\Message\\Pay does not fit" in refused(sent, serializer(KEY))


def test_a_changed_body_is_refused_whatever_the_change() -> None:
    sent = symfony(serializer(KEY).encode(Envelope(Pay("a"))))
    for body in (sent.body + " ", sent.body.replace("a", "b"), sent.body[:-1], "", "\ud800"):
        assert "does not fit" in refused(Encoded(body, sent.headers), serializer(KEY))


def test_another_algorithm_is_named() -> None:
    sent = serializer(KEY, algorithm="sha512").encode(Envelope(Pay("a")))
    assert "is signed with 'sha512'; allowed: sha256" in refused(sent, serializer(KEY))


def test_a_key_is_changed_in_three_steps_and_no_message_is_refused() -> None:
    before, both, after = serializer(OLD_KEY), serializer(KEY, OLD_KEY), serializer(KEY)
    from_before, from_both = before.encode(Envelope(Pay("a"))), both.encode(Envelope(Pay("a")))
    assert both.decode(from_before).message == both.decode(from_both).message == Pay("a")
    assert after.decode(from_both).message == Pay("a")
    assert "neither signing.key nor signing.previous_key" in refused(from_before, after)
    assert "does not fit" in refused(serializer(OTHER_KEY).encode(Envelope(Pay("a"))), both)


def test_what_is_sent_again_has_the_first_key_s_signature_of_the_body_as_it_came() -> None:
    came = symfony(serializer(OLD_KEY).encode(Envelope(Pay("a"))))
    came = Encoded('{ "to": "a", "more": 1 }', came.headers)
    came.headers["Body-Sign"] = hmac.new(OLD_KEY, came.body.encode(), "sha256").hexdigest()
    received = serializer(KEY, OLD_KEY).decode(came)
    again = serializer(KEY, OLD_KEY).encode(received.with_stamps(RedeliveryStamp(1)))
    assert again.body == came.body
    assert again.headers["Body-Sign"] == hmac.new(KEY, came.body.encode(), "sha256").hexdigest()
    assert serializer(KEY).decode(again).message == Pay("a")
    assert received.last(ForeignHeadersStamp) is None
    assert received.last(SerializedMessageStamp) == SerializedMessageStamp(came.body)


def test_nothing_is_parsed_before_it_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the parser nor the message's own __post_init__ ever sees a forged body."""
    sent = serializer(KEY).encode(Envelope(Pay("forged")))
    reader = serializer(OTHER_KEY)

    def parse(cls: type, text: str) -> object:
        pytest.fail(f"{text!r} was parsed")

    monkeypatch.setattr(serializer_module, "decode_body", parse)
    for text in (sent.body, "[" * 100_000, "not JSON"):
        assert "does not fit" in refused(Encoded(text, sent.headers), reader)
        unsigned = {"type": sent.headers["type"], "Content-Type": "application/xml"}
        assert "must be signed" in refused(Encoded(text, unsigned), reader)


def test_a_verified_body_that_does_not_fit_is_kept_with_its_signature() -> None:
    sent = symfony(serializer(KEY).encode(Envelope(Pay("a"))))
    signature = hmac.new(KEY, b"{}", "sha256").hexdigest()
    broken = Encoded("{}", sent.headers | {"Body-Sign": signature})
    assert "does not fit" in refused(broken, serializer(KEY))
    assert "signature" not in refused(broken, serializer(KEY))


def test_the_body_of_another_type_is_refused() -> None:
    """Symfony signs the body alone, so who may write into Redis could move it; our header says whose it is."""
    sent = serializer(KEY).encode(Envelope(Marked("a")))
    moved = Encoded(sent.body, sent.headers | {"type": "App\\Message\\Pay"})
    assert "of a message of another type" in refused(moved, serializer(KEY))


def test_without_our_header_the_body_of_another_type_is_refused_only_if_bind_type_is_set() -> None:
    moved = symfony(serializer(KEY).encode(Envelope(Marked("a"))), type="App\\Message\\Pay")
    assert serializer(KEY).decode(moved).message == Pay("a"), "as in Symfony; docs/signing.md says so"
    assert "not bound to its type" in refused(moved, serializer(KEY, bind_type=True))
    ours = serializer(KEY).encode(Envelope(Pay("a")))
    assert serializer(KEY, bind_type=True).decode(ours).message == Pay("a")


def test_a_type_signed_with_one_key_and_a_body_with_the_other_do_not_go_together() -> None:
    first, second = (serializer(key).encode(Envelope(Pay("a"))) for key in (KEY, OLD_KEY))
    mixed = first.headers | {"X-Messenger-Type-Sign": second.headers["X-Messenger-Type-Sign"]}
    assert "another type" in refused(Encoded(first.body, mixed), serializer(KEY, OLD_KEY))


def test_an_alias_is_signed_as_its_class_is() -> None:
    sent = symfony(serializer(KEY).encode(Envelope(Pay("a"))), type="App\\Message\\OldPay")
    assert serializer(KEY).decode(sent).message == Pay("a")
    del sent.headers["Body-Sign"]
    assert "App\\Message\\OldPay must be signed" in refused(sent, serializer(KEY))


def test_the_base64_way_in_is_no_way_around() -> None:
    """What was raw bytes for an older release is verified when this one can read it."""
    bare = Encoded('{"to":"a"}', {"type": "App\\Message\\Pay"})
    raw = Encoded(_base64(encode_value(bare)), {"X-Messenger-Raw": "base64"})
    assert "must be signed" in refused(decode_value(encode_value(bare)), serializer(KEY))
    message = serializer(KEY).decode(raw).message
    assert isinstance(message, UndecodableMessage)
    assert "must be signed" in message.reason


def _base64(value: bytes) -> str:
    import base64

    return base64.b64encode(value).decode()


def test_without_a_key_nothing_signed_is_sent_or_read() -> None:
    with pytest.raises(MessageEncodingFailed, match=r"Marked is sent signed only, and messenger.yaml has no signing"):
        Serializer(REGISTRY).encode(Envelope(Marked("a")))
    sent = serializer(KEY).encode(Envelope(Marked("a")))
    assert "does not fit" in refused(sent, Serializer(REGISTRY))


def test_the_signature_says_nothing_of_stamps() -> None:
    """What docs/signing.md tells people: headers are not covered."""
    sent = serializer(KEY).encode(Envelope(Pay("a")))
    stamp = "X-Message-Stamp-Symfony\\Component\\Messenger\\Stamp\\BusNameStamp"
    received = serializer(KEY).decode(Encoded(sent.body, sent.headers | {stamp: '[{"busName":"other"}]'}))
    assert received.message == Pay("a")
    assert received.last(BusNameStamp) == BusNameStamp("other")


def test_an_operator_s_json_needs_no_signature() -> None:
    assert decode_body(Pay, '{"to":"a"}') == Pay("a")


def test_the_algorithms_are_all_known_to_hashlib() -> None:
    assert {"sha256", "sha384", "sha512"} <= hashlib.algorithms_guaranteed
