#!/usr/bin/env bash
# What proof costs: sealing, verifying the chain, freezing and verifying snapshots.
#
#   trust.sh [NODES [ROUNDS]]     default 30000 and 5
#
# verify_audit() is compared with libsodium verifying signatures on one core and doing nothing else;
# create_snapshot() with the same document built by jsonb aggregation and hashed in SQL. Both sides
# run in turn, round by round.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"
# shellcheck source=test/bench/server.sh
. "$root/test/bench/server.sh"
nodes=${1:-30000}
rounds=${2:-5}
port=${BENCH_PG_PORT:-15681}
bench_server "$port" "shared_buffers = 1GB" "max_wal_size = 8GB" "max_parallel_workers_per_gather = 0"
query() {
    "$pg_bin/psql" -X -q -At -v ON_ERROR_STOP=1 "$connection" "$@"
}
query -c "SET client_min_messages = warning; CREATE EXTENSION reasoning_graph"
cc -O2 -o "$directory/rate" "$root/test/bench/trust_rate.c" -lsodium
PYTHONPATH=$root/test/lib /usr/bin/python3 "$root/test/bench/trust_load.py" "$connection" "$nodes"
query -c "VACUUM ANALYZE"

# seconds COMMAND…: how long it took
seconds() {
    local began
    began=$(date +%s.%N)
    "$@" >"$directory/answer"
    echo "$(date +%s.%N) - $began" | bc -l
}
median() {
    sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}

echo
/usr/bin/python3 "$root/test/bench/trust_verify.py" "$connection" "$directory/rate" "$rounds"

cat >"$directory/aggregate.sql" <<'SQL'
WITH RECURSIVE walk AS (
    SELECT no FROM reason.node WHERE id = (SELECT id FROM place WHERE i = 1)
    UNION
    SELECT e.to_no FROM walk w JOIN reason.edge e ON e.from_no = w.no
), document AS (
    SELECT reason.canonical_json(jsonb_build_object('payload', jsonb_build_object(
        'nodes', (SELECT jsonb_agg(jsonb_build_object('id', n.id, 'author', n.author, 'createdAt', reason.rfc3339(n.created_at), 'digest', encode(n.digest, 'hex'),
                      'division', n.division, 'metadata', n.metadata, 'payload', n.payload, 'payloadHash', encode(n.payload_hash, 'hex'),
                      'salt', encode(n.salt, 'base64'), 'type', n.type) ORDER BY n.id) FROM walk JOIN reason.node n USING (no)),
        'edges', (SELECT jsonb_agg(jsonb_build_object('id', e.id, 'createdAt', reason.rfc3339(e.created_at), 'digest', encode(e.digest, 'hex'), 'division', e.division,
                      'from', f.id, 'fromDigest', encode(f.digest, 'hex'), 'to', t.id, 'toDigest', encode(t.digest, 'hex'),
                      'metadata', e.metadata, 'type', e.type, 'weight', e.weight) ORDER BY e.id)
                  FROM walk w JOIN reason.edge e ON e.from_no = w.no JOIN reason.node f ON f.no = e.from_no JOIN reason.node t ON t.no = e.to_no)))) AS text
)
INSERT INTO aggregated SELECT text, encode(sha256(convert_to(text, 'UTF8')), 'hex') FROM document;
SQL
chmod 755 "$directory"
chmod 644 "$directory/aggregate.sql"
query -c "CREATE TABLE aggregated (document text, hash text); ALTER TABLE aggregated ALTER document SET STORAGE EXTERNAL"
freeze() {
    query -c "SELECT reason.create_snapshot(ARRAY[id], 10000, 'descendants') FROM place WHERE i = 1"
}
echo
printf '%-8s %18s %18s %8s\n' round 'create_snapshot s' 'jsonb_agg s' ratio
for round in $(seq "$rounds"); do
    frozen=$(seconds freeze)
    aggregated=$(seconds query -f "$directory/aggregate.sql")
    printf '%-8s %18.2f %18.2f %8.2f\n' "$round" "$frozen" "$aggregated" "$(echo "$aggregated / $frozen" | bc -l)"
done | tee "$directory/rounds"
echo "ratio: median $(awk '{print $4}' "$directory/rounds" | median) (wanted: at least 5)"

echo "memory: $(/usr/bin/python3 "$root/test/bench/trust_memory.py" "$connection" \
    "SELECT reason.create_snapshot(ARRAY[id], 10000, 'descendants') FROM place WHERE i = 1") (wanted: less than 64 MB and work_mem)"

megabytes=$(query -c "SELECT size_bytes / 1e6 FROM reason.snapshot ORDER BY no DESC LIMIT 1")
for round in $(seq "$rounds"); do
    seconds query -c "SELECT hash_ok AND graph_ok FROM (SELECT id FROM reason.snapshot ORDER BY no DESC LIMIT 1) s, reason.verify_snapshot(s.id)"
done >"$directory/rounds"
printf '\nverify_snapshot of %.0f MB: median %.2f s, %.2f s for 100 MB (wanted: less than 1)\n' "$megabytes" \
    "$(median <"$directory/rounds")" "$(echo "$(median <"$directory/rounds") / $megabytes * 100" | bc -l)"
