"""Runs guided.py for a target and says what came of it."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.targets import CORPUS
from tests.support.paths import ROOT

WORDS = Path(__file__).with_name("words.dict")
LIMITS = ("-timeout=10", "-rss_limit_mb=1024")  # for one input: seconds; for the process: MB
_EXECUTED = re.compile(r"stat::number_of_executed_units: (\d+)")

_REACHED = re.compile(r" cov: (\d+) ")


@dataclass(frozen=True, slots=True)
class Result:
    """What fuzzing one target came to.

    executions: inputs that were tried. coverage: places in the code that they reached. found: the inputs that broke a
    promise. error: empty when all is well, else the end of what libFuzzer wrote.
    """

    target: str
    executions: int
    coverage: int
    found: list[Path]
    error: str


def fuzz(target: str, kept: Path, *options: str) -> Result:
    """Fuzz one target until libFuzzer's `options`, such as -runs=1000 or -max_total_time=60 (seconds), end it.

    kept: a directory. Inputs that reach new code are kept in kept/TARGET, and are where the next run starts; those that
    broke a promise are kept/TARGET-crash-…, -timeout-… or -oom-…, and all that libFuzzer wrote is kept/TARGET.log.
    """
    (kept / target).mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.guided",
        target,
        f"-dict={WORDS}",
        f"-artifact_prefix={kept / target}-",
    ]
    command += [*LIMITS, "-print_final_stats=1", *options]
    command += [str(path) for path in (kept / target, CORPUS / target) if path.is_dir()]
    before = set(kept.iterdir())
    with (kept / f"{target}.log").open("wb") as log:
        code = subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
    output = (kept / f"{target}.log").read_text(errors="replace")
    executed = _EXECUTED.search(output)
    reached = _REACHED.findall(output)
    found = sorted(path for path in set(kept.iterdir()) - before if path.suffix != ".log")
    error = "" if code == 0 and executed else "\n".join(output.splitlines()[-30:]) or f"it ended with {code}"
    return Result(target, int(executed[1]) if executed else 0, int(reached[-1]) if reached else 0, found, error)
