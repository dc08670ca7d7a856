"""What can be seen without asking a server: notes, failure transports, leases."""

from __future__ import annotations

import math
from collections.abc import Iterator

from messenger.application import Application
from messenger.checks.finding import Finding, Place
from messenger.transports.base import ListableTransport
from messenger.transports.memory import MemoryTransport

# The worker's heartbeat comes every second; below this a short hold-up costs it the lease.
_SHORTEST_LEASE = 5.0


def check_application(application: Application) -> Iterator[Finding]:
    """All of these checks."""
    for note in application.notes:
        yield Place("configuration", str(application.loaded.path)).warn(note, "write what you want into the file")
    for name in application.transport_names:
        yield from _check_keeping(application, name)
        yield from _check_lease(application, name)
    yield from _check_failure_transports(application)


def _check_keeping(application: Application, name: str) -> Iterator[Finding]:
    if isinstance(application.transport(name), MemoryTransport):
        yield Place("memory", f"transport {name}").warn(
            "in-memory:// keeps messages in one process: they are gone when it ends",
            "redis://… or doctrine://…, unless this is a test",
        )


def _check_lease(application: Application, name: str) -> Iterator[Finding]:
    """A lease is renewed every quarter of it, so handlers may run longer; but it must outlive a hold-up."""
    place = Place("lease", f"transport {name}")
    lease = application.transport(name).keepalive_interval * 4
    if not math.isfinite(lease):
        return
    if lease < _SHORTEST_LEASE:
        yield place.warn(
            f"redeliver_timeout is {lease:g} s: a worker that is held up for so long loses its message to another, "
            "and it is handled twice",
            f"redeliver_timeout of at least {_SHORTEST_LEASE:g}, better 60",
        )
        return
    yield place.ok(
        f"leases are renewed every {lease / 4:g} s; what a killed worker held goes to another after {lease:g} s"
    )


def _check_failure_transports(application: Application) -> Iterator[Finding]:
    for name, target in application.failure_transports.items():
        if name in application.failure_transport_names:
            continue
        place = Place("failure-transport", f"transport {name}")
        if target is None:
            yield place.warn("failure_transport is null: what has used up its retries is deleted", "name a transport")
        elif isinstance(application.transport(target), MemoryTransport):
            yield place.fail(f"failed messages go to {target!r}, which forgets them", "doctrine://… or redis://…")
        elif not isinstance(application.transport(target), ListableTransport):
            yield place.fail(
                f"failed messages go to {target!r}, which cannot be listed, so `messenger failed` cannot show them",
                "a doctrine:// or redis:// transport",
            )
        else:
            yield place.ok(f"failed messages go to {target!r}")
