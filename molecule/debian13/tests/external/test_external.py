"""After the move to a Valkey that the kit did not set up: messages go through it, and its settings are its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]

VALKEY = "REDISCLI_AUTH=external-password valkey-cli --user sms -p 6390 --raw"


def test_workers_are_connected_to_it(host: Host, app: App) -> None:
    assert app.workers()
    clients = host.check_output(f"{VALKEY} client list").splitlines()
    assert any("name=messenger" in line for line in clients)
    assert "name=messenger" not in host.check_output("redis-cli client list"), "nobody uses the kit's Redis any more"


def test_messages_go_through_it(host: Host, app: App) -> None:
    assert app.send_and_wait("through-valkey")["status"] == "handled"
    assert "through-valkey" in [line.split()[0] for line in app.handled()]
    assert host.check_output(f"{VALKEY} exists messages") == "1"


def test_check_knows_what_it_is(app: App) -> None:
    findings = app.messenger("check")["findings"]
    (version,) = {row["found"] for row in findings if row["check"] == "redis-version"}
    assert version.startswith("Valkey ")


def test_the_kit_changed_none_of_its_files(host: Host) -> None:
    assert host.run("grep -r messenger-kit /etc/valkey").rc == 1
