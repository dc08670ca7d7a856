"""Lua scripts, sent by hash. Keys are always passed as KEYS, never built inside."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

from messenger.errors import TransportError
from messenger.redis.connection import RedisConnection, RedisReplyError
from messenger.redis.driver import Argument

_WITHOUT_MEMORY = "#!lua flags=allow-oom\n"


class Script:
    """A Lua file. It is sent by its hash, and whole when the server does not know it yet."""

    def __init__(self, name: str, package: str, *, prelude: str | None = None, without_memory: bool = False) -> None:
        files = [resources.files(package).joinpath(f"{each}.lua") for each in (prelude, name) if each]
        self._text = _WITHOUT_MEMORY * without_memory + "".join(file.read_text() for file in files)
        self._sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    def ask(
        self,
        connection: RedisConnection,
        keys: Sequence[Argument],
        arguments: Sequence[Argument],
        *more: Sequence[Argument],
    ) -> list[Any]:
        """Return the replies to the script and to the commands sent with it, in one round trip.

        A refusal is an error in its place. The commands in `more` are sent once again if they had no effect while the
        server did not know the script.
        """
        call = (len(keys), *keys, *arguments)
        replies = connection.exchange([("EVALSHA", self._sha, *call), *more])
        if isinstance(replies[0], RedisReplyError) and replies[0].code == "NOSCRIPT":
            again = more if not any(replies[1:]) else ()
            replies[: len(again) + 1] = connection.exchange([("EVAL", self._text, *call), *again])
        return replies

    def run(self, connection: RedisConnection, keys: Sequence[Argument], arguments: Sequence[Argument] = ()) -> Any:
        """Return the script's reply.

        Raises:
            RedisReplyError: Redis refused it.
            TransportUnavailable: Redis cannot be reached.
        """
        reply = self.ask(connection, keys, arguments)[0]
        if isinstance(reply, TransportError):
            raise reply
        return reply
