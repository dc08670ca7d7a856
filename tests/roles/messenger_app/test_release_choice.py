"""Which release a deploy or a rollback makes live, over several hosts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.modules import load
from tests.support.paths import ROOT

choice = load(ROOT / "plugins/filter/release_choice.py")


def host(current: str = "", **states: str) -> dict[str, Any]:
    """What a host has: states by id, and the live release. An id is a digit for the time, a letter for the content."""
    releases = [
        {"id": name, "state": state.removesuffix("!"), "fits": not state.endswith("!"), "fingerprint": name[1]}
        for name, state in states.items()
    ]
    return {"current": current, "releases": releases}


@pytest.mark.parametrize(
    ("hosts", "chosen"),
    [
        ([host()], [("9x", True)]),
        ([host("1x", **{"1x": "good"})], [("1x", False)]),
        ([host("1y", **{"1y": "good"})], [("9x", True)]),
        # A run that was cut off has built it on one host.
        ([host("1y", **{"1y": "good", "2x": "ready"}), host("1y", **{"1y": "good"})], [("2x", False), ("2x", True)]),
        # One host has it live, the other is behind.
        ([host("2x", **{"2x": "good"}), host("1y", **{"1y": "good"})], [("2x", False), ("2x", True)]),
        # It was given up on another host: built anew, but where it is live it stays.
        ([host("1y", **{"2x": "ready"}), host("1y", **{"2x": "bad"})], [("9x", True), ("9x", True)]),
        # Older than the live one, half built, or without its Python.
        ([host("2y", **{"1x": "good", "2y": "good"})], [("9x", True)]),
        ([host("1y", **{"2x": "building"})], [("9x", True)]),
        ([host("1y", **{"2x": "ready!"})], [("9x", True)]),
    ],
)
def test_of_a_deploy(hosts: list[dict[str, Any]], chosen: list[tuple[str, bool]]) -> None:
    found = {f"host{number}": each for number, each in enumerate(hosts)}
    answer = choice.deploy_choice(found, "x", "9x")
    assert [(answer[name]["release"], answer[name]["built"]) for name in found] == chosen


@pytest.mark.parametrize(
    ("hosts", "wanted", "chosen"),
    [
        ([], "", ""),
        ([host("3", **{"1x": "good", "2x": "good", "3x": "good"})], "", "2x"),
        ([host("3x", **{"1x": "good", "2x": "bad", "3x": "good"})], "", "1x"),
        ([host("3x", **{"2x": "good!", "3x": "good"})], "", ""),
        ([host("3x", **{"2x": "good", "3x": "good"}), host("2x", **{"2x": "good"})], "", "2x"),
        ([host("3x", **{"2x": "good"}), host("3x", **{"1x": "good"})], "", ""),
        ([host("3x", **{"2x": "bad", "3x": "good"})], "2x", "2x"),
        ([host("3x", **{"2x": "building", "3x": "good"})], "2x", ""),
        ([host("3x", **{"3x": "good"})], "2x", ""),
    ],
)
def test_of_a_rollback(hosts: list[dict[str, Any]], wanted: str, chosen: str) -> None:
    found = {f"host{number}": each for number, each in enumerate(hosts)}
    answer = choice.rollback_choice(found, wanted)
    assert answer == dict.fromkeys(found, {"release": chosen, "built": False})
