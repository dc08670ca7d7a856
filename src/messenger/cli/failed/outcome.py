"""Going through failed messages one after the other, and what is said in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from messenger.cli.common import print_json
from messenger.cli.terminal import Progress, say
from messenger.envelope import AnyEnvelope
from messenger.errors import MessengerError, TransportUnavailable
from messenger.failure.store import FailedMessages, NotRemoved

Work = Callable[[AnyEnvelope], str]
"""Does it, and says what was done: "sent to 'async'". Raises MessengerError with the message still there, or Enough."""


class Enough(Exception):
    """The operator ended the command."""


@dataclass
class RoundOutcome:
    """The results for the messages of one command.

    Attributes:
        done: What was done, by message id.
        problems: What went wrong, by message id; those messages stay.
        gone: Ids of messages that another process took first.
        left: Ids of messages that were not tried, because the command ended early.
        by_choice: True when the operator ended it.
    """

    done: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    by_choice: bool = False

    @property
    def exit_code(self) -> int:
        """0, or 1 when a message is not as intended."""
        return 1 if self.problems or (self.left and not self.by_choice) else 0


@dataclass
class Round:
    """One pass through a list of messages.

    Attributes:
        work: What to do with each message.
        undone: Text for a message for which that failed, such as "not retried".
        named: True when the operator gave the ids; then a missing message is a problem.
        quiet: Print nothing for a message that went well.
    """

    store: FailedMessages
    work: Work
    undone: str
    named: bool
    quiet: bool

    def go(self, ids: Sequence[str], label: str = "") -> RoundOutcome:
        """Go through the messages. An unavailable server, or Ctrl-C, ends the pass; what was done stays done.

        Args:
            ids: Ids of the messages.
            label: Text of the progress bar; "" for none.
        """
        outcome = RoundOutcome(left=list(reversed(ids)))
        with Progress(len(ids), label) as progress:
            try:
                go_on = True
                while outcome.left and go_on:
                    go_on = self._one(outcome.left[-1], outcome, progress)
                    outcome.left.pop()
                    progress.step()
            except Enough:
                outcome.by_choice = True
            except KeyboardInterrupt:
                progress.line("interrupted", err=True)
        outcome.left.reverse()
        return outcome

    def _one(self, message_id: str, outcome: RoundOutcome, progress: Progress) -> bool:
        """False when there is no point in going on."""
        try:
            envelope = self.store.find(message_id)
            if envelope is not None:
                outcome.done[message_id] = done = self.work(envelope)
                if not self.quiet:
                    progress.line(f"{message_id}: {done}")
            elif self.named:
                problem = f"no message {message_id!r} in {self.store.name!r}; `messenger failed show` lists them"
                self._problem(message_id, problem, outcome, progress)
            else:
                outcome.gone.append(message_id)
        except NotRemoved as error:
            self._problem(message_id, str(error), outcome, progress)
        except MessengerError as error:
            self._problem(message_id, f"{self.undone}, it stays in {self.store.name!r}: {error}", outcome, progress)
            return not isinstance(error, TransportUnavailable)
        return True

    def _problem(self, message_id: str, text: str, outcome: RoundOutcome, progress: Progress) -> None:
        outcome.problems[message_id] = text
        progress.line(f"{message_id}: {text}", err=True)


def print_outcome(store: FailedMessages, outcome: RoundOutcome, output: str, *, with_totals: bool) -> int:
    """Say what became of them; returns the exit code."""
    if output == "json":
        print_json(
            {
                "transport": store.name,
                "done": outcome.done,
                "problems": outcome.problems,
                "gone": outcome.gone,
                "left": outcome.left,
            }
        )
        return outcome.exit_code
    if with_totals:
        for done, count in Counter(outcome.done.values()).items():
            say(f"{count} {done}")
        if not outcome.done and not outcome.problems and not outcome.left:
            say(f"nothing to do in {store.name!r}")
    for ids, text in ((outcome.gone, "meanwhile gone from"), (outcome.left, "not tried; still in")):
        if ids:
            say(f"{len(ids)} {text} {store.name!r}", err=True)
    return outcome.exit_code
