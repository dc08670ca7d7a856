"""Renewal of leases, and of the entry in the registry, while C code holds the GIL and the heartbeat cannot run."""

from __future__ import annotations

import logging
import mmap
import os
import pickle
import subprocess
import sys
from contextlib import suppress

from messenger.envelope import AnyEnvelope, Envelope
from messenger.events import WorkerMessageReceived, WorkerRunning, WorkerStarted
from messenger.polling import readable
from messenger.stamps import LocalStamp, Stamp
from messenger.worker import lease_keeper_process as process
from messenger.worker.status import InFlightMessage
from messenger.worker.worker import Worker

log = logging.getLogger(__name__)
_MEMORY_BYTES = 1024**2
_READY_SECONDS = 10.0


class LeaseKeeper:
    """Small process beside a worker that does the heartbeat's work when the heartbeat stops.

    The worker records its messages in flight and a count of its heartbeats in memory that both processes share. While
    the count does not change and the worker's process exists, the keeper renews the leases and the worker's entry in
    the registry: `stop-workers --wait` must not take it for gone.
    """

    def __init__(self, worker: Worker) -> None:
        """Create it; the process starts with the worker."""
        context = worker.application.transport_context()
        configs = {name: worker.application.transport_config(name) for name in worker.status.transports}
        control = worker.application.control()
        self._arguments = (
            (configs, context.worker_id, context.state_dir, context.connections),
            None if control is None else (control.options, control.name),
        )
        self._status = worker.status
        transports = map(worker.application.transport, worker.status.transports)
        self._quarter = min(transport.keepalive_interval for transport in transports)
        self._process: subprocess.Popen[bytes] | None = None
        self._memory: mmap.mmap | None = None
        self._heartbeats = 0
        self._last: InFlightMessage | None = None
        worker.events.listen(WorkerStarted, lambda _: self._start())
        worker.events.listen(WorkerMessageReceived, self._on_received)
        worker.events.listen(WorkerRunning, self._on_running)
        worker.heartbeat.steps.append(self._on_heartbeat)

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
            self._process.kill()  # a child that a handler has forked may hold its stdin open
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def _start(self) -> None:
        descriptor = os.memfd_create("messenger-leases")
        try:
            os.ftruncate(descriptor, _MEMORY_BYTES)
            self._memory = mmap.mmap(descriptor, _MEMORY_BYTES)
            numbers = (str(descriptor), str(os.getpid()), str(self._quarter))
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", process.__file__, *numbers],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[descriptor],
                process_group=0,  # signals to the worker's group are none to it
            )
            assert self._process.stdin is not None
            pickle.dump((sys.path, pickle.dumps(self._arguments)), self._process.stdin)
            self._process.stdin.flush()
            if self._quarter < process.SHORT_SECONDS and self._process.stdout is not None:
                readable((self._process.stdout.fileno(),), _READY_SECONDS)
        except OSError as error:
            log.warning("no_lease_keeper: %s: a handler that holds the interpreter may lose its lease", error)
        finally:
            os.close(descriptor)

    def _on_received(self, _: WorkerMessageReceived) -> None:
        """Record the messages in flight, unless that was done for the first of several that were taken together."""
        in_flight = self._status.in_flight
        if self._memory is None or in_flight[-1] is self._last:
            return
        self._last = in_flight[-1]
        messages: list[tuple[str, AnyEnvelope]] = []
        for item in in_flight:
            messages.append((item.transport.name, Envelope(None, _own_stamps(item.envelope))))
        text = pickle.dumps(messages)
        process.LENGTH.pack_into(self._memory, process.HEARTBEATS.size, 0)
        if process.MESSAGES_AT + len(text) <= _MEMORY_BYTES:
            self._memory[process.MESSAGES_AT : process.MESSAGES_AT + len(text)] = text
            process.LENGTH.pack_into(self._memory, process.HEARTBEATS.size, len(text))

    def _on_running(self, _: WorkerRunning) -> None:
        """Clear the memory when nothing is in flight any more."""
        if self._memory is not None and self._last is not None and not self._status.in_flight:
            self._last = None
            process.LENGTH.pack_into(self._memory, process.HEARTBEATS.size, 0)

    def _on_heartbeat(self) -> None:
        if self._memory is not None:
            self._heartbeats += 1
            process.HEARTBEATS.pack_into(self._memory, 0, self._heartbeats)


def _own_stamps(envelope: AnyEnvelope) -> tuple[Stamp, ...]:
    """Return the stamps by which transports of this package know a message. An application's stamps are left out."""
    own: list[Stamp] = []
    for stamp in envelope.stamps:
        if isinstance(stamp, LocalStamp) and type(stamp).__module__.startswith("messenger."):
            own.append(stamp)
    return tuple(own)
