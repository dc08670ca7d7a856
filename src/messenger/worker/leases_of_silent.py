"""Renewal of a worker's leases from another process while the worker's interpreter is blocked."""

from __future__ import annotations

import logging
import pickle
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from messenger.config.model import TransportConfig
from messenger.envelope import AnyEnvelope
from messenger.errors import MessengerError
from messenger.messages import MessageRegistry
from messenger.printable import LineFormatter
from messenger.transports.base import Transport, TransportContext
from messenger.transports.factory import create_transport
from messenger.wire.serializer import Serializer

log = logging.getLogger(__name__)
Configs = Mapping[str, TransportConfig]


class LeasesOfSilent:
    """Renews the leases of the messages that a worker had in flight at its last heartbeat."""

    def __init__(self, transports: bytes, worker: int) -> None:
        """Create it; transports connect when they are first used.

        Args:
            transports: Pickled arguments for `open_transports`.
            worker: Pid of the worker, for the log.
        """
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(LineFormatter())
        log.handlers[:] = [handler]
        log.propagate = False
        self._transports = open_transports(*pickle.loads(transports))  # noqa: S301 - the worker itself wrote it
        self._worker = worker
        self._heartbeats = -1
        self._messages: list[tuple[str, AnyEnvelope]] = []
        self._renewed_at: dict[str, float] = {}

    def renew(self, heartbeats: int, messages: bytes) -> None:
        """Renew the leases that are due.

        Args:
            heartbeats: Number of the worker's last heartbeat.
            messages: The messages in flight at that heartbeat, as pickled pairs of a transport's name and an envelope.
        """
        if heartbeats != self._heartbeats:
            self._heartbeats = heartbeats
            self._messages = pickle.loads(messages)  # noqa: S301 - the worker itself wrote it
            self._renewed_at = {}
            self._say()
        now = time.monotonic()
        names = [name for name, transport in self._transports.items() if self._is_due(name, transport, now)]
        for name, envelope in self._messages:
            if name not in names:
                continue
            self._renewed_at[name] = now
            try:
                self._transports[name].keepalive(envelope)
            except MessengerError as error:
                log.warning("lease_not_kept transport=%s id=%s: %s", name, envelope.id, error)

    def _is_due(self, name: str, transport: Transport, now: float) -> bool:
        return now - self._renewed_at.get(name, float("-inf")) >= transport.keepalive_interval

    def _say(self) -> None:
        log.warning(
            "leases_kept pid=%d transports=%s: its interpreter stands still, held by C code perhaps; its leases are "
            "renewed from another process, for an hour at most",
            self._worker,
            ",".join(dict.fromkeys(name for name, _ in self._messages)),
        )


def open_transports(
    configs: Configs, worker_id: str, state_dir: Path, connections: Mapping[str, str]
) -> dict[str, Transport]:
    """Open a worker's transports by name, without its message classes.

    Args:
        configs: Configuration by transport name.
        worker_id: Id of the worker.
        state_dir: Directory for the files of an embedded store.
        connections: SQL URLs by connection name.
    """
    serializer = Serializer(MessageRegistry([]))
    context = TransportContext(serializer, lambda envelope: envelope, state_dir, worker_id, connections)
    return {name: create_transport(name, config, context) for name, config in configs.items()}
