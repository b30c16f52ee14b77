-- Who may do what: every grant of the product, in one place.
--
-- Nothing is granted to PUBLIC. Functions that write, or that take an identity as an
-- argument, run with their owner's rights (SECURITY DEFINER, search_path pinned) and are
-- granted to the one role that has business calling them.

REVOKE ALL ON SCHEMA reason FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA reason FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA reason FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA reason FROM PUBLIC;

GRANT USAGE ON SCHEMA reason TO reason_reader, reason_auditor, reason_writer, reason_gateway, reason_sidecar, reason_admin;

-- An auditor is a reader who also verifies and sees content; an admin is an auditor who also
-- keeps signers, clients and safe mode.
GRANT reason_reader TO reason_auditor;
GRANT reason_auditor TO reason_admin;

-- ---------------------------------------------------------------- reason_backup: what pg_dump reads
-- Row security is passed by an attribute of the login itself (BYPASSRLS), which no membership gives.
GRANT USAGE ON SCHEMA reason TO reason_backup;
GRANT SELECT ON ALL TABLES IN SCHEMA reason TO reason_backup;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA reason TO reason_backup;
REVOKE ALL ON reason.cursor_secret FROM reason_backup;

-- ---------------------------------------------------------------- everybody with a role
GRANT EXECUTE ON FUNCTION
    reason.canonical_json(json),
    reason.canonical_json(jsonb),
    reason.digest(jsonb),
    reason.division_visible(text),
    reason.visible_divisions()
TO reason_reader, reason_writer, reason_gateway, reason_sidecar;

-- ---------------------------------------------------------------- reason_reader: columns that hold nothing personal, and the rest redacted
GRANT SELECT (no, id, division, type, created_at, occurred_at, version, manifest_signature_id, payload_hash, digest, audit_event_id)
    ON reason.node TO reason_reader;
GRANT SELECT (no, id, division, from_no, to_no, type, weight, created_at, digest, audit_event_id) ON reason.edge TO reason_reader;
GRANT SELECT (no, id, division, target_no, type, created_at, payload_hash, digest, audit_event_id)
    ON reason.annotation TO reason_reader;
GRANT SELECT (no, id, division, status, root_ids, depth, direction, include_annotations,
              pii_included, manifest_signature_id, graph_version, created_at, node_count,
              edge_count, signer_id, signed_at, object_uri, object_version, completed_at, audit_event_id, erased_event_id, log)
    ON reason.snapshot TO reason_reader;

GRANT EXECUTE ON FUNCTION
    reason.trace(uuid, text, integer, text[], text[], double precision, double precision, timestamptz, integer, text, bigint),
    reason.trace_from(uuid[], text, integer, text[], text[], double precision, double precision, timestamptz, integer, text, bigint),
    reason.trace_size(uuid, text, integer, text[], text[], double precision, double precision, timestamptz, text, bigint),
    reason.strongest_paths(uuid, uuid, integer, text[], timestamptz, text, bigint),
    reason.causal_path(uuid, uuid, text[], double precision, timestamptz, text, bigint),
    reason.ordered_trace(uuid, text, bigint),
    reason.impact(uuid, integer, timestamptz, text, bigint),
    reason.trace_diff(uuid, uuid, timestamptz, timestamptz, bigint, bigint, text, integer, text),
    reason.export_trace(uuid, text, text, integer, integer, text, timestamptz, text, bigint, text),
    reason.export_impact(uuid, text, integer, integer, text, timestamptz, text, bigint),
    reason.export_explanation(uuid, text, integer, integer, text, timestamptz, text, bigint),
    reason.export_diff(uuid, uuid, text, timestamptz, timestamptz, bigint, bigint, text, integer, integer, text, text),
    reason.redact(jsonb),
    reason.redact_text(text)
TO reason_reader;
GRANT SELECT ON reason.redacted_node, reason.redacted_edge, reason.redacted_annotation, reason.redacted_snapshot TO reason_reader;

-- ---------------------------------------------------------------- reason_auditor: content and proof
GRANT SELECT ON reason.node, reason.edge, reason.annotation, reason.snapshot, reason.snapshot_chunk,
    reason.audit_event, reason.audit_seal, reason.audit_signature, reason.signer TO reason_auditor;

-- ---------------------------------------------------------------- reason_writer: the write functions, no table
GRANT EXECUTE ON FUNCTION
    reason.add_node(text, jsonb, text, text, jsonb, uuid, timestamptz, text, text, jsonb, uuid),
    reason.add_edge(uuid, uuid, text, double precision, jsonb, uuid, text, uuid),
    reason.annotate(uuid, text, jsonb, text, text, jsonb, text),
    reason.add_nodes(json),
    reason.add_edges(json)
TO reason_writer;

