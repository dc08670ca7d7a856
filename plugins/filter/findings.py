"""Filters that evaluate what was found on a host. A finding has `level`, `where`, `found` and `change`.

Levels: `fail` stops a deploy, `warn` is to be looked at, `note` is expected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

Finding = dict[str, str]
Map = Mapping[str, Any]

EXAMPLE_SECRET = "replace-this-example"
OLDEST_PYTHON = (3, 11)
OLDEST_DEBIAN = 12
FREE_MEGABYTES = 500
FREE_INODES = 20_000
SKEW_SECONDS = 5


def host_findings(host: Map, settings: Map, facts: Map, now: float, **options: Any) -> list[Finding]:
    """Return what keeps a host from taking a release.

    Args:
        host: What the module messenger.kit.host_info says, or its error.
        settings: Of the role messenger_app, without the prefix: `build_user`, `env`, `python`, `root`, `user`,
            `writable_paths`; and `pool_users`, the users that worker pools run as.
        facts: `distribution`, `distribution_version` and `distribution_major_version` of the host.
        now: Seconds since 1970 on the controller, read after the host was asked.
        options: `sentinels`, addresses of which one must answer; `redis_to_come`, true where Redis is not installed
            yet; `check_mode`.
    """
    found = [
        *_of_settings(settings, host.get("exposed") or []),
        *_of_system(host, settings, facts),
        *_of_disk(host, settings),
        *_of_user(host, settings),
        *_of_clock(host, now),
    ]
    refused = host.get("refused") or {}
    return found if options.get("check_mode") else [*found, *_of_redis(refused, **options)]


def _finding(level: str, where: str, found: str, change: str) -> Finding:
    return {"level": level, "where": where, "found": found, "change": change}


def _of_settings(settings: Map, exposed: Sequence[str]) -> Iterator[Finding]:
    root, paths = settings["root"], settings["writable_paths"]
    if settings["build_user"] in ("root", settings["user"], *settings["pool_users"]):
        yield _finding(
            "fail",
            "messenger_app_build_user",
            f"{settings['build_user']} runs the application, too",
            "a user that nothing else uses",
        )
    inside = [path for path in paths if f"{path}/".startswith(f"{root}/")]
    if inside or any(path.startswith(f"{outer}/") for path in paths for outer in paths):
        yield _finding(
            "fail",
            "messenger_app_writable_paths",
            ", ".join(paths),
            f"directories outside of {root} (shared/var is the application's already), and none in another",
        )
    if exposed:
        yield _finding(
            "fail",
            ", ".join(exposed),
            f"others than root may change what is there, and {root}, {settings['python']} or one of"
            " messenger_app_writable_paths lies below: root would follow where they lead",
            "chown root and chmod go-w each directory on the way, or another path",
        )
    if any(EXAMPLE_SECRET in str(value) for value in settings["env"].values()):
        yield _finding(
            "fail",
            "messenger_app_env",
            "it holds a secret from inventory/example, which everyone can read",
            "write your own into group_vars/all/vault.yml (ansible-vault create)",
        )


def _of_system(host: Map, settings: Map, facts: Map) -> Iterator[Finding]:
    if facts["distribution"] != "Debian" or _whole(facts["distribution_major_version"]) < OLDEST_DEBIAN:
        yield _finding(
            "fail",
            "operating system",
            f"{facts['distribution']} {facts['distribution_version']}",
            f"Debian {OLDEST_DEBIAN} or newer",
        )
    version = host.get("python")
    if tuple(map(_whole, (version or "0").split("."))) < OLDEST_PYTHON:
        said = host.get("python_said", host.get("msg", "no answer"))
        yield _finding(
            "fail",
            settings["python"],
            f"it is Python {version}" if version else said,
            "messenger_app_python must name a Python 3.11 or newer on the host",
        )


def _of_disk(host: Map, settings: Map) -> Iterator[Finding]:
    where = f"disk of {host.get('directory', settings['root'])}"
    megabytes, inodes = host.get("free_megabytes", FREE_MEGABYTES), host.get("free_inodes")
    if megabytes < FREE_MEGABYTES:
        yield _finding(
            "fail",
            where,
            f"{megabytes} MB free, {FREE_MEGABYTES} needed",
            "make room on it; fewer releases stay with a lower messenger_app_keep_releases",
        )
    if inodes is not None and inodes < FREE_INODES:
        yield _finding(
            "fail",
            where,
            f"{inodes} inodes free, {FREE_INODES} needed",
            "delete files on it (many small ones use them up)",
        )
    if refuses := host.get("disk_refuses"):
        yield _finding(
            "fail", where, f"it is mounted {','.join(refuses)}", "mount it rw,exec, or another messenger_app_root"
        )


def _of_user(host: Map, settings: Map) -> Iterator[Finding]:
    if hidden := host.get("hidden"):
        yield _finding(
            "fail",
            ", ".join(hidden),
            f"the application's user {settings['user']} may not enter it, on the way to its release or Python",
            "chmod o+x, or another messenger_app_root or messenger_app_python",
        )


def _of_clock(host: Map, now: float) -> Iterator[Finding]:
    """Compare with the controller's clock, which was read before the host was asked and after."""
    clock = float(host.get("time", now))
    skew = int(max(clock - now, float(host.get("asked_at", 0)) - clock, 0))
    if skew > SKEW_SECONDS:
        yield _finding(
            "warn",
            "clock",
            f"it is {skew} s off that of the machine that runs Ansible",
            "have both set their clocks by NTP (timedatectl set-ntp true)",
        )


def _of_redis(
    refused: Mapping[str, str], sentinels: Sequence[str] = (), redis_to_come: bool = False, **_: Any
) -> Iterator[Finding]:
    if refused:
        enough = set(refused) <= set(sentinels) and not set(sentinels) <= set(refused)
        yield _finding(
            "note" if redis_to_come else "warn" if enough else "fail",
            f"redis at {', '.join(refused)}",
            f"no connection: {', '.join(dict.fromkeys(refused.values()))}",
            "site.yml installs it"
            if redis_to_come
            else "start Redis there, correct the DSN in messenger_app_env, or open the firewall",
        )


def _whole(text: object) -> int:
    return int(str(text)) if str(text).isdecimal() else 0


def changed_files_findings(different: Iterable[Map]) -> list[Finding]:
    """Return a finding for each release or environment that is not what was built.

    Args:
        different: `different` of the module messenger.kit.verify_info.
    """
    return [
        _finding(
            "fail",
            each["path"],
            f"it is not what was built: {', '.join(each['differences'])}"
            + (f" and {more} more" if (more := each["count"] - len(each["differences"])) > 0 else ""),
            f"learn who changed it (only root can); rm {each['path']}/.ready, then deploy.yml builds it anew",
        )
        for each in different
    ]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the functions by the names of the filters."""
        return {"changed_files_findings": changed_files_findings, "host_findings": host_findings}
