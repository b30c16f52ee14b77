-- Exports: traces and snapshots in forms that other programs and people read.
--
-- extension/export/ writes the forms of the text that the caller is shown; human, json and canonical are the forms of
-- traces and documents themselves.

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
