"""python -m tests.fuzz SECONDS [TARGET …]: fuzz the targets, all unless some are named, one after another.

They share the time equally. What is found and learned is kept in .fuzz/ beside the Makefile.
"""

from __future__ import annotations

import argparse
import sys

from tests.fuzz.run import fuzz
from tests.fuzz.targets import NAMES
from tests.support.paths import ROOT

KEPT = ROOT / ".fuzz"


def main() -> int:
    """The exit status: 1 when something was found or does not work."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Coverage-guided fuzzing.")
    parser.add_argument("seconds", type=int, help="for all targets together")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(NAMES)}; default: all")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.targets) - set(NAMES))
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; allowed: {', '.join(NAMES)}")
    names = arguments.targets or NAMES
    share = arguments.seconds // len(names)
    if share < 1:
        parser.error(f"found {arguments.seconds} seconds; allowed: at least {len(names)}, one for each target")
    failed = False
    for name in names:
        result = fuzz(name, KEPT, f"-max_total_time={share}")
        print(f"{name:12} {result.executions:10} executions  {'FAILED' if result.error else 'ok'}", flush=True)
        if result.error:
            failed = True
            print(result.error, *(f"found: {path}" for path in result.found), sep="\n", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
