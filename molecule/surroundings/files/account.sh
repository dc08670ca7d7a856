#!/bin/sh
# As root on host `account`: what its owners have set up for those who log in, for Python and pip, and for the disks.
set -eu
echo root:root-of-the-scenario | chpasswd
# An account without sudo, whose PATH has no sbin; a shell that greets; a umask that hides everything; no such locale.
rm -f /etc/sudoers.d/deploy
sed -i '1i echo "Welcome to this host"' /home/deploy/.bashrc
echo 'echo "Unattended access is logged"' > /etc/profile.d/banner.sh
echo 'session optional pam_umask.so umask=077' >> /etc/pam.d/common-session
printf 'LC_ALL=xx_YY.UTF-8\nPYTHONPATH=/opt/nowhere\nPYTHONSTARTUP=/opt/nowhere.py\nPIP_NO_INDEX=1\n' >> /etc/environment
# pip may do nothing by itself here.
for home in /root /home/deploy; do
  mkdir -p "$home/.config/pip"
  printf '[global]\nrequire-virtualenv = true\nno-index = true\nindex-url = https://127.0.0.1:1/simple\n' \
    > "$home/.config/pip/pip.conf"
  printf '[install]\nuser = true\ntarget = /opt/elsewhere\n' >> "$home/.config/pip/pip.conf"
done
# Nothing may be executed from /tmp, and /srv lies on another disk.
mount -t tmpfs -o noexec,nosuid,nodev,mode=1777 tmpfs /tmp
mkdir /mnt/data && mount -t tmpfs -o mode=0755 tmpfs /mnt/data
mkdir /mnt/data/srv && rmdir /srv && ln -s /mnt/data/srv /srv
