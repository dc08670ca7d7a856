#!/usr/bin/env bash
# Every static check, side by side; all of them run, and one failing fails the whole.
#   lint.sh            everything
#   lint.sh changed    what differs from the branch main, and what is not committed
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
checks=()
check() { # check NAME COMMAND…
  local name=$1
  shift
  checks+=("$name=${*@Q}")
}
ruff_paths=(src tests scripts examples molecule benchmarks roles plugins)
mapfile -t shell < <(git ls-files '*.sh' .ci/run)
ansible=() # ansible-lint without files: every one it finds

if [[ ${1:-} == changed ]]; then
  base=$(git merge-base HEAD main 2> /dev/null || git rev-parse HEAD)
  mapfile -t changed < <(git diff --name-only --diff-filter=d "$base" && git ls-files --others --exclude-standard)
  mapfile -t shell < <(printf '%s\n' "${changed[@]}" | grep -E '\.sh$|^\.ci/run$')
  mapfile -t ansible < <(printf '%s\n' "${changed[@]}" | grep -E '^(playbooks|roles|plugins|molecule)/.*\.ya?ml$')
  echo "${#changed[@]} files changed since ${base:0:9}: ${#shell[@]} for shellcheck, ${#ansible[@]} for ansible-lint"
fi

if [[ $# -eq 0 ]] || ((${#ansible[@]})); then check ansible-lint ansible-lint --offline --strict "${ansible[@]}"; fi
check "playbook syntax" env ANSIBLE_CONFIG=ansible.cfg ansible-playbook --syntax-check playbooks/*.yml
check ruff ruff check "${ruff_paths[@]}"
check "ruff format" ruff format --check "${ruff_paths[@]}"
check imports lint-imports --no-logo
check "docs site" mkdocs build --strict --site-dir .state/site  # not --quiet, which hides warnings from --strict
check yamllint yamllint --strict .
check "ansible-test sanity" scripts/sanity.sh
if ((${#shell[@]})); then check shellcheck shellcheck "${shell[@]}"; fi

exec python scripts/side_by_side.py --logs .state/logs/lint --tail 1000 "${checks[@]}"
