"""messenger-worker.conf.j2 for the tests: rendered, and loaded with Supervisor's own parser."""

from __future__ import annotations

import getpass
import subprocess
import sys
from pathlib import Path
from typing import Any

from supervisor.options import ServerOptions

from tests.roles.render import evaluate, render
from tests.support.modules import PLUGINS
from tests.support.paths import ROOT

TEMPLATE = ROOT / "templates/messenger-worker.conf.j2"
CHECKER = PLUGINS / "module_utils/supervisor_parser.py"
POOL: dict[str, Any] = {"name": "messenger-consume", "transports": ["async"]}


def rendered(app_root: Path, *pools: dict[str, Any], **overrides: Any) -> Path:
    """The configuration for `pools`, as a file."""
    text = render(
        TEMPLATE,
        "messenger_worker",
        messenger_worker_pools=list(pools or [POOL]),
        messenger_app_name="sms",
        messenger_app_root=str(app_root),
        messenger_app_user=getpass.getuser(),
        **overrides,
    )
    file = app_root / "messenger-worker.conf"
    file.write_text(text)
    return file


def loaded(file: Path) -> dict[str, Any]:
    """Process configurations by process name, as supervisord would run them."""
    wrapper = file.with_name("supervisord.conf")
    wrapper.write_text(f"[supervisord]\n[include]\nfiles={file}\n")
    options = ServerOptions()
    options.realize(args=["-c", str(wrapper), "-n"])
    return {process.name: process for group in options.process_group_configs for process in group.process_configs}


def check(file: Path, *groups: str) -> subprocess.CompletedProcess[str]:
    """What Supervisor's parser says of FILE, as module supervisor_conf asks it."""
    main = "/etc/supervisor/supervisord.conf"
    return subprocess.run(
        [sys.executable, "-I", str(CHECKER), str(file), "/nonexistent", main, *groups],
        capture_output=True,
        text=True,
        check=False,
    )


def groups(*pools: dict[str, Any], **overrides: Any) -> list[str]:
    """Supervisor's groups, as the role expects them."""
    found: list[str] = evaluate(
        "{{ __messenger_worker_groups }}", "messenger_worker", messenger_worker_pools=list(pools), **overrides
    )
    return found


def findings(*pools: dict[str, Any], **overrides: Any) -> list[dict[str, str]]:
    """What preflight.yml finds of pools whose values are good each for itself."""
    found: list[dict[str, str]] = evaluate(
        "{{ __messenger_worker_pool_findings }}", "messenger_worker", messenger_worker_pools=list(pools), **overrides
    )
    return found
