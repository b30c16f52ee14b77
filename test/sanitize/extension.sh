#!/usr/bin/env bash
# The extension under valgrind's memcheck, inside a server, through its tests of traces, the chain and snapshots.
#
#   extension.sh [PYTEST ARGUMENT…]     default: a selection that takes some minutes
#
# PostgreSQL hands out memory in blocks of its own, so what memcheck sees is reading and writing
# beyond blocks, of freed blocks, and of what was never written. Reports in which no function of ours
# takes part are PostgreSQL's own and left alone.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
# shellcheck source=test/stack/lib.sh
. test/stack/lib.sh

port=${SANITIZE_PG_PORT:-15695}
directory=$(mktemp -d /tmp/reason-sanitize.XXXXXX)
chmod 755 "$directory"
owned_by_service "$directory"
prepare_service_user "$directory"
server=
# shellcheck disable=SC2317  # called by the trap
stop() {
    [ -z "$server" ] || kill -QUIT "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    rm -rf "$directory"
}
trap stop EXIT
# shellcheck disable=SC2154  # pg_bin is set in lib.sh
as_service "$pg_bin/initdb" -D "$directory/data" -U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >/dev/null
cat >>"$directory/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$directory'
shared_preload_libraries = 'reasoning_graph'
max_prepared_transactions = 16
wal_level = logical
fsync = off
autovacuum = off
CONF
as_service valgrind --quiet --trace-children=yes --leak-check=no --error-limit=no --num-callers=24 \
    --log-file="$directory/report.%p" "$pg_bin/postgres" -D "$directory/data" >"$directory/log" 2>&1 &
server=$!
for _ in $(seq 600); do
    "$pg_bin/pg_isready" -q -h 127.0.0.1 -p "$port" && break
    sleep 0.1
done

tests=("$@")
[ $# -gt 0 ] || tests=(test/trace/test_reference.py test/trace/test_mvcc.py test/trace/test_json.py test/trace/test_ordered.py
    test/trust/test_chain.py -k "not concurrent_writers and not write_skew")
status=0
REASON_TEST_PORT=$port REASON_PG_BIN=$pg_bin REASON_TRACE_ROUNDS=${REASON_TRACE_ROUNDS:-4} \
    /usr/bin/python3 -m pytest -q -p no:cacheprovider --tb=short "${tests[@]}" || status=1

# A report is a paragraph; "==PID== " begins each of its lines.
sed -E 's/^==[0-9]+== ?//' "$directory"/report.* | awk -v RS= '/reasoning_graph/ { print; print ""; found++ } END { exit found > 0 }' >&2 || status=1
exit $status
