-- Rebuilding a database from its chain, event by event.
--
-- An event of a type, or with a member, that is not known here was written by another version: to pass over it would
-- leave a database that looks whole and is not. So known_event_members() lists everything, and whoever adds an event adds
-- it there and says below what comes of it.

CREATE FUNCTION reason.known_event_members(event_type text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT CASE $1
        WHEN 'node.created' THEN '{"node": ["id", "division", "type", "author", "payloadHash", "metadata", "createdAt", "ts", "version",
                                            "manifestSignatureId", "payloadRef"],
                                   "policy": ["decision", "reason", "policyId", "policyVersion", "policyCheckId"]}'
        WHEN 'edge.created' THEN '{"edge": ["id", "division", "from", "fromDigest", "to", "toDigest", "type", "weight", "metadata", "createdAt"],
                                   "policy": ["decision", "reason", "policyId", "policyVersion", "policyCheckId"]}'
        WHEN 'annotation.created' THEN '{"annotation": ["id", "division", "target", "targetDigest", "type", "author", "payloadHash", "metadata", "createdAt"],
                                         "policy": ["decision", "reason", "policyId", "policyVersion", "policyCheckId"]}'
        WHEN 'quarantine.released' THEN '{"released": ["kind", "id", "by", "reason"]}'
        WHEN 'payload.erased' THEN '{"erased": ["kind", "id", "by", "reason", "snapshots"]}'
        WHEN 'client.changed' THEN '{"client": ["name", "role", "divisions", "pii", "issuer", "sanUri", "enabled"], "approved": ["proposal", "approvals"],
                                     "quota": ["client", "division", "nodesPerDay", "edgesPerDay"]}'
        WHEN 'archiveRule.changed' THEN '{"archiveRule": ["division", "retainDays", "legalHold"], "approved": ["proposal", "approvals"]}'
        WHEN 'policy.changed' THEN '{"rule": ["name", "actions", "types", "divisionPattern", "path", "onSilence", "enabled"], "approved": ["proposal", "approvals"]}'
        WHEN 'approver.changed' THEN '{"approver": ["approverId", "publicKey", "validFrom", "validTo"], "approved": ["proposal", "approvals"]}'
        WHEN 'approvalRule.changed' THEN '{"approvalRule": ["kind", "threshold"], "approved": ["proposal", "approvals"]}'
        WHEN 'change.proposed' THEN '{"proposal": ["type", "id", "change", "kind", "arguments", "database", "head", "nonce", "proposedAt", "expiresAt"]}'
        WHEN 'change.approved' THEN '{"approval": ["proposalId", "approverId", "signature"]}'
        WHEN 'piiRule.changed' THEN '{"piiRule": ["name", "category", "member", "pattern", "matcher", "exceptPattern", "enabled", "description", "dropped"]}'
        WHEN 'event.mended' THEN '{"mended": ["eventId", "division", "eventType", "fault", "outcome", "by", "reason", "foundHash"]}'
        WHEN 'log.changed' THEN '{"log": ["prefix", "epoch"]}'
        WHEN 'division.changed' THEN '{"placement": ["division", "state", "cell", "headSeq", "headHash", "reason", "origins"], "approved": ["proposal", "approvals"]}'
        WHEN 'divisionGrant.changed' THEN '{"divisionGrant": ["grantee", "division", "granted"]}'
        -- These change nothing that a rebuilt database has: it has a safe mode of its own, and what was denied was not written.
        WHEN 'log.heads' THEN '{"heads": ["count", "root"]}'
        -- What was imported has events of its own.
        WHEN 'snapshot.imported' THEN '{"imported": ["snapshot", "hash", "signerId", "signature", "createdAt", "rootIds", "registry", "nodes", "edges",
                                                     "annotations", "frontier", "piiIncluded"]}'
        WHEN 'policy.denied' THEN '{"denied": ["action", "records", "types"],
                                    "policy": ["decision", "reason", "policyId", "policyVersion", "policyCheckId"]}'
        WHEN 'safemode.entered' THEN '{"safeMode": ["reason", "incarnation"]}'
        WHEN 'safemode.left' THEN '{"safeMode": ["reason", "since", "incarnation", "accepted"]}'
        WHEN 'safemode.accepted' THEN '{"safeMode": ["reason"], "approved": ["proposal", "approvals"]}'
        ELSE CASE
            WHEN $1 IN ('signer.added', 'signer.retired', 'signer.revoked') THEN
                '{"signer": ["signerId", "algorithm", "publicKey", "status", "validFrom", "validTo", "revokedAt", "revocationReason", "purpose"],
                  "approved": ["proposal", "approvals"]}'
            WHEN $1 IN ('snapshot.completed', 'snapshot.failed') THEN
                '{"snapshot": ["id", "no", "hash", "sizeBytes", "nodeCount", "edgeCount", "requestedBy", "requestId", "status", "signerId",
                               "signature", "signedAt", "objectUri", "objectVersion", "completedAt", "attempts", "nextAttemptAt", "failure"]}'
        END END::jsonb
