"""A program that sends deduplicated messages to the project's workers, and a look at their locks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from messenger import DeduplicateStamp, DelayStamp, DuplicateOfStamp, MessageIdsStamp, SentStamp, message
from messenger.application import Application
from messenger.envelope import AnyEnvelope
from messenger.stamps import Stamp
from tests.integration.worker.project import Project

KEY = "report 7 of {Zoë}"


@message(name="App\\Message\\Task")
@dataclass
class Task:
    """As in the project's tasks.py."""

    name: str = "t"
    do: str = ""


@dataclass(frozen=True)
class Lock:
    """owner: the id of a message. milliseconds: until it expires."""

    owner: str
    milliseconds: int


Condition = Callable[[Lock | None], bool]


class Sender:
    """Sends tasks with one key. It has the project's messenger.yaml, without its handlers."""

    def __init__(self, project: Project, more: str = "") -> None:
        self._project = project
        text = (project.directory / "messenger.yaml").read_text().replace("  handlers: [tasks]\n", more)
        self.application = Application.load(project.write("sender.yaml", text), project.environment)

    def send(
        self, name: str, do: str = "", *, ttl: float = 300.0, delay: int | None = None, only_in_queue: bool = False
    ) -> AnyEnvelope:
        """Dispatch a task. ttl: seconds. delay: milliseconds."""
        stamps: list[Stamp] = [DeduplicateStamp(KEY, ttl, only_in_queue)]
        if delay is not None:
            stamps.append(DelayStamp(delay))
        return self.application.dispatch(Task(name, do), stamps)

    def is_refused(self) -> bool:
        """Whether one more task with the key is a duplicate of the one that has the lock."""
        before = self.lock()
        envelope = self.send("duplicate")
        refused = envelope.last(SentStamp) is None
        assert envelope.last(DuplicateOfStamp) == (DuplicateOfStamp(before.owner) if refused and before else None)
        return refused

    def lock(self) -> Lock | None:
        """The lock of the key."""
        name = f"test:deduplicate:{KEY}"
        with self._project.server.client() as client:
            owner, milliseconds = client.pipeline().get(name).pttl(name).execute()
        return Lock(owner.decode(), milliseconds) if owner is not None else None

    def shorten_lock(self, milliseconds: int) -> None:
        """Let the lock expire so soon."""
        with self._project.server.client() as client:
            assert client.pexpire(f"test:deduplicate:{KEY}", milliseconds)

    def wait_for_lock(self, condition: Condition, what: str) -> None:
        """Wait until the lock is so."""
        self._project.wait_until(lambda: condition(self.lock()), f"{what}; it is {self.lock()}")

    def wait_until_free(self) -> None:
        """Wait until nobody has the lock."""
        self.wait_for_lock(lambda lock: lock is None, "the key is free")


@contextmanager
def sender(project: Project, more: str = "") -> Iterator[Sender]:
    """A sender; closed afterwards. more: lines for its messenger.yaml."""
    made = Sender(project, more)
    yield made
    made.application.close()


def id_of(envelope: AnyEnvelope) -> str:
    """The message id."""
    ids = envelope.last(MessageIdsStamp)
    assert ids is not None
    return ids.message_id
