"""Passwords with every awkward character, replaced under load: they work, and are nowhere to be seen."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]

# molecule.yml, rotate.yml
OLD = "old%20'\"$w$ #/ of & sms"
NEW = "new%20'\"$w$ #/ of & sms"
TOKEN = "tok%d 'en' \"quo ted\" $HOME \\n ; # end"
SECRETS = [OLD, NEW, TOKEN, *(quote(password, safe=safe) for password in (OLD, NEW) for safe in ("", "/"))]


def test_each_message_was_handled_exactly_once(host: Host, app: App) -> None:
    sent = int(host.file("/root/sent.txt").content_string)
    assert sent > 200
    handled = Counter(line.split()[0] for line in app.handled())
    assert handled == {f"load-{number}": 1 for number in range(sent)}
    assert app.messenger("stats")["failed"] == {"failed": 0}


def test_the_application_has_its_secret_unchanged(host: Host, app: App) -> None:
    ask = (
        "import hashlib; from messenger.application import Application; "
        "token = Application.load().loaded.environment['SMS_TOKEN']; "
        "print(hashlib.sha256(token.encode()).hexdigest())"
    )
    answer = host.check_output(f'cd {app.root}/current && runuser --user sms -- venv/bin/python -c "{ask}"')
    assert answer == hashlib.sha256(TOKEN.encode()).hexdigest()


@pytest.mark.parametrize(("line", "taken"), [(1, False), (2, True)])
def test_the_old_password_is_refused_and_the_new_one_taken(host: Host, line: int, taken: bool) -> None:
    said = host.run(f'REDISCLI_AUTH="$(sed -n {line}p /root/secrets.txt)" redis-cli --user sms --raw client id')
    assert said.stdout.strip().isdigit() == taken, said.stderr


def test_they_are_in_the_files_for_them_and_nowhere_else(host: Host, app: App) -> None:
    env = f"{app.root}/shared/config/messenger.env"
    found = host.run(f"grep -rlF -f /root/secrets.txt /etc /tmp /var /run /home {app.root}").stdout.split()
    assert env in found
    for path in found:
        assert path.startswith(env), path
        file = host.file(path)
        assert (file.user, file.group, oct(file.mode)) == ("root", "sms", "0o640")


@pytest.mark.parametrize("command", ["ps -e -o args=", "journalctl --no-pager --output cat", "supervisorctl status"])
def test_they_are_not_in_what_the_host_shows(host: Host, command: str) -> None:
    shown = host.run(command).stdout
    assert shown
    assert [number for number, secret in enumerate(SECRETS) if secret in shown] == []


def test_they_are_not_in_the_output_of_the_playbooks_diffs_included(run_output: str) -> None:
    assert "+bind 127.0.0.1" in run_output, "diffs are in it"
    assert [number for number, secret in enumerate(SECRETS) if secret in run_output] == []
