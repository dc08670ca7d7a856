"""The sync transport: what is sent is handled at once, in this process."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from messenger.config.dsn import parse_dsn, read_options
from messenger.envelope import AnyEnvelope
from messenger.errors import ConfigError, TransportError
from messenger.stamps import ReceivedStamp
from messenger.transports.base import Depth, Transport, TransportContext


def create(name: str, dsn: str, options: Mapping[str, Any], context: TransportContext) -> Transport:
    """Create a transport for ``sync://``.

    Raises:
        ConfigError: The DSN has options, of which there are none.
    """
    parsed = parse_dsn(name, dsn)
    if parsed.scheme != "sync" or parsed.host or parsed.path.strip("/"):
        raise ConfigError(f"transports.{name}.dsn: allowed: sync://")
    read_options(name, {}, options, parsed.query)
    return SyncTransport(name, context.dispatch)


class SyncTransport:
    """Passes every message back to the bus at once. It holds none, so a worker cannot consume it."""

    def __init__(self, name: str, dispatch: Callable[[AnyEnvelope], AnyEnvelope]) -> None:
        """Create a transport.

        Args:
            name: Name of the transport.
            dispatch: Handles an envelope in this process.
        """
        self.name = name
        self._dispatch = dispatch

    def setup(self) -> None:
        """Nothing to do."""

    def send(self, envelope: AnyEnvelope) -> AnyEnvelope:
        """Handle the message now; a DelayStamp is not waited for. Raises what the handlers raise (HandlerFailed)."""
        return self._dispatch(envelope.with_stamps(ReceivedStamp(self.name)))

    def get(self, wait: float, stop: Callable[[], bool], limit: int = 1) -> Sequence[AnyEnvelope]:
        """Always a TransportError."""
        self._refuse()

    def ack(self, envelope: AnyEnvelope) -> None:
        """Always a TransportError."""
        self._refuse()

    def reject(self, envelope: AnyEnvelope) -> None:
        """Always a TransportError."""
        self._refuse()

    def requeue(self, received: AnyEnvelope, updated: AnyEnvelope) -> None:
        """Always a TransportError."""
        self._refuse()

    def keepalive(self, envelope: AnyEnvelope) -> None:
        """Always a TransportError."""
        self._refuse()

    def hand_back(self, envelope: AnyEnvelope, *, begun: bool = False) -> None:
        """Always a TransportError."""
        self._refuse()

    @property
    def keepalive_interval(self) -> float:
        """Never needed."""
        return math.inf

    def depth(self) -> Depth:
        """Always empty."""
        return Depth(0, 0, 0)

    def close(self) -> None:
        """Nothing to do."""

    def _refuse(self) -> NoReturn:
        raise TransportError(
            f"transport {self.name!r} is sync://: its messages are handled where they are dispatched, "
            "so there is nothing to consume; name another transport"
        )
