#!/bin/sh
# Restart Supervisor as its init script does it, but wait until the old one is gone.
set -eu
pid=$(/usr/bin/supervisorctl -c /etc/supervisor/supervisord.conf pid)
service supervisor stop
while kill -0 "$pid" 2> /dev/null; do sleep 1; done
service supervisor start
