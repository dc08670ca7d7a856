# shellcheck shell=bash
# Sourced by the scripts beside it. Exports
#   KIT_STATE        what the containers take from this machine: SSH key, pip settings, pip cache
#   KIT_IMAGE        the image the containers start from
#   CONTAINERS_CONF  settings for podman, only where this machine needs other than podman's own
export KIT_STATE=${KIT_STATE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/messenger-kit}
export KIT_IMAGE=localhost/kit-systemd:${KIT_SUITE:-bookworm}
mkdir -p "$KIT_STATE/pip" && chmod 700 "$KIT_STATE"
chmod 1777 "$KIT_STATE/pip" # pip runs as root and as the application's user

has_capability() { # has_capability BIT: is it in the bounding set?
  local set
  set=$(awk '/^CapBnd:/ {print $2}' /proc/self/status)
  (((16#$set >> $1) & 1))
}

hard_limit() { # hard_limit FLAG CEILING
  local value
  value=$(ulimit -H "$1")
  if [[ $value == unlimited || $value -gt $2 ]]; then value=$2; fi
  echo "$value"
}

podman_settings() {
  local conf=$KIT_STATE/containers.conf.$$ files processes
  : > "$conf"
  if ! has_capability 24; then # CAP_SYS_RESOURCE: podman's default limits would need it
    files=$(hard_limit -n 1048576)
    processes=$(hard_limit -u "$(cat /proc/sys/kernel/pid_max)") # podman lowers its own to pid_max first
    printf '[containers]\ndefault_ulimits = ["nofile=%s:%s", "nproc=%s:%s"]\n' \
      "$files" "$files" "$processes" "$processes" >> "$conf"
  fi
  if [[ $(stat -f -c %T /sys/fs/cgroup) == tmpfs ]]; then # cgroup v1 or hybrid: crun refuses it
    printf '[engine]\nruntime = "runc"\n' >> "$conf"
  fi
  # In one step: several runs may read it
  mv "$conf" "$KIT_STATE/containers.conf"
  if [[ -s $KIT_STATE/containers.conf ]]; then export CONTAINERS_CONF=$KIT_STATE/containers.conf; fi
}

pip_settings() { # how this machine's pip reaches its index, for pip in the containers
  local pip=${KIT_PIP:-pip3}
  {
    printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\ncache-dir = /var/cache/kit-pip\n'
    if command -v "$pip" > /dev/null; then
      "$pip" config list |
        sed -nE "s/^[^.]+\.(index-url|extra-index-url|trusted-host|proxy)='(.*)'\$/\1 = \2/p" |
        { grep -v 'file:' || true; } | awk -F' = ' '{last[$1] = $0} END {for (k in last) print last[k]}'
    fi
  } > "$KIT_STATE/pip.conf.$$"
  # Written in place, because running containers have this very file mounted; and only when it changed, because they read it.
  if ! cmp --quiet "$KIT_STATE/pip.conf.$$" "$KIT_STATE/pip.conf"; then
    cat "$KIT_STATE/pip.conf.$$" > "$KIT_STATE/pip.conf"
  fi
  chmod 644 "$KIT_STATE/pip.conf"
  rm "$KIT_STATE/pip.conf.$$"
}

podman_settings
pip_settings
if [[ ! -f $KIT_STATE/id_ed25519 ]]; then # one throwaway key for every container
  ssh-keygen -q -t ed25519 -N '' -C messenger-kit -f "$KIT_STATE/id_ed25519"
fi
