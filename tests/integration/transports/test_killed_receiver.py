"""A receiver that is killed with a message in its hands loses nothing: the next one gets it, and is told."""

from __future__ import annotations

import signal

import pytest

from messenger.transports.base import Depth
from tests.integration.transports.processes import receiver_process
from tests.integration.transports.stores import Store, deliveries, number_envelope, order_number, take
from tests.support.servers import wait_until


@pytest.mark.parametrize("store", ["sqlite", "postgresql", "redis", "redis-cluster"], indirect=True)
def test_the_message_of_a_killed_receiver_comes_again(store: Store) -> None:
    survivor = store.open(lease=1)
    survivor.setup()
    with receiver_process(store, "victim", count=2, lease=1) as victim:
        survivor.send(number_envelope(1))
        wait_until(lambda: survivor.depth().in_flight == 1, 20, "the receiver did not take the message")
        victim.send_signal(signal.SIGKILL)
        assert victim.wait(20) == -signal.SIGKILL
    received = take(survivor)
    assert order_number(received) == 1
    assert deliveries(received) == 2
    survivor.ack(received)
    assert survivor.depth() == Depth(0, 0, 0)
