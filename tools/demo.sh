#!/usr/bin/env bash
# The product's main job, end to end: a private server on a free port, the example skill applied
# twice, updated, every version read back and compared, the store shown, the server stopped.
# Everything happens in a directory of its own that is removed at the end.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=$root/build
work=$(mktemp -d)
server=

cleanup() {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap cleanup EXIT

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
run() {
  local shown="$*"
  shown=${shown//$work\//}
  printf '\n$ %s\n' "${shown//$root\//}"
  "$@"
}
die() {
  echo "demo: $*" >&2
  exit 1
}

# The port that the kernel gave, from the server's own log.
port_of() {
  local _ p
  for _ in $(seq 100); do
    p=$(sed -nE 's/.*"port":([0-9]+).*/\1/p' "$1" | head -n 1)
    [ -z "$p" ] || { echo "$p"; return 0; }
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  cat "$1" >&2
  return 1
}

export HOME=$work/home GRPC_PORT=0 STORAGE_PATH=$work/storage DB_PATH=$work/stigmer.db
mkdir -p "$HOME"

say "A private server on a free port"
"$bin/stigmer-server" 2>"$work/server.log" &
server=$!
port=$(port_of "$work/server.log") || die "the server did not start"
export STIGMER_SERVER_ADDR=127.0.0.1:$port
stigmer() { "$bin/stigmer" "$@"; }
echo "stigmer-server answers on $STIGMER_SERVER_ADDR"

say "The example skill, applied"
cp -r "$root/examples/calculator" "$work/calculator"
cd "$work/calculator"
run stigmer apply
first=$(stigmer skill get calculator --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["status"]["versionHash"])')

say "Applied again: the same bytes, the same version"
stigmer apply >/dev/null
again=$(stigmer skill get calculator --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["status"]["versionHash"])')
[ "$first" = "$again" ] || die "the second apply made another version"
echo "version $again, unchanged"

say "Updated, and tagged v2"
printf '\n## Note\n\nThis line came with version 2.\n' >>SKILL.md
run stigmer skill push --tag v2

say "Every version, read back and compared"
run stigmer skill versions calculator
cd "$work"
run stigmer skill pull "calculator@$first" one
run stigmer skill pull calculator:v2 two
diff -r one "$root/examples/calculator" || die "version 1 differs from what was pushed"
diff -r two calculator || die "version 2 differs from what was pushed"
echo "both versions are, file by file, what was pushed"

say "The pulled skill does its work"
tool=$(cd two && find . -name '*.py' -path '*calc*' | sort | head -n 1)
run python3 "two/$tool" '(2 + 3) * 7'

say "What the store holds"
run stigmer skill list
(cd "$STORAGE_PATH" && ls -l skills)
run "$bin/stigmer-server" dump

say "Stopped"
kill "$server"
wait "$server" || die "the server did not stop cleanly"
server=
echo "demo: everything held"
