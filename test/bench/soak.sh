#!/usr/bin/env bash
# The gateway with 2,000 idle and 200 busy connections for ten minutes: memory flat, no error.
#
#   soak.sh [SECONDS [IDLE [BUSY]]]     default: 600 2000 200
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
RUN_DIR=$(mktemp -d /tmp/reason-soak.XXXXXX)
PORT_BASE=${BENCH_PORT_BASE:-15660}
export RUN_DIR PORT_BASE
stop() {
    "$root/test/stack/down.sh" >/dev/null 2>&1 || true
    rm -rf "$RUN_DIR"
}
trap stop EXIT
ulimit -n 8192
QUIET=yes "$root/test/stack/up.sh"
PYTHONPATH=$root/test/lib /usr/bin/python3 "$root/test/bench/soak.py" --run-dir "$RUN_DIR" --seconds "${1:-600}" --idle "${2:-2000}" --busy "${3:-200}"
