"""Assembly of the worker of `messenger consume`: registry, replies, memory measurement, stop deadline, detaching."""

from __future__ import annotations

from messenger.worker.deadline import StopDeadline
from messenger.worker.departure import Departure
from messenger.worker.detach import Detaching, Launcher
from messenger.worker.limits import Memory
from messenger.worker.registration import Registration
from messenger.worker.reply import Replies
from messenger.worker.worker import Worker


def _has_leases(worker: Worker, name: str) -> bool:
    return not worker.application.transport_config(name).dsn.startswith(("in-memory:", "sync:"))


def assemble(worker: Worker, departure: Departure, stop_deadline: float | None, launcher: Launcher | None) -> None:
    """Connect the optional services to the events, the heartbeat and the start of a worker that does not run yet.

    Args:
        worker: The worker.
        departure: The tasks between the worker's last message and the end of its process.
        stop_deadline: Seconds after a stop request until messages in flight are handed back; None: never.
        launcher: The launcher process that Supervisor watches, when the worker may outlive it.
    """
    memory = Memory(worker.status)
    worker.at_start.append(memory.measure)
    worker.heartbeat.steps.append(memory.measure)
    registration = None
    control, for_heartbeat = worker.application.control(), worker.application.control()
    if control is not None and for_heartbeat is not None:
        Replies(control, worker.status.worker_id).listen(worker.events)
        registration = Registration(for_heartbeat, worker.status, worker.stop)
        worker.at_start.append(registration.connect)
        worker.heartbeat.steps.append(registration.report)
        departure.steps.append(registration.report)
        departure.leave = registration.leave
    if any(_has_leases(worker, name) for name in worker.status.transports):
        from messenger.worker.lease_keeper import LeaseKeeper

        departure.first = LeaseKeeper(worker).close
    if launcher is not None:
        worker.heartbeat.steps.append(Detaching(launcher, worker, registration).look)
    if stop_deadline is not None:
        deadline = StopDeadline(stop_deadline, worker.status, worker.stop, departure.leave)
        for steps in (worker.heartbeat.steps, departure.steps):
            steps.append(deadline.look)
        worker.heartbeat.deadline = departure.deadline = deadline.at
