"""The sync transport hands messages straight back and cannot be consumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import ConfigError, TransportError
from messenger.messages import MessageRegistry
from messenger.stamps import HandledStamp, ReceivedStamp
from messenger.transports.base import Depth, Transport, TransportContext
from messenger.transports.sync import create
from messenger.wire.serializer import Serializer


def make(directory: Path, dispatch: Callable[[AnyEnvelope], AnyEnvelope], dsn: str = "sync://") -> Transport:
    return create("now", dsn, {}, TransportContext(Serializer(MessageRegistry()), dispatch, directory, "worker-1"))


def handle(envelope: AnyEnvelope) -> AnyEnvelope:
    return envelope.with_stamps(HandledStamp("handler"))


def never() -> bool:
    return False


def test_a_message_is_handled_at_once_as_received_from_here(tmp_path: Path) -> None:
    sent = make(tmp_path, handle).send(Envelope("message"))
    assert sent.message == "message"
    assert sent.stamps == (ReceivedStamp("now"), HandledStamp("handler"))


def test_an_error_of_the_handler_reaches_the_sender(tmp_path: Path) -> None:
    def fail(envelope: AnyEnvelope) -> AnyEnvelope:
        raise LookupError("from the handler")

    with pytest.raises(LookupError, match="from the handler"):
        make(tmp_path, fail).send(Envelope("message"))


def test_it_cannot_be_consumed(tmp_path: Path) -> None:
    transport = make(tmp_path, handle)
    envelope: AnyEnvelope = Envelope("message")
    calls: list[Callable[[], object]] = [
        lambda: transport.get(0, never),
        lambda: transport.ack(envelope),
        lambda: transport.reject(envelope),
        lambda: transport.requeue(envelope, envelope),
        lambda: transport.keepalive(envelope),
    ]
    for call in calls:
        with pytest.raises(TransportError, match=r"'now' is sync://.*nothing to consume"):
            call()


def test_it_is_empty_and_needs_no_setup(tmp_path: Path) -> None:
    transport = make(tmp_path, handle)
    transport.setup()
    transport.close()
    assert transport.depth() == Depth(0, 0, 0)


@pytest.mark.parametrize("dsn", ["sync://host", "sync:///path", "sync://?retries=1"])
def test_it_takes_no_options(dsn: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"transports\.now"):
        make(tmp_path, handle, dsn)
