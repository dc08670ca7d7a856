"""Which transports a message goes to (spec section 5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from messenger.envelope import AnyEnvelope
from messenger.messages import dotted_name, message_options, wire_name
from messenger.stamps import TransportNamesStamp


class Router:
    """Routes by class, parents, namespace wildcards and ``*``.

    routes: transport names by a dotted Python name, a wire name (a PHP class), a trailing wildcard such as
    ``shop.orders.*`` or ``App\\Message\\*``, or ``*``.
    """

    def __init__(self, routes: Mapping[str, Sequence[str]]) -> None:
        self._routes = routes
        self._cache: dict[type, tuple[str, ...]] = {}

    def transport_names(self, envelope: AnyEnvelope) -> tuple[str, ...]:
        """The transports of this envelope, each once; empty: it is handled at once. A TransportNamesStamp wins."""
        chosen = envelope.last(TransportNamesStamp)
        if chosen is not None:
            return chosen.transport_names
        return self.for_class(type(envelope.message))

    def for_class(self, cls: type) -> tuple[str, ...]:
        """The transports of a message class."""
        found = self._cache.get(cls)
        if found is None:
            found = self._cache[cls] = self._look_up(cls)
        return found

    def _look_up(self, cls: type) -> tuple[str, ...]:
        names: dict[str, None] = {}
        for key, is_wildcard in _keys(cls):
            if is_wildcard and names:
                break
            names.update(dict.fromkeys(self._routes.get(key, ())))
        if not names:
            for parent in cls.__mro__:
                names.update(dict.fromkeys(message_options(parent).transports))
        return tuple(names)


def _keys(cls: type) -> Iterator[tuple[str, bool]]:
    """The routing keys that match a class, narrow ones first, and whether each is a wildcard."""
    lineage = [c for c in cls.__mro__ if c is not object]
    for parent in lineage:
        yield dotted_name(parent), False
        if wire_name(parent) != dotted_name(parent):
            yield wire_name(parent), False
    yield from ((key, True) for key in _wildcards(dotted_name(cls), "."))
    yield from ((key, True) for key in _wildcards(wire_name(cls), "\\"))
    yield "*", True


def _wildcards(name: str, separator: str) -> Iterator[str]:
    parts = name.split(separator)
    for length in range(len(parts) - 1, 0, -1):
        yield separator.join(parts[:length]) + f"{separator}*"
