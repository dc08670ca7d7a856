"""Redis servers that are not well."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Sequence

from tests.support.servers import START_SECONDS, RedisServer, wait_until


class Cramped(RedisServer):
    """A redis-server whose files can be kept from growing, as a full disk does, without being ended for it."""

    def command(self) -> Sequence[str]:
        return ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh", *super().command()]

    def allow(self, size: int | None) -> None:
        """Let it write files of this many bytes; None: of any size."""
        limit = resource.RLIM_INFINITY if size is None else size
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def wait_for(self, fact: str, value: str) -> None:
        """Until INFO says so."""
        with self.client() as client:
            wait_until(lambda: str(client.info().get(fact)) == value, START_SECONDS, f"{fact} is not {value}")


class WithoutDirectory(RedisServer):
    """A redis-server whose directory is taken away: it can write no snapshot."""

    def lose_directory(self) -> None:
        """Remove it under the running server."""
        shutil.rmtree(self.directory)
