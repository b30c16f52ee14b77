#!/usr/bin/env bash
# Canonical JSON and digests against jsonb::text and npm's canonicalize, on the same documents in one run.
#
#   canonical.sh [ROUNDS]     default 5: every statement in turn, round by round; the best counts
#
# Times are processor time, as the machine may do other work beside.
#
# Documents of about 1 KB: "mixed" (a recommendation with text, numbers and metadata), "numbers" (readings),
# "names" (many short members), "text" (prose with escapes); and "50 MB", one array of mixed ones.
# canonical_json(jsonb) is to be at least 2 times as fast as jsonb::text (ratio in the last column but one),
# digest() at least 5 times as fast as canonicalize + SHA-256 in Node (last column; "-" without npm).
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"
# shellcheck source=test/bench/server.sh
. "$root/test/bench/server.sh"
rounds=${1:-5}
port=${BENCH_PG_PORT:-15680}
bench_server "$port" "shared_buffers = 512MB" "fsync = off" "jit = off" \
    "max_parallel_workers_per_gather = 0"
sql() {
    "$pg_bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 "$connection" "$@"
}
sql <<'SQL'
SET client_min_messages = warning;
CREATE EXTENSION reasoning_graph;
-- a table for each kind, as scanning others would count on both sides
CREATE TABLE document (kind text, d jsonb) PARTITION BY LIST (kind);
CREATE TABLE mixed PARTITION OF document FOR VALUES IN ('mixed');
CREATE TABLE numbers PARTITION OF document FOR VALUES IN ('numbers');
CREATE TABLE names PARTITION OF document FOR VALUES IN ('names');
CREATE TABLE prose PARTITION OF document FOR VALUES IN ('text');
CREATE TABLE large PARTITION OF document FOR VALUES IN ('50 MB');
-- nor does any side pay for decompression
ALTER TABLE mixed ALTER d SET STORAGE PLAIN;
ALTER TABLE numbers ALTER d SET STORAGE PLAIN;
ALTER TABLE names ALTER d SET STORAGE PLAIN;
ALTER TABLE prose ALTER d SET STORAGE PLAIN;
ALTER TABLE large ALTER d SET STORAGE EXTERNAL;
SELECT setseed(0.5);
INSERT INTO document
SELECT 'mixed', jsonb_build_object('id', gen_random_uuid(), 'type', 'recommendation', 'author', 'kernel',
    'createdAt', '2026-11-23T16:15:27.123456Z',
    'metadata', jsonb_build_object('confidence', round(random()::numeric, 4), 'tags', ARRAY['alpha', 'beta', 'gamma'],
                                   'model', 'm-7b-instruct', 'latencyMs', floor(random() * 1000)),
    'payload', jsonb_build_object('title', 'Rebalance the portfolio of customer ' || i,
        'text', 'Because the exposure exceeded the limit, "sell" is recommended — see § 4. ' || repeat('lorem ipsum dolor sit amet ', 8),
        'scores', (SELECT jsonb_agg(round((random() * 100)::numeric, 3)) FROM generate_series(1, 20) WHERE i = i),
        'inputs', jsonb_build_object('a', i, 'b', i * 7919, 'limit', 250000, 'ratio', 0.125, 'enabled', true, 'note', NULL,
                                     'nested', jsonb_build_object('x', random(), 'y', random()))))
FROM generate_series(1, 20000) i;
INSERT INTO document
SELECT 'numbers', jsonb_build_object('sensor', i, 'at', 1732378527123456 + i,
    'readings', (SELECT jsonb_agg(CASE WHEN j % 4 = 0 THEN to_jsonb(random()) ELSE to_jsonb(round((random() * 1000)::numeric, 2)) END)
                 FROM generate_series(1, 100) j WHERE i = i))
FROM generate_series(1, 20000) i;
INSERT INTO document
SELECT 'names', (SELECT jsonb_object_agg('member_' || substr(md5((i * j)::text), 1, 6), j) FROM generate_series(1, 50) j)
FROM generate_series(1, 20000) i;
INSERT INTO document
SELECT 'text', jsonb_build_object('log', (SELECT jsonb_agg('line ' || j || E': the "value"\tis naïve\n' || md5((i * j)::text)) FROM generate_series(1, 14) j))
FROM generate_series(1, 20000) i;
INSERT INTO document
SELECT '50 MB', jsonb_agg(d) FROM (SELECT d FROM document, generate_series(1, 3) WHERE kind = 'mixed') m;
VACUUM ANALYZE document;
CREATE FUNCTION processor_ms() RETURNS float8 LANGUAGE sql VOLATILE AS $$
    SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::float8 / 1e6
