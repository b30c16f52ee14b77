#!/usr/bin/env bash
# The extension under valgrind's memcheck, inside a server, through its tests of traces, the chain and snapshots.
#
#   extension.sh [PYTEST ARGUMENT…]     default: a selection that takes some minutes
#
# PostgreSQL hands out memory in blocks of its own, so what memcheck sees is reading and writing
# beyond blocks, of freed blocks, and of what was never written. For it to see the memory of walks,
# this build keeps none of it from one walk to the next.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
# shellcheck source=test/stack/lib.sh
. test/stack/lib.sh

port=${SANITIZE_PG_PORT:-$(free_ports 1)}
directory=$(mktemp -d /tmp/reason-sanitize.XXXXXX)
chmod 755 "$directory"
owned_by_service "$directory"
prepare_service_user "$directory"
server=
# shellcheck disable=SC2317  # called by the trap
stop() {
    if [ -n "$server" ]; then
        kill -QUIT "$server" 2>/dev/null || true
        # One that has gone wrong may not end by itself.
        for _ in $(seq 100); do
            kill -0 "$server" 2>/dev/null || break
            sleep 0.1
        done
        pkill -KILL -f "$directory/data" 2>/dev/null || true
    fi
    rm -rf "$directory"
    # The next build is an ordinary one again.
    rm -f extension/graph/memory.o extension/reasoning_graph.so
}
trap stop EXIT
rm -f extension/graph/memory.o extension/reasoning_graph.so
COPT=-DGRAPH_KEPT_BYTES=0 make --no-print-directory private >/dev/null
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
as_service valgrind --quiet --trace-children=yes --leak-check=no --error-limit=no --num-callers=24 --fullpath-after="$root/" \
    --log-file="$directory/report.%p" "$pg_bin/postgres" -D "$directory/data" >"$directory/log" 2>&1 &
server=$!
for _ in $(seq 600); do
    "$pg_bin/pg_isready" -q -h 127.0.0.1 -p "$port" && break
    sleep 0.1
done

status=0
run() {
    REASON_TEST_PORT=$port REASON_PG_BIN=$pg_bin REASON_TRACE_ROUNDS=${REASON_TRACE_ROUNDS:-4} \
        /usr/bin/python3 -m pytest -q --tb=short "$@" || status=1
}
if [ $# -gt 0 ]; then
    run "$@"
else
    run test/trace/test_reference.py test/trace/test_scan.py test/trace/test_mvcc.py test/trace/test_json.py test/trace/test_ordered.py \
        test/trust/test_chain.py -k "not write_skew"
fi

# A report is a paragraph of which "==PID== " begins each line. Ours are those where the innermost function outside the C
# library is in one of our files: PostgreSQL's own code has some reports of its own, whoever called it.
sed -E 's/^==[0-9]+== ?//' "$directory"/report.* | awk -v RS= '
    {
        lines = split($0, line, "\n")
        for (i = 1; i <= lines; i++)
            if (line[i] ~ /^   (at|by) / && line[i] !~ /vgpreload/) {
                if (line[i] ~ /\(extension\//) {
                    print $0 "\n"
                    found = 1
                }
                break
            }
    }
    END { exit found }' >&2 || status=1
exit $status
