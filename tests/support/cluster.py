"""A real Redis Cluster for tests: three masters, and a replica of one of them, each a server of its own."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import redis
from redis.crc import key_slot

from tests.support.servers import START_SECONDS, RedisServer, free_port, wait_until

SLOTS = 16384
_FAILOVER_SECONDS = 6.0  # a planned failover that is not done in 5 s is given up by the server
WITH_REPLICA = "{orders}"  # the key whose master has the replica


class ClusterNode(RedisServer):
    """A redis-server that may join a cluster."""

    def __init__(self) -> None:
        super().__init__()
        self._bus_port = free_port()  # the default, port + 10000, may be too large or taken

    def command(self) -> Sequence[str]:
        options = {
            "cluster-enabled": "yes",
            "cluster-port": self._bus_port,
            "cluster-node-timeout": 1000,
            "cluster-replica-validity-factor": 0,  # its replica is promoted however long it has heard nothing
            "repl-diskless-sync-delay": 0,
        }
        return [*super().command(), *(part for name, value in options.items() for part in (f"--{name}", str(value)))]

    def ask(self, *words: object) -> Any:
        """The reply of this node, with text as str."""
        with redis.Redis(host="127.0.0.1", port=self.port, decode_responses=True) as client:
            return client.execute_command(*words)

    def cluster(self, *words: object) -> Any:
        """CLUSTER with these words, its reply as the server wrote it."""
        with redis.Redis(host="127.0.0.1", port=self.port) as client:
            client.response_callbacks.clear()
            reply = client.execute_command("CLUSTER", *words)
        return reply.decode() if isinstance(reply, bytes) else reply

    @property
    def id(self) -> str:
        """Its name in the cluster."""
        return str(self.cluster("MYID"))

    def meet(self, other: ClusterNode) -> None:
        self.cluster("MEET", "127.0.0.1", other.port, other._bus_port)


class Cluster:
    """A cluster whose data survives stop() and start(). It has the url() and client() of a RedisServer."""

    def __init__(self) -> None:
        self.nodes = [ClusterNode() for _ in range(4)]
        self._is_formed = False

    def url(self, path: str = "") -> str:
        """A DSN that names every node; `path` is appended, for example "/{stream}/group"."""
        nodes = ",".join(f"redis://127.0.0.1:{node.port}" for node in self.nodes)
        return f"{nodes}{'' if path[:1] in ('', '/', '?') else '/'}{path}"

    def client(self) -> Any:
        """A new client that finds the node of each key; close it."""
        nodes = [redis.cluster.ClusterNode("127.0.0.1", node.port) for node in self.nodes]  # type: ignore[no-untyped-call]
        return redis.RedisCluster(startup_nodes=nodes)

    def start(self) -> None:
        """Start what does not run, and return once the cluster takes commands and the replica has all data."""
        for node in self.nodes:
            node.start()
        if not self._is_formed:
            self._form()
        self._wait(self._is_whole, "the cluster is up")

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()

    def destroy(self) -> None:
        """End its servers and remove their data."""
        for node in self.nodes:
            node.destroy()

    def clear(self) -> None:
        """Remove every key; the slot of WITH_REPLICA is where a replica is, and stays."""
        slot = key_slot(WITH_REPLICA.encode())
        masters = self.masters()
        for node in masters:
            node.ask("FLUSHALL")
            node.cluster("SETSLOT", slot, "STABLE")
        (replica,) = (node for node in self.nodes if node not in masters)
        home = next(node for node in masters if node.port == replica.ask("ROLE")[2])
        if (there := self.master_of(WITH_REPLICA)) is not home:
            self.begin_move(WITH_REPLICA, there, home)
            self.end_move(WITH_REPLICA, home)

    # --- who is what -----------------------------------------------------------------------------------------------

    def masters(self) -> list[ClusterNode]:
        return [node for node in self.nodes if node.running and node.ask("ROLE")[0] == "master"]

    def master_of(self, key: str) -> ClusterNode:
        """The master that holds this key's slot, as most of the cluster has it."""
        slot = key_slot(key.encode())
        for start, end, master, *_ in self._anybody().cluster("SLOTS"):
            if start <= slot <= end:
                return next(node for node in self.nodes if node.port == master[1])
        raise AssertionError(f"nobody holds slot {slot}")

    def replica_of(self, master: ClusterNode) -> ClusterNode:
        for node in self.nodes:
            role = node.ask("ROLE") if node.running else [None]
            if role[0] == "slave" and role[2] == master.port:
                return node
        raise AssertionError(f"{master.port} has no replica")

    def hand_over(self, key: str, replica: ClusterNode) -> None:
        """Have a replica take the place of the master of this key, as an operator does before maintenance."""
        asked_at = float("-inf")

        def done() -> bool:
            nonlocal asked_at
            if self.master_of(key) is replica:
                return True
            if time.monotonic() - asked_at > _FAILOVER_SECONDS:
                with suppress(redis.ResponseError):  # it may have become the master just now
                    replica.cluster("FAILOVER")
                asked_at = time.monotonic()
            return False

        wait_until(done, 3 * START_SECONDS, "the replica is master")

    def other_than(self, master: ClusterNode) -> ClusterNode:
        """Another master."""
        return next(node for node in self.masters() if node is not master)

    # --- moving a slot ---------------------------------------------------------------------------------------------

    def begin_move(self, key: str, source: ClusterNode, target: ClusterNode) -> None:
        """From now on, what source does not have of this key's slot is asked of target."""
        slot = key_slot(key.encode())
        target.cluster("SETSLOT", slot, "IMPORTING", source.id)
        source.cluster("SETSLOT", slot, "MIGRATING", target.id)

    def move_keys(self, source: ClusterNode, target: ClusterNode, *keys: str) -> None:
        source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 10_000, "KEYS", *keys)

    def end_move(self, key: str, target: ClusterNode) -> None:
        """Target holds the slot."""
        slot = key_slot(key.encode())
        for node in sorted(self.masters(), key=lambda node: node is not target):  # the new holder first
            node.cluster("SETSLOT", slot, "NODE", target.id)

    # --- coming up -------------------------------------------------------------------------------------------------

    def _form(self) -> None:
        first, *others = self.nodes
        *masters, replica = self.nodes
        for number, node in enumerate(masters):
            start, end = number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1
            node.cluster("ADDSLOTSRANGE", start, end)
            node.cluster("SET-CONFIG-EPOCH", number + 1)
        for other in others:
            first.meet(other)
        self._wait(lambda: all(self._knows_all(node) for node in self.nodes), "every node knows the others")
        replica.cluster("REPLICATE", self.master_of(WITH_REPLICA).id)
        self._is_formed = True

    def _knows_all(self, node: ClusterNode) -> bool:
        known = str(node.cluster("NODES"))
        return "handshake" not in known and _info(node, "cluster_slots_ok") == SLOTS and known.count("\n") == 4

    def _is_whole(self) -> bool:
        up = all(
            _info(node, "cluster_state") == "ok" and _info(node, "cluster_slots_ok") == SLOTS for node in self.nodes
        )
        roles = [node.ask("ROLE") for node in self.nodes]
        replicas = [role for role in roles if role[0] == "slave"]
        return up and len(replicas) == 1 and replicas[0][3] == "connected"

    def _anybody(self) -> ClusterNode:
        return next(node for node in self.nodes if node.running)

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        wait_until(condition, START_SECONDS, what)


def _info(node: ClusterNode, name: str) -> Any:
    found = re.search(rf"{name}:(\w+)", str(node.cluster("INFO")))
    assert found is not None
    return int(found[1]) if found[1].isdigit() else found[1]
