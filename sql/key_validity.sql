-- Whether a signature counts, by when its key was valid and revoked. The rule stands in extension/core/key_validity.h,
-- which verify_audit() and reason-verify follow, too.

CREATE FUNCTION reason.key_validity(valid_from timestamptz, valid_to timestamptz, revoked boolean, revoked_at timestamptz,
    earliest timestamptz, latest timestamptz, vouched boolean, other_purpose boolean DEFAULT false) RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_key_validity';
COMMENT ON FUNCTION reason.key_validity(timestamptz, timestamptz, boolean, timestamptz, timestamptz, timestamptz, boolean, boolean) IS
    'Whether a signature that was made between two times counts: "counts", "counted then" (its key was revoked since), "not valid yet", "no longer valid", "revoked" or "other purpose" (the key is registered for something else than what it signed). vouched: somebody vouches that what is signed was there at the earliest time; otherwise a revoked key''s signature is taken for as late as can be. NULL: no bound; revoked without a time: it never counts.';

CREATE FUNCTION reason.signature_fault(p_signer_id text, p_signature bytea, p_hash text, earliest timestamptz, latest timestamptz, vouched boolean,
    OUT fault text, OUT status text, OUT remark text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    s reason.signer;
    validity text;
BEGIN
    SELECT * INTO s FROM reason.signer WHERE signer_id = p_signer_id;
    IF NOT FOUND THEN
        fault := format('signer "%s" is not registered', p_signer_id);
        RETURN;
    END IF;
    status := s.status;
    validity := reason.key_validity(s.valid_from, s.valid_to, s.status = 'revoked' OR s.revoked_at IS NOT NULL, s.revoked_at, earliest, latest, vouched,
        s.purpose <> 'events');
    fault := CASE
        WHEN p_hash !~ '^[0-9a-f]{64}$' THEN 'the hash is none that SHA-256 gives'
        WHEN reason.ed25519_verify(s.public_key, decode(p_hash, 'hex'), p_signature) IS NOT TRUE
            THEN format('the signature is not that of signer "%s" over the hash', p_signer_id)
        WHEN validity = 'other purpose' THEN format('signer "%s" is registered for %s, and signs no snapshots', p_signer_id, s.purpose)
        WHEN validity = 'not valid yet' THEN format('signer "%s" was not valid before %s', p_signer_id, reason.rfc3339(s.valid_from))
        WHEN validity = 'no longer valid' THEN format('signer "%s" was valid only to %s', p_signer_id, reason.rfc3339(s.valid_to))
        WHEN validity = 'revoked' THEN format('signer "%s" was revoked as of %s, before it signed: %s', p_signer_id,
            reason.rfc3339(s.revoked_at), s.revocation_reason)
        END;
    IF fault IS NULL AND validity = 'counted then' THEN
        remark := format('signer "%s" was revoked as of %s, after it signed: %s', p_signer_id, reason.rfc3339(s.revoked_at), s.revocation_reason);
    END IF;
END
$$;
COMMENT ON FUNCTION reason.signature_fault(text, bytea, text, timestamptz, timestamptz, boolean) IS
    'Why a signature made between two times does not count (NULL: it does; key_validity() has the rule), the signer''s status, and what should be known all the same.';
