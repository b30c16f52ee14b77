#!/usr/bin/env bash
# What a record weighs on disk, with its event, seal, signature and every index, and in the write-ahead log.
#
#   weight.sh [NODES [on|off]]     default 20000, and three times as many edges; reason.keep_event_text, on
#
# Nodes have payloads of 300 bytes; all is written in batches by reason.add_nodes() and add_edges(), sealed, signed
# with a key and vacuumed, nodes first: what the tables grow by is divided by what was written.
# REASON_PG_BIN names the programs of another build to compare with.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"
# shellcheck source=test/bench/server.sh
. "$root/test/bench/server.sh"
bench_server "${BENCH_PG_PORT:-15684}" "shared_buffers = 1GB" "max_wal_size = 8GB" "autovacuum = off" "reason.keep_event_text = ${2:-on}"
"$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 "$connection" -c "SET client_min_messages = warning; CREATE EXTENSION reasoning_graph"
PYTHONPATH=$root/test/lib /usr/bin/python3 "$root/test/bench/weight.py" "$connection" "${1:-20000}"
