"""After playbooks/remove.yml: what the kit put on the host is gone again, and nothing else is."""

from __future__ import annotations

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://host1"]


@pytest.fixture
def difference(host: Host) -> list[str]:
    """What differs from the virgin host: `<` was there and is not, `>` was not there and is."""
    changes = host.run("sh /root/snapshot.sh | diff /root/virgin.txt -").stdout.splitlines()
    return [line for line in changes if line.startswith(("<", ">"))]


def test_nothing_is_missing(difference: list[str]) -> None:
    assert [line for line in difference if line.startswith("<") and "/etc/" not in line] == []


def test_nothing_of_the_kit_is_left(host: Host, difference: list[str]) -> None:
    assert not difference, "\n".join(difference)


def test_nothing_of_the_kit_runs(host: Host) -> None:
    running = host.check_output("ps -e -o args=")
    for name in ("redis-server", "supervisord", "messenger"):
        assert name not in running
