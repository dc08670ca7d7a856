"""The two ansible.cfg, of the root and of playbooks/, say the same."""

from __future__ import annotations

import configparser
import re

from tests.support.paths import ROOT


def settings(file: str) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / file)
    return {section: dict(parser[section]) for section in parser.sections()}


def test_they_differ_in_where_they_lie_only() -> None:
    below = settings("playbooks/ansible.cfg")
    below["defaults"]["inventory"] = below["defaults"]["inventory"].removeprefix("../")
    below["defaults"]["collections_path"] = f"playbooks/{below['defaults']['collections_path']}"
    assert below == settings("ansible.cfg")


def test_a_host_that_goes_silent_is_given_up_in_time() -> None:
    arguments = settings("ansible.cfg")["ssh_connection"]["ssh_args"]
    alive = {name: int(value) for name, value in re.findall(r"ServerAlive(\w+)=(\d+)", arguments)}
    assert alive["Interval"] * alive["CountMax"] == 60
    assert "-o ControlMaster=auto -o ControlPersist=60s" in arguments, "what Ansible itself would say is still there"
