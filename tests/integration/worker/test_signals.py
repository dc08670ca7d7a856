"""Stopping by signal: the current message is finished, and nothing is lost even when it is not."""

from __future__ import annotations

import signal
from typing import cast

import pytest

from tests.integration.worker.project import TASKS, Project

STOPPING = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_lets_the_current_message_finish(project: Project, number: signal.Signals) -> None:
    project.send("a", "wait")
    project.send("b")
    worker = project.worker()
    project.wait_for_event("start a")
    worker.signal(number)
    worker.signal(number)
    project.go("a")
    assert worker.code() == 0
    assert project.events() == ["start a", "done a"]
    assert f"reason='{number.name}' handled=1" in worker.log
    assert project.left() == (1, 0, 0)


@pytest.mark.parametrize("number", STOPPING)
def test_an_idle_worker_leaves_at_once(project: Project, number: signal.Signals) -> None:
    worker = project.worker("async", "--sleep", "1000")
    worker.signal(number)
    assert worker.code() == 0, "it must not wait for the end of its 1000 s read"


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGWINCH])
def test_a_signal_of_the_configuration_lets_the_message_finish(project: Project, number: signal.Signals) -> None:
    text = (project.directory / "messenger.yaml").read_text()
    project.write("messenger.yaml", text + "  stop_worker_on_signals: [SIGUSR1, 28]\n")
    project.send("a", "wait")
    worker = project.worker()
    project.wait_for_event("start a")
    worker.signal(number)
    project.go("a")
    assert worker.code() == 0
    assert project.events() == ["start a", "done a"]
    assert f"reason='{number.name}' handled=1" in worker.log


@pytest.mark.parametrize("disposition", ["SIG_IGN", "lambda *_: event('seen', 'HUP')"])
def test_a_sighup_that_is_ignored_or_the_applications_own_stops_nothing(project: Project, disposition: str) -> None:
    project.write("tasks.py", f"{TASKS}\n\nfrom signal import *\nsignal(SIGHUP, {disposition})\n")
    worker = project.worker()
    worker.signal(signal.SIGHUP)
    project.send("a")
    project.wait_for_event("done a")
    worker.signal(signal.SIGTERM)
    assert worker.code() == 0
    assert "reason='SIGTERM'" in worker.log
    assert ("seen HUP" in project.events()) == (disposition != "SIG_IGN")


def test_a_worker_that_leaves_takes_its_consumer_and_its_registration_with_it(project: Project) -> None:
    project.send("a")
    worker = project.worker()
    project.wait_for_event("done a")
    (registered,) = project.wait_for_workers(1)
    with project.server.client() as client:
        consumers = cast("list[dict[str, bytes]]", client.xinfo_consumers("async", "symfony"))
        assert [consumer["name"].decode() for consumer in consumers] == [registered.id]
        worker.signal(signal.SIGTERM)
        assert worker.code() == 0
        assert client.xinfo_consumers("async", "symfony") == []
    assert project.registered() == []


def quick_lease(project: Project, seconds: int = 2) -> None:
    text = (project.directory / "messenger.yaml").read_text()
    project.write(
        "messenger.yaml", text.replace("claim_interval: 200", f"claim_interval: 200, redeliver_timeout: {seconds}")
    )


def test_kill_9_loses_nothing_and_the_second_run_says_so(project: Project) -> None:
    quick_lease(project)
    project.send("a", "wait")
    first = project.worker()
    project.wait_for_event("start a")
    first.kill()
    project.go("a")
    second = project.worker("async", "--limit", "1")
    assert second.code() == 0
    assert project.events() == ["start a", "start a", "done a"]
    assert "delivery=2" in second.log
    assert project.left() == (0, 0, 0)


def test_several_that_were_killed_at_once_leave_all_they_held(project: Project) -> None:
    quick_lease(project, 1)
    for name in "abc":
        project.send(name, "wait")
    workers = [project.worker() for _ in range(3)]
    for name in "abc":
        project.wait_for_event(f"start {name}")
    for worker in workers:
        worker.kill()
    for name in "abc":
        project.go(name)
    assert project.worker("async", "--limit", "3").code() == 0
    assert sorted(project.events("done")) == ["done a", "done b", "done c"]


def test_a_handler_longer_than_the_lease_is_not_run_twice(project: Project) -> None:
    quick_lease(project, 1)
    project.send("a", "wait")
    busy = project.worker("async", "--limit", "1")
    project.wait_for_event("start a")
    other = project.worker()
    project.send("b", "sleep 2.5")  # meanwhile two and a half leases of `a` go by
    project.wait_for_event("done b")
    project.go("a")
    assert busy.code() == 0
    other.signal(signal.SIGTERM)
    assert other.code() == 0
    assert project.events("start").count("start a") == 1
    assert project.left() == (0, 0, 0)


def test_a_worker_that_was_frozen_past_its_lease_does_no_harm(project: Project) -> None:
    quick_lease(project, 1)
    project.send("a", "wait")
    frozen = project.worker("async", "--limit", "1")
    project.wait_for_event("start a")
    frozen.signal(signal.SIGSTOP)
    other = project.worker("async", "--limit", "1")
    project.wait_for_event("start a", times=2)
    project.go("a")
    assert other.code() == 0
    frozen.signal(signal.SIGCONT)
    assert frozen.code() == 0
    assert "already_gone" in frozen.log
    assert "delivery=2" in other.log
    assert project.left() == (0, 0, 0)
    assert project.json("failed", "show")["messages"] == []


REPLACED = {
    "ignored": "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "default": "signal.signal(signal.SIGTERM, signal.SIG_DFL)",
    "own": "signal.signal(signal.SIGTERM, lambda *_: None)",
    "loop": "asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, print)",
}


@pytest.mark.parametrize("how", REPLACED)
def test_a_handler_that_takes_the_signals_of_the_worker_does_not_keep_them(project: Project, how: str) -> None:
    tasks = TASKS.replace("    act(task)\n", f"    {REPLACED[how]}\n    act(task)\n")
    tasks = tasks.replace("@handler\ndef on_task", "@handler\nasync def on_task")
    project.write("tasks.py", f"import signal\n{tasks}")
    project.send("a")
    worker = project.worker()
    worker.wait_for("signal_taken_back SIGTERM")
    worker.signal(signal.SIGTERM)
    assert worker.code() == 0
    assert "reason='SIGTERM' handled=1" in worker.log
    assert worker.log.count("signal_taken_back") == 1
