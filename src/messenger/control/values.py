"""What the keys of the control plane hold, and the one place where it is decoded.

Anybody who may write to Redis may have written it, so nothing in it is taken for granted: what has another form, is too
long, or has a number or a time out of its range is unreadable, and named instead of used.
"""

from __future__ import annotations

import re
from typing import Annotated, TypeVar

import msgspec

from messenger.printable import SHORT, printable, printable_line

T = TypeVar("T")
LONGEST = 65_536  # bytes of a value, and of a field or an id
AHEAD_MS = 60_000  # a time that is further ahead of the server's clock was not written by a worker or an operator
MOST = 10_000  # entries of one key that are read
_COUNTER = re.compile(rb"[0-9]{1,16}")

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Pid = Annotated[int, msgspec.Meta(ge=0, le=2**31)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class CurrentMessage(msgspec.Struct, frozen=True):
    """The message a worker is handling. seconds: for how long."""

    id: str
    type: str
    seconds: Seconds


class WorkerInfo(msgspec.Struct, frozen=True):
    """The entry of a worker in the registry.

    Attributes:
        failed_last_minute: Attempts that failed in its last 60 heartbeats.
        front: Pid of its launcher, which Supervisor watches; 0 without one.
        start_ticks: When the kernel started process `pid`; see messenger.control.processes.
    """

    id: str
    host: str
    pid: Pid
    pool: str
    process: str
    release: str
    transports: list[str]
    state: str
    waiting_for: str | None
    message: CurrentMessage | None
    handled: Count
    failed: Count
    memory_bytes: Count
    started_at: str
    uptime_seconds: Seconds
    failed_last_minute: Count = 0
    seen_seconds: Seconds = 0.0
    front: Pid = 0
    start_ticks: Count = 0


class Reply(msgspec.Struct, frozen=True):
    """How a message ended: handled, retrying, failed. milliseconds: how long its handlers took."""

    status: str
    worker: str
    milliseconds: Seconds
    error: str | None = None


class Pause(msgspec.Struct, frozen=True):
    """Why workers take no messages. by: a person, user@host. since: seconds since 1970, by the server's clock."""

    by: str
    reason: str
    since: Count

    def __str__(self) -> str:
        return f"paused by {self.by}" + (f": {self.reason}" if self.reason else "")


class Unreadable(Exception):
    """A value that this package has not written. Its text says why."""


def decode(kind: type[T], raw: object) -> T:
    """Decode a value that a script has read.

    Args:
        kind: The class of the value.
        raw: Its bytes, or a number when it was not read.

    Raises:
        Unreadable: The value is not one of that class.
    """
    if not isinstance(raw, bytes):
        raise Unreadable(_why_not_read(raw))
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unreadable(printable_line(error, SHORT)) from None


def decode_pause(raw: object, now: int) -> Pause:
    """Decode a pause.

    Args:
        raw: Its bytes, or a number when it was not read.
        now: The server's time in milliseconds.

    Raises:
        Unreadable: The value is not a pause.
    """
    pause = decode(Pause, raw)
    if pause.since * 1000 > now + AHEAD_MS:
        raise Unreadable("it begins in the future")
    return pause


def decode_counter(raw: object, now: int) -> int:
    """Decode the number of stop requests.

    Args:
        raw: Its bytes, or a number when it was not read.
        now: The server's time in milliseconds.

    Raises:
        Unreadable: The value is not a counter.
    """
    if not isinstance(raw, bytes):
        raise Unreadable(_why_not_read(raw))
    if not _COUNTER.fullmatch(raw) or int(raw) > now:  # what ask_to_stop.lua puts in the place of such a one is below
        raise Unreadable("it is no counter")
    return int(raw)


def decode_worker(worker_id: bytes, raw: object, seen: float, now: int) -> WorkerInfo:
    """Decode the entry of a worker.

    Args:
        worker_id: Its id in the registry.
        raw: Its bytes, or a number when it was not read.
        seen: When it was last seen, milliseconds of the server's clock.
        now: The server's time in milliseconds.

    Raises:
        Unreadable: It is not the entry of this worker.
    """
    info = decode(WorkerInfo, raw)
    if info.id.encode("utf-8", "surrogatepass") != worker_id:
        raise Unreadable("it is what another worker says of itself")
    return msgspec.structs.replace(info, seen_seconds=round(max(0.0, now - seen) / 1000, 1))


def decode_name(raw: object) -> str:
    """Decode the name of a field or a worker.

    Raises:
        Unreadable: It is not a name.
    """
    if not isinstance(raw, bytes):
        raise Unreadable(_why_not_read(raw))
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Unreadable("its name is no text in UTF-8") from None


def shown(name: object) -> str:
    """Show a name from Redis to people."""
    if isinstance(name, bytes):
        return printable(name.decode("utf-8", "backslashreplace"), 100)
    return f"a name of {name} bytes"


def _why_not_read(raw: object) -> str:
    return "it has another type" if raw == -1 else f"it has {raw} bytes, and {LONGEST} are allowed"
