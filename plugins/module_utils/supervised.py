"""The processes of a running supervisord, for modules that wait."""

from __future__ import annotations

import http.client
import xmlrpc.client
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ansible_collections.messenger.kit.plugins.module_utils.supervisor import connect, processes_of


class Process(NamedTuple):
    """State of a process as supervisord reports it."""

    state: str
    pid: int
    description: str


class NoAnswer(Exception):
    """supervisord does not answer; the text is for the operator."""


def processes(config: str, programs: Sequence[str]) -> dict[str, Process]:
    """Return the processes of some programs by name.

    Raises:
        NoAnswer: supervisord cannot be reached.
    """
    if not programs:
        return {}
    try:
        with connect(config) as proxy:
            found = processes_of(proxy.supervisor, programs).values()
    except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NoAnswer(f"Supervisor cannot say how its processes are: {reason}") from error
    return {info["name"]: Process(info["statename"], info["pid"], info["description"]) for info in found}


def all_pids(config: str) -> Callable[[], set[int]] | None:
    """Return the pids of all processes that run now, as `ask` takes them; None when supervisord cannot be reached."""
    try:
        with connect(config) as proxy:
            found = {info["pid"] for info in proxy.supervisor.getAllProcessInfo()} - {0}
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return None
    return lambda: found
