#!/usr/bin/env bash
# Remove what the commands of the Makefile left in this checkout, and the containers and their image.
# What `make deploy` put on the machine stays: `make undeploy` takes that away.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if command -v podman > /dev/null; then
  . molecule/shared/env.sh
  mapfile -t containers < <(podman ps --all --quiet --filter label=messenger-kit)
  if ((${#containers[@]})); then podman rm --force --volumes --time 0 "${containers[@]}" > /dev/null; fi
  mapfile -t networks < <(podman network ls --quiet --filter label=messenger-kit)
  if ((${#networks[@]})); then podman network rm "${networks[@]}" > /dev/null; fi
  podman rmi --force --ignore "$KIT_IMAGE" > /dev/null
  rm -rf "$KIT_STATE"
fi
rm -rf .venv .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis .ansible dist build
find . -name __pycache__ -type d -prune -exec rm -rf {} +
