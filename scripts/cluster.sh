#!/usr/bin/env bash
# Three nodes on this machine: PostgreSQL, Valkey or Redis, three servers and nginx before them, all on the loopback
# interface, on free ports from PORT (8000) on. Ctrl-C stops everything and removes it. CLUSTER_DIR keeps data and logs
# elsewhere, and keeps them. For trials (bench/cluster): CLUSTER_BINARY is another server, CLUSTER_ENGINE another engine,
# CLUSTER_DOWN for how many seconds PostgreSQL and Redis stay away, CLUSTER_CLOCKS what a binary of those trials adds to
# the clocks of the nodes, in seconds.
set -euo pipefail
cd "$(dirname "$0")/.."
port=${PORT:-8000}
binary=${CLUSTER_BINARY:-$PWD/bin/presence}
down=${CLUSTER_DOWN:-10}
read -r -a clocks <<< "${CLUSTER_CLOCKS:-0 0 0}"

need() { # command, package
  command -v "$1" > /dev/null || { echo "make cluster needs $1; install it, on Debian with: apt-get install $2" >&2; exit 1; }
}
postgres=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -1 || true)
[ -n "$postgres" ] || postgres=$(dirname "$(command -v initdb || true)")
[ -x "$postgres/initdb" ] || { echo "make cluster needs PostgreSQL; on Debian: apt-get install postgresql-15" >&2; exit 1; }
redis=$(command -v valkey-server || command -v redis-server || true)
[ -n "$redis" ] || { echo "make cluster needs valkey-server or redis-server; on Debian: apt-get install redis-server" >&2; exit 1; }
need nginx nginx-light
need curl curl
[ -x "$binary" ] || { echo "$binary is missing: make build" >&2; exit 1; }

if [ -n "${CLUSTER_DIR:-}" ]; then
  dir=$CLUSTER_DIR
  mkdir -p "$dir"
else
  dir=$(mktemp -d -t presence-cluster.XXXXXX)
fi
dir=$(cd "$dir" && pwd)
chmod 711 "$dir"

# PostgreSQL refuses to run as root.
as_postgres=()
if [ "$(id -u)" -eq 0 ]; then as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups); fi

