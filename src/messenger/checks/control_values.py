"""Whether everything in the control plane's keys was written by a worker or an operator."""

from __future__ import annotations

from collections.abc import Iterator

from messenger.checks.finding import Finding, Place
from messenger.control.repair import ControlRepair
from messenger.redis.link import RedisLink


def check_control_values(link: RedisLink, prefix: str) -> Iterator[Finding]:
    """Read the registry, the stop counters and the pauses. prefix: what the keys begin with.

    It never fails: workers and commands pass over what is unreadable, and a deploy is not to be stopped by it.
    """
    place = Place("control-values", "control plane")
    problems = ControlRepair(link, prefix).look()
    for problem in problems:
        yield place.warn(
            f"{problem}: somebody else has written it; workers and commands pass over it",
            "messenger repair, which removes it; and a Redis user of its own for each program (redis_users)",
        )
    if not problems:
        yield place.ok("the registry, the stop counters and the pauses can be read")
