"""Run the `messenger` command of an application, bounded in time and output.

It runs as the application's user, whose other processes can do to it what they like.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ansible_collections.messenger.kit.plugins.module_utils.text import last_line

POLL_SECONDS = 0.2
MOST_BYTES = 16 * 2**20


def ask(
    command: Sequence[str],
    seconds: float,
    pids: Callable[[], set[int]] | None = None,
    hopeless: Callable[[], bool] = lambda: False,
) -> tuple[int, dict[str, Any], str]:
    """Run a command that prints JSON.

    Args:
        command: Program and arguments.
        seconds: Time after which it is killed, as it is when it prints more than MOST_BYTES.
        pids: Returns the pids of the processes that the command may believe when they are in the registry; called
            again and again while it runs. None: it believes any.
        hopeless: Returns whether to terminate the command early.

    Returns:
        Exit code, answer (empty when it was no JSON object), and last line of errors.
    """
    sent: set[int] | None = None
    until = time.monotonic() + seconds
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        option = ["--pids-from-stdin"] if pids is not None else []
        running = subprocess.Popen([*command, *option], stdin=subprocess.PIPE, stdout=output, stderr=errors, text=True)
        while running.poll() is None:
            size = max(os.fstat(file.fileno()).st_size for file in (output, errors))
            if time.monotonic() > until or size > MOST_BYTES:
                running.kill()  # what it runs ends with it
            elif hopeless():
                running.terminate()
            if pids is not None and (now := pids()) != sent:
                sent = now
                _send(running, f"{' '.join(map(str, now))}\n")
            with suppress(subprocess.TimeoutExpired):
                running.wait(POLL_SECONDS)
        with suppress(OSError):
            running.stdin.close()
        for file in (output, errors):
            file.seek(0)
        text, error = (file.read(MOST_BYTES).decode(errors="replace") for file in (output, errors))
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    return running.returncode, answer if isinstance(answer, dict) else {}, last_line(error)


def _send(running: subprocess.Popen[str], line: str) -> None:
    """Write a line to the command, which may have ended."""
    with suppress(OSError):
        running.stdin.write(line)
        running.stdin.flush()
