#!/usr/bin/env bash
# What the record costs: node writes with their audit event, against the same two inserts alone.
#
#   write.sh [SECONDS [ROUNDS]]     default 5 and 5
#
# Both sides run in turn, round by round, 8 clients, one transaction a call, durable commits.
# "record" is reason.add_node(): strict reading, salt, commitment, digest, event, doorbell.
# "inserts" puts ready-made values into two tables of the same shape and indexes, nothing else.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"
# shellcheck source=test/bench/server.sh
. "$root/test/bench/server.sh"
seconds=${1:-5}
rounds=${2:-5}
port=${BENCH_PG_PORT:-15680}
bench_server "$port" "shared_buffers = 1GB" "max_wal_size = 8GB"
"$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 "$connection" <<'SQL'
SET client_min_messages = warning;
CREATE EXTENSION reasoning_graph;
CREATE SCHEMA bare;
CREATE TABLE bare.node (LIKE reason.node INCLUDING ALL);
CREATE TABLE bare.audit_event (LIKE reason.audit_event INCLUDING ALL);
CREATE FUNCTION bare.add_node(payload jsonb, event json) RETURNS uuid LANGUAGE sql AS $$
    WITH record AS (SELECT nextval('reason.record_no') AS no, gen_random_uuid() AS id, gen_random_uuid() AS event_id, clock_timestamp() AS at),
    node AS (INSERT INTO bare.node (no, id, division, type, author, payload, metadata, created_at, salt, payload_hash, digest, audit_event_id)
        SELECT no, id, 'default', 'observation', 'bench', $1, '{}', at, '\x00112233445566778899aabbccddeeff',
               '\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff', '\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff', event_id FROM record),
    event AS (INSERT INTO bare.audit_event (no, id, division, event_type, ts, payload) SELECT no, event_id, 'default', 'node.created', at, $2 FROM record)
    SELECT id FROM record
$$;
SQL
cat >"$directory/record.sql" <<'SQL'
SELECT reason.add_node('observation', '{"sensor": "rain", "value": 0.25, "unit": "mm", "at": "2026-11-23T12:00:00Z", "place": {"lat": 51.5, "lon": -0.12}}', 'bench');
SQL
cat >"$directory/inserts.sql" <<'SQL'
SELECT bare.add_node('{"sensor": "rain", "value": 0.25, "unit": "mm", "at": "2026-11-23T12:00:00Z", "place": {"lat": 51.5, "lon": -0.12}}', '{"request":{"role":"postgres"}}');
SQL
chmod 644 "$directory"/*.sql

rate() {
    "$pg_bin/pgbench" -n -M prepared -c 8 -j 2 -T "$seconds" -f "$directory/$1.sql" "$connection" 2>/dev/null |
        sed -n 's/^tps = \([0-9.]*\).*/\1/p'
}
rate record >/dev/null
rate inserts >/dev/null
echo "Node writes a second, 8 clients, $rounds rounds of $seconds s each side"
printf '%-8s %12s %12s %8s\n' round record inserts ratio
for round in $(seq "$rounds"); do
    record=$(rate record)
    inserts=$(rate inserts)
    printf '%-8s %12.0f %12.0f %8.2f\n' "$round" "$record" "$inserts" "$(echo "$record / $inserts" | bc -l)"
done | tee "$directory/rounds"
awk '{print $4}' "$directory/rounds" | sort -n | awk '{r[NR] = $1} END {printf "ratio: median %.2f, from %.2f to %.2f (wanted: at least 0.85)\n", r[int((NR + 1) / 2)], r[1], r[NR]}'
