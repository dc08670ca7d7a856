"""What a run says that Ansible ends in the middle of the batches, because no host of one can be reached any more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.modules import load
from tests.support.paths import ROOT
from tests.support.servers import free_port

PLUGINS = ROOT / "playbooks/callback_plugins"
PLAYBOOK = """
- name: Change batches
  hosts: workers
  gather_facts: false
  serial: 1
  vars:
    messenger_deploy_phase: batches
    ansible_connection: "{connection}"
    ansible_port: {port}
    ansible_host: 127.0.0.1
  tasks:
    - name: Begin
      ansible.builtin.ping:

- name: Finish
  hosts: workers
  gather_facts: false
  vars: {{messenger_deploy_phase: finish}}
  tasks:
    - name: Say it
      ansible.builtin.debug: {{msg: ended}}
"""


def run(directory: Path, connection: str, *words: str) -> str:
    """What a run prints whose batches reach their hosts by CONNECTION; there is no SSH server."""
    playbook = directory / "deploy.yml"
    playbook.write_text(PLAYBOOK.format(connection=connection, port=free_port()))
    inventory = directory / "hosts.yml"
    hosts = {name: {"ansible_python_interpreter": sys.executable} for name in ("worker1", "worker2")}
    inventory.write_text(yaml.safe_dump({"workers": {"hosts": hosts}}))
    (directory / PLUGINS.name).symlink_to(PLUGINS)  # as beside the kit's playbooks
    ran = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, playbook, *words],
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout + ran.stderr


def test_the_commands_to_go_on_are_printed(tmp_path: Path) -> None:
    said = run(tmp_path, "ssh")
    assert "worker1 could not be reached any more" in said
    for playbook in ("unlock", "deploy", "rollback"):
        assert f"ansible-playbook -i {tmp_path}/hosts.yml {tmp_path}/{playbook}.yml" in said


@pytest.mark.parametrize(("connection", "words"), [("local", ()), ("ssh", ("--check",))])
def test_other_runs_say_nothing(tmp_path: Path, connection: str, words: tuple[str, ...]) -> None:
    said = run(tmp_path, connection, *words)
    assert "PLAY RECAP" in said
    assert "could not be reached any more" not in said


def test_the_phases_are_those_of_the_playbooks() -> None:
    plays = [yaml.safe_load((ROOT / f"playbooks/_{name}.yml").read_text())[0] for name in ("batches", "finish")]
    callback = load(ROOT / "plugins/callback/lost_host.py")
    assert [play["vars"][callback.PHASE] for play in plays] == [callback.BATCHES, callback.FINISH]
