"""How the role's modules have something done as the application's user: by a script, of which they take what it prints.

Whatever other processes of that user do to the script, its time and what is taken of it are bounded.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

from ansible_collections.messenger.kit.plugins.module_utils.process import User, stream_as

MOST_ANSWER = 8 * 2**20


class Refused(Exception):
    """What could not be done, for people."""


class Outsider(NamedTuple):
    """The application's user, as whom scripts run.

    python: the interpreter; it is isolated (-I), so that nothing of the user's is imported.
    """

    user: User
    python: str

    @classmethod
    def named(cls, name: str, python: str) -> Outsider | None:
        """The user NAME; None where there is none."""
        try:
            return cls(User.named(name), python)
        except LookupError:
            return None

    def stream(
        self, script: str, *words: str, seconds: float, most: int, stdin: int = subprocess.DEVNULL
    ) -> Iterator[bytes]:
        """What SCRIPT prints, piece by piece. Raises Refused above MOST bytes, and after SECONDS."""
        command = [self.python, "-I", "-c", script, *words]
        try:
            yield from stream_as(self.user, command, stdin=stdin, seconds=seconds, most=most)
        except (TimeoutError, OverflowError) as error:
            raise Refused(f"{' '.join(words[:2])} as {self.user.name}: {error}") from None

    def ask(self, script: str, *words: str, seconds: float = 60, stdin: int = subprocess.DEVNULL) -> dict[str, Any]:
        """The JSON object that SCRIPT prints. Raises Refused with its `problem`."""
        said = b"".join(self.stream(script, *words, seconds=seconds, most=MOST_ANSWER, stdin=stdin))
        try:
            answer = json.loads(said)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise Refused(f"{' '.join(words[:2])} as {self.user.name}: no answer")
        if "problem" in answer:
            raise Refused(str(answer["problem"]))
        return answer
