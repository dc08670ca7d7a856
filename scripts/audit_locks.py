#!/usr/bin/env python3
"""Compare lock files with what the package index says of their packages: releases that were withdrawn (yanked), files
that are no longer there, and known vulnerabilities.

The index is the one that pip is configured to. An index that does not answer, or gives no vulnerabilities, counts as
not asked, never as good news.

Exit: 0 every package was looked at and nothing was found; 1 something was found; 3 nothing was found, but not
everything could be asked; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "roles/messenger_app/files"))

from commands import Problem  # noqa: E402
from lock_file import Locked, read_lock  # noqa: E402
from package_index import File, Index, Unanswered, configured  # noqa: E402
from packaging.version import Version  # noqa: E402

LOCKS = ("requirements.lock", "requirements-dev.lock", "examples/sms/requirements.lock")
AT_ONCE = 8


class Report(NamedTuple):
    """What the index says of one package."""

    package: str
    found: list[str]
    not_asked: list[str]


def one_line(text: object, longest: int = 200) -> str:
    """Return TEXT from an index as one line that can do no harm in a terminal."""
    line = " ".join("".join(each if each.isprintable() else " " for each in str(text)).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def listed(package: Locked, indexes: Iterable[Index]) -> tuple[Index, list[File]]:
    """Return the index that has this version, and its files there; the last index where none has it.

    Raises:
        Unanswered: One of the indexes could not be asked, and no other has it.
    """
    silent: Unanswered | None = None
    answer: tuple[Index, list[File]] | None = None
    for index in indexes:
        try:
            files = [file for file in index.files(package.name) if file.version == Version(package.version)]
        except Unanswered as problem:
            silent = silent or problem
            continue
        if files:
            return index, files
        answer = index, []
    if silent or answer is None:
        raise silent or Unanswered("pip is configured to no index")
    return answer


def withdrawn(package: Locked, index: Index, files: list[File]) -> list[str]:
    """Return what is wrong with the files of a package."""
    if not files:
        return [f"{index.url} no longer has this version"]
    hashes = {file.sha256 for file in files} - {""}
    found = [f"yanked: {one_line(reason)}" for reason in sorted({file.yanked for file in files if file.yanked})]
    if hashes and not hashes & {each.removeprefix("sha256:") for each in package.hashes}:
        found.append(f"no file at {index.url} has a hash of the lock file")
    return found


def vulnerabilities(package: Locked, index: Index, ignored: set[str]) -> list[str]:
    """Return the known vulnerabilities of a package.

    Raises:
        Unanswered: The index gives none.
    """
    nothing = Unanswered(f"{index.url} gives no vulnerabilities")
    base, simple, rest = index.url.rpartition("/simple")
    if not simple or rest:
        raise nothing
    try:
        content, _ = index.get(f"{base}/pypi/{package.name}/{package.version}/json", "application/json")
        known: Any = json.loads(content)["vulnerabilities"]
        found = []
        for each in known:
            names = [str(each["id"]), *(str(alias) for alias in each.get("aliases") or [])]
            if not each.get("withdrawn") and not ignored & set(names):
                mended = ", ".join(str(version) for version in each.get("fixed_in") or []) or "none"
                text = each.get("summary") or each.get("details") or "no description"
                found.append(one_line(f"{' '.join(names)}: {one_line(text)} (mended in: {mended})", 400))
    except Unanswered as problem:
        raise problem if "cannot be asked" in str(problem) else nothing from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise nothing from None
    return found


def look(package: Locked, indexes: list[Index], ignored: set[str], yanked_only: bool) -> Report:
    """Ask for one package."""
    report = Report(f"{package.name} {package.version}", [], [])
    try:
        index, files = listed(package, indexes)
        report.found.extend(withdrawn(package, index, files))
        if not yanked_only:
            report.found.extend(vulnerabilities(package, index, ignored))
    except Unanswered as problem:
        report.not_asked.append(one_line(problem))
    return report


def from_record(packages: Iterable[Locked], record: dict[str, Any]) -> list[Report]:
    """Return what was answered when RECORD was written."""
    known = {entry["package"]: Report(**entry) for entry in record["packages"]}
    when = record["asked_at"]
    names = [f"{package.name} {package.version}" for package in packages]
    return [known.get(name) or Report(name, [], [f"not in the record of {when}"]) for name in names]


def show(reports: list[Report]) -> int:
    """Print REPORTS. The exit code."""
    found = [(report.package, text) for report in reports for text in report.found]
    reasons: dict[str, list[str]] = {}
    for report in reports:
        for reason in report.not_asked:
            reasons.setdefault(reason, []).append(report.package)
    for package, text in found:
        print(f"FOUND      {package}: {text}")
    for reason, names in reasons.items():
        print(f"NOT ASKED  {reason}: {', '.join(names)}")
    unasked = sum(1 for report in reports if report.not_asked)
    print(f"{len(reports)} packages, {len(found)} findings, {unasked} packages not or only partly asked for")
    return 1 if found else 3 if unasked else 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("locks", nargs="*", type=Path, metavar="LOCK", help=f"default: {' '.join(LOCKS)}")
    parser.add_argument("--index-url", default="", help="ask this index; default: what pip is configured to")
    parser.add_argument("--yanked-only", action="store_true", help="do not ask for vulnerabilities")
    parser.add_argument("--ignore", action="append", default=[], metavar="ID", help="an advisory that was looked into")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write the answers to FILE")
    parser.add_argument("--recorded", type=Path, metavar="FILE", help="ask nobody: take the answers in FILE")
    return parser.parse_args()


def main() -> int:
    """Look at every package. The exit code."""
    asked = arguments()
    packages: dict[tuple[str, str], Locked] = {}
    try:
        for lock in asked.locks or [ROOT / name for name in LOCKS]:
            for package in read_lock(lock)[0]:
                known = packages.setdefault((package.name, package.version), package)
                packages[package.name, package.version] = known._replace(hashes=known.hashes + package.hashes)
        if asked.recorded:
            record = json.loads(asked.recorded.read_text())
            print(f"As the index answered at {record['asked_at']}:")
            return show(from_record(packages.values(), record))
        indexes = [Index(url) for url in configured(asked.index_url)]
    except (Problem, OSError, ValueError, KeyError, TypeError) as problem:
        print(f"audit: {problem}", file=sys.stderr)
        return 2
    with ThreadPoolExecutor(AT_ONCE) as pool:
        reports = list(
            pool.map(lambda each: look(each, indexes, set(asked.ignore), asked.yanked_only), packages.values())
        )
    if asked.record:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        record = {"asked_at": now, "packages": [report._asdict() for report in reports]}
        asked.record.write_text(json.dumps(record, indent=1) + "\n")
    return show(reports)


if __name__ == "__main__":
    sys.exit(main())
