"""Receivers in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.transports.stores import Store
from tests.support.paths import ROOT


@contextmanager
def receiver_process(
    store: Store, worker_id: str, count: int, *, limit: int = 1, lease: int = 60
) -> Iterator[subprocess.Popen[str]]:
    """A started receiver that is ready to take `count` messages, `limit` at a time, and keep them.

    It is ended at the latest with the block.
    """
    orders = {
        "factory": store.factory,
        "dsn": store.dsn.format(lease=lease),
        "connections": dict(store.connections),
        "state_dir": str(store.state_dir),
        "worker_id": worker_id,
        "count": count,
        "limit": limit,
    }
    command = [sys.executable, "-m", "tests.integration.transports.receiver"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(orders) + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()
