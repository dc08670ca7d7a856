"""What a dispatch to Redis costs here, beside another checkout of the package in the same run.

python -m benchmarks.dispatch OTHER_CHECKOUT/src [ROUNDS]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.servers import RedisServer

HERE = Path(__file__).parent
NAMES = ("sms", "order", "cart", "free")


class Sender:
    """One process that dispatches."""

    def __init__(self, package: Path, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, HERE / "sender.py", package, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, name: str) -> tuple[float, float]:
        """Microseconds of CPU and of time for one dispatch of this message."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(name, file=self._process.stdin, flush=True)
        cpu, wall = self._process.stdout.readline().split()
        return float(cpu), float(wall)

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


def main(other: str, rounds: int = 200) -> None:
    """Measure in turns, so that what else the machine does meets both."""
    server = RedisServer()
    server.start()
    here, there = (Sender(path, server.port) for path in (HERE.parents[1] / "src", Path(other).resolve()))
    try:
        print("| message | CPU here, µs | CPU there, µs | ratio | time here, µs | time there, µs | ratio |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for name in NAMES:
            pairs = [(here.ask(name), there.ask(name)) for _ in range(rounds)]
            cells = []
            for which in (0, 1):  # the least of many: what else the machine does only adds to it
                ours, others = (min(pair[side][which] for pair in pairs) for side in (0, 1))
                cells += [f"{ours:.1f}", f"{others:.1f}", f"{ours / others:.3f}"]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)
            with server.client() as client:
                client.flushall()
    finally:
        here.close()
        there.close()
        server.destroy()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
