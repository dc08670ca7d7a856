"""Entries of the registry of workers."""

from __future__ import annotations

from typing import Any

from messenger.control.plane import WorkerInfo

ENTRY: dict[str, Any] = {
    "id": "w",
    "host": "here",
    "pid": 1,
    "pool": "",
    "process": "",
    "release": "r",
    "transports": [],
    "state": "idle",
    "waiting_for": None,
    "message": None,
    "handled": 0,
    "failed": 0,
    "memory_bytes": 0,
    "started_at": "",
    "uptime_seconds": 0.0,
}
"""An idle worker, as it is stored."""


def entry(**more: Any) -> WorkerInfo:
    """Return the entry of an idle worker, with other values where they are given."""
    return WorkerInfo(**(ENTRY | more))
