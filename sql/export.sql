-- Exports: traces and snapshots in forms that other programs and people read.
--
-- extension/export/ writes the forms of the text that the caller is shown; human, json and canonical are the forms of
-- traces and documents themselves. Other reads give lists, whose forms are made of their JSON, one way for all.

CREATE FUNCTION reason.trace_export(node uuid, divisions text[], redact boolean, quarantined boolean,
    division text, as_of_seq bigint, depth integer, "limit" integer, cursor text, as_of timestamptz, direction text, format text,
    part text, OUT body text, OUT next_cursor text, OUT truncated boolean)
LANGUAGE c STABLE COST 10000
AS 'MODULE_PATHNAME', 'reason_trace_export';
COMMENT ON FUNCTION reason.trace_export(uuid, text[], boolean, boolean, text, bigint, integer, integer, text, timestamptz, text, text, text) IS
    'A page of what led to a node, or came of it (direction descendants), as markdown, svg, dot, mermaid, prov, or csv with the part nodes, edges or annotations. truncated: there is a next page, or the walk stopped for its depth.';

CREATE FUNCTION reason.document_export(document text, snapshot text, format text, part text, "limit" integer, skip integer,
    OUT body text, OUT next_cursor text, OUT truncated boolean)
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10000
AS 'MODULE_PATHNAME', 'reason_document_export';
COMMENT ON FUNCTION reason.document_export(text, text, text, text, integer, integer) IS
    'As trace_export(), of the records of a snapshot''s document, from the roots, so many nodes after those that are skipped. snapshot: what is known of it, as canonical JSON.';

CREATE FUNCTION reason.answer_export(answer text, read text, format text, facts text, annotations text,
    OUT body text, OUT next_cursor text, OUT truncated boolean)
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10000
AS 'MODULE_PATHNAME', 'reason_answer_export';
COMMENT ON FUNCTION reason.answer_export(text, text, text, text, text) IS
    'The answer of a read that is a list (read: impact, diff, explanation or query), JSON without white space, as human, markdown or csv. facts: an object of what was asked for, which is told; annotations: an object that says how many the nodes have, by their ids.';

CREATE FUNCTION reason.answer_annotations(answer jsonb, divisions text[], quarantined boolean, until timestamptz, until_seq bigint) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    WITH entry AS (
        SELECT DISTINCT coalesce(e ->> 'nodeId', e ->> 'id')::uuid AS id, (e ->> 'createdAt')::timestamptz AS created_at
        FROM jsonb_each(coalesce(answer -> 'explain', answer)) m,
             jsonb_array_elements(CASE jsonb_typeof(m.value) WHEN 'array' THEN m.value ELSE '[]' END) e
        WHERE jsonb_typeof(e) = 'object' AND e ?| '{nodeId,id}'
    ), counted AS (
        -- An id is unique in its division; when it was recorded tells which one is meant.
        SELECT n.id, count(*) AS annotations
        FROM entry JOIN reason.node n ON n.id = entry.id AND n.created_at = entry.created_at AND ARRAY[n.division, '*'] && divisions
             JOIN reason.annotation a ON a.target_no = n.no AND a.division = n.division
        WHERE (until IS NULL OR a.created_at <= until)
          AND (until_seq IS NULL OR EXISTS (SELECT FROM reason.audit_seal s WHERE s.event_no = a.no AND s.division = a.division AND s.seq <= until_seq))
          AND (quarantined OR NOT EXISTS (SELECT FROM reason.quarantine q WHERE q.division = a.division AND q.record_no = a.no AND NOT q.released))
        GROUP BY n.id
    )
    SELECT concat('{', string_agg(format('"%s":%s', c.id, c.annotations), ',' ORDER BY c.id), '}') FROM counted c
$$;
COMMENT ON FUNCTION reason.answer_annotations(jsonb, text[], boolean, timestamptz, bigint) IS
    'How many annotations the nodes of an answer have that the caller sees and that were there then, by id; those without any are left out.';

CREATE TYPE reason.export_page AS (
    body        text,
    next_cursor text,
    truncated   boolean
);
COMMENT ON TYPE reason.export_page IS 'A page of an export: its text, what leads to the next page (NULL: it is the last), and whether something was cut.';

