"""How a worker runs: what `messenger consume` was told."""

from __future__ import annotations

from dataclasses import dataclass, field

from messenger.worker.limits import Limits
from messenger.worker.scheduling import OrderName


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker runs.

    sleep: seconds to wait for a message before looking at the limits again.
    order: which transport is served first. fetch_size: how many messages are taken at once from one transport.
    bus_name: handle everything on this bus. reset_every: call the application's reset hooks after so many messages;
    0: never.
    keepalive: seconds between two renewals of a lease at most; None: as often as the transport asks for.
    exit_on_limit: the exit code when one of the limits ended the worker.
    """

    limits: Limits = field(default_factory=Limits)
    sleep: float = 1.0
    order: OrderName = "strict"
    fetch_size: int = 1
    bus_name: str | None = None
    reset_every: int = 1
    keepalive: float | None = None
    exit_on_limit: int = 0
