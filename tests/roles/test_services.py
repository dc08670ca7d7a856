"""The files of the roles redis and supervisor, loaded by what they are for."""

from __future__ import annotations

import pwd
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from supervisor.options import ServerOptions

from tests.roles.kit_redis import paths_in
from tests.roles.render import evaluate, render
from tests.support.modules import MODULES, ROLES, answer_of

PASSWORD = "correct-horse-battery!"


def redis_settings(tmp_path: Path, *names: str, **variables: Any) -> list[str]:
    """What a real redis-server makes of the role's files. Loads them and ends at once, on a Unix socket only."""
    for template, file in (("messenger-kit-auth.conf.j2", "auth.conf"), ("messenger-kit.conf.j2", "kit.conf")):
        text = render(ROLES / "redis/templates" / template, "redis", **variables)
        (tmp_path / file).write_text(paths_in(tmp_path, text))
    socket = tmp_path / "redis.sock"
    base = tmp_path / "redis.conf"
    base.write_text(f"include {tmp_path}/kit.conf\ndir {tmp_path}\nport 0\nunixsocket {socket}\nbind 127.0.0.1\n")
    redis_server = shutil.which("redis-server")
    assert redis_server, "redis-server is not installed: scripts/test-packages.sh"
    server = subprocess.Popen([redis_server, str(base)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        assert any("ready to accept connections" in line.lower() for line in server.stdout)
        login = ["--user", "default", "--pass", variables["redis_password"]] if "redis_password" in variables else []
        answer = subprocess.run(
            ["redis-cli", "--no-auth-warning", "-s", str(socket), *login, "CONFIG", "GET", *names],
            capture_output=True,
            text=True,
            check=True,
        )
        return answer.stdout.splitlines()
    finally:
        server.terminate()
        server.communicate(timeout=30)


def test_redis_keeps_what_it_accepted(tmp_path: Path) -> None:
    found = redis_settings(tmp_path, "appendonly", "maxmemory-policy", "appendfsync", "maxmemory", "requirepass")
    pairs = dict(zip(found[::2], found[1::2], strict=True))
    assert pairs == {
        "appendonly": "yes",
        "maxmemory-policy": "noeviction",
        "appendfsync": "everysec",
        "maxmemory": "0",
        "requirepass": "",
    }


def test_redis_takes_limit_and_password(tmp_path: Path) -> None:
    variables = {"redis_maxmemory": "64mb", "redis_password": PASSWORD, "redis_appendfsync": "always"}
    found = redis_settings(tmp_path, "maxmemory", "requirepass", "appendfsync", **variables)
    pairs = dict(zip(found[::2], found[1::2], strict=True))
    assert pairs == {"maxmemory": str(64 * 2**20), "requirepass": PASSWORD, "appendfsync": "always"}


def test_the_password_is_in_one_file_only() -> None:
    text = render(ROLES / "redis/templates/messenger-kit.conf.j2", "redis", redis_password=PASSWORD)
    assert PASSWORD not in text


def test_a_password_is_made_once_when_one_is_needed(tmp_path: Path) -> None:
    variables = {"redis_bind": ["10.0.0.1"], "redis_password_file": str(tmp_path / "state/redis-password")}
    first = evaluate("{{ __redis_password }}", "redis", **variables)
    assert len(first) == 48
    assert evaluate("{{ __redis_password }}", "redis", **variables) == first
    assert (tmp_path / "state/redis-password").stat().st_mode & 0o077 == 0


def test_no_password_on_loopback(tmp_path: Path) -> None:
    file = tmp_path / "redis-password"
    assert evaluate("{{ __redis_password }}", "redis", redis_password_file=str(file)) == ""
    assert not file.exists()


def socket_options(tmp_path: Path, section: str, included: str = "") -> tuple[int, dict[str, Any]]:
    """The mode of the socket that supervisord makes with the role's file beside an operator's, and all settings."""
    main, own = tmp_path / "supervisord.conf", tmp_path / "conf.d/00-supervisord.conf"
    own.parent.mkdir()
    (tmp_path / "conf.d/operator.conf").write_text(included)
    main.write_text(
        f"[unix_http_server]\nfile={tmp_path}/s.sock\n{section}\n"
        f"[supervisord]\nlogfile={tmp_path}/s.log\n[include]\nfiles=conf.d/*.conf\n"
    )
    module = MODULES / "supervisor_socket_info.py"
    found = answer_of(module, {"config": str(main), "own": str(own)})
    own.write_text(render(ROLES / "supervisor/templates/supervisord.conf.j2", "supervisor", __supervisor_socket=found))
    options = ServerOptions()
    options.realize(args=["-c", str(main), "-n"])
    assert options.logfile_maxbytes == 50 * 2**20
    (server,) = options.server_configs
    assert answer_of(module, {"config": str(main), "own": str(own)}) == found, "its own file does not count"
    return server["chmod"], server


@pytest.mark.parametrize(
    ("section", "mode"),
    [
        ("", 0o700),
        ("chmod=0700", 0o700),
        ("chmod=0770 ; operators\nchown=root:daemon", 0o770),
        ("chmod=0777", 0o770),
        ("chmod=0722\nchown=root:daemon", 0o720),
        ("chmod=0777\nusername=operator\npassword=correct-horse", 0o777),
        ("chmod=0777\nusername=operator\npassword=", 0o770),
    ],
)
def test_who_may_use_supervisord_s_socket_stays_unless_everybody_may(tmp_path: Path, section: str, mode: int) -> None:
    found, server = socket_options(tmp_path, section)
    assert found == mode
    assert (server["chown"] != (-1, -1)) == ("chown" in section)


@pytest.mark.parametrize(
    ("section", "is_open"),
    [
        ("chmod=0770\nchown=root:daemon", True),
        ("chmod=0770\nchown=root:{gid}", True),
        ("chmod=0700\nchown=daemon:root", True),
        ("chmod=0700\nchown=daemon", True),
        ("chmod=0777\nchown=root:daemon", True),
        ("chmod=0700\nchown=root:daemon", False),
        ("chmod=0750\nchown=root:daemon", False),
        ("chmod=0770\nchown=root:adm", False),
        ("chmod=0770", False),
        ("chmod=0770\nchown=root:daemon\nusername=operator\npassword=correct-horse", False),
        ("", False),
    ],
)
def test_the_application_s_user_may_not_write_to_the_socket(tmp_path: Path, section: str, is_open: bool) -> None:
    config = tmp_path / "supervisord.conf"
    config.write_text(f"[unix_http_server]\n{section.format(gid=pwd.getpwnam('daemon').pw_gid)}\n")
    module = MODULES / "supervisor_socket_info.py"
    found = answer_of(module, {"config": str(config), "own": "/nonexistent", "user": "daemon"})
    assert bool(found["open_to_user"]) is is_open
    assert not is_open or "chown=" in found["open_to_user"]


def test_a_user_that_is_not_there_yet_will_be_in_the_group_of_its_name(tmp_path: Path) -> None:
    config = tmp_path / "supervisord.conf"
    config.write_text("[unix_http_server]\nchmod=0770\nchown=root:no-such-user\n")
    question = {"config": str(config), "own": "/nonexistent", "user": "no-such-user"}
    assert answer_of(MODULES / "supervisor_socket_info.py", question)["open_to_user"] == (
        "chown=root:no-such-user, chmod=0770"
    )


@pytest.mark.parametrize(
    ("line", "file"), [("", "/run/supervisord.pid"), ("pidfile=%(here)s/own.pid ; here", "DIRECTORY/own.pid")]
)
def test_the_pid_file_is_that_of_the_host_s_configuration(tmp_path: Path, line: str, file: str) -> None:
    (tmp_path / "supervisord.conf").write_text(f"[supervisord]\n{line}\n")
    arguments = {"config": str(tmp_path / "supervisord.conf"), "own": "/nonexistent"}
    found = answer_of(MODULES / "supervisor_socket_info.py", arguments)
    assert found["pid_file"] == file.replace("DIRECTORY", str(tmp_path))


def test_an_operator_s_included_file_counts_too(tmp_path: Path) -> None:
    assert socket_options(tmp_path, "chmod=0700", "[unix_http_server]\nchmod=0760\n")[0] == 0o760


def test_systemd_waits_longer_than_the_workers_may_take() -> None:
    text = render(ROLES / "supervisor/templates/systemd.conf.j2", "supervisor", supervisor_stop_timeout="120")
    assert "TimeoutStopSec=150" in text.splitlines()
    assert "KillMode=control-group" in text.splitlines()
    ctl = "/usr/bin/supervisorctl -c /etc/supervisor/supervisord.conf"
    assert f"ExecStop=-{ctl} stop all" in text.splitlines()


def test_systemd_waits_for_the_slowest_of_all_applications_on_the_host() -> None:
    others = [{"application": "shop", "stop_timeout": 300}, {"application": "mail", "stop_timeout": 20}]
    text = render(
        ROLES / "supervisor/templates/systemd.conf.j2",
        "supervisor",
        supervisor_stop_timeout=60,
        __supervisor_record={"others": others},
    )
    assert "TimeoutStopSec=330" in text.splitlines()


def test_every_call_of_supervisorctl_names_its_configuration() -> None:
    files = [file for part in ("roles", "playbooks") for file in (ROLES.parent / part).rglob("*") if file.is_file()]
    calls = [
        (str(file), line.strip())
        for file in files
        if file.suffix in (".yml", ".j2")
        for line in file.read_text().splitlines()
        if re.search(r"supervisorctl['\"]?[, ]+['\"]?[a-z-]", line) and not line.lstrip().startswith("#")
    ]
    assert len(calls) >= 2
    assert [call for call in calls if "-c" not in re.split(r"[\s,\[\]]+", call[1])] == []
