-- The audit chain: sealing, signing, reading, verifying, erasing.

-- ---------------------------------------------------------------- sealing

CREATE FUNCTION reason.seal_events(lease_token bigint, max_events integer DEFAULT 1000) RETURNS integer
LANGUAGE c VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS 'MODULE_PATHNAME', 'reason_seal_events';
COMMENT ON FUNCTION reason.seal_events(bigint, integer) IS
    'Gives committed events their place in the chain of their division; returns how many. Needs the lease of the duty seal. Signing comes after commit: order and hash are durable before anything is signed.';

CREATE FUNCTION reason.next_transaction_id() RETURNS xid8
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'reason_next_transaction_id';
COMMENT ON FUNCTION reason.next_transaction_id() IS 'The transaction id that will be given out next: all that run or have ended are less. (A snapshot''s xmax is not: it lies behind the last one that has ended.)';

CREATE FUNCTION reason.advance_sealer(p_decided_no bigint, p_renew boolean) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    last_no bigint;
    next_xmax xid8;
BEGIN
    IF NOT p_renew THEN
        UPDATE reason.sealer_state SET decided_no = p_decided_no WHERE decided_no <> p_decided_no;
        RETURN;
    END IF;
    -- In this order: whoever drew a number up to last_no had an xid by then, below next_xmax.
    SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END INTO last_no FROM reason.record_no;
    next_xmax := reason.next_transaction_id();
    UPDATE reason.sealer_state SET decided_no = p_decided_no, candidate_no = last_no, candidate_xmax = next_xmax
    WHERE (decided_no, candidate_no) IS DISTINCT FROM (p_decided_no, last_no);
END
$$;
COMMENT ON FUNCTION reason.advance_sealer(bigint, boolean) IS 'Moves the sealer''s mark; with p_renew the next candidate for it is taken.';

-- ---------------------------------------------------------------- signing
-- The join over division and seq must go through the index however the statistics of a young
-- table look: hence enable_seqscan.

