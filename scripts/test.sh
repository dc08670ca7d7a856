#!/usr/bin/env bash
# Run the given make targets one after another, stop at the first that fails, and print what each took.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
unset MAKEFLAGS MAKELEVEL
report=()
failed=0
for stage in "$@"; do
  printf '\n== %s\n' "$stage"
  began=$SECONDS
  if make --no-print-directory "$stage"; then result=ok; else result=FAILED failed=1; fi
  report+=("$(printf '%-12s %-7s %4ds' "$stage" "$result" $((SECONDS - began)))")
  if ((failed)); then break; fi
done
printf '\n== summary\n'
printf '%s\n' "${report[@]}" "$(printf '%-12s %-7s %4ds' total '' "$SECONDS")"
exit "$failed"
