"""A worker that consumes the failure transport."""

from __future__ import annotations

from tests.integration.cli.failing import edit, fail, listed
from tests.integration.worker.project import Project


def test_consuming_the_failure_transport_never_loses_what_fails_again(store: Project) -> None:
    fail(store, "a", "b")
    edit(
        store,
        "tasks.py",
        'raise UnrecoverableError(f"hopeless {task.name}")',
        'if task.name == "b": raise UnrecoverableError("still hopeless")',
    )
    assert store.worker("failed", "--limit", "2").code() == 0
    assert store.events("done") == ["done a"]
    (left,) = listed(store)
    assert left["error"] == "messenger.errors.UnrecoverableError: still hopeless"
    assert left["from"] == "async"
