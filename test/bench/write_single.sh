#!/usr/bin/env bash
# What one record costs that is written by itself, over HTTPS, sealed and signed; and one written in SQL.
#
#   write_single.sh [SECONDS [ROUNDS [CONNECTIONS…]]]     default 4, 5, and 4 and 32 connections
#
# With BASE=CHECKOUT, another checkout of this repository in which `make private` was done (git worktree add ../base
# COMMIT): both, in turn, round by round, and the ratio. With PROFILE=yes at the end a table of where the time goes, by
# perf: Debian's package linux-perf.
#
# The load is wrk's: connections that are kept alive, through TLS, no client certificate, for wrk has none: the listener asks
# for none and names the caller itself. Processor time is that of all processes of the stack, until every event of the round
# is sealed and signed; wrk is none of them.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
benchmark=$(dirname "$0")
work=$(mktemp -d /tmp/reason-bench.XXXXXX)
chmod 755 "$work"
PORT_BASE=${BENCH_PORT_BASE:-15640}

# in_tree NAME COMMAND…: in a shell of the checkout's own
in_tree() {
    local name=$1
    shift
    root=${trees[$name]} RUN_DIR=$work/$name PORT_BASE=${ports[$name]} bash -c '
        set -euo pipefail
        export RUN_DIR PORT_BASE
        . "$root/test/stack/lib.sh"
        . "$root/test/bench/gateway_listener.sh"
        "$@"' "$name" "$@"
}
# Run in a shell of in_tree().
# shellcheck disable=SC2317
start() {
    start_listener $((PORT_BASE + 8)) $((8 * $(nproc)))
    stop_process "$RUN_DIR/gateway/nginx.pid" nginx TERM
}
export -f start

declare -A trees=([now]=$root) ports=([now]=$PORT_BASE)
if [ -n "${BASE:-}" ]; then
    trees[base]=$(cd "$BASE" && pwd)
    ports[base]=$((PORT_BASE + 10))
fi
stop() {
    for name in "${!trees[@]}"; do
        in_tree "$name" stop_listener || true
    done
    rm -rf "$work"
}
trap stop EXIT
arguments=()
for name in "${!trees[@]}"; do
    mkdir -p "$work/$name"
    in_tree "$name" start
    arguments+=(--tree "$name" "$work/$name" $((${ports[$name]} + 8)) $((${ports[$name]} + 2)))
done
if [ -n "${PROFILE:-}" ]; then
    arguments+=(--profile)
fi
PYTHONPATH=$benchmark/../lib /usr/bin/python3 "$benchmark/write_single.py" "${arguments[@]}" "${@}"
