"""The second application was removed: the first never noticed."""

from __future__ import annotations

from collections.abc import Callable

from testinfra.host import Host

testinfra_hosts = ["ansible://host1"]

ADMINISTRATOR = "REDISCLI_AUTH=the-administrators-of-both redis-cli"


def test_the_first_goes_on(goes_on: Callable[..., None]) -> None:
    goes_on("sms", "first")


def test_nothing_of_the_second_is_left(host: Host) -> None:
    assert not host.file("/srv/shop").exists
    assert not host.user("shop").exists
    assert "shop" not in host.check_output("/usr/bin/supervisorctl -c /etc/supervisor/supervisord.conf avail")
    assert "shop" not in host.check_output(f"{ADMINISTRATOR} ACL LIST")
    assert host.check_output(f"{ADMINISTRATOR} EXISTS orders shop:workers") == "0"
    assert host.run("grep -rl shop /etc/redis /var/lib/messenger-kit").stdout == ""


def test_redis_has_the_kit_s_settings_still(host: Host) -> None:
    found = host.check_output(f"{ADMINISTRATOR} CONFIG GET appendonly maxmemory-policy requirepass").splitlines()
    assert {"yes", "noeviction", "the-administrators-of-both"} <= set(found)


def test_supervisor_has_the_time_of_the_first(stop_seconds: Callable[[], int]) -> None:
    assert stop_seconds() == 90
