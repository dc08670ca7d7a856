"""messenger check: what it finds on a real Redis and in Supervisor's configuration, and that it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from messenger.redis.dsn import parse_redis_dsn
from messenger.transports.redis.commands import control_commands, transport_commands
from tests.integration.redis.servers import Replica
from tests.integration.worker.project import TASKS, Project
from tests.support.servers import POSTGRES_PASSWORD, PostgresServer, RedisServer, free_port

PASSWORD = "pass-word-of-the-test"
CHANGED = ("maxmemory", "maxmemory-policy", "appendonly", "save")
# All that a user needs who uses neither rate limits nor deduplication.
KEYS = ("async*", "high*", "test:stop", "test:paused", "test:worker*", "test:reply:*")
GOOD_PROGRAM = """
[program:worker]
command=messenger consume async --min-uptime 6
autorestart=true
startsecs=5
stopwaitsecs=60
killasgroup=true
"""


@pytest.fixture(autouse=True)
def _server_as_before(redis_server: RedisServer) -> Iterator[None]:
    """What a test sets on the server is taken back."""
    with redis_server.client() as client:
        before: dict[str, Any] = {name: client.config_get(name)[name] for name in CHANGED}
        yield
        for name, value in before.items():
            client.config_set(name, value)
        client.acl_deluser("app")


def all_rights(server: RedisServer) -> set[str]:
    """The commands that a user needs, as the list in the source has them, and those of the check."""
    needed = [*transport_commands(parse_redis_dsn("async", server.url("/async"))), *control_commands("test")]
    return {each.name for each in needed} | {"discard", "info", "config|get"}


def user_with(server: RedisServer, commands: set[str], *keys: str) -> str:
    """A DSN with a user that may do just this."""
    with server.client() as client:
        rules = [*(f"~{key}" for key in keys), *(f"+{command}" for command in sorted(commands))]
        client.execute_command("ACL", "SETUSER", "app", "reset", "on", f">{PASSWORD}", *rules)
    return f"redis://app:{PASSWORD}@127.0.0.1:{server.port}"


def findings(project: Project, level: str, *arguments: str, code: int = 0, **environment: str) -> list[dict[str, str]]:
    """Those of a level, as JSON has them."""
    document = project.json("check", *arguments, code=code, **environment)
    found = [finding for finding in document["findings"] if finding["level"] == level]
    assert len(found) == document["counts"][level]
    return found


def test_all_is_well_and_nothing_is_created(project: Project) -> None:
    output = project.run("check", "--strict").stdout
    assert "answers (without TLS, as user 'default' without a password)" in output
    assert "maxmemory-policy is noeviction" in output
    assert "append-only file is on" in output
    assert output.rstrip().endswith("ok, 0 to be looked at, 0 failed")
    with project.server.client() as client:
        assert client.keys() == []
    assert not [path for path in project.directory.rglob("*") if path.suffix in (".db", ".sqlite")]


def test_it_changes_nothing_that_is_there(project: Project) -> None:
    project.send("a")
    with project.server.client() as client:
        client.xgroup_create("async", "symfony", "0")
        client.zadd("async__queue", {"later": 4e12})
        client.hset("test:stop", "all", "3")
        before = {key: client.dump(key) for key in client.scan_iter()}
        project.run("check")
        assert {key: client.dump(key) for key in client.scan_iter()} == before


def test_the_workers_of_this_host_are_listed_and_no_others(project: Project) -> None:
    project.start("consume", "async").started()
    project.start("consume", "async", MESSENGER_HOST="there").started()
    (there,) = [worker for worker in project.wait_for_workers(2) if worker.host == "there"]
    (here,) = project.json("check")["workers"]
    assert here["id"] != there.id
    assert (here["host"], here["failed_last_minute"]) == ("here", 0)


def test_nobody_can_say_who_works_when_redis_is_away(project: Project) -> None:
    document = project.json("check", code=1, MESSENGER_TRANSPORT_DSN=f"redis://127.0.0.1:{free_port()}")
    assert document["workers"] is None


def test_an_eviction_policy_that_deletes_messages_fails(project: Project) -> None:
    with project.server.client() as client:
        client.config_set("maxmemory", "500mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
    (finding,) = findings(project, "fail", code=1)
    assert finding["check"] == "redis-eviction"
    assert f"127.0.0.1:{project.server.port}" in finding["where"]
    assert "allkeys-lru" in finding["found"]
    assert "noeviction" in finding["change"]


def test_no_persistence_is_a_warning_and_strict_makes_it_fail(project: Project) -> None:
    with project.server.client() as client:
        client.config_set("appendonly", "no")
    (finding,) = findings(project, "warn")
    assert finding["check"] == "redis-persistence"
    assert "a restart of Redis loses every message" in finding["found"]
    lines = project.run("check", "--strict", code=1).stdout.splitlines()
    assert [line for line in lines if line.startswith("warn") and "CONFIG SET appendonly yes" in line]


@pytest.mark.parametrize("lacking", ["xautoclaim", "zadd", "xgroup|create", "hincrby", "hstrlen", "multi"])
def test_a_missing_right_is_named(project: Project, lacking: str) -> None:
    dsn = user_with(project.server, all_rights(project.server) - {lacking}, "*")
    found = findings(project, "fail", code=1, MESSENGER_TRANSPORT_DSN=dsn)
    assert {finding["check"] for finding in found} == {"redis-rights"}
    assert all(lacking in finding["found"] for finding in found)
    assert all(finding["change"].endswith(f": ACL SETUSER app +{lacking}") for finding in found)


def test_a_missing_key_is_named(project: Project) -> None:
    dsn = user_with(project.server, all_rights(project.server), "async*", "test:*")
    (finding,) = findings(project, "fail", code=1, MESSENGER_TRANSPORT_DSN=dsn)
    assert "may not use the keys high, high__queue" in finding["found"]
    assert finding["change"] == (
        "redis_users of the inventory: user app with high in its streams, then site.yml; on a Redis that the kit did "
        "not set up: ACL SETUSER app ~high ~high__queue"
    )


def test_the_user_of_another_application_is_told_from_its_inventory(project: Project) -> None:
    dsn = user_with(project.server, all_rights(project.server), "async*", "high*", "other:*")
    (finding,) = findings(project, "fail", code=1, MESSENGER_TRANSPORT_DSN=dsn)
    assert finding["change"].startswith(
        "redis_users of the inventory: user app with application: test, then site.yml; on a Redis that the kit did not "
    )


def test_what_a_rate_limiter_needs_is_named(project: Project) -> None:
    yaml = (project.directory / "messenger.yaml").read_text()
    limiters = "  rate_limiters:\n    gateway: {limit: 1, interval: 60, key: name}\n    own: {service: tasks.Own}\n"
    project.write("messenger.yaml", yaml + limiters)
    project.write(
        "tasks.py", TASKS + "\nclass Own:\n    def acquire(self, key): ...\n    def give_back(self, key): ...\n"
    )
    dsn = user_with(project.server, all_rights(project.server), *KEYS)
    (finding,) = findings(project, "fail", code=1, MESSENGER_TRANSPORT_DSN=dsn)
    assert finding["change"].endswith(": ACL SETUSER app +pexpire ~test:rate:gateway*")
    dsn = user_with(project.server, all_rights(project.server) | {"pexpire"}, "*")
    assert findings(project, "fail", MESSENGER_TRANSPORT_DSN=dsn) == []


def test_what_deduplication_would_need_is_said_and_is_no_failure(project: Project) -> None:
    dsn = user_with(project.server, all_rights(project.server), *KEYS)
    found = findings(project, "ok", MESSENGER_TRANSPORT_DSN=dsn)
    (note,) = [each["found"] for each in found if "DeduplicateStamp" in each["found"]]
    rule = "+pttl +pexpire ~test:deduplicate:*"
    assert note == f"user 'app' may not use DeduplicateStamp; what allows it: ACL SETUSER app {rule}"
    assert "DeduplicateStamp" not in project.run("check").stdout


def test_the_list_of_rights_is_all_that_is_needed(project: Project) -> None:
    dsn = user_with(project.server, all_rights(project.server), *KEYS)
    project.run("check", "--strict", MESSENGER_TRANSPORT_DSN=dsn)
    project.environment["MESSENGER_TRANSPORT_DSN"] = dsn
    project.run("dispatch", "Task", '{"name": "late", "do": "fail-once"}', "--delay", "50")
    worker = project.worker()
    project.wait_for_event("done late")
    project.run("stats")
    project.run("workers")
    project.run("stop-workers")
    assert worker.code() == 0
    assert "NOPERM" not in worker.log


def test_a_second_group_that_nobody_reads_for_is_a_warning(project: Project) -> None:
    project.send("a")
    with project.server.client() as client:
        client.xgroup_create("async", "symfony", "0")
        client.xgroup_create("async", "other", "$")
        assert not [each for each in findings(project, "warn") if each["check"] == "redis-groups"]
        project.send("b")
        (finding,) = [each for each in findings(project, "warn") if each["check"] == "redis-groups"]
        assert finding["found"].startswith("group 'other' has messages, and nobody has read for an hour: ")
        assert "XGROUP DESTROY async other" in finding["change"]
        client.xgroup_createconsumer("async", "other", "somebody")
    assert not [each for each in findings(project, "warn") if each["check"] == "redis-groups"]


def test_replicas_that_are_waited_for_and_are_not_there_fail(project: Project) -> None:
    yaml = (project.directory / "messenger.yaml").read_text()
    project.write("messenger.yaml", yaml.replace("{stream: async,", "{stream: async, wait_replicas: 1,"))
    (finding,) = findings(project, "fail", code=1)
    assert finding["check"] == "redis-replicas"
    assert finding["found"] == "it has 0 replicas and wait_replicas is 1: each dispatch raises NotReplicated"
    with project.server.client() as client:
        replica = Replica(project.server)
        try:
            replica.start()
            project.wait_until(lambda: client.info("replication")["connected_slaves"] == 1, "the replica is there")
            assert [each for each in findings(project, "ok") if each["check"] == "redis-replicas"]
        finally:
            replica.destroy()


def test_a_wrong_password_fails_without_showing_it(project: Project) -> None:
    dsn = user_with(project.server, all_rights(project.server), "*").replace(PASSWORD, "wrong-secret")
    for arguments in (("check",), ("check", "--format", "json")):
        output = project.run(*arguments, code=1, MESSENGER_TRANSPORT_DSN=dsn)
        assert "wrong-secret" not in output.stdout + output.stderr
        assert "correct user and password in the DSN" in output.stdout


def test_an_unreachable_redis_fails_without_showing_the_password(project: Project) -> None:
    port = free_port()
    output = project.run("check", code=1, MESSENGER_TRANSPORT_DSN=f"redis://app:{PASSWORD}@127.0.0.1:{port}")
    assert PASSWORD not in output.stdout + output.stderr
    assert [
        line
        for line in output.stdout.splitlines()
        if f"127.0.0.1:{port}" in line and "cannot be used" in line and "correct host and port in the DSN" in line
    ]


def test_the_failure_transport_is_looked_at(project: Project) -> None:
    project.run("setup-transports")
    where = f"SQLite file {next(project.directory.rglob('*.db'))}"
    assert [each["where"] for each in findings(project, "ok") if each["check"] == "sqlite-file"] == [where]
    yaml = (project.directory / "messenger.yaml").read_text()
    url = f"postgresql://app:{PASSWORD}@127.0.0.1:{free_port()}/app"
    project.write("messenger.yaml", yaml.replace("  handlers:", f"  connections: {{default: '{url}'}}\n  handlers:"))
    (finding,) = findings(project, "fail", code=1)
    assert finding["check"] == "postgresql-reach"
    assert "start PostgreSQL there" in finding["change"]
    assert PASSWORD not in project.run("check", code=1).stdout


def test_postgresql_is_looked_at_and_nothing_is_created(project: Project, postgres_server: PostgresServer) -> None:
    yaml = (project.directory / "messenger.yaml").read_text()
    connections = f"  connections: {{default: '{postgres_server.url}'}}\n  handlers:"
    project.write("messenger.yaml", yaml.replace("  handlers:", connections))
    found = {each["check"]: each for each in findings(project, "ok") if each["check"].startswith(("postgresql", "sql"))}
    assert found["sql-table"]["where"] == "transport failed (table messenger_messages)"
    assert found["postgresql-rights"]["found"] == "user messenger may create the table"
    assert found["postgresql-notify"]["found"] == "LISTEN and NOTIFY work"
    assert postgres_server.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []
    assert POSTGRES_PASSWORD not in project.run("check").stdout


def test_a_supervisor_configuration_that_fits(project: Project) -> None:
    conf = project.write("worker.conf", GOOD_PROGRAM)
    output = project.run("check", "--strict", "--supervisor-conf", str(conf)).stdout
    assert "[program:worker]: stopwaitsecs is 60, startsecs 5; not every handler has a timeout" in output


def test_stopwaitsecs_below_the_time_of_a_handler_and_startsecs_of_zero(project: Project) -> None:
    yaml = (project.directory / "messenger.yaml").read_text()
    project.write("messenger.yaml", yaml.replace("  name: test\n", "  name: test\n  handler_timeout: 90\n"))
    conf = project.write("worker.conf", GOOD_PROGRAM.replace("startsecs=5", "startsecs=0"))
    found = findings(project, "warn", "--supervisor-conf", str(conf))
    assert {finding["where"] for finding in found} == {f"{conf} [program:worker]"}
    assert sorted(finding["change"] for finding in found) == [
        "startsecs=5, and --min-uptime 6 in its command",
        "stopwaitsecs=100",
    ]
    project.run("check", "--strict", "--supervisor-conf", str(conf), code=1)


@pytest.mark.parametrize(
    ("setting", "instead", "change"),
    [
        ("autorestart=true", "autorestart=false", "autorestart=true"),
        ("killasgroup=true", "killasgroup=true\nstopsignal=KILL", "stopsignal=TERM"),
        ("command=messenger", "command=sh -c 'messenger", "`exec messenger consume …` as the command"),
        ("consume async", "consume nowhere", "one of async, high, failed"),
        ("stopwaitsecs=60", "stopwaitsecs=soon", "mend it; `supervisorctl reread` must take it"),
    ],
)
def test_supervisor_settings_that_lose_workers_fail(project: Project, setting: str, instead: str, change: str) -> None:
    text = GOOD_PROGRAM.replace(setting, instead)
    if "sh -c" in instead:
        text = text.replace("--min-uptime 6", "--min-uptime 6'")
    conf = project.write("worker.conf", text)
    (finding,) = findings(project, "fail", "--supervisor-conf", str(conf), code=1)
    assert finding["change"] == change


def test_a_configuration_that_cannot_be_loaded_is_78(project: Project) -> None:
    project.write("messenger.yaml", "messenger: {transports: 3}")
    project.run("check", code=78)