-- ---------------------------------------------------------------- reason_gateway: the HTTP API, no table
GRANT EXECUTE ON FUNCTION reason.http_pieces(text) TO reason_gateway;
-- Every function whose name begins with http_ and that answers a request.
DO $$
DECLARE
    route regprocedure;
BEGIN
    FOR route IN SELECT p.oid FROM pg_catalog.pg_proc p
                 WHERE p.pronamespace = 'reason'::regnamespace AND p.prorettype = 'reason.http_response'::regtype
                   AND p.prosecdef
    LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO reason_gateway', route);
        -- Errors for a client may hold names from its payload, which must not get into the server's log. Defects of ours
        -- are logged by the gateway.
        EXECUTE pg_catalog.format('ALTER FUNCTION %s SET log_min_messages = log', route);
    END LOOP;
END
$$;

-- ---------------------------------------------------------------- reason_admin: the adjacency cache
GRANT EXECUTE ON FUNCTION reason.build_adjacency_cache(), reason.adjacency_cache_status(), reason.create_text_index() TO reason_admin;

-- ---------------------------------------------------------------- reason_admin: clients
GRANT EXECUTE ON FUNCTION
    reason.set_client(text, text, text[], boolean, text, text, boolean),
    reason.set_quota(text, text, bigint, bigint),
    reason.grant_division(name, text),
    reason.freeze_division(text, text, text[]),
    reason.await_frozen(text, interval),
    reason.move_division(text, text, bigint, text),
    reason.thaw_division(text, text, bigint, text),
    reason.division_head(text),
    reason.idempotency_keys_of(text),
    reason.revoke_division(name, text),
    reason.quota_today(text),
    reason.expire_idempotency_keys(interval),
    reason.set_pii_rule(text, text, text, text, text, text, boolean, text),
    reason.drop_pii_rule(text),
    reason.try_pii_rule(text, text, text, text, text, integer, integer)
TO reason_admin;
GRANT EXECUTE ON FUNCTION reason.expire_idempotency_keys(interval) TO reason_sidecar;
GRANT SELECT ON reason.client, reason.quota, reason.quota_use, reason.division_grant, reason.division_placement, reason.pii_rule TO reason_admin;

-- ---------------------------------------------------------------- policy rules and quarantine
GRANT EXECUTE ON FUNCTION reason.sees_quarantined(), reason.row_shown(oid, tid) TO reason_reader;
GRANT SELECT ON reason.quarantine, reason.quarantine_release TO reason_auditor;
GRANT EXECUTE ON FUNCTION reason.quarantine_event_fault(json, text), reason.quarantine_stray_fault(text) TO reason_auditor;
GRANT EXECUTE ON FUNCTION
    reason.set_policy_rule(text, text[], text[], text, jsonpath, text, boolean),
    reason.release_quarantine(uuid, text, text)
TO reason_admin;
GRANT SELECT ON reason.policy_rule TO reason_admin;

-- ---------------------------------------------------------------- the chain: verified by auditors, kept by the sidecar
GRANT EXECUTE ON FUNCTION reason.signer_registry(), reason.note_vkey(text, integer, bytea) TO reason_reader, reason_sidecar;
GRANT EXECUTE ON FUNCTION
    reason.verify_audit(text, bigint, bigint),
    reason.verify_all(),
    reason.verify_log(text),
    reason.checkpoint_fault(text),
    reason.checkpoint_signature_fault(reason.audit_checkpoint_signature),
    reason.checkpoint_cosignature_fault(reason.audit_cosignature),
    reason.checkpoint_note_fault(text, bigint, bytea, bytea, bytea, text),
    reason.cosignature_fault(text, bigint, bytea, text, bigint, bytea),
    reason.log_key(text),
    reason.log_heads_fault(),
    reason.known_divisions(),
    reason.chain_end(text, bigint),
    reason.sealed_no(text),
    reason.stray_fault(text),
    reason.rule_faults(),
    reason.guard_faults(),
    reason.erasure(text, uuid),
    reason.ed25519_verify(bytea, bytea, bytea),
    reason.public_key(text),
    reason.public_key_spki(bytea),
    reason.signer_event_fault(json),
    reason.rfc3339(timestamptz),
    reason.recorded_time(timestamptz)
TO reason_auditor;
GRANT SELECT ON reason.audit_events, reason.sealer_state, reason.mended_event TO reason_auditor;
GRANT EXECUTE ON FUNCTION
    reason.seal_events(bigint, integer),
    reason.unsigned_seals(integer),
    reason.unsigned_seals_with_events(integer),
    reason.record_seal_signatures(bigint, text, text[], bigint[], bytea[])
TO reason_sidecar;

