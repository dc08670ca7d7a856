"""Renewal of a worker's leases and entry in the registry from another process while its interpreter is blocked."""

from __future__ import annotations

import logging
import pickle
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from messenger.config.model import TransportConfig
from messenger.control.plane import Control
from messenger.envelope import AnyEnvelope
from messenger.errors import MessengerError
from messenger.messages import MessageRegistry
from messenger.printable import LineFormatter
from messenger.transports.base import Transport, TransportContext
from messenger.transports.factory import create_transport
from messenger.wire.serializer import Serializer

log = logging.getLogger(__name__)
Configs = Mapping[str, TransportConfig]
_REPORT_SECONDS = 3.0  # between two reports


class LeasesOfSilent:
    """Does the heartbeat's work for a blocked worker: renews the leases of its messages, and its registry entry."""

    def __init__(self, arguments: bytes, worker: int) -> None:
        """Create it; transports connect when they are first used.

        Args:
            arguments: A pickled pair: the arguments of `open_transports`, and those of Control, or None without one.
            worker: Pid of the worker.
        """
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(LineFormatter())
        log.handlers[:] = [handler]
        log.propagate = False
        transports, control = pickle.loads(arguments)  # noqa: S301 - the worker itself wrote it
        self._transports = open_transports(*transports)
        self._control = None if control is None else Control(*control)
        self._worker_id = transports[1]
        self._reported_at = float("-inf")
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

    def report(self) -> None:
        """Keep the worker's last entry in the registry, where it is due."""
        now = time.monotonic()
        if self._control is None or now - self._reported_at < _REPORT_SECONDS:
            return
        self._reported_at = now
        try:
            for info in self._control.workers():
                if info.id == self._worker_id:
                    self._control.report(info)
        except MessengerError as error:
            log.warning("not_kept_registered pid=%d: %s", self._worker, error)

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
