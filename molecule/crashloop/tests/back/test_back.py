"""After three releases that did not hold: the first one runs, they are marked, and no message is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]


def test_the_good_release_runs(host: Host, app: App) -> None:
    good, *bad = sorted(host.file(f"{app.root}/releases").listdir())
    assert len(bad) == 3
    assert app.release == good
    assert {row["release"] for row in app.workers()} == {good}
    assert all(host.file(f"{app.root}/releases/{name}/.bad").exists for name in bad)
    assert [line["outcome"] for line in app.audit() if line["what"] == "deploy"] == ["ok", *["went back"] * 3]


def test_supervisor_called_them_running(host: Host) -> None:
    assert "startsecs=0" in host.file("/etc/supervisor/conf.d/messenger-worker.conf").content_string
    assert "FATAL" not in host.file("/var/log/supervisor/supervisord.log").content_string


def test_what_failed_is_handled_or_kept(app: App) -> None:
    assert app.send_and_wait("after it all")["status"] == "handled"