-- ---------------------------------------------------------------- the log: read by auditors, kept by the sidecar
GRANT SELECT ON reason.audit_subtree, reason.audit_checkpoint, reason.audit_checkpoint_signature, reason.audit_cosignature TO reason_auditor;
GRANT EXECUTE ON FUNCTION
    reason.current_origin(text),
    reason.log_origins(text),
    reason.tree_size(text),
    reason.tree_root(text, bigint),
    reason.inclusion_proof(text, bigint, bigint),
    reason.consistency_proof(text, bigint, bigint),
    reason.tile(text, integer, bigint, integer),
    reason.tile_entries(text, bigint, integer),
    reason.last_checkpoint(text),
    reason.checkpoint_text(text, bigint, bytea),
    reason.merkle_root(text[])
TO reason_auditor, reason_sidecar;
GRANT EXECUTE ON FUNCTION
    reason.grow_tree(bigint, text, integer),
    reason.checkpoints_due(bigint, interval, boolean),
    reason.record_checkpoint(bigint, text, text, bigint, text, bytea, text),
    reason.record_cosignature(bigint, text, text, bigint, text, bigint, bytea, text[]),
    reason.record_log_heads(bigint, interval, interval),
    reason.log_sizes(text),
    reason.log_hashes(text, integer, bigint, integer),
    reason.log_signatures(text, bigint[]),
    reason.log_records(text, text, uuid[]),
    reason.log_links(text, uuid[], text, bigint),
    reason.log_annotations(text, uuid[], bigint),
    reason.report_log_fault(bigint, text, integer)
TO reason_sidecar;
GRANT EXECUTE ON FUNCTION reason.checkpoints_to_cosign(text, text[]), reason.cosigned_checkpoints(text, integer, text[]) TO reason_sidecar;
GRANT EXECUTE ON FUNCTION reason.set_log_prefix(text) TO reason_admin;
GRANT SELECT ON reason.log_prefix, reason.log_head TO reason_admin;

-- ---------------------------------------------------------------- reason_admin: keys and erasure
GRANT EXECUTE ON FUNCTION
    reason.add_signer(text, text, timestamptz, timestamptz, text),
    reason.retire_signer(text),
    reason.revoke_signer(text, text, timestamptz),
    reason.erase_payload(uuid, text, text),
    reason.erase_annotation(uuid, text, text)
TO reason_admin;

-- ---------------------------------------------------------------- approvals: collected by administrators, looked at by auditors
GRANT EXECUTE ON FUNCTION
    reason.add_approver(text, text, timestamptz, timestamptz),
    reason.retire_approver(text),
    reason.set_approval_threshold(text, integer),
    reason.propose(text, jsonb, interval),
    reason.approve(uuid, text, text),
    reason.execute(uuid)
TO reason_admin;
GRANT EXECUTE ON FUNCTION reason.proposal_text(uuid), reason.approval_faults() TO reason_auditor;
GRANT SELECT ON reason.approver, reason.approval_rule, reason.proposal, reason.approval, reason.proposal_executed TO reason_auditor;

-- ---------------------------------------------------------------- reason_sidecar: leases, emitting, archiving, reports
GRANT EXECUTE ON FUNCTION
    reason.acquire_lease(text, text, interval),
    reason.claim_lease(text, text, interval),
    reason.release_lease(text, bigint),
    reason.report_sidecar(text, text, text),
    reason.sidecar_status(text, text, text[]),
    reason.parked_items(),
    reason.record_archive_failure(bigint, text, text, bigint, text, integer),
    reason.lock_doorbell(),
    reason.unlock_doorbell(),
    reason.signing_key(text, text),
    reason.snapshot_attempts(uuid),
    reason.events_to_emit(bigint, text, integer, bigint),
    reason.record_emitted(bigint, text, text[], bigint[]),
    reason.last_emission(text),
    reason.park_event(bigint, text, text, bigint, text),
    reason.segment_to_archive(bigint, text, integer, interval, bigint),
    reason.segment_lines(bigint, text, bigint, bigint),
    reason.record_archived(bigint, text, text, bigint, bigint, text, text, text, text, text, timestamptz, boolean),
    reason.segments_to_protect(bigint, text, integer),
    reason.record_protected(bigint, text, text, bigint, timestamptz, boolean)
TO reason_sidecar;

-- ---------------------------------------------------------------- safe mode
GRANT EXECUTE ON FUNCTION
    reason.mirror_events(text, bigint, text, integer, bigint, text, integer, bigint),
    reason.mirror_heads(text[]),
    reason.mirror_marks(bigint, text, text[]),
    reason.record_mirrored(bigint, text, text, bigint),
    reason.park_mirrored(bigint, text, text, bigint, text),
    reason.unpark_mirrored(bigint, text, text, bigint),
    reason.mirror_retries(text, integer),
    reason.mirror_counts(text, bigint),
    reason.mirror_trace(text, uuid, bigint, integer)
