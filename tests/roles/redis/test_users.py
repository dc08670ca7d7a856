"""The users of the role redis, on a real redis-server: what each may do, and what it may not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis

from messenger.deduplication.in_redis import RedisLockStore
from messenger.redis.dsn import parse_redis_dsn
from messenger.redis.options import RedisOptions
from messenger.transports.redis.commands import (
    control_commands,
    deduplicate_commands,
    limiter_commands,
    transport_commands,
)
from tests.integration.cli.failing import REDIS, SQLITE, edit, fail, ids
from tests.integration.worker.project import Project
from tests.roles.kit_redis import ADMINISTRATOR, KitRedis, role_module
from tests.roles.render import evaluate
from tests.support.forker import Forker
from tests.support.modules import PLUGINS, load

acl = load(PLUGINS / "filter/redis_acl.py")

ODD = "p%20's \"w$rd# & 1/2 @:?"
MONITORING = "only-counts-nothing-else"
OPTIONS = RedisOptions(stream="async", consumer="fixed", dbindex=1, wait_replicas=1)
KINDS = {
    "app": ("application", ODD),
    "ann": ("operator", ODD + "ann"),
    "eye": ("monitoring", MONITORING),
    "web": ("producer", ODD + "web"),
}
USERS = [
    {
        "name": name,
        "rights": rights,
        "password": password,
        "application": "test",
        "streams": ["async", "high", "failed"],
    }
    for name, (rights, password) in KINDS.items()
]


@pytest.fixture(scope="module")
def _process() -> Iterator[KitRedis]:
    server = KitRedis(redis_users=USERS)
    server.start()
    yield server
    server.destroy()


@pytest.fixture
def server(_process: KitRedis) -> KitRedis:
    """Empty, and with the users as above."""
    _process.configure(redis_users=USERS)
    apply(_process)
    _process.clear()
    with _process.client() as administrator:
        administrator.acl_log_reset()
    return _process


@pytest.fixture
def log_in(server: KitRedis) -> Iterator[Callable[..., redis.Redis]]:
    """log_in(name, password=that of USERS): a client."""
    clients = []

    def client(name: str, password: str | None = None) -> redis.Redis:
        found = redis.Redis(
            host="127.0.0.1", port=server.port, username=name, password=password or KINDS[name][1], db=0
        )
        clients.append(found)
        return found

    yield client
    for each in clients:
        each.close()


@pytest.fixture
def project(tmp_path: Path, server: KitRedis, _forker: Forker) -> Iterator[Project]:
    """An application that works as `app`, its failed messages in Redis."""
    made = Project(tmp_path, server, _forker)
    edit(made, "messenger.yaml", SQLITE, REDIS)
    made.environment["MESSENGER_TRANSPORT_DSN"] = dsn(server, "app")
    yield made
    made.close()


def dsn(server: KitRedis, name: str) -> str:
    return f"redis://{name}:{quote(KINDS[name][1], safe='')}@127.0.0.1:{server.port}"


NOT_FOR_A_PRODUCER = [
    "XRANGE async - +",
    "XREVRANGE async + -",
    "XREAD STREAMS async 0",
    "XREADGROUP GROUP symfony me STREAMS async >",
    "XDEL async 0-1",
    "XTRIM async MAXLEN 0",
    "XACK async symfony 0-1",
    "XGROUP CREATE async mine 0 MKSTREAM",
    "XGROUP DESTROY async symfony",
    "XGROUP SETID async symfony 0",
    "XSETID async 0-1",
    "XINFO STREAM async",
    "XLEN async",
    "XADD async__queue * a b",
    "XADD test:workers * a b",
    "XADD other * a b",
    "ZADD async 1 a",
    "ZREM async__queue a",
    "ZRANGE async__queue 0 -1",
    "ZADD test:workers 1 a",
    "ZREMRANGEBYRANK async__queue 0 -1",
    "SET async x",
    "SET async__queue x",
    "SET test:worker:x y",
    "SET test:reply:x y",
    "GET async",
    "DEL async",
    "DEL async__queue",
    "DEL test:stop",
    "UNLINK async",
    "RENAME async other",
    "HSET test:paused all x",
    "HINCRBY test:stop all 1",
    "HGETALL test:paused",
    "GET test:worker:x",
    "HSET test:rate:sms full_at 1",
    "SET async__consumer:symfony:me x",
    "CLIENT LIST",
    "INFO",
    "MULTI",
    "PUBLISH a b",
    "SUBSCRIBE a",
    "EVAL return 1 1 async",
    "EVAL return 1 1 test:workers",
]


def apply(server: KitRedis) -> tuple[list[str], list[str]]:
    """What the module redis_users does; the users it set and those it deleted."""
    module = role_module("redis_users")
    wanted = module.users((server.directory / "users.acl").read_text().splitlines())
    return module.bring_in_line(server.local(), wanted, change=True)  # type: ignore[no-any-return]


def refused(server: KitRedis) -> set[str]:
    """What was refused since the test began: commands and keys."""
    with server.client() as administrator:
        return {str(entry["object"]) for entry in administrator.acl_log()}


def test_the_application_may_run_what_the_package_sends_and_info() -> None:
    """A command that the package begins or ceases to send must be changed in plugins/filter/redis_acl.py, too."""
    needed = [
        *transport_commands(OPTIONS),
        *control_commands("test"),
        *limiter_commands("test", ["gateway"]),
        *deduplicate_commands("test"),
    ]
    given = acl.RIGHTS["application"].split()
    told = {"+client|tracking", "+subscribe", "&__redis__:invalidate"}  # of delayed messages, while it waits
    assert set(given) - told - {"+info", "+xinfo|stream"} == {f"+{each.name}" for each in needed}
    assert len(given) == len(set(given))
    patterns = [f"async{suffix}" for suffix in acl.STREAM_KEYS] + [f"test{suffix}" for suffix in acl.APPLICATION_KEYS]
    keys = {each.key for each in needed if each.key is not None}
    covered = {pattern: re.compile(pattern.replace("*", ".*")) for pattern in patterns}
    assert not [key for key in keys if not any(pattern.fullmatch(key) for pattern in covered.values())]
    assert not [name for name, pattern in covered.items() if not any(map(pattern.fullmatch, keys))]


def test_no_kind_of_user_may_run_what_harms_others() -> None:
    for kind, rules in acl.RIGHTS.items():
        assert all(re.fullmatch(r"\+[a-z|]+|&__redis__:invalidate", rule) for rule in rules.split()), (
            kind
        )  # no categories
        assert not {"+config|get", "+keys", "+flushall", "+script", "+acl", "+debug", "+monitor"} & set(rules.split())


def test_workers_work_as_the_application(server: KitRedis, project: Project) -> None:
    fail(project, "a")
    project.send("b")
    project.work(1)
    assert project.events("done") == ["done b"]
    assert project.json("stats")["unreachable"] == {}
    assert "may run every command it needs" in project.run("check").stdout
    assert refused(server) <= {"config|get", "discard"}  # messenger check goes on without them


def test_an_operator_may_do_what_operators_do_and_take_no_message(server: KitRedis, project: Project) -> None:
    fail(project, "a", "b")
    worker = project.worker("async")
    operator: Any = {"MESSENGER_TRANSPORT_DSN": dsn(server, "ann")}
    with server.client() as administrator:
        administrator.config_resetstat()
    project.run("pause", **operator)
    project.run("resume", **operator)
    assert len(project.json("workers", **operator)["workers"]) == 1
    assert project.json("stats", "-v", **operator)["unreachable"] == {}
    first, second = ids(project)
    project.run("failed", "show", first, **operator)
    project.run("failed", "retry", first, **operator)
    project.run("failed", "remove", "--force", second, **operator)
    for more in ("--delay", "--wait"):
        project.run("dispatch", "App\\Message\\Task", '{"name": "c"}', more, "20", **operator)
    project.run("setup-transports", **operator)
    project.run("stop-workers", **operator)
    assert worker.code() == 0
    assert refused(server) == set()


@pytest.mark.parametrize(
    ("name", "command"),
    [
        *(
            (name, command)
            for name in KINDS
            for command in ("CONFIG GET requirepass", "FLUSHALL", "KEYS *", "ACL LIST")
        ),
        *((name, command) for name in KINDS for command in ("GET another", "SHUTDOWN", "MONITOR")),
        ("app", "XADD another * a b"),
        *(("web", command) for command in NOT_FOR_A_PRODUCER),
        ("app", "SET test:other 1"),
        ("app", "XGROUP DESTROY async symfony"),
        ("ann", "XREADGROUP GROUP symfony me STREAMS async >"),
        ("ann", "XGROUP DELCONSUMER async symfony me"),
        ("ann", "XCLAIM async symfony me 0 0-1"),
        ("eye", "XADD async * a b"),
        ("eye", "XRANGE async - +"),
        ("eye", "XINFO STREAM async"),
        ("eye", "DEL async"),
        ("eye", "HSET test:paused all x"),
        ("eye", "EVAL return 1"),
    ],
)
def test_what_they_may_not_do(log_in: Callable[..., redis.Redis], name: str, command: str) -> None:
    client: Any = log_in(name)
    with pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command.split())


def test_a_producer_dispatches_and_nothing_else(server: KitRedis, project: Project) -> None:
    """Before any worker was there, too: the group that one creates then has every message."""
    web: Any = {"MESSENGER_TRANSPORT_DSN": dsn(server, "web")}
    assert "sent to async" in project.run("dispatch", "Task", '{"name": "a"}', **web).stdout
    project.run("dispatch", "Task", '{"name": "b"}', "--delay", "20", **web)
    store = RedisLockStore(parse_redis_dsn("control", dsn(server, "web")), "test:deduplicate")
    assert [store.take("k", owner, 60) for owner in ("a", "b")] == ["a", "a"]
    store.release("k", "a")
    store.close()
    assert refused(server) == {"xgroup|create"}
    for command in ("workers", "stop-workers", "pause", "resume", "stats"):
        assert "no permissions" in project.run(command, code=1, **web).stderr
    project.work(2)
    assert sorted(project.events("done")) == ["done a", "done b"]


@pytest.mark.parametrize(
    "script",
    [
        "return redis.call('DEL', 'async')",
        "return redis.call('XRANGE', 'async', '-', '+')",
        "return redis.call('SET', 'test:workers', 'x')",
        "return redis.call('SET', 'async__queue', 'x')",
        "return redis.call('INFO')",
    ],
)
def test_a_script_of_a_producer_may_do_no_more(
    server: KitRedis, log_in: Callable[..., redis.Redis], script: str
) -> None:
    with server.client() as administrator:
        administrator.xadd("async", {"a": "b"})
    client: Any = log_in("web")
    with pytest.raises(redis.ResponseError, match="can't run this command|can't access at least one of the keys"):
        client.eval(script, 1, "async__queue")
    with server.client() as administrator:
        assert administrator.xlen("async") == 1


def test_monitoring_sees_counts(server: KitRedis, log_in: Callable[..., redis.Redis]) -> None:
    with server.client() as administrator:
        administrator.xgroup_create("async", "symfony", mkstream=True)
        administrator.xadd("async", {"message": "secret"})
    client: Any = log_in("eye")
    assert client.xlen("async") == 1
    assert client.xinfo_groups("async")[0]["lag"] == 1
    assert client.xpending("async", "symfony")["pending"] == 0
    assert client.zcard("async__queue") == 0
    assert client.info("memory")["used_memory"] > 0


def test_nobody_gets_in_without_or_with_another_password(log_in: Callable[..., redis.Redis], server: KitRedis) -> None:
    for name in KINDS:
        with pytest.raises(redis.AuthenticationError):
            log_in(name, "another").ping()
    with redis.Redis(port=server.port) as nobody, pytest.raises(redis.AuthenticationError):
        nobody.ping()
    assert log_in("default", ADMINISTRATOR).ping()


def test_passwords_are_in_the_file_as_hashes_only(server: KitRedis) -> None:
    text = (server.directory / "users.acl").read_text()
    assert not [word for _, password in KINDS.values() for word in password.split() if len(word) > 3 and word in text]
    assert ADMINISTRATOR not in text


def test_the_file_in_force_is_recognised_and_a_change_from_outside_too(server: KitRedis) -> None:
    assert apply(server) == ([], [])
    with server.client() as administrator:
        administrator.execute_command("ACL", "SETUSER", "eye", "+flushall")
        administrator.execute_command("ACL", "SETUSER", "someone", "on", "nopass", "+@all", "~*")
    assert apply(server) == (["eye"], ["someone"])
    assert apply(server) == ([], [])
    server.stop()
    server.start()  # which loads the file
    assert apply(server) == ([], [])


def test_a_password_is_replaced_without_a_gap_and_nobody_else_is_disconnected(
    server: KitRedis, log_in: Callable[..., redis.Redis]
) -> None:
    other = log_in("ann")
    number = other.client_id()
    old = log_in("app")
    changed = {"password": "the-new-one-of-many", "second_password": ODD}
    server.configure(redis_users=[USERS[0] | changed, *USERS[1:]])
    assert apply(server) == (["app"], [])
    new = log_in("app", "the-new-one-of-many")
    assert (old.xlen("async"), log_in("app").xlen("async"), new.xlen("async")) == (0, 0, 0)
    server.configure(redis_users=[USERS[0] | {"password": "the-new-one-of-many"}, *USERS[1:]])
    assert apply(server) == (["app"], [])
    assert new.xlen("async") == 0
    with pytest.raises(redis.AuthenticationError):
        log_in("app").xlen("async")
    assert other.client_id() == number


def test_with_users_the_administrator_has_a_password_on_loopback_too(tmp_path: Path) -> None:
    variables = {"redis_users": USERS, "redis_password_file": str(tmp_path / "redis-password")}
    assert len(evaluate("{{ __redis_password }}", "redis", **variables)) == 48


def test_a_user_without_a_password_gets_one_that_is_kept_on_the_controller(tmp_path: Path) -> None:
    file = tmp_path / "redis-password"
    server = KitRedis(redis_password_file=str(file), redis_users=[{"name": "sms", "rights": "application"}])
    try:
        server.start()
        password = Path(f"{file}-sms").read_text().strip()
        with redis.Redis(port=server.port, username="sms", password=password) as client:
            assert client.xlen("messages") == 0
    finally:
        server.destroy()
