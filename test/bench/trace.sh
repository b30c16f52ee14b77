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
port=${BENCH_PG_PORT:-15681}
directory=$(mktemp -d /tmp/reason-bench.XXXXXX)
owned_by_service "$directory"
prepare_service_user "$directory"
finish() {
    as_service "$pg_bin/pg_ctl" -D "$directory/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$directory"
}
trap finish EXIT

as_service "$pg_bin/initdb" -D "$directory/data" -U postgres --auth=trust --locale=C.UTF-8 --encoding=UTF8 --no-sync >/dev/null
cat >>"$directory/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$directory'
shared_preload_libraries = 'reasoning_graph'
shared_buffers = 3GB
work_mem = 256MB
max_wal_size = 16GB
fsync = off
CONF
as_service "$pg_bin/pg_ctl" -D "$directory/data" -l "$directory/log" -w start >/dev/null
mkdir -p "$root/.build/bench"
/usr/bin/python3 "$root/test/bench/trace.py" --port "$port" --nodes "${1:-1000000}" --rounds "${2:-7}" \
    --git "$root/test/data/git-history.tsv.gz" --figure "$root/.build/bench/trace.svg"
