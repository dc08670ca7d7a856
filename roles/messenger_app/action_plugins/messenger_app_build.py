"""Ansible action: what module messenger_app_build needs is on the controller; it goes along with the task.

A task of its own for each file (copy, which first looks whether it is there) would be several round trips more.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

FILES = ("archive", "dependencies")


class ActionModule(ActionBase):
    """Sends the files to a directory of the login user, has the module read them there, and takes them away again."""

    TRANSFERS_FILES = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the module answers; nothing is sent in check mode."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        shell = self._connection._shell
        try:
            sent = [name for name in FILES if arguments.get(name) and not self._task.check_mode]
            for name in sent:
                there = shell.join_path(shell.tmpdir, f"{name}.tar")
                self._transfer_file(arguments[name], there)
                arguments[name] = there
            self._fixup_perms2((shell.tmpdir, *(arguments[name] for name in sent)))
            return self._execute_module(module_args=arguments, task_vars=task_vars)
        finally:
            self._remove_tmp_path(shell.tmpdir)
