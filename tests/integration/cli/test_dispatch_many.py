"""messenger dispatch --from and --count."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from tests.integration.cli.failing import edit
from tests.integration.cli.terminal import Terminal
from tests.integration.worker.project import LONG, Project
from tests.support.servers import wait_until


def names(project: Project, stream: str = "async") -> list[str]:
    """The names of the tasks in a stream, in its order."""
    with project.server.client() as client:
        entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange(stream))
    return [json.loads(json.loads(fields[b"message"])["body"])["name"] for _, fields in entries]


def tasks(*found: str) -> str:
    """A file with these tasks."""
    return "".join(json.dumps({"name": name}) + "\n" for name in found)


@contextmanager
def fed(project: Project, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`messenger dispatch Task --from -`, with its stdin held open by the test."""
    command = [sys.executable, "-m", "messenger.cli", "dispatch", "Task", "--from", "-", *arguments]
    with subprocess.Popen(
        command,
        cwd=project.directory,
        env=project.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def feed(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.flush()


# --- a file -------------------------------------------------------------------------------------------------------


def test_each_line_of_a_file_is_sent_in_order(project: Project) -> None:
    text = "\ufeff" + tasks("é 漢", "b").replace("\n", "\r\n") + "\n   \n" + '{"name": "c"}'
    project.write("tasks.jsonl", text)
    done = project.run("dispatch", "Task", "--from", "tasks.jsonl")
    assert done.stdout == "3 App\\Message\\Task sent to async\n"
    assert done.stderr == "", "no bar where nobody looks"
    assert names(project) == ["é 漢", "b", "c"]


def test_delay_and_transport_are_those_of_every_message(project: Project) -> None:
    project.write("tasks.jsonl", tasks("a", "b"))
    document = project.json("dispatch", "Task", "--from", "tasks.jsonl", "--transport", "high", "--delay", "3600000")
    assert document == {
        "type": "App\\Message\\Task",
        "status": "sent",
        "sent": 2,
        "transports": ["high"],
        "at": None,
        "error": None,
    }
    (high,) = [found for name, found in project.json("stats")["transports"].items() if name == "high"]
    assert (high["ready"], high["delayed"]) == (0, 2)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b'{"name": 5}', "the body does not fit tasks.Task"),
        (b'{"name": "a"', "the body does not fit tasks.Task"),
        (b'["a"]', "the body does not fit tasks.Task"),
        (b'{"name": "\xff"}', "it is not UTF-8"),
    ],
)
def test_nothing_of_a_file_is_sent_when_one_line_is_wrong(project: Project, line: bytes, error: str) -> None:
    (project.directory / "tasks.jsonl").write_bytes(
        tasks("a", "b").encode() + b"\n" + line + b"\n" + b'{"name": "c"}\n'
    )
    done = project.run("dispatch", "Task", "--from", "tasks.jsonl", code=1)
    assert done.stderr.startswith(f"messenger: tasks.jsonl line 4: {error}")
    assert done.stderr.endswith("; nothing was sent\n")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert names(project) == []


def test_what_only_the_transport_can_refuse_ends_it_and_says_what_was_sent(project: Project) -> None:
    edit(project, "messenger.yaml", "claim_interval: 200}", "claim_interval: 200, max_message_bytes: 1000}")
    project.write("tasks.jsonl", tasks("a", "b", "x" * 2000, "c"))
    done = project.run("dispatch", "Task", "--from", "tasks.jsonl", code=1)
    assert done.stderr.startswith("messenger: tasks.jsonl line 3: ")
    assert "max_message_bytes" in done.stderr
    assert done.stderr.endswith("; sent before it: 2\n")
    assert names(project) == ["a", "b"]


def test_a_redis_that_is_away_is_one_line(project: Project) -> None:
    project.server.stop()
    project.write("tasks.jsonl", tasks("a", "b"))
    done = project.run("dispatch", "Task", "--from", "tasks.jsonl", code=1)
    assert done.stderr.startswith(f"messenger: tasks.jsonl line 1: redis at 127.0.0.1:{project.server.port} ")
    assert done.stderr.count("\n") == 1


def test_an_empty_file_is_no_error(project: Project) -> None:
    project.write("tasks.jsonl", "\n")
    assert project.run("dispatch", "Task", "--from", "tasks.jsonl").stdout == "0 App\\Message\\Task sent\n"


def test_what_is_routed_nowhere_is_handled_here_until_one_fails(project: Project) -> None:
    config = project.directory / "messenger.yaml"
    config.write_text(config.read_text().replace("  routing:\n    'App\\Message\\Task': async\n", ""))
    project.write("tasks.jsonl", tasks("a", "b"))
    done = project.run("dispatch", "Task", "--from", "tasks.jsonl")
    assert done.stdout == "2 App\\Message\\Task handled here: it is routed to no transport\n"
    project.write("tasks.jsonl", tasks("c") + '{"name": "d", "do": "fail"}\n' + tasks("e"))
    failed = project.run("dispatch", "Task", "--from", "tasks.jsonl", code=1).stderr
    assert failed.startswith("messenger: tasks.jsonl line 2: ")
    assert failed.endswith("boom d; sent before it: 1\n")
    assert project.events("done") == ["done a", "done b", "done c"]


# --- a pipe -------------------------------------------------------------------------------------------------------


