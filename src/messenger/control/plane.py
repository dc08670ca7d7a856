"""The control plane: asking workers to leave or to pause, and the registry in which they answer.

Everything lies in one Redis under fixed keys, derived from the `name` in messenger.yaml and never from a path:

    <name>:stop               hash: scope -> how often its workers were asked to stop (a counter, no clock)
    <name>:paused             hash: scope -> who paused its workers, why and since when
    <name>:workers            sorted set: worker id -> when it was last seen, ms of the server's clock
    <name>:worker:<id>        JSON: what the worker says of itself, with a time to live
    <name>:reply:<token>      JSON: how one message ended, for `messenger dispatch --wait`, with a time to live
    <name>:rate:<limiter>…    a rate limit's state (messenger.rate_limit), for each key of its own with the key behind
    <name>:deduplicate:<key>  the id of the message that holds this key (messenger.deduplication)

In a Redis Cluster <name> stands in braces: a hash tag, for all of them to lie in one slot.
Who may write to Redis may write anything there. What is unreadable is passed over and named (`take_problems`), goes
when its time is over, and is removed by `messenger repair`; see messenger.control.values.

Scopes: `all`, `host:<host>`, `pool:<pool>`, `host:<host>:pool:<pool>`, `host:<host>:release:<release>`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from messenger.control.reading import TTL_MS, ControlReader, control_script
from messenger.control.repair import ControlRepair
from messenger.control.values import CurrentMessage, Pause, Reply, WorkerInfo
from messenger.redis.connection import RedisConnection
from messenger.redis.driver import Argument
from messenger.redis.open import connect
from messenger.redis.options import RedisOptions

__all__ = ["DETACHED", "Control", "CurrentMessage", "Directives", "Pause", "Reply", "Scope", "WorkerInfo", "hostname"]
_REPLY_SECONDS = 60
_SHORTEST_POLL, _LONGEST_POLL = 0.005, 0.1  # seconds
DETACHED = "detached"  # state of a worker that finishes its message in the background, not supervised any more


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
class Directives:
    """The directives for the workers of some scopes.

    Attributes:
        stop_generation: Number of stop requests so far; a worker stops when it grows.
        pause: The pause they obey: they take no messages; None without one.
    """

    stop_generation: int
    pause: Pause | None


@dataclass(slots=True)
class Control:
    """The control plane of one application. Not thread-safe: the heartbeat of a worker has its own.

    Every method raises TransportUnavailable when Redis cannot be reached.
    """

    options: RedisOptions
    name: str
    _connection: RedisConnection = field(init=False, repr=False)
    _reader: ControlReader = field(init=False, repr=False)
    _taken: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        # In a cluster a connection leads to the node that holds `stream`.
        self.options = replace(self.options, stream=self.prefix)
        self._connection = connect(self.options)
        self._reader = ControlReader(self._connection, self.prefix)

    @property
    def prefix(self) -> str:
        """What the keys of this application begin with."""
        return f"{{{self.name}}}" if self.options.nodes else self.name

    def take_problems(self) -> list[str]:
        """Return what was found unreadable since the last call; each place is named once."""
        found = [str(problem) for problem in self._reader.problems.values()]
        new, self._taken = found[self._taken :], len(found)
        return new

    @property
    def repairs(self) -> ControlRepair:
        """Finds and removes what is unreadable."""
        return ControlRepair(self._connection, self.prefix)

    # --- directives ------------------------------------------------------------------------------------------------

    def directives(self, host: str, pool: str, release: str) -> Directives:
        """Return the directives for a worker of this host, pool and release."""
        scopes = (Scope(), Scope(host), Scope(pool=pool), Scope(host, pool=pool), Scope(host, release))
        counters, pauses = self._reader.directives([scope.field for scope in scopes])
        return Directives(sum(counters.values()), next(iter(pauses.values()), None))

    def ask_to_stop(self, scopes: Iterable[Scope]) -> None:
        """Ask every worker in these scopes to finish its message and leave."""
        fields = [scope.field for scope in scopes]
        if fields:
            self._mend("ask_to_stop", ("stop",), fields)

    def pause(self, scope: Scope, by: str, reason: str) -> None:
        """Have the workers of this scope, and those that will be, finish their message and take no other."""
        pause = Pause(by, reason, int(self._connection.call("TIME")[0]))
        self._mend("pause", ("paused",), (scope.field, msgspec.json.encode(pause)))

    def resume(self, scope: Scope) -> bool:
        """End the pause of a scope; the scope of all workers ends every pause.

        Returns:
            True when there was a pause.
        """
        return bool(self._write("resume", ("paused",), () if scope == Scope() else (scope.field,)))

    def pauses(self) -> dict[str, Pause]:
        """The scopes that are paused now."""
        return self._reader.directives(())[1]

    # --- the registry ----------------------------------------------------------------------------------------------

    def report(self, info: WorkerInfo) -> None:
        """Say that a worker lives, and how it is."""
        self._mend("report", ("workers", f"worker:{info.id}"), (info.id, msgspec.json.encode(info), TTL_MS))

    def deregister(self, worker_id: str) -> None:
        """Take a worker that leaves out of the registry."""
        self._connection.pipeline(
            [("ZREM", f"{self.prefix}:workers", worker_id), ("DEL", f"{self.prefix}:worker:{worker_id}")]
        )

    def workers(self, host: str | None = None) -> list[WorkerInfo]:
        """The live workers, by host, pool and process; those not seen for 15 s are forgotten."""
        wanted = [info for info in self._reader.workers(sweep=True) if host in (None, info.host)]
        return sorted(wanted, key=lambda info: (info.host, info.pool, info.process, info.pid))

    # --- replies ---------------------------------------------------------------------------------------------------

    def reply(self, token: str, reply: Reply) -> None:
        """Store the reply for a token, for the command that waits for it."""
        self._connection.call("SET", f"{self.prefix}:reply:{token}", msgspec.json.encode(reply), "EX", _REPLY_SECONDS)

    def await_reply(self, token: str, seconds: float) -> Reply | None:
        """Wait for the reply to a token.

        Args:
            token: The token.
            seconds: The longest time to wait.

        Returns:
            The reply; None when none has come.
        """
        deadline = time.monotonic() + seconds
        pause = _SHORTEST_POLL
        while True:
            reply = self._reader.reply(token)
            if reply is not None:
                self._connection.call("DEL", f"{self.prefix}:reply:{token}")
                return reply
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(left, pause))
            pause = min(2 * pause, _LONGEST_POLL)

    def close(self) -> None:
        """Drop the connection."""
        self._connection.close()

    def _mend(self, script: str, keys: Sequence[str], arguments: Sequence[Argument]) -> None:
        """Run a script that writes, and replaces the first key where it holds something of another type."""
        if self._write(script, keys, arguments):
            self._reader.note(keys[0], None, "it was of another type, and is replaced")

    def _write(self, script: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        return control_script(script, "mend").run(self._connection, [f"{self.prefix}:{key}" for key in keys], arguments)


def hostname(environment: Mapping[str, str]) -> str:
    """This machine's name in the registry: MESSENGER_HOST, or the host name."""
    return environment.get("MESSENGER_HOST") or socket.gethostname()
