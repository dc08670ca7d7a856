"""worker1 and worker2: files, services, and the workers that Supervisor keeps alive."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://workers"]

PROCESSES = 3
PASSWORD = "pw%20'\"$w$ #/ of & sms"  # molecule.yml


def test_service_runs_and_starts_at_boot(host: Host) -> None:
    service = host.service("supervisor")
    assert service.is_running
    assert service.is_enabled


def test_systemd_gives_the_workers_their_stop_time(host: Host) -> None:
    limit = host.check_output("systemctl show supervisor --property TimeoutStopUSec --value")
    assert limit == "2min", "stop_timeout of the pool (molecule.yml) and half a minute"
    assert host.check_output("systemctl show supervisor --property KillMode --value") == "control-group"


def test_socket_is_for_root_only(host: Host) -> None:
    assert host.file("/var/run/supervisor.sock").mode == 0o700


@pytest.mark.parametrize(
    ("path", "user", "mode"),
    [
        ("shared/config/messenger.env", "root", 0o640),
        ("shared/config/messenger-worker.conf", "root", 0o644),
        ("shared/config/redis-ca.pem", "root", 0o640),
        ("shared/log", "root", 0o750),
        ("shared/log/audit.jsonl", "root", 0o640),
        ("shared/var", "sms", 0o750),
        ("bin/messenger", "root", 0o750),
        ("releases", "root", 0o750),
        ("environments", "root", 0o750),
        (".", "root", 0o751),
    ],
)
def test_files(host: Host, app: App, path: str, user: str, mode: int) -> None:
    file = host.file(f"{app.root}/{path}")
    assert (file.user, oct(file.mode)) == (user, oct(mode))


def test_only_its_data_is_the_applications(host: Host, app: App) -> None:
    find = f"find {app.root} ! -type l"
    owned = host.check_output(f"{find} -user sms -o ! -type l -user sms-build").splitlines()
    assert owned
    assert [path for path in owned if not path.startswith(f"{app.root}/shared/var")] == []
    writable = host.run("runuser -u sms -- find / -xdev -writable ! -type l ! -path '/proc/*'").stdout.splitlines()
    assert f"{app.root}/shared/var" in writable
    assert [path for path in writable if path.startswith(app.root) and path not in owned] == []


def test_conf_is_linked_from_supervisor_and_not_into_a_release(host: Host, app: App) -> None:
    link = host.file("/etc/supervisor/conf.d/messenger-worker.conf")
    assert link.is_symlink
    assert link.linked_to == f"{app.root}/shared/config/messenger-worker.conf"


def test_no_key_of_redis_is_here(host: Host, app: App) -> None:
    assert "BEGIN CERTIFICATE" in host.file(f"{app.root}/shared/config/redis-ca.pem").content_string
    assert host.run(f"grep -rl 'PRIVATE KEY' /etc/redis {app.root}/shared").stdout == ""


def test_release(host: Host, app: App) -> None:
    current = host.file(f"{app.root}/current")
    assert current.is_symlink
    assert host.file(f"{app.root}/current/REVISION").content_string == f"{app.release}\n"
    assert host.file(f"{app.root}/current/.env").linked_to == f"{app.root}/shared/config/messenger.env"
    interpreter = host.check_output(f"head -n 1 {app.root}/current/venv/bin/messenger")
    assert interpreter.startswith(f"#!{app.root}/releases/{app.release}/venv/bin/python")


def test_two_deploys_of_the_same_leave_one_line_in_the_audit_trail(app: App) -> None:
    assert [(line["what"], line["outcome"], line["release"], line["from"]) for line in app.audit()] == [
        ("deploy", "ok", app.release, "")
    ]


def test_release_says_who_built_it(host: Host, app: App) -> None:
    built = json.loads(host.file(f"{app.root}/current/release.json").content)
    assert built["by"] == app.audit()[0]["who"]
    assert "@" in built["by"]
    assert app.release.endswith(f"-{built['fingerprint'][:8]}")
    assert len(built["fingerprint"]) == 64


def test_the_lock_of_the_fleet_was_given_back(host: Host) -> None:
    assert not host.file("/var/lib/messenger-kit/sms.lock").exists


def test_every_worker_is_registered_and_ready(host: Host, app: App) -> None:
    rows = app.workers()
    assert Counter(row["host"] for row in rows) == {"worker1": PROCESSES, "worker2": PROCESSES}
    assert {row["release"] for row in rows} == {app.release}
    assert {row["state"] for row in rows} == {"idle"}


def test_registered_pids_are_supervisors_children_and_not_root(host: Host, app: App) -> None:
    supervisord = host.check_output("cat /run/supervisord.pid")
    for row in app.workers(host.check_output("hostname")):
        user, parent = host.check_output(f"ps -o user=,ppid= -p {row['pid']}").split()
        assert (user, parent) == ("sms", supervisord)


def test_password_is_where_it_must_be_and_nowhere_else(host: Host, app: App, run_output: str) -> None:
    env = f"{app.root}/shared/config/messenger.env"
    # The password goes from file to file on the host: sudo logs what a test runs, and must not log it.
    host.check_output(
        f"umask 077; sed -nE 's#^MESSENGER_TRANSPORT_DSN=.*://sms:([^@]+)@.*#\\1#p' {env} > /run/password"
    )
    password = host.file("/run/password").content_string.strip()
    assert unquote(password) == PASSWORD
    seen = run_output, host.check_output("ps -e -o args="), host.check_output("journalctl --no-pager --output cat")
    for text in seen:
        assert password not in text
        assert PASSWORD not in text
    found = host.run(f"grep -rlF -f /run/password /etc /tmp /var/log {app.root}").stdout.split()
    assert env in found
    for path in found:  # the one in force, and the last that worked, to go back to
        assert path.startswith(env)
        file = host.file(path)
        assert (file.user, file.group, oct(file.mode)) == ("root", "sms", "0o640")


def test_no_failed_unit(host: Host) -> None:
    assert host.check_output("systemctl list-units --failed --plain --no-legend") == ""
