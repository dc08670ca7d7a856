#!/usr/bin/env bash
# Make podman and the container image ready; does nothing when they are.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

exec 8< "${BASH_SOURCE[0]}" # scenarios side by side: one of them installs and builds
flock 8

# --no-install-recommends leaves out what containers need for names and networks, hence by name
packages=(podman runc conmon netavark aardvark-dns iptables catatonit mmdebstrap openssh-client)

if ! command -v podman > /dev/null || ! command -v ssh-keygen > /dev/null; then
  if [[ $(id -u) -ne 0 ]]; then
    echo "The scenarios need podman. Install it with: sudo apt-get install ${packages[*]}" >&2
    exit 1
  fi
  echo "Installing podman"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" > /dev/null
fi

# shellcheck source-path=SCRIPTDIR source=env.sh
. "$here/env.sh"
if ! podman image exists "$KIT_IMAGE"; then
  "$here/image.sh" 8<&-
fi
