"""What messenger check sees without asking a server."""

from __future__ import annotations

import pytest

from messenger.checks.application import check_application
from messenger.checks.finding import Finding
from tests.support.application_project import Project


def look(project: Project, yaml: str, transports: str) -> dict[tuple[str, str], Finding]:
    """The findings by check and place."""
    application = project.load(yaml, transports=transports)
    return {(finding.check, finding.where): finding for finding in check_application(application)}


def test_a_lease_that_a_short_hold_up_costs(project: Project) -> None:
    transports = "short: 'redis://h/a?redeliver_timeout=4', long: 'redis://h/b?redeliver_timeout=5', never: 'sync://'"
    found = look(project, "", transports)
    short, long = found["lease", "transport short"], found["lease", "transport long"]
    assert short.level == "warn"
    assert short.found.startswith("redeliver_timeout is 4 s: a worker that is held up for so long loses its message")
    assert short.change == "redeliver_timeout of at least 5, better 60"
    assert long.level == "ok"
    assert long.found == "leases are renewed every 1.25 s; what a killed worker held goes to another after 5 s"
    assert ("lease", "transport never") not in found


def test_memory_forgets(project: Project) -> None:
    found = look(project, "  failure_transport: kept\n", "async: 'in-memory://', kept: 'doctrine://default'")
    assert found["memory", "transport async"].level == "warn"
    assert ("memory", "transport kept") not in found
    assert found["failure-transport", "transport async"].found == "failed messages go to 'kept'"
    assert ("failure-transport", "transport kept") not in found


@pytest.mark.parametrize(
    ("target", "level", "found"),
    [
        ("null", "warn", "failure_transport is null: what has used up its retries is deleted"),
        ("gone", "fail", "failed messages go to 'gone', which forgets them"),
        ("kept", "ok", "failed messages go to 'kept'"),
    ],
)
def test_where_failed_messages_go(project: Project, target: str, level: str, found: str) -> None:
    transports = (
        f"async: {{dsn: 'redis://h', failure_transport: {target}}}, gone: 'in-memory://', kept: 'redis://h/kept'"
    )
    finding = look(project, "", transports)["failure-transport", "transport async"]
    assert (finding.level, finding.found) == (level, found)


def test_what_was_assumed_is_said(project: Project) -> None:
    found = look(project, "", "async: 'redis://h', failed: 'redis://h/failed'")
    finding = found["configuration", str(project.directory / "messenger.yaml")]
    assert finding.level == "warn"
    assert "no failure_transport is set: using the transport 'failed'" in finding.found
