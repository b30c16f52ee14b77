-- Canonical JSON of many documents. Each asks PostgreSQL's caches for each row, so that the suite uncached passes over it.
SET client_encoding = 'UTF8';

-- objects and arrays beyond what is kept at hand, and beyond jsonb's offset stride
SELECT reason.canonical_json(o::jsonb) = reason.canonical_json(o::json) AS same, length(reason.canonical_json(o::jsonb)),
       reason.digest(o::jsonb) = sha256(convert_to(reason.canonical_json(o::json), 'UTF8')) AS digest
FROM (SELECT '{' || string_agg(format('"%s":{"z":[%s,"%s"],"y":%s.5}', md5(i::text), i, repeat('x', i % 50), i), ',') || '}' AS o
      FROM generate_series(1, 3000) i) large;
SELECT reason.canonical_json(a::jsonb) = reason.canonical_json(a::json) AS same, length(reason.canonical_json(a::jsonb))
FROM (SELECT '[' || string_agg(format('%s,"%s",{"b":%s,"a":[null,true]}', i, repeat('é', i % 40), i * 1000003::bigint), ',') || ']' AS a
      FROM generate_series(1, 3000) i) large;

-- objects with the same names, in many orders and again and again; names that differ where it is hard to see, and
-- names of the same lengths in another order
SELECT count(*) AS objects, count(*) FILTER (WHERE reason.canonical_json(o::jsonb) = reason.canonical_json(o::json)) AS same
FROM (SELECT format(CASE i % 5
        WHEN 0 THEN '{"aaaaaaaaaa%1$sbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb":%2$s,"z":[{"y":1,"x":{"y":%2$s,"x":2}}]}'
        WHEN 1 THEN '{"ba":%2$s,"ab":{"ba":1,"ab":"%1$s"},"c":[]}'
        WHEN 2 THEN '{"ab":%2$s,"cd":"%1$s","ba":null}'
        WHEN 3 THEN '{"\ud83d\ude00":%2$s,"\ufb33":"%1$s","q\"\n":true}'
        ELSE '{"":{"":{"":%2$s}},"%1$s":1}' END, chr(97 + i / 5 % 26), i) AS o
      FROM generate_series(1, 2000) i) repeated;

-- random documents: the same bytes from text and from jsonb, and again from the result
CREATE FUNCTION random_json(depth int) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    kind int := floor(random() * CASE WHEN depth > 0 THEN 10 ELSE 7 END);
    result text;
BEGIN
    CASE
        WHEN kind = 0 THEN RETURN (ARRAY['null', 'true', 'false'])[1 + floor(random() * 3)];
        WHEN kind = 1 THEN RETURN floor(random() * 10 ^ floor(random() * 18))::bigint * CASE WHEN random() < 0.5 THEN -1 ELSE 1 END;
        WHEN kind = 2 THEN RETURN (random() - 0.5)::float8;
        WHEN kind = 3 THEN RETURN floor(random() * 1e6) || '.' || floor(random() * 1e9) || 'e' || floor(random() * 600 - 300);
        WHEN kind <= 6 THEN RETURN random_string();
        WHEN kind = 7 THEN
            SELECT '[' || coalesce(string_agg(random_json(depth - 1), ','), '') || ']' INTO result
            FROM generate_series(1, floor(random() * 8)::int);
            RETURN result;
        ELSE
            SELECT '{' || coalesce(string_agg(k || ':' || random_json(depth - 1), ','), '') || '}' INTO result
            FROM (SELECT DISTINCT random_string() k FROM generate_series(1, floor(random() * 8)::int)) names;
            RETURN result;
    END CASE;
END
$$;
-- one of every class: ASCII, controls, Latin, CJK, private use, beyond U+FFFF
CREATE FUNCTION random_string() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT to_json(coalesce(string_agg(chr(CASE floor(random() * 7)::int
        WHEN 0 THEN 1 + floor(random() * 31)::int WHEN 1 THEN 160 + floor(random() * 1000)::int
        WHEN 2 THEN 19968 + floor(random() * 2000)::int WHEN 3 THEN 57344 + floor(random() * 8000)::int
        WHEN 4 THEN 65536 + floor(random() * 100000)::int ELSE 32 + floor(random() * 95)::int END), ''), ''))::text
    FROM generate_series(1, floor(random() * random() * 20)::int)
$$;
SELECT setseed(0.25);
SELECT count(*) AS documents, count(DISTINCT t) > 1500 AS diverse,
       count(*) FILTER (WHERE reason.canonical_json(t::json) = reason.canonical_json(t::jsonb)) AS same,
       count(*) FILTER (WHERE reason.canonical_json(reason.canonical_json(t::json)::jsonb) = reason.canonical_json(t::json)) AS stable,
       count(*) FILTER (WHERE reason.digest(t::jsonb) = sha256(convert_to(reason.canonical_json(t::json), 'UTF8'))) AS digests
FROM (SELECT random_json(4) AS t FROM generate_series(1, 2000)) AS r;

-- numbers of numeric's own making: every count of digits, every place of the point
SELECT count(*) AS numbers, count(*) FILTER (WHERE reason.canonical_json(n::text::json) = reason.canonical_json(to_jsonb(n))) AS same
FROM (SELECT (CASE WHEN i % 2 = 0 THEN 1 ELSE -1 END * (random()::numeric * 10::numeric ^ (i % 40))::numeric)::numeric(80, 40)
             / 10::numeric ^ (i % 61) AS n
      FROM generate_series(1, 20000) i) AS r;

-- and doubles, most with 16 or 17 digits
SELECT count(*) AS doubles, count(*) FILTER (WHERE reason.canonical_json(f::text::json) = reason.canonical_json(to_jsonb(f))) AS same
FROM (SELECT (random() - 0.5) * 10.0::float8 ^ (i % 60 - 30) AS f FROM generate_series(1, 60000) i) AS r;
