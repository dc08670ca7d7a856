"""A transport in a Redis Cluster: it finds the node of its slot and follows it."""

from __future__ import annotations

import signal
import socketserver
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from messenger.envelope import AnyEnvelope
from messenger.errors import ConfigError, NotReplicated, TransportUnavailable
from messenger.redis.dsn import parse_redis_dsn
from messenger.stamps import DelayStamp
from messenger.transports.redis import create
from messenger.transports.redis.transport import RedisTransport
from tests.integration.redis.conftest import Open
from tests.integration.redis.orders import LONG, deliveries, never, number_of, order, take
from tests.integration.redis.servers import ENCODED, PASSWORD, LockedRedis
from tests.integration.transports.stores import context_for
from tests.support.cluster import SLOTS, Cluster, ClusterNode
from tests.support.servers import RedisServer, free_port, wait_until

STREAM = "{orders}"
QUEUE = "{orders}__queue"


@pytest.fixture
def transport(opened: Open, redis_cluster: Cluster) -> RedisTransport:
    """One that knows every node."""
    return opened(redis_cluster.url(f"/{STREAM}?claim_interval=100"))


def again(call: Callable[[], object]) -> None:
    """Call until it is not refused any more, as a worker does."""

    def succeeds() -> bool:
        try:
            call()
        except TransportUnavailable:
            return False
        return True

    wait_until(succeeds, LONG, "the transport works again")


def wait_for_one(transport: RedisTransport) -> int:
    """The number of the next message, while the transport may be away meanwhile."""
    taken: list[AnyEnvelope] = []

    def found() -> bool:
        try:
            taken.extend(transport.get(LONG, never))
        except TransportUnavailable:
            return False
        return bool(taken)

    wait_until(found, LONG, "a message came")
    return number_of(taken[0])


def begin_move(cluster: Cluster) -> tuple[ClusterNode, ClusterNode]:
    """The stream's slot is on its way; source and target."""
    source = cluster.master_of(STREAM)
    target = cluster.other_than(source)
    cluster.begin_move(STREAM, source, target)
    return source, target


# --- finding the node ---------------------------------------------------------------------------------------------


def test_all_keys_of_a_transport_lie_on_the_node_of_its_stream(redis_cluster: Cluster, opened: Open) -> None:
    transport = opened(redis_cluster.url(f"/{STREAM}/symfony/mine"))
    transport.send(order(1).with_stamps(DelayStamp(60_000)))
    transport.send(order(2))
    assert number_of(take(transport)) == 2
    keys = {STREAM.encode(), QUEUE.encode(), b"{orders}__consumer:symfony:mine"}
    with redis_cluster.master_of(STREAM).client() as client:
        assert set(client.keys()) == keys


@pytest.mark.parametrize("index", range(4))
def test_any_one_node_leads_to_the_others(redis_cluster: Cluster, opened: Open, index: int) -> None:
    port = redis_cluster.nodes[index].port
    transport = opened(f"redis://127.0.0.1:{port}/{STREAM}?redis_cluster=true")
    transport.send(order(1))
    assert number_of(take(transport)) == 1


def test_a_node_that_is_away_is_passed_over(redis_cluster: Cluster, opened: Open) -> None:
    there = redis_cluster.other_than(redis_cluster.master_of(STREAM)).port
    transport = opened(f"redis://127.0.0.1:{free_port()},redis://127.0.0.1:{there}/{STREAM}")
    transport.send(order(1))
    assert number_of(take(transport)) == 1


def test_a_server_that_is_no_cluster_is_said(redis_server: RedisServer, opened: Open) -> None:
    with pytest.raises(TransportUnavailable, match="cluster support disabled"):
        opened(redis_server.url(f"/{STREAM}?redis_cluster=1")).send(order(1))


@pytest.mark.parametrize(
    ("name", "tagged"),
    [("orders", "{orders}"), ("{}orders", "{orders}"), ("a{}b}", "{ab}"), ("{a", "{a}"), ("}{", "{messages}")],
)
def test_a_stream_without_a_hash_tag_is_refused_with_the_name_to_write(tmp_path: Path, name: str, tagged: str) -> None:
    dsn = "redis://:s3cr3t@h:1,redis://h:2"
    with pytest.raises(ConfigError) as caught:
        create("async", dsn, {"stream": name}, context_for(tmp_path, "worker"))
    assert str(caught.value).endswith(f"allowed: {tagged}")
    assert str(caught.value).startswith(f"transports.async: stream {name!r}")
    create("async", dsn, {"stream": tagged}, context_for(tmp_path, "worker")).close()
    create("async", "redis://h:1", {"stream": name}, context_for(tmp_path, "worker")).close()


