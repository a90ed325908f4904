#!/bin/sh
# Called with "upgrade" (deb) or 1 (rpm) when a newer version is on its way: then the server keeps running until
# that is in place. The data in /var/lib/presence stays in any case.
set -e
case "$1" in
upgrade | 1) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
  systemctl disable --now presence.socket presence.service || true
fi
