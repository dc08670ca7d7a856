"""messenger consume --stop-when-empty."""

from __future__ import annotations

from tests.integration.cli.terminal import Terminal
from tests.integration.worker.project import Project


def test_it_ends_when_nothing_is_ready_in_any_of_its_transports(project: Project) -> None:
    for name in ("a", "b"):
        project.send(name)
        project.send(f"high {name}", stream="high")
    worker = project.worker("high", "async", "--stop-when-empty")
    assert worker.code() == 0
    assert project.events("done") == ["done high a", "done high b", "done a", "done b"]
    assert "reason='nothing is ready'" in worker.log
    assert "message_handled" in worker.log, "no terminal, so the log is as ever"


def test_it_is_a_limit_and_delayed_messages_stay(project: Project) -> None:
    project.run("dispatch", "Task", "{}", "--delay", "3600000")
    project.send("a")
    assert project.worker("async", "--stop-when-empty", "--exit-on-limit", "9").code() == 9
    assert project.events("done") == ["done a"]
    assert project.left() == (0, 0, 1)


def test_what_others_have_in_hand_is_not_waited_for(project: Project) -> None:
    other = project.worker("async")
    project.send("slow", "wait")
    project.wait_for_event("start slow")
    project.send("a")
    assert project.worker("async", "--stop-when-empty").code() == 0
    project.go("slow")
    project.wait_for_event("done slow")
    assert project.events() == ["start slow", "start a", "done a", "done slow"]
    assert other.process.poll() is None


def test_a_message_that_waits_for_a_token_is_waited_for(project: Project) -> None:
    text = (project.directory / "messenger.yaml").read_text()
    text = text.replace("claim_interval: 200}", "claim_interval: 200}\n      rate_limiter: gateway")
    project.write("messenger.yaml", f"{text}  rate_limiters:\n    gateway: {{limit: 1, interval: 2}}\n")
    for name in ("a", "b"):
        project.send(name)
    worker = project.worker("async", "--stop-when-empty", "--sleep", "0.1")
    assert worker.code() == 0
    assert project.events("done") == ["done a", "done b"]


def test_a_terminal_sees_a_bar_and_warnings_above_it(project: Project) -> None:
    for number in range(20):
        project.send(str(number))
    project.send("bad", "give-up")
    with Terminal(project, "consume", "async", "--stop-when-empty") as terminal:
        terminal.expect("Draining")
        terminal.expect("\r\x1b[K")
        terminal.expect("hopeless bad")
        terminal.expect("20 handled, 1 failed; stopped: nothing is ready")
        assert terminal.code() == 0
        assert "21/21" in terminal.screen
        assert "message_handled" not in terminal.screen
        assert terminal.stdout == ""


def test_a_terminal_sees_the_log_when_it_asks_for_it(project: Project) -> None:
    project.send("a")
    project.send("b")
    with Terminal(project, "consume", "async", "--stop-when-empty", "--verbose") as terminal:
        terminal.expect("message_handled")
        assert terminal.code() == 0
        assert "Draining" not in terminal.screen
