"""What goes on beside the handler: leases are renewed, the registry is told, the stop signal is seen (R4, R50)."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial

from messenger.control import HEARTBEAT_SECONDS, Control
from messenger.errors import MessengerError
from messenger.worker.status import Held, WorkerStatus
from messenger.worker.stop import Flag, StopRequest, readable

log = logging.getLogger(__name__)
EXIT_DEADLINE = 75


class Beat:
    """A thread that lives as long as the worker.

    control: this thread's own connection to the control plane; None when there is none.
    interval: seconds between two beats; at most a quarter of the shortest lease.
    keepalive: seconds between two renewals of a lease at most; None: as the transport says.
    stop_deadline: seconds after a stop request until the messages in hand are handed back and the process ends (R53).
    """

    def __init__(
        self,
        status: WorkerStatus,
        stop: StopRequest,
        control: Control | None,
        interval: float,
        keepalive: float | None = None,
        stop_deadline: float | None = None,
    ) -> None:
        self._status = status
        self._stop = stop
        self._control = control
        self._keepalive = keepalive if keepalive is not None else float("inf")
        self._stop_deadline = stop_deadline if stop_deadline is not None else float("inf")
        self._interval = min(HEARTBEAT_SECONDS, interval, self._keepalive)
        self._baseline: int | None = None
        self._renewed: dict[Held, float] = {}
        self._ended = Flag()
        self._is_quiet = False
        self._thread = threading.Thread(target=self._run, name="messenger-beat", daemon=True)

    def connect(self) -> None:
        """Note the stop counter and register, before the first message. Raises TransportUnavailable."""
        self._status.measure()
        if self._control is None:
            return
        if self._baseline is None:
            self._baseline = self._control.generation(self._status.host, self._status.release)
        self._control.report(self._status.snapshot())

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """End the thread and take the worker out of the registry."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        if self._control is not None:
            try:
                self._control.sign_off(self._status.worker_id)
            except MessengerError as error:
                log.debug("not_signed_off: %s", error)  # its registry entry expires by itself
            self._control.close()

    def _run(self) -> None:
        while not self._has_ended_after(self._interval):
            self._guard(self._renew_leases)
            self._guard(self._report)
            if time.monotonic() >= self._deadline():
                self._give_up()

    def _has_ended_after(self, seconds: float) -> bool:
        """Wait that long, or until a stop is requested or its deadline has come. Whether the worker has ended."""
        if not self._stop.requested:
            readable((self._ended.fd, self._stop.fd), seconds)
        else:
            readable((self._ended.fd,), min(seconds, self._deadline() - time.monotonic()))
        return readable((self._ended.fd,), 0.0)

    def _deadline(self) -> float:
        return self._stop.requested_at + self._stop_deadline

    def _give_up(self) -> None:
        """A handler does not end: its messages are free for others at once, and this process ends here and now."""
        held = self._status.held
        names = ", ".join(f"{item.type} {item.id}" for item in held) or "nothing"
        log.critical("stop_deadline of %g s is over: handing back %s", self._stop_deadline, names)
        for item in held:
            self._guard(partial(item.transport.hand_back, item.envelope))
        if self._control is not None:
            self._guard(partial(self._control.sign_off, self._status.worker_id))
        logging.shutdown()
        os._exit(EXIT_DEADLINE)

    def _guard(self, step: Callable[[], None]) -> None:
        try:
            step()
        except MessengerError as error:
            if not self._is_quiet:
                log.warning("beat_failed: %s", error)
            self._is_quiet = True
        except Exception:
            log.exception("beat_failed")
        else:
            self._is_quiet = False

    def _renew_leases(self) -> None:
        held = self._status.held
        now = time.monotonic()
        self._renewed = {item: self._renewed.get(item, item.since) for item in held}
        for item in held:
            if now - self._renewed[item] >= min(item.transport.keepalive_interval, self._keepalive):
                item.transport.keepalive(item.envelope)
                self._renewed[item] = now

    def _report(self) -> None:
        self._status.measure()
        if self._control is None:
            return
        self._control.report(self._status.snapshot())
        generation = self._control.generation(self._status.host, self._status.release)
        if self._baseline is None or generation < self._baseline:  # it falls when Redis was emptied
            self._baseline = generation
        elif generation > self._baseline:
            self._stop.request("stop-workers")
