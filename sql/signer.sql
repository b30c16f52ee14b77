-- Signers: the public keys whose signatures count.
--
-- A key is never removed, so that what it signed stays verifiable. Each change is an event of
-- division system, so that the chain tells which key counted when; a row that is edited behind
-- the extension's back no longer agrees with its events.

CREATE FUNCTION reason.public_key(key text) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_public_key';
COMMENT ON FUNCTION reason.public_key(text) IS 'The 32 bytes of an Ed25519 public key from PEM, base64 of the SubjectPublicKeyInfo, or the raw key in base64 or hexadecimal.';

CREATE FUNCTION reason.ed25519_verify(public_key bytea, message bytea, signature bytea) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'reason_ed25519_verify';
COMMENT ON FUNCTION reason.ed25519_verify(bytea, bytea, bytea) IS 'Whether the signature is the key''s over the message (RFC 8032).';

CREATE FUNCTION reason.public_key_spki(public_key bytea) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT pg_catalog.encode(pg_catalog.decode('302a300506032b6570032100', 'hex') || $1, 'base64') $$;
COMMENT ON FUNCTION reason.public_key_spki(bytea) IS 'Base64 of the SubjectPublicKeyInfo (RFC 8410) of a raw Ed25519 public key.';

CREATE FUNCTION reason.signer_event(event_type text, s reason.signer) RETURNS uuid
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT reason.append_change($1, jsonb_build_object(
        'signer', jsonb_build_object('signerId', $2.signer_id, 'algorithm', $2.algorithm,
            'publicKey', reason.public_key_spki($2.public_key), 'status', $2.status,
            'validFrom', reason.recorded_time($2.valid_from), 'validTo', reason.recorded_time($2.valid_to),
            'revokedAt', reason.recorded_time($2.revoked_at), 'revocationReason', $2.revocation_reason, 'purpose', $2.purpose),
        'request', reason.sql_request()::jsonb))
$$;
COMMENT ON FUNCTION reason.signer_event(text, reason.signer) IS 'Records a signer as it is from now on.';

CREATE FUNCTION reason.refuse_key_of_approver(signer_id text, public_key text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM reason.approver a WHERE a.public_key = reason.public_key_spki(reason.public_key($2))) THEN
        RAISE EXCEPTION USING ERRCODE = 'unique_violation', MESSAGE = format('the key of signer "%s" is that of an approver', $1),
            HINT = 'An approver''s key is kept off the machines of the service: make one of its own for the signer.';
    END IF;
END
$$;
COMMENT ON FUNCTION reason.refuse_key_of_approver(text, text) IS 'For add_signer(): raises 23505 for a key that approves.';

CREATE FUNCTION reason.add_signer(signer_id text, public_key text, valid_from timestamptz DEFAULT NULL,
    valid_to timestamptz DEFAULT NULL, purpose text DEFAULT 'events') RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    added reason.signer;
    other reason.signer;
BEGIN
    PERFORM reason.check_signer_id($1), reason.recordable_time($3, 'valid_from'), reason.recordable_time($4, 'valid_to');
    PERFORM reason.refuse_key_of_approver($1, $2);
    INSERT INTO reason.signer AS s (signer_id, public_key, valid_from, valid_to, purpose)
    VALUES ($1, reason.public_key($2), coalesce($3, clock_timestamp()), $4, $5)
    ON CONFLICT DO NOTHING
    RETURNING * INTO added;
    IF added.signer_id IS NULL THEN
        -- Called again with the same key: what is wanted is there already.
        IF EXISTS (SELECT FROM reason.signer s WHERE s.signer_id = $1 AND s.public_key = reason.public_key($2) AND s.purpose = $5 AND s.status = 'active') THEN
            RETURN;
        END IF;
        SELECT s.* INTO other FROM reason.signer s WHERE s.public_key = reason.public_key($2) AND s.signer_id <> $1;
        IF FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'unique_violation', MESSAGE = format('the key of signer "%s" is that of signer "%s" already, which is registered for %s', $1, other.signer_id, other.purpose),
                HINT = 'A key stands under one id and signs one kind of thing, so that it counts nowhere else once it is revoked. Make a key of its own for the new id.';
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'unique_violation', MESSAGE = format('signer "%s" already exists', $1),
            HINT = 'An id stands for one key for ever. Add the new key under a new id.';
    END IF;
    PERFORM reason.signer_event('signer.added', added);
    -- Whoever registered it as an approver's meanwhile has committed before this got its turn: append_change().
    PERFORM reason.refuse_key_of_approver($1, $2);
