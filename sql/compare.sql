-- What differs between two traces, two snapshots, or one of each.

CREATE FUNCTION reason.compare_json(a uuid, a_document text, b uuid, b_document text, divisions text[], redact boolean, quarantined boolean,
    division text, direction text, depth integer, "limit" integer, cursor text, as_of_a timestamptz, as_of_b timestamptz,
    as_of_seq_a bigint, as_of_seq_b bigint) RETURNS text
LANGUAGE c STABLE COST 10000
AS 'MODULE_PATHNAME', 'reason_compare_json';
COMMENT ON FUNCTION reason.compare_json(uuid, text, uuid, text, text[], boolean, boolean, text, text, integer, integer, text, timestamptz, timestamptz, bigint, bigint) IS
    'A page of what differs between a and b, each a node, or a snapshot whose document is given: {a, added, b, changed, counts, removed, nextCursor, truncated}. Counts are those of the whole.';

CREATE FUNCTION reason.diff_facts(as_of_a timestamptz, as_of_b timestamptz, as_of_seq_a bigint, as_of_seq_b bigint, direction text, max_depth integer)
RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT jsonb_build_object('a as of', reason.export_facts($1, NULL, NULL) -> 'as of', 'a as of event', $3,
        'b as of', reason.export_facts($2, NULL, NULL) -> 'as of', 'b as of event', $4,
        'compared', CASE $5 WHEN 'descendants' THEN 'what came of them' ELSE 'what led to them' END, 'depth', $6)
$$;
COMMENT ON FUNCTION reason.diff_facts(timestamptz, timestamptz, bigint, bigint, text, integer) IS 'What an export tells of the two sides.';

CREATE FUNCTION reason.diff_documents(a uuid, b uuid, timed_a boolean, timed_b boolean, division text) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    documents text[] := ARRAY[NULL, NULL]::text[];
    s reason.snapshot;
BEGIN
    FOR side IN 1..2 LOOP
        SELECT * INTO s FROM reason.snapshot x
        WHERE x.id = CASE side WHEN 1 THEN $1 ELSE $2 END AND ARRAY[x.division, '*'] && reason.visible_divisions_of(reason.calling_role())
          AND ($5 IS NULL OR x.division = $5);
        CONTINUE WHEN NOT FOUND;
        IF NOT reason.sees_content() THEN
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'the documents of snapshots are for auditors';
        END IF;
        IF (CASE side WHEN 1 THEN timed_a ELSE timed_b END) THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a snapshot is compared as it was frozen, as of no other time';
        END IF;
        PERFORM reason.require_document(s);
        documents[side] := reason.snapshot_document(s.id);
    END LOOP;
    RETURN documents;
END
$$;
COMMENT ON FUNCTION reason.diff_documents(uuid, uuid, boolean, boolean, text) IS 'The documents of those of two sides that are snapshots; NULL: a node. timed: a time was given for it.';

CREATE FUNCTION reason.trace_diff(a uuid, b uuid DEFAULT NULL, as_of_a timestamptz DEFAULT NULL, as_of_b timestamptz DEFAULT NULL,
    as_of_seq_a bigint DEFAULT NULL, as_of_seq_b bigint DEFAULT NULL, direction text DEFAULT 'ancestors', max_depth integer DEFAULT NULL,
    division text DEFAULT NULL,
    OUT change text, OUT kind text, OUT id uuid, OUT type text, OUT from_id uuid, OUT to_id uuid, OUT facets text[],
    OUT weight_a double precision, OUT weight_b double precision, OUT confidence_a double precision, OUT confidence_b double precision)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    shown CONSTANT text[] := reason.visible_divisions_of(reason.calling_role());
    whole CONSTANT boolean := reason.sees_content();
    other CONSTANT uuid := coalesce(b, a);
    documents text[];
    compared jsonb;
