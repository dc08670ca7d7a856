"""Filters that choose the release of a deploy or a rollback, for all hosts of a run at once.

`found` is what the hosts of the run have, by host: `current` and `releases` of the module messenger.kit.releases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Found = Mapping[str, Mapping[str, Any]]


def deploy_choice(found: Found, fingerprint: str, new_id: str) -> dict[str, dict[str, Any]]:
    """Return, by host, the `release` that a deploy makes live, and whether it must be `built` there.

    A live release with the same content stays. Otherwise all hosts get one id: that of a release with this content
    which a run that was cut off left on some of them, or a new one.

    Args:
        found: What the hosts have.
        fingerprint: What the content of the release is.
        new_id: The id of a release that no host has yet.
    """
    same = {host: _same(releases, fingerprint) for host, releases in found.items()}
    bad = {each["id"] for releases in found.values() for each in releases["releases"] if each["state"] == "bad"}
    started = {release for releases in same.values() for release in releases} - bad
    run_id = max(started, default=new_id)
    chosen = {
        host: releases["current"] if releases["current"] in same[host] else run_id for host, releases in found.items()
    }
    return {host: {"release": release, "built": release not in same[host]} for host, release in chosen.items()}


def _same(releases: Mapping[str, Any], fingerprint: str) -> list[str]:
    """Return the ids of releases with this content that a deploy may make live.

    Those older than the live one do not count: going back is the rollback's business.
    """
    return [
        each["id"]
        for each in releases["releases"]
        if each["fingerprint"] == fingerprint
        and each["state"] in ("ready", "good")
        and each["fits"]
        and each["id"] >= releases["current"]
    ]


def rollback_choice(found: Found, wanted: str = "") -> dict[str, dict[str, Any]]:
    """Return what `deploy_choice` does, for a rollback: one release for all hosts, or empty.

    Without a name it is the newest good one that is older than the newest live one: where a deploy stopped half-way
    through the fleet, the hosts it reached come back to what the others still run.

    Args:
        found: What the hosts have.
        wanted: The id of the release to go back to; it may be one that was marked bad.
    """
    states = ("ready", "good", "bad") if wanted else ("good",)
    possible = [
        {each["id"] for each in releases["releases"] if each["fits"] and each["state"] in states}
        for releases in found.values()
    ]
    everywhere: set[str] = set.intersection(*possible) if possible else set()
    newest = max((releases["current"] for releases in found.values()), default="")
    chosen = max((each for each in everywhere if (each == wanted if wanted else each < newest)), default="")
    return {host: {"release": chosen, "built": False} for host in found}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the functions by the names of the filters."""
        return {"deploy_choice": deploy_choice, "rollback_choice": rollback_choice}
