"""Finds what is unreadable in the control plane, and removes it (`messenger check`, `messenger repair`)."""

from __future__ import annotations

from dataclasses import dataclass

from messenger.control.reading import ControlReader, Problem, control_script
from messenger.control.values import LONGEST, MOST
from messenger.redis.connection import RedisConnection

_WHOLE = {"stop": "HLEN", "paused": "HLEN", "workers": "ZCARD"}  # -> a command that only the right type takes


@dataclass(frozen=True, slots=True)
class ControlRepair:
    """Finds and removes unreadable values of one application. Every method raises TransportError.

    Attributes:
        connection: The connection to Redis.
        prefix: Prefix of the keys.
    """

    connection: RedisConnection
    prefix: str

    def look(self) -> list[Problem]:
        """Read everything and change nothing.

        Returns:
            The unreadable values.
        """
        reader = ControlReader(self.connection, self.prefix)
        reader.directives(())
        for _ in reader.workers(sweep=False):
            pass
        return list(reader.problems.values())

    def repair(self, *, streams: bool = False) -> tuple[list[Problem], list[Problem]]:
        """Remove the unreadable values.

        A stop counter that is removed starts at 0 again, which stops no worker.

        Args:
            streams: Also delete a key that is a stream, which may hold messages. Keys of other types are always
                deleted.

        Returns:
            What was removed, and what is still there.
        """
        found = self.look()
        keys = [f"{self.prefix}:{name}" for name in _WHOLE]
        control_script("mend_keys", "mend").run(self.connection, keys, (LONGEST, MOST, int(streams), *_WHOLE.values()))
        reader = ControlReader(self.connection, self.prefix)
        for problem in found:
            if isinstance(problem.name, bytes):
                self._remove(reader, problem.key.removeprefix(f"{self.prefix}:"), problem.name)
        for _ in reader.workers(sweep=True):
            pass
        left = self.look()
        return [problem for problem in found if problem not in left], left

    def _remove(self, reader: ControlReader, key: str, name: bytes) -> None:
        if key in ("stop", "paused"):
            self.connection.exchange([("HDEL", f"{self.prefix}:{key}", name)])  # a stream refuses it
        else:
            self.connection.exchange([("ZREM", f"{self.prefix}:workers", name)])
            reader.delete_values([name])
