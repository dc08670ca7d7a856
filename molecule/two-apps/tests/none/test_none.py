"""Both are removed: nothing of the kit is left."""

from __future__ import annotations

from testinfra.host import Host

testinfra_hosts = ["ansible://host1"]


def test_nothing_is_left(host: Host) -> None:
    for path in (
        "/srv/shop",
        "/var/lib/messenger-kit",
        "/etc/redis",
        "/etc/supervisor/conf.d/shop.conf",
        "/var/lib/redis",
    ):
        assert not host.file(path).exists, path
    for package in ("redis-server", "supervisor"):
        assert not host.package(package).is_installed, package
    running = host.check_output("ps -e -o args=")
    for name in ("redis-server", "supervisord", "messenger"):
        assert name not in running