def test_stdin_is_sent_as_it_comes(project: Project) -> None:
    with fed(project) as process:
        feed(process, tasks("a"))
        wait_until(lambda: names(project) == ["a"], LONG, "the first line in Redis, before the second is written")
        feed(process, tasks("b"))
        out, err = process.communicate(timeout=LONG)
    assert (process.returncode, out, err) == (0, "2 App\\Message\\Task sent to async\n", "")
    assert names(project) == ["a", "b"]


def test_stdin_stops_at_the_bad_line_and_says_how_many_were_sent(project: Project) -> None:
    with fed(project) as process:
        out, err = process.communicate(tasks("a", "b") + "nonsense\n" + tasks("c"), timeout=LONG)
    assert (process.returncode, out) == (1, "")
    assert err.startswith("messenger: stdin line 3: the body does not fit tasks.Task")
    assert err.endswith("; sent before it: 2\n")
    assert names(project) == ["a", "b"]


def test_what_redis_does_not_confirm_ends_it_and_says_what_was_sent(project: Project) -> None:
    with fed(project, "--format", "json") as process:
        feed(process, tasks("a", "b"))
        wait_until(lambda: names(project) == ["a", "b"], LONG, "both in Redis")
        project.server.stop()
        out, _ = process.communicate(tasks("c", "d"), timeout=LONG)
    document = json.loads(out)
    assert (process.returncode, document["status"]) == (1, "failed")
    assert (document["sent"], document["at"]) == (2, "stdin line 3")
    assert document["error"].startswith(f"redis at 127.0.0.1:{project.server.port} ")


def test_a_pipe_with_a_name_is_read_once(project: Project) -> None:
    fifo = project.directory / "pipe"
    os.mkfifo(fifo)
    run = project.start("dispatch", "Task", "--from", "pipe")
    fifo.write_text(tasks("a", "b"))
    assert run.code() == 0, run.log
    assert names(project) == ["a", "b"]


def test_ctrl_c_says_how_many_were_sent(project: Project) -> None:
    with fed(project, "--format", "json") as process:
        feed(process, tasks("a", "b"))
        wait_until(lambda: names(project) == ["a", "b"], LONG, "both in Redis")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=LONG)
    document = json.loads(out)
    assert process.returncode == 1
    assert document["sent"] in (1, 2), "the second is in Redis, and its reply may not have been read"
    assert document["error"].startswith("interrupted")


# --- many times ---------------------------------------------------------------------------------------------------


def test_count_sends_the_same_message_so_many_times(project: Project) -> None:
    assert project.run("dispatch", "Task", '{"name": "a"}', "--count", "3").stdout == (
        "3 App\\Message\\Task sent to async\n"
    )
    assert names(project) == ["a"] * 3
    bad = project.run("dispatch", "Task", '{"name": 5}', "--count", "3", code=1).stderr
    assert bad.startswith("messenger: message 1 of 3: the body does not fit tasks.Task")
    assert names(project) == ["a"] * 3


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "give the message as JSON, or --from FILE"),
        (("{}", "--from", "tasks.jsonl"), "give the message as JSON, or --from FILE"),
        (("--count", "2", "--from", "tasks.jsonl"), "--count sends the message of the command line"),
        (("{}", "--count", "2", "--wait", "1"), "--wait waits for one message"),
        (("--from", "tasks.jsonl", "--wait", "1"), "--wait waits for one message"),
        (("{}", "--count", "0"), "--count"),
        (("--from", "nowhere.jsonl"), "'nowhere.jsonl' does not exist"),
        (("--from", "."), "is a directory"),
    ],
)
def test_wrong_usage(project: Project, arguments: tuple[str, ...], error: str) -> None:
    project.write("tasks.jsonl", tasks("a"))
    assert error in project.run("dispatch", "Task", *arguments, code=64).stderr
    assert names(project) == []


# --- at a terminal ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["tasks.jsonl", "pipe"])
def test_a_terminal_sees_a_bar(project: Project, source: str) -> None:
    project.write("tasks.jsonl", tasks(*map(str, range(50))))
    os.mkfifo(project.directory / "pipe")
    with Terminal(project, "dispatch", "Task", "--from", source) as terminal:
        if source == "pipe":
            (project.directory / "pipe").write_text(tasks(*map(str, range(50))))
        terminal.expect("Sending")
        assert terminal.code() == 0
        assert ("50/50" if source == "tasks.jsonl" else "50") in terminal.screen
        assert terminal.stdout == "50 App\\Message\\Task sent to async\n"


# --- memory -------------------------------------------------------------------------------------------------------

MEASURED = """
import sys, tracemalloc
from messenger.application import Application
from messenger.cli.bulk import Lines, dispatch_all
from messenger.cli.dispatch import find_class

application = Application.load("messenger.yaml")
cls = find_class(application.messages, "Task")
tracemalloc.start()
outcome = dispatch_all(application, cls, Lines(sys.argv[1]), [])
print(outcome.sent, tracemalloc.get_traced_memory()[1])
"""


def test_memory_does_not_grow_with_the_file(project: Project) -> None:
    def peak(count: int) -> int:
        path: Path = project.write(f"{count}.jsonl", tasks(*("x" * 1000 for _ in range(count))))
        command: list[Any] = [sys.executable, "-c", MEASURED, path]
        done = subprocess.run(
            command, cwd=project.directory, env=project.environment, capture_output=True, text=True, timeout=LONG
        )
        sent, found = map(int, done.stdout.split())
        assert sent == count, done.stderr
        return found

    assert peak(5000) - peak(50) < 100_000, "5000 lines of 1000 bytes are 5 MB"