CREATE FUNCTION reason.unsigned_seals(max integer DEFAULT 1000)
RETURNS TABLE (division text, seq bigint, hash bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1000
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
BEGIN
    -- A chain's signatures have no gaps, so the last one says where to go on.
    RETURN QUERY
    WITH RECURSIVE chain AS (
        (SELECT s.division FROM reason.audit_seal s ORDER BY s.division LIMIT 1)
        UNION ALL
        SELECT (SELECT s.division FROM reason.audit_seal s WHERE s.division > c.division ORDER BY s.division LIMIT 1)
        FROM chain c WHERE c.division IS NOT NULL
    )
    SELECT s.division, s.seq, s.hash
    FROM chain c,
         LATERAL (SELECT coalesce((SELECT g.seq FROM reason.audit_signature g WHERE g.division = c.division
                                   ORDER BY g.seq DESC LIMIT 1), -1) AS seq) signed,
         LATERAL (SELECT a.division, a.seq, a.hash FROM reason.audit_seal a
                  WHERE a.division = c.division AND a.seq > signed.seq ORDER BY a.seq LIMIT $1) s
    WHERE c.division IS NOT NULL
    LIMIT $1;
END
$$;
COMMENT ON FUNCTION reason.unsigned_seals(integer) IS 'Hashes that are durable and wait for their signature, in the order of each chain.';

CREATE FUNCTION reason.record_seal_signatures(lease_token bigint, signer_id text, divisions text[], seqs bigint[], signatures bytea[])
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    key bytea;
    bad record;
    recorded integer;
BEGIN
    PERFORM reason.check_lease('seal', lease_token);
    IF cardinality(divisions) <> cardinality(seqs) OR cardinality(seqs) <> cardinality(signatures) THEN
        RAISE EXCEPTION USING ERRCODE = 'array_subscript_error', MESSAGE = 'divisions, seqs and signatures must have the same length';
    END IF;
    key := reason.signing_key($2);
    SELECT u.division, u.seq, s.hash IS NULL AS missing INTO bad
    FROM unnest($3, $4, $5) u (division, seq, signature)
    LEFT JOIN LATERAL (SELECT a.hash FROM reason.audit_seal a WHERE a.division = u.division AND a.seq = u.seq OFFSET 0) s ON true
    WHERE s.hash IS NULL OR reason.ed25519_verify(key, s.hash, u.signature) IS NOT TRUE
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = CASE WHEN bad.missing THEN format('there is no seal %s in division "%s"', bad.seq, bad.division)
                           ELSE format('the signature of seal %s in division "%s" is not that of signer "%s"', bad.seq, bad.division, $2) END,
            HINT = 'Nothing was recorded. Compare the signer''s key with reason.signer_registry().';
    END IF;
    INSERT INTO reason.audit_signature (division, seq, signer_id, signature)
    SELECT u.division, u.seq, $2, u.signature FROM unnest($3, $4, $5) u (division, seq, signature)
    ON CONFLICT ON CONSTRAINT audit_signature_pkey DO NOTHING;
    GET DIAGNOSTICS recorded = ROW_COUNT;
    -- A gap would hide what lies behind it from whoever looks for what is unsigned.
    SELECT u.division, u.seq INTO bad FROM unnest($3, $4) u (division, seq)
    WHERE u.seq > 0 AND NOT EXISTS (SELECT FROM reason.audit_signature g WHERE g.division = u.division AND g.seq = u.seq - 1)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('seal %s in division "%s" is signed before the one before it', bad.seq, bad.division);
    END IF;
    RETURN recorded;
END
$$;
COMMENT ON FUNCTION reason.record_seal_signatures(bigint, text, text[], bigint[], bytea[]) IS
    'Records signatures of seals, each verified against the registry first; one that does not verify and nothing is recorded. May be repeated. Returns how many are new.';

-- ---------------------------------------------------------------- reading

CREATE VIEW reason.audit_events WITH (security_invoker = true, security_barrier = true) AS
SELECT e.id, s.division, s.seq, e.event_type, e.payload,
       CASE e.event_type
           WHEN 'node.created' THEN (
               SELECT jsonb_build_object('payload', n.payload, 'salt', encode(n.salt, 'base64'))
               FROM reason.node n WHERE n.no = e.no AND n.division = e.division AND n.salt IS NOT NULL)
           WHEN 'annotation.created' THEN (
               SELECT jsonb_build_object('payload', a.payload, 'salt', encode(a.salt, 'base64'))
               FROM reason.annotation a WHERE a.no = e.no AND a.division = e.division AND a.salt IS NOT NULL)
       END AS content,
       encode(s.prev_hash, 'hex') AS prev_hash,
       encode(s.hash, 'hex') AS hash,
       translate(encode(g.signature, 'base64'), E'\n', '') AS signature,
       g.signer_id, e.ts, s.created_at, e.payload -> 'request' AS metadata
FROM reason.audit_seal s
JOIN reason.audit_event e ON e.no = s.event_no AND e.division = s.division
JOIN reason.audit_signature g ON g.division = s.division AND g.seq = s.seq;
COMMENT ON VIEW reason.audit_events IS 'The audit chain: events that have their place, hash and signature. One chain a division, seq from 0 without gaps, created_at strictly increasing.';
COMMENT ON COLUMN reason.audit_events.payload IS 'The canonical bytes that are hashed: hash = SHA-256(payload || prev_hash).';
COMMENT ON COLUMN reason.audit_events.content IS 'Payload and salt of the node or annotation, outside the hash; NULL for other events, and once erased.';
COMMENT ON COLUMN reason.audit_events.signature IS 'Ed25519 over the 32 bytes of hash, base64.';
COMMENT ON COLUMN reason.audit_events.created_at IS 'greatest(ts, created_at of the event before + 1 microsecond).';
COMMENT ON COLUMN reason.audit_events.metadata IS 'The request that caused the event: client or role, requestId, traceparent.';

-- ---------------------------------------------------------------- verifying

CREATE FUNCTION reason.recorded_time(ts timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT CASE WHEN pg_catalog.isfinite($1) THEN reason.rfc3339($1) ELSE $1::text END $$;
COMMENT ON FUNCTION reason.recorded_time(timestamptz) IS 'A time as events record it, so that infinity differs from NULL.';

CREATE FUNCTION reason.verify_audit(division text DEFAULT 'default', from_seq bigint DEFAULT 0, to_seq bigint DEFAULT NULL,
    OUT ok boolean, OUT checked bigint, OUT head_seq bigint, OUT head_hash text, OUT first_bad_seq bigint, OUT detail text)
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'reason_verify_audit';
COMMENT ON FUNCTION reason.verify_audit(text, bigint, bigint) IS
    'Checks a chain: order, hashes, signatures, and that every node, edge and annotation is what its event recorded. detail names the first thing that is wrong. Over a whole chain (no bounds given) rows without an event are found too.';

-- ---------------------------------------------------------------- rebuilding

CREATE FUNCTION reason.replay(event json, registry json DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET "TimeZone" = 'UTC'
AS $$
DECLARE
    canonical text := reason.canonical_json(event -> 'payload');
    kind text := event ->> 'eventType';
    record json;
    record_digest bytea;
    content json := event -> 'content';
    event_no bigint;
    head reason.audit_seal;
    prev bytea := decode(event ->> 'prevHash', 'hex');
    hashed bytea := sha256(convert_to(canonical, 'UTF8') || coalesce(prev, ''::bytea));
    unsealed reason.audit_event;
    signed bytea := decode(event ->> 'signature', 'base64');
    key bytea;
    event_ts timestamptz := (event #>> '{payload,ts}')::timestamptz;
BEGIN
    IF (event #>> '{payload,id}', event #>> '{payload,division}', event #>> '{payload,eventType}', event #>> '{payload,ts}')
       IS DISTINCT FROM (event ->> 'id', event ->> 'division', kind, event ->> 'ts') OR encode(hashed, 'hex') IS DISTINCT FROM event ->> 'hash' THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = format('event "%s" does not hold together', event ->> 'id'),
            DETAIL = 'Its members must be those of its payload, and hash must be SHA-256(payload || prevHash).';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('reason replay', 0));
    SELECT * INTO head FROM reason.audit_seal s WHERE s.division = event ->> 'division' ORDER BY s.division DESC, s.seq DESC LIMIT 1;
    IF (event ->> 'seq')::bigint <= head.seq THEN
        -- Given again; it must be the same.
        IF EXISTS (SELECT FROM reason.audit_seal s WHERE s.division = event ->> 'division' AND s.seq = (event ->> 'seq')::bigint AND s.hash = hashed) THEN
            RETURN false;
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'unique_violation',
            MESSAGE = format('event %s of division "%s" is another one here', event ->> 'seq', event ->> 'division');
    END IF;
    IF (event ->> 'seq')::bigint <> coalesce(head.seq + 1, 0) OR prev IS DISTINCT FROM head.hash THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('event %s of division "%s" does not follow the last one here', event ->> 'seq', event ->> 'division'),
            HINT = 'Replay the events of a division in the order of seq.';
    END IF;
    IF registry IS NULL THEN
        SELECT s.public_key INTO key FROM reason.signer s WHERE s.signer_id = event ->> 'signerId';
    ELSE
        SELECT reason.public_key(r ->> 'publicKey') INTO key FROM json_array_elements(registry -> 'signers') r
        WHERE r ->> 'signerId' = event ->> 'signerId';
    END IF;
    -- What is signed by a key that the chain itself has yet to name is checked when it does.
    IF key IS NULL AND (registry IS NOT NULL OR event ->> 'division' <> 'system') THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('event %s of division "%s" is signed by "%s", who is not registered', event ->> 'seq', event ->> 'division', event ->> 'signerId'),
            HINT = 'Replay division system before the others: it names the signers.';
    ELSIF key IS NOT NULL AND reason.ed25519_verify(key, hashed, signed) IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('the signature of event %s of division "%s" is not that of signer "%s"', event ->> 'seq', event ->> 'division', event ->> 'signerId'),
            DETAIL = 'The chain was altered from here on, or another key has this name.';
    END IF;

    -- Written before a restore's target, and sealed after it: the event and what it recorded are here, its place is not.
    SELECT * INTO unsealed FROM reason.audit_event e WHERE e.id = (event ->> 'id')::uuid AND e.division = event ->> 'division';
    event_no := unsealed.no;
    PERFORM pg_current_xact_id();
    IF event_no IS NULL THEN
        INSERT INTO reason.audit_event AS e (id, division, event_type, ts, payload)
        VALUES ((event ->> 'id')::uuid, event ->> 'division', kind, event_ts, canonical::json)
        RETURNING e.no INTO event_no;
    ELSIF unsealed.payload::text <> canonical THEN
        RAISE EXCEPTION USING ERRCODE = 'unique_violation', MESSAGE = format('event "%s" is another one here', event ->> 'id');
    END IF;
    INSERT INTO reason.audit_seal (division, seq, event_no, prev_hash, hash, created_at)
    VALUES (event ->> 'division', (event ->> 'seq')::bigint, event_no, prev, hashed, greatest(event_ts, head.created_at + interval '1 microsecond'));
    INSERT INTO reason.audit_signature (division, seq, signer_id, signature)
    VALUES (event ->> 'division', (event ->> 'seq')::bigint, event ->> 'signerId', signed);
    IF unsealed.no IS NOT NULL THEN
        RETURN true;
    END IF;

    record := CASE kind WHEN 'node.created' THEN canonical::json -> 'node' WHEN 'edge.created' THEN canonical::json -> 'edge'
                        WHEN 'annotation.created' THEN canonical::json -> 'annotation' END;
    record_digest := sha256(convert_to(reason.canonical_json(record), 'UTF8'));
    -- A content is taken only if it is what was committed to.
    IF json_typeof(content) = 'object' AND sha256(decode(content ->> 'salt', 'base64') || convert_to(reason.canonical_json(content -> 'payload'), 'UTF8'))
       IS DISTINCT FROM decode(record ->> 'payloadHash', 'hex') THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = format('the content of event "%s" is not what its payloadHash says', event ->> 'id');
    END IF;
    CASE kind
        WHEN 'node.created' THEN
            INSERT INTO reason.node (no, id, division, type, author, payload, metadata, created_at, occurred_at, version,
                manifest_signature_id, payload_ref, salt, payload_hash, digest, audit_event_id)
            VALUES (event_no, (record ->> 'id')::uuid, record ->> 'division', record ->> 'type', record ->> 'author',
                (content -> 'payload')::jsonb, (record -> 'metadata')::jsonb, (record ->> 'createdAt')::timestamptz,
                (record ->> 'ts')::timestamptz, record ->> 'version', record ->> 'manifestSignatureId', (record -> 'payloadRef')::jsonb,
                decode(content ->> 'salt', 'base64'), decode(record ->> 'payloadHash', 'hex'), record_digest, (event ->> 'id')::uuid);
        WHEN 'edge.created' THEN
            INSERT INTO reason.edge (no, id, division, from_no, to_no, type, weight, metadata, created_at, digest, audit_event_id)
            SELECT event_no, (record ->> 'id')::uuid, record ->> 'division', f.no, t.no, record ->> 'type',
                (record ->> 'weight')::double precision, (record -> 'metadata')::jsonb, (record ->> 'createdAt')::timestamptz,
                record_digest, (event ->> 'id')::uuid
            FROM (VALUES (1)) one
            LEFT JOIN reason.node f ON f.id = (record ->> 'from')::uuid AND f.division = record ->> 'division'
            LEFT JOIN reason.node t ON t.id = (record ->> 'to')::uuid AND t.division = record ->> 'division';
        WHEN 'annotation.created' THEN
            INSERT INTO reason.annotation (no, id, division, target_no, type, author, payload, metadata, created_at, salt, payload_hash,
                digest, audit_event_id)
            SELECT event_no, (record ->> 'id')::uuid, record ->> 'division', t.no, record ->> 'type', record ->> 'author',
                (content -> 'payload')::jsonb, (record -> 'metadata')::jsonb, (record ->> 'createdAt')::timestamptz,
                decode(content ->> 'salt', 'base64'), decode(record ->> 'payloadHash', 'hex'), record_digest, (event ->> 'id')::uuid
            FROM (VALUES (1)) one
            LEFT JOIN reason.node t ON t.id = (record ->> 'target')::uuid AND t.division = record ->> 'division';
        WHEN 'quarantine.released' THEN
            record := canonical::json -> 'released';
            INSERT INTO reason.quarantine_release (division, record_no, event_no)
            SELECT q.division, q.record_no, event_no FROM reason.quarantine q
            WHERE q.division = event ->> 'division' AND q.kind = record ->> 'kind' AND q.record_id = (record ->> 'id')::uuid;
            UPDATE reason.quarantine q SET released = true
            WHERE q.division = event ->> 'division' AND q.kind = record ->> 'kind' AND q.record_id = (record ->> 'id')::uuid;
        WHEN 'policy.changed' THEN
            record := canonical::json -> 'rule';
            INSERT INTO reason.policy_rule (name, actions, types, division_pattern, path, on_silence, enabled)
            VALUES (record ->> 'name', ARRAY(SELECT json_array_elements_text(record -> 'actions')),
                CASE json_typeof(record -> 'types') WHEN 'array' THEN ARRAY(SELECT json_array_elements_text(record -> 'types')) END,
                record ->> 'divisionPattern', (record ->> 'path')::jsonpath, record ->> 'onSilence', (record ->> 'enabled')::boolean)
            ON CONFLICT ON CONSTRAINT policy_rule_pkey DO UPDATE
                SET actions = excluded.actions, types = excluded.types, division_pattern = excluded.division_pattern,
                    path = excluded.path, on_silence = excluded.on_silence, enabled = excluded.enabled;
        WHEN 'piiRule.changed' THEN
            PERFORM reason.replay_pii_rule(canonical::json);
        WHEN 'payload.erased' THEN
            UPDATE reason.node n SET payload = NULL, salt = NULL
            WHERE n.id::text = canonical::json #>> '{erased,id}' AND n.division = event ->> 'division' AND n.salt IS NOT NULL;
            UPDATE reason.annotation a SET payload = NULL, salt = NULL
            WHERE a.id::text = canonical::json #>> '{erased,id}' AND a.division = event ->> 'division' AND a.salt IS NOT NULL;
            PERFORM reason.replay_erased_documents(canonical::json -> 'erased', event ->> 'division', (event ->> 'id')::uuid);
        WHEN 'snapshot.completed', 'snapshot.failed' THEN
            PERFORM reason.replay_snapshot(canonical::json -> 'snapshot', event ->> 'division', (event ->> 'id')::uuid);
        WHEN 'signer.added', 'signer.retired', 'signer.revoked' THEN
            record := canonical::json -> 'signer';
            INSERT INTO reason.signer AS s (signer_id, algorithm, public_key, status, valid_from, valid_to, revoked_at, revocation_reason)
            VALUES (record ->> 'signerId', record ->> 'algorithm', reason.public_key(record ->> 'publicKey'), record ->> 'status',
                (record ->> 'validFrom')::timestamptz, (record ->> 'validTo')::timestamptz, (record ->> 'revokedAt')::timestamptz,
                record ->> 'revocationReason')
            ON CONFLICT ON CONSTRAINT signer_pkey DO UPDATE
                SET status = excluded.status, valid_to = excluded.valid_to, revoked_at = excluded.revoked_at,
                    revocation_reason = excluded.revocation_reason
                WHERE s.status <> excluded.status;
            IF EXISTS (SELECT FROM reason.audit_signature g JOIN reason.audit_seal s ON (s.division, s.seq) = (g.division, g.seq)
                       WHERE g.division = 'system' AND g.signer_id = record ->> 'signerId' AND kind = 'signer.added'
                         AND reason.ed25519_verify(reason.public_key(record ->> 'publicKey'), s.hash, g.signature) IS NOT TRUE) THEN
                RAISE EXCEPTION USING ERRCODE = 'data_exception',
                    MESSAGE = format('signatures up to event %s of division "system" are not those of signer "%s"', event ->> 'seq', record ->> 'signerId');
            END IF;
        WHEN 'client.changed' THEN
            record := canonical::json -> 'client';
            INSERT INTO reason.client (name, issuer, san_uri, role, divisions, pii, enabled)
            VALUES (record ->> 'name', record ->> 'issuer', record ->> 'sanUri', record ->> 'role',
                ARRAY(SELECT json_array_elements_text(record -> 'divisions')), (record ->> 'pii')::boolean, (record ->> 'enabled')::boolean)
            ON CONFLICT ON CONSTRAINT client_pkey DO UPDATE
                SET issuer = excluded.issuer, san_uri = excluded.san_uri, role = excluded.role, divisions = excluded.divisions,
                    pii = excluded.pii, enabled = excluded.enabled;
        ELSE
            NULL;
    END CASE;
    IF kind IN ('node.created', 'edge.created', 'annotation.created') AND canonical::json #>> '{policy,decision}' = 'quarantine' THEN
        INSERT INTO reason.quarantine (division, record_no, kind, record_id, policy_check_id)
        VALUES (event ->> 'division', event_no, split_part(kind, '.', 1), (record ->> 'id')::uuid,
            (canonical::json #>> '{policy,policyCheckId}')::uuid);
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION reason.replay(json, json) IS
    'Rebuilds a database from its chain, event by event, in the form of Kafka and of the archive (id, eventType, payload, content, prevHash, hash, signature, signerId, ts, division, seq): the event with its seal and signature, and what it recorded. False when the event is there already. An event whose hash or signature does not verify is refused; keys are those of registry (what signer_registry() gives), or else those that division system has named so far. Run verify_audit() afterwards: it also says which signatures do not count, as their key was revoked.';

CREATE FUNCTION reason.audit_event_json(e reason.audit_events) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT reason.canonical_json(json_build_object('id', $1.id, 'eventType', $1.event_type, 'payload', $1.payload, 'content', $1.content,
        'prevHash', $1.prev_hash, 'hash', $1.hash, 'signature', $1.signature, 'signerId', $1.signer_id, 'ts', reason.rfc3339($1.ts),
        'division', $1.division, 'seq', $1.seq, 'metadata', $1.metadata))
$$;
COMMENT ON FUNCTION reason.audit_event_json(reason.audit_events) IS 'An event as it goes to Kafka and into the archive: one line of canonical JSON.';
