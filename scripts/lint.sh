#!/usr/bin/env bash
# Every static check; all of them run, and one failing fails the whole.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
failed=()
check() { # check NAME COMMAND…
  local name=$1
  shift
  if "$@"; then echo "$name: ok"; else failed+=("$name"); echo "$name: FAILED"; fi
}
syntax() {
  local playbook
  for playbook in playbooks/*.yml; do
    ANSIBLE_CONFIG=ansible.cfg ansible-playbook --syntax-check "$playbook" > /dev/null || return 1
  done
}
mapfile -t scripts < <(git ls-files '*.sh' .ci/run)

check ruff ruff check src tests scripts examples molecule benchmarks roles plugins
check "ruff format" ruff format --check src tests scripts examples molecule benchmarks roles plugins
check imports lint-imports --no-logo
check yamllint yamllint --strict .
check "playbook syntax" syntax
check ansible-lint ansible-lint --offline --strict
check shellcheck shellcheck "${scripts[@]}"

if ((${#failed[@]})); then
  echo "Failed: ${failed[*]}" >&2
  exit 1
fi
