-- The HTTP API: looking for nodes.
--
-- A filter sees what the caller is shown, no more: division, type and time as they are recorded, everything else in the
-- text of the answer. A page ends when it is full, or when enough was looked at; the cursor of either goes on.

CREATE FUNCTION reason.create_text_index() RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    trigrams name := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm');
BEGIN
    IF trigrams IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the extension pg_trgm is not installed in this database',
            HINT = 'It comes with the server. Run CREATE EXTENSION pg_trgm, then try again.';
    END IF;
    IF to_regclass('reason.node_text_idx') IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE INDEX node_text_idx ON reason.node USING gin (lower(payload::text) %I.gin_trgm_ops)', trigrams);
    RETURN true;
END
$$;
COMMENT ON FUNCTION reason.create_text_index() IS
    'Indexes the text of payloads by trigrams (pg_trgm), for queries of clients who see personal data; others are answered from what they are shown. Writes wait while it is built. Returns whether there was none. Not dumped.';

CREATE FUNCTION reason.nodes_with_text(wanted text, divisions text[], quarantined boolean, before_no bigint, how_many integer) RETURNS SETOF reason.node
LANGUAGE sql STABLE ROWS 100
SET search_path = pg_catalog, reason, pg_temp
SET enable_indexscan = off
SET plan_cache_mode = force_custom_plan
AS $$
    -- Without index scans nothing but the trigrams is left to find them by.
    SELECT n.* FROM reason.node n
    WHERE n.no < before_no AND ARRAY[n.division, '*'] && divisions
      AND NOT EXISTS (SELECT FROM reason.division_placement p WHERE p.division = n.division AND p.state = 'moved')
      AND lower(n.payload::text) LIKE '%' || regexp_replace(wanted, E'([\\\\%_])', E'\\\\\\1', 'g') || '%'
      AND (quarantined OR NOT EXISTS (SELECT FROM reason.quarantine q WHERE q.division = n.division AND q.record_no = n.no AND NOT q.released))
    ORDER BY n.no DESC LIMIT how_many
$$;
COMMENT ON FUNCTION reason.nodes_with_text(text, text[], boolean, bigint, integer) IS
    'As nodes_before(), but those only whose payload has that text, which is in lower case; by the index of create_text_index().';

CREATE FUNCTION reason.nodes_before(divisions text[], quarantined boolean, before_no bigint, how_many integer, with_text text) RETURNS SETOF reason.node
LANGUAGE plpgsql STABLE ROWS 100
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF with_text IS NOT NULL THEN
        RETURN QUERY SELECT * FROM reason.nodes_with_text(with_text, divisions, quarantined, before_no, how_many);
    ELSIF '*' = ANY (divisions) THEN
        RETURN QUERY SELECT n.* FROM reason.node n
            WHERE n.no < before_no
              AND NOT EXISTS (SELECT FROM reason.division_placement p WHERE p.division = n.division AND p.state = 'moved')
              AND (quarantined OR NOT EXISTS (SELECT FROM reason.quarantine q WHERE q.division = n.division AND q.record_no = n.no AND NOT q.released))
            ORDER BY n.no DESC LIMIT how_many;
    ELSE
        -- Each division is read by its own index: what others hold costs this caller nothing.
        RETURN QUERY SELECT n.* FROM (SELECT DISTINCT u.name FROM unnest(divisions) u (name)
                                 WHERE NOT EXISTS (SELECT FROM reason.division_placement p WHERE p.division = u.name AND p.state = 'moved')) d, LATERAL (
                SELECT m.* FROM reason.node m
                WHERE m.division = d.name AND m.no < before_no
                  AND (quarantined OR NOT EXISTS (SELECT FROM reason.quarantine q WHERE q.division = m.division AND q.record_no = m.no AND NOT q.released))
                ORDER BY m.no DESC LIMIT how_many) n
            ORDER BY n.no DESC LIMIT how_many;
    END IF;
END
$$;
COMMENT ON FUNCTION reason.nodes_before(text[], boolean, bigint, integer, text) IS
    'Nodes of these divisions, as far as they live in this cell, with smaller numbers, newest first; those in quarantine only if told so. with_text: those only that have it in their payload.';

CREATE FUNCTION reason.query_nodes(filters jsonb, divisions text[], quarantined boolean, redact boolean, page_limit integer, before_no bigint,
    OUT id uuid, OUT division text, OUT shown text) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
