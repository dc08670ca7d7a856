"""The package is held; when it is installed anew all the same, the workers finish their message first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host


def test_the_package_is_held(host: Host) -> None:
    assert host.check_output("apt-mark showhold").split() == ["supervisor"]


def test_installing_it_anew_waits_for_the_messages(
    host: Host,
    app: Any,
    busy: Callable[[str], dict[str, int]],
    handled_once: Callable[[str], None],
    wait_until: Callable[..., None],
) -> None:
    pids = busy("upgrade")
    install = "apt-get install --quiet --yes --reinstall --allow-change-held-packages supervisor"
    said = host.check_output(f"DEBIAN_FRONTEND=noninteractive {install} 2>&1")
    assert "Setting up supervisor" in said
    wait_until(lambda: len(app.workers()) == 3, "three workers are there")
    assert not {row["pid"] for row in app.workers()} & set(pids.values())
    handled_once("upgrade")