pids=()
names=()
stop() {
  trap - EXIT INT TERM
  echo
  echo "stopping"
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    signal=TERM
    [ "${names[$i]}" = postgres ] && signal=INT # ends its connections
    [ "${names[$i]}" = nginx ] && signal=QUIT
    kill -"$signal" "${pids[$i]}" 2> /dev/null || true
    wait "${pids[$i]}" 2> /dev/null || true
  done
  [ -n "${CLUSTER_DIR:-}" ] || rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

run() { # name, command...: in the background, with a log of its own, deaf to the terminal's Ctrl-C
  local name=$1
  shift
  setsid "$@" >> "$dir/$name.log" 2>&1 &
  pids+=($!)
  names+=("$name")
}

# A port is kept by a lock for as long as anything of this cluster runs: another cluster that starts at the same moment,
# or while PostgreSQL is away in this one, takes others.
locks=${TMPDIR:-/tmp}/presence-ports-$(id -u)
mkdir -p -m 700 "$locks"
free_port() { # the next port from $1 on that nobody keeps or listens at; sets $found
  local lock
  for ((found = $1; ; found++)); do
    exec {lock}> "$locks/$found"
    if flock -n "$lock" && ! (exec 3<> "/dev/tcp/127.0.0.1/$found") 2> /dev/null; then return; fi
    exec {lock}>&-
  done
}

await() { # what, log, command...
  local what=$1 log=$2
  shift 2
  for _ in $(seq 600); do
    if "$@" > /dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "$what does not start:" >&2
  tail -20 "$dir/$log.log" >&2
  exit 1
}

free_port "$port"; front=$found
nodes=()
for i in 1 2 3; do free_port $((port + i)); nodes+=("$found"); done
free_port $((port + 10)); pgport=$found
free_port $((port + 11)); redisport=$found

echo "starting PostgreSQL, $(basename "$redis"), three nodes and nginx in $dir"
mkdir -p "$dir/postgres"
[ ${#as_postgres[@]} -eq 0 ] || chown postgres "$dir/postgres"
chmod 700 "$dir/postgres"
if [ ! -e "$dir/postgres/PG_VERSION" ]; then
  (cd / && "${as_postgres[@]}" "$postgres/initdb" --auth=trust --username=presence --encoding=UTF8 --locale=C.UTF-8 --pgdata="$dir/postgres") > "$dir/initdb.log" 2>&1
fi
(cd / && "${as_postgres[@]}" true)
touch "$dir/postgres.log"
run postgres "${as_postgres[@]}" "$postgres/postgres" -D "$dir/postgres" -p "$pgport" -c listen_addresses=127.0.0.1 \
  -c unix_socket_directories= -c max_connections=100
run redis "$redis" --port "$redisport" --bind 127.0.0.1 --save '' --appendonly no --maxmemory-policy noeviction --dir "$dir"
await PostgreSQL postgres "$postgres/pg_isready" -h 127.0.0.1 -p "$pgport"
"$postgres/createdb" -h 127.0.0.1 -p "$pgport" -U presence presence 2> /dev/null || true # it may be there already

[ -e "$dir/signing.key" ] || (umask 077 && head -c 36 /dev/urandom | base64 > "$dir/signing.key")
export PRESENCE_DATABASE="postgres://presence@127.0.0.1:$pgport/presence?sslmode=disable"
export PRESENCE_ENGINE="${CLUSTER_ENGINE:-redis://127.0.0.1:$redisport}"
export PRESENCE_SIGNING_KEY_FILE="$dir/signing.key"
export PRESENCE_TRUSTED_PROXIES=127.0.0.1
export PRESENCE_CORS_ORIGINS="http://127.0.0.1:$front,http://localhost:$front"

node_names=(a b c)
start_node() { # index
  run "node-${node_names[$1]}" env TRIAL_CLOCK="${clocks[$1]}" "$binary" serve --node "${node_names[$1]}" --listen "127.0.0.1:${nodes[$1]}" --data "$dir/node-${node_names[$1]}"
}
for i in 0 1 2; do start_node "$i"; done
for i in 0 1 2; do await "node ${node_names[$i]}" "node-${node_names[$i]}" curl -fsS "http://127.0.0.1:${nodes[$i]}/readyz"; done

mkdir -p "$dir/nginx"
{
  echo "daemon off; pid $dir/nginx/pid; error_log $dir/nginx.log warn; worker_processes 1;"
  [ "$(id -u)" -ne 0 ] || echo "user root;"
  echo "events { worker_connections 4096; }"
  echo "http { access_log off; client_body_temp_path $dir/nginx/body; proxy_temp_path $dir/nginx/proxy;"
  echo "fastcgi_temp_path $dir/nginx/f; uwsgi_temp_path $dir/nginx/u; scgi_temp_path $dir/nginx/s;"
  sed -e "s/127\.0\.0\.1:8000/127.0.0.1:$front/" -e "s/127\.0\.0\.1:8001/127.0.0.1:${nodes[0]}/" \
    -e "s/127\.0\.0\.1:8002/127.0.0.1:${nodes[1]}/" -e "s/127\.0\.0\.1:8003/127.0.0.1:${nodes[2]}/" deploy/nginx-cluster.conf
  echo "}"
} > "$dir/nginx/nginx.conf"
run nginx nginx -c "$dir/nginx/nginx.conf" -p "$dir/nginx"
await nginx nginx curl -fsS "http://127.0.0.1:$front/healthz"

node_pid() { # index: the servers are pids 2, 3 and 4
  echo "${pids[$((2 + $1))]}"
}
link=$(grep -ho 'http://127\.0\.0\.1:[0-9]*/setup?token=[^ ]*' "$dir"/node-a.log | tail -1 | sed "s#http://127\.0\.0\.1:[0-9]*#http://127.0.0.1:$front#" || true)
cat <<TEXT

Three nodes are ready behind http://127.0.0.1:$front/

  node a  http://127.0.0.1:${nodes[0]}/  process $(node_pid 0)
  node b  http://127.0.0.1:${nodes[1]}/  process $(node_pid 1)
  node c  http://127.0.0.1:${nodes[2]}/  process $(node_pid 2)
  PostgreSQL at port $pgport, $(basename "$redis") at port $redisport, logs in $dir

TEXT
[ -z "$link" ] || printf 'Make the first admin (once, at whichever node):\n\n  %s\n\n' "$link"
cat <<TEXT
Try, in another terminal:

  bin/presence bench --url http://127.0.0.1:$front --users 500     a crowd to look at
  curl -s http://127.0.0.1:${nodes[1]}/readyz                            what a node says of itself
  kill -9 $(node_pid 1)                                           kill node b: nobody is lost, it is started again here
  kill -STOP $(node_pid 2); sleep 30; kill -CONT $(node_pid 2)       let node c stand still
  kill -9 ${pids[1]}                                           take $(basename "$redis") away: it is started again in $down s
  kill -INT ${pids[0]}                                         take PostgreSQL away, for $down s too: beats and lists go on
  PRESENCE_DATABASE='$PRESENCE_DATABASE' bin/presence user list

Ctrl-C stops everything.
TEXT

# Whatever is killed is started again, as a service manager would.
while :; do
  sleep 1 &
  wait $! || true
  for i in "${!pids[@]}"; do
    kill -0 "${pids[$i]}" 2> /dev/null && continue
    name=${names[$i]}
    wait "${pids[$i]}" 2> /dev/null && code=0 || code=$?
    echo "$name ended ($code)"
    case $name in
      node-a | node-b | node-c)
        number=$((i - 2))
        setsid env TRIAL_CLOCK="${clocks[$number]}" "$binary" serve --node "${node_names[$number]}" --listen "127.0.0.1:${nodes[$number]}" --data "$dir/$name" >> "$dir/$name.log" 2>&1 &
        pids[i]=$!
        echo "$name is started again, process ${pids[$i]}"
        ;;
      postgres)
        sleep "$down"
        setsid "${as_postgres[@]}" "$postgres/postgres" -D "$dir/postgres" -p "$pgport" -c listen_addresses=127.0.0.1 \
          -c unix_socket_directories= -c max_connections=100 >> "$dir/postgres.log" 2>&1 &
        pids[i]=$!
        echo "postgres is started again, process ${pids[$i]}"
        ;;
      redis)
        sleep "$down"
        setsid "$redis" --port "$redisport" --bind 127.0.0.1 --save '' --appendonly no --maxmemory-policy noeviction --dir "$dir" >> "$dir/redis.log" 2>&1 &
        pids[i]=$!
        echo "redis is started again, process ${pids[$i]}; the nodes write back what it lost"
        ;;
      *) exit 1 ;;
    esac
  done
done
