"""The first application, which had set up the host, was removed: the second never noticed."""

from __future__ import annotations

from collections.abc import Callable

from testinfra.host import Host

testinfra_hosts = ["ansible://host1"]

ADMINISTRATOR = "REDISCLI_AUTH=the-administrators-of-both redis-cli"


def test_the_second_goes_on(goes_on: Callable[..., None]) -> None:
    goes_on("shop", "second")


def test_nothing_of_the_first_is_left(host: Host) -> None:
    assert not host.file("/srv/sms").exists
    assert not host.user("sms").exists
    users = [line.split()[1] for line in host.check_output(f"{ADMINISTRATOR} ACL LIST").splitlines()]
    assert sorted(users) == ["default", "shop"]
    assert host.check_output(f"{ADMINISTRATOR} EXISTS messages sms:workers") == "0"


def test_what_the_kit_installed_stays(host: Host) -> None:
    noted = host.file("/var/lib/messenger-kit/packages").content_string.split()
    assert {"redis-server", "supervisor"} <= set(noted)
    for package in noted:
        assert host.package(package).is_installed, package


def test_supervisor_has_the_time_of_the_second(stop_seconds: Callable[[], int]) -> None:
    assert stop_seconds() == 50
