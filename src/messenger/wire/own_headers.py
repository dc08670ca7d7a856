"""This package's own stamps as plain headers: PHP drops a message with a stamp header it does not know."""

from __future__ import annotations

from collections.abc import Callable

from messenger.envelope import AnyEnvelope
from messenger.stamps import Stamp
from messenger.wire import deduplicate, ids, reply, turn

Take = Callable[[dict[str, str]], tuple[Stamp | None, str]]
_ENCODE: tuple[Callable[[AnyEnvelope], dict[str, str]], ...] = (
    reply.encode,
    ids.encode,
    deduplicate.encode,
    turn.encode,
)
_TAKE: tuple[Take, ...] = (reply.take, ids.take, deduplicate.take, turn.take)


def encode_own_headers(envelope: AnyEnvelope) -> dict[str, str]:
    """The headers of the stamps it has."""
    return {name: value for encode in _ENCODE for name, value in encode(envelope).items()}


def take_own_headers(headers: dict[str, str]) -> tuple[list[Stamp], str]:
    """The stamps, taken out of `headers`, and what is wrong with one, "" when nothing is. A wrong one is not taken."""
    taken = [take(headers) for take in _TAKE]
    problem = next((problem for _, problem in taken if problem), "")
    return [stamp for stamp, _ in taken if stamp is not None], problem
