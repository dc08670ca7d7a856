"""Two transports that are one queue are refused when the application is loaded."""

from __future__ import annotations

import pytest

from messenger import ConfigError
from tests.support.application_project import Project

SAME = [
    ("redis://h", "redis://h", "stream 'messages', group 'symfony'"),
    ("redis://h/x", "redis://h:6379/x", "stream 'x', group 'symfony'"),
    ("redis://localhost/x", "redis://u:s3cr3t@127.0.0.1/x", "stream 'x', group 'symfony'"),
    ("redis://h/x/g", "rediss://H?stream=x&group=g", "stream 'x', group 'g'"),
    ("redis://h/x/g/one", "redis://h/x/g/two", "stream 'x', group 'g'"),
    ("redis:///run/redis.sock?stream=x", "redis:///run/redis.sock?stream=x", "stream 'x', group 'symfony'"),
    ("redis://127.1/x", "redis://127.0.0.2/x", "stream 'x', group 'symfony'"),
    ("redis://h/x", "redis://h./x", "stream 'x', group 'symfony'"),
    ("redis:///run/redis.sock?stream=x", "redis:///run//redis.sock?stream=x", "stream 'x', group 'symfony'"),
    ("doctrine://default", "doctrine://file", "table 'messenger_messages', queue 'default'"),
    ("doctrine://file", "doctrine://dotted", "table 'messenger_messages', queue 'default'"),
    ("doctrine://pg", "doctrine://pg2", "table 'messenger_messages', queue 'default'"),
    ("doctrine://default", "doctrine://default?queue_name=default", "table 'messenger_messages', queue 'default'"),
    ("doctrine://a?queue_name=q", "doctrine://B?queue_name=q", "table 'messenger_messages', queue 'q'"),
]
DIFFERENT = [
    ("redis://h/x", "redis://h/y"),
    ("redis://h/x", "redis://h2/x"),
    ("redis://h/x", "redis://h:6380/x"),
    ("redis://h/x", "redis://h/x?dbindex=1"),
    ("doctrine://default?queue_name=a", "doctrine://default?queue_name=b"),
    ("doctrine://default", "doctrine://default?table_name=other"),
    ("doctrine://default", "doctrine://a"),
    ("doctrine://pg", "doctrine://other"),
    ("in-memory://", "in-memory://"),
    ("sync://", "sync://"),
]
CONNECTIONS = """
  failure_transport: ~
  connections:
    a: 'sqlite:///x'
    b: 'sqlite:///x'
    file: 'sqlite:///messenger.db'
    dotted: 'pdo_sqlite:///./messenger.db'
    pg: 'postgresql://u:p@localhost/shop'
    pg2: 'postgres://v:q@127.0.0.1:5432/shop?application_name=x'
    other: 'postgresql://u:p@localhost/other'
"""


@pytest.mark.parametrize(("one", "other", "queue"), SAME)
def test_one_queue_is_refused_and_both_are_named(project: Project, one: str, other: str, queue: str) -> None:
    with pytest.raises(ConfigError) as caught:
        project.load(CONNECTIONS, transports=f"async: '{one}', failed: '{other}'")
    assert f"transports.failed and transports.async are one and the same queue ({queue})" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_two_queues_load(project: Project, one: str, other: str) -> None:
    application = project.load(CONNECTIONS, transports=f"async: '{one}', failed: '{other}'")
    assert application.transport_names == ("async", "failed")


def test_groups_of_one_stream_are_two_queues(project: Project) -> None:
    transports = "one: 'redis://h/x/g', two: 'redis://h/x/other'"
    assert project.load(CONNECTIONS, transports=transports).transport_names == ("one", "two")


def test_a_group_of_the_same_stream_is_no_failure_transport(project: Project) -> None:
    with pytest.raises(ConfigError) as caught:
        project.load("  failure_transport: failed\n", transports="async: 'redis://h/x/g', failed: 'redis://h/x/other'")
    assert "transports.failed is the failure transport of transports.async, and on the same stream" in str(caught.value)


def test_the_assumed_failure_transport_counts(project: Project) -> None:
    with pytest.raises(ConfigError, match=r"transports.failed and transports.async are one and the same queue"):
        project.load(transports="async: 'doctrine://default?queue_name=failed'")


@pytest.mark.parametrize(
    "yaml",
    ["  failure_transport: now\n", "  failure_transport: ~\n"],
)
def test_a_failure_transport_that_keeps_nothing_is_refused(project: Project, yaml: str) -> None:
    own = "" if "now" in yaml else ", failure_transport: now"
    with pytest.raises(ConfigError, match=r"failure_transport: found 'now', which is sync:// and would handle"):
        project.load(yaml, transports=f"async: {{dsn: 'redis://h'{own}}}, now: 'sync://'")