TO reason_sidecar;

GRANT EXECUTE ON FUNCTION
    reason.compared(),
    reason.archive_mark(text, text),
    reason.unknown_segments(text, text[]),
    reason.compare_chains(bigint, text, text[], text[], bigint[], text[], text),
    reason.chain_heads(),
    reason.recovery_fault(json, text),
    reason.recover_event(json, json),
    reason.recover_segment(text, text, text, text, text, text, text, text, json),
    reason.forgotten_snapshots(),
    reason.restore_snapshot_chunk(uuid, text, integer, bytea),
    reason.restore_snapshot(uuid, text)
TO reason_sidecar;
GRANT EXECUTE ON FUNCTION reason.leave_safe_mode(text), reason.import_snapshot(text, text, text, json) TO reason_admin;
GRANT EXECUTE ON FUNCTION reason.safe_mode_fault(), reason.sealing_fault() TO reason_reader, reason_sidecar;
GRANT SELECT ON reason.safe_mode TO reason_admin;
GRANT EXECUTE ON FUNCTION
    reason.sidecar_status(text, text, text[]),
    reason.parked_items(),
    reason.set_archive_rule(text, integer, boolean),
    reason.retry_emission(text, text),
    reason.retry_segment(text, text, bigint),
    reason.retry_mirrored(text, text),
    reason.forget_mirror(text),
    reason.mend_chain(text, text),
    reason.give_up_snapshot(uuid, text)
TO reason_admin;
GRANT EXECUTE ON FUNCTION reason.trace_statistics() TO reason_admin, reason_sidecar;
GRANT EXECUTE ON FUNCTION reason.archived_event(text, bigint) TO reason_auditor;
GRANT SELECT ON reason.archive_segment, reason.emission, reason.emission_parked, reason.mirror_mark, reason.mirror_parked, reason.parked, reason.halted_chain, reason.archive_rule, reason.lease TO reason_admin;

-- ---------------------------------------------------------------- snapshots: frozen and verified by auditors, completed by the sidecar
GRANT EXECUTE ON FUNCTION
    reason.create_snapshot(uuid[], integer, text, text, text, boolean, text, text, boolean, text),
    reason.retry_snapshot(uuid),
    reason.snapshot_of(uuid),
    reason.snapshot_chunk(uuid, integer),
    reason.snapshot_document(uuid),
    reason.snapshot_envelope(uuid),
    reason.snapshot_diff(uuid, uuid),
    reason.export_snapshot(uuid, text, text, integer, text),
    reason.snapshot_records(bigint, text),
    reason.snapshots_holding(uuid),
    reason.snapshot_with_document(uuid),
    reason.require_document(reason.snapshot),
    reason.erases_document(uuid, text, uuid),
    reason.snapshot_form_digest(reason.snapshot),
    reason.erased_document_fault(reason.snapshot),
    reason.erased_document_remark(reason.snapshot),
    reason.erasure_event_fault(json, text),
    reason.verify_snapshot(uuid),
    reason.snapshot_proof(uuid),
    reason.verify_snapshot(uuid, text, text),
    reason.verify_snapshot_document(text, text, text),
    reason.check_document(bigint, text, text, bigint),
    reason.snapshot_end_seq(reason.snapshot),
    reason.snapshot_log_fault(reason.snapshot),
    reason.snapshot_log_remark(reason.snapshot),
    reason.signature_fault(text, bytea, text, timestamptz, timestamptz, boolean),
    reason.key_validity(timestamptz, timestamptz, boolean, timestamptz, timestamptz, timestamptz, boolean, boolean),
    reason.snapshot_state(reason.snapshot),
    reason.snapshot_row_fault(reason.snapshot, json, bigint, bigint, bigint),
    reason.snapshot_event_fault(json, text)
TO reason_auditor;
GRANT EXECUTE ON FUNCTION
    reason.claim_snapshots(bigint, integer),
    reason.pending_snapshot(uuid),
    reason.snapshot_chunk(uuid, integer),
    reason.record_snapshot_signature(bigint, uuid, text, bytea),
    reason.record_snapshot_stored(bigint, uuid, text, text),
    reason.record_snapshot_failure(bigint, uuid, text, boolean),
    reason.snapshot_spans(uuid),
    reason.seal_events_traced(bigint, integer),
    reason.traced_events(text[], bigint[])
TO reason_sidecar;
GRANT EXECUTE ON FUNCTION reason.event_proof(uuid, text), reason.node_proof(uuid, text) TO reason_auditor;
GRANT EXECUTE ON FUNCTION reason.event_payload(reason.audit_event), reason.audit_event_json(reason.audit_events) TO reason_auditor;
GRANT EXECUTE ON FUNCTION reason.replay(json, json) TO reason_admin;
