"""docs/guides/from-*.md: what each page shows is sent and handled."""

from __future__ import annotations

from collections.abc import Callable

from tests.docs.conftest import Guide
from tests.unit.wire.recorded import recorded


def test_celery(guide: Callable[[str], Guide]) -> None:
    project = guide("docs/guides/from-celery.md")
    assert project.python("upload.py") == ""
    worker = project.messenger("consume", "images", "--limit", "3")
    assert "cat.jpg is 800 wide" in worker
    assert "dog.jpg is 800 wide" in worker
    assert "there is no such image" in project.messenger("failed", "show")


def test_rq(guide: Callable[[str], Guide]) -> None:
    project = guide("docs/guides/from-rq.md")
    project.environment["REDIS_URL"] = project.server.url()
    assert project.python("nightly.py") == ""
    worker = project.messenger("consume", "high", "low", "--limit", "4")
    handled = [line for line in worker.splitlines() if line.startswith("report of")]
    assert sorted(handled) == [
        "report of 2026-01 built, retries: 0",
        "report of 2026-02 built, retries: 1",
        "report of 2026-03 built, retries: 0",
    ]
    assert handled[0].startswith("report of 2026-03"), "high is served first"


def test_symfony(guide: Callable[[str], Guide]) -> None:
    project = guide("docs/guides/from-symfony.md")
    with project.server.client() as client:
        client.xadd("messages", {"message": recorded("7.2", "bare")})  # as a real PHP wrote it
    assert project.python("send.py") == ""
    worker = project.messenger("consume", "async", "--limit", "3")
    handled = [line for line in worker.splitlines() if line.startswith("sms: ")]
    assert handled == ["sms: Look! I created a message!", "sms: now", "sms: later"]
