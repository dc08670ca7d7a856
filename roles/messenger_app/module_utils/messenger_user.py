"""How the role's modules have something done as the application's user: by a script, of which they take what it prints.

Whatever other processes of that user do to the script, its time and what is taken of it are bounded.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

CHUNK_BYTES = 65_536
SPARE_SECONDS = 5
MOST_ANSWER = 8 * 2**20


class Refused(Exception):
    """What could not be done, for people."""


class Outsider(NamedTuple):
    """The application's user, as whom scripts run.

    launcher: bin/as-user. python: the interpreter; it is isolated (-I), so that nothing of the user's is imported.
    """

    launcher: Path
    user: str
    python: str

    def stream(
        self, script: str, *words: str, seconds: float, most: int, stdin: int = subprocess.DEVNULL
    ) -> Iterator[bytes]:
        """What SCRIPT prints, piece by piece. Raises Refused above MOST bytes, and after SECONDS."""
        command = [self.launcher, "--within", str(seconds), self.user, "--", self.python, "-I", "-c", script, *words]
        deadline = time.monotonic() + seconds + SPARE_SECONDS
        with subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
            try:
                assert running.stdout is not None
                source = running.stdout.fileno()
                while select.select([source], [], [], max(0, deadline - time.monotonic()))[0]:
                    data = os.read(source, CHUNK_BYTES)
                    if not data:
                        return
                    most -= len(data)
                    if most < 0:
                        raise Refused(f"{words[0] if words else 'a script'}: {self.user} gives more than is taken")
                    yield data
                raise Refused(f"{words[0] if words else 'a script'}: {self.user} gave no answer in {seconds:g} s")
            finally:
                running.kill()  # the script ends with it

    def ask(self, script: str, *words: str, seconds: float = 60, stdin: int = subprocess.DEVNULL) -> dict[str, Any]:
        """The JSON object that SCRIPT prints. Raises Refused with its `problem`."""
        said = b"".join(self.stream(script, *words, seconds=seconds, most=MOST_ANSWER, stdin=stdin))
        try:
            answer = json.loads(said)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise Refused(f"{words[0] if words else 'a script'}: {self.user} gave no answer")
        if "problem" in answer:
            raise Refused(str(answer["problem"]))
        return answer