class LockedNode(LockedRedis):
    """A cluster of one node, with TLS, a password and users."""

    def command(self) -> list[str]:
        cluster = {"cluster-enabled": "yes", "cluster-port": self.bus_port, "tls-cluster": "yes"}
        return [*super().command(), *(part for name, value in cluster.items() for part in (f"--{name}", str(value)))]

    def __init__(self) -> None:
        super().__init__()
        self.bus_port = free_port()


@pytest.fixture(scope="module")
def locked_node() -> Iterator[LockedNode]:
    node = LockedNode()
    try:
        node.start()
        with node.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)
            wait_until(lambda: client.cluster("INFO")["cluster_state"] == "ok", LONG, "the node is up")
        yield node
    finally:
        node.destroy()


@pytest.mark.parametrize(
    "dsn",
    [
        f"rediss://{ENCODED}@127.0.0.1:TPORT,rediss://127.0.0.1:1/orders%7B1%7D?ssl[cafile]=CA",
        f"rediss://127.0.0.1:1,rediss://ann:{ENCODED}@127.0.0.1:TPORT/orders%7B1%7D?ssl[cafile]=CA",
        f"redis://ann:{ENCODED}@127.0.0.1:PORT/orders%7B1%7D?redis_cluster=1",
    ],
)
def test_user_password_and_tls_are_for_every_node(locked_node: LockedNode, opened: Open, dsn: str) -> None:
    transport = opened(locked_node.filled(dsn))
    transport.send(order(1))
    received = take(transport)
    transport.ack(received)


def test_a_password_that_is_refused_is_said_also_when_another_node_is_away(
    locked_node: LockedNode, opened: Open
) -> None:
    dsn = f"redis://ann:wrong@127.0.0.1:1,redis://127.0.0.1:{locked_node.port}/orders%7B1%7D"
    with pytest.raises(TransportUnavailable, match="password or user was refused") as caught:
        opened(dsn).send(order(1))
    assert "wrong" not in str(caught.value).replace("WRONGPASS", "")
    assert PASSWORD not in str(caught.value)


# --- a slot that moves --------------------------------------------------------------------------------------------


def test_a_slot_that_has_moved_is_followed(redis_cluster: Cluster, transport: RedisTransport) -> None:
    transport.send(order(1))
    transport.send(order(2))
    held = take(transport)
    source, target = begin_move(redis_cluster)
    redis_cluster.move_keys(source, target, STREAM)
    redis_cluster.end_move(STREAM, target)
    transport.keepalive(held)
    transport.ack(held)
    transport.send(order(3).with_stamps(DelayStamp(1)))
    assert [number_of(take(transport)) for _ in range(2)] == [2, 3]
    with target.client() as client:
        assert client.xlen(STREAM) == 2


class Outdated(socketserver.StreamRequestHandler):
    """A node that still thinks one master, at `port`, has every slot."""

    port: int

    def handle(self) -> None:
        while head := self.rfile.readline():
            words = [(self.rfile.readline(), self.rfile.readline().strip())[1] for _ in range(int(head[1:]))]
            slots = f"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:{self.port}\r\n"
            self.wfile.write(slots.encode() if words[:2] == [b"CLUSTER", b"SLOTS"] else b"+OK\r\n")


def test_a_node_with_an_outdated_view_does_not_mislead(redis_cluster: Cluster, opened: Open) -> None:
    other = redis_cluster.other_than(redis_cluster.master_of(STREAM))
    handler = type("Handler", (Outdated,), {"port": other.port})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as node, ThreadPoolExecutor(1) as pool:
        pool.submit(node.serve_forever)
        transport = opened(f"redis://127.0.0.1:{node.server_address[1]}/{STREAM}?redis_cluster=1")
        try:
            transport.send(order(1))
            received = take(transport)
            transport.keepalive(received)
            transport.ack(received)
        finally:
            transport.close()
            node.shutdown()


