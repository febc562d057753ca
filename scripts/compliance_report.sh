#!/bin/sh
# Makes the reports of docs/compliance/ again: starts one registry on loopback with an empty directory,
# judges it, writes <name>.txt and <name>.html, and stops it.
#
#   scripts/compliance_report.sh zot-registry             this registry
#   scripts/compliance_report.sh docker-registry          Debian's docker-registry, from the PATH
#   scripts/compliance_report.sh distribution <program>   distribution's `registry`, that you have
#   scripts/compliance_report.sh olareg <program>         olareg; the same
#   scripts/compliance_report.sh zot-go <program>         zot (Go); the same
#
# Exit status: that of the last step that failed, else 0; that a registry is not compliant is a result, not a
# failure.
set -eu

self=$(cd "$(dirname "$0")" && pwd -P)
package=$(dirname "$self")
name=${1:-}
program=${2:-}
reports=$package/docs/compliance
work=$(mktemp -d)
server=
login=

stop() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ -z "$server" ] || wait "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM

# A port that is free now. Whoever takes it first has it: on a busy machine, run again.
free_port() {
  "$self/bun" -e 'const s = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }); console.log(s.port); s.stop(true)'
}

# What others make is named by who runs this: nothing is downloaded or built here.
need_program() {
  [ -n "$program" ] && return
  echo "compliance_report: expected the path of $name's program as second argument, got none" >&2
  exit 2
}

port=$(free_port)
mkdir "$work/root"
case $name in
zot-registry)
  version=$("$package/bin/zot" --version | sed -n 's/^zot //p')
  title="this registry $version"
  # With a login, so that the cases about logins are tried too.
  login="--user judge:secret"
  "$self/bun" -e 'console.log("judge:" + (await Bun.password.hash("secret", { algorithm: "bcrypt", cost: 5 })))' |
    sed 's/\$2b\$/$2y$/' >"$work/htpasswd"
  cat >"$work/config.json" <<END
{
  "storage": { "rootDirectory": "$work/root" },
  "log": { "level": "error" },
  "http": {
    "address": "127.0.0.1",
    "port": "$port",
    "auth": { "htpasswd": { "path": "$work/htpasswd" } },
    "accessControl": {
      "repositories": {
        "**": { "policies": [{ "users": ["judge"], "actions": ["read", "create", "update", "delete"] }] }
      }
    }
  }
}
END
  "$package/bin/zot" serve "$work/config.json" >"$work/log" 2>&1 &
  ;;
docker-registry | distribution)
  [ "$name" = docker-registry ] || need_program
  program=${program:-docker-registry}
  version=$("$program" --version | sed 's/.* v*//; s/+unknown//')
  if [ "$name" = docker-registry ] && command -v dpkg-query >/dev/null; then
    version=$(dpkg-query -W -f '${Version}' docker-registry)
  fi
  title="$name $version"
  cat >"$work/config.yml" <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $work/root}, delete: {enabled: true}}
http: {addr: "127.0.0.1:$port", secret: "only for this report"}
END
  OTEL_TRACES_EXPORTER=none "$program" serve "$work/config.yml" >"$work/log" 2>&1 &
  ;;
olareg)
  need_program
  title="olareg $("$program" version --format '{{.VCSRef}}' 2>/dev/null | cut -c1-12)"
  "$program" serve --addr 127.0.0.1 --port "$port" --dir "$work/root" --store-type dir \
    --api-delete --api-blob-delete >"$work/log" 2>&1 &
  ;;
zot-go)
  need_program
  title="zot (Go)"
  printf '{"distSpecVersion":"1.1.1","storage":{"rootDirectory":"%s"},"http":{"address":"127.0.0.1","port":"%s"},"log":{"level":"error"}}\n' \
    "$work/root" "$port" >"$work/config.json"
  "$program" serve "$work/config.json" >"$work/log" 2>&1 &
  ;;
*)
  sed -n 's/^# \{0,1\}//; 2,10p' "$0" >&2
  exit 2
  ;;
esac
server=$!

tries=0
until "$self/bun" -e "await fetch('http://127.0.0.1:$port/v2/')" 2>/dev/null; do
  tries=$((tries + 1))
  if [ "$tries" -gt 100 ] || ! kill -0 "$server" 2>/dev/null; then
    cat "$work/log" >&2
    echo "compliance_report: $name did not start" >&2
    exit 1
  fi
  sleep 0.2
done

mkdir -p "$reports"
status=0
# shellcheck disable=SC2086 # Without a login there is no argument.
"$package/bin/zot" compliance -H 127.0.0.1 -P "$port" --name "$title" $login \
  --output "$reports/$name.txt,$reports/$name.html" || status=$?
if [ "$status" -gt 1 ]; then exit "$status"; fi
tail -n 5 "$reports/$name.txt"
