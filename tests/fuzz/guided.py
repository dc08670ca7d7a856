"""Coverage-guided fuzzing of one target, by libFuzzer: python -m tests.fuzz.guided TARGET [option of libFuzzer …]

An input that breaks a promise ends it with a traceback, and is written where -artifact_prefix says. libFuzzer also ends
it when one input takes longer than -timeout (seconds) or the process more memory than -rss_limit_mb.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

try:
    import atheris
except ImportError as error:
    sys.exit(f"fuzzing needs the package atheris ({error}); install it with: scripts/venv.sh requirements-dev.lock")

with atheris.instrument_imports(include=["messenger", "yaml", "dotenv"]):
    from tests.fuzz.targets import targets


def main() -> None:
    """Fuzz until libFuzzer ends the process."""
    _, name, *options = sys.argv
    logging.disable()  # dotenv warns of each line that it cannot read
    with tempfile.TemporaryDirectory() as directory:
        atheris.Setup([sys.argv[0], *options], targets(Path(directory))[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
