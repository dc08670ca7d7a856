"""What the worker of `messenger consume` has besides: the registry, replies, its use of memory, the stop deadline,
and that it may be left behind.
"""

from __future__ import annotations

from messenger.worker.deadline import StopDeadline
from messenger.worker.departure import Departure
from messenger.worker.detach import Detaching, Front
from messenger.worker.limits import Memory
from messenger.worker.registration import Registration
from messenger.worker.reply import Replies
from messenger.worker.worker import Worker


def _has_leases(worker: Worker, name: str) -> bool:
    return not worker.application.transport_config(name).dsn.startswith(("in-memory:", "sync:"))


def add_parts(worker: Worker, departure: Departure, stop_deadline: float | None, front: Front | None) -> None:
    """Before it runs. Each part hangs on what every worker offers: its events, its beat and its start.

    departure: what goes on from the worker's last message to the end of its process.
    stop_deadline: seconds after a stop request until the messages in hand are handed back; None: never.
    front: the process that Supervisor knows, when the worker may go on without it.
    """
    memory = Memory(worker.status)
    worker.at_start.append(memory.measure)
    worker.beat.steps.append(memory.measure)
    registration = None
    control, for_beat = worker.application.control(), worker.application.control()
    if control is not None and for_beat is not None:
        Replies(control, worker.status.worker_id).listen(worker.events)
        registration = Registration(for_beat, worker.status, worker.stop)
        worker.at_start.append(registration.connect)
        worker.beat.steps.append(registration.report)
        departure.steps.append(registration.report)
        departure.leave = registration.leave
    if any(_has_leases(worker, name) for name in worker.status.transports):
        from messenger.worker.lease_keeper import LeaseKeeper

        departure.first = LeaseKeeper(worker).close
    if front is not None:
        worker.beat.steps.append(Detaching(front, worker, registration).look)
    if stop_deadline is not None:
        deadline = StopDeadline(stop_deadline, worker.status, worker.stop, departure.leave)
        for steps in (worker.beat.steps, departure.steps):
            steps.append(deadline.look)
        worker.beat.deadline = departure.deadline = deadline.at
