-- Whether a snapshot, or a document with its signature, is what was frozen.

CREATE FUNCTION reason.check_document(snapshot_no bigint, division text, document text, end_seq bigint,
    OUT hash text, OUT size_bytes bigint, OUT header json, OUT node_count bigint, OUT edge_count bigint, OUT form_fault text, OUT graph_fault text)
LANGUAGE c STABLE
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_check_document';
COMMENT ON FUNCTION reason.check_document(bigint, text, text, bigint) IS
    'Reads a snapshot''s document once, from its chunks (document NULL) or as given: its hash, its members without the records, and what is wrong in it or with the rows it froze, left out or added. end_seq: the place of the event that completed it, NULL while it has none.';

CREATE FUNCTION reason.snapshot_end_seq(s reason.snapshot) RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT a.seq FROM reason.audit_event e JOIN reason.audit_seal a ON a.event_no = e.no AND a.division = e.division
    WHERE e.id = $1.audit_event_id AND e.division = $1.division
$$;
COMMENT ON FUNCTION reason.snapshot_end_seq(reason.snapshot) IS 'The place in the chain of the event that completed a snapshot, NULL while it has none: what was frozen stands before it.';

CREATE FUNCTION reason.snapshot_log_fault(s reason.snapshot) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    named_size bigint := CASE WHEN $1.log ->> 'size' ~ '^[0-9]{1,16}$' THEN ($1.log ->> 'size')::bigint END;
    later bigint;
    other record;
BEGIN
    IF $1.log IS NULL THEN
        -- Documents from before there were logs stay as they are; there are none after one that names its log.
        RETURN (SELECT format('snapshot "%s": it names no log, though the snapshot "%s" before it does', $1.id, x.id)
                FROM reason.snapshot x WHERE x.division = $1.division AND x.no < $1.no AND x.log IS NOT NULL ORDER BY x.no LIMIT 1);
    END IF;
    IF NOT EXISTS (SELECT FROM reason.log_origins($1.division) o WHERE o.origin = $1.log ->> 'origin') THEN
        RETURN format('snapshot "%s": it names log "%s", which is none of division "%s"', $1.id, $1.log ->> 'origin', $1.division);
    END IF;
    IF (named_size <= reason.tree_size($1.division)) IS NOT TRUE THEN
        RETURN format('snapshot "%s": it names %s events of the log, which has %s', $1.id, $1.log ->> 'size', reason.tree_size($1.division));
    END IF;
    IF translate(encode(reason.tree_root($1.division, named_size), 'base64'), E'\n', '') IS DISTINCT FROM $1.log ->> 'root' THEN
        RETURN format('snapshot "%s": the log has another root at size %s', $1.id, named_size);
    END IF;
    -- What a witness saw before it was frozen was signed by then. Ten minutes: the witness has a clock of its own. One that
    -- says that it saw an event before it was written proves nothing.
    SELECT max(w.size) INTO later
    FROM reason.audit_cosignature w JOIN reason.audit_seal a ON a.division = w.division AND a.seq = w.size - 1
    WHERE w.division = $1.division AND w.origin = $1.log ->> 'origin'
      AND to_timestamp(w.timestamp) BETWEEN a.created_at AND $1.created_at - interval '10 minutes' AND w.size > named_size;
    IF later > named_size THEN
        RETURN format('snapshot "%s": it names %s events of the log, of which a witness saw %s before it was frozen', $1.id, named_size, later);
    END IF;
    -- Nor does a log become smaller from one snapshot to the next, as long as it has its name.
    SELECT x.id, (x.log ->> 'size')::bigint AS size INTO other
    FROM reason.snapshot x
    WHERE x.division = $1.division AND x.no < $1.no AND x.status = 'complete' AND x.log ->> 'origin' = $1.log ->> 'origin'
      AND x.log ->> 'size' ~ '^[0-9]{1,16}$' AND x.created_at < $1.created_at - interval '10 minutes'
    ORDER BY x.no DESC LIMIT 1;
    IF other.size > named_size THEN
        RETURN format('snapshot "%s": it names %s events of the log, of which snapshot "%s", frozen before it, names %s', $1.id, named_size, other.id, other.size);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION reason.snapshot_log_fault(reason.snapshot) IS
    'What of the log that a snapshot names is not so: an origin of its division, a size that the log has, the root that it has at that size, and nothing older than what a witness had seen, or an earlier snapshot names. NULL when nothing.';

