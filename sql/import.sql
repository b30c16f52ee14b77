-- A graph to read from one snapshot alone, where nothing else is left.
--
-- What a snapshot holds without the chain around it: records, their digests, a signature over all of them. Not the salts of
-- redacted contents, not the events. So nothing is passed off as what it was: the records are written anew, as records of this
-- database, into a division of their own whose name says so, and each carries in metadata.imported where it came from.

CREATE FUNCTION reason.registry_fault(registry json, signer_id text, signature bytea, hash text, signed_after timestamptz) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    entries bigint;
    entry json;
    validity text;
BEGIN
    IF json_typeof($1 -> 'signers') IS DISTINCT FROM 'array' THEN
        RETURN 'the registry of signers has no array "signers"';
    END IF;
    SELECT count(*), min(r::text)::json INTO entries, entry FROM json_array_elements($1 -> 'signers') r WHERE r ->> 'signerId' = $2;
    IF entries <> 1 THEN
        RETURN format('the registry has %s entries of signer "%s"', entries, $2);
    END IF;
    -- Nothing shows when a document by itself was signed, so the signature of a revoked key does not count
    -- here.
    validity := reason.key_validity((entry ->> 'validFrom')::timestamptz, (entry ->> 'validTo')::timestamptz, entry ->> 'status' = 'revoked',
        (entry ->> 'validTo')::timestamptz, $5, clock_timestamp(), false, coalesce(entry ->> 'purpose', 'events') <> 'events');
    RETURN CASE
        WHEN reason.ed25519_verify(reason.public_key(entry ->> 'publicKey'), decode($4, 'hex'), $3) IS NOT TRUE
            THEN format('the signature is not that of signer "%s" over the hash', $2)
        WHEN validity NOT IN ('counts', 'counted then') THEN format('by the registry the key of signer "%s" does not count: %s', $2, validity) END;
END
$$;
COMMENT ON FUNCTION reason.registry_fault(json, text, bytea, text, timestamptz) IS
    'Why a signature over a hash, made at some time since, does not count by a registry of signers (what signer_registry() gave); NULL: it does.';