$$;
COMMENT ON FUNCTION reason.known_event_members(text) IS
    'What events of a type may hold besides id, division, eventType, ts and request: members, and the members of these. NULL for a type that is not known.';

CREATE FUNCTION reason.refuse_unknown_event(event json) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    payload jsonb := event -> 'payload';
    known jsonb := reason.known_event_members(event ->> 'eventType');
    strange text;
BEGIN
    IF known IS NOT NULL THEN
        SELECT m.path INTO strange
        FROM (SELECT '/' || k AS path, ARRAY['id', 'division', 'eventType', 'ts', 'request'] || ARRAY(SELECT jsonb_object_keys(known)) AS may, k
              FROM jsonb_object_keys(payload) k
              UNION ALL
              SELECT format('/%s/%s', o.key, k), ARRAY(SELECT jsonb_array_elements_text(known -> o.key)), k
              FROM jsonb_each(payload) o, jsonb_object_keys(CASE jsonb_typeof(o.value) WHEN 'object' THEN o.value ELSE '{}' END) k
              WHERE known ? o.key) m
        WHERE m.k <> ALL (m.may) ORDER BY m.path LIMIT 1;
        IF strange IS NULL AND EXISTS (SELECT FROM jsonb_object_keys(known) k WHERE jsonb_typeof(payload -> k) = 'object') THEN
            RETURN;
        END IF;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
        MESSAGE = format('cannot replay event %s of division "%s": %s', event ->> 'seq', event ->> 'division',
            CASE WHEN known IS NULL THEN format('its type "%s" is not known', event ->> 'eventType')
                 WHEN strange IS NOT NULL THEN format('member "%s" of type "%s" is not known', strange, event ->> 'eventType')
                 ELSE format('type "%s" says nothing without member "%s"', event ->> 'eventType',
                      (SELECT string_agg(k, '" or "' ORDER BY k) FROM jsonb_object_keys(known) k WHERE k NOT IN ('policy', 'approved'))) END),
        HINT = 'It was written by another version of the extension: replay it with that one.';
END
$$;
COMMENT ON FUNCTION reason.refuse_unknown_event(json) IS 'For replay(): raises 0A000, naming what it is, for an event of a type or with a member that known_event_members() does not list.';

CREATE FUNCTION reason.replay_key(event json, registry json) RETURNS bytea
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    signed_by CONSTANT text := event ->> 'signerId';
    named CONSTANT json := event #> '{payload,signer}';
    entries bigint;
    entry json;
    key bytea;
    purpose text;
    ids text;
    validity text;
