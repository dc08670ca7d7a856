"""The collection's Ansible modules and scripts: their functions, and what a module answers when Ansible runs it."""

from __future__ import annotations

import json
import os
import pwd
import shlex
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible.plugins.loader import init_plugin_loader

from tests.support.paths import ROOT

ROLES = ROOT / "roles"
PLUGINS = ROOT / "plugins"
MODULES = PLUGINS / "modules"
COLLECTIONS = str(ROOT / "playbooks/collections")  # where Ansible finds the collection in a clone
# Whom modules can run something as: another user where the tests are root's.
USER = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name

init_plugin_loader([COLLECTIONS])  # Ansible takes it once a process


def load(file: Path) -> ModuleType:
    """A module or script of a role, to call its functions. It finds what lies beside it, as when it is run."""
    spec = spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.path.insert(0, str(file.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(file.parent))
    return module


def answer_of(module: Path, arguments: dict[str, Any], check_mode: bool = False) -> dict[str, Any]:
    """What a module answers when Ansible runs it with these arguments."""
    ran = subprocess.run(
        [sys.executable, "-P", module],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check_mode}}),
        env={"ANSIBLE_MODULE_PROFILE": "legacy", "PYTHONPATH": COLLECTIONS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout, ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def python_that_says(root: Path, said: str) -> str:
    """An interpreter below ROOT that runs SAID instead of its script, as if another process had changed that."""
    file = root / "bin/python"
    file.write_text(f'#!/bin/sh\nshift 3\nexec /usr/bin/python3 -c {shlex.quote(said)} "$@"\n')
    file.chmod(0o755)
    return str(file)
