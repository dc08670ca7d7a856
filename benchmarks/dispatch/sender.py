"""Dispatches messages to a Redis, as often as its standard input asks, and prints what one of them took.

python sender.py DIRECTORY_OF_THE_PACKAGE REDIS_PORT
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

COUNT = 100
MODULE = """
import datetime, decimal, uuid
from dataclasses import dataclass, field
from typing import Any

@dataclass
class Sms:
    content: str

@dataclass
class Order:
    id: int
    email: str
    paid: bool
    price: decimal.Decimal
    placed_at: datetime.datetime
    reference: uuid.UUID
    note: str | None = None
    tags: list[str] = field(default_factory=list)

@dataclass
class Line:
    sku: str
    count: int

@dataclass
class Cart:
    lines: list[Line]

@dataclass
class Free:
    data: dict[str, Any]

MESSAGES = {
    "sms": Sms("hello"),
    "order": Order(7, "ada@example.com", True, decimal.Decimal("9.50"), datetime.datetime.now(datetime.UTC),
                   uuid.uuid4(), None, ["a", "b"]),
    "cart": Cart([Line(f"sku-{number}", number) for number in range(100)]),
    "free": Free({"name": "ada", "tags": ["a", "b"], "address": {"city": "Graz", "zip": 8010}}),
}
"""


def main(package: str, port: str) -> None:
    """Answer each line `NAME` with the microseconds of CPU and of time that one dispatch of it took."""
    directory = Path(tempfile.mkdtemp())
    (directory / "benched.py").write_text(MODULE)
    (directory / "messenger.yaml").write_text(
        f"messenger:\n  name: benched\n  handlers: [benched]\n  routing: {{'*': async}}\n"
        f"  transports: {{async: 'redis://127.0.0.1:{port}/benched'}}\n"
    )
    sys.path[:0] = [package, str(directory)]
    from benched import MESSAGES  # type: ignore[import-not-found]

    from messenger import Application

    application = Application.load(directory / "messenger.yaml")
    for line in sys.stdin:
        message = MESSAGES[line.strip()]
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(COUNT):
            application.dispatch(message)
        spent = (time.process_time() - cpu, time.perf_counter() - wall)
        print(*(each / COUNT * 1e6 for each in spent), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
