-- What witnesses are asked to cosign. The sidecar asks them; no backend waits for anybody outside.

CREATE FUNCTION reason.checkpoints_to_cosign(witness_vkey text, divisions text[] DEFAULT NULL)
RETURNS TABLE (division text, origin text, size bigint, note text, cosigned bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    key record;
BEGIN
    SELECT * INTO key FROM reason.log_key($1);
    RETURN QUERY
    SELECT h.division, h.origin, g.size, g.note, coalesce(w.size, 0::bigint)
    FROM reason.log_heads() h
    JOIN LATERAL (SELECT x.size, x.note FROM reason.audit_checkpoint_signature x
                  WHERE x.division = h.division AND x.origin = h.origin ORDER BY x.size DESC, x.signer_id LIMIT 1) g ON true
    LEFT JOIN LATERAL (SELECT c.size FROM reason.audit_cosignature c
                       WHERE c.division = h.division AND c.origin = h.origin AND c.witness = key.name AND c.key_id = key.key_id
                       ORDER BY c.size DESC LIMIT 1) w ON true
    WHERE (w.size IS NULL OR w.size < g.size) AND ($2 IS NULL OR h.division = ANY ($2))
    ORDER BY h.division;
END
$$;
COMMENT ON FUNCTION reason.checkpoints_to_cosign(text, text[]) IS
    'The last signed checkpoint of each log (default: of all divisions) that this witness has not cosigned, and the size of the last one that it did, 0 for none.';

CREATE FUNCTION reason.cosigned_checkpoints(division text, most integer DEFAULT 20, configured text[] DEFAULT '{}')
RETURNS TABLE (size bigint, note text)
LANGUAGE sql STABLE STRICT SECURITY DEFINER ROWS 20
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
AS $$
    SELECT g.size,
           g.note || coalesce((SELECT string_agg(reason.cosignature_line(w.witness, w.key_id, w.timestamp, w.signature), '' ORDER BY w.witness, w.key_id)
                               FROM (SELECT * FROM reason.audit_cosignature w WHERE w.division = $1 AND w.origin = g.origin AND w.size = g.size
                                     ORDER BY reason.witness_counts(w.witness, w.vkey, $3) DESC, w.witness, w.key_id LIMIT 99) w), '')
    FROM reason.log_identity() i,
         LATERAL (SELECT x.origin, x.size, x.note FROM reason.audit_checkpoint_signature x
                  WHERE x.division = $1 AND x.origin = reason.log_origin_of(i.prefix, $1, i.epoch)
                  ORDER BY x.size DESC, x.signer_id LIMIT $2) g
    ORDER BY g.size DESC
$$;
COMMENT ON FUNCTION reason.cosigned_checkpoints(text, integer, text[]) IS
    'The last checkpoints of a division''s log under its present name, newest first, each as a signed note with the cosignatures that it has by now: 99 at most, of witnesses that count first (configured: their verifier keys).';
