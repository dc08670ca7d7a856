"""Lua scripts, sent by hash. Keys are always passed as KEYS, never built inside."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

from messenger.errors import TransportError
from messenger.transports.redis.link import Argument, RedisLink, RedisReplyError


class Script:
    """One Lua file; sent by its hash, and whole where the server does not have it yet.

    package: the one that the files lie in; by default this one.
    prelude: a file with functions that this one uses.
    """

    def __init__(self, name: str, package: str = __package__, *, prelude: str | None = None) -> None:
        files = [resources.files(package).joinpath(f"{each}.lua") for each in (prelude, name) if each]
        self._text = "".join(file.read_text() for file in files)
        self._sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    def command(self, keys: Sequence[Argument], arguments: Sequence[Argument]) -> tuple[Argument, ...]:
        """The EVALSHA command, for a pipeline. The caller looks for NOSCRIPT in its reply (see `missing`)."""
        return ("EVALSHA", self._sha, len(keys), *keys, *arguments)

    def run(self, link: RedisLink, keys: Sequence[Argument], arguments: Sequence[Argument] = ()) -> Any:
        """The script's reply."""
        reply = link.exchange([self.command(keys, arguments)])[0]
        if missing(reply):
            return link.call("EVAL", self._text, len(keys), *keys, *arguments)
        if isinstance(reply, TransportError):
            raise reply
        return reply


def missing(reply: Any) -> bool:
    """Whether this reply says that the server does not know the script (it was restarted or flushed)."""
    return refused(reply, "NOSCRIPT")


def refused(reply: Any, code: str) -> bool:
    """Whether this reply is an error with this code, e.g. NOGROUP."""
    return isinstance(reply, RedisReplyError) and reply.code == code
