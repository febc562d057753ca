#!/usr/bin/env bash
# A database, a store of objects, two replicas and nginx in front of them, on this machine and for a try.
#
#   examples/replicas/start.sh [DIRECTORY]
#
# Needs PostgreSQL and nginx (apt install postgresql nginx-light) and versitygw
# (go install github.com/versity/versitygw/cmd/versitygw@v1.8.0). All files lie in DIRECTORY, which a second run goes on
# with; without it in a new one, which is removed. Ctrl-C ends everything.
#
# FRONT_PORT (5000), and the four ports after it, are used; ZOT names another program than bin/zot.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
zot=${ZOT:-$here/bin/zot}
front=${FRONT_PORT:-5000}
database=$((front + 1)) store=$((front + 2)) first=$((front + 3)) second=$((front + 4))
export PATH="$PATH:/usr/sbin:/sbin:${GOBIN:-${GOPATH:-$HOME/go}/bin}"

need() {
  command -v "$1" >/dev/null || { echo "start.sh: expected $1 ($2), found none; install it" >&2; exit 1; }
}
postgres=$(command -v postgres || ls -d /usr/lib/postgresql/*/bin/postgres 2>/dev/null | tail -n 1 || true)
[ -n "$postgres" ] || { echo "start.sh: expected PostgreSQL (package postgresql), found none; install it" >&2; exit 1; }
initdb=$(dirname "$postgres")/initdb
need versitygw "go install github.com/versity/versitygw/cmd/versitygw@v1.8.0"
need nginx "package nginx-light"

kept=${1:-}
directory=${kept:-$(mktemp -d)}
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)

started=()
stop() {
  trap - EXIT INT TERM
  # The servers first: what they stand on goes last.
  for ((at = ${#started[@]} - 1; at >= 0; at -= 1)); do
    kill "${started[at]}" 2>/dev/null && wait "${started[at]}" 2>/dev/null || true
  done
  [ -n "$kept" ] || rm -rf "$directory"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# As a session of its own: Ctrl-C reaches this script alone, which ends all in their order.
start() {
  local name=$1
  shift
  setsid "$@" >>"$directory/$name.log" 2>&1 </dev/null &
  started+=($!)
}

# Waits until a command succeeds.
until_it() {
  local name=$1 tries=300
  shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { echo "start.sh: $name does not answer:" >&2; tail -n 5 "$directory/$name.log" >&2; exit 1; }
    sleep 0.1
  done
}

# PostgreSQL refuses to be root.
as_server=()
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$directory/database"
  chmod 711 "$directory"
  chown postgres "$directory/database"
  as_server=(setpriv "--reuid=$(id -u postgres)" "--regid=$(id -g postgres)" --clear-groups)
fi
password=$directory/password
[ -e "$password" ] || (umask 077 && head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$password")
secret=$(cat "$password")
if [ ! -e "$directory/database/PG_VERSION" ]; then
  # By a pipe of the server's own user: the file is for its owner alone.
  (cd / && echo "$secret" | "${as_server[@]}" bash -c 'exec "$0" --auth=scram-sha-256 --username=zot --encoding=UTF8 \
    --pgdata="$1" --pwfile=<(cat)' "$initdb" "$directory/database" >"$directory/initdb.log" 2>&1) ||
    { echo "start.sh: initdb failed:" >&2; tail -n 5 "$directory/initdb.log" >&2; exit 1; }
fi
start database "${as_server[@]}" "$postgres" -D "$directory/database" -c listen_addresses=127.0.0.1 -c "port=$database" \
  -c unix_socket_directories=

mkdir -p "$directory/buckets/images" "$directory/users"
start store env ROOT_ACCESS_KEY=zot "ROOT_SECRET_KEY=$secret" \
  versitygw --port "127.0.0.1:$store" --iam-dir "$directory/users" posix "$directory/buckets"

for port in "$first" "$second"; do
  cat >"$directory/replica-$port.yaml" <<END
storage:
  rootDirectory: $directory/scratch-$port
  storageDriver:
    name: s3
    bucket: images
    regionendpoint: http://127.0.0.1:$store
    secure: false
  metadata:
    url: \${ZOT_DATABASE_URL}
http:
  address: 127.0.0.1
  port: $port
END
done

cat >"$directory/nginx.conf" <<END
daemon off;
pid $directory/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path $directory/nginx-1;
  proxy_temp_path $directory/nginx-2;
  fastcgi_temp_path $directory/nginx-3;
  uwsgi_temp_path $directory/nginx-4;
  scgi_temp_path $directory/nginx-5;
$(sed -e 's/^./  &/' -e "s/zot-1:5000/127.0.0.1:$first/" -e "s/zot-2:5000/127.0.0.1:$second/" \
  -e "s/listen 5000/listen 127.0.0.1:$front/" "$here/examples/compose/replicas/nginx.conf")
}
END

until_it store curl --silent "http://127.0.0.1:$store"
until_it database grep --quiet ready "$directory/database/postmaster.pid"
export AWS_ACCESS_KEY_ID=zot AWS_SECRET_ACCESS_KEY=$secret
export ZOT_DATABASE_URL="postgres://zot:$secret@127.0.0.1:$database/postgres?sslmode=disable"
for port in "$first" "$second"; do start "replica-$port" "$zot" serve "$directory/replica-$port.yaml"; done
for port in "$first" "$second"; do until_it "replica-$port" curl --silent --fail "http://127.0.0.1:$port/readyz"; done
start nginx nginx -c "$directory/nginx.conf" -p "$directory"
until_it nginx curl --silent --fail "http://127.0.0.1:$front/v2/"

cat <<END
The registry: http://127.0.0.1:$front, by two replicas: http://127.0.0.1:$first and http://127.0.0.1:$second
Push through one, pull through the other, end one, go on:

  skopeo copy --dest-tls-verify=false docker://… docker://127.0.0.1:$first/app:1
  skopeo inspect --tls-verify=false docker://127.0.0.1:$second/app:1
  kill ${started[2]}

Logs and data: $directory. Ctrl-C ends everything.
END
wait "${started[@]}" || true
