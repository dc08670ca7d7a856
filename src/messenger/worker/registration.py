"""The worker's entry in the registry of the control plane, and the directives that come from there: stop, pause."""

from __future__ import annotations

import logging
import os
import time
from collections import deque

import msgspec

from messenger.control.plane import DETACHED, Control, CurrentMessage, Directives, WorkerInfo
from messenger.control.processes import start_ticks
from messenger.errors import MessengerError
from messenger.redis.connection import RedisReplyError
from messenger.worker.status import WorkerStatus
from messenger.worker.stop import StopRequest

log = logging.getLogger(__name__)
STOP_WORKERS = "stop-workers"  # the reason of a stop


class Registration:
    """Reports the state of the worker to the registry, and follows requests to stop or to pause.

    Attributes:
        front: Pid of the launcher; 0 without one.
        detached: True when the worker finishes its message in the background.
    """

    def __init__(self, control: Control, status: WorkerStatus, stop: StopRequest) -> None:
        """Create it.

        Args:
            control: A connection that only the heartbeat uses after `connect`.
            status: The worker's state.
            stop: The worker's stop request.
        """
        self._control = control
        self._status = status
        self._stop = stop
        self.front = 0
        self.detached = False
        self._baseline: int | None = None
        self._is_connected = False
        self._failed = deque([0], maxlen=60)  # its count at each heartbeat of the last minute

    def connect(self) -> None:
        """Record the stop generation and register the worker, before its first message.

        A Redis that refuses to store the entry, because its memory is full, does not prevent the worker from consuming:
        that is what frees the memory. The heartbeat tries again.

        Raises:
            TransportUnavailable: Redis cannot be reached.
        """
        directives = self._directives()
        if self._baseline is None:
            self._baseline = directives.stop_generation
        self._status.pause = directives.pause
        try:
            self._report(0)
        except RedisReplyError as error:
            log.warning("not_registered: %s", error)
        self._is_connected = True

    def report(self) -> None:
        """Report the state of the worker and follow the directives; a task of the heartbeat.

        Raises:
            TransportError: Redis cannot be reached, or refused the report.
        """
        if not self._is_connected:  # the connection is still the main thread's
            return
        recent = self._status.failed - self._failed[0]
        self._failed.append(self._status.failed)
        try:
            self._report(recent)
        except RedisReplyError:
            self._obey(self._directives())  # stop and pause are heeded as well where nothing can be stored
            raise
        self._obey(self._directives())

    def _obey(self, directives: Directives) -> None:
        self._status.pause = directives.pause
        if self._baseline is None or directives.stop_generation < self._baseline:  # it falls when Redis was emptied
            self._baseline = directives.stop_generation
        elif directives.stop_generation > self._baseline:
            self._stop.request(STOP_WORKERS)

    def leave(self) -> None:
        """Remove the worker from the registry."""
        if not self._is_connected:
            return
        try:
            self._control.deregister(self._status.worker_id)
        except MessengerError as error:
            log.debug("not_signed_off: %s", error)  # its entry expires by itself
        self._control.close()

    def _report(self, failed_last_minute: int) -> None:
        info = worker_info(self._status, failed_last_minute)
        info = msgspec.structs.replace(info, front=self.front, state=DETACHED if self.detached else info.state)
        self._control.report(info)

    def _directives(self) -> Directives:
        directives = self._control.directives(self._status.host, self._status.pool, self._status.release)
        for problem in self._control.take_problems():
            log.warning("control_unreadable %s; `messenger repair` removes what is left of it", problem)
        return directives


def worker_info(status: WorkerStatus, failed_last_minute: int = 0) -> WorkerInfo:
    """Return the worker's entry for the registry."""
    message = status.current or next(iter(status.in_flight), None)
    seconds = round(time.monotonic() - message.since, 1) if message is not None else 0.0
    return WorkerInfo(
        id=status.worker_id,
        host=status.host,
        pid=os.getpid(),
        pool=status.pool,
        process=status.process,
        release=status.release,
        transports=list(status.transports),
        state="pausing" if status.state == "busy" and status.pause is not None else status.state,
        waiting_for=status.waiting_for,
        message=CurrentMessage(message.id, message.type, seconds) if message is not None else None,
        handled=status.handled,
        failed=status.failed,
        memory_bytes=status.memory_bytes,
        started_at=status.started_at,
        uptime_seconds=round(status.uptime, 1),
        failed_last_minute=failed_last_minute,
        start_ticks=start_ticks(os.getpid()),
    )
