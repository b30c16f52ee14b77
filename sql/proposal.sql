-- Proposals: a change is proposed, approved by signatures over its canonical text, and executed once.
--
-- The text names the change and all its arguments, the database, the end of the chain of division system when it was made, and
-- until when it may be executed: a signature is good for nothing else, nowhere else and no later. Each step is an event of division
-- system, and the event of the change carries proposal and approvals (approval.sql).

-- ---------------------------------------------------------------- who approves, and how many must

CREATE FUNCTION reason.approver_event(a reason.approver) RETURNS uuid
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT reason.append_change('approver.changed', jsonb_build_object(
        'approver', jsonb_build_object('approverId', $1.approver_id, 'publicKey', $1.public_key, 'validFrom', reason.recorded_time($1.valid_from),
            'validTo', reason.recorded_time($1.valid_to)),
        'request', reason.sql_request()::jsonb))
$$;
COMMENT ON FUNCTION reason.approver_event(reason.approver) IS 'Records an approver as he is from now on.';

CREATE FUNCTION reason.add_approver(approver_id text, public_key text, valid_from timestamptz DEFAULT NULL, valid_to timestamptz DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    key CONSTANT text := reason.public_key_spki(reason.public_key($2));
    added reason.approver;
BEGIN
    PERFORM reason.check_signer_id($1), reason.recordable_time($3, 'valid_from'), reason.recordable_time($4, 'valid_to');
    IF EXISTS (SELECT FROM reason.signer s WHERE s.public_key = reason.public_key($2)) THEN
        RAISE EXCEPTION USING ERRCODE = 'unique_violation', MESSAGE = format('the key of approver "%s" is that of a signer', $1),
            HINT = 'An approver''s key is kept off the machines of the service: make one of its own.';
    END IF;
    LOCK TABLE reason.approver IN SHARE ROW EXCLUSIVE MODE;
    IF NOT EXISTS (SELECT FROM reason.approver a WHERE a.approver_id = $1 OR a.public_key = key) THEN
        added := ($1, key, coalesce($3, clock_timestamp()), $4);
        PERFORM reason.approver_event(added);
        INSERT INTO reason.approver SELECT added.*;
    ELSIF NOT EXISTS (SELECT FROM reason.approver a WHERE a.approver_id = $1 AND a.public_key = key AND (a.valid_to IS NULL OR a.valid_to > clock_timestamp())) THEN
        RAISE EXCEPTION USING ERRCODE = 'unique_violation', MESSAGE = format('approver "%s", or the key, is registered already', $1),
            HINT = 'An id stands for one key for ever, and a key under one id. Register another key under another id.';
    END IF;
END
$$;
COMMENT ON FUNCTION reason.add_approver(text, text, timestamptz, timestamptz) IS
    'Registers whose signatures approve proposals: an Ed25519 public key as PEM, base64 of the SubjectPublicKeyInfo, or the raw 32 bytes in base64 or hexadecimal. A change of kind approval.';

CREATE FUNCTION reason.require_approvers(most integer, at timestamptz DEFAULT clock_timestamp()) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    present CONSTANT bigint := (SELECT count(*) FROM reason.approver a WHERE a.valid_from <= $2 AND (a.valid_to IS NULL OR a.valid_to > $2));
BEGIN
    IF present < $1 THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('%s approvals would be needed, and there are %s approvers', $1, present),
            HINT = 'Nobody could change this again. Register more approvers with reason.add_approver(), or lower the threshold first.';
    END IF;
END
$$;
COMMENT ON FUNCTION reason.require_approvers(integer, timestamptz) IS 'Raises 55000 unless there are so many approvers.';

CREATE FUNCTION reason.retire_approver(approver_id text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    retired reason.approver;
BEGIN
    LOCK TABLE reason.approver IN SHARE ROW EXCLUSIVE MODE;
    SELECT * INTO retired FROM reason.approver a WHERE a.approver_id = $1 AND (a.valid_to IS NULL OR a.valid_to > clock_timestamp());
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('approver "%s" does not exist, or approves no more already', $1);
    END IF;
    retired.valid_to := greatest(clock_timestamp(), retired.valid_from);
    PERFORM reason.approver_event(retired);
    UPDATE reason.approver a SET valid_to = retired.valid_to WHERE a.approver_id = $1;
    PERFORM reason.require_approvers((SELECT max(r.threshold) FROM reason.approval_rule r));
END
$$;
COMMENT ON FUNCTION reason.retire_approver(text) IS 'The key approves no more; what it approved and was executed stays good. A change of kind approval. Raises 55000 when too few would be left.';

CREATE FUNCTION reason.set_approval_threshold(kind text, threshold integer) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM reason.guarded_changes() g WHERE g.kind = $1) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('there are no changes of kind "%s"', $1),
            HINT = format('Kinds are %s.', (SELECT string_agg(DISTINCT g.kind, ', ') FROM reason.guarded_changes() g));
    END IF;
    LOCK TABLE reason.approval_rule IN SHARE ROW EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM reason.approval_rule r WHERE r.kind = $1 AND r.threshold = $2) THEN
        RETURN;
    END IF;
    PERFORM reason.append_change('approvalRule.changed', jsonb_build_object(
        'approvalRule', jsonb_build_object('kind', $1, 'threshold', $2), 'request', reason.sql_request()::jsonb));
    INSERT INTO reason.approval_rule (kind, threshold) VALUES ($1, $2)
    ON CONFLICT ON CONSTRAINT approval_rule_pkey DO UPDATE SET threshold = excluded.threshold;
    -- Whoever may change thresholds alone may do everything alone.
    IF (SELECT max(r.threshold) FROM reason.approval_rule r) > coalesce((SELECT r.threshold FROM reason.approval_rule r WHERE r.kind = 'approval'), 0) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'no kind may need more approvals than kind "approval"',
            HINT = 'Thresholds could be lowered by fewer than they ask for. Raise that of kind "approval" first, and lower it last.';
    END IF;
    PERFORM reason.require_approvers($2);
