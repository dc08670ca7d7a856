"""Options of a worker, as given to `messenger consume`."""

from __future__ import annotations

from dataclasses import dataclass, field

from messenger.worker.limits import Limits
from messenger.worker.scheduling import OrderName


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Options of a worker.

    Attributes:
        limits: When the worker stops by itself.
        sleep: Seconds to wait for a message before the limits are checked again.
        order: Which transport is served first.
        fetch_size: Number of messages that are taken at once from one transport.
        bus_name: Bus that handles every message; None for the bus that its BusNameStamp names.
        reset_every: Number of messages after which the application's reset hooks run; 0 means never.
        keepalive: The longest time between two renewals of a lease, in seconds; None: as the transport asks for.
        exit_on_limit: Exit code when a limit ended the worker.
    """

    limits: Limits = field(default_factory=Limits)
    sleep: float = 1.0
    order: OrderName = "strict"
    fetch_size: int = 1
    bus_name: str | None = None
    reset_every: int = 1
    keepalive: float | None = None
    exit_on_limit: int = 0
