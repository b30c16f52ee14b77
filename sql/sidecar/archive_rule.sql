-- How long a division's segments are locked in the object store, and whether they are under legal hold.
--
-- A rule is for the segments to come and for those that are there: the sidecar changes these afterwards. It never
-- shortens a lock.

CREATE TABLE reason.archive_rule (
    division    text    NOT NULL,
    retain_days integer NOT NULL,
    legal_hold  boolean NOT NULL DEFAULT false,
    CONSTRAINT archive_rule_pkey PRIMARY KEY (division),
    CONSTRAINT archive_rule_days_check CHECK (retain_days BETWEEN 1 AND 36500)
);
COMMENT ON TABLE reason.archive_rule IS 'Retention and legal hold of a division''s segments; divisions without a rule follow the sidecar''s configuration. Changes are events of division system.';

CREATE TABLE reason.archive_rule_applied (
    target      text    NOT NULL,
    division    text    NOT NULL,
    retain_days integer NOT NULL,
    legal_hold  boolean NOT NULL,
    CONSTRAINT archive_rule_applied_pkey PRIMARY KEY (target, division)
);
COMMENT ON TABLE reason.archive_rule_applied IS 'The rule that all stored segments of a division in a target were last found to follow. Losing a row costs looking at them once more.';

CREATE FUNCTION reason.present_archive_rule(division text) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$ SELECT jsonb_build_object('retainDays', r.retain_days, 'legalHold', r.legal_hold) FROM reason.archive_rule r WHERE r.division = $1 $$;
COMMENT ON FUNCTION reason.present_archive_rule(text) IS 'The rule that a division has, in the form of change_kind(); NULL: none.';

CREATE FUNCTION reason.set_archive_rule(division text, retain_days integer, legal_hold boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    PERFORM reason.check_division($1);
    -- One after the other, so that each is compared with the rule that it changes.
    LOCK TABLE reason.archive_rule IN SHARE ROW EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM reason.archive_rule r WHERE (r.division, r.retain_days, r.legal_hold) = ($1, $2, $3)) THEN
        RETURN;
    END IF;
    PERFORM reason.append_change('archiveRule.changed', jsonb_build_object(
        'archiveRule', jsonb_build_object('division', $1, 'retainDays', $2, 'legalHold', $3), 'request', reason.sql_request()::jsonb));
    INSERT INTO reason.archive_rule AS r (division, retain_days, legal_hold) VALUES ($1, $2, $3)
    ON CONFLICT ON CONSTRAINT archive_rule_pkey DO UPDATE SET retain_days = excluded.retain_days, legal_hold = excluded.legal_hold;
END
$$;
COMMENT ON FUNCTION reason.set_archive_rule(text, integer, boolean) IS
    'How long the segments of a division are locked in the object store from when they were stored, and whether they are under legal hold: those to come, and those that are there. A lock is never shortened.';

CREATE FUNCTION reason.archive_protection(division text, stored_at timestamptz, OUT retain_until timestamptz, OUT legal_hold boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    SELECT $2 + make_interval(days => r.retain_days), r.legal_hold INTO retain_until, legal_hold
    FROM reason.archive_rule r WHERE r.division = $1;
    legal_hold := coalesce(legal_hold, false);
END
$$;
COMMENT ON FUNCTION reason.archive_protection(text, timestamptz) IS
    'Until when a segment that was stored then is locked by its division''s rule (NULL: there is none), and whether it is under legal hold.';

CREATE FUNCTION reason.segments_to_protect(lease_token bigint, target text, max integer DEFAULT 100)
RETURNS TABLE (division text, first_seq bigint, object_prefix text, object_version text, retain_until timestamptz, legal_hold boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 100
SET search_path = pg_catalog, reason, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    rule reason.archive_rule;
BEGIN
    PERFORM reason.check_lease('archive', lease_token);
    FOR rule IN
        SELECT r.* FROM reason.archive_rule r
        LEFT JOIN reason.archive_rule_applied p ON p.target = $2 AND p.division = r.division
        WHERE (p.retain_days, p.legal_hold) IS DISTINCT FROM (r.retain_days, r.legal_hold)
        ORDER BY r.division
    LOOP
        -- An object locked a little shorter is not worth a request: retention counts days.
        RETURN QUERY
        SELECT a.division, a.first_seq, a.object_prefix, a.object_version,
               CASE WHEN w.short THEN w.until END, CASE WHEN a.legal_hold IS DISTINCT FROM w.legal_hold THEN w.legal_hold END
        FROM reason.archive_segment a,
             LATERAL (SELECT p.retain_until AS until, p.legal_hold,
                             coalesce(a.retain_until + interval '1 hour' < p.retain_until, true) AS short
                      FROM reason.archive_protection(a.division, a.archived_at) p) w
        WHERE a.target = $2 AND a.division = rule.division AND a.archived_at IS NOT NULL AND (w.short OR a.legal_hold IS DISTINCT FROM w.legal_hold)
        ORDER BY a.first_seq
        LIMIT $3;
        IF FOUND THEN
            RETURN;
        END IF;
        INSERT INTO reason.archive_rule_applied AS p (target, division, retain_days, legal_hold)
        VALUES ($2, rule.division, rule.retain_days, rule.legal_hold)
        ON CONFLICT ON CONSTRAINT archive_rule_applied_pkey DO UPDATE SET retain_days = excluded.retain_days, legal_hold = excluded.legal_hold;
    END LOOP;
END
$$;
COMMENT ON FUNCTION reason.segments_to_protect(bigint, text, integer) IS
    'Stored segments that do not follow their division''s rule: until when the object is to be locked (NULL: long enough), and whether to be under legal hold (NULL: as it is).';

CREATE FUNCTION reason.record_protected(lease_token bigint, target text, division text, first_seq bigint,
    retain_until timestamptz, legal_hold boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    PERFORM reason.check_lease('archive', lease_token);
    UPDATE reason.archive_segment a SET retain_until = coalesce($5, a.retain_until), legal_hold = coalesce($6, a.legal_hold)
    WHERE a.target = $2 AND a.division = $3 AND a.first_seq = $4;
END
$$;
COMMENT ON FUNCTION reason.record_protected(bigint, text, text, bigint, timestamptz, boolean) IS 'A stored segment''s object is now locked until then, or under legal hold or no more; NULL: as before.';
