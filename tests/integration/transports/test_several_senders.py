"""Any number of threads and forked processes send through one transport: nothing is lost, doubled or mixed up."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from messenger.transports.base import ListableTransport, Transport
from tests.integration.transports.stores import Store, number_envelope, order_number

THREADS = 16
EACH = 25


def in_threads(count: int, work: Callable[[int], Any]) -> None:
    """Run `work(0…count-1)`, each in a thread, beginning at the same moment. Raises what the first of them raised."""
    errors: list[BaseException] = []
    together = threading.Barrier(count)

    def run(index: int) -> None:
        together.wait()
        try:
            work(index)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]


def send(transport: Transport, first: int, count: int) -> dict[str, int]:
    """Send orders with these numbers; each one's number by the id that it got."""
    sent = (transport.send(number_envelope(number)) for number in range(first, first + count))
    return {envelope.id or "": order_number(envelope) for envelope in sent}


def stored(transport: Transport) -> dict[str, int]:
    assert isinstance(transport, ListableTransport)
    return {envelope.id or "": order_number(envelope) for envelope in transport.all(100_000)}


def test_threads_share_a_transport(store: Store) -> None:
    transport = store.open()
    replies: dict[str, int] = {}
    in_threads(THREADS, lambda index: replies.update(send(transport, index * EACH, EACH)))
    assert len(replies) == THREADS * EACH
    assert stored(transport) == replies, "each thread got the replies to its own messages"


def test_a_forked_process_uses_no_connection_of_its_parent(store: Store) -> None:
    if store.shared:
        return  # memory is not shared by processes
    transport = store.open()
    transport.setup()
    replies = send(transport, 0, 1)
    children = []
    for index in range(1, 5):
        child = os.fork()
        if not child:
            try:
                found = send(transport, index * EACH, EACH)
                os._exit(0 if found.items() <= stored(transport).items() else 1)
            finally:
                os._exit(2)
        children.append(child)
        replies |= send(transport, 1000 + index * EACH, EACH)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    replies |= send(transport, 5000, 1)
    found = stored(transport)
    assert replies.items() <= found.items(), "the parent got the replies to its own messages"
    assert len(set(found.values())) == len(found) == 2 + 8 * EACH