SET "TimeZone" = 'UTC'
AS $$
DECLARE
    looks CONSTANT boolean := filters ?| '{authors,tags,minConfidence,maxConfidence,text}';
    -- A redacted row costs the more the longer its hidden text is: rows bound the work, not the time that it shows.
    most_rows CONSTANT integer := CASE WHEN redact AND looks THEN 10000 ELSE 1000000 END;
    most_text CONSTANT bigint := 32 * 1024 * 1024;
    most_answer CONSTANT bigint := 16 * 1024 * 1024;
    -- A guard for slow machines, far above what the other bounds take.
    until CONSTANT timestamptz := clock_timestamp() + interval '10 seconds';
    within CONSTANT text[] := CASE WHEN NOT filters ? 'division' THEN divisions
                                   WHEN divisions && ARRAY[filters ->> 'division', '*'] THEN ARRAY[filters ->> 'division'] ELSE '{}' END;
    types CONSTANT text[] := CASE WHEN filters ? 'types' THEN ARRAY(SELECT jsonb_array_elements_text(filters -> 'types')) END;
    authors CONSTANT text[] := CASE WHEN filters ? 'authors' THEN ARRAY(SELECT jsonb_array_elements_text(filters -> 'authors')) END;
    created_from CONSTANT timestamptz := filters ->> 'createdFrom';
    created_to CONSTANT timestamptz := filters ->> 'createdTo';
    occurred_from CONSTANT timestamptz := filters ->> 'occurredFrom';
    occurred_to CONSTANT timestamptz := filters ->> 'occurredTo';
    min_confidence CONSTANT double precision := filters ->> 'minConfidence';
    max_confidence CONSTANT double precision := filters ->> 'maxConfidence';
    wanted CONSTANT text := lower(filters ->> 'text');
    -- Three letters make a trigram. The index knows hidden text, so that it serves those alone from whom nothing is hidden.
    -- It gives all nodes that have the text, and they have to be sorted: where many have it, going backwards fills the page sooner.
    indexed CONSTANT boolean := NOT redact AND wanted ~ '[[:alnum:]]{3}' AND to_regclass('reason.node_text_idx') IS NOT NULL;
    position_no bigint := coalesce(before_no, 9223372036854775807);
    rows_left integer := most_rows;
    text_left bigint := most_text;
    answer_left bigint := most_answer;
    found integer := 0;
    ended boolean;
    n record;
BEGIN
    LOOP
        ended := true;
        FOR n IN
            SELECT c.no, c.id, c.division, l.looked, t.payload, f.passes,
                   CASE WHEN f.passes THEN reason.node_shown(c, redact, EXISTS (SELECT FROM reason.quarantine q
                       WHERE q.division = c.division AND q.record_no = c.no AND NOT q.released)) END AS shown
            FROM reason.nodes_before(within, quarantined, position_no, 100,
                     CASE WHEN indexed AND most_rows - rows_left >= 20 * page_limit THEN wanted END) c,
                 LATERAL (SELECT (types IS NULL OR c.type = ANY (types)) AND (created_from IS NULL OR c.created_at >= created_from)
                                 AND (created_to IS NULL OR c.created_at < created_to)
                                 -- A node that does not say when it occurred is in no such range.
                                 AND (occurred_from IS NULL OR coalesce(c.occurred_at >= occurred_from, false))
                                 AND (occurred_to IS NULL OR coalesce(c.occurred_at < occurred_to, false)) AS looked OFFSET 0) l,
                 LATERAL (SELECT CASE WHEN NOT (l.looked AND looks) THEN NULL
                                      WHEN redact THEN reason.node_shown(c, true, false)::jsonb
                                      ELSE jsonb_build_object('author', c.author, 'metadata', c.metadata)
                                           || CASE WHEN wanted IS NULL THEN '{}' ELSE jsonb_build_object('payload', c.payload) END END AS node OFFSET 0) s,
                 LATERAL (SELECT CASE WHEN wanted IS NOT NULL THEN (s.node -> 'payload')::text END AS payload OFFSET 0) t,
                 LATERAL (SELECT l.looked
                              AND (authors IS NULL OR s.node ->> 'author' = ANY (authors))
                              AND (NOT filters ? 'tags' OR coalesce(s.node -> 'metadata' -> 'tags' @> (filters -> 'tags'), false))
                              AND (min_confidence IS NULL AND max_confidence IS NULL
                                   OR CASE WHEN jsonb_typeof(s.node -> 'metadata' -> 'confidence') = 'number'
                                           THEN (s.node -> 'metadata' ->> 'confidence')::double precision
                                                BETWEEN coalesce(min_confidence, '-Infinity') AND coalesce(max_confidence, 'Infinity')
                                           ELSE false END)
                              AND (wanted IS NULL OR strpos(lower(t.payload), wanted) > 0) AS passes OFFSET 0) f
            ORDER BY c.no DESC
        LOOP
            ended := false;
            IF n.passes THEN
                -- There is more: the page ends before this one.
                IF found = page_limit OR found > 0 AND answer_left < length(n.shown) THEN
                    RETURN NEXT;
                    RETURN;
                END IF;
                found := found + 1;
                answer_left := answer_left - length(n.shown);
            END IF;
            id := n.id;
            division := n.division;
            position_no := n.no;
            IF n.passes THEN
                shown := n.shown;
                RETURN NEXT;
                shown := NULL;
            END IF;
            IF n.looked THEN
                rows_left := rows_left - 1;
                text_left := text_left - coalesce(length(n.payload), 0);
            END IF;
            IF rows_left <= 0 OR text_left <= 0 THEN
                RETURN NEXT;
                RETURN;
            END IF;
        END LOOP;
        IF ended THEN
            RETURN;
        END IF;
        IF clock_timestamp() > until THEN
            RETURN NEXT;
            RETURN;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION reason.query_nodes(jsonb, text[], boolean, boolean, integer, bigint) IS
    'Nodes that match all filters, newest first. A last row without shown names the node to go on from, when there may be more.';

