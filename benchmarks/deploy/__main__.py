"""Measure deploys of the kit beside other ways of doing them, on the same hosts in the same run.

    python -m benchmarks.deploy 1 5 10 20
    python -m benchmarks.deploy --kit-only 20       without the other ways, in a third of the time

Each number is a fleet of so many worker hosts, in containers over SSH. Prints a table for each; README.md says what its
rows are.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.deploy.fleet import KIT, Fleet
from benchmarks.deploy.runs import Run, RunFailed, ping, play

FLOWS = Path(__file__).parent / "flows"
FILES = 31
"""So many files has the application that is deployed."""


def main() -> int:
    """Measure every fleet that was asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.deploy", description="Measure deploys on fleets of containers.")
    parser.add_argument("hosts", nargs="+", type=int, help="how many worker hosts, each number a fleet of its own")
    parser.add_argument("--kit-only", action="store_true", help="leave out the other ways of deploying")
    arguments = parser.parse_args()
    fleets: dict[int, dict[str, Run]] = {}
    for workers in arguments.hosts:
        rows: dict[str, Run] = {}
        with tempfile.TemporaryDirectory() as work, Fleet(workers, Path(work)) as fleet:
            try:
                for name, run in measured(fleet, arguments.kit_only):
                    print(f"{workers:3} hosts  {name:28} {run.seconds:7.1f} s", file=sys.stderr, flush=True)
                    rows[name] = run
            except RunFailed as failure:
                print(failure, file=sys.stderr)
                return 1
        print(table(workers, rows), flush=True)
        fleets[workers] = rows
    if len(fleets) > 1:
        print(growth(fleets))
    return 0


def measured(fleet: Fleet, kit_only: bool) -> Iterator[tuple[str, Run]]:
    """Every row of the table, in an order in which each finds what it needs."""
    application(fleet.work / "app")
    play(fleet.inventory, FLOWS / "prepare.yml")
    others = ["-e", f"work={fleet.work}"]
    yield "ping", ping(fleet.inventory)
    yield "kit, first deploy", play(fleet.inventory, KIT / "playbooks/deploy.yml")
    yield "kit, nothing to do", play(fleet.inventory, KIT / "playbooks/deploy.yml")
    if not kit_only:
        # The others take their release from the wheels that the kit's first deploy has built.
        shutil.copytree(KIT / ".state/wheels/app/wheels", fleet.work / "wheels")
        yield "minimal, first deploy", play(fleet.inventory, FLOWS / "minimal.yml", *others)
        yield "minimal, nothing to do", play(fleet.inventory, FLOWS / "minimal.yml", *others)
        play(fleet.inventory, FLOWS / "ansistrano.yml", *others)
    change(fleet.work / "app")
    yield "kit, new code", play(fleet.inventory, KIT / "playbooks/deploy.yml")
    if not kit_only:
        for wheel in (KIT / ".state/wheels/app/wheels").iterdir():
            shutil.copy(wheel, fleet.work / "wheels")
        yield "minimal, new code", play(fleet.inventory, FLOWS / "minimal.yml", *others)
        yield "ansistrano's flow, new code", play(fleet.inventory, FLOWS / "ansistrano.yml", *others)
    yield "kit, rollback", play(fleet.inventory, KIT / "playbooks/rollback.yml")
    yield "ping again", ping(fleet.inventory)


def application(directory: Path) -> None:
    """A copy of examples/sms that has FILES files."""
    shutil.copytree(KIT / "examples/sms", directory, ignore=shutil.ignore_patterns("__pycache__"))
    there = sum(1 for path in directory.rglob("*") if path.is_file())
    for number in range(FILES - there):
        (directory / f"src/sms/part{number}.py").write_text(f'"""Part {number}."""\n' + "#\n" * 200, encoding="utf-8")


def change(directory: Path) -> None:
    """Another release: one line of code more."""
    with (directory / "src/sms/handlers.py").open("a", encoding="utf-8") as file:
        file.write("# Another release\n")


def table(workers: int, rows: dict[str, Run]) -> str:
    """The rows as Markdown, with the ratios that the kit holds itself to."""
    lines = [
        f"\n### {workers} worker hosts\n",
        "| run | seconds | tasks per host | skipped |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [f"| {name} | {run.seconds:.1f} | {run.tasks} | {run.skipped} |" for name, run in rows.items()]
    ratios = [
        ("new code, to ansistrano's flow", "kit, new code", "ansistrano's flow, new code", "at most 1.5"),
        ("new code, to the minimal playbook", "kit, new code", "minimal, new code", "at most 2"),
        ("nothing to do, to the minimal playbook", "kit, nothing to do", "minimal, nothing to do", "at most 1.5"),
    ]
    there = [ratio for ratio in ratios if ratio[2] in rows]
    lines += ["", "| ratio | is | wanted |", "| --- | ---: | ---: |"] if there else []
    lines += [f"| {name} | {rows[a].seconds / rows[b].seconds:.2f} | {wanted} |" for name, a, b, wanted in there]
    return "\n".join(lines)


def growth(fleets: dict[int, dict[str, Run]]) -> str:
    """How many times longer each run takes on a larger fleet than on the smallest, as Markdown."""
    least, *others = sorted(fleets)
    lines = [
        f"\n### Growth from {least} to {', '.join(map(str, others))} hosts, which share the cores of this machine\n",
        "| run | " + " | ".join(f"{workers} hosts" for workers in others) + " |",
        "| --- |" + " ---: |" * len(others),
    ]
    for name, run in fleets[least].items():
        times = [f"{fleets[workers][name].seconds / run.seconds:.1f} x" for workers in others]
        lines.append(f"| {name} | " + " | ".join(times) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
