#!/usr/bin/env bash
# Make .venv and install what a lock file names into it, each file checked by its hash.
#   venv.sh requirements.lock        the controller: what runs the playbooks
#   venv.sh requirements-dev.lock    the same, and what runs the tests
# Does nothing when that lock is already installed. PYTHON chooses the interpreter (default python3).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
lock=$1
python=${PYTHON:-python3}

fits() { # fits PYTHON: does it run, and is it new enough?
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null
}
# The first python3 of the PATH may be a shim of pyenv or the like, which runs nothing in this directory.
if [[ $python == python3 ]] && ! fits "$python"; then python=/usr/bin/python3; fi
if ! fits "$python"; then
  echo "$python is no Python 3.11 or newer ($("$python" --version 2>&1 | head -n 1)). Name one: make PYTHON=python3.11 ..." >&2
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
