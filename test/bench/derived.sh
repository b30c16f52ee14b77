#!/usr/bin/env bash
# Derived reads (Kernel's form, ordered path, explanation, exports) against the trace of the same nodes, by payload size.
#
#   derived.sh [MEGABYTES [ROUNDS]]     default: graphs of 50 MB, 11 rounds
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"
# shellcheck source=test/bench/server.sh
. "$root/test/bench/server.sh"
bench_server "${BENCH_PG_PORT:-15681}" "shared_buffers = 1GB" "max_wal_size = 8GB" "fsync = off"
/usr/bin/python3 "$root/test/bench/derived.py" "$connection" "${1:-50}" "${2:-11}"