CREATE FUNCTION reason.snapshot_log_remark(s reason.snapshot) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT CASE WHEN $1.log IS NULL THEN 'it was frozen before snapshots named their log: what it may leave out cannot be seen'
                ELSE (SELECT format('the events from %s on were not signed yet when it was frozen, though the first of them was written at %s: what it may leave out of them cannot be seen',
                                    a.seq, reason.rfc3339(a.created_at))
                      FROM reason.audit_seal a
                      WHERE a.division = $1.division AND a.seq = ($1.log ->> 'size')::bigint AND a.created_at < $1.created_at - interval '10 minutes') END
$$;
COMMENT ON FUNCTION reason.snapshot_log_remark(reason.snapshot) IS
    'What should be known of the log that a snapshot names: it names none, or one that lagged behind by more than ten minutes. NULL when nothing.';

CREATE FUNCTION reason.snapshot_row_fault(s reason.snapshot, header json, size_bytes bigint, node_count bigint, edge_count bigint) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT format('snapshot "%s": column %s is not what the document says', $1.id, c)
    FROM (SELECT CASE
        WHEN $1.id::text IS DISTINCT FROM $2 ->> 'id' THEN 'id'
        WHEN to_json($1.root_ids)::text IS DISTINCT FROM ($2 -> 'root_ids')::text THEN 'root_ids'
        WHEN reason.recorded_time($1.created_at) IS DISTINCT FROM $2 ->> 'created_at' THEN 'created_at'
        WHEN $1.graph_version IS DISTINCT FROM $2 ->> 'reasoning_graph_version' THEN 'graph_version'
        WHEN $1.manifest_signature_id IS DISTINCT FROM $2 ->> 'manifest_signature_id' THEN 'manifest_signature_id'
        WHEN $1.depth::text IS DISTINCT FROM $2 -> 'payload' ->> 'depth' THEN 'depth'
        WHEN $1.direction IS DISTINCT FROM $2 -> 'payload' ->> 'direction' THEN 'direction'
        WHEN $1.audience IS DISTINCT FROM $2 -> 'payload' ->> 'audience' THEN 'audience'
        WHEN $1.description IS DISTINCT FROM $2 -> 'payload' ->> 'description' THEN 'description'
        WHEN $1.include_annotations IS DISTINCT FROM ($2 -> 'payload' -> 'annotations' IS NOT NULL) THEN 'include_annotations'
        WHEN $1.pii_included::text IS DISTINCT FROM $2 -> 'payload' ->> 'pii_included' THEN 'pii_included'
        WHEN $1.log IS DISTINCT FROM ($2 -> 'payload' -> 'log')::jsonb THEN 'log'
        WHEN $1.size_bytes IS DISTINCT FROM $3 THEN 'size_bytes'
        WHEN $1.node_count IS DISTINCT FROM $4 THEN 'node_count'
        WHEN $1.edge_count IS DISTINCT FROM $5 THEN 'edge_count' END) f (c)
    WHERE c IS NOT NULL
$$;
COMMENT ON FUNCTION reason.snapshot_row_fault(reason.snapshot, json, bigint, bigint, bigint) IS 'The first column of a snapshot''s row that its document contradicts.';

