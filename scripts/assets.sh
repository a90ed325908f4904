#!/usr/bin/env bash
# Builds what browsers are given and puts it where the Go build embeds it (internal/assets). What is newer than its
# sources is left as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
dist=internal/assets/dist

# built NAME SOURCE... says whether dist/NAME is newer than every source.
built() {
  local stamp=$dist/$1/.stamp
  shift
  [ -f "$stamp" ] && [ -z "$(find "$@" -newer "$stamp" -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -print -quit)" ]
}

if ! built sdk sdk; then
  echo "building the script for browsers (sdk)"
  (cd sdk && npm ci --no-audit --no-fund --silent && npm run --silent build)
  rm -rf "$dist/sdk" && mkdir -p "$dist/sdk"
  cp sdk/dist/presence.js "$dist/sdk/"
  touch "$dist/sdk/.stamp"
fi

if ! built web web; then
  echo "building the dashboard (web)"
  (cd web && npm ci --no-audit --no-fund --silent && npm run --silent build)
  rm -rf "$dist/web" && mkdir -p "$dist/web"
  cp -r web/dist/. "$dist/web/"
  touch "$dist/web/.stamp"
fi
