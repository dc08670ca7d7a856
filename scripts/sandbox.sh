#!/usr/bin/env bash
# `make deploy` inside one throwaway container, so that nothing is installed on this machine but podman.
#   KIT_SANDBOX=--no-systemd    a host without systemd
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
name=kit-sandbox
container=molecule/shared/container.sh

molecule/shared/engine.sh
"$container" stop "$name" > /dev/null
echo "Starting the container $name"
"$container" start "$name" ${KIT_SANDBOX:+"$KIT_SANDBOX"}
tar --create --exclude ./.venv --exclude ./.git --exclude ./.state --exclude __pycache__ . |
  "$container" enter "$name" sh -c 'mkdir /root/messenger-kit && tar --extract --no-same-owner --directory /root/messenger-kit'
"$container" enter "$name" sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends make > /dev/null'
"$container" enter "$name" make --no-print-directory -C /root/messenger-kit deploy

cat << TEXT

The container $name runs on.
  enter it     podman exec --interactive --tty $name bash
  delete it    make sandbox-clean
TEXT
