"""After remove.yml: the application and its user are gone, and what was never the application's is as it was."""

from __future__ import annotations

import json

from testinfra.host import Host

testinfra_hosts = ["ansible://host1"]


def test_nothing_of_the_application_is_left(host: Host) -> None:
    assert not host.file("/srv/sms").exists
    assert not host.user("sms").exists
    assert host.run("pgrep -f '[i]ntruder.py'").stdout == ""


def test_what_is_not_its_own_is_as_it_was(host: Host) -> None:
    before = json.loads(host.check_output("cat /root/before.json"))
    after = json.loads(host.check_output("python3 -I /root/snapshot.py"))
    kept = [path for path in before if path.startswith(("/srv/other", "/root", "/home", "/etc/cron", "/usr/local"))]
    assert "/srv/other/shared/var/failed.db" in kept
    assert {path for path in kept if before[path] != after.get(path)} == set()
    assert {path for path in after if path.startswith(("/srv/other", "/root", "/etc/cron"))} <= set(kept)
    assert host.run("ls /var/tmp/ran-as-* /etc/nologin /etc/ld.so.preload").stdout == ""
