"""Runs `messenger` commands as processes forked from one that has imported everything: a tenth of the time.

Started as a program it is that process: a line of JSON in for each command, a line with its exit code out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any


class Forker:
    """The test's side."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUTF8": "1"},
        )

    def run(self, arguments: tuple[str, ...], directory: Path, environment: dict[str, str]) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of one command. A negative code: ended by that signal."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        output = directory / "command.out", directory / "command.err"
        order = [arguments, str(directory), environment, *map(str, output)]
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return code, output[0].read_text(), output[1].read_text()

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def serve() -> None:
    """The other side."""
    import messenger.cli.debug
    import messenger.cli.dispatch
    import messenger.cli.failed
    import messenger.cli.stats
    import messenger.cli.stop_workers
    import messenger.cli.workers
    import messenger.transports.redis
    import messenger.transports.sql  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            be_the_command(*json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def be_the_command(arguments: list[str], directory: str, environment: dict[str, str], out: str, err: str) -> Any:
    """Never returns."""
    from messenger.cli import main

    code: Any = 1
    try:
        os.setsid()
        os.chdir(directory)
        os.environ.clear()
        os.environ.update(environment)
        for number, path, mode in ((0, os.devnull, os.O_RDONLY), (1, out, os.O_WRONLY), (2, err, os.O_WRONLY)):
            os.dup2(os.open(path, mode | os.O_CREAT | (os.O_TRUNC if number else 0)), number)
        main(arguments)
    except SystemExit as ending:
        code = ending.code
    except BaseException:
        traceback.print_exc()
    sys.exit(code if isinstance(code, int) else 0 if code is None else 1)  # as a command ends: atexit and all


if __name__ == "__main__":
    serve()