CREATE FUNCTION reason.import_mark(record json, source jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT coalesce(($1 -> 'metadata')::jsonb, '{}') || jsonb_build_object('imported', $2 || jsonb_strip_nulls(jsonb_build_object(
        'division', $1 -> 'division', 'digest', $1 -> 'digest', 'createdAt', $1 -> 'createdAt', 'payloadHash', $1 -> 'payloadHash',
        'redacted', $1 -> 'redacted', 'erased', $1 -> 'erased',
        -- A redacted reference cannot be fetched by: it is kept here only.
        'payloadRef', CASE WHEN $1 ->> 'redacted' = 'true' THEN $1 -> 'payloadRef' END,
        -- A record that had been imported there already keeps that mark, too.
        'imported', $1 #> '{metadata,imported}')))
$$;
COMMENT ON FUNCTION reason.import_mark(json, jsonb) IS 'The metadata of an imported record: what it had, and under "imported" where it comes from and what it was there.';

CREATE FUNCTION reason.import_nodes(nodes json, p_division text, source jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    batch text;
BEGIN
    -- In the order in which they were recorded, which siblings keep in a trace.
    FOR batch IN
        SELECT jsonb_build_object('nodes', jsonb_agg(x.node ORDER BY x.place))::text
        FROM (SELECT row_number() OVER (ORDER BY n ->> 'createdAt', n ->> 'id') AS place,
                     jsonb_strip_nulls(jsonb_build_object('id', n -> 'id', 'type', n -> 'type', 'author', n -> 'author', 'division', $2, 'ts', n -> 'ts',
                         'version', n -> 'version', 'manifestSignatureId', n -> 'manifestSignatureId'))
                     || CASE WHEN n ->> 'redacted' = 'true' OR n -> 'payloadRef' IS NULL THEN '{}' ELSE jsonb_build_object('payloadRef', n -> 'payloadRef') END
                     || jsonb_build_object('payload', n -> 'payload', 'metadata', reason.import_mark(n, $3)) AS node
              FROM json_array_elements($1) n) x
        GROUP BY (x.place - 1) / 100 ORDER BY (x.place - 1) / 100
    LOOP
        PERFORM count(*) FROM reason.insert_nodes(batch, false, ARRAY[$2], reason.sql_request());
    END LOOP;
END
$$;
COMMENT ON FUNCTION reason.import_nodes(json, text, jsonb) IS 'For import_snapshot(): writes the nodes of a document.';

CREATE FUNCTION reason.import_edges(edges json, p_division text, source jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    batch text;
BEGIN
    FOR batch IN
        SELECT jsonb_build_object('edges', jsonb_agg(x.edge ORDER BY x.place))::text
        FROM (SELECT row_number() OVER (ORDER BY e ->> 'createdAt', e ->> 'id') AS place,
                     jsonb_build_object('id', e -> 'id', 'from', e -> 'from', 'to', e -> 'to', 'type', e -> 'type', 'weight', e -> 'weight', 'division', $2,
                         'metadata', reason.import_mark(e, $3)) AS edge
              FROM json_array_elements($1) e) x
        GROUP BY (x.place - 1) / 1000 ORDER BY (x.place - 1) / 1000
    LOOP
        PERFORM count(*) FROM reason.insert_edges(batch, false, ARRAY[$2], reason.sql_request());
    END LOOP;
END
$$;
COMMENT ON FUNCTION reason.import_edges(json, text, jsonb) IS 'For import_snapshot(): writes the edges of a document, once its nodes are there.';

CREATE FUNCTION reason.import_annotations(annotations json, p_division text, source jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    a json;
BEGIN
    FOR a IN SELECT x FROM json_array_elements($1) x ORDER BY x ->> 'createdAt', x ->> 'id' LOOP
        PERFORM count(*) FROM reason.insert_annotation(jsonb_build_object('id', a -> 'id', 'type', a -> 'type', 'author', a -> 'author', 'division', $2,
            'payload', a -> 'payload', 'metadata', reason.import_mark(a, $3))::text, (a ->> 'target')::uuid, ARRAY[$2], reason.sql_request());
    END LOOP;
END
$$;
COMMENT ON FUNCTION reason.import_annotations(json, text, jsonb) IS 'For import_snapshot(): writes the annotations of a document, once its nodes are there.';

CREATE FUNCTION reason.import_snapshot(document text, signature text, signer_id text, registry json DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET "TimeZone" = 'UTC'
AS $$
DECLARE
    d record;
    given bytea;
    fault text;
    imported_into text;
    source jsonb;
BEGIN
    PERFORM reason.refuse_in_safe_mode(reason.safe_mode_fault());
    SELECT * INTO d FROM reason.check_document(NULL, NULL, $1, NULL);
    IF d.form_fault IS NOT NULL OR d.header IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = format('the document is no snapshot: %s', coalesce(d.form_fault, 'its form is not known')),
            HINT = 'Give the object as the store holds it, byte for byte.';
    END IF;
    given := decode($2, 'base64');
    IF $4 IS NULL THEN
        SELECT s.fault INTO fault FROM reason.signature_fault($3, given, d.hash, (d.header ->> 'created_at')::timestamptz, clock_timestamp(), false) s;
    ELSE
        fault := reason.registry_fault($4, $3, given, d.hash, (d.header ->> 'created_at')::timestamptz);
    END IF;
    IF fault IS NOT NULL OR $3 IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = format('cannot import snapshot "%s": %s', d.header ->> 'id', coalesce(fault, 'no signer is named')),
            HINT = 'Which keys count says the registry of signers that was kept outside: give it as registry.';
    END IF;

    imported_into := format('imported-%s', d.header ->> 'id');
    PERFORM reason.lock_until_commit(imported_into);
    IF EXISTS (SELECT FROM reason.audit_event e WHERE e.division = imported_into) OR EXISTS (SELECT FROM reason.node n WHERE n.division = imported_into) THEN
        RAISE EXCEPTION USING ERRCODE = 'unique_violation', MESSAGE = format('division "%s" is there already', imported_into),
            HINT = 'The snapshot was imported before, or somebody has written into a division of that name.';
    END IF;
    source := jsonb_build_object('snapshot', d.header -> 'id', 'hash', d.hash, 'signerId', $3)
        -- Payloads may be redacted then, and only the header of the document says so.
        || CASE WHEN d.header #>> '{payload,pii_included}' = 'true' THEN '{}' ELSE '{"piiIncluded": false}' END::jsonb;
    PERFORM reason.append_event(imported_into, 'snapshot.imported', jsonb_build_object('request', reason.sql_request(), 'imported', source || jsonb_build_object(
        'signature', translate(encode(given, 'base64'), E'\n', ''), 'createdAt', d.header -> 'created_at', 'rootIds', d.header -> 'root_ids',
        'registry', CASE WHEN $4 IS NULL THEN 'own' ELSE 'given' END, 'nodes', d.node_count, 'edges', d.edge_count,
        'annotations', coalesce(json_array_length($1::json #> '{payload,annotations}'), 0),
        'frontier', coalesce(json_array_length($1::json #> '{payload,frontier}'), 0), 'piiIncluded', d.header #> '{payload,pii_included}')));
    PERFORM reason.import_nodes($1::json #> '{payload,nodes}', imported_into, source);
    PERFORM reason.import_edges($1::json #> '{payload,edges}', imported_into, source);
    IF $1::json #> '{payload,annotations}' IS NOT NULL THEN
        PERFORM reason.import_annotations($1::json #> '{payload,annotations}', imported_into, source);
    END IF;
    RETURN imported_into;
END
$$;
COMMENT ON FUNCTION reason.import_snapshot(text, text, text, json) IS
    'Makes a graph to read from one snapshot alone: its document as the store holds it, its signature (base64), its signer, and the registry by which that key counts (what signer_registry() gave; NULL: the signers registered here). Returns the division, "imported-" and the snapshot''s id, which must not be there yet. The records are new ones with the ids, authors and contents of the document; metadata.imported of each says what it was, and event snapshot.imported what was imported. No policy is asked.';
