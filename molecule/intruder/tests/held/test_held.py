"""While its user planted whatever it could: nothing else changed, and nothing of its code ran."""

from __future__ import annotations

import json
from typing import Any

from testinfra.host import Host

testinfra_hosts = ["ansible://host1"]

MARK = "INTRUDER-WAS-HERE"
VAR = "/srv/sms/shared/var"


def test_the_intruder_is_still_there(host: Host) -> None:
    assert host.check_output("pgrep -u sms -f intruder.py")
    assert int(host.check_output(f"find {VAR} | wc -l")) > 100


def test_nothing_outside_changed(host: Host) -> None:
    before: dict[str, Any] = json.loads(host.check_output("cat /root/before.json"))
    after: dict[str, Any] = json.loads(host.check_output("python3 -I /root/snapshot.py"))
    changed = {path for path in before | after if before.get(path) != after.get(path)}
    assert not changed
    assert len(before) > 1000


def test_of_the_application_only_its_directory_is_its_user_s(host: Host) -> None:
    not_root_s = r"! -type l \( -user sms -o -perm /022 -o ! -user root \)"
    assert host.check_output(f"find /srv/sms -path {VAR} -prune -o {not_root_s} -print") == ""


def test_it_may_write_what_everybody_may_and_its_directory(host: Host) -> None:
    def writable(user: str) -> set[str]:
        found = host.run(f"runuser -u {user} -- find / -xdev -writable ! -user {user} ! -type l -print0").stdout_bytes
        return set(found.decode(errors="surrogateescape").split("\0"))

    host.check_output("pkill -STOP -u sms -f intruder.py")  # it stops what others run as its user, this find too
    try:
        assert writable("sms") - writable("other") == set()
    finally:
        host.check_output("pkill -CONT -f '[i]ntruder.py'")  # and runuser, which stops with what it runs
    found = host.run("find / -xdev -user sms ! -type l -printf '%h\\0'").stdout_bytes
    own = found.decode(errors="surrogateescape").split("\0")
    everybody_s = ("/tmp", "/var/tmp", "/dev", "/run/lock", "/var/lock")
    assert {path for path in own if path and not path.startswith((VAR, "/srv/sms/shared", *everybody_s))} == set()


def test_none_of_its_code_ran_and_nothing_of_it_lies_elsewhere(host: Host) -> None:
    assert host.run("ls /var/tmp/ran-as-*").stdout == ""
    searched = "/etc /root /usr/local/bin /var/lib/messenger-kit /srv/sms/bin /srv/sms/releases /srv/sms/shared/config"
    found = host.run(f"grep -rlF --devices=skip {MARK} {searched} /srv/sms/shared/log /srv/sms/environments")
    assert (found.rc, found.stdout) == (1, "")


def test_root_put_no_secret_where_it_can_read_it(host: Host) -> None:
    found = host.run(f"find {VAR} /tmp /var/tmp -xdev -type f -size -100k -exec grep -lF SECRET-OF-ROOT {{}} +")
    assert found.stdout == ""


def test_workers_have_no_privileges_and_gain_none(host: Host) -> None:
    pids = host.check_output("pgrep -u sms -f 'messenger consume'").split()
    assert len(pids) >= 2
    for pid in pids:
        rows = dict(line.split(":", 1) for line in host.check_output(f"cat /proc/{pid}/status").splitlines())
        assert {name: rows[name].strip() for name in ("NoNewPrivs", "Umask")} == {"NoNewPrivs": "1", "Umask": "0027"}
        assert {int(rows[f"Cap{name}"], 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
        assert "redis://" not in host.check_output(f"tr '\\0' ' ' < /proc/{pid}/cmdline")
