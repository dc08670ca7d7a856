"""The second application was set up and scaled: the first never noticed, and its next site.yml changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]

ADMINISTRATOR = "REDISCLI_AUTH=the-administrators-of-both redis-cli"


def test_the_first_goes_on(goes_on: Callable[..., None]) -> None:
    goes_on("sms", "first")


def test_the_second_works(host: Host, app: App) -> None:
    shop = type(app)(host, "/srv/shop")
    assert len(shop.workers()) == 2
    assert shop.send_and_wait("of-the-shop")["status"] == "handled"
    assert "of-the-shop" not in [line.split()[0] for line in app.handled()]


def test_redis_has_the_users_of_both(host: Host) -> None:
    users = [line.split()[1] for line in host.check_output(f"{ADMINISTRATOR} ACL LIST").splitlines()]
    assert sorted(users) == ["default", "shop", "sms"]


def test_each_user_has_the_keys_of_its_application_only(host: Host) -> None:
    refused = host.run("REDISCLI_AUTH=password-of-the-second redis-cli --user shop XLEN messages").stdout
    assert "NOPERM" in refused


def test_supervisor_has_the_time_of_the_slower(stop_seconds: Callable[[], int]) -> None:
    assert stop_seconds() == 90


def test_the_host_s_notes_say_who_needs_what(host: Host) -> None:
    for service, name, key, value in [
        ("redis", "sms", "users", ["sms"]),
        ("redis", "shop", "users", ["shop"]),
        ("supervisor", "sms", "stop_timeout", 60),
        ("supervisor", "shop", "stop_timeout", 20),
    ]:
        file = host.file(f"/var/lib/messenger-kit/{service}/{name}.json")
        assert (file.user, oct(file.mode & 0o022)) == ("root", "0o0")
        assert json.loads(file.content_string)[key] == value
    assert host.file("/var/lib/messenger-kit/redis/sms.json").mode == 0o600, "it has hashes of passwords"
