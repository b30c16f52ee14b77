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

-- as planners and indexes see them
SELECT proname, pg_get_function_arguments(oid) AS arguments, provolatile, proisstrict, proparallel
FROM pg_proc WHERE pronamespace = 'reason'::regnamespace AND proname IN ('canonical_json', 'digest') ORDER BY 1, 2;