END
$$;
COMMENT ON FUNCTION reason.add_signer(text, text, timestamptz, timestamptz, text) IS
    'Registers a public key: PEM, base64 of the SubjectPublicKeyInfo, or the raw 32 bytes in base64 or hexadecimal. Valid from now unless told otherwise. purpose: events (and snapshots), checkpoints, or witness; a key has one.';

CREATE FUNCTION reason.change_signer(signer_id text, new_status text, event_type text, at timestamptz, reason text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    changed reason.signer;
BEGIN
    SELECT * INTO changed FROM reason.signer s WHERE s.signer_id = $1 FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('signer "%s" does not exist', $1);
    END IF;
    IF changed.status = new_status OR (changed.status = 'revoked' AND new_status = 'retired') THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('signer "%s" is %s already', $1, changed.status);
    END IF;
    UPDATE reason.signer s SET
        status = new_status,
        valid_to = CASE WHEN new_status = 'retired' THEN least(s.valid_to, greatest(at, s.valid_from)) ELSE s.valid_to END,
        revoked_at = CASE WHEN new_status = 'revoked' THEN at END,
        revocation_reason = CASE WHEN new_status = 'revoked' THEN $5 END
    WHERE s.signer_id = $1
    RETURNING * INTO changed;
    PERFORM reason.signer_event($3, changed);
END
$$;
COMMENT ON FUNCTION reason.change_signer(text, text, text, timestamptz, text) IS 'Moves a signer to another status, with its event.';

CREATE FUNCTION reason.retire_signer(signer_id text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$ SELECT reason.change_signer($1, 'retired', 'signer.retired', clock_timestamp(), NULL) $$;
COMMENT ON FUNCTION reason.retire_signer(text) IS 'The key signs no more; what it signed stays good. For rotation.';

CREATE FUNCTION reason.revoke_signer(signer_id text, reason text, at timestamptz DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF coalesce($2, '') = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a revocation needs a reason';
    END IF;
    IF $3 > clock_timestamp() THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a revocation cannot lie in the future',
            HINT = 'Leave out the time to revoke now; name the time of the compromise if it was earlier.';
    END IF;
    PERFORM reason.recordable_time($3, 'at');
    PERFORM reason.change_signer($1, 'revoked', 'signer.revoked', coalesce($3, clock_timestamp()), $2);
END
$$;
COMMENT ON FUNCTION reason.revoke_signer(text, text, timestamptz) IS
    'The key signs no more, and signatures from `at` on (default now) do not count. Name the time of the compromise if it is known.';

CREATE FUNCTION reason.note_vkey(name text, signature_type integer, public_key bytea) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT $1 || '+' || encode(substr(sha256(convert_to($1 || E'\n', 'UTF8') || t.key), 1, 4), 'hex') || '+' || encode(t.key, 'base64')
    FROM (SELECT set_byte(decode('00', 'hex'), 0, $2) || $3) t (key)
    -- Names of logs and witnesses are of ASCII here. A space or a plus would end them.
    WHERE $1 ~ '^[!-*,-~]+$'
$$;
COMMENT ON FUNCTION reason.note_vkey(text, integer, bytea) IS
    'The verifier key of an Ed25519 key for signed notes (https://c2sp.org/signed-note): the name is a log''s origin and the type 1, or a witness''s and 4. NULL for a name that no key can have.';

CREATE FUNCTION reason.signer_registry() RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT jsonb_build_object('signers', coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('vkey',
            CASE s.purpose WHEN 'witness' THEN reason.note_vkey(s.signer_id, 4, s.public_key) END)) || jsonb_build_object(
        'signerId', s.signer_id, 'algorithm', s.algorithm, 'publicKey', reason.public_key_spki(s.public_key),
        'status', s.status, 'purpose', s.purpose, 'validFrom', reason.rfc3339(s.valid_from),
        -- A revoked key has the first time at which its signatures do not count, others the last at which they do.
        'validTo', reason.rfc3339(CASE s.status WHEN 'revoked' THEN least(s.valid_to + interval '1 microsecond', s.revoked_at)
                                                ELSE s.valid_to END)) ORDER BY s.valid_from, s.signer_id), '[]'))
    FROM reason.signer s
