"""The control plane: asking workers to leave or to pause, and the registry in which they answer.

Everything lies in one Redis under fixed keys, derived from the `name` in messenger.yaml and never from a path (R50):

    <name>:stop               hash: scope -> how often its workers were asked to stop (a counter, no clock: R51)
    <name>:paused             hash: scope -> who paused its workers, why and since when
    <name>:workers            sorted set: worker id -> when it was last seen, ms of the server's clock
    <name>:worker:<id>        JSON: what the worker says of itself, with a time to live (R64)
    <name>:reply:<token>      list: how one message ended, for `messenger dispatch --wait`
    <name>:rate:<limiter>…    a rate limit's state (messenger.rate_limit), for each key of its own with the key behind
    <name>:deduplicate:<key>  the id of the message that holds this key (messenger.deduplication)

In a Redis Cluster <name> stands in braces: a hash tag, for all of them to lie in one slot (R20).
Scopes: `all`, `host:<host>`, `pool:<pool>`, `host:<host>:pool:<pool>`, `host:<host>:release:<release>`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from messenger.readable import readable
from messenger.transports.redis.link import GRACE_SECONDS, RedisLink, link_to
from messenger.transports.redis.options import RedisOptions

_TTL_MS = 15_000
_REPLY_SECONDS = 60
DETACHED = "detached"  # the state of a worker that finishes its message in the background, and is nobody's any more


class CurrentMessage(msgspec.Struct, frozen=True):
    """The message a worker is handling. seconds: for how long."""

    id: str
    type: str
    seconds: float


class WorkerInfo(msgspec.Struct, frozen=True):
    """What a worker says of itself.

    failed_last_minute: attempts that failed in its last 60 heartbeats. front: the pid that Supervisor knows instead, if
    the worker may be left behind.
    """

    id: str
    host: str
    pid: int
    pool: str
    process: str
    release: str
    transports: list[str]
    state: str
    waiting_for: str | None
    message: CurrentMessage | None
    handled: int
    failed: int
    memory_bytes: int
    started_at: str
    uptime_seconds: float
    failed_last_minute: int = 0
    seen_seconds: float = 0.0
    front: int = 0


class Reply(msgspec.Struct, frozen=True):
    """How a message ended: handled, retrying, failed. milliseconds: how long its handlers took."""

    status: str
    worker: str
    milliseconds: float
    error: str | None = None


class Pause(msgspec.Struct, frozen=True):
    """Why workers take no messages. by: a person, user@host. since: seconds since 1970, by the server's clock."""

    by: str
    reason: str
    since: int

    def __str__(self) -> str:
        return f"paused by {self.by}" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which workers are meant: all, or those of a host, a pool, a release, or of several of these."""

    host: str | None = None
    release: str | None = None
    pool: str | None = None

    @property
    def field(self) -> str:
        """Its field in the hashes <name>:stop and <name>:paused."""
        parts = [("host", self.host), ("pool", self.pool), ("release", self.release)]
        return ":".join(f"{name}:{value}" for name, value in parts if value is not None) or "all"


@dataclass(frozen=True, slots=True)
class Orders:
    """What the workers of some scopes are told.

    generation: how often they were asked to stop; a worker leaves when it grows. pause: they take no messages.
    """

    generation: int
    pause: Pause | None


@dataclass(slots=True)
class Control:
    """One application's control plane. Every method raises TransportUnavailable when its Redis is away.

    A `Control` is for one thread; a worker's beat has its own.
    """

    options: RedisOptions
    name: str
    _link: RedisLink = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # In a cluster a link leads to the node that holds `stream`.
        self.options = replace(self.options, stream=self.prefix)
        self._link = link_to(self.options)

    @property
    def prefix(self) -> str:
        """What the keys of this application begin with."""
        return f"{{{self.name}}}" if self.options.nodes else self.name

    # --- orders ----------------------------------------------------------------------------------------------------

    def orders(self, host: str, pool: str, release: str) -> Orders:
        """What a worker of this host, pool and release is told."""
        fields = [scope.field for scope in (Scope(), Scope(host), Scope(pool=pool), Scope(host, pool=pool),
                                            Scope(host, release))]  # fmt: skip
        counts, pauses = self._link.pipeline(
            [("HMGET", f"{self.prefix}:stop", *fields), ("HMGET", f"{self.prefix}:paused", *fields)]
        )
        pause = next((text for text in pauses if text is not None), None)
        return Orders(sum(int(count or 0) for count in counts), pause and msgspec.json.decode(pause, type=Pause))

    def ask_to_stop(self, scopes: Iterable[Scope]) -> None:
        """Ask every worker in these scopes to finish its message and leave."""
        commands = [("HINCRBY", f"{self.prefix}:stop", scope.field, 1) for scope in scopes]
        if commands:
            self._link.pipeline([("MULTI",), *commands, ("EXEC",)])

    def pause(self, scope: Scope, by: str, reason: str) -> None:
        """Have the workers of this scope, and those that will be, finish their message and take no other."""
        pause = Pause(by, reason, self._now() // 1000)
        self._link.call("HSET", f"{self.prefix}:paused", scope.field, msgspec.json.encode(pause))

    def resume(self, scope: Scope) -> bool:
        """End the pause of this scope; of every scope when it is the one of all workers. Whether there was one."""
        fields = list(self.pauses()) if scope == Scope() else [scope.field]
        return bool(fields and self._link.call("HDEL", f"{self.prefix}:paused", *fields))

    def pauses(self) -> dict[str, Pause]:
        """The scopes that are paused now."""
        answer = self._link.call("HGETALL", f"{self.prefix}:paused")
        pairs = zip(answer[::2], answer[1::2], strict=True)
        return {field.decode(): msgspec.json.decode(text, type=Pause) for field, text in pairs}

    # --- the registry ----------------------------------------------------------------------------------------------

    def report(self, info: WorkerInfo) -> None:
        """Say that a worker lives, and how it is."""
        now = self._now()
        self._link.pipeline(
            [
                ("ZADD", f"{self.prefix}:workers", now, info.id),
                ("SET", f"{self.prefix}:worker:{info.id}", msgspec.json.encode(info), "PX", _TTL_MS),
            ]
        )

    def sign_off(self, worker_id: str) -> None:
        """Take a worker that leaves out of the registry."""
        self._link.pipeline(
            [("ZREM", f"{self.prefix}:workers", worker_id), ("DEL", f"{self.prefix}:worker:{worker_id}")]
        )

    def workers(self, host: str | None = None) -> list[WorkerInfo]:
        """The live workers, by host, pool and process; those not seen for 15 s are forgotten."""
        now = self._now()
        index = f"{self.prefix}:workers"
        members = self._link.pipeline(
            [("ZREMRANGEBYSCORE", index, "-inf", now - _TTL_MS), ("ZRANGE", index, 0, -1, "WITHSCORES")]
        )[1]
        seen = {members[i].decode(): float(members[i + 1]) for i in range(0, len(members), 2)}
        infos = [self._with_age(info, now, seen) for info in self._read(seen)]
        wanted = [info for info in infos if host in (None, info.host)]
        return sorted(wanted, key=lambda info: (info.host, info.pool, info.process, info.pid))

    def _read(self, seen: Mapping[str, float]) -> list[WorkerInfo]:
        if not seen:
            return []
        texts = self._link.call("MGET", *(f"{self.prefix}:worker:{worker_id}" for worker_id in seen))
        return [msgspec.json.decode(text, type=WorkerInfo) for text in texts if text is not None]

    def _with_age(self, info: WorkerInfo, now: int, seen: Mapping[str, float]) -> WorkerInfo:
        age = round(max(0.0, now - seen[info.id]) / 1000, 1)
        return msgspec.structs.replace(info, seen_seconds=age)

    def _now(self) -> int:
        seconds, microseconds = self._link.call("TIME")
        return int(seconds) * 1000 + int(microseconds) // 1000

    # --- replies ---------------------------------------------------------------------------------------------------

    def reply(self, token: str, reply: Reply) -> None:
        """Tell whoever waits for this token."""
        key = f"{self.prefix}:reply:{token}"
        self._link.pipeline([("RPUSH", key, msgspec.json.encode(reply)), ("EXPIRE", key, _REPLY_SECONDS)])

    def await_reply(self, token: str, seconds: float) -> Reply | None:
        """The reply to this token, or None when there is none after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            left = max(deadline - time.monotonic(), 0.01)
            fd = self._link.begin(("BLPOP", f"{self.prefix}:reply:{token}", left), left)
            readable((fd,), left + GRACE_SECONDS)
            found = self._link.end()
            if found:
                return msgspec.json.decode(found[1], type=Reply)
            if time.monotonic() >= deadline:  # in a cluster a wait ends early when the key moves to another node
                return None

    def close(self) -> None:
        """Drop the connection."""
        self._link.close()


def this_host(environment: Mapping[str, str]) -> str:
    """This machine's name in the registry: MESSENGER_HOST, or the host name."""
    return environment.get("MESSENGER_HOST") or socket.gethostname()
