"""max_message_bytes: a message that is too large is refused when it is dispatched, and never later."""

from __future__ import annotations

import pytest

from messenger import DelayStamp, MessageEncodingFailed, MessageTooLarge, RedeliveryStamp
from messenger.envelope import Envelope
from messenger.errors import TransportError
from messenger.stamps import SerializedMessageStamp
from messenger.transports.base import Transport
from messenger.wire.encoded import UndecodableMessage
from tests.integration.transports.stores import Store, build, context_for, listed, number_envelope, order_number, take

LIMIT = 2000
pytestmark = pytest.mark.parametrize("store", ["sqlite", "postgresql", "redis"], indirect=True)


def opened(store: Store, limit: int = LIMIT) -> Transport:
    context = context_for(store.state_dir, "limited", store.connections)
    dsn = f"{store.dsn.format(lease=60)}&max_message_bytes={limit}"
    store.opened.append(build(store.factory, "orders", dsn, context))
    return store.opened[-1]


@pytest.mark.parametrize("stamps", [(), (DelayStamp(60_000),)])
def test_a_new_message_over_the_limit_is_refused_plainly(store: Store, stamps: tuple[DelayStamp, ...]) -> None:
    transport = opened(store)
    with pytest.raises(MessageTooLarge) as caught:
        transport.send(number_envelope(1, "x" * LIMIT).with_stamps(*stamps))
    text = str(caught.value)
    assert text.startswith("tests.integration.transports.stores.Order is 2,")
    assert "bytes as it would be stored, and max_message_bytes of the transport 'orders' allows 2,000: " in text
    assert "\n" not in text
    assert isinstance(caught.value, MessageEncodingFailed)
    assert not isinstance(caught.value, TransportError), "a worker would send it again and again"
    assert listed(transport) == []
    transport.send(number_envelope(2, "x" * (LIMIT // 2)))
    assert order_number(take(transport)) == 2


def test_the_limit_counts_bytes_and_itself_still_passes(store: Store) -> None:
    opened(store, 100_000).send(number_envelope(0, "ü" * 600))
    with pytest.raises(MessageTooLarge) as caught:
        opened(store, 1100).send(number_envelope(0, "ü" * 600))
    size = int(str(caught.value).split(" is ")[1].split(" bytes")[0].replace(",", ""))
    opened(store, size).send(number_envelope(0, "ü" * 600))
    with pytest.raises(MessageTooLarge):
        opened(store, size - 1).send(number_envelope(0, "ü" * 600))


def test_what_was_accepted_once_always_passes(store: Store) -> None:
    store.open().send(number_envelope(1, "x" * LIMIT))
    transport = opened(store)
    received = take(transport)
    assert received.last(SerializedMessageStamp) is not None
    transport.requeue(received, received.with_stamps(RedeliveryStamp(1)))  # a retry
    transport.send(number_envelope(2, "x" * LIMIT).with_stamps(RedeliveryStamp(0)))  # into a failure transport
    transport.send(received)  # `failed retry`
    transport.send(Envelope(UndecodableMessage("x" * LIMIT, {"type": "no.such.Message"})))
    assert transport.depth().ready == 4