def test_while_it_is_on_its_way_what_has_gone_is_asked_of_the_target(
    redis_cluster: Cluster, transport: RedisTransport
) -> None:
    transport.send(order(1))
    transport.send(order(9).with_stamps(DelayStamp(600_000)))
    source, target = begin_move(redis_cluster)
    redis_cluster.move_keys(source, target, STREAM, QUEUE)
    transport.send(order(2))
    assert target.cluster("COUNTKEYSINSLOT", target.cluster("KEYSLOT", STREAM)) == 2
    received = [take(transport) for _ in range(2)]
    assert [number_of(envelope) for envelope in received] == [1, 2]
    with pytest.raises(TransportUnavailable, match=r"slot \d+ is being moved"):
        transport.get(LONG, never)  # nobody would wake it there, and to ask again and again would keep it busy
    transport.ack(received[0])
    transport.requeue(received[1], received[1])
    assert transport.depth().ready == 1
    redis_cluster.end_move(STREAM, target)
    assert number_of(take(transport)) == 2


def test_replicas_confirm_nothing_of_what_was_sent_to_the_target(redis_cluster: Cluster, opened: Open) -> None:
    transport = opened(redis_cluster.url(f"/{STREAM}?wait_replicas=1"))
    transport.send(order(1))
    source, target = begin_move(redis_cluster)
    redis_cluster.move_keys(source, target, STREAM)
    with pytest.raises(NotReplicated, match="is stored .* is not known"):
        transport.send(order(2))
    redis_cluster.end_move(STREAM, target)
    with pytest.raises(NotReplicated, match="0 of 1 replicas"):
        transport.send(order(3))
    assert [number_of(take(transport)) for _ in range(3)] == [1, 2, 3]


def test_a_new_stream_is_made_on_the_target_alone(redis_cluster: Cluster, transport: RedisTransport) -> None:
    source, target = begin_move(redis_cluster)
    transport.send(order(1))
    redis_cluster.end_move(STREAM, target)
    assert number_of(take(transport)) == 1
    with source.client() as client:
        assert client.keys() == []


def test_what_was_handed_out_while_the_delayed_ones_could_not_be_moved_is_not_lost(
    redis_cluster: Cluster, transport: RedisTransport
) -> None:
    transport.send(order(1))
    transport.send(order(2))
    _, target = begin_move(redis_cluster)  # the stream is here and the sorted set is nowhere: TRYAGAIN for both
    received = take(transport)
    assert (number_of(received), deliveries(received)) == (1, 1)
    with pytest.raises(TransportUnavailable):
        transport.begin_wait(1)
    redis_cluster.move_keys(redis_cluster.master_of(STREAM), target, STREAM)
    redis_cluster.end_move(STREAM, target)
    again(lambda: transport.ack(received))
    assert number_of(take(transport)) == 2


def test_a_wait_goes_on_at_the_new_node(redis_cluster: Cluster, opened: Open, transport: RedisTransport) -> None:
    receiver = opened(redis_cluster.url(f"/{STREAM}"), worker="receiver")
    receiver.setup()
    source = redis_cluster.master_of(STREAM)
    with ThreadPoolExecutor(1) as pool, source.client() as client:
        waiting = pool.submit(wait_for_one, receiver)
        wait_until(lambda: client.info("clients")["blocked_clients"] == 1, LONG, "it waits")
        begin_move(redis_cluster)
        target = redis_cluster.other_than(source)
        redis_cluster.move_keys(source, target, STREAM)
        redis_cluster.end_move(STREAM, target)
        again(lambda: transport.send(order(1)))
        assert waiting.result() == 1