CREATE FUNCTION reason.snapshot_event_fault(event json, p_division text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    recorded jsonb := event -> 'snapshot';
    s reason.snapshot;
    member text;
BEGIN
    SELECT * INTO s FROM reason.snapshot x WHERE x.id::text = recorded ->> 'id' AND x.division = p_division;
    IF NOT FOUND THEN
        RETURN format('snapshot "%s": its row is missing', recorded ->> 'id');
    END IF;
    IF s.audit_event_id::text IS DISTINCT FROM event ->> 'id' THEN
        RETURN format('snapshot "%s": column audit_event_id names another event', s.id);
    END IF;
    SELECT coalesce(a.key, b.key) INTO member
    FROM jsonb_each(recorded) a FULL JOIN jsonb_each(reason.snapshot_state(s)) b USING (key)
    WHERE a.value IS DISTINCT FROM b.value LIMIT 1;
    IF FOUND THEN
        RETURN format('snapshot "%s": column %s is not as recorded', s.id, lower(regexp_replace(member, '([A-Z])', E'_\\1', 'g') COLLATE "C"));
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION reason.snapshot_event_fault(json, text) IS 'What in a snapshot''s row does not agree with its event snapshot.completed; NULL when nothing.';

CREATE FUNCTION reason.snapshot_proof(id uuid,
    OUT ok boolean, OUT hash_ok boolean, OUT signature_ok boolean, OUT signer_id text, OUT signer_status text, OUT graph_ok boolean,
    OUT stored_hash text, OUT computed_hash text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    s reason.snapshot := reason.snapshot_of($1);
    d record;
    g record;
    form_fault text;
    graph_fault text;
    row_fault text;
    document_remark text;
BEGIN
    stored_hash := s.hash;
    IF s.erased_event_id IS NULL THEN
        SELECT * INTO d FROM reason.check_document(s.no, s.division, NULL, reason.snapshot_end_seq(s));
        computed_hash := d.hash;
        hash_ok := s.hash = d.hash;
        graph_ok := d.graph_fault IS NULL;
        form_fault := d.form_fault;
        graph_fault := d.graph_fault;
        IF d.header IS NOT NULL THEN
            row_fault := coalesce(reason.snapshot_row_fault(s, d.header, d.size_bytes, d.node_count, d.edge_count), reason.snapshot_log_fault(s));
            document_remark := CASE WHEN row_fault IS NULL THEN reason.snapshot_log_remark(s) END;
        END IF;
    ELSE
        -- The hash of a document that was erased can still be proved: signed, and recorded in the chain.
        document_remark := reason.erased_document_remark(s);
        row_fault := reason.erased_document_fault(s);
    END IF;
    IF row_fault IS NULL AND s.status = 'complete' THEN
        row_fault := coalesce((SELECT coalesce(reason.snapshot_event_fault(e.payload, s.division), '') FROM reason.audit_event e
                               WHERE e.id = s.audit_event_id AND e.division = s.division AND e.event_type = 'snapshot.completed'),
                              format('snapshot "%s": column audit_event_id names no event snapshot.completed', s.id));
        row_fault := NULLIF(row_fault, '');
    END IF;
    signer_id := s.signer_id;
    IF s.signature IS NULL THEN
        signature_ok := false;
        SELECT format('snapshot "%s" is %s, not signed', s.id, s.status) AS fault, NULL::text AS status, NULL::text AS remark INTO g;
    ELSE
        SELECT * INTO g FROM reason.signature_fault(s.signer_id, s.signature, coalesce(computed_hash, s.hash), s.signed_at, s.signed_at, true);
        signature_ok := g.fault IS NULL;
    END IF;
    signer_status := g.status;
    ok := hash_ok IS NOT FALSE AND signature_ok AND graph_ok IS NOT FALSE AND row_fault IS NULL AND form_fault IS NULL;
    detail := coalesce(
        CASE WHEN NOT hash_ok THEN format('snapshot_chunk of snapshot "%s": the bytes do not give the hash%s', s.id, coalesce('; ' || form_fault, '')) END,
        g.fault, format('snapshot "%s": ', s.id) || form_fault, row_fault, graph_fault, concat_ws('; ', g.remark, document_remark));
    detail := NULLIF(detail, '');
END
$$;
COMMENT ON FUNCTION reason.snapshot_proof(uuid) IS 'As verify_snapshot(), but of a snapshot that is not complete yet what can be proved of it so far.';

CREATE FUNCTION reason.verify_snapshot(id uuid,
    OUT ok boolean, OUT hash_ok boolean, OUT signature_ok boolean, OUT signer_id text, OUT signer_status text, OUT graph_ok boolean,
    OUT stored_hash text, OUT computed_hash text, OUT detail text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT p.ok AND s.status = 'complete', p.hash_ok, p.signature_ok, p.signer_id, p.signer_status, p.graph_ok, p.stored_hash, p.computed_hash,
           CASE WHEN p.ok AND s.status <> 'complete'
                THEN format('snapshot "%s" is %s, not complete', s.id, s.status) || coalesce(': ' || s.failure, '') ELSE p.detail END
    FROM reason.snapshot_of($1) s, reason.snapshot_proof(s.id) p
$$;
COMMENT ON FUNCTION reason.verify_snapshot(uuid) IS
    'Proves a complete snapshot: its bytes give its hash, the hash is signed by a key that counted then, every node, edge and annotation in it is in the graph as an event recorded it, and it holds all that was signed when it was frozen and nothing that was not known then. detail says what is wrong first, or what should be known all the same. What is not complete is never ok. If its document was erased, hash_ok, graph_ok and computed_hash are NULL, as there are no bytes to look at; ok then speaks of signature, chain and erasure.';

CREATE FUNCTION reason.verify_snapshot_document(document text, signature text, INOUT signer_id text,
    OUT ok boolean, OUT hash_ok boolean, OUT signature_ok boolean, OUT signer_status text, OUT graph_ok boolean,
    OUT stored_hash text, OUT computed_hash text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    known reason.snapshot;
    d record;
    g record;
    row_fault text;
    made_at timestamptz;
    given_signature bytea;
BEGIN
    BEGIN
        SELECT * INTO known FROM reason.snapshot s WHERE s.id = ($1::json ->> 'id')::uuid AND reason.division_visible(s.division);
        made_at := ($1::json ->> 'created_at')::timestamptz;
        given_signature := decode($2, 'base64');
    EXCEPTION WHEN data_exception THEN
        -- What cannot be read is judged below, by its hash and signature.
        given_signature := coalesce(given_signature, ''::bytea);
    END;
    SELECT * INTO d FROM reason.check_document(NULL, known.division, $1, reason.snapshot_end_seq(known));
    computed_hash := d.hash;
    stored_hash := known.hash;
    hash_ok := known.hash = d.hash;
    IF known.id IS NOT NULL AND d.header IS NOT NULL THEN
        row_fault := coalesce(reason.snapshot_row_fault(known, d.header, d.size_bytes, d.node_count, d.edge_count), reason.snapshot_log_fault(known));
        graph_ok := d.graph_fault IS NULL;
    END IF;
    SELECT * INTO g FROM reason.signature_fault($3, given_signature, d.hash, coalesce(known.signed_at, made_at),
                                                coalesce(known.signed_at, clock_timestamp()), known.signed_at IS NOT NULL);
    signature_ok := g.fault IS NULL;
    signer_status := g.status;
    ok := signature_ok AND d.form_fault IS NULL AND row_fault IS NULL AND coalesce(hash_ok, true) AND coalesce(graph_ok, true);
    detail := coalesce(g.fault, d.form_fault,
        CASE WHEN NOT hash_ok THEN format('snapshot "%s" of this database has another hash', known.id) END,
        row_fault, d.graph_fault, g.remark,
        CASE WHEN known.id IS NULL THEN 'this database has no such snapshot; the records were not compared with the graph' END);
END
$$;
COMMENT ON FUNCTION reason.verify_snapshot_document(text, text, text) IS
    'Proves a document that was brought along: signature (base64) by that signer, and, where the snapshot is known here, its row and the graph. The fields are those of verify_snapshot().';

CREATE FUNCTION reason.verify_snapshot(id uuid, document text, signature text,
    OUT ok boolean, OUT hash_ok boolean, OUT signature_ok boolean, OUT signer_id text, OUT signer_status text, OUT graph_ok boolean,
    OUT stored_hash text, OUT computed_hash text, OUT detail text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT v.ok AND s.hash = v.computed_hash AND s.status = 'complete', s.hash = v.computed_hash, v.signature_ok, v.signer_id, v.signer_status,
           v.graph_ok, s.hash, v.computed_hash,
           CASE WHEN s.hash <> v.computed_hash THEN format('the document is not that of snapshot "%s"', s.id)
                WHEN v.ok AND s.status <> 'complete' THEN format('snapshot "%s" is %s, not complete', s.id, s.status)
                ELSE v.detail END
    FROM reason.snapshot_of($1) s, reason.verify_snapshot_document($2, $3, s.signer_id) v
$$;
COMMENT ON FUNCTION reason.verify_snapshot(uuid, text, text) IS 'Proves a document and a signature (base64) that were brought along against the snapshot of that id.';
