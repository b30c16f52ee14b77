-- Whether a signature counts, by when its key was valid and revoked. The rule stands in extension/core/key_validity.h,
-- which verify_audit() and reason-verify follow, too.

CREATE FUNCTION reason.key_validity(valid_from timestamptz, valid_to timestamptz, revoked boolean, revoked_at timestamptz,
    earliest timestamptz, latest timestamptz, vouched boolean, other_purpose boolean DEFAULT false) RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_key_validity';
COMMENT ON FUNCTION reason.key_validity(timestamptz, timestamptz, boolean, timestamptz, timestamptz, timestamptz, boolean, boolean) IS
    'Whether a signature that was made between two times counts: "counts", "counted then" (its key was revoked since), "not valid yet", "no longer valid", "revoked" or "other purpose" (the key is registered for something else than what it signed). vouched: somebody vouches that what is signed was there at the earliest time; otherwise a revoked key''s signature is taken for as late as can be. NULL: no bound; revoked without a time: it never counts.';
