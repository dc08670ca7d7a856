#!/usr/bin/env bash
# Make .venv and install what a lock file names into it, each file checked by its hash.
#   venv.sh requirements.lock        the controller: what runs the playbooks
#   venv.sh requirements-dev.lock    the same, and what runs the tests
# Does nothing when that lock is already installed. PYTHON chooses the interpreter (default python3).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
lock=$1
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "$python is older than Python 3.11. Name a newer one: make PYTHON=python3.11 ..." >&2
  exit 1
fi

if ! "$python" -c 'import venv, ensurepip' 2> /dev/null; then
  package=python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv
  if [[ $(id -u) -ne 0 ]]; then
    echo "Python's venv module is missing. Install it, then try again: sudo apt-get install $package" >&2
    exit 1
  fi
  echo "Installing $package"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" > /dev/null
fi

# A virtual environment that was cut off half-way, or moved with its directory, has no working pip.
if ! .venv/bin/pip --version > /dev/null 2>&1; then
  echo "Creating .venv"
  rm -rf .venv
  "$python" -m venv .venv
fi

stamp=.venv/installed-$lock
if ! sha256sum --status --check "$stamp" 2> /dev/null; then
  echo "Installing $lock into .venv"
  .venv/bin/pip install --quiet --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$lock"
  if [[ $lock == requirements-dev.lock ]]; then
    # The package itself, from src, so that the tests meet the code as it is now
    .venv/bin/pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
  fi
  sha256sum "$lock" > "$stamp"
fi
