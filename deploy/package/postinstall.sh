#!/bin/sh
# After an installation nothing runs yet: the admin decides. After an upgrade a running server starts anew.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  if systemctl is-active --quiet presence.service; then
    systemctl restart presence.service
  else
    echo "Presence is installed. Start it:  systemctl enable --now presence"
    echo "Then open the link that makes the first admin:  journalctl -u presence | grep setup"
  fi
fi
