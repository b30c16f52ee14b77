-- Canonical JSON (RFC 8785) and digests over it.

CREATE FUNCTION reason.canonical_json(json) RETURNS text
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'reason_canonical_json';
COMMENT ON FUNCTION reason.canonical_json(json) IS
    'The canonical form of a JSON text by RFC 8785. Refuses what I-JSON refuses (duplicate names, lone surrogates, NUL, numbers beyond a double) with JSON Pointer and byte offset.';

CREATE FUNCTION reason.canonical_json(jsonb) RETURNS text
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'reason_canonical_jsonb';
COMMENT ON FUNCTION reason.canonical_json(jsonb) IS
    'The canonical form by RFC 8785: the same bytes as canonical_json(json) gives for the same value.';

CREATE FUNCTION reason.digest(jsonb) RETURNS bytea
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'reason_digest_jsonb';
COMMENT ON FUNCTION reason.digest(jsonb) IS 'SHA-256 (32 bytes) of canonical_json(jsonb).';
