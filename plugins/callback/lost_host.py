"""Ansible callback: says how to go on when a run ended in the middle of its batches, because a host was lost.

Ansible ends a run without a word when no host of a batch can be reached any more. batches.yml cannot say anything then,
for no host is left to say it.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: lost_host
type: aggregate
short_description: How to go on when a run of the kit ended because a host was lost
description:
  - Lies beside the playbooks, so Ansible loads it by itself. Prints nothing after any other run.
author: The messenger-kit authors (!UNKNOWN)
"""

PHASE = "messenger_deploy_phase"  # the variable of a play that says which part of a run it is
BATCHES, FINISH = "batches", "finish"
SAID = """
The run ended in the middle: {lost} could not be reached any more, and no other host of its batch was left.
What runs there is not known; when it is back, `status.yml` shows it. Hosts of later batches were not touched.
The lock of the fleet is still held. To free it:
  {command}/unlock.yml
To go on when the host is back, with the -e of this run; or without it, with --limit '!{first}' as well:
  {command}/{playbook}
To go back instead:
  {command}/rollback.yml
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Notes which plays began."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "lost_host"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._playbook = Path("playbooks/deploy.yml")
        self._within = False

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """What was asked for."""
        self._playbook = Path(playbook._file_name)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Whether the batches go on."""
        phase = play.get_vars().get(PHASE)
        self._within = phase == BATCHES or (self._within and phase != FINISH)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The run is over."""
        if not self._within or not stats.dark or context.CLIARGS.get("check"):
            return
        inventories = [word for name in context.CLIARGS.get("inventory") or () if name for word in ("-i", name)]
        command = shlex.join(["ansible-playbook", *inventories, str(self._playbook.parent)])
        lost = sorted(stats.dark)
        text = SAID.format(lost=", ".join(lost), first=lost[0], command=command, playbook=self._playbook.name)
        self._display.display(text, color="red")