BEGIN
    documents := reason.diff_documents(a, other, as_of_a IS NOT NULL OR as_of_seq_a IS NOT NULL, as_of_b IS NOT NULL OR as_of_seq_b IS NOT NULL,
        division);
    compared := reason.compare_json(a, documents[1], other, documents[2], shown, NOT whole, whole, division, direction, max_depth, NULL, NULL,
        as_of_a, as_of_b, as_of_seq_a, as_of_seq_b)::jsonb;
    RETURN QUERY
    SELECT l.change, e ->> 'kind', coalesce(e ->> 'nodeId', e ->> 'edgeId')::uuid, e ->> 'type', (e ->> 'from')::uuid, (e ->> 'to')::uuid,
           CASE WHEN e ? 'changes' THEN ARRAY(SELECT f.key FROM jsonb_each(e -> 'changes') f
                                              WHERE f.key <> 'edgeId' AND f.value -> 'a' <> f.value -> 'b' ORDER BY f.key) END,
           CASE WHEN l.change <> 'added' THEN coalesce(e #> '{changes,weight,a}', e -> 'weight')::double precision END,
           CASE WHEN l.change <> 'removed' THEN (e ->> 'weight')::double precision END,
           CASE WHEN l.change <> 'added' THEN CASE WHEN e ? 'changes' THEN e #>> '{changes,confidence,a}' ELSE e ->> 'confidence' END::double precision END,
           CASE WHEN l.change <> 'removed' THEN (e ->> 'confidence')::double precision END
    FROM (VALUES (1, 'added'), (2, 'removed'), (3, 'changed')) l (n, change),
         jsonb_array_elements(compared -> l.change) WITH ORDINALITY x (e, m)
    ORDER BY l.n, x.m;
END
$$;
COMMENT ON FUNCTION reason.trace_diff(uuid, uuid, timestamptz, timestamptz, bigint, bigint, text, integer, text) IS
    'What differs between two traces, two snapshots (for auditors), or one of each; without b between a node at two times. change: added (only in b), removed (only in a), changed. kind: node or edge. facets of what changed: a node''s content was erased, it was corrected, or digest, the record is another one; of an edge weight and confidence, where b''s newest edge of that type between the two nodes is not one of a''s. Weight and confidence are those of edges.';

CREATE FUNCTION reason.export_diff(a uuid, b uuid DEFAULT NULL, format text DEFAULT 'markdown', as_of_a timestamptz DEFAULT NULL,
    as_of_b timestamptz DEFAULT NULL, as_of_seq_a bigint DEFAULT NULL, as_of_seq_b bigint DEFAULT NULL, direction text DEFAULT 'ancestors',
    max_depth integer DEFAULT NULL, max_entries integer DEFAULT NULL, cursor text DEFAULT NULL, division text DEFAULT NULL)
RETURNS reason.export_page
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    shown CONSTANT text[] := reason.visible_divisions_of(reason.calling_role());
    whole CONSTANT boolean := reason.sees_content();
    other CONSTANT uuid := coalesce(b, a);
    documents CONSTANT text[] := reason.diff_documents(a, other, as_of_a IS NOT NULL OR as_of_seq_a IS NOT NULL,
        as_of_b IS NOT NULL OR as_of_seq_b IS NOT NULL, division);
    answer CONSTANT text := reason.compare_json(a, documents[1], other, documents[2], shown, NOT whole, whole, division, direction, max_depth,
        max_entries, cursor, as_of_a, as_of_b, as_of_seq_a, as_of_seq_b);
BEGIN
    RETURN reason.export_answer(answer, 'diff', format, reason.diff_facts(as_of_a, as_of_b, as_of_seq_a, as_of_seq_b, direction, max_depth),
        shown, whole, as_of_b, as_of_seq_b);
END
$$;
COMMENT ON FUNCTION reason.export_diff(uuid, uuid, text, timestamptz, timestamptz, bigint, bigint, text, integer, integer, text, text) IS
    'What differs, as trace_diff(), in the form json, human, markdown or csv; redacted for all but auditors. max_entries: of a page, next_cursor leads to the next one. truncated: there is a next page, or a walk stopped for max_depth.';

CREATE FUNCTION reason.snapshot_diff(a uuid, b uuid, OUT kind text, OUT id uuid, OUT change text, OUT digest_a text, OUT digest_b text)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 100
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT coalesce(x.kind, y.kind), coalesce(x.id, y.id),
           CASE WHEN x.id IS NULL THEN 'added' WHEN y.id IS NULL THEN 'missing' ELSE 'changed' END,
           encode(x.digest, 'hex'), encode(y.digest, 'hex')
    FROM (SELECT r.* FROM reason.snapshot_with_document($1) s, reason.snapshot_records(s.no, s.division) r) x
    FULL JOIN (SELECT r.* FROM reason.snapshot_with_document($2) s, reason.snapshot_records(s.no, s.division) r) y
        ON x.kind = y.kind AND x.id = y.id
    WHERE x.digest IS DISTINCT FROM y.digest
    ORDER BY 1 DESC, 2
$$;
COMMENT ON FUNCTION reason.snapshot_diff(uuid, uuid) IS 'Nodes, edges and annotations that are only in b (added), only in a (missing), or in both with different digests (changed).';