BEGIN
    IF registry IS NULL THEN
        SELECT s.public_key, s.purpose INTO key, purpose FROM reason.signer s WHERE s.signer_id = signed_by;
    ELSE
        SELECT count(*), min(r::text)::json INTO entries, entry FROM json_array_elements(registry -> 'signers') r WHERE r ->> 'signerId' = signed_by;
        IF entries > 1 THEN
            RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = format('the registry has %s entries of signer "%s"', entries, signed_by);
        END IF;
        key := reason.public_key(entry ->> 'publicKey');
        -- A registry from before there were purposes
        purpose := coalesce(entry ->> 'purpose', 'events');
        SELECT string_agg(r ->> 'signerId', '" and "') INTO ids FROM json_array_elements(registry -> 'signers') r
        WHERE reason.public_key(r ->> 'publicKey') = key HAVING count(*) > 1;
        IF ids IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = format('the registry has one key under the ids "%s"', ids);
        END IF;
        -- A signer that is not registered is refused below. The event's place in the chain vouches for its time; it was signed at some
        -- later time.
        validity := CASE WHEN entries = 0 THEN 'counts' ELSE reason.key_validity((entry ->> 'validFrom')::timestamptz, (entry ->> 'validTo')::timestamptz, entry ->> 'status' = 'revoked',
                                        (entry ->> 'validTo')::timestamptz, (event #>> '{payload,ts}')::timestamptz, 'infinity', true) END;
        IF validity NOT IN ('counts', 'counted then') THEN
            RAISE EXCEPTION USING ERRCODE = 'data_exception',
                MESSAGE = format('event %s of division "%s" is signed by "%s", whose key was %s by then', event ->> 'seq', event ->> 'division', signed_by, validity),
                DETAIL = format('According to the registry its signatures ceased to count at %s.', entry ->> 'validTo');
        END IF;
        -- The registry decides who may sign, whatever the chain adds.
        IF event ->> 'eventType' LIKE 'signer.%' AND NOT EXISTS (
            SELECT FROM json_array_elements(registry -> 'signers') r
            WHERE r ->> 'signerId' = named ->> 'signerId' AND reason.public_key(r ->> 'publicKey') = reason.public_key(named ->> 'publicKey')
              AND coalesce(r ->> 'purpose', 'events') = coalesce(named ->> 'purpose', 'events')) THEN
            RAISE EXCEPTION USING ERRCODE = 'data_exception',
                MESSAGE = format(CASE WHEN EXISTS (SELECT FROM json_array_elements(registry -> 'signers') r WHERE r ->> 'signerId' = named ->> 'signerId')
                                 THEN 'event %s of division "%s" registers a key or a purpose that is not that of signer "%s" in the registry'
                                 ELSE 'event %s of division "%s" names signer "%s", whom the registry does not know' END,
                                 event ->> 'seq', event ->> 'division', named ->> 'signerId'),
                HINT = 'Give the registry as it was kept outside of the database when the chain was whole.';
        END IF;
    END IF;
    IF key IS NOT NULL AND purpose <> 'events' THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('event %s of division "%s" is signed by "%s", who is registered for %s', event ->> 'seq', event ->> 'division', signed_by, purpose);
    END IF;
    IF key IS NULL AND (registry IS NOT NULL OR event ->> 'division' <> 'system') THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('event %s of division "%s" is signed by "%s", who is not registered', event ->> 'seq', event ->> 'division', signed_by),
            HINT = CASE WHEN registry IS NULL THEN 'Replay division system before the others: it names the signers.'
                        ELSE 'The registry that was given does not know this signer.' END;
    END IF;
    RETURN key;
END
$$;
COMMENT ON FUNCTION reason.replay_key(json, json) IS
    'For replay(): the key with which an event must be signed, of the registry or, without one, of division system so far. NULL when the chain has yet to name it. Raises 22000 for who may not sign, and for an event that registers whom the registry does not know, or knows with another key or for another purpose.';

CREATE FUNCTION reason.refuse_unapproved_event(event jsonb, seq bigint) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    fault CONSTANT text := reason.present_approval_fault(event, seq);
BEGIN
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('event %s of division "system" does not have the approvals that it needs: %s', seq, fault),
            DETAIL = 'By the approvers and thresholds that the chain has named so far.',
            HINT = 'The change was made past the database''s functions. See the section on approvals in the documentation for auditors.';
    END IF;
END
$$;
COMMENT ON FUNCTION reason.refuse_unapproved_event(jsonb, bigint) IS 'For replay(): raises 22000 for an event of division system whose change needs approvals that it does not have.';

-- ---------------------------------------------------------------- one event

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
    is_sealed boolean := false;
    unsealed reason.audit_event;
    recorded reason.audit_event;
    signed bytea := decode(event ->> 'signature', 'base64');
    key bytea;
    event_ts timestamptz := (event #>> '{payload,ts}')::timestamptz;
BEGIN
    IF (event #>> '{payload,id}', event #>> '{payload,division}', event #>> '{payload,eventType}', event #>> '{payload,ts}')
       IS DISTINCT FROM (event ->> 'id', event ->> 'division', kind, event ->> 'ts') OR encode(hashed, 'hex') IS DISTINCT FROM event ->> 'hash' THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = format('event "%s" does not hold together', event ->> 'id'),
            DETAIL = 'Its members must be those of its payload, and hash must be SHA-256(payload || prevHash).';
    END IF;
    -- "*" stands for all divisions, and is none.
    PERFORM reason.check_division(CASE event ->> 'division' WHEN '*' THEN '' ELSE event ->> 'division' END);
    PERFORM reason.lock_until_commit('replay');
    SELECT * INTO head FROM reason.audit_seal s WHERE s.division = event ->> 'division' ORDER BY s.division DESC, s.seq DESC LIMIT 1;
    IF (event ->> 'seq')::bigint <= head.seq THEN
        -- Given again; it must be the same.
        IF NOT EXISTS (SELECT FROM reason.audit_seal s WHERE s.division = event ->> 'division' AND s.seq = (event ->> 'seq')::bigint AND s.hash = hashed) THEN
            RAISE EXCEPTION USING ERRCODE = 'unique_violation',
                MESSAGE = format('event %s of division "%s" is another one here', event ->> 'seq', event ->> 'division');
        END IF;
        IF EXISTS (SELECT FROM reason.audit_signature g WHERE g.division = event ->> 'division' AND g.seq = (event ->> 'seq')::bigint) THEN
            RETURN false;
        END IF;
        is_sealed := true;
    END IF;
    IF head.seq IS NULL AND (event ->> 'seq')::bigint <> 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('event %s of division "%s" does not follow the last one here: event 0, the beginning, is missing', event ->> 'seq', event ->> 'division'),
            HINT = 'Replay the events of a division in the order of seq.';
    END IF;
    IF NOT is_sealed AND ((event ->> 'seq')::bigint <> coalesce(head.seq + 1, 0) OR prev IS DISTINCT FROM head.hash) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('event %s of division "%s" does not follow the last one here', event ->> 'seq', event ->> 'division'),
            HINT = 'Replay the events of a division in the order of seq.';
    END IF;
    -- Whoever signs goes on behind the last signature, and would never come back to a gap.
    IF (event ->> 'seq')::bigint > 0
       AND NOT EXISTS (SELECT FROM reason.audit_signature g WHERE g.division = event ->> 'division' AND g.seq = (event ->> 'seq')::bigint - 1) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('event %s of division "%s" follows one that is sealed here and not signed', event ->> 'seq', event ->> 'division'),
            HINT = 'Replay the events of a division in the order of seq, those that wait here for their signature too.';
    END IF;
    -- What is signed by a key that the chain itself has yet to name is checked when it does.
    key := reason.replay_key(event, registry);
    IF reason.ed25519_verify(key, hashed, signed) IS NOT TRUE AND key IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('the signature of event %s of division "%s" is not that of signer "%s"', event ->> 'seq', event ->> 'division', event ->> 'signerId'),
            DETAIL = 'The chain was altered from here on, or another key has this name.';
    END IF;
    -- Sealed before a restore's target, and signed after it: the signature alone is missing.
    IF is_sealed THEN
        INSERT INTO reason.audit_signature (division, seq, signer_id, signature)
        VALUES (event ->> 'division', (event ->> 'seq')::bigint, event ->> 'signerId', signed)
        ON CONFLICT ON CONSTRAINT audit_signature_pkey DO NOTHING;
        RETURN FOUND;
    END IF;
    PERFORM reason.refuse_unknown_event(event);
    IF event ->> 'division' <> 'system' AND reason.is_system_event(kind) THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
            MESSAGE = format('event %s of division "%s" is of type "%s", which division "system" alone may hold', event ->> 'seq', event ->> 'division', kind),
            DETAIL = 'Nobody was asked for approvals of it.',
            HINT = 'The event was not written by the database''s functions. See the section on approvals in the documentation for auditors.';
    END IF;

    -- Written before a restore's target, and sealed after it: the event and what it recorded are here, its place is not.
    SELECT * INTO unsealed FROM reason.audit_event e WHERE e.id = (event ->> 'id')::uuid AND e.division = event ->> 'division';
    PERFORM pg_current_xact_id();
    event_no := coalesce(unsealed.no, nextval('reason.record_no'));
    IF reason.event_payload(unsealed)::text <> canonical THEN
        RAISE EXCEPTION USING ERRCODE = 'unique_violation', MESSAGE = format('event "%s" is another one here', event ->> 'id');
    END IF;
    INSERT INTO reason.audit_seal (division, seq, event_no, hash, created_at)
    VALUES (event ->> 'division', (event ->> 'seq')::bigint, event_no, hashed, greatest(event_ts, head.created_at + interval '1 microsecond'));
    INSERT INTO reason.audit_signature (division, seq, signer_id, signature)
    VALUES (event ->> 'division', (event ->> 'seq')::bigint, event ->> 'signerId', signed);
    IF unsealed.no IS NOT NULL THEN
        RETURN true;
    END IF;
    recorded := (event_no, (event ->> 'id')::uuid, event ->> 'division', kind, event_ts, canonical::json);
    -- What is stored of the event of a record rests on the record's row, which comes first.
    IF kind NOT IN ('node.created', 'edge.created', 'annotation.created') THEN
        INSERT INTO reason.audit_event VALUES (recorded.*);
    END IF;

    IF event ->> 'division' = 'system' THEN
        PERFORM reason.refuse_unapproved_event(canonical::jsonb, (event ->> 'seq')::bigint);
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
        WHEN 'payload.erased' THEN
            UPDATE reason.node n SET payload = NULL, salt = NULL
            WHERE canonical::json #>> '{erased,kind}' = 'node' AND n.id::text = canonical::json #>> '{erased,id}' AND n.division = event ->> 'division' AND n.salt IS NOT NULL;
            UPDATE reason.annotation a SET payload = NULL, salt = NULL
            WHERE canonical::json #>> '{erased,kind}' = 'annotation' AND a.id::text = canonical::json #>> '{erased,id}' AND a.division = event ->> 'division' AND a.salt IS NOT NULL;
            PERFORM reason.replay_erased_documents(canonical::json -> 'erased', event ->> 'division', (event ->> 'id')::uuid);
        WHEN 'snapshot.completed', 'snapshot.failed' THEN
            PERFORM reason.replay_snapshot(canonical::json -> 'snapshot', event ->> 'division', (event ->> 'id')::uuid);
        WHEN 'policy.denied', 'log.heads', 'snapshot.imported', 'safemode.entered', 'safemode.left' THEN
            NULL;
        WHEN 'safemode.accepted' THEN
            -- Nothing but that a proposal was executed, if one was.
            PERFORM reason.replay_rules(canonical::json);
        ELSE
            IF reason.replay_rules(canonical::json) = 0 THEN
                RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
                    MESSAGE = format('cannot replay event %s of division "%s": nothing is known to come of type "%s"', event ->> 'seq', event ->> 'division', kind);
            END IF;
    END CASE;
    IF kind IN ('node.created', 'edge.created', 'annotation.created') THEN
        recorded.payload := reason.stored_payload(recorded);
        INSERT INTO reason.audit_event VALUES (recorded.*);
    END IF;
    IF kind IN ('node.created', 'edge.created', 'annotation.created') AND canonical::json #>> '{policy,decision}' = 'quarantine' THEN
        INSERT INTO reason.quarantine (division, record_no, kind, record_id, policy_check_id)
        VALUES (event ->> 'division', event_no, split_part(kind, '.', 1), (record ->> 'id')::uuid,
            (canonical::json #>> '{policy,policyCheckId}')::uuid);
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION reason.replay(json, json) IS
    'Rebuilds a database from its chain, event by event, in the form of Kafka and of the archive (id, eventType, payload, content, prevHash, hash, signature, signerId, ts, division, seq): the event with its seal and signature, and what it recorded; or its signature alone, where the event is sealed here and was not signed yet. False when the event is there already, signed. An event whose hash or signature does not verify is refused, one of a rule outside of division system, and one of a type or with a member that is not known (0A000); keys are those of registry (what signer_registry() gives), or else those that division system has named so far. Run verify_audit() afterwards: it also says which signatures do not count, as their key was revoked.';