END
$$;
COMMENT ON FUNCTION reason.set_approval_threshold(text, integer) IS
    'How many approvers must agree to a change of a kind (approval, client, policy, retention, revocation, safe_mode, signer); 0, as after CREATE EXTENSION: none. A change of kind approval, which no other kind may exceed. Raises 55000 when there are not so many approvers.';

-- ---------------------------------------------------------------- what a change is called with

CREATE FUNCTION reason.change_function(change text) RETURNS oid
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM reason.guarded_changes() g WHERE g.change = $1) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('"%s" is no change that can be proposed', $1),
            HINT = format('Changes are %s.', (SELECT string_agg(g.change, ', ') FROM reason.guarded_changes() g));
    END IF;
    RETURN (SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'reason'::regnamespace AND p.proname = $1);
END
$$;
COMMENT ON FUNCTION reason.change_function(text) IS 'The function that makes a change. Raises 22023 for what is none.';

CREATE FUNCTION reason.change_arguments(change text, arguments jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
SET "TimeZone" = 'UTC'
AS $$
DECLARE
    function CONSTANT oid := reason.change_function($1);
    whole jsonb := '{}';
    argument record;
    value jsonb;
    given text;
BEGIN
    SELECT k INTO given FROM jsonb_object_keys($2) k, pg_proc p WHERE p.oid = function AND k <> ALL (p.proargnames) LIMIT 1;
    IF given IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('reason.%s() has no argument "%s"', $1, given);
    END IF;
    FOR argument IN
        SELECT n.name, n.place, p.proargtypes[n.place - 1]::regtype::text AS type, pg_get_function_arg_default(p.oid, n.place::integer) AS standard
        FROM pg_proc p, unnest(p.proargnames) WITH ORDINALITY n (name, place) WHERE p.oid = function ORDER BY n.place
    LOOP
        value := $2 -> argument.name;
        IF value IS NULL THEN
            IF argument.standard IS NULL THEN
                RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('reason.%s() needs argument "%s"', $1, argument.name);
            END IF;
            -- Arguments that were not given appear with their defaults, so that whoever signs sees
            -- them.
            EXECUTE format('SELECT to_jsonb(%s)', argument.standard) INTO value;
        END IF;
        given := value #>> '{}';
        whole := whole || jsonb_build_object(argument.name, CASE
            WHEN given IS NULL THEN 'null'
            WHEN argument.type = 'text[]' AND jsonb_typeof(value) = 'array' THEN to_jsonb(ARRAY(SELECT jsonb_array_elements_text(value)))
            WHEN jsonb_typeof(value) IN ('array', 'object') THEN NULL
            WHEN argument.name = 'public_key' THEN to_jsonb(reason.public_key_spki(reason.public_key(given)))
            WHEN argument.type = 'timestamp with time zone' THEN to_jsonb(reason.recordable_time(given::timestamptz, argument.name))
            WHEN argument.type = 'jsonpath' THEN to_jsonb(given::jsonpath::text)
            WHEN argument.type = 'integer' THEN to_jsonb(given::integer)
            WHEN argument.type = 'boolean' THEN to_jsonb(given::boolean)
            WHEN argument.type = 'text' THEN to_jsonb(given) END);
        IF whole -> argument.name = 'null' AND given IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('argument "%s" of reason.%s() is of type %s', argument.name, $1, argument.type),
                HINT = 'Give lists as arrays of JSON, everything else as texts, numbers or truth values.';
        END IF;
    END LOOP;
    RETURN whole;
END
$$;
COMMENT ON FUNCTION reason.change_arguments(text, jsonb) IS 'All arguments of a change as events record them, with what holds for those that were not given. Raises 22023 for an argument that the change does not have.';

CREATE FUNCTION reason.make_change(change text, arguments jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    function CONSTANT oid := reason.change_function($1);
    given text;
BEGIN
    SELECT string_agg(format(CASE WHEN p.proargtypes[n.place - 1] = 'text[]'::regtype
                             THEN '%1$I => CASE jsonb_typeof($1 -> %2$L) WHEN ''array'' THEN ARRAY(SELECT jsonb_array_elements_text($1 -> %2$L)) END'
                             ELSE '%1$I => ($1 ->> %2$L)::%3$s' END, n.name, n.name, p.proargtypes[n.place - 1]::regtype), ', ') INTO given
    FROM pg_proc p, unnest(p.proargnames) WITH ORDINALITY n (name, place) WHERE p.oid = function;
    EXECUTE format('SELECT reason.%I(%s)', $1, given) USING arguments;
END
$$;
COMMENT ON FUNCTION reason.make_change(text, jsonb) IS 'Calls the function of a change with what change_arguments() gave.';

-- ---------------------------------------------------------------- proposing, approving, executing

CREATE FUNCTION reason.system_identifier() RETURNS text
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$ SELECT split_part(reason.incarnation(), '/', 1) $$;
COMMENT ON FUNCTION reason.system_identifier() IS 'Which cluster this is: that of incarnation(), whatever the timeline.';

CREATE FUNCTION reason.rehearse(proposal uuid) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    document CONSTANT jsonb := (SELECT p.document FROM reason.proposal p WHERE p.id = $1);
BEGIN
    INSERT INTO reason.proposal_in_execution VALUES ($1, true);
    PERFORM reason.make_change(document ->> 'change', document -> 'arguments');
    IF NOT EXISTS (SELECT FROM reason.proposal_executed x WHERE x.proposal_id = $1) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the change would change nothing';
    END IF;
    -- All of it is undone, whatever it was.
    RAISE EXCEPTION USING ERRCODE = 'RG001', MESSAGE = 'the rehearsal is over';
EXCEPTION WHEN SQLSTATE 'RG001' THEN
    RETURN;
END
$$;
COMMENT ON FUNCTION reason.rehearse(uuid) IS 'Makes the change of a proposal, and undoes it: raises what executing it would raise, but for approvals.';

CREATE FUNCTION reason.propose(change text, arguments jsonb, valid_for interval DEFAULT '7 days') RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    -- A token or key service signs the text in one request, which bounds its length.
    most_bytes CONSTANT integer := 4096;
    longest CONSTANT interval := '30 days';
    proposal_id CONSTANT uuid := reason.uuid_v7();
    now CONSTANT timestamptz := clock_timestamp();
    document jsonb;
BEGIN
    IF jsonb_typeof($2) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the arguments are no object of JSON', HINT = 'Name them as the function does: {"signer_id": "key-2", ...}.';
    END IF;
    IF $3 IS NULL OR $3 <= '0' OR $3 > longest THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('a proposal is valid for up to %s', longest);
    END IF;
    document := jsonb_build_object('type', 'reasoning-graph/proposal/v1', 'id', proposal_id, 'change', $1,
        'kind', (SELECT g.kind FROM reason.guarded_changes() g WHERE g.change = $1), 'arguments', reason.change_arguments($1, $2),
        'database', jsonb_build_object('origin', (SELECT reason.log_origin_of(i.prefix, 'system', i.epoch) FROM reason.log_identity() i), 'system', reason.system_identifier()),
        'head', (SELECT jsonb_build_object('seq', s.seq, 'hash', encode(s.hash, 'hex')) FROM reason.audit_seal s WHERE s.division = 'system'
                 ORDER BY s.division DESC, s.seq DESC LIMIT 1),
        'nonce', encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex'),
        'proposedAt', reason.rfc3339(now), 'expiresAt', reason.rfc3339(now + $3));
    IF octet_length(reason.canonical_json(document)) > most_bytes THEN
        RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded', MESSAGE = format('a proposal has at most %s bytes', most_bytes);
    END IF;
    INSERT INTO reason.proposal (id, document, audit_event_id)
    VALUES (proposal_id, document, reason.append_event('system', 'change.proposed', jsonb_build_object('proposal', document, 'request', reason.sql_request()::jsonb)));
    PERFORM reason.rehearse(proposal_id);
    RETURN proposal_id;
END
$$;
COMMENT ON FUNCTION reason.propose(text, jsonb, interval) IS
    'Proposes a change: the function that makes it (set_client) and its arguments by name ({"name": "kernel", "role": "writer"}). Tries it out and undoes it, so that what cannot be executed is refused here. Approvers sign proposal_text(). It may be executed for so long, at most 30 days.';

CREATE FUNCTION reason.open_proposal(proposal uuid) RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    document jsonb;
    fault text;
BEGIN
    SELECT p.document INTO document FROM reason.proposal p WHERE p.id = $1 FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('proposal "%s" does not exist', $1);
    END IF;
    fault := CASE
        WHEN EXISTS (SELECT FROM reason.proposal_executed x WHERE x.proposal_id = $1) THEN 'was executed already'
        WHEN clock_timestamp() > (document ->> 'expiresAt')::timestamptz THEN format('expired at %s', document ->> 'expiresAt')
        WHEN document -> 'database' <> jsonb_build_object('origin', (SELECT reason.log_origin_of(i.prefix, 'system', i.epoch) FROM reason.log_identity() i),
                                                          'system', reason.system_identifier()) THEN 'was made in another database' END;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('proposal "%s" %s', $1, fault),
            HINT = 'Propose the change anew with reason.propose().';
    END IF;
    RETURN document;
END
$$;
COMMENT ON FUNCTION reason.open_proposal(uuid) IS 'The document of a proposal that may yet be executed, locked until commit. Raises P0002 for an unknown one, 55000 for one that was executed, has expired, or was made elsewhere.';

CREATE FUNCTION reason.proposal_text(proposal uuid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$ SELECT reason.canonical_json(p.document) FROM reason.proposal p WHERE p.id = $1 $$;
COMMENT ON FUNCTION reason.proposal_text(uuid) IS 'What an approver signs, as it is: the canonical JSON of a proposal, for reason-approve.';

CREATE FUNCTION reason.approve(proposal uuid, approver_id text, signature text) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    document CONSTANT jsonb := reason.open_proposal($1);
    key text;
BEGIN
    SELECT a.public_key INTO key FROM reason.approver a
    WHERE a.approver_id = $2 AND a.valid_from <= clock_timestamp() AND (a.valid_to IS NULL OR a.valid_to > clock_timestamp());
    IF key IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('"%s" is no approver now', $2),
            HINT = 'An administrator registers approvers with reason.add_approver().';
    END IF;
    IF NOT reason.approval_verifies(key, convert_to(reason.canonical_json(document), 'UTF8'), $3) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('the signature is not that of approver "%s" over this proposal', $2),
            HINT = 'Sign what reason.proposal_text() gives, with reason-approve.';
    END IF;
    -- Signatures of Ed25519 are the same each time; in base64 they may be written in two ways.
    INSERT INTO reason.approval (proposal_id, approver_id, signature, audit_event_id)
    SELECT $1, $2, s.signature, reason.append_event('system', 'change.approved', jsonb_build_object(
        'approval', jsonb_build_object('proposalId', $1, 'approverId', $2, 'signature', s.signature), 'request', reason.sql_request()::jsonb))
    FROM (SELECT translate(encode(decode($3, 'base64'), 'base64'), E'\n', '')) s (signature)
    WHERE NOT EXISTS (SELECT FROM reason.approval a WHERE a.proposal_id = $1 AND a.approver_id = $2);
    RETURN (SELECT count(*) FROM reason.approval a WHERE a.proposal_id = $1);
END
$$;
COMMENT ON FUNCTION reason.approve(uuid, text, text) IS
    'Hands in an approver''s signature, base64, over proposal_text(); returns how many there are by now. May be repeated. Raises 42501 for an id that is no approver''s, and for a signature that is not by that approver''s key.';

CREATE FUNCTION reason.execute(proposal uuid) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    document CONSTANT jsonb := reason.open_proposal($1);
    event_id uuid;
BEGIN
    INSERT INTO reason.proposal_in_execution VALUES ($1, false);
    PERFORM reason.make_change(document ->> 'change', document -> 'arguments');
    DELETE FROM reason.proposal_in_execution;
    SELECT x.audit_event_id INTO event_id FROM reason.proposal_executed x WHERE x.proposal_id = $1;
    IF event_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'the change would change nothing';
    END IF;
    RETURN event_id;
END
$$;
COMMENT ON FUNCTION reason.execute(uuid) IS 'Makes the change of a proposal, once; returns the event that records it, with proposal and approvals. Raises 42501 when it has too few approvals that count now.';

-- ---------------------------------------------------------------- for verify_all()

CREATE FUNCTION reason.approval_faults() RETURNS TABLE (event_id uuid, detail text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, reason, pg_temp
SET jit = off
AS $$
DECLARE
    e record;
    kind text;
    fault text;
    approvers jsonb := '{}';
    thresholds jsonb := '{}';
    archive_rules jsonb := '{}';
    executed jsonb := '{}';
    named jsonb;
BEGIN
    FOR e IN
        SELECT a.id, s.seq, a.payload::jsonb AS payload, a.event_type
        FROM reason.audit_event a LEFT JOIN reason.audit_seal s ON s.event_no = a.no AND s.division = a.division
        WHERE a.division = 'system' AND a.event_type IN (SELECT g.event_type FROM reason.guarded_changes() g)
          -- An event at which the chain has halted is left out: verify_audit() reports it.
          AND a.no IS DISTINCT FROM (SELECT h.event_no FROM reason.halted_chain h WHERE h.division = 'system')
        ORDER BY coalesce(s.seq, 9223372036854775807), a.no
    LOOP
        kind := reason.change_kind(e.payload, archive_rules -> (e.payload #>> '{archiveRule,division}'));
        fault := reason.approval_fault(e.payload, kind, (thresholds ->> kind)::integer, approvers);
        IF fault IS NULL AND e.payload -> 'approved' IS NOT NULL THEN
            fault := CASE WHEN executed ? (e.payload #>> '{approved,proposal,id}') THEN format('proposal "%s" was executed before', e.payload #>> '{approved,proposal,id}')
                          ELSE reason.proposal_place_fault(e.payload #> '{approved,proposal}', e.id, e.seq) END;
            executed := executed || jsonb_build_object(e.payload #>> '{approved,proposal,id}', true);
        END IF;
        named := approvers -> (e.payload #>> '{approver,approverId}');
        IF fault IS NULL AND named ->> 'publicKey' <> e.payload #>> '{approver,publicKey}' THEN
            fault := format('approver "%s" had another key', e.payload #>> '{approver,approverId}');
        END IF;
        IF fault IS NOT NULL THEN
            event_id := e.id;
            detail := format('event %s (%s, "%s"): %s', coalesce(e.seq::text, 'that waits for its place'), e.event_type, e.id, fault);
            RETURN NEXT;
        END IF;
        approvers := approvers || CASE WHEN e.payload #>> '{approver,approverId}' IS NULL THEN '{}'
                                       ELSE jsonb_build_object(e.payload #>> '{approver,approverId}', e.payload -> 'approver') END;
        thresholds := thresholds || CASE WHEN e.payload #>> '{approvalRule,kind}' IS NULL THEN '{}'
                                         ELSE jsonb_build_object(e.payload #>> '{approvalRule,kind}', e.payload #> '{approvalRule,threshold}') END;
        archive_rules := archive_rules || CASE WHEN e.payload #>> '{archiveRule,division}' IS NULL THEN '{}'
                                               ELSE jsonb_build_object(e.payload #>> '{archiveRule,division}', e.payload -> 'archiveRule') END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION reason.approval_faults() IS
    'Events of division system whose change needed approvals, by the approvers and thresholds that the chain had named by then, and that do not have them; and what was approved otherwise than it was recorded.';
