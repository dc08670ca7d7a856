#!/bin/sh
# As root on host `services`: a Redis with a password and renamed commands, a Supervisor with rights and programs of its
# own, and a second supervisord beside it.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends redis-server supervisor > /dev/null
cat >> /etc/redis/redis.conf << 'CONF'
requirepass the-password-it-has-already
rename-command FLUSHALL ""
rename-command CONFIG configure-this-server
CONF
sed -i 's/^chmod=0700.*/chmod=0770\nchown=root:deploy/' /etc/supervisor/supervisord.conf
cat > /etc/supervisor/conf.d/other.conf << 'CONF'
[program:other]
command=/bin/sleep infinity
CONF
cat > /etc/supervisord.conf << 'CONF'
[unix_http_server]
file=/run/second.sock
[supervisord]
logfile=/var/log/second.log
pidfile=/run/second.pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix:///run/second.sock
[program:second]
command=/bin/sleep infinity
CONF
service redis-server start
service supervisor start
supervisord -c /etc/supervisord.conf < /dev/null > /dev/null 2>&1
until [ -s /run/second.pid ]; do sleep 0.2; done
cp /run/second.pid /root/second.pid
