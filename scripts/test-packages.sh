#!/usr/bin/env bash
# Install Debian packages, where they are missing: those named, or all the tests start their own servers from.
# The packages' own services are neither started nor enabled.
set -euo pipefail
packages=(
  redis-server supervisor postgresql
  php-cli php-redis php-symfony-redis-messenger php-symfony-serializer
  php-symfony-property-info php-symfony-property-access php-symfony-event-dispatcher php-symfony-error-handler
  php-symfony-doctrine-messenger php-doctrine-dbal php-sqlite3 php-pgsql
)
if (($#)); then packages=("$@"); fi
services=(redis-server supervisor postgresql)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null | grep -qx installed || missing+=("$package")
done
if ((${#missing[@]} == 0)); then exit 0; fi

if [[ $(id -u) -ne 0 ]]; then
  echo "The tests need more packages. Install them, then try again: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi

echo "Installing ${missing[*]}"
policy=/usr/sbin/policy-rc.d # Debian's own way to keep packages from starting their services
if [[ ! -e $policy ]]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
for service in "${services[@]}"; do
  if [[ " ${missing[*]} " == *" $service "* && -d /run/systemd/system ]]; then
    systemctl --quiet disable "$service"
  fi
done
