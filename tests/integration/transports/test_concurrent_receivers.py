"""No two receivers get the same message: two processes empty a store of 200 messages."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.integration.transports.processes import receiver_process
from tests.integration.transports.stores import Store, never, number_envelope, order_number

MESSAGES = 200
RECEIVERS = 2


def in_processes(store: Store, limit: int) -> list[list[int]]:
    """What each of two processes took. Both are there before the first message; each takes its half and no more."""
    sender = store.open()
    with ExitStack() as stack:
        receivers = [
            stack.enter_context(receiver_process(store, f"receiver-{index}", MESSAGES // RECEIVERS, limit=limit))
            for index in range(RECEIVERS)
        ]
        for number in range(MESSAGES):
            sender.send(number_envelope(number))
        outputs = [receiver.communicate(timeout=60)[0] for receiver in receivers]
        assert [receiver.returncode for receiver in receivers] == [0] * RECEIVERS
    return [json.loads(output) for output in outputs]


def in_threads(store: Store, limit: int) -> list[list[int]]:
    """The same for a store that lives in one process."""
    transport = store.open()

    def receive() -> list[int]:
        numbers: list[int] = []
        while len(numbers) < MESSAGES // RECEIVERS:
            left = MESSAGES // RECEIVERS - len(numbers)
            numbers.extend(order_number(envelope) for envelope in transport.get(30, never, min(limit, left)))
        return numbers

    with ThreadPoolExecutor(RECEIVERS) as pool:
        receivers = [pool.submit(receive) for _ in range(RECEIVERS)]
        for number in range(MESSAGES):
            transport.send(number_envelope(number))
        return [receiver.result(60) for receiver in receivers]


@pytest.mark.parametrize("limit", [1, 7])
def test_every_message_goes_to_exactly_one_receiver(store: Store, limit: int) -> None:
    taken = in_threads(store, limit) if store.shared else in_processes(store, limit)
    assert sorted(number for numbers in taken for number in numbers) == list(range(MESSAGES))
    assert [len(numbers) for numbers in taken] == [MESSAGES // RECEIVERS] * RECEIVERS
