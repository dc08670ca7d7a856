"""After site.yml ran again: the promoted server is master still, and the set is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host2"]


def test_the_promoted_server_is_master_still(host: Host) -> None:
    master, _ = host.check_output("redis-cli -p 26379 --raw sentinel get-master-addr-by-name messenger").split()
    assert master in ("host2", "host3")
    assert "OK 3 usable" in host.check_output("redis-cli -p 26379 sentinel ckquorum messenger")


def test_messages_are_handled(app: App) -> None:
    assert app.send_and_wait("after-all")["status"] == "handled"
