"""TAB: what a shell is offered, by a real bash and by click's own protocol."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.integration.cli.failing import fail, ids
from tests.integration.worker.project import Project


def offered(project: Project, words: str, *, shell: str = "bash") -> list[str]:
    """What is offered for the last of these words."""
    environment = project.environment | {
        "_MESSENGER_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    code = "from messenger.cli import main; import sys; sys.argv[0] = 'messenger'; main()"
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=project.directory, env=environment, capture_output=True, text=True, check=False)
    assert found.stderr == ""
    return [line.split(",", 1)[1] for line in found.stdout.split()]


def test_commands(project: Project) -> None:
    assert offered(project, "messenger sto") == ["stop-workers"]


@pytest.mark.parametrize("command", ["consume", "stats", "setup-transports"])
def test_transports_those_given_already_left_out(project: Project, command: str) -> None:
    assert offered(project, f"messenger {command} ") == ["async", "high", "failed"]
    assert offered(project, f"messenger {command} async h") == ["high"]


@pytest.mark.parametrize("option", ["consume --all --exclude", "dispatch Task {} --transport"])
def test_transports_as_the_value_of_an_option(project: Project, option: str) -> None:
    assert offered(project, f"messenger {option} hi") == ["high"]


def test_failure_transports_and_ids_of_failed_messages(project: Project) -> None:
    fail(project, "a", "b")
    assert offered(project, "messenger failed show --transport ") == ["failed"]
    assert offered(project, "messenger failed retry ") == ids(project)


def test_a_broken_configuration_or_a_server_that_is_away_offers_nothing(project: Project) -> None:
    project.write("messenger.yaml", "messenger: {transports: {a: 'redis://127.0.0.1:1'}, failure_transport: a}")
    assert offered(project, "messenger failed show ") == []
    project.write("messenger.yaml", "messenger: [")
    assert offered(project, "messenger consume ") == []


def test_bash_completes_with_the_script_that_is_printed(project: Project) -> None:
    script = project.write("complete.bash", project.run("completion", "bash").stdout)
    bin_directory = project.directory / "bin"
    bin_directory.mkdir()
    wrapper = bin_directory / "messenger"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} -m messenger.cli "$@"\n')
    wrapper.chmod(0o755)
    ask = (
        f"source {script}; COMP_WORDS=(messenger consume hi); COMP_CWORD=2; _messenger_completion messenger; "
        'echo "${COMPREPLY[@]}"'
    )
    environment = project.environment | {"PATH": f"{bin_directory}:{os.environ['PATH']}"}
    bash = ["bash", "--norc", "-c", ask]
    found = subprocess.run(bash, cwd=project.directory, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["high"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_script_too(project: Project, shell: str) -> None:
    assert "_MESSENGER_COMPLETE" in project.run("completion", shell).stdout
