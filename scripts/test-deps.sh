#!/usr/bin/env bash
# Installs what the tests start for themselves, where it is missing: PostgreSQL 15, Redis, nginx, Prometheus
# and Chromium,
# from Debian's packages. Says nothing when everything is there. Nothing is left running.
set -euo pipefail

missing=()
compgen -G '/usr/lib/postgresql/*/bin/initdb' > /dev/null || missing+=(postgresql-15)
command -v valkey-server > /dev/null || command -v redis-server > /dev/null || missing+=(redis-server)
command -v nginx > /dev/null || [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
command -v prometheus > /dev/null || missing+=(prometheus)
command -v chromium > /dev/null || command -v google-chrome > /dev/null || missing+=(chromium)
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get > /dev/null; then
  echo "The tests need ${missing[*]} (or what your system calls them); there is no apt-get here to install them with." >&2
  exit 1
fi
root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo > /dev/null; then
    echo "The tests need ${missing[*]}; run as root: apt-get install -y ${missing[*]}" >&2
    exit 1
  fi
  root=(sudo)
fi

# The packages start servers of their own when they are installed; the tests want none of them.
quiet() {
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 "$@" > /tmp/test-deps.$$ 2>&1 || {
    cat /tmp/test-deps.$$ >&2
    exit 1
  }
}
trap 'rm -f /tmp/test-deps.$$' EXIT
echo "installing ${missing[*]} for the tests"
quiet apt-get update -qq
quiet apt-get install -y -qq --no-install-recommends "${missing[@]}"
