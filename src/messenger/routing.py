"""Routing: the transports that a message is sent to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from messenger.envelope import AnyEnvelope
from messenger.messages import dotted_name, message_options, wire_name
from messenger.stamps import TransportNamesStamp


class Router:
    """Routes by class, parents, namespace wildcards and ``*``.

    Attributes:
        for_class: Returns the names of the transports of a message class; cached.
    """

    def __init__(self, routes: Mapping[str, Sequence[str]]) -> None:
        r"""Create a router.

        Args:
            routes: Names of transports by a dotted Python name, a wire name (a PHP class), a trailing wildcard such as
                ``shop.orders.*`` or ``App\Message\*``, or ``*``.
        """
        self._routes = routes
        self.for_class: Callable[[type], tuple[str, ...]] = cache(self._for_class)

    def transport_names(self, envelope: AnyEnvelope) -> tuple[str, ...]:
        """Return the names of an envelope's transports, each once. Its TransportNamesStamp takes precedence.

        Returns:
            The names; empty when the message is handled at once.
        """
        chosen = envelope.last(TransportNamesStamp)
        if chosen is not None:
            return chosen.transport_names
        return self.for_class(type(envelope.message))

    def _for_class(self, cls: type) -> tuple[str, ...]:
        """Return the names of the transports of a message class.

        Every key that names the class or a parent counts; without one, the narrowest wildcard does; without that, the
        transports of ``@message``.
        """
        exact = [key for parent in cls.__mro__[:-1] for key in (dotted_name(parent), wire_name(parent))]
        wildcards = [*_wildcards(dotted_name(cls), "."), *_wildcards(wire_name(cls), "\\"), "*"]
        names = [name for key in exact for name in self._routes.get(key, ())]
        names = names or next((list(self._routes[key]) for key in wildcards if self._routes.get(key)), [])
        names = names or [name for parent in cls.__mro__ for name in message_options(parent).transports]
        return tuple(dict.fromkeys(names))


def _wildcards(name: str, separator: str) -> Iterator[str]:
    parts = name.split(separator)
    for length in range(len(parts) - 1, 0, -1):
        yield separator.join(parts[:length]) + f"{separator}*"
