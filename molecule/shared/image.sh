#!/usr/bin/env bash
# Build the image of the scenarios' hosts: Debian with python3, systemd as PID 1, sshd, and a user
# `deploy` who may sudo. Nothing of what the kit installs is in it.
#   KIT_SUITE=bookworm|trixie    the Debian release (default bookworm)
#   KIT_BASE=registry            from the registry's Debian image
#   KIT_BASE=mmdebstrap          from the mirror this machine's apt uses (needs root)
#   KIT_BASE=auto                the first where a registry answers, else the second (default)
# shellcheck disable=SC2016 # what stands in single quotes is for apt and mmdebstrap to expand
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$here/env.sh"
suite=${KIT_SUITE:-bookworm}
packages=python3,systemd,systemd-sysv,dbus,iproute2,procps,ca-certificates,sudo,openssh-server
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
context=$work/context
mkdir -p "$context/ca" "$context/apt"

host_apt_settings() { # what this machine's apt needs to reach its mirror: proxy, date checks, retries
  if [[ -n ${http_proxy:-} ]]; then printf 'Acquire::http::Proxy "%s";\n' "$http_proxy"; fi
  if [[ -n ${https_proxy:-} ]]; then printf 'Acquire::https::Proxy "%s";\n' "$https_proxy"; fi
  if command -v apt-config > /dev/null; then
    apt-config dump --no-empty --format '%F "%v";%n' |
      grep -E '^Acquire::(http|https|Check-|Retries|ForceIPv)' || true
  fi
}

host_certificates() { # host_certificates DIR: those this machine trusts and Debian does not ship
  python3 - "$1" << 'P'
import hashlib, re, ssl, sys
from pathlib import Path

PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)

def certificates(path):
    text = Path(path).read_text(errors="replace") if Path(path).is_file() else ""
    return {hashlib.sha256(ssl.PEM_cert_to_DER_cert(p)).hexdigest(): p for p in PEM.findall(text)}

shipped = {}
for path in Path("/usr/share/ca-certificates").rglob("*.crt"):
    shipped.update(certificates(path))
for digest, pem in certificates("/etc/ssl/certs/ca-certificates.crt").items():
    if shipped and digest not in shipped:
        Path(sys.argv[1], f"host-{digest[:12]}.crt").write_text(pem + "\n")
P
}

from_registry() {
  timeout 20 podman pull -q "debian:$suite" || return 1
  podman build -q -t "$KIT_IMAGE" -f "$here/Containerfile" \
    --build-arg "SUITE=$suite" --build-arg "PACKAGES=${packages//,/ }" "$context"
}

mirror() { # the Debian archive in this machine's apt sources, as source lines
  local base security
  base=$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' | sort -u | head -n 1)
  security=$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian-Security' | sort -u | head -n 1)
  if [[ -z $base ]]; then return; fi # mmdebstrap's default
  echo "deb $base $suite main"
  echo "deb $base $suite-updates main"
  if [[ -n $security ]]; then echo "deb $security $suite-security main"; fi
}

from_mirror() {
  local options=() line sources
  mapfile -t sources < <(mirror)
  while IFS= read -r line; do options+=("--aptopt=$line"); done < "$context/apt/95-host"
  mmdebstrap -q --variant=minbase --include="$packages" "${options[@]}" \
    --customize-hook="copy-in $context/ca/. /usr/local/share/ca-certificates" \
    --customize-hook="chroot \"\$1\" sh < $context/setup.sh" \
    --customize-hook='rm -f "$1/etc/hostname" "$1/etc/resolv.conf"; : > "$1/etc/machine-id"' \
    "$suite" "$work/root.tar" "${sources[@]}"
  podman import -q -c 'CMD ["/lib/systemd/systemd"]' "$work/root.tar" "$KIT_IMAGE"
}

host_apt_settings > "$context/apt/95-host"
host_certificates "$context/ca"
cp "$here/setup.sh" "$context/setup.sh"

echo "Building $KIT_IMAGE"
case ${KIT_BASE:-auto} in
  registry) from_registry ;;
  mmdebstrap) from_mirror ;;
  auto) from_registry 2> /dev/null || { echo "No registry answers: building from Debian packages"; from_mirror; } ;;
  *) echo "KIT_BASE=$KIT_BASE: expected registry, mmdebstrap or auto" >&2 && exit 64 ;;
esac
