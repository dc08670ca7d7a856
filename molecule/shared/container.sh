#!/usr/bin/env bash
# A throwaway Debian host in a container: what the scenarios and `make sandbox` run on.
#   container.sh start NAME [--no-systemd] [--no-ptrace] [PODMAN RUN OPTIONS…]   start it and wait until it is up
#   container.sh enter NAME [COMMAND…]                             a root shell in it, or one command
#   container.sh port NAME                                         where its SSH port is published
#   container.sh stop NAME…                                        remove it and everything in it
# Over SSH: user `deploy` (may sudo), key $KIT_STATE/id_ed25519.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$here/env.sh"

start() {
  local name=$1 init=(--systemd=always) command=() ptrace=(--cap-add SYS_PTRACE)
  shift
  if [[ ${1:-} == --no-systemd ]]; then
    shift
    init=(--systemd=false --init)
    command=(sh -c 'mkdir -p /run/sshd && exec /usr/sbin/sshd -D -e')
  fi
  # SYS_ADMIN and SYS_PTRACE let systemd apply the units' sandboxing as on a real host. Without SYS_PTRACE, as in most
  # containers, the init script of redis-server cannot stop its own server either.
  if [[ ${1:-} == --no-ptrace ]]; then
    shift
    ptrace=()
  fi
  podman run --detach --label messenger-kit --name "$name" --hostname "${name##*-}" \
    --volume "$KIT_STATE/id_ed25519.pub:/etc/ssh/kit.pub:ro" \
    --volume "$KIT_STATE/pip.conf:/etc/pip.conf:ro" \
    --volume "$KIT_STATE/pip:/var/cache/kit-pip" \
    --cap-add SYS_ADMIN "${ptrace[@]}" --publish 127.0.0.1::22 \
    "${init[@]}" "$@" "$KIT_IMAGE" "${command[@]}" > /dev/null
  wait_until_up "$name" "${init[0]}"
}

wait_until_up() { # wait_until_up NAME INIT
  local state i
  for ((i = 0; i < 100; i++)); do
    if [[ $2 == --systemd=always ]]; then
      state=$(podman exec "$1" systemctl is-system-running --wait 2>&1 || true)
    else
      state=$(podman exec "$1" sh -c 'test -s /run/sshd.pid && echo running' || true)
    fi
    case $state in *running* | *degraded*) return ;; esac
    sleep 0.2
  done
  echo "$1 did not come up: ${state:-no answer}. Its log:" >&2
  podman logs --tail 20 "$1" >&2
  return 1
}

enter() {
  local name=$1 terminal=()
  shift
  if [[ -t 0 && -t 1 ]]; then terminal=(--tty); fi
  podman exec --interactive "${terminal[@]}" "$name" "${@:-bash}"
}

action=${1:-}
if [[ $# -lt 2 ]]; then
  sed -n '2,7s/^# //p' "${BASH_SOURCE[0]}" >&2
  exit 64
fi
shift
case $action in
  start) start "$@" ;;
  enter) enter "$@" ;;
  port) podman port "$1" 22/tcp | head -n 1 | sed 's/.*://' ;;
  stop) podman rm --force --ignore --volumes --time 0 "$@" ;;
  *) echo "container.sh: unknown action $action" >&2 && exit 64 ;;
esac
