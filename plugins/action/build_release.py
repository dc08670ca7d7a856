"""Ansible action: what module messenger.kit.build_release needs is on the controller; it is sent along.

Each file is written by one command. A task of its own (copy) would be half a dozen round trips more.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

FILES = ("archive", "dependencies")


class ActionModule(ActionBase):
    """Writes the files into the application's directory, for root alone, and has the module read them there."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the module answers; nothing is sent in check mode. The module deletes the files."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        for name in FILES:
            if arguments.get(name) and not self._task.check_mode:
                arguments[name] = self._send(arguments[name], f"{arguments['root']}/{name}.tar")
        return self._execute_module(module_args=arguments, task_vars=task_vars)

    def _send(self, file: str, there: str) -> str:
        command = f"umask 077 && cat > {shlex.quote(there)}"
        answer = self._low_level_execute_command(command, in_data=Path(file).read_bytes())
        if answer["rc"] != 0:
            raise AnsibleActionFail(
                f"{there} cannot be written: {answer['stderr'].strip() or answer['stdout'].strip()}"
            )
        return there