CREATE FUNCTION reason.query_filters(filters jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    problem text;
    member record;
BEGIN
    -- {"created": {"from", "to"}}, {"occurred": {"from", "to"}} and {"confidence": {"min", "max"}} are the ranges' other spelling.
    IF jsonb_typeof(filters -> 'created') = 'object' THEN
        filters := filters - 'created' || jsonb_strip_nulls(jsonb_build_object(
            'createdFrom', filters -> 'created' -> 'from', 'createdTo', filters -> 'created' -> 'to'));
    END IF;
    IF jsonb_typeof(filters -> 'occurred') = 'object' THEN
        filters := filters - 'occurred' || jsonb_strip_nulls(jsonb_build_object(
            'occurredFrom', filters -> 'occurred' -> 'from', 'occurredTo', filters -> 'occurred' -> 'to'));
    END IF;
    IF jsonb_typeof(filters -> 'confidence') = 'object' THEN
        filters := filters - 'confidence' || jsonb_strip_nulls(jsonb_build_object(
            'minConfidence', filters -> 'confidence' -> 'min', 'maxConfidence', filters -> 'confidence' -> 'max'));
    END IF;
    filters := jsonb_strip_nulls(filters);
    FOR member IN SELECT * FROM jsonb_each(filters) LOOP
        problem := CASE
            WHEN member.key IN ('types', 'authors', 'tags') THEN
                CASE WHEN jsonb_typeof(member.value) <> 'array' OR member.value @? '$[*] ? (@.type() != "string")' THEN 'must be an array of strings' END
            WHEN member.key IN ('minConfidence', 'maxConfidence') THEN
                -- Nothing else can be recorded: of 95 per cent nothing would be found, silently.
                CASE WHEN jsonb_typeof(member.value) <> 'number' OR member.value @? '$ ? (@ < 0 || @ > 1)' THEN 'must be a number from 0 to 1' END
            WHEN member.key IN ('text', 'division') THEN
                CASE WHEN jsonb_typeof(member.value) <> 'string' THEN 'must be a string' END
            WHEN member.key IN ('createdFrom', 'createdTo', 'occurredFrom', 'occurredTo') THEN
                CASE WHEN jsonb_typeof(member.value) <> 'string' OR reason.http_timestamp(filters ->> member.key, member.key) IS NULL THEN 'must be an RFC 3339 time' END
            ELSE 'is no filter' END;
        IF problem IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('filters: "%s" %s', member.key, problem),
                HINT = 'Filters are types, authors, tags, createdFrom, createdTo, occurredFrom, occurredTo, minConfidence, maxConfidence, division and text.';
        END IF;
    END LOOP;
    -- The same types as traces take, and as little regard to case; an empty list asks for nothing.
    IF jsonb_array_length(filters -> 'types') > 0 THEN
        filters := filters || jsonb_build_object('types', reason.http_types(
            (SELECT string_agg(t, ',') FROM jsonb_array_elements_text(filters -> 'types') t), 'node'));
    END IF;
    RETURN filters;
END
$$;
COMMENT ON FUNCTION reason.query_filters(jsonb) IS 'Filters checked and in one spelling; 22023 for what is none.';

CREATE FUNCTION reason.query_position(cursor text, divisions text[], quarantined boolean) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    found_no bigint;
BEGIN
    -- The id of a node that the caller sees, and its division: a number would tell how much others write.
    IF cursor ~ '^[0-9a-f]{34,}$' AND length(cursor) % 2 = 0 THEN
        SELECT n.no INTO found_no FROM reason.node n
        WHERE n.id = left(cursor, 32)::uuid AND convert_to(n.division, 'UTF8') = decode(substr(cursor, 33), 'hex')
          AND ARRAY[n.division, '*'] && divisions
          AND (quarantined OR NOT EXISTS (SELECT FROM reason.quarantine q WHERE q.division = n.division AND q.record_no = n.no AND NOT q.released));
    END IF;
    IF found_no IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'this is no cursor of this service',
            HINT = 'Begin again without a cursor.';
    END IF;
    RETURN found_no;
END
$$;
COMMENT ON FUNCTION reason.query_position(text, text[], boolean) IS 'Where the page of that cursor begins.';

CREATE FUNCTION reason.query_facts(filters jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT coalesce(jsonb_object_agg(f.key, CASE jsonb_typeof(f.value) WHEN 'array' THEN to_jsonb((SELECT string_agg(v, ', ') FROM jsonb_array_elements_text(f.value) v))
                                            ELSE f.value END), '{}')
    FROM jsonb_each(filters) f
$$;
COMMENT ON FUNCTION reason.query_facts(jsonb) IS 'What an export tells of the filters.';

CREATE FUNCTION reason.http_post_query(client_cn text, client_issuer text, client_san text, request_id text, traceparent text,
    request_body text, path_division text DEFAULT NULL) RETURNS SETOF reason.http_response
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    caller reason.client := reason.http_heavy_reader(client_cn, client_issuer, client_san, path_division);
    inspects boolean := reason.client_may(caller, 'inspect');
    q jsonb;
    filters jsonb;
    format_wanted text;
    answer text;
BEGIN
    -- Read strictly, as every body is.
    IF btrim(request_body, E' \t\r\n') <> '' THEN
        q := reason.http_body(request_body)::jsonb;
    END IF;
    IF jsonb_typeof(q) = 'object' THEN
        filters := CASE WHEN q ? 'filters' THEN q -> 'filters' ELSE q - '{limit,cursor,format}'::text[] END;
    END IF;
    IF jsonb_typeof(filters) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the body must be a JSON object with "filters"',
            HINT = 'For example {"filters": {"types": ["decision"]}, "limit": 10}.';
    END IF;
    IF q ? 'filters' AND q - '{filters,limit,cursor,format}'::text[] <> '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'beside "filters" there may be "limit", "cursor" and "format"';
    END IF;
    IF jsonb_typeof(q -> 'limit') NOT IN ('number', 'null') OR jsonb_typeof(q -> 'cursor') NOT IN ('string', 'null')
       OR jsonb_typeof(q -> 'format') NOT IN ('string', 'null') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = '"limit" must be a number, "cursor" and "format" strings';
    END IF;
    format_wanted := reason.http_list_format(q ->> 'format');
    filters := reason.query_filters(filters);

    -- What has moved is left out of a list, unless it is asked for alone.
    PERFORM reason.refuse_moved(filters ->> 'division') WHERE ARRAY[filters ->> 'division', '*'] && caller.divisions;
    WITH found AS MATERIALIZED (
        SELECT f.id, f.division, f.shown, row_number() OVER () AS place
        FROM reason.query_nodes(filters, caller.divisions, inspects, NOT caller.pii,
            coalesce(reason.http_integer(q ->> 'limit', 'limit', 1, 1000), 100),
            CASE WHEN q ->> 'cursor' IS NOT NULL THEN reason.query_position(q ->> 'cursor', caller.divisions, inspects) END) f
    )
    SELECT concat('{"nodes":[', (SELECT string_agg(f.shown, ',' ORDER BY f.place) FROM found f WHERE f.shown IS NOT NULL), ']',
        (SELECT format(',"nextCursor":"%s%s"', replace(f.id::text, '-', ''), encode(convert_to(f.division, 'UTF8'), 'hex')) FROM found f WHERE f.shown IS NULL),
        '}') INTO answer;
    RETURN NEXT reason.http_list(caller, answer, 'query', NULL, format_wanted, reason.query_facts(filters), NULL, NULL);
END
$$;
