#!/usr/bin/env bash
# Runs every fuzz target of the module for so many inputs, or so long, each: scripts/fuzz.sh 10000x. Counting inputs is
# the default because a time that runs out in the middle of an input is reported as a failure ("context deadline exceeded").
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10000x}
grep -rlE '^func Fuzz' --include='*_test.go' . | while read -r file; do
  sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$file" | while read -r target; do
    echo "fuzz $target ($(dirname "$file"), $time)"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$(dirname "$file")" < /dev/null
  done
done
