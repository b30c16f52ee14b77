#!/usr/bin/env bash
# reason-import against the same batches, made beforehand, sent by as many connections that do nothing else.
#
#   import.sh [NODES [ROUNDS]]     default: 200000 nodes and as many edges, 3 rounds; each side into a database of its own
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"
# shellcheck source=test/bench/server.sh
. "$root/test/bench/server.sh"
port=${BENCH_PG_PORT:-15685}
bench_server "$port" "shared_buffers = 1GB" "max_wal_size = 8GB"
duckdb=$("$root/test/stack/duckdb.sh" "$root/.build/duckdb") || duckdb=
/usr/bin/python3 "$root/test/bench/import.py" "$directory" "$port" "${1:-200000}" "${2:-3}" "$root/sidecar/import/reason-import" "$duckdb"