$$;
COMMENT ON FUNCTION reason.signer_registry() IS 'Public keys for verifiers: {"signers": [{signerId, algorithm, publicKey (base64 of the SPKI), status, purpose, validFrom, validTo, and vkey of a witness}]}; for a revoked key validTo is when its signatures ceased to count.';

CREATE FUNCTION reason.signing_key(p_signer_id text, p_purpose text DEFAULT 'events') RETURNS bytea
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    s reason.signer;
BEGIN
    SELECT * INTO s FROM reason.signer WHERE signer_id = p_signer_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('signer "%s" is not registered', p_signer_id),
            HINT = 'Register its public key with reason.add_signer().';
    END IF;
    IF s.status <> 'active' OR clock_timestamp() < s.valid_from OR clock_timestamp() > s.valid_to THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('signer "%s" may not sign', p_signer_id),
            DETAIL = format('It is %s, valid from %s%s.', s.status, reason.rfc3339(s.valid_from), coalesce(' to ' || reason.rfc3339(s.valid_to), ''));
    END IF;
    IF s.purpose <> p_purpose THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('signer "%s" is registered for %s, not for %s', p_signer_id, s.purpose, p_purpose),
            HINT = 'Add another key with reason.add_signer(), for this purpose.';
    END IF;
    RETURN s.public_key;
END
$$;
COMMENT ON FUNCTION reason.signing_key(text, text) IS 'The public key of a signer that may sign now, and for this purpose; else 55000.';

-- ---------------------------------------------------------------- for verify_audit()

CREATE FUNCTION reason.signer_event_fault(event json) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    recorded json := event -> 'signer';
    s reason.signer;
    fault text;
BEGIN
    SELECT * INTO s FROM reason.signer WHERE signer_id = recorded ->> 'signerId';
    IF NOT FOUND THEN
        RETURN format('signer "%s": its row is missing', recorded ->> 'signerId');
    END IF;
    -- The key and its beginning never change; the rest does only in one direction.
    fault := CASE
        WHEN s.algorithm IS DISTINCT FROM recorded ->> 'algorithm' THEN 'algorithm'
        WHEN reason.public_key_spki(s.public_key) IS DISTINCT FROM recorded ->> 'publicKey' THEN 'public_key'
        WHEN s.purpose IS DISTINCT FROM coalesce(recorded ->> 'purpose', 'events') THEN 'purpose'
        WHEN reason.recorded_time(s.valid_from) IS DISTINCT FROM recorded ->> 'validFrom' THEN 'valid_from'
        WHEN s.status = 'active' AND recorded ->> 'status' <> 'active'
          OR s.status = 'retired' AND recorded ->> 'status' = 'revoked' THEN 'status'
        WHEN s.status = recorded ->> 'status' AND reason.recorded_time(s.valid_to) IS DISTINCT FROM recorded ->> 'validTo' THEN 'valid_to'
        WHEN s.status = recorded ->> 'status' AND reason.recorded_time(s.revoked_at) IS DISTINCT FROM recorded ->> 'revokedAt' THEN 'revoked_at'
        WHEN s.status = recorded ->> 'status' AND s.revocation_reason IS DISTINCT FROM recorded ->> 'revocationReason' THEN 'revocation_reason'
        WHEN s.status <> 'active' AND NOT EXISTS (
            SELECT FROM reason.audit_event e
            WHERE e.event_type = 'signer.' || s.status AND e.division = 'system' AND e.payload -> 'signer' ->> 'signerId' = s.signer_id) THEN 'status'
    END;
    RETURN CASE WHEN fault IS NOT NULL THEN format('signer "%s": column %s is not as recorded', s.signer_id, fault) END;
END
$$;
COMMENT ON FUNCTION reason.signer_event_fault(json) IS 'What in a signer''s row does not agree with an event about it; NULL when nothing.';
