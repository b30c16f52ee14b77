#!/usr/bin/env bash
# What another client sees while one does its worst, against what it sees in quiet, in one run on one stack.
#
#   fairness.sh [SECONDS [ROUNDS [WORD]]]     of each measurement, default 8; pairs of quiet and loud, default 3; only ways with the word
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export RUN_DIR PORT_BASE QUIET=yes
RUN_DIR=$(mktemp -d /tmp/reason-fairness.XXXXXX)
PORT_BASE=${BENCH_PORT_BASE:-15400}
chmod 755 "$RUN_DIR"
finish() {
    "$root/test/stack/down.sh" >/dev/null || true
    rm -rf "$RUN_DIR"
}
trap finish EXIT
"$root/test/stack/up.sh"
PYTHONPATH=$root/test/lib /usr/bin/python3 "$root/test/bench/fairness.py" "$RUN_DIR" "${1:-8}" "${2:-3}" "${3:-}"
