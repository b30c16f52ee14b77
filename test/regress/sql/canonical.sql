-- Canonical JSON and digests in SQL. What the reader and writer do with every kind of text is
-- tested in test/unit; here: that SQL reaches them, reports their errors, and that jsonb, which is
-- written by code of its own, gives the same bytes.
SET client_encoding = 'UTF8';

-- the published examples
SELECT reason.canonical_json('{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
    "string":"\u20ac$\u000F\u000aA''\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}'::json);
SELECT reason.canonical_json('{"1":{"f":{"f":"hi","F":5},"\n":56.0},"10":{},"":"empty","a":{},"111":[{"e":"yes","E":"no"}],"A":{}}'::jsonb);

-- order is by UTF-16 code units: U+1F600 (D83D DE00) before U+FB33, for text and for jsonb
SELECT reason.canonical_json('{"\ufb33":1,"\ud83d\ude00":2,"\u20ac":3,"\r":4,"1":5}'::json) AS a,
       reason.canonical_json('{"\ufb33":1,"\ud83d\ude00":2,"\u20ac":3,"\r":4,"1":5}'::jsonb) AS b;

-- a digest is SHA-256 of the canonical bytes
SELECT reason.digest('{"b":2,"a":1}') = sha256('{"a":1,"b":2}') AS is_sha256;
SELECT reason.digest(NULL) IS NULL AS strict;

-- scalars
SELECT t, reason.canonical_json(t::json) AS json, reason.canonical_json(t::jsonb) AS jsonb
FROM unnest(ARRAY['null', 'true', 'false', '""', '"a\u0001\n\"\\\/"', '0', '-0', '[]', '{}', '[[]]', '{"a":{}}']) t;

-- numbers: ECMAScript's form, whatever the text was
SELECT t, reason.canonical_json(t::json) AS json, reason.canonical_json(t::jsonb) = reason.canonical_json(t::json) AS same
FROM unnest(ARRAY['1.0', '10', '10000', '100000000', '123456789012345678', '9007199254740993', '9007199254740992',
    '1e20', '1e21', '123456789012345680000', '0.000001', '0.0000001', '1e-7', '123e-20', '0.1', '0.30000000000000004',
    '5e-324', '2e-324', '1e-400', '1.7976931348623157e308', '-1.7976931348623157e308', '1e23', '4.35', '1.50',
    '12345678901234567890123456789012345678901234567890', '0.1000000000000000055511151231257827',
    '99999999999999999999', '9999.9999', '10000.0001', '0.00010001', '1234567890.0987654321',
    '2.2250738585072014e-308', '0.5e-6', '1e15', '1e16', '999999999999999999999']) t;

-- refused on the text, with place and SQLSTATE
\set VERBOSITY sqlstate
\set SHOW_CONTEXT never
CREATE FUNCTION refusal(t text) RETURNS TABLE (sqlstate_ text, message text, detail text)
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM reason.canonical_json(t::json);
    RETURN QUERY SELECT '00000', 'accepted', NULL;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS sqlstate_ = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN NEXT;
END
$$;
SELECT t, r.*
FROM unnest(ARRAY['{"a":1,"b":{"c":2,"c":3}}', '{"a":1,"\u0061":2}', '["\ud83d"]', '["\ude00\ud83d"]', '{"x":"\u0000"}',
    '[1,[1e400]]', '{"~/":1e309}', '[-1e999999]']) t, refusal(t) r;

-- jsonb cannot hold most of that; what it can hold and a double cannot is refused
SELECT reason.canonical_json('[1e400]'::jsonb);
SELECT reason.canonical_json('[-123456789e301]'::jsonb);
\set VERBOSITY default

-- depth is limited by configuration, never by the stack
SET reason.max_canonical_depth = 3;
SELECT reason.canonical_json('[[[1]]]'::json), reason.canonical_json('[[[1]]]'::jsonb);
SELECT reason.canonical_json('[[[[1]]]]'::json);
SELECT reason.canonical_json('[[[{}]]]'::jsonb);
SELECT reason.digest('{"a":{"b":{"c":{}}}}');
SET reason.max_canonical_depth = 100000;
SELECT length(reason.canonical_json((repeat('[', 3000) || repeat(']', 3000))::jsonb)) AS deep_jsonb,
       length(reason.canonical_json((repeat('[', 3000) || repeat(']', 3000))::json)) AS deep_json,
       md5(reason.canonical_json((repeat('{"b":1,"a":[ ', 1000) || repeat(']}', 1000))::jsonb))
         = md5(reason.canonical_json((repeat('{"b":1,"a":[ ', 1000) || repeat(']}', 1000))::json)) AS same;
RESET reason.max_canonical_depth;
SHOW reason.max_json_depth;

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

-- as planners and indexes see them
SELECT proname, pg_get_function_arguments(oid) AS arguments, provolatile, proisstrict, proparallel
FROM pg_proc WHERE pronamespace = 'reason'::regnamespace AND proname IN ('canonical_json', 'digest') ORDER BY 1, 2;
