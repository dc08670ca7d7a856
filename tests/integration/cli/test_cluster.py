"""The commands in a Redis Cluster: workers, control plane, rate limits and check."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from messenger.control.plane import Control, Reply
from messenger.redis.dsn import parse_redis_dsn
from messenger.transports.redis.commands import cluster_commands, control_commands, transport_commands
from messenger.wiring.control import open_lock_store
from tests.integration.worker.project import LONG, YAML, Project
from tests.support.cluster import WITH_REPLICA, Cluster
from tests.support.forker import Forker
from tests.support.servers import RedisServer, free_port, wait_until

PASSWORD = "pass-word-of-the-test"


@pytest.fixture
def clustered(tmp_path: Path, redis_cluster: Cluster, _forker: Forker) -> Iterator[Project]:
    """An application on an empty cluster: its two streams and its control plane lie on three nodes."""
    made = Project(tmp_path, cast(RedisServer, redis_cluster), _forker)  # it has the url() and client() that are used
    text = YAML.replace("stream: async", f"stream: '{WITH_REPLICA}'").replace("stream: high", "stream: '{low}'")
    made.write("messenger.yaml", text)
    yield made
    made.close()


def send(project: Project, name: str, do: str = "") -> None:
    project.send(name, do, stream=WITH_REPLICA)


def silent_port() -> socket.socket:
    """Takes connections and never answers."""
    return socket.create_server(("127.0.0.1", 0))


def test_what_is_used_here_lies_on_three_nodes(redis_cluster: Cluster) -> None:
    masters = {redis_cluster.master_of(key).port for key in (WITH_REPLICA, "{low}", "{test}")}
    assert len(masters) == 3


def test_workers_handle_what_is_dispatched_and_leave_when_asked(clustered: Project) -> None:
    worker = clustered.worker("async", "high")
    assert clustered.json("dispatch", "Task", '{"name": "x"}', "--wait", "25")["status"] == "handled"
    send(clustered, "y")
    clustered.wait_for_event("done y")
    (row,) = clustered.json("workers")["workers"]
    assert row["transports"] == ["async", "high"]
    clustered.run("stop-workers", "--wait", "20")
    assert worker.code() == 0
    assert clustered.registered() == []
    with clustered.server.client() as client:
        assert client.exists("{test}:stop") == 1


def test_a_worker_lives_on_when_a_master_dies_with_a_message_in_its_hands(
    clustered: Project, redis_cluster: Cluster
) -> None:
    worker = clustered.worker("async")
    send(clustered, "a", "wait")
    clustered.wait_for_event("start a")
    master = redis_cluster.master_of(WITH_REPLICA)
    replica = redis_cluster.replica_of(master)
    with master.client() as client:
        assert client.wait(1, 10_000) == 1
    master.stop(signal.SIGKILL)
    clustered.go("a")
    clustered.wait_for_event("done a")
    wait_until(lambda: redis_cluster.master_of(WITH_REPLICA) is replica, LONG, "the replica is master")
    with replica.client() as client:
        wait_until(lambda: client.xlen(WITH_REPLICA) == 0, LONG, "the message is acknowledged")
    send(clustered, "b")
    clustered.wait_for_event("done b")
    clustered.run("stop-workers")
    assert worker.code() == 0
    assert clustered.events("done") == ["done a", "done b"]


def test_stats_count_what_is_in_the_cluster(clustered: Project) -> None:
    clustered.run("setup-transports")
    send(clustered, "a")
    clustered.run("dispatch", "Task", "{}", "--delay", "60000")
    counts = clustered.json("stats")["transports"]
    assert (counts["async"]["ready"], counts["async"]["delayed"]) == (1, 1)
    assert counts["high"]["ready"] == 0


@pytest.mark.parametrize("limiter", ["{limit: 1, interval: 3600}", "{limit: 1, interval: 3600, key: name}"])
def test_a_rate_limit_counts_in_the_slot_of_the_control_plane(
    clustered: Project, redis_cluster: Cluster, limiter: str
) -> None:
    text = (clustered.directory / "messenger.yaml").read_text()
    text = text.replace("claim_interval: 200}", "claim_interval: 200}\n      rate_limiter: gateway")
    clustered.write("messenger.yaml", f"{text}  rate_limiters:\n    gateway: {limiter}\n")
    send(clustered, "a")
    send(clustered, "a")
    clustered.worker("async")
    clustered.wait_for_event("done a")
    keys = {b"{test}:rate:gateway", b"{test}:rate:gateway:a"}
    with redis_cluster.master_of("{test}").client() as client:
        wait_until(lambda: bool(keys & set(client.keys())), LONG, "a token is counted")
    assert clustered.events("done") == ["done a"]


def test_deduplication_locks_lie_in_the_slot_of_the_control_plane(redis_cluster: Cluster) -> None:
    control = Control(parse_redis_dsn("control", redis_cluster.url()), "test")
    stores = [open_lock_store("messenger.yaml", control) for _ in range(2)]
    try:
        assert [store.take("order 1", owner, 60) for store, owner in zip(stores, "ab", strict=True)] == ["a", "a"]
        with redis_cluster.master_of("{test}").client() as client:
            assert client.keys() == [b"{test}:deduplicate:order 1"]
        stores[0].release("order 1", "a")
        assert stores[1].take("order 1", "b", 60) == "b"
    finally:
        for store in stores:
            store.close()
        control.close()


def test_a_reply_is_waited_for_also_while_its_slot_moves(redis_cluster: Cluster) -> None:
    options = parse_redis_dsn("control", redis_cluster.url())
    waiting, answering = Control(options, "test"), Control(options, "test")
    source = redis_cluster.master_of("{test}")
    target = redis_cluster.other_than(source)

    def answer() -> None:
        with source.client() as client:
            sent = client.info("commandstats")["cmdstat_strlen"]["calls"]
            wait_until(lambda: client.info("commandstats")["cmdstat_strlen"]["calls"] > sent, LONG, "it waits")
        redis_cluster.begin_move("{test}", source, target)
        redis_cluster.end_move("{test}", target)
        answering.reply("token", Reply("handled", "worker", 1.0))

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        reply = waiting.await_reply("token", LONG)
        assert waiting.await_reply("token", 0) is None, "it is gone"
    finally:
        thread.join()
        redis_cluster.begin_move("{test}", target, source)
        redis_cluster.end_move("{test}", source)
        waiting.close()
        answering.close()
    assert reply == Reply("handled", "worker", 1.0)


# --- check ----------------------------------------------------------------------------------------------------------


def test_check_tells_the_node_of_each_stream_and_looks_at_it(clustered: Project, redis_cluster: Cluster) -> None:
    with_replica, without = (redis_cluster.master_of(key) for key in (WITH_REPLICA, "{low}"))
    with without.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory", "500mb")
    try:
        output = clustered.run("check", code=1).stdout
    finally:
        with without.client() as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", 0)
    assert f"the keys of {WITH_REPLICA} are on 127.0.0.1:{with_replica.port}, which has 1 replica\n" in output
    assert f"the keys of {{low}} are on 127.0.0.1:{without.port}, which has no replica: " in output
    assert f"the keys of {{test}} are on 127.0.0.1:{redis_cluster.master_of('{test}').port}, " in output
    failed = [line for line in output.splitlines() if line.startswith("fail")]
    assert len(failed) == 1
    assert f"redis at 127.0.0.1:{without.port} (db 0): maxmemory-policy is allkeys-lru" in failed[0]


def test_a_user_needs_no_more_than_the_listed_commands(clustered: Project, redis_cluster: Cluster) -> None:
    options = parse_redis_dsn("async", redis_cluster.url(f"/{WITH_REPLICA}"))
    needed = [*transport_commands(options), *cluster_commands(options), *control_commands("{test}")]
    commands = {f"+{each.name}" for each in needed} | {"+discard", "+info", "+config|get"}
    rules = ["reset", "on", f">{PASSWORD}", f"~{WITH_REPLICA}*", "~{low}*", "~{test}:*", *sorted(commands)]
    for node in redis_cluster.nodes:
        node.ask("ACL", "SETUSER", "app", *rules)
    try:
        dsn = redis_cluster.url().replace("redis://", f"redis://app:{PASSWORD}@")
        lines = clustered.run("check", MESSENGER_TRANSPORT_DSN=dsn).stdout.splitlines()
        assert sum("may run every command it needs" in line for line in lines) == 3
        worker = clustered.worker("async", MESSENGER_TRANSPORT_DSN=dsn)
        send(clustered, "a")
        clustered.wait_for_event("done a")
        clustered.run("stop-workers", MESSENGER_TRANSPORT_DSN=dsn)
        assert worker.code() == 0
        for node in redis_cluster.nodes:
            node.ask("ACL", "SETUSER", "app", "-cluster|slots")
        output = clustered.run("check", code=1, MESSENGER_TRANSPORT_DSN=dsn).stdout
        assert "ACL SETUSER app +cluster|slots" in output
        assert PASSWORD not in output
    finally:
        for node in redis_cluster.nodes:
            node.ask("ACL", "DELUSER", "app")


def test_check_warns_of_a_node_that_would_not_do_after_a_failover(clustered: Project, redis_cluster: Cluster) -> None:
    replica = redis_cluster.replica_of(redis_cluster.master_of(WITH_REPLICA))
    for node in redis_cluster.nodes:
        if node is not replica:
            node.ask("ACL", "SETUSER", "app", "reset", "on", f">{PASSWORD}", "~*", "+@all")
    dead = free_port()
    dsn = f"redis://127.0.0.1:{dead}," + redis_cluster.url().replace("redis://", f"redis://app:{PASSWORD}@")
    try:
        output = clustered.run("check", MESSENGER_TRANSPORT_DSN=dsn).stdout
    finally:
        for node in redis_cluster.nodes:
            node.ask("ACL", "DELUSER", "app")
    warnings = [line for line in output.splitlines() if "cannot be used: " in line]
    assert len(warnings) == 2, output
    assert f"127.0.0.1:{dead} (db 0, user app): cannot be used: " in warnings[0]
    assert "Connection refused" in warnings[0]
    assert f"127.0.0.1:{replica.port} (db 0, user app): cannot be used: the password or user was refused" in warnings[1]
    assert all(warning.startswith("warn") for warning in warnings)


def test_check_names_every_node_when_all_are_away(clustered: Project, redis_cluster: Cluster) -> None:
    redis_cluster.stop()
    failed = [line for line in clustered.run("check", code=1).stdout.splitlines() if line.startswith("fail")]
    ports = [f"127.0.0.1:{node.port}" for node in redis_cluster.nodes]
    assert failed
    assert all(port in line for line in failed for port in ports)
    assert all("Connection refused" in line for line in failed)


def test_check_names_nodes_that_never_answer(clustered: Project) -> None:
    with silent_port() as one, silent_port() as two, silent_port() as three:
        names = [f"127.0.0.1:{port.getsockname()[1]}" for port in (one, two, three)]
        dsn = ",".join(f"redis://{name}" for name in names)
        output = clustered.run("check", code=1, MESSENGER_TRANSPORT_DSN=dsn).stdout
    failed = [line for line in output.splitlines() if line.startswith("fail")]
    assert len(failed) == 1, "transports and control plane have the same nodes"
    assert all(name in failed[0] for name in names)
    assert "Timeout" in failed[0]


def test_a_stream_without_a_hash_tag_is_a_mistake_of_the_configuration(clustered: Project) -> None:
    clustered.write("messenger.yaml", YAML)
    stderr = clustered.run("consume", "async", code=78).stderr
    assert "transports.async: stream 'async' in a Redis Cluster" in stderr
    assert stderr.rstrip().endswith("allowed: {async}")
