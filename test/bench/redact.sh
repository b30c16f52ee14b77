#!/usr/bin/env bash
# Redaction: documents a second through the built-in rules, against eight regular expressions of the same purpose, in one run.
#
#   redact.sh [ROUNDS]     default 5: both sides in turn, round by round; the best counts
#
# Times are processor time, as the machine may do other work beside. "spans" is telemetry without personal data, "prose" text
# without any, "personal" documents that hold some in every third sentence.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=test/stack/lib.sh
. "$root/test/stack/lib.sh"
# shellcheck source=test/bench/server.sh
. "$root/test/bench/server.sh"
rounds=${1:-5}
port=${BENCH_PG_PORT:-15680}
bench_server "$port" "shared_buffers = 256MB" "fsync = off" "jit = off" "max_parallel_workers_per_gather = 0"
"$pg_bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -v rounds="$rounds" "$connection" <<'SQL'
SET client_min_messages = warning;
CREATE EXTENSION reasoning_graph;
CREATE TABLE spans AS
SELECT jsonb_build_object('traceId', md5(i::text), 'start_ms', 1730390970472 + i, 'us', 1730390970472698 + i, 'latency_ms', random() * 1000, 'tool', 'search',
    'args', jsonb_build_object('query', 'weather in berlin tomorrow', 'limit', 10, 'package', 'pnpm@10.33.0'), 'usage', jsonb_build_array(i, i * 7, 0.5)) AS d
FROM generate_series(1, 10000) i;
CREATE TABLE prose AS
SELECT jsonb_build_object('text', repeat('Because the exposure exceeded the limit of 250 000, "sell" is recommended - see paragraph 4. ', 12)) AS d FROM generate_series(1, 3000) i;
CREATE TABLE personal AS
SELECT jsonb_build_object('text', repeat('The customer asked twice. Write to ada.' || i || '@example.org or call +44 20 7946 0958; the card was 4111 1111 1111 1111. Nothing else was said. ', 8),
    'userEmail', 'x') AS d FROM generate_series(1, 3000) i;
VACUUM ANALYZE;
CREATE FUNCTION processor_ms() RETURNS float8 LANGUAGE sql VOLATILE AS $$
    SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::float8 / 1e6
$$;
CREATE FUNCTION bench(kind text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    began float8 := processor_ms();
BEGIN
    EXECUTE format('SELECT count(reason.redact(d)) FROM %I', kind);
    RETURN processor_ms() - began;
END
$$;
CREATE PROCEDURE use_expressions(expressions boolean) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE reason.pii_rule SET enabled = (matcher IS NULL) = expressions;
END
$$;
INSERT INTO reason.pii_rule (name, category, member, pattern) VALUES
    ('e1', 'email', '^(e[-_]?mail)(_?address)?$', NULL),
    ('e2', 'email', NULL, '[^\s@<>"'',;:()]+@[^\s@<>"'',;:()]+[.][^\s@<>"'',;:().]+'),
    ('e3', 'phone', '^(phone|telephone|mobile|fax)(_?number)?$', NULL),
    ('e4', 'phone', NULL, '\+[1-9]\d{0,2}[ .-]?(\(\d{1,4}\)|\d{1,4})([ .-]?\d{2,4}){2,4}'),
    ('e5', 'card', '^(card|credit_?card|pan)(_?number)?$', NULL),
    ('e6', 'card', NULL, '\m\d{4}([ -]?\d{4}){2}[ -]?\d{1,7}\M'),
    ('e7', 'national_id', '^(ssn|social_?security(_?number)?|national_?id|passport(_?number)?|tax_?id)$', NULL),
    ('e8', 'national_id', NULL, '\m\d{3}-\d{2}-\d{4}\M');
CREATE TABLE result (kind text, expressions boolean, ms float8);
SELECT format('CALL use_expressions(%L); INSERT INTO result SELECT %L, %L, bench(%L)', e, k, e, k)
FROM generate_series(1, :rounds), unnest(ARRAY['spans', 'prose', 'personal']) k, unnest(ARRAY[true, false]) e \gexec
\pset tuples_only off
\pset format aligned
WITH size AS (
    SELECT 'spans' AS kind, sum(octet_length(d::text)) / 1e6 AS mb FROM spans UNION ALL
    SELECT 'prose', sum(octet_length(d::text)) / 1e6 FROM prose UNION ALL
    SELECT 'personal', sum(octet_length(d::text)) / 1e6 FROM personal
)
SELECT s.kind, round(s.mb, 1) AS mb, round((s.mb / min(ms) FILTER (WHERE expressions) * 1000)::numeric, 1) AS "expressions MB/s",
    round((s.mb / min(ms) FILTER (WHERE NOT expressions) * 1000)::numeric, 1) AS "built in MB/s",
    round((min(ms) FILTER (WHERE expressions) / min(ms) FILTER (WHERE NOT expressions))::numeric, 1) AS ratio
FROM result r JOIN size s USING (kind) GROUP BY s.kind, s.mb ORDER BY s.kind DESC;
SQL
