"""Filters for the playbooks that operate workers: scale.yml, failed.yml and those that report a failure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ansible_collections.messenger.kit.plugins.module_utils.text import last_line
from ansible_collections.messenger.kit.plugins.plugin_utils.answers import command_answer

SCALE_REASON = ": scale.yml gives it"  # in the reason of a pause that scale.yml made


def worker_failure(result: Mapping[str, Any]) -> str:
    """Return why a task failed, in the words of the command or module that it ran.

    Args:
        result: `ansible_failed_result`.
    """
    answer = command_answer(result)
    if problems := answer.get("problems"):
        return "; ".join(map(str, problems))
    if "working" in answer:
        return f"still at work: {', '.join(answer['working'])}"
    reason = result.get("stderr") or result.get("stdout") or result.get("msg") or "no reason given"
    return str(reason).strip()


def release_before(releases: Collection[Mapping[str, Any]], live: str, failed: str) -> str:
    """Return the release to go back to; empty when there is none.

    Args:
        releases: The releases of the host, the newest first.
        live: The release that was live before the change.
        failed: The release that did not come up.
    """
    good = [release["id"] for release in releases if release["state"] == "good" and release["fits"]]
    if live in good:
        return live
    return next((release for release in good if release != failed), "" if live == failed else live)


def scale_pause(
    workers: Collection[Mapping[str, Any]], pool: str, processes: int, layout: str, conf_changed: bool
) -> dict[str, bool]:
    """Return whether scale.yml has to `pause` a pool before the change and to `resume` it afterwards.

    In layout `numprocs` Supervisor stops all processes of a pool that changes, so the pool is paused first, unless an
    operator has paused it. A pause that an earlier run of scale.yml left is ended.

    Args:
        workers: The workers of the host as `messenger workers` lists them.
        pool: The pool that is scaled.
        processes: The number of processes it gets.
        layout: `numprocs` or `slots`.
        conf_changed: Whether the configuration of Supervisor changed.
    """
    ours = [worker for worker in workers if worker["pool"] == pool and worker["state"] != "detached"]
    reasons = [worker["waiting_for"] or "" for worker in ours if worker["state"] in ("paused", "pausing")]
    left = [reason for reason in reasons if SCALE_REASON in reason]
    change = conf_changed or len(ours) != int(processes)
    pause = layout == "numprocs" and change and len(reasons) == len(left)
    return {"pause": pause, "resume": pause or bool(left)}


def failed_messages(
    listed: Mapping[str, Mapping[str, Any]], wanted: Collection[str], releases: Mapping[str, str] | None = None
) -> dict[str, dict[str, Any]]:
    """Return what each host has in its failure store, and which messages it acts on.

    Hosts may share a store; then the first that answers speaks and acts for all of them.

    Args:
        listed: The registered result of `messenger failed show` by host.
        wanted: Ids of the messages that the operator named.
        releases: The live release by host, empty where none is live.

    Returns:
        By host: `messages` it speaks for, its `store` (here, shared or unknown), `chosen` ids, those of them that are
        `ambiguous` because another host has a message of the same id, and the `problem` when it could not list any.
    """
    answers = {host: command_answer(ran) for host, ran in listed.items()}
    stores = {
        host: ("here" if answer["on_this_host"] else "shared") if answer else "unknown"
        for host, answer in answers.items()
    }
    speaker = next((host for host, store in stores.items() if store == "shared"), None)
    held = {
        host: answers[host].get("messages", []) if store == "here" or host == speaker else []
        for host, store in stores.items()
    }
    ids = {host: [message["id"] for message in messages] for host, messages in held.items()}
    found = {}
    for host, ran in listed.items():
        chosen = [each for each in ids[host] if each in wanted]
        others = {each for other in ids if other != host for each in ids[other]}
        found[host] = {
            "messages": held[host],
            "store": stores[host],
            "chosen": chosen,
            "ambiguous": [each for each in chosen if each in others],
            "problem": "" if answers[host] else _unlisted(ran, (releases or {}).get(host)),
        }
    return found


def _unlisted(ran: Mapping[str, Any], release: str | None) -> str:
    """Return why a host could not list its failed messages."""
    if release == "":
        return "no release is live here"
    return last_line(ran.get("stderr") or ran.get("msg") or "no answer")


def waiting_messages(answer: Mapping[str, Any]) -> dict[str, int]:
    """Return how many messages are `waiting` or being handled, and how many have `failed`.

    Args:
        answer: The answer of `messenger stats`.
    """
    depths = (answer.get("transports") or {}).values()
    waiting = sum(depth[key] for depth in depths for key in ("ready", "in_flight", "delayed"))
    return {"waiting": waiting, "failed": sum((answer.get("failed") or {}).values())}


class FilterModule:
    """The filters for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "command_answer": command_answer,
            "worker_failure": worker_failure,
            "release_before": release_before,
            "scale_pause": scale_pause,
            "failed_messages": failed_messages,
            "waiting_messages": waiting_messages,
        }
