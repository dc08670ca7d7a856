#!/usr/bin/env bash
# Run `molecule test` for one scenario:
#   run.sh default
# For work on it by hand, any other Molecule command works too:
#   run.sh --do converge default, run.sh --do verify default, run.sh --do destroy default
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
export PATH=$PWD/.venv/bin:$PATH
export KIT_PIP=$PWD/.venv/bin/pip

do="test"
if [[ ${1:-} == --do ]]; then
  do=$2
  shift 2
fi
scenario=$1

"$here/engine.sh"
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$here/env.sh"

# Two runs of one scenario would delete each other's containers
exec 9> "$KIT_STATE/$scenario.lock"
flock --nonblock 9 || { echo "Waiting for another run of scenario $scenario on this machine"; flock 9; }

# Molecule only warns where it finds no test or no playbook to run: each step must show that it ran.
check_steps_ran() {
  local plain wanted passed
  plain=$(sed 's/\x1b\[[0-9;]*m//g' "$output") # without colours
  wanted=$(grep -cE '^ *- verify' "molecule/$scenario/molecule.yml")
  passed=$(grep -cE '^=+ [0-9]+ passed.* =+$' <<< "$plain" || true)
  if ((passed != wanted)); then
    echo "Scenario $scenario has $wanted verify steps, but in $passed of them tests passed" >&2
    return 1
  fi
  if grep -E 'side_effect: .*(Missing|Skipp)' <<< "$plain" >&2; then return 1; fi
}

remove_containers() { # of a run that was interrupted
  local containers
  mapfile -t containers < <(podman ps --all --quiet --filter "network=kit-$scenario")
  if ((${#containers[@]})); then podman rm --force --volumes --time 0 "${containers[@]}" > /dev/null; fi
}

output=$KIT_STATE/$scenario.log
began=$SECONDS
if [[ $do == test ]]; then trap 'remove_containers; exit 130' INT TERM; fi
molecule --base-config molecule/shared/base.yml "$do" --scenario-name "$scenario" --no-command-borders \
  2>&1 < /dev/null 9>&- | tee "$output"
if [[ $do == test ]]; then check_steps_ran; fi
echo "== scenario $scenario: ok, $((SECONDS - began))s"