$$;
-- milliseconds for all documents of a kind
CREATE FUNCTION bench(expression text, kind text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    began float8 := processor_ms();
BEGIN
    EXECUTE format('SELECT sum(octet_length(%s)) FROM document WHERE kind = %L', expression, kind);
    RETURN processor_ms() - began;
END
$$;
CREATE TABLE measured (kind text, expression text, ms float8);
SQL

kinds='mixed numbers names text'
for kind in $kinds '50 MB'; do
    sql -c "COPY (SELECT d FROM document WHERE kind = '$kind') TO STDOUT WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')" >"$directory/$kind"
done
sql >/dev/null <<SQL
SELECT bench(e, k) FROM unnest(ARRAY['pg_column_size(d)::text', 'd::text', 'reason.canonical_json(d)', 'reason.digest(d)']) e,
    unnest(ARRAY['mixed', '50 MB']) k;
INSERT INTO measured SELECT k, e, bench(e, k)
FROM generate_series(1, $rounds) r, unnest(ARRAY['d::text', 'reason.canonical_json(d)', 'reason.canonical_json(d::text::json)', 'reason.digest(d)']) e,
     unnest(ARRAY['mixed', 'numbers', 'names', 'text', '50 MB']) k;
SQL

node_seconds() { echo - -; }
if command -v npm >/dev/null && npm install --silent --no-audit --no-fund --prefix "$directory/node" canonicalize@4 >/dev/null 2>&1; then
    cp "$root/test/bench/canonical_node.mjs" "$directory/node/"
    node_seconds() { node --max-old-space-size=4096 "$directory/node/canonical_node.mjs" "$1"; }
else
    echo "npm, or its package canonicalize, is not to be had: no comparison with it"
fi

printf '%-10s %9s | %9s %9s %9s %9s %9s | %9s %9s\n' documents 'KB each' 'text' 'canonical' 'of text' 'digest' 'node' 'text:can' 'node:dig'
for kind in $kinds '50 MB'; do
    read -r seconds bytes <<<"$(node_seconds "$directory/$kind")"
    sql -F ' ' -c "
        SELECT round(b.bytes / b.n / 1000.0, 1), b.bytes, m.* FROM
            (SELECT sum(octet_length(reason.canonical_json(d))) AS bytes, count(*) AS n FROM document WHERE kind = '$kind') b,
            (SELECT min(ms) FILTER (WHERE expression = 'd::text'), min(ms) FILTER (WHERE expression = 'reason.canonical_json(d)'),
                    min(ms) FILTER (WHERE expression = 'reason.canonical_json(d::text::json)'), min(ms) FILTER (WHERE expression = 'reason.digest(d)')
             FROM measured WHERE kind = '$kind') m" |
        awk -v kind="$kind" -v seconds="$seconds" -v node_bytes="$bytes" '{
            if (seconds != "-" && node_bytes != $2) { print kind ": Node wrote " node_bytes " bytes, the extension " $2; exit 1 }
            node = seconds == "-" ? "-" : sprintf("%.0f", $2 / seconds / 1e6)
            ratio = seconds == "-" ? "-" : sprintf("%.1f", seconds * 1000 / $6)
            printf "%-10s %9s | %9.0f %9.0f %9.0f %9.0f %9s | %9.2f %9s\n", kind, $1, $2 / $3 / 1e3, $2 / $4 / 1e3, $2 / $5 / 1e3, $2 / $6 / 1e3, node, $3 / $4, ratio
        }'
done
echo "MB/s of canonical bytes; \"of text\" is canonical_json(d::text::json), with the making of that text"
echo

core=$root/extension
gcc -O2 -std=gnu11 -I"$core" -o "$directory/canonical_core" "$root/test/bench/canonical_core.c" \
    "$core"/core/{buffer,canonical,canonical_number,name_order,json_document,json_internal,json_number,json_pointer,json_reader,json_string,sha256}.c -lcrypto -lm
"$directory/canonical_core" "$directory/mixed" "$directory/numbers" "$directory/names" "$directory/text" "$directory/50 MB"
