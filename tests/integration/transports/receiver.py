"""A receiver in a process of its own: takes COUNT messages, LIMIT at a time, keeps them, and prints their numbers.

Its orders come as one JSON line on the standard input, so that no password is in the process list.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.integration.transports.stores import build, context_for, never, order_number


def main() -> int:
    """Print "ready", then the numbers taken, as JSON."""
    given = json.loads(sys.stdin.readline())
    context = context_for(Path(given["state_dir"]), given["worker_id"], given["connections"])
    transport = build(given["factory"], "orders", given["dsn"], context)
    print("ready", flush=True)
    numbers: list[int] = []
    while len(numbers) < given["count"]:
        taken = transport.get(30, never, min(given["limit"], given["count"] - len(numbers)))
        if not taken:
            break
        numbers.extend(order_number(envelope) for envelope in taken)
    print(json.dumps(numbers), flush=True)
    transport.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
