"""How a worker starts, what it waits for, and how it refuses."""

from __future__ import annotations

import signal
import time

import pytest

from tests.integration.worker.project import TASKS, Project


def test_it_waits_for_a_redis_that_is_not_there_yet(project: Project) -> None:
    project.server.stop()
    worker = project.start("consume", "async", "--limit", "1")
    where = f"127.0.0.1:{project.server.port}"
    worker.wait_for(f"waiting_for redis at {where}", times=2)
    project.server.start()
    project.send("a")
    assert worker.code() == 0
    assert project.events() == ["start a", "done a"]


def test_a_signal_ends_that_wait(project: Project) -> None:
    project.server.stop()
    worker = project.start("consume", "async")
    worker.wait_for("waiting_for redis")
    worker.signal(signal.SIGTERM)
    assert worker.code() == 0


def test_it_waits_when_redis_refuses_it_and_never_shows_the_password(project: Project) -> None:
    dsn = f"redis://ann:s3cr3t@127.0.0.1:{project.server.port}"
    worker = project.start("consume", "async", MESSENGER_TRANSPORT_DSN=dsn)
    worker.wait_for("waiting_for redis at")
    assert "the password or user was refused" in worker.log
    assert "user ann" in worker.log
    with project.server.client() as client:
        client.execute_command("ACL", "SETUSER", "ann", "on", ">s3cr3t", "~*", "+@all")
    worker.started()
    assert "s3cr3t" not in worker.log
    with project.server.client() as client:
        client.execute_command("ACL", "DELUSER", "ann")


def test_it_goes_on_when_redis_was_away_for_a_while(project: Project) -> None:
    worker = project.worker("async", "--limit", "2")
    project.send("a")
    project.wait_for_event("done a")
    project.server.stop()
    worker.wait_for("waiting_for redis")
    project.server.start()
    project.send("b")
    assert worker.code() == 0
    assert "back transport=async" in worker.log
    assert project.events("done") == ["done a", "done b"]


def test_a_message_that_was_handled_while_redis_is_away_is_acknowledged_once_it_is_back(project: Project) -> None:
    project.send("a", "wait")
    worker = project.worker("async", "--limit", "1")
    project.wait_for_event("start a")
    project.server.stop()
    project.go("a")
    worker.wait_for("not_settled transport=async")
    project.server.start()
    assert worker.code() == 0
    assert project.events() == ["start a", "done a"]
    assert project.left() == (0, 0, 0)


def test_what_was_assumed_is_said(project: Project) -> None:
    text = (project.directory / "messenger.yaml").read_text()
    project.write("messenger.yaml", text.replace("  failure_transport: failed\n", ""))
    worker = project.worker()
    assert worker.log.count("using the transport 'failed' for failed messages") == 1


def test_it_says_on_which_release_it_is(project: Project) -> None:
    project.write("REVISION", "20261124T000000Z-aaaaaaaa\n")
    assert "release=20261124T000000Z-aaaaaaaa" in project.worker().log


def test_an_application_that_cannot_be_imported_is_code_78_and_one_line(project: Project) -> None:
    project.write("tasks.py", "import no_such_library\n")
    done = project.run("consume", "async", code=78)
    assert done.stdout == ""
    assert done.stderr == (
        f"messenger: {project.directory}/messenger.yaml: handlers: cannot import 'tasks': ModuleNotFoundError: "
        f"No module named 'no_such_library' ({project.directory}/tasks.py:1)\n"
    )


def test_the_file_may_be_named_and_its_directory_counts(project: Project) -> None:
    place = str(project.directory / "messenger.yaml")
    for arguments, environment in [(("--config", place), {}), ((), {"MESSENGER_CONFIG": place})]:
        run = project.start(*arguments, "consume", "async", "--time-limit", "0.1", **environment)
        assert run.code() == 0
    missing = project.run("--config", "/nowhere.yaml", "consume", "async", code=78)
    assert missing.stderr == "messenger: /nowhere.yaml: no such file; name it with --config or MESSENGER_CONFIG\n"


@pytest.mark.parametrize(("arguments", "code"), [(("async",), 78), (("--nonsense",), 64)])
def test_under_supervisor_it_pauses_before_it_fails(project: Project, arguments: tuple[str, ...], code: int) -> None:
    if code == 78:
        project.write("tasks.py", "import no_such_library\n")
    begin = time.monotonic()
    assert project.start("consume", *arguments, SUPERVISOR_ENABLED="1").code() == code
    assert time.monotonic() - begin >= 2.0, "a pause of two seconds; a slow machine only makes it longer"


def test_the_env_file_is_the_environment_of_the_handlers_and_what_is_set_wins(project: Project) -> None:
    project.write(".env", "NOTE='from-$the-file'\nTEST_DIRECTORY=/nowhere\n")
    project.write("tasks.py", TASKS.replace("def act(task):", 'def act(task):\n    event("note", os.environ["NOTE"])'))
    project.send("a")
    assert project.start("consume", "async", "--limit", "1").code() == 0
    assert project.events() == ["start a", "note from-$the-file", "done a"]
