#!/bin/sh
# What is on this host: packages, users, groups, and files with their owner, mode, and size or content.
# Left out: what apt, dpkg, logins and changes of users (the backups of passwd) write by themselves.
export LC_ALL=C
dpkg-query -W -f 'package ${Package} ${db:Status-Status}\n'
cut -d: -f1 /etc/passwd | sed 's/^/user /' | sort
cut -d: -f1 /etc/group | sed 's/^/group /' | sort
set -- '(' -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/log -o -path '*/.ansible' \
  -o -path /root/virgin.txt -o -path '/etc/*-' -o -path /etc/ld.so.cache -o -name __pycache__ ')' -prune
find /etc /home /opt /root /srv /usr /var -xdev "$@" -o -type d -printf '%y %m %u %g %p\n' \
  -o -type l -printf '%y %p -> %l\n' -o -printf '%y %m %u %g %s %p\n' | sort -k 6
find /etc -xdev "$@" -o -type f -print0 | xargs -0 sha256sum | sort -k 2
