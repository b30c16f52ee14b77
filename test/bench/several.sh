#!/usr/bin/env bash
# Several at once: traces from several nodes in one call, strongest paths, and many sessions that trace while others write.
#
#   several.sh [NODES [ROUNDS [SECONDS]]]     default: a synthetic graph of 200000 nodes, 7 rounds, 4 seconds
#
# Each against what a recursive query over the same tables takes, in the same run.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"
# shellcheck source=test/bench/server.sh
. "$root/test/bench/server.sh"
port=${BENCH_PG_PORT:-15684}
bench_server "$port" "shared_buffers = 1GB" "work_mem = 64MB" "max_wal_size = 8GB" "max_connections = 100" \
    "reason.adjacency_cache_size = 256MB"
/usr/bin/python3 "$root/test/bench/several.py" "$port" "$connection" "$pg_bin/pgbench" "${1:-200000}" "${2:-7}" "${3:-4}"
