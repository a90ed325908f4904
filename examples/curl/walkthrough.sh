#!/usr/bin/env bash
# The README's walk-through with curl: sign up, stay online, ask, and a backend that touches and asks with an API token.
# Usage: walkthrough.sh [http://127.0.0.1:8000]. KEY is an API token with the scopes touch and read (presence token create).
set -euo pipefail

api=${1:-http://127.0.0.1:8000}/api
json='Content-Type: application/json'
name=${NAME:-zahra}
password='correct horse'

field() { sed -E "s/.*\"$1\":\"?([^\",}]*).*/\1/"; } # of a small JSON object; jq is nicer where it is there

echo "== sign up"
answer=$(curl -fsS "$api/auth/register/" -H "$json" -d "{\"username\":\"$name\",\"password\":\"$password\"}")
token=$(echo "$answer" | field access)

echo "== a heartbeat: stay online"
curl -fsS -X POST "$api/users/heartbeat/" -H "$json" -H "Authorization: Bearer $token"; echo

echo "== who is online"
curl -fsS "$api/users/admin/users/online/" -H "Authorization: Bearer $token"; echo
me=$(curl -fsS "$api/v1/me" -H "Authorization: Bearer $token" | sed -E 's/.*"account":\{[^}]*"id":"([0-9]+)".*/\1/')

echo "== out means out"
curl -fsS -X POST "$api/users/logout/" -H "$json" -H "Authorization: Bearer $token"; echo
code=$(curl -s -o /dev/null -w '%{http_code}' "$api/v1/me" -H "Authorization: Bearer $token")
echo "the old token: $code"

echo "== a backend says that user $me is active, and asks"
curl -fsS -o /dev/null -w 'touch: %{http_code}\n' "$api/v1/touch" -H "$json" -H "Authorization: Bearer $KEY" -d "{\"ids\":[\"$me\"],\"source\":\"curl\"}"
curl -fsS "$api/v1/presence/query" -H "$json" -H "Authorization: Bearer $KEY" -d "{\"ids\":[\"$me\"]}"; echo