CREATE FUNCTION reason.export_answer(answer text, read text, format text, facts jsonb, divisions text[], quarantined boolean,
    until timestamptz, until_seq bigint) RETURNS reason.export_page
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    cursor_ CONSTANT text := CASE WHEN format = 'json' THEN answer::json ->> 'nextCursor' END;
BEGIN
    IF format = 'json' THEN
        RETURN (answer, cursor_, coalesce((answer::json ->> 'truncated')::boolean, cursor_ IS NOT NULL))::reason.export_page;
    END IF;
    RETURN reason.answer_export(answer, read, format, reason.canonical_json(jsonb_strip_nulls(facts)),
        reason.answer_annotations(answer::jsonb, divisions, quarantined, until, until_seq));
END
$$;
COMMENT ON FUNCTION reason.export_answer(text, text, text, jsonb, text[], boolean, timestamptz, bigint) IS
    'A page of a read that is a list: with format json the answer as it is, else answer_export() with what the caller sees of annotations.';

CREATE FUNCTION reason.export_facts(as_of timestamptz, as_of_seq bigint, max_depth integer) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT jsonb_build_object('as of', to_char($1 AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'as of event', $2, 'depth', $3)
$$;
COMMENT ON FUNCTION reason.export_facts(timestamptz, bigint, integer) IS 'What an export tells of what was asked for.';

CREATE FUNCTION reason.export_skip(cursor text) RETURNS integer
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF cursor !~ '^[0-9]{1,9}$' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'cursor is not valid',
            HINT = 'Begin again with the first page, without a cursor.';
    END IF;
    RETURN coalesce(cursor, '0')::integer;
END
$$;
COMMENT ON FUNCTION reason.export_skip(text) IS 'How many nodes of a document the cursor of an export passes over; without one, none.';

CREATE FUNCTION reason.snapshot_export(s reason.snapshot, format text, part text, page_limit integer, cursor text, redact boolean,
    OUT body text, OUT next_cursor text, OUT truncated boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    -- Assigned: in FROM it would go through a tuplestore, and a long one through a file.
    exported record := reason.document_export(reason.snapshot_document($1.id), reason.canonical_json(reason.snapshot_metadata($1, $6)::jsonb),
        $2, $3, $4, reason.export_skip($5));
BEGIN
    body := exported.body;
    next_cursor := exported.next_cursor;
    truncated := exported.truncated;
END
$$;
COMMENT ON FUNCTION reason.snapshot_export(reason.snapshot, text, text, integer, text, boolean) IS
    'A page of a snapshot in a form of export. redact: what was said of the snapshot, for those who may not see personal data.';

CREATE FUNCTION reason.sees_content() RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT pg_has_role(reason.calling_role(), 'reason_auditor', 'USAGE')
        OR pg_has_role(reason.calling_role(), (SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'reason'), 'USAGE')
$$;
COMMENT ON FUNCTION reason.sees_content() IS 'Whether the role that called sees personal data and what is in quarantine: auditors do, the owner and superusers.';

CREATE FUNCTION reason.export_trace(node uuid, format text DEFAULT 'markdown', part text DEFAULT NULL, max_depth integer DEFAULT NULL,
    max_nodes integer DEFAULT NULL, cursor text DEFAULT NULL, as_of timestamptz DEFAULT NULL, division text DEFAULT NULL,
    as_of_seq bigint DEFAULT NULL, direction text DEFAULT 'ancestors', OUT body text, OUT next_cursor text, OUT truncated boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    shown CONSTANT text[] := reason.visible_divisions_of(reason.calling_role());
    whole CONSTANT boolean := reason.sees_content();
    exported record;
BEGIN
    IF format IN ('human', 'json', 'canonical') AND part IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'part goes with csv';
    END IF;
    IF format = 'human' THEN
        body := reason.trace_human(node, shown, NOT whole, whole, division, as_of_seq, max_depth, max_nodes, cursor, as_of, direction);
        -- No line of a record begins like this.
        next_cursor := substring(body FROM E'\nCUT: the next page is had with this cursor[.] "nextCursor":"([A-Za-z0-9_-]+)"\n$');
        truncated := body ~ E'\nCUT: ';
    ELSIF format IN ('json', 'canonical') THEN
        -- Its text is canonical.
        body := reason.trace_json(node, direction, max_depth, max_nodes, cursor, as_of => as_of, redact => NOT whole, divisions => shown,
            quarantined => whole, division => division, as_of_seq => as_of_seq);
        next_cursor := body::json ->> 'nextCursor';
        truncated := body::json ->> 'truncated';
    ELSE
        exported := reason.trace_export(node, shown, NOT whole, whole, division, as_of_seq, max_depth, max_nodes, cursor, as_of, direction, format, part);
        body := exported.body;
        next_cursor := exported.next_cursor;
        truncated := exported.truncated;
    END IF;
END
$$;
COMMENT ON FUNCTION reason.export_trace(uuid, text, text, integer, integer, text, timestamptz, text, bigint, text) IS
    'What led to a node, or came of it (direction descendants), as markdown, svg, dot, mermaid, prov, csv (with part nodes, edges or annotations), human, json or canonical; redacted for all but auditors. max_nodes: of a page, next_cursor leads to the next one. truncated: there is a next page, or the walk stopped for max_depth. The same page gives the same bytes; json, canonical and human hold the cursor itself.';

CREATE FUNCTION reason.export_snapshot(id uuid, format text DEFAULT 'markdown', part text DEFAULT NULL, max_nodes integer DEFAULT NULL,
    cursor text DEFAULT NULL, OUT body text, OUT next_cursor text, OUT truncated boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    s reason.snapshot;
    page_limit CONSTANT integer := coalesce(max_nodes, 2147483647);
    exported record;
BEGIN
    SELECT * INTO s FROM reason.snapshot x WHERE x.id = $1 AND ARRAY[x.division, '*'] && reason.visible_divisions_of(reason.calling_role());
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = pg_catalog.format('snapshot "%s" does not exist', $1);
    END IF;
    PERFORM reason.require_document(s);
    IF page_limit < 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'max_nodes must be at least 1';
    END IF;
    IF format IN ('human', 'json', 'canonical') AND part IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'part goes with csv';
    END IF;
    IF format = 'human' THEN
        body := reason.snapshot_human(s, page_limit, cursor, false);
        next_cursor := substring(body FROM E'\nCUT: the next page is had with this cursor[.] "nextCursor":"([0-9]+)"\n$');
        truncated := body ~ E'\nCUT: ';
    ELSIF format IN ('json', 'canonical') THEN
        body := reason.snapshot_document(s.id);
        truncated := false;
    ELSE
        exported := reason.snapshot_export(s, format, part, page_limit, cursor, false);
        body := exported.body;
        next_cursor := exported.next_cursor;
        truncated := exported.truncated;
    END IF;
END
$$;
COMMENT ON FUNCTION reason.export_snapshot(uuid, text, text, integer, text) IS
    'A snapshot in the forms of export_trace(); json and canonical are its document, whole. For auditors, as the document itself.';

CREATE FUNCTION reason.export_impact(node uuid, format text DEFAULT 'markdown', max_depth integer DEFAULT NULL, max_nodes integer DEFAULT NULL,
    cursor text DEFAULT NULL, as_of timestamptz DEFAULT NULL, division text DEFAULT NULL, as_of_seq bigint DEFAULT NULL)
RETURNS reason.export_page
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    shown CONSTANT text[] := reason.visible_divisions_of(reason.calling_role());
    whole CONSTANT boolean := reason.sees_content();
    answer CONSTANT text := reason.impact_json(node, shown, NOT whole, whole, division, as_of_seq, max_depth, max_nodes, cursor, as_of);
BEGIN
    RETURN reason.export_answer(answer, 'impact', format, reason.export_facts(as_of, as_of_seq, max_depth), shown, whole, as_of, as_of_seq);
END
$$;
COMMENT ON FUNCTION reason.export_impact(uuid, text, integer, integer, text, timestamptz, text, bigint) IS
    'What rests on a node, as impact(), in the form json, human, markdown or csv; redacted for all but auditors. max_nodes: of a page, next_cursor leads to the next one. truncated: there is a next page, or the walk stopped for max_depth.';

CREATE FUNCTION reason.export_explanation(node uuid, format text DEFAULT 'markdown', max_depth integer DEFAULT NULL, max_entries integer DEFAULT NULL,
    cursor text DEFAULT NULL, as_of timestamptz DEFAULT NULL, division text DEFAULT NULL, as_of_seq bigint DEFAULT NULL)
RETURNS reason.export_page
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    shown CONSTANT text[] := reason.visible_divisions_of(reason.calling_role());
    whole CONSTANT boolean := reason.sees_content();
    answer CONSTANT text := reason.explain_json(node, shown, NOT whole, whole, division, as_of_seq, max_depth, max_entries, cursor, as_of);
BEGIN
    RETURN reason.export_answer(answer, 'explanation', format, reason.export_facts(as_of, as_of_seq, max_depth), shown, whole, as_of, as_of_seq);
END
$$;
COMMENT ON FUNCTION reason.export_explanation(uuid, text, integer, integer, text, timestamptz, text, bigint) IS
    'What a node rests on: its direct causes, its evidence, corrections and what was recorded after it, in the form json, human, markdown or csv; redacted for all but auditors. max_entries: of a page, next_cursor leads to the next one.';
