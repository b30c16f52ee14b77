-- Changing the catalogue of personal data. Changes are events of division system.

CREATE FUNCTION reason.set_pii_rule(name text, category text DEFAULT NULL, member text DEFAULT NULL, pattern text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM reason.pii_rule r WHERE r.name = $1 AND r.builtin) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('rule "%s" comes with the extension', $1),
            HINT = 'Add a rule of another name.';
    END IF;
    -- An expression that does not compile is refused here, not at somebody's read.
    PERFORM '' ~ coalesce($3, $4, '');
    IF $3 IS NULL AND $4 IS NULL THEN
        DELETE FROM reason.pii_rule r WHERE r.name = $1;
    ELSE
        INSERT INTO reason.pii_rule AS r (name, category, member, pattern) VALUES ($1, $2, $3, $4)
        ON CONFLICT ON CONSTRAINT pii_rule_pkey DO UPDATE
            SET category = excluded.category, member = excluded.member, pattern = excluded.pattern
            WHERE (r.category, r.member, r.pattern) IS DISTINCT FROM (excluded.category, excluded.member, excluded.pattern);
    END IF;
    IF FOUND THEN
        PERFORM reason.append_event('system', 'piiRule.changed', jsonb_build_object(
            'piiRule', jsonb_build_object('name', $1, 'category', $2, 'member', $3, 'pattern', $4), 'request', reason.sql_request()::jsonb));
    END IF;
END
$$;
COMMENT ON FUNCTION reason.set_pii_rule(text, text, text, text) IS
    'Adds or changes a rule for personal data: a regular expression for names of members, or a pattern within strings. Neither: the rule is removed. Those that come with the extension stay as they are.';
