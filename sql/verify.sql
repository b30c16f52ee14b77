-- What verification looks at besides the events of a chain: its end, rows that no event records, and the guards
-- themselves; and one call for all of it.

CREATE FUNCTION reason.chain_end(division text, head_seq bigint, OUT fault text, OUT remark text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    -- As readiness() has it: a sidecar that runs seals within milliseconds.
    longest_wait CONSTANT interval := '1 minute';
    waiting bigint;
    oldest timestamptz;
    known_seq bigint;
    halted reason.halted_chain;
BEGIN
    SELECT * INTO halted FROM reason.halted_chain h WHERE h.division = $1;
    IF FOUND THEN
        fault := format('sealing has halted at event %s, since %s): %s',
            CASE WHEN halted.event_id IS NULL THEN format('number %s (its row cannot be read', halted.event_no)
                 ELSE format('"%s" (%s', halted.event_id, halted.event_type) END,
            reason.rfc3339(halted.since), halted.fault);
        RETURN;
    END IF;
    SELECT count(*), min(e.ts) INTO waiting, oldest
    FROM reason.audit_event e
    WHERE e.division = $1 AND e.no > (SELECT reason.sealed_no())
      AND NOT EXISTS (SELECT FROM reason.audit_seal s WHERE s.event_no = e.no AND s.division = e.division OFFSET 0);
    SELECT max(k.seq) INTO known_seq
    FROM (SELECT a.last_seq FROM reason.archive_segment a WHERE a.division = $1 AND a.archived_at IS NOT NULL
          UNION ALL SELECT m.seq FROM reason.emission m WHERE m.division = $1) k (seq);
    IF known_seq > head_seq THEN
        fault := format('event %s of division "%s" was archived or emitted, and the chain %s', known_seq, $1,
                        CASE WHEN head_seq < 0 THEN 'is gone' ELSE format('ends at event %s', head_seq) END);
    ELSIF head_seq < 0 THEN
        fault := CASE WHEN waiting = 0 THEN format('division "%s" has no chain', $1)
                      ELSE format('no event of division "%s" is sealed: %s wait for their place since %s', $1, waiting, reason.rfc3339(oldest)) END;
    ELSIF waiting > 0 THEN
        remark := format('%s events wait for their place in the chain since %s', waiting, reason.rfc3339(oldest));
        IF oldest < clock_timestamp() - longest_wait THEN
            fault := remark || ': nobody seals them';
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION reason.chain_end(text, bigint) IS
    'For verify_audit(): what is wrong behind the last sealed event (-1: there is none) of a division, or should be known. Events may wait for their seal for a minute.';

CREATE FUNCTION reason.stray_fault(division text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT coalesce((SELECT f FROM reason.quarantine_stray_fault($1) f WHERE f IS NOT NULL LIMIT 1),
                    CASE WHEN $1 = 'system' THEN coalesce((SELECT f.detail FROM reason.rule_faults() f LIMIT 1), (SELECT a.detail FROM reason.approval_faults() a LIMIT 1)) END)
$$;
COMMENT ON FUNCTION reason.stray_fault(text) IS 'For verify_audit(): a row of the quarantine, or of a rule where division system is verified, that is not as events say, or a change without the approvals that it needs; NULL when there is none.';

CREATE FUNCTION reason.known_divisions() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET jit = off
AS $$
    SELECT k.division
    FROM (SELECT c.division FROM reason.chain_ends() c
          UNION SELECT e.division FROM reason.audit_event e
          UNION SELECT g.division FROM reason.audit_signature g
          UNION SELECT n.division FROM reason.node n
          UNION SELECT e.division FROM reason.edge e
          UNION SELECT a.division FROM reason.annotation a
          UNION SELECT s.division FROM reason.snapshot s
          UNION SELECT q.division FROM reason.quarantine q
          UNION SELECT a.division FROM reason.archive_segment a WHERE a.archived_at IS NOT NULL
          UNION SELECT m.division FROM reason.emission m
          UNION SELECT t.division FROM reason.audit_subtree t WHERE t.index = 0
          UNION SELECT c.division FROM reason.audit_checkpoint c
          UNION SELECT g.division FROM reason.audit_checkpoint_signature g
          UNION SELECT w.division FROM reason.audit_cosignature w
          UNION SELECT h.division FROM reason.log_head h) k
    WHERE ARRAY[k.division, '*'] && reason.visible_divisions_of(reason.calling_role())
    ORDER BY k.division
$$;
COMMENT ON FUNCTION reason.known_divisions() IS 'Divisions that the caller sees, of which any table knows: one whose chain was removed is known by what is left of it.';

-- ---------------------------------------------------------------- the guards

CREATE FUNCTION reason.privileges_of(acl aclitem[], owner oid, but_for text DEFAULT '') RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT coalesce(string_agg(p.privilege, ', ' ORDER BY p.privilege), 'none')
    FROM (SELECT format('%s to %s%s', a.privilege_type,
                        CASE a.grantee WHEN 0 THEN 'public' ELSE coalesce((SELECT r.rolname FROM pg_roles r WHERE r.oid = a.grantee), a.grantee::text) END,
                        CASE WHEN a.is_grantable THEN ' with grant option' ELSE '' END) AS privilege
          FROM aclexplode($1) a WHERE a.grantee <> $2 AND a.privilege_type <> $3) p
$$;
COMMENT ON FUNCTION reason.privileges_of(aclitem[], oid, text) IS 'Privileges of others than the owner, as text; but_for leaves one kind out.';

CREATE FUNCTION reason.present_guards() RETURNS TABLE (guard text, definition text, printed boolean)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
-- Constants in defaults are printed as these say.
SET intervalstyle = postgres
SET datestyle = 'ISO, MDY'
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = hex
AS $$
    WITH relation AS (SELECT c.* FROM pg_class c WHERE c.relnamespace = 'reason'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S', 'm', 'f')
                      -- The sequence of an administrator's own column is no guard.
                      AND (c.relkind <> 'S' OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))),
         routine AS (SELECT p.* FROM pg_proc p WHERE p.pronamespace = 'reason'::regnamespace AND p.proname <> 'installed_guards'),
         -- What other extensions bring is theirs to answer for.
         foreign_member AS (SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid
                            WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND x.extname <> 'reasoning_graph')
    SELECT format('function reason.%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)),
           md5(concat_ws('|', p.prosrc, p.probin, p.prosecdef, p.provolatile, p.proisstrict, p.prokind, p.proconfig::text,
                         format_type(p.prorettype, NULL), p.proretset, p.proallargtypes::regtype[]::text, p.proargmodes::text, p.proargnames::text, p.pronargdefaults, p.proleakproof, p.proparallel,
                         (SELECT l.lanname FROM pg_language l WHERE l.oid = p.prolang))), false
    FROM routine p
    UNION ALL
    SELECT format('defaults of function reason.%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), md5(pg_get_expr(p.proargdefaults, 0)), true
    FROM routine p WHERE p.proargdefaults IS NOT NULL
    UNION ALL
    -- Functions find operators, casts and functions of pg_catalog by their argument types: one that fits better is taken instead of PostgreSQL's own.
    SELECT format('function pg_catalog.%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), 'not PostgreSQL''s', false
    FROM pg_proc p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.oid >= 16384 AND ('pg_proc'::regclass, p.oid) NOT IN (SELECT * FROM foreign_member)
    UNION ALL
    SELECT format('operator %s.%s(%s, %s)', o.oprnamespace::regnamespace, o.oprname, o.oprleft::regtype, o.oprright::regtype), o.oprcode::oid::regprocedure::text, false
    FROM pg_operator o
    WHERE o.oprnamespace IN ('reason'::regnamespace, 'pg_catalog'::regnamespace) AND o.oid >= 16384
      AND ('pg_operator'::regclass, o.oid) NOT IN (SELECT * FROM foreign_member)
    UNION ALL
    SELECT format('cast from %s to %s', c.castsource::regtype, c.casttarget::regtype), concat_ws('|', c.castfunc::regprocedure, c.castcontext, c.castmethod), false
    FROM pg_cast c JOIN pg_type f ON f.oid = c.castsource JOIN pg_type t ON t.oid = c.casttarget
    WHERE c.oid >= 16384 AND f.typnamespace IN ('reason'::regnamespace, 'pg_catalog'::regnamespace)
      AND t.typnamespace IN ('reason'::regnamespace, 'pg_catalog'::regnamespace) AND ('pg_cast'::regclass, c.oid) NOT IN (SELECT * FROM foreign_member)
    UNION ALL
    SELECT format('type reason.%s', t.typname),
           concat_ws('|', t.typtype, t.typbasetype::regtype, t.typnotnull,
                     (SELECT string_agg(format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
                      FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped),
                     (SELECT string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)), false
    FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typnamespace = 'reason'::regnamespace AND t.typcategory <> 'A' AND coalesce(c.relkind, 'c') = 'c'
    UNION ALL
    SELECT format('sequence reason.%s', c.relname), concat_ws('|', s.seqtypid::regtype, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle), false
    FROM pg_sequence s JOIN relation c ON c.oid = s.seqrelid
    UNION ALL
    SELECT format('privileges of function reason.%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)),
           reason.privileges_of(coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner), false
    FROM routine p
    UNION ALL
    SELECT format('trigger %s of table reason.%s', t.tgname, c.relname),
           concat_ws('|', t.tgtype, t.tgenabled, t.tgfoid::regproc, t.tgattr, t.tgqual IS NULL, nullif(t.tgargs, ''), nullif(c.relhastriggers, true)), false
    FROM pg_trigger t JOIN relation c ON c.oid = t.tgrelid
    -- A trigger of an administrator's own that fires after the row cannot change it.
    WHERE NOT t.tgisinternal AND (t.tgtype & 2 <> 0 OR t.tgfoid IN (SELECT p.oid FROM routine p))
    UNION ALL
    SELECT format('row security of table reason.%s', c.relname), concat_ws('|', c.relrowsecurity, c.relforcerowsecurity), false FROM relation c WHERE c.relkind = 'r'
    UNION ALL
    SELECT format('privileges of reason.%s', c.relname), reason.privileges_of(c.relacl, c.relowner, 'SELECT'), false FROM relation c
    UNION ALL
    SELECT format('privileges of column reason.%s.%s', c.relname, a.attname), reason.privileges_of(a.attacl, c.relowner, 'SELECT'), false
    FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE reason.privileges_of(a.attacl, c.relowner, 'SELECT') <> 'none'
    UNION ALL
    SELECT 'privileges of schema reason', reason.privileges_of(n.nspacl, n.nspowner), false FROM pg_namespace n WHERE n.nspname = 'reason'
    UNION ALL
    SELECT format('policy %s of table reason.%s', p.polname, c.relname), concat_ws('|', p.polpermissive, p.polcmd, p.polroles::text), false
    FROM pg_policy p JOIN relation c ON c.oid = p.polrelid
    UNION ALL
    SELECT format('expression of policy %s of table reason.%s', p.polname, c.relname),
           md5(concat_ws('|', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))), true
    FROM pg_policy p JOIN relation c ON c.oid = p.polrelid
    UNION ALL
    SELECT format('constraint %s of table reason.%s', n.conname, c.relname), concat_ws('|', n.contype, n.convalidated), false
    FROM pg_constraint n JOIN relation c ON c.oid = n.conrelid WHERE n.contype IN ('c', 'p', 'u')
    UNION ALL
    SELECT format('definition of constraint %s of table reason.%s', n.conname, c.relname), md5(pg_get_constraintdef(n.oid)), true
    FROM pg_constraint n JOIN relation c ON c.oid = n.conrelid WHERE n.contype = 'c'
    UNION ALL
    -- What an unlogged table holds is gone after a crash, and an unlogged sequence begins again.
    SELECT format('persistence of %s reason.%s', CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, c.relname), c.relpersistence::text, false
    FROM relation c WHERE c.relkind IN ('r', 'p', 'S')
    UNION ALL
    SELECT format('column %s of table reason.%s', a.attname, c.relname),
           concat_ws('|', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef, a.attidentity, a.attgenerated, a.attcollation::regcollation), false
    FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE c.relkind IN ('r', 'p')
    UNION ALL
    SELECT format('default of column %s of table reason.%s', a.attname, c.relname), md5(pg_get_expr(d.adbin, d.adrelid)), true
    FROM relation c JOIN pg_attrdef d ON d.adrelid = c.oid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.adnum
    UNION ALL
    SELECT format('unique index %s of table reason.%s', i.indexrelid::regclass, c.relname), concat_ws('|', i.indisvalid, i.indisready, i.indimmediate, i.indkey, i.indpred IS NULL), false
    FROM relation c JOIN pg_index i ON i.indrelid = c.oid WHERE i.indisunique
    UNION ALL
    -- Its rows are shown among those of ours.
    SELECT format('table %s that inherits from reason.%s', i.inhrelid::regclass, c.relname), 'inherits', false
    FROM pg_inherits i JOIN relation c ON c.oid = i.inhparent
    UNION ALL
    SELECT format('options of view reason.%s', c.relname), coalesce(array_to_string(c.reloptions, ', '), 'none'), false FROM relation c WHERE c.relkind = 'v'
    UNION ALL
    SELECT format('rule %s of reason.%s', r.rulename, c.relname), md5(pg_get_ruledef(r.oid)), true
    FROM pg_rewrite r JOIN relation c ON c.oid = r.ev_class
    UNION ALL
    -- One that was changed by an event is compared with that event: rule_faults().
    SELECT format('rule "%s" for personal data', i.name), md5((CASE WHEN i.builtin THEN to_jsonb(i) ELSE to_jsonb(b) END - 'builtin')::text), false
    FROM reason.pii_rule i LEFT JOIN reason.builtin_pii_rules() b ON b.name = i.name WHERE i.builtin OR b.name IS NOT NULL
$$;
COMMENT ON FUNCTION reason.present_guards() IS
    'What keeps records as they are, and what tells whether they are: functions with their defaults, operators, casts, types, sequences, triggers, row security, policies, columns, constraints, unique indexes, persistence, rules, options of views, privileges but for SELECT; and tables that bring rows of their own. printed: the definition is text as this major version of the server prints it.';

CREATE FUNCTION reason.guard_faults() RETURNS TABLE (guard text, detail text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET quote_all_identifiers = off
SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT g.guard, CASE WHEN p.guard IS NULL THEN 'is missing'
                         WHEN i.guard IS NULL THEN 'was not installed by the extension'
                         WHEN g.guard LIKE 'privileges %' THEN format('are not as installed: %s', p.definition)
                         ELSE 'is not as installed' END
    FROM reason.installed_guards() i FULL JOIN reason.present_guards() p USING (guard), LATERAL (SELECT coalesce(i.guard, p.guard)) g (guard)
    WHERE i.definition IS DISTINCT FROM p.definition
      -- An administrator's own column or unique index can refuse a record, and change none.
      AND (i.guard IS NOT NULL OR p.guard !~ '^(column|default of column|unique index) ')
      AND (NOT coalesce(i.printed, p.printed) OR i.guard IS NULL OR p.guard IS NULL
           OR i.server_version = current_setting('server_version_num')::integer / 10000)
    ORDER BY 1;
    RETURN QUERY
    SELECT format('owner of %s', o.name), format('is "%s", and not the extension''s owner', pg_get_userbyid(o.owner))
    FROM pg_extension x,
         LATERAL (SELECT 'reason.' || c.relname, c.relowner FROM pg_class c
                  WHERE c.relnamespace = x.extnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
                  UNION ALL SELECT format('function reason.%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), p.proowner
                  FROM pg_proc p WHERE p.pronamespace = x.extnamespace
                  UNION ALL SELECT 'schema reason', n.nspowner FROM pg_namespace n WHERE n.oid = x.extnamespace) o (name, owner)
    WHERE x.extname = 'reasoning_graph' AND o.owner <> x.extowner
    ORDER BY 1;
    RETURN QUERY
    SELECT 'owner of the extension'::text, format('"%s" may log in and is no superuser, and can switch the guards off', r.rolname)
    FROM pg_extension x JOIN pg_roles r ON r.oid = x.extowner
    WHERE x.extname = 'reasoning_graph' AND r.rolcanlogin AND NOT r.rolsuper
    UNION ALL
    SELECT 'owner of the extension', format('"%s" is a member of it, and can switch the guards off', r.rolname)
    FROM pg_extension x JOIN pg_roles r ON r.oid <> x.extowner AND NOT r.rolsuper AND pg_has_role(r.oid, x.extowner, 'MEMBER')
    WHERE x.extname = 'reasoning_graph';
    -- What is given to a role of the extension itself, all who have this role have.
    RETURN QUERY
    SELECT format('role "%s"', r.rolname), format('may more than the extension gave it: %s', string_agg(m.more, ', ' ORDER BY m.more))
    FROM pg_roles r,
         LATERAL (SELECT a.attribute
                  FROM (VALUES (r.rolsuper, 'SUPERUSER'), (r.rolbypassrls, 'BYPASSRLS'), (r.rolcreaterole, 'CREATEROLE'),
                               (r.rolcreatedb, 'CREATEDB'), (r.rolreplication, 'REPLICATION')) a (has, attribute)
                  WHERE a.has
                  UNION ALL
                  SELECT format('member of "%s"', o.rolname)
                  FROM pg_auth_members u JOIN pg_roles o ON o.oid = u.roleid
                  WHERE u.member = r.oid AND (r.rolname, o.rolname) NOT IN (('reason_auditor', 'reason_reader'), ('reason_admin', 'reason_auditor'))) m (more)
    WHERE r.rolname IN ('reason_reader', 'reason_auditor', 'reason_writer', 'reason_gateway', 'reason_sidecar', 'reason_admin', 'reason_backup')
    GROUP BY r.rolname
    ORDER BY 1;
    -- Triggers do not fire in a session that takes itself for a replica.
    RETURN QUERY
    SELECT 'session_replication_role'::text, format('is "%s" in the server''s configuration, and the triggers do not fire', g.reset_val)
    FROM pg_settings g WHERE g.name = 'session_replication_role' AND g.reset_val NOT IN ('origin', 'local')
    UNION ALL
    SELECT 'session_replication_role', format('is set to "%s" for %s, and the triggers do not fire', split_part(c.setting, '=', 2),
        concat_ws(' in ', CASE WHEN s.setrole <> 0 THEN format('role "%s"', pg_get_userbyid(s.setrole)) END,
                  CASE WHEN s.setdatabase <> 0 THEN format('database "%s"', current_database()) ELSE 'all databases' END))
    FROM pg_db_role_setting s, unnest(s.setconfig) c (setting)
    WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
      AND c.setting LIKE 'session_replication_role=%' AND split_part(c.setting, '=', 2) NOT IN ('origin', 'local');
END
$$;
COMMENT ON FUNCTION reason.guard_faults() IS
    'Guards that are not as the extension''s script made them, owners that are not the extension''s, roles that may more than the extension gave them, and a setting that keeps triggers from firing. Whoever can change the guards can also change what this compares with: it finds what was switched off or forgotten, and proves nothing against a superuser who covers his traces. The chain''s signatures do.';

-- ---------------------------------------------------------------- all at once

CREATE FUNCTION reason.verify_all(OUT what text, OUT ok boolean, OUT detail text) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    most_named CONSTANT integer := 100;
    divisions text[] := '{}';
    snapshots uuid[] := '{}';
    division_name text;
    snapshot_id uuid;
    verified bigint;
BEGIN
    -- A table that is gone is not to hide the rest either.
    BEGIN
        divisions := ARRAY(SELECT * FROM reason.known_divisions());
    EXCEPTION WHEN OTHERS THEN
        what := 'divisions';
        ok := false;
        detail := SQLERRM;
        RETURN NEXT;
    END;
    FOREACH division_name IN ARRAY divisions LOOP
        what := format('division "%s"', division_name);
        BEGIN
            SELECT v.ok, v.detail INTO ok, detail FROM reason.verify_audit(division_name) v;
        EXCEPTION WHEN OTHERS THEN
            -- Something that cannot even be read is not to hide the rest.
            ok := false;
            detail := SQLERRM;
        END;
        RETURN NEXT;
        what := format('log of division "%s"', division_name);
        BEGIN
            SELECT l.ok, concat_ws(', ', format('size %s', l.size), l.detail) INTO ok, detail FROM reason.verify_log(division_name) l;
        EXCEPTION WHEN OTHERS THEN
            ok := false;
            detail := SQLERRM;
        END;
        RETURN NEXT;
    END LOOP;

    verified := 0;
    BEGIN
        snapshots := ARRAY(SELECT s.id FROM reason.snapshot s WHERE s.status IN ('signed', 'complete') ORDER BY s.no);
    EXCEPTION WHEN OTHERS THEN
        what := 'snapshots';
        ok := false;
        detail := SQLERRM;
        RETURN NEXT;
    END;
    FOREACH snapshot_id IN ARRAY snapshots LOOP
        what := format('snapshot "%s"', snapshot_id);
        BEGIN
            SELECT v.ok, v.detail INTO ok, detail FROM reason.snapshot_proof(snapshot_id) v;
        EXCEPTION WHEN OTHERS THEN
            ok := false;
            detail := SQLERRM;
        END;
        verified := verified + ok::integer;
        IF NOT ok THEN
            RETURN NEXT;
        END IF;
    END LOOP;
    what := 'snapshots';
    ok := true;
    detail := format('%s verify', verified);
    RETURN NEXT;

    BEGIN
        SELECT 'mended events', true, string_agg(format('"%s" of division "%s": %s', m.event_id, m.division, m.outcome), '; ' ORDER BY m.event_id)
                                        FILTER (WHERE m.place <= most_named) || CASE WHEN count(*) > most_named THEN format('; and %s more', count(*) - most_named) ELSE '' END
        INTO what, ok, detail
        FROM (SELECT e.*, row_number() OVER (ORDER BY e.event_id) AS place FROM reason.mended_event e) m;
    EXCEPTION WHEN OTHERS THEN
        what := 'mended events';
        ok := false;
        detail := SQLERRM;
    END;
    IF detail IS NOT NULL THEN
        RETURN NEXT;
    END IF;

    -- What only the sidecar's memory outside can know: this history is not the one that was signed.
    IF reason.safe_mode_fault() IS NOT NULL THEN
        what := 'safe mode';
        ok := false;
        detail := reason.safe_mode_fault();
        RETURN NEXT;
    END IF;

    FOREACH what IN ARRAY ARRAY['registry', 'rules', 'approvals', 'guards'] LOOP
        BEGIN
            SELECT count(*) = 0, string_agg(f.detail, '; ' ORDER BY f.place) FILTER (WHERE f.place <= most_named)
                                 || CASE WHEN count(*) > most_named THEN format('; and %s more', count(*) - most_named) ELSE '' END
            INTO ok, detail
            FROM (SELECT r.detail, row_number() OVER () AS place FROM reason.rule_faults() r
                  WHERE what IN ('registry', 'rules') AND (r.rule_table = 'signer') = (what = 'registry')
                  UNION ALL
                  SELECT a.detail, row_number() OVER () FROM reason.approval_faults() a WHERE what = 'approvals'
                  UNION ALL
                  SELECT g.guard || ' ' || g.detail, row_number() OVER () FROM reason.guard_faults() g WHERE what = 'guards') f;
        EXCEPTION WHEN OTHERS THEN
            ok := false;
            detail := SQLERRM;
        END;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION reason.verify_all() IS
    'Verifies everything that the caller sees: a row for each division''s chain and its records, one for its log, for the registry of signers, for the rules (clients, quotas, archive, policy, personal data, grants, approvers), for the approvals of changes that need some, for each signed snapshot that does not verify and for the rest together, for safe mode while there is one, and for the guards; events that were mended are named. All is well when every ok is true.';
