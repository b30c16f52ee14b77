#!/usr/bin/env bash
# Traces against recursive queries over the same tables, and their JSON against json_agg.
#
#   trace.sh [NODES [ROUNDS]]     default: a synthetic graph of 1000000 nodes, 7 rounds
#
# Besides the synthetic graph: git's history (test/data), and the machine's own Debian
# package graph. The figure of docs/performance.md is left in .build/bench/trace.svg.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"
# shellcheck source=test/bench/server.sh
. "$root/test/bench/server.sh"
port=${BENCH_PG_PORT:-15681}
bench_server "$port" "shared_buffers = 3GB" "work_mem = 256MB" "max_wal_size = 16GB" "fsync = off" \
    "reason.adjacency_cache_size = 1GB"
mkdir -p "$root/.build/bench"
/usr/bin/python3 "$root/test/bench/trace.py" --port "$port" --nodes "${1:-1000000}" --rounds "${2:-7}" \
    --git "$root/test/data/git-history.tsv.gz" --figure "$root/.build/bench/trace.svg"
