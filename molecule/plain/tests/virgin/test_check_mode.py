"""After `--check --diff` and doctor.yml on a virgin host: nothing on it has changed."""

from __future__ import annotations

from testinfra.host import Host

testinfra_hosts = ["ansible://all"]


def test_snapshot_is_not_empty(host: Host) -> None:
    snapshot = host.file("/root/virgin.txt").content_string
    assert " /etc/passwd\n" in snapshot
    assert "package sudo installed\n" in snapshot


def test_nothing_changed(host: Host) -> None:
    assert host.check_output("sh /root/snapshot.sh | diff /root/virgin.txt -") == ""
