-- Writing: nodes, edges, annotations, each with its event, in one transaction.
--
-- There is one way in. Whatever the form (a batch over HTTPS, a call in SQL), the input is JSON
-- text. C (extension/write/) reads it strictly, makes numbers, ids, salts, digests and the events'
-- canonical payloads, and inserts records and events as COPY does.

-- ---------------------------------------------------------------- ids, times, identity

CREATE FUNCTION reason.uuid_v7() RETURNS uuid
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_uuid_v7';
COMMENT ON FUNCTION reason.uuid_v7() IS 'A new version 7 UUID (RFC 9562): time-ordered, strictly increasing within a session.';

CREATE FUNCTION reason.rfc3339(ts timestamptz) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_rfc3339';
COMMENT ON FUNCTION reason.rfc3339(timestamptz) IS 'RFC 3339 in UTC with six digits of fraction, whatever the session''s time zone.';

CREATE FUNCTION reason.recordable_time(ts timestamptz, name text) RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_recordable_time';
COMMENT ON FUNCTION reason.recordable_time(timestamptz, text) IS 'rfc3339() of a time that is to be recorded; 22023 for infinity and outside of the years 1 to 9999, which RFC 3339 has no form for. NULL stays NULL.';

CREATE FUNCTION reason.calling_role() RETURNS name
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_calling_role';
COMMENT ON FUNCTION reason.calling_role() IS 'The role that called the function running with its owner''s rights: SET ROLE counts, SECURITY DEFINER does not.';

-- ---------------------------------------------------------------- the doorbell

CREATE FUNCTION reason.lock_doorbell() RETURNS boolean
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'reason_lock_doorbell';
COMMENT ON FUNCTION reason.lock_doorbell() IS 'For the sidecar before it sleeps: from now on writers notify. False while a writer commits, or another sidecar sleeps.';

CREATE FUNCTION reason.unlock_doorbell() RETURNS boolean
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'reason_unlock_doorbell';
COMMENT ON FUNCTION reason.unlock_doorbell() IS 'For the sidecar when it wakes: writers need not notify any more. Returns whether it had the lock.';

CREATE FUNCTION reason.ring() RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'reason_ring';
COMMENT ON FUNCTION reason.ring() IS 'Wakes the sidecar, if it sleeps, once the transaction has committed. A ring that is lost costs latency only.';

-- ---------------------------------------------------------------- events

CREATE FUNCTION reason.append_event(division text, event_type text, body jsonb) RETURNS uuid
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    event_id uuid := reason.uuid_v7();
    event_ts timestamptz := clock_timestamp();
BEGIN
    -- The number must be drawn by a transaction that has its id already (see record_no).
    PERFORM pg_current_xact_id();
    INSERT INTO reason.audit_event (id, division, event_type, ts, payload)
    VALUES (event_id, append_event.division, append_event.event_type, event_ts,
            reason.canonical_json(body || jsonb_build_object(
                'id', event_id, 'division', append_event.division,
                'eventType', append_event.event_type, 'ts', reason.rfc3339(event_ts)))::json);
    -- What was begun before a division was frozen is finished.
    IF append_event.event_type NOT IN ('snapshot.completed', 'snapshot.failed') THEN
        PERFORM reason.refuse_frozen(append_event.division);
    END IF;
    PERFORM reason.ring();
    RETURN event_id;
END
$$;
COMMENT ON FUNCTION reason.append_event(text, text, jsonb) IS 'Appends an event to a division''s chain, as part of the current transaction; the sealer gives it its place. Returns the event''s id.';

CREATE FUNCTION reason.stored_payload(e reason.audit_event) RETURNS json
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    whole CONSTANT json := e.payload;
BEGIN
    IF current_setting('reason.keep_event_text')::boolean THEN
        RETURN whole;
    END IF;
    e.payload := reason.canonical_json((SELECT coalesce(json_object_agg(m.key, m.value), '{}') FROM json_each(whole) m WHERE m.key IN ('policy', 'request')))::json;
    RETURN CASE WHEN reason.event_payload(e)::text = whole::text THEN e.payload ELSE whole END;
EXCEPTION WHEN data_corrupted THEN
    RETURN whole;
END
$$;
COMMENT ON FUNCTION reason.stored_payload(reason.audit_event) IS
    'What is stored of the event of a record whose row is there: as a write would have stored it, if that gives the same bytes, or else the whole.';

-- ---------------------------------------------------------------- records from JSON text

CREATE FUNCTION reason.insert_nodes(input text, single boolean, divisions text[], request json, policy json DEFAULT NULL,
    OUT id uuid, OUT audit_event_id uuid, OUT created_at timestamptz, OUT no bigint)
RETURNS SETOF record
LANGUAGE c VOLATILE ROWS 1000
AS 'MODULE_PATHNAME', 'reason_insert_nodes';
COMMENT ON FUNCTION reason.insert_nodes(text, boolean, text[], json, json) IS
    'Writes one node (single) or {"nodes": [...]}, with their events, all or none. Refuses what the contract refuses, naming index, JSON Pointer and byte offset; divisions are those the caller may write, {*} for all.';

