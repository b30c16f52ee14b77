-- The HTTP API: writes that SentinelNet has a say in.
--
-- The write is made in a subtransaction and looked at: what a rule matches is the record as it would stand, defaults and
-- division resolved, and a write that is invalid is refused before anybody is asked. Whatever may not stand is undone.

CREATE FUNCTION reason.http_error(status integer, code text, message text, request_id text, details jsonb) RETURNS reason.http_response
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT ROW($1, CASE WHEN $1 = 503 THEN E'Retry-After: 1\n' END, jsonb_build_object('error', $3, 'code', 'REASONING_GRAPH_' || $2,
        'requestId', coalesce($4, ''), 'details', $5)::text)::reason.http_response
$$;
COMMENT ON FUNCTION reason.http_error(integer, text, text, text, jsonb) IS 'An error that keeps what the transaction wrote; any other is raised.';

CREATE FUNCTION reason.policy_question(caller reason.client, request json, kind text, single boolean, matched reason.policy_match) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, reason, pg_temp
AS $$
    SELECT jsonb_build_object('requestId', $2 ->> 'requestId', 'action', $3 || '.create', 'actor', ($1).name,
        'resource', CASE WHEN $4 THEN ($5).records -> 0
                         ELSE jsonb_build_object('kind', $3 || 's', 'division', ($5).division, 'records', ($5).records) END,
        'context', jsonb_strip_nulls(jsonb_build_object('role', ($1).role, 'rules', ($5).rules, 'traceparent', $2 ->> 'traceparent')))::text
$$;
COMMENT ON FUNCTION reason.policy_question(reason.client, json, text, boolean, reason.policy_match) IS 'What SentinelNet is asked: {requestId, action, actor, resource, context}. A batch gives the records that matched.';

CREATE FUNCTION reason.http_write_checked(caller reason.client, request json, kind text, single boolean, route text, target uuid,
    request_body text, idempotency_key text, policy_status text, policy_answer text, path_division text DEFAULT NULL) RETURNS reason.http_response
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, reason, pg_temp
AS $$
DECLARE
    undo CONSTANT text := 'RG001';
    request_id text := request ->> 'requestId';
    verdict reason.policy_verdict := reason.policy_verdict_of(policy_status, policy_answer, request_id);
    check_id uuid := CASE WHEN verdict.decision IN ('deny', 'quarantine') THEN reason.uuid_v7() END;
    matched reason.policy_match;
    written record;
    stands boolean;
    response reason.http_response;
BEGIN
    BEGIN
        response := reason.http_replay(caller.name, idempotency_key, route, request_body);
        IF NOT (response IS NULL) THEN
            RETURN response;
        END IF;
        written := reason.http_written(kind, single, request_body, target, caller.divisions, caller.name, request, reason.policy_record(verdict, check_id), path_division);
        matched := reason.policy_matches(kind, written.numbers);
        matched.division := coalesce(matched.division, (SELECT e.division FROM reason.audit_event e WHERE e.no = written.numbers[1]));
        -- A rule may have been disabled since the question: the answer holds all the same.
        stands := CASE verdict.decision WHEN 'allow' THEN true WHEN 'quarantine' THEN true WHEN 'deny' THEN false
                                        WHEN 'unanswered' THEN matched.silence_denies IS NOT TRUE ELSE matched.rules IS NULL END;
        IF stands THEN
            response := written.response;
            IF verdict.decision = 'quarantine' THEN
                PERFORM reason.quarantine_records(kind, written.numbers, check_id);
                PERFORM reason.policy_check_node(check_id, kind, cardinality(written.numbers), matched, verdict, request);
                response.body := rtrim(response.body, '}') || format(',"quarantined":true,"policyCheckId":"%s"}', check_id);
            END IF;
            PERFORM reason.http_remember(caller.name, idempotency_key, response);
            RETURN response;
        END IF;
        RAISE EXCEPTION USING ERRCODE = undo, MESSAGE = 'the write is undone';
    EXCEPTION WHEN SQLSTATE 'RG001' THEN
        NULL;
    END;

    IF verdict.decision IS NULL THEN
        RETURN ROW(202, E'X-Reason-Policy: ask\n', reason.policy_question(caller, request, kind, single, matched))::reason.http_response;
    END IF;
    IF verdict.decision = 'unanswered' THEN
        -- Not kept for repeats: at the next attempt the policy service may answer.
        RETURN reason.http_error(503, 'DEPENDENCY', 'the policy check could not be made, and the rules allow no write without it', request_id,
                                 jsonb_build_object('reason', verdict.reason, 'rules', matched.rules));
    END IF;
    response := reason.http_replay(caller.name, idempotency_key, route, request_body);
    IF response IS NULL THEN
        PERFORM reason.policy_check_node(check_id, kind, cardinality(written.numbers), matched, verdict, request);
        PERFORM reason.append_event(matched.division, 'policy.denied', jsonb_build_object(
            'denied', jsonb_build_object('action', kind || '.create', 'records', cardinality(written.numbers), 'types', matched.types),
            'policy', reason.policy_record(verdict, check_id), 'request', request));
        response := reason.http_error(403, 'POLICY_DENIED', 'a policy check denied the write', request_id, jsonb_build_object(
            'policyCheckId', check_id, 'reason', verdict.reason, 'policyId', verdict.policy_id, 'policyVersion', verdict.policy_version));
        PERFORM reason.http_remember(caller.name, idempotency_key, response);
    END IF;
    RETURN response;
END
$$;
COMMENT ON FUNCTION reason.http_write_checked(reason.client, json, text, boolean, text, uuid, text, text, text, text, text) IS
    'A write under policy rules. Without policy_status, and if a rule matches: writes nothing and returns 202 with the header X-Reason-Policy and the question as body, which the gateway asks and then calls again. With it: does what the answer says.';
