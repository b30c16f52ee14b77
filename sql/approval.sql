-- Approvals: changes that decide whom to trust, and how many keys kept off the database must agree to one.
--
-- Such a change leaves its event by append_change(), which looks at the event itself: its kind, the threshold of that kind, and
-- the approvals that it carries. Approvals are signatures over a proposal, and the event must record what the proposal says. So
-- whoever reads the chain can demand the same: replay(), verify_all() and reason-verify. proposal.sql makes proposals.

CREATE TABLE reason.approver (
    approver_id text        NOT NULL,
    public_key  text        NOT NULL,
    valid_from  timestamptz NOT NULL,
    valid_to    timestamptz,
    CONSTRAINT approver_pkey PRIMARY KEY (approver_id),
    CONSTRAINT approver_public_key_key UNIQUE (public_key),
    CONSTRAINT approver_valid_check CHECK (valid_to >= valid_from)
);
COMMENT ON TABLE reason.approver IS 'Whose signatures approve proposals. Changes are events of division system.';
COMMENT ON COLUMN reason.approver.public_key IS 'Ed25519, base64 of the SubjectPublicKeyInfo. No key of a signer: it is kept off the machines of the service.';
COMMENT ON COLUMN reason.approver.valid_to IS 'The last time at which an approval may be used; NULL: no end.';

CREATE TABLE reason.approval_rule (
    kind      text    NOT NULL,
    threshold integer NOT NULL,
    CONSTRAINT approval_rule_pkey PRIMARY KEY (kind),
    CONSTRAINT approval_rule_threshold_check CHECK (threshold BETWEEN 0 AND 100)
);
COMMENT ON TABLE reason.approval_rule IS 'How many approvers must agree to a change of a kind; none where there is no row. Changes are events of division system.';

