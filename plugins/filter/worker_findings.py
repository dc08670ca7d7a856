"""Filters that turn what a host or `messenger check` answered into findings for the operator.

A finding is `level` (fail, warn or note), `where`, `found` and `change`; those of `messenger check` also have `check`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ansible_collections.messenger.kit.plugins.module_utils.text import last_line
from ansible_collections.messenger.kit.plugins.plugin_utils.answers import command_answer

Finding = dict[str, Any]

# `messenger check` only warns of it; a deploy is refused, because the deploy would cut handlers off.
STOP_TIME = "supervisor-stop-time"
LONGER_STOP_TIME = (
    "a longer stop_timeout of the pool, or messenger_worker_stop_timeout: longer than the slowest handler may take"
)


def supervisor_findings(
    seen: Mapping[str, Any],
    *,
    link: str,
    conf: str,
    unit: str,
    programs: Collection[Mapping[str, Any]],
    systemd: bool,
    stop_timeout: int,
    may_be_installed: bool = False,
    doctor: bool = False,
) -> list[Finding]:
    """Return what keeps workers from running on a host.

    Args:
        seen: The answer of module `workers_info`.
        link: Where Supervisor looks for the configuration of the workers.
        conf: The configuration of the workers.
        unit: The drop-in of Supervisor's systemd unit.
        programs: The programs of Supervisor, every key filled in.
        systemd: Whether systemd runs the services of the host.
        stop_timeout: Seconds that the slowest worker may take to stop.
        may_be_installed: What site.yml installs need not be there, as in check mode.
        doctor: Where Supervisor is not installed at all, this is only a note.
    """
    found = []

    def add(where: str, what: str, change: str, level: str = "fail") -> None:
        found.append({"level": level, "where": where, "found": what, "change": change})

    if not seen["answers"] and not may_be_installed:
        level = "note" if doctor and not seen["installed"] else "fail"
        answer = seen.get("said") or "no answer"
        add(
            "Supervisor",
            f"it does not answer ({answer})",
            "site.yml installs and starts what is missing, and then deploys",
            level,
        )
    if seen.get("user_id") not in (0, None):
        add(
            "Supervisor",
            f"it runs as user {seen['user_id']} and cannot start workers as another one",
            "no `user` in section [supervisord] of /etc/supervisor/supervisord.conf, and a restart of Supervisor",
        )
    if not seen["included"] and not may_be_installed:
        add(
            "/etc/supervisor/supervisord.conf",
            f"it does not include {link}",
            "section [include] with files = /etc/supervisor/conf.d/*.conf",
        )
    logs = [str(program[key]) for program in programs for key in ("stdout_logfile", "stderr_logfile")]
    if systemd and any(log.startswith("/dev/") for log in logs):
        add(
            "messenger_worker_pools",
            "a log goes to /dev/stdout or /dev/stderr, which under systemd is a socket that no worker can open",
            "stdout_logfile: syslog, which journalctl shows",
        )
    if seen["link"]["there"] and seen["link"]["target"] != conf:
        add(
            link,
            f"it is not a link to {conf} but {seen['link']['target'] or 'a file'}; another application uses the name",
            "another messenger_worker_conf_name, and pool names that are not taken either",
        )
    seconds = int(seen["stop_seconds"])
    if systemd and 0 < seconds <= int(stop_timeout) and not may_be_installed:
        add(
            unit,
            f"when the host goes down, systemd kills Supervisor after {seconds} seconds, but a worker may take "
            f"{stop_timeout}",
            "site.yml sets it right",
        )
    return found


def check_findings(ran: Mapping[str, Any], accepted: Iterable[str] = ()) -> list[Finding]:
    """Return what `messenger check` found that is not ok.

    Args:
        ran: The registered result of the task that ran it. No answer is a finding, too.
        accepted: Names of checks whose findings become warnings.
    """
    answer = command_answer(ran)
    said = [finding for finding in answer.get("findings", []) if finding["level"] != "ok"] if answer else [silent(ran)]
    accepted = set(accepted)
    kept = [finding for finding in said if finding["check"] not in accepted]
    refused = [{**each, "level": "fail", "change": LONGER_STOP_TIME} for each in kept if each["check"] == STOP_TIME]
    rest = [finding for finding in kept if finding["check"] != STOP_TIME]
    return refused + rest + [{**each, "level": "warn"} for each in said if each["check"] in accepted]


def silent(ran: Mapping[str, Any]) -> Finding:
    """Return the finding for a `messenger check` that gave no answer."""
    words = ran.get("stderr") or ran.get("msg") or f"no answer, exit code {ran.get('rc') or 'unknown'}"
    return {
        "level": "fail",
        "check": "messenger-check",
        "where": "messenger check",
        "found": last_line(words),
        "change": "correct it in the application, and deploy again",
    }


def host_warnings(findings: Mapping[str, Iterable[Finding]]) -> list[Finding]:
    """Return the warnings of all hosts, each with the name of its host.

    Args:
        findings: The findings by host.
    """
    found = []
    for host, rows in findings.items():
        for row in rows:
            warning = {**row, "where": f"{host}, {row['where']}", "check": ""}
            if row["level"] == "warn" and warning not in found:
                found.append(warning)
    return found


def workers_up_to_date(
    seen: Mapping[str, Any], workers: Iterable[Mapping[str, Any]] | None, release: str, stable: float
) -> bool:
    """Return whether every process runs and every worker reports the release; false when one was stopped by hand.

    Args:
        seen: The answer of module `workers_info`.
        workers: The live workers of the host as `messenger check` lists them.
        release: The release that they must run.
        stable: Seconds that each must have stayed up.
    """
    supervised = [worker for worker in workers or [] if worker["state"] != "detached"]
    settled = [
        worker
        for worker in supervised
        if worker["release"] == release
        and worker["state"] in ("idle", "busy", "pausing", "paused")
        and worker["uptime_seconds"] >= float(stable)
    ]
    processes = seen["processes"]
    running = [process for process in processes if process["state"] == "RUNNING"]
    return bool(processes) and len(processes) == len(running) == len(supervised) == len(settled)


class FilterModule:
    """The filters for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "supervisor_findings": supervisor_findings,
            "check_findings": check_findings,
            "host_warnings": host_warnings,
            "workers_up_to_date": workers_up_to_date,
        }