def test_a_slot_goes_round_while_workers_consume_and_nothing_is_lost(redis_cluster: Cluster, opened: Open) -> None:
    handled: list[int] = []
    done = threading.Event()

    def work(name: str) -> None:
        transport = opened(redis_cluster.url(f"/{STREAM}?redeliver_timeout=5&claim_interval=500"), worker=name)
        while not done.is_set():
            try:
                for envelope in transport.get(0.2, done.is_set, 3):
                    handled.append(number_of(envelope))
                    again(lambda envelope=envelope: transport.ack(envelope))  # type: ignore[misc]
            except TransportUnavailable:
                continue

    sender = opened(redis_cluster.url(f"/{STREAM}"), worker="sender")
    with ThreadPoolExecutor(2) as pool:
        workers = [pool.submit(work, f"worker-{number}") for number in range(2)]
        for number in range(0, 90, 10):
            source, target = begin_move(redis_cluster)
            for step in range(5):
                again(lambda number=number + step: sender.send(order(number)))  # type: ignore[misc]
            redis_cluster.move_keys(source, target, STREAM, QUEUE)
            for step in range(5, 10):
                delayed = order(number + step).with_stamps(DelayStamp(step % 2))
                again(lambda delayed=delayed: sender.send(delayed))  # type: ignore[misc]
            redis_cluster.end_move(STREAM, target)
        wait_until(lambda: set(handled) == set(range(90)), LONG, "every message was handled")
        wait_until(lambda: sender.depth().in_flight == 0, LONG, "every message was acknowledged")
        done.set()
        for worker in workers:
            worker.result()


# --- nodes that go away -------------------------------------------------------------------------------------------


def test_a_master_dies_and_its_replica_is_followed(redis_cluster: Cluster, opened: Open) -> None:
    master = redis_cluster.master_of(STREAM)
    replica = redis_cluster.replica_of(master)
    transport = opened(f"redis://127.0.0.1:{master.port}/{STREAM}?redis_cluster=1")  # it learns of the others
    for number in range(3):
        transport.send(order(number))
    held = take(transport)
    with master.client() as client:
        assert client.wait(1, 10_000) == 1
    master.stop(signal.SIGKILL)
    with pytest.raises(TransportUnavailable):
        transport.get(0, never)
    again(lambda: transport.ack(held))
    wait_until(lambda: redis_cluster.master_of(STREAM) is replica, LONG, "the replica is master")
    transport.send(order(3))
    assert [number_of(take(transport)) for _ in range(3)] == [1, 2, 3]


def test_a_planned_failover_is_followed_also_by_who_waits(redis_cluster: Cluster, opened: Open) -> None:
    receiver, sender = (opened(redis_cluster.url(f"/{STREAM}"), worker=name) for name in ("receiver", "sender"))
    receiver.setup()
    master = redis_cluster.master_of(STREAM)
    replica = redis_cluster.replica_of(master)
    with ThreadPoolExecutor(1) as pool, master.client() as client:
        waiting = pool.submit(wait_for_one, receiver)
        wait_until(lambda: client.info("clients")["blocked_clients"] == 1, LONG, "it waits")
        redis_cluster.hand_over(STREAM, replica)
        again(lambda: sender.send(order(1)))
        assert waiting.result() == 1


def test_all_nodes_away_are_named_and_waited_for(redis_cluster: Cluster, transport: RedisTransport) -> None:
    transport.send(order(1))
    redis_cluster.stop()
    for _ in range(2):
        with pytest.raises(TransportUnavailable) as caught:
            transport.send(order(2))
    text = str(caught.value)
    assert "\n" not in text
    for node in redis_cluster.nodes:
        assert f"127.0.0.1:{node.port}" in text.partition(" (db 0): ")[0]
    assert "Connection refused" in text
    redis_cluster.start()
    again(lambda: transport.send(order(2)))
    assert [number_of(take(transport)) for _ in range(2)] == [1, 2]


def test_a_cluster_without_enough_masters_is_said(redis_cluster: Cluster, transport: RedisTransport) -> None:
    transport.send(order(1))
    other = redis_cluster.other_than(redis_cluster.master_of(STREAM))
    if other.port in {node.ask("ROLE")[2] for node in redis_cluster.nodes if node not in redis_cluster.masters()}:
        other = next(node for node in redis_cluster.masters() if node not in (other, redis_cluster.master_of(STREAM)))
    other.stop(signal.SIGKILL)

    def refused() -> bool:
        try:
            transport.depth()
        except TransportUnavailable as error:
            return "cluster is down" in str(error)
        return False

    wait_until(refused, LONG, "the cluster says that it is down")
    other.start()
    again(transport.depth)


def test_the_same_dsn_without_a_list_is_one_server(redis_cluster: Cluster) -> None:
    node = redis_cluster.nodes[0]
    options = parse_redis_dsn("async", node.url(f"/{STREAM}"))
    assert options.nodes == ()
