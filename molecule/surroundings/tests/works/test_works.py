"""After site.yml on hosts that are not as a fresh Debian is: everything works, and what was there is as it was."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

# From outside: whoever logs in to `account` cannot become root by sudo.
testinfra_hosts = ["podman://kit-surroundings-account", "podman://kit-surroundings-services"]


@pytest.fixture
def workers(app: App, wait_until: Callable[..., None]) -> list[dict[str, Any]]:
    """The workers of the host. Supervisor may have been restarted just now."""
    wait_until(lambda: [row["state"] for row in app.workers()] == ["idle", "idle"], "two workers are idle")
    return app.workers()


def test_workers_run_and_handle_messages(app: App, workers: list[dict[str, Any]]) -> None:
    assert [row["process"] for row in workers] == ["messenger-consume_00", "messenger-consume_01"]
    assert {row["release"] for row in workers} == {app.release}
    assert app.send_and_wait("surrounded")["status"] == "handled"


def test_a_pool_s_settings_are_in_force(host: Host, app: App, workers: list[dict[str, Any]]) -> None:
    supervisord = "$(supervisorctl -c /etc/supervisor/supervisord.conf pid)"
    nice = int(host.check_output(f"ps -o ni= -p {supervisord}"))  # that of whoever runs the scenario
    for row in workers:
        environment = host.check_output(f"tr '\\0' '\\n' < /proc/{row['pid']}/environ").splitlines()
        assert f"MESSENGER_CONSUMER_NAME={row['process']}" in environment
        assert "KIT_SWITCH=true" in environment
        assert int(host.check_output(f"ps -o ni= -p {row['pid']}")) == min(19, nice + 5)
        assert host.file(f"{app.root}/shared/log/{row['process']}.err.log").is_file


def test_commands_are_found_without_sbin(host: Host, app: App) -> None:
    for words in ("workers", "stats"):
        command = ["env", "-i", "PATH=/usr/bin:/bin", f"{app.root}/bin/messenger", words]
        assert host.run(shlex.join(command)).rc == 0


def test_what_the_application_must_read_is_readable(host: Host, app: App) -> None:
    assert host.file(f"{app.root}/shared/config/messenger.env").mode == 0o640
    assert host.file(app.root).mode & 0o001, "the application's user enters it"


def test_pip_s_settings_put_nothing_elsewhere(host: Host) -> None:
    assert not host.file("/opt/elsewhere").exists
    assert not host.file("/root/.local").exists


def test_srv_may_be_a_link(host: Host, app: App) -> None:
    if host.file("/srv").is_symlink:
        assert host.file("/srv").linked_to == "/mnt/data/srv"
        assert host.file(f"/mnt/data{app.root}/current").is_symlink


def test_the_redis_that_was_there_is_as_it_was(host: Host) -> None:
    redis = "REDISCLI_AUTH=the-password-it-has-already redis-cli"
    assert host.check_output(f"{redis} ping") == "PONG"
    assert "NOAUTH" in host.run("redis-cli ping").stdout
    if host.file("/root/second.pid").exists:
        assert "unknown command" in host.run(f"{redis} flushall").stdout
        assert host.check_output(f"{redis} configure-this-server get appendonly").split() == ["appendonly", "yes"]


def test_the_supervisors_that_were_there_are_as_they_were(host: Host) -> None:
    if not host.file("/root/second.pid").exists:
        return
    socket = host.file("/run/supervisor.sock")
    assert (socket.mode, socket.user, socket.group) == (0o770, "root", "deploy")
    control = "supervisorctl -c /etc/supervisor/supervisord.conf status other"
    assert " RUNNING " in host.check_output(control)
    assert host.file("/run/second.pid").content_string == host.file("/root/second.pid").content_string
    assert " RUNNING " in host.check_output("supervisorctl -c /etc/supervisord.conf status second")