CREATE TABLE reason.proposal (
    id             uuid  NOT NULL,
    document       jsonb NOT NULL,
    audit_event_id uuid  NOT NULL,
    CONSTRAINT proposal_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE reason.proposal IS 'Changes that were proposed. The canonical text of document is what approvers sign.';

CREATE TABLE reason.approval (
    proposal_id    uuid NOT NULL,
    approver_id    text NOT NULL,
    signature      text NOT NULL,
    audit_event_id uuid NOT NULL,
    CONSTRAINT approval_pkey PRIMARY KEY (proposal_id, approver_id)
);
COMMENT ON TABLE reason.approval IS 'Signatures of approvers, base64, over the canonical text of a proposal.';

CREATE TABLE reason.proposal_executed (
    proposal_id    uuid NOT NULL,
    audit_event_id uuid NOT NULL,
    CONSTRAINT proposal_executed_pkey PRIMARY KEY (proposal_id)
);
COMMENT ON TABLE reason.proposal_executed IS 'Proposals that were executed, each once, and the event that records the change.';

CREATE TABLE reason.proposal_in_execution (
    proposal_id uuid    NOT NULL,
    rehearsal   boolean NOT NULL,
    CONSTRAINT proposal_in_execution_pkey PRIMARY KEY (proposal_id)
);
COMMENT ON TABLE reason.proposal_in_execution IS 'The proposal that this transaction executes, or tries out. The row is gone before the transaction ends, so that no other sees it: a lock.';

CREATE TABLE reason.approval_fence (
    only_row boolean NOT NULL DEFAULT true,
    turn     bigint  NOT NULL DEFAULT 0,
    CONSTRAINT approval_fence_pkey PRIMARY KEY (only_row),
    CONSTRAINT approval_fence_only_row_check CHECK (only_row)
);
COMMENT ON TABLE reason.approval_fence IS 'A lock. Changes of approvers and thresholds update the row; other changes that may need approvals lock it, so that none of them is judged by an earlier state.';
INSERT INTO reason.approval_fence DEFAULT VALUES;

-- ---------------------------------------------------------------- which changes

CREATE FUNCTION reason.guarded_changes() RETURNS TABLE (kind text, change text, event_type text, member text, renamed jsonb, moment text)
LANGUAGE sql IMMUTABLE
AS $$
    VALUES ('approval', 'add_approver', 'approver.changed', 'approver', '{}'::jsonb, 'validFrom'),
           ('approval', 'retire_approver', 'approver.changed', 'approver', '{}', 'validTo'),
           ('approval', 'set_approval_threshold', 'approvalRule.changed', 'approvalRule', '{}', NULL),
           ('signer', 'add_signer', 'signer.added', 'signer', '{}', 'validFrom'),
           ('signer', 'retire_signer', 'signer.retired', 'signer', '{}', NULL),
           ('revocation', 'revoke_signer', 'signer.revoked', 'signer', '{"reason": "revocationReason", "at": "revokedAt"}', 'revokedAt'),
           ('client', 'set_client', 'client.changed', 'client', '{}', NULL),
           ('policy', 'set_policy_rule', 'policy.changed', 'rule', '{}', NULL),
           ('retention', 'set_archive_rule', 'archiveRule.changed', 'archiveRule', '{}', NULL),
           ('placement', 'move_division', 'division.changed', 'placement', '{}', NULL),
           ('safe_mode', 'leave_safe_mode', 'safemode.accepted', 'safeMode', '{}', NULL)
$$;
COMMENT ON FUNCTION reason.guarded_changes() IS
    'The changes that may need approvals: their kind, the function that makes one, the event and its member that record it, arguments that are recorded under another name, and the recorded time that is the time of the change unless an argument says another.';

CREATE FUNCTION reason.names_divisions(divisions jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT jsonb_typeof($1) = 'array' AND NOT jsonb_path_exists($1, 'strict $[*] ? (@.type() != "string" || @ == "*")')
$$;
COMMENT ON FUNCTION reason.names_divisions(jsonb) IS 'Whether it is an array of names of divisions, without "*", which stands for all.';

CREATE FUNCTION reason.change_kind(event jsonb, earlier_rule jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT g.kind FROM reason.guarded_changes() g, jsonb_extract_path($1, g.member) m
    WHERE g.event_type = $1 ->> 'eventType' AND jsonb_typeof(m) = 'object'
      AND CASE g.kind
          -- What is not of the form that set_client() and set_archive_rule() record passes for nothing harmless.
          WHEN 'client' THEN (m -> 'enabled' = 'false' OR m -> 'role' IN ('"reader"', '"auditor"') OR m -> 'role' = '"writer"' AND reason.names_divisions(m -> 'divisions')) IS NOT TRUE
          -- Before a division has its first rule, the sidecar's configuration holds, which may be longer.
          WHEN 'retention' THEN (jsonb_typeof(m -> 'retainDays') = 'number' AND jsonb_typeof($2 -> 'retainDays') = 'number' AND m -> 'retainDays' >= $2 -> 'retainDays'
                                 AND (m -> 'legalHold' = 'true' OR m -> 'legalHold' = 'false' AND $2 -> 'legalHold' = 'false')) IS NOT TRUE
          -- To rest and to go on decides nothing; that another cell goes on with the chain does.
          WHEN 'placement' THEN m ->> 'state' NOT IN ('frozen', 'here') IS NOT FALSE
          ELSE true END
    LIMIT 1
$$;
COMMENT ON FUNCTION reason.change_kind(jsonb, jsonb) IS
    'Of which kind an event is, if it decides whom to trust: a client that becomes admin or writer to all divisions, retention that becomes shorter than the rule before (retainDays, legalHold), a division that another cell goes on with, and so on; also where a member is not of the JSON type that it is recorded as. NULL: it does not.';

CREATE FUNCTION reason.recorded_member(argument text, renamed jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT coalesce($2 ->> $1, pg_catalog.left($1, 1) || pg_catalog.substr(pg_catalog.replace(pg_catalog.initcap(pg_catalog.replace($1, '_', ' ') COLLATE pg_catalog."C"), ' ', ''), 2))
$$;
COMMENT ON FUNCTION reason.recorded_member(text, jsonb) IS 'Under which name events record an argument of a change: signer_id under signerId.';

-- ---------------------------------------------------------------- whether an event has what it needs

CREATE FUNCTION reason.recorded_otherwise(event jsonb, proposal jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    g record;
    recorded jsonb;
    argument record;
    name text;
    moment_given boolean := false;
BEGIN
    SELECT * INTO g FROM reason.guarded_changes() c WHERE c.change = proposal ->> 'change';
    recorded := event -> g.member;
    IF g.event_type IS DISTINCT FROM event ->> 'eventType' OR jsonb_typeof(recorded) IS DISTINCT FROM 'object' OR jsonb_typeof(proposal -> 'arguments') IS DISTINCT FROM 'object' THEN
        RETURN format('change "%s" was approved', proposal ->> 'change');
    END IF;
    FOR argument IN SELECT a.key, a.value FROM jsonb_each(proposal -> 'arguments') a ORDER BY a.key LOOP
        name := reason.recorded_member(argument.key, g.renamed);
        CONTINUE WHEN name = g.moment AND argument.value = 'null';
        moment_given := moment_given OR name IS NOT DISTINCT FROM g.moment;
        IF coalesce(recorded -> name, 'null') <> argument.value THEN
            RETURN format('%s was approved as %s, and is recorded as %s', name, argument.value, coalesce(recorded -> name, 'null'));
        END IF;
    END LOOP;
    -- In the form of RFC 3339 that events have, texts are in the order of the times.
    -- Whose time has yet to come ends when it would begin.
    IF g.moment = 'validTo' AND recorded ->> 'validTo' = recorded ->> 'validFrom' AND (recorded ->> 'validTo') COLLATE "C" > event ->> 'ts' THEN
        RETURN NULL;
    END IF;
    IF g.moment IS NOT NULL AND NOT moment_given
       AND ((recorded ->> g.moment) COLLATE "C" BETWEEN proposal ->> 'proposedAt' AND event ->> 'ts') IS NOT TRUE THEN
        RETURN format('%s was to be the time of the change, and is recorded as %s', g.moment, recorded -> g.moment);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION reason.recorded_otherwise(jsonb, jsonb) IS 'In what an event differs from the proposal that was approved; NULL when it records just that.';

CREATE FUNCTION reason.approval_fault(event jsonb, kind text, threshold integer, approvers jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    needed CONSTANT integer := CASE WHEN kind IS NULL THEN 0 ELSE coalesce(threshold, 0) END;
    ts CONSTANT text := event ->> 'ts';
    proposal jsonb;
    signed bytea;
    counted integer;
    fault text;
BEGIN
    IF event -> 'approved' IS NULL THEN
        RETURN CASE WHEN needed > 0 THEN format('a change of kind "%s" needs %s approvals, and it has none', kind, needed) END;
    END IF;
    proposal := event #> '{approved,proposal}';
    IF jsonb_typeof(proposal) IS DISTINCT FROM 'object' OR proposal ->> 'type' IS DISTINCT FROM 'reasoning-graph/proposal/v1'
       OR jsonb_typeof(event #> '{approved,approvals}') IS DISTINCT FROM 'array'
       OR (proposal ->> 'id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$') IS NOT TRUE THEN
        RETURN 'what approved it is no proposal with approvals';
    END IF;
    fault := reason.recorded_otherwise(event, proposal);
    IF fault IS NOT NULL THEN
        RETURN format('it is not what proposal "%s" says: %s', proposal ->> 'id', fault);
    END IF;
    IF (ts COLLATE "C" BETWEEN proposal ->> 'proposedAt' AND proposal ->> 'expiresAt') IS NOT TRUE THEN
        RETURN format('proposal "%s" could be executed from %s to %s only', proposal ->> 'id', proposal ->> 'proposedAt', proposal ->> 'expiresAt');
    END IF;
    signed := convert_to(reason.canonical_json(proposal), 'UTF8');
    SELECT count(DISTINCT a ->> 'approverId') INTO counted
    FROM jsonb_array_elements(event #> '{approved,approvals}') a, jsonb_extract_path(approvers, a ->> 'approverId') k
    WHERE ts COLLATE "C" >= k ->> 'validFrom' AND (k ->> 'validTo' IS NULL OR ts COLLATE "C" <= k ->> 'validTo')
      AND reason.approval_verifies(k ->> 'publicKey', signed, a ->> 'signature');
    RETURN CASE WHEN counted < needed THEN format('a change of kind "%s" needs %s approvals, and proposal "%s" has %s that count',
                                                  kind, needed, proposal ->> 'id', counted) END;
END
$$;
COMMENT ON FUNCTION reason.approval_fault(jsonb, text, integer, jsonb) IS
    'What an event of division system lacks to be approved; NULL: nothing. kind: change_kind() of the event. threshold: how many approvals that kind needs at this place of the chain. approvers: those registered by then, {id: {publicKey, validFrom, validTo}}. Whether its proposal belongs at this place, proposal_place_fault() says.';

CREATE FUNCTION reason.approval_verifies(public_key text, message bytea, signature text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    RETURN reason.ed25519_verify(reason.public_key($1), $2, decode($3, 'base64')) IS TRUE;
EXCEPTION WHEN data_exception THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION reason.approval_verifies(text, bytea, text) IS 'Whether a signature in base64 is that of a key in base64; false for what is neither.';

CREATE FUNCTION reason.proposal_place_fault(proposal jsonb, event_id uuid, seq bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
BEGIN
    IF jsonb_typeof(proposal -> 'head') = 'object' AND NOT EXISTS (
        SELECT FROM reason.audit_seal s
        WHERE s.division = 'system' AND s.seq = (proposal #>> '{head,seq}')::bigint AND s.hash = decode(proposal #>> '{head,hash}', 'hex')
          AND s.seq < coalesce(proposal_place_fault.seq, 9223372036854775807)) THEN
        RETURN format('proposal "%s" was made on another chain than this one', proposal ->> 'id');
    END IF;
    -- Without a place it would count on every chain: it must be older than this one.
    IF jsonb_typeof(proposal -> 'head') IS DISTINCT FROM 'object'
       AND (SELECT e.payload::jsonb ->> 'ts' FROM reason.audit_event e WHERE e.division = 'system' ORDER BY e.no LIMIT 1)::timestamptz
           <= (proposal ->> 'proposedAt')::timestamptz THEN
        RETURN format('proposal "%s" names no place in the chain, which had begun', proposal ->> 'id');
    END IF;
    IF EXISTS (SELECT FROM reason.proposal_executed x WHERE x.proposal_id = (proposal ->> 'id')::uuid AND x.audit_event_id <> $2) THEN
        RETURN format('proposal "%s" was executed before', proposal ->> 'id');
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION reason.proposal_place_fault(jsonb, uuid, bigint) IS
    'Why a proposal may not be executed by this event, at this place of the chain of division system (NULL: its end): the chain that it was made on, and that it is executed once. NULL: it may.';

CREATE FUNCTION reason.present_approvers() RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT coalesce(jsonb_object_agg(a.approver_id, jsonb_build_object('publicKey', a.public_key, 'validFrom', reason.recorded_time(a.valid_from),
                                                                       'validTo', reason.recorded_time(a.valid_to))), '{}')
    FROM reason.approver a
$$;
COMMENT ON FUNCTION reason.present_approvers() IS 'The approvers that are registered now, in the form of approval_fault().';

CREATE FUNCTION reason.present_approval_fault(event jsonb, seq bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    found_kind CONSTANT text := reason.change_kind(event, reason.present_archive_rule(event #>> '{archiveRule,division}'));
BEGIN
    RETURN coalesce(
        reason.approval_fault(event, found_kind, (SELECT r.threshold FROM reason.approval_rule r WHERE r.kind = found_kind), reason.present_approvers()),
        CASE WHEN event -> 'approved' IS NOT NULL THEN reason.proposal_place_fault(event #> '{approved,proposal}', (event ->> 'id')::uuid, seq) END);
END
$$;
COMMENT ON FUNCTION reason.present_approval_fault(jsonb, bigint) IS 'What an event lacks, by the approvers, thresholds and archive rules that hold now, before it takes effect.';

-- ---------------------------------------------------------------- recording a change

CREATE FUNCTION reason.append_change(event_type text, body jsonb) RETURNS uuid
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    executing reason.proposal_in_execution;
    event_id uuid;
    event jsonb;
    fault text;
BEGIN
    -- Approvers and thresholds must be those of the event's place in the chain.
    IF event_type IN ('approver.changed', 'approvalRule.changed') THEN
        UPDATE reason.approval_fence SET turn = turn + 1;
    ELSE
        PERFORM FROM reason.approval_fence FOR SHARE;
    END IF;
    SELECT * INTO executing FROM reason.proposal_in_execution;
    IF FOUND THEN
        body := body || jsonb_build_object('approved', (SELECT jsonb_build_object('proposal', p.document, 'approvals',
            (SELECT coalesce(jsonb_agg(jsonb_build_object('approverId', a.approver_id, 'signature', a.signature) ORDER BY a.approver_id COLLATE "C"), '[]')
             FROM reason.approval a WHERE a.proposal_id = p.id)) FROM reason.proposal p WHERE p.id = executing.proposal_id));
    END IF;
    event_id := reason.append_event('system', event_type, body);
    -- The event is checked exactly as readers of the chain will check it.
    SELECT e.payload::jsonb INTO event FROM reason.audit_event e WHERE e.id = event_id AND e.division = 'system';
    fault := CASE WHEN executing.rehearsal THEN reason.approval_fault(event, NULL, 0, '{}') ELSE reason.present_approval_fault(event, NULL) END;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('cannot make the change: %s', fault),
            HINT = CASE WHEN executing.proposal_id IS NULL THEN 'Propose it with reason.propose(), have it approved with reason.approve(), and execute it with reason.execute().'
                        ELSE 'Collect more approvals with reason.approve(), or propose the change anew.' END;
    END IF;
    IF executing.proposal_id IS NOT NULL THEN
        INSERT INTO reason.proposal_executed (proposal_id, audit_event_id) VALUES (executing.proposal_id, event_id);
    END IF;
    RETURN event_id;
END
$$;
COMMENT ON FUNCTION reason.append_change(text, jsonb) IS
    'append_event() of division system for a change of guarded_changes(), with the approvals of the proposal that is being executed. Raises 42501 when it needs more than it has, by what holds now: a change of approvers, thresholds or archive rules is written after this.';
