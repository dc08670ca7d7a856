"""Two clocks that should agree: this host's and a server's."""

from __future__ import annotations

import time
from collections.abc import Callable

from messenger.checks.finding import Finding, Place

# Times in logs and stamps are then off by less than a person notices.
_TOLERATED_SECONDS = 2.0


def check_clock(where: str, read: Callable[[], float], now: Callable[[], float] = time.time) -> Finding:
    """Compare a server's clock with this host's.

    Delays, leases and ages use the server's clock alone, so nothing breaks here. PHP workers use their host's: they are
    late or early by the difference.

    Args:
        where: The server, for the finding.
        read: Asks the server for its time, in seconds since 1970.
        now: Returns the time of this host, in seconds since 1970.
    """
    place = Place("clock", where)
    before = now()
    theirs = read()
    after = now()
    # The server read its clock at some moment in between: only what that cannot explain is a difference.
    ahead = theirs - after if theirs > after else min(0.0, theirs - before)
    if abs(ahead) <= _TOLERATED_SECONDS:
        return place.ok("its clock agrees with this host's")
    return place.warn(
        f"its clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this host's",
        "have both set their clocks by NTP (timedatectl set-ntp true)",
    )