CREATE FUNCTION reason.insert_edges(input text, single boolean, divisions text[], request json, policy json DEFAULT NULL,
    OUT id uuid, OUT audit_event_id uuid, OUT created_at timestamptz, OUT no bigint)
RETURNS SETOF record
LANGUAGE c VOLATILE ROWS 1000
AS 'MODULE_PATHNAME', 'reason_insert_edges';
COMMENT ON FUNCTION reason.insert_edges(text, boolean, text[], json, json) IS
    'Writes one edge (single) or {"edges": [...]}, with their events, all or none. Both ends must exist in one division that the caller may write.';

CREATE FUNCTION reason.insert_annotation(input text, target uuid, divisions text[], request json, policy json DEFAULT NULL,
    OUT id uuid, OUT audit_event_id uuid, OUT created_at timestamptz, OUT no bigint)
RETURNS SETOF record
LANGUAGE c VOLATILE ROWS 1
AS 'MODULE_PATHNAME', 'reason_insert_annotation';
COMMENT ON FUNCTION reason.insert_annotation(text, uuid, text[], json, json) IS 'Writes an annotation of a node, with its event.';

-- ---------------------------------------------------------------- for SQL users

CREATE FUNCTION reason.sql_request() RETURNS json
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_sql_request';
COMMENT ON FUNCTION reason.sql_request() IS 'Who asks, as the event of a write made in SQL records it.';

CREATE FUNCTION reason.add_node(type text, payload jsonb, author text, division text DEFAULT 'default',
    metadata jsonb DEFAULT '{}', id uuid DEFAULT NULL, ts timestamptz DEFAULT NULL, version text DEFAULT NULL,
    manifest_signature_id text DEFAULT NULL, payload_ref jsonb DEFAULT NULL, audit_event_id uuid DEFAULT NULL)
RETURNS uuid
LANGUAGE c VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_add_node';
COMMENT ON FUNCTION reason.add_node(text, jsonb, text, text, jsonb, uuid, timestamptz, text, text, jsonb, uuid) IS
    'Writes a node and its event; returns the node''s id. Types: observation, recommendation, decision, action, hypothesis, policyCheck, score, correction, annotation.';

CREATE FUNCTION reason.add_edge(from_node uuid, to_node uuid, type text, weight double precision DEFAULT 1,
    metadata jsonb DEFAULT '{}', id uuid DEFAULT NULL, division text DEFAULT NULL, audit_event_id uuid DEFAULT NULL)
RETURNS uuid
LANGUAGE c VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_add_edge';
COMMENT ON FUNCTION reason.add_edge(uuid, uuid, text, double precision, jsonb, uuid, text, uuid) IS
    'Writes an edge from cause to effect and its event; returns the edge''s id. Types: causal, supports, contradicts, derivedFrom, influencedBy, corrects.';

CREATE FUNCTION reason.annotate(node uuid, note text DEFAULT NULL, payload jsonb DEFAULT NULL, author text DEFAULT NULL,
    type text DEFAULT NULL, metadata jsonb DEFAULT '{}', division text DEFAULT NULL)
RETURNS uuid
LANGUAGE c VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_annotate';
COMMENT ON FUNCTION reason.annotate(uuid, text, jsonb, text, text, jsonb, text) IS
    'Adds a remark to a node: a note, or any JSON payload. Returns the annotation''s id.';

CREATE FUNCTION reason.add_nodes(nodes json) RETURNS SETOF uuid
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    -- All at once: a caller who takes only the first of the ids has written the others as well.
    SELECT unnest(CASE WHEN reason.policy_applies('node') THEN reason.policy_uphold('node', array_agg(i.no), array_agg(i.id)) ELSE array_agg(i.id) END)
    FROM reason.insert_nodes($1::text, false, reason.visible_divisions_of(reason.calling_role()), reason.sql_request()) i
$$;
COMMENT ON FUNCTION reason.add_nodes(json) IS 'Writes a batch, {"nodes": [{id, type, author, payload, ...}]}, all or nothing; returns ids in order.';

CREATE FUNCTION reason.add_edges(edges json) RETURNS SETOF uuid
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    -- All at once: a caller who takes only the first of the ids has written the others as well.
    SELECT unnest(CASE WHEN reason.policy_applies('edge') THEN reason.policy_uphold('edge', array_agg(i.no), array_agg(i.id)) ELSE array_agg(i.id) END)
    FROM reason.insert_edges($1::text, false, reason.visible_divisions_of(reason.calling_role()), reason.sql_request()) i
$$;
COMMENT ON FUNCTION reason.add_edges(json) IS 'Writes a batch, {"edges": [{from, to, type, ...}]}, all or nothing; returns ids in order.';
