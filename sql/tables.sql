-- Tables of the reasoning graph.
--
-- Everything here is written once and never changed, except the few tables that
-- hold state rather than record (snapshot.status and its companions, signer.status,
-- client, lease, sealer_state, halted_chain, idempotency_key); sql/append_only.sql enforces that.
--
-- Keys are laid out so that the division, the tenant, is part of every primary and
-- unique key, while the walk along edges compares one 8-byte integer.

CREATE SEQUENCE reason.record_no AS bigint;
COMMENT ON SEQUENCE reason.record_no IS
    'Numbers nodes, edges, annotations and events. CACHE 1, and drawn only by transactions that already have an xid: the sealer derives from it which numbers are decided.';

-- ---------------------------------------------------------------- locks

CREATE FUNCTION reason.lock_until_commit(name text) RETURNS void
LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'reason_lock_until_commit';
COMMENT ON FUNCTION reason.lock_until_commit(text) IS 'Like pg_advisory_xact_lock(), in a space of its own that nobody else can lock in: for functions that run with the owner''s rights.';

-- ---------------------------------------------------------------- names

CREATE FUNCTION reason.check_division(division text) RETURNS void
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_check_division';
COMMENT ON FUNCTION reason.check_division(text) IS 'Raises 22023 for a name that no division can have; * stands for all.';

CREATE FUNCTION reason.check_signer_id(signer_id text) RETURNS void
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_check_signer_id';
COMMENT ON FUNCTION reason.check_signer_id(text) IS 'Raises 22023 for an id that no signer can have.';

CREATE FUNCTION reason.check_label(name text, what text, most int) RETURNS void
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_check_label';
COMMENT ON FUNCTION reason.check_label(text, text, int) IS 'Raises 22023 for a name that people cannot tell by looking at it: empty, with white space at an end, with characters that control or cannot be seen, or of more than so many bytes.';

-- ---------------------------------------------------------------- types

CREATE FUNCTION reason.known_types(asked text[], kind text) RETURNS text[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_known_types';
COMMENT ON FUNCTION reason.known_types(text[], text) IS 'Types of nodes or edges (kind: node, edge or any) as they are recorded, asked for without regard to case; 22023 for what is no type, with the list.';

-- ---------------------------------------------------------------- the graph

CREATE TABLE reason.node (
    no                    bigint      NOT NULL DEFAULT nextval('reason.record_no'),
    id                    uuid        NOT NULL,
    division              text        NOT NULL,
    type                  text        NOT NULL,
    author                text        NOT NULL,
    payload               jsonb,
    metadata              jsonb       NOT NULL DEFAULT '{}',
    created_at            timestamptz NOT NULL,
    occurred_at           timestamptz,
    version               text,
    manifest_signature_id text,
    payload_ref           jsonb,
    salt                  bytea,
    payload_hash          bytea       NOT NULL,
    digest                bytea       NOT NULL,
    audit_event_id        uuid        NOT NULL,
    -- serves the walk: (no) -> id, created_at without touching the heap
    CONSTRAINT node_pkey PRIMARY KEY (no, division) INCLUDE (id, created_at),
    CONSTRAINT node_id_key UNIQUE (id, division),
    CONSTRAINT node_type_check CHECK (type IN ('observation', 'recommendation', 'decision', 'action',
        'hypothesis', 'policyCheck', 'score', 'correction', 'annotation')),
    CONSTRAINT node_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT node_payload_salt_check CHECK ((payload IS NULL) = (salt IS NULL)),
    CONSTRAINT node_digest_check CHECK (octet_length(digest) = 32 AND octet_length(payload_hash) = 32)
);
COMMENT ON TABLE reason.node IS 'One step of reasoning: an observation, score, recommendation, decision, action ... Never updated; a correction is a new node with an edge of type corrects.';
COMMENT ON COLUMN reason.node.no IS 'Narrow key of the walk; meaningless outside this database.';
COMMENT ON COLUMN reason.node.division IS 'The tenant. An edge and both its ends live in one division.';
COMMENT ON COLUMN reason.node.payload IS 'Content; NULL once erased. The proof covers payload_hash, never the payload itself.';
COMMENT ON COLUMN reason.node.created_at IS 'When the node was recorded (server clock).';
COMMENT ON COLUMN reason.node.occurred_at IS 'When it happened according to its author ("ts"), if the author said so.';
COMMENT ON COLUMN reason.node.payload_ref IS 'Where larger content is kept: {uri, sha256, size}.';
COMMENT ON COLUMN reason.node.salt IS '16 random bytes; NULL once erased.';
COMMENT ON COLUMN reason.node.payload_hash IS 'SHA-256(salt || canonical(payload)).';
COMMENT ON COLUMN reason.node.digest IS 'SHA-256 of the canonical record in the node.created event.';

-- serves: the nodes of a division, newest first, whatever the others write
CREATE INDEX node_division_idx ON reason.node (division, no);

CREATE TABLE reason.edge (
    no             bigint           NOT NULL DEFAULT nextval('reason.record_no'),
    id             uuid             NOT NULL,
    division       text             NOT NULL,
    from_no        bigint           NOT NULL,
    to_no          bigint           NOT NULL,
    type           text             NOT NULL,
    weight         double precision NOT NULL DEFAULT 1,
    metadata       jsonb            NOT NULL DEFAULT '{}',
    created_at     timestamptz      NOT NULL,
    digest         bytea            NOT NULL,
    audit_event_id uuid             NOT NULL,
    CONSTRAINT edge_pkey PRIMARY KEY (no, division) INCLUDE (id, created_at),
    CONSTRAINT edge_id_key UNIQUE (id, division),
    CONSTRAINT edge_type_check CHECK (type IN ('causal', 'supports', 'contradicts', 'derivedFrom',
        'influencedBy', 'corrects')),
    CONSTRAINT edge_weight_check CHECK (weight > '-Infinity' AND weight < 'Infinity'),
    CONSTRAINT edge_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT edge_digest_check CHECK (octet_length(digest) = 32)
);
COMMENT ON TABLE reason.edge IS 'A causal link: from is the cause, to the effect. Its record holds the digests of both ends.';
COMMENT ON COLUMN reason.edge.from_no IS 'node.no of the cause. Not a foreign key: nodes cannot be deleted, add_edge reads both ends, and a key check would lock (and so write) both node rows for every edge.';
COMMENT ON COLUMN reason.edge.to_no IS 'node.no of the effect.';

-- Ancestors: (effect) -> cause, edge.  Descendants: (cause) -> effect, edge.
-- INCLUDE keeps equal keys in heap order and rules out posting lists, which the walk relies on.
CREATE INDEX edge_to_idx ON reason.edge (to_no) INCLUDE (from_no, no);
CREATE INDEX edge_from_idx ON reason.edge (from_no) INCLUDE (to_no, no);
-- The same of edges whose cause was recorded after the effect, or is it: few, and every cycle has one.
-- A trace that ends at a depth reads them to say which of its last nodes lead back to an ancestor.
CREATE INDEX edge_back_to_idx ON reason.edge (to_no) INCLUDE (from_no, no) WHERE from_no >= to_no;
CREATE INDEX edge_back_from_idx ON reason.edge (from_no) INCLUDE (to_no, no) WHERE from_no >= to_no;

CREATE TABLE reason.annotation (
    no             bigint      NOT NULL DEFAULT nextval('reason.record_no'),
    id             uuid        NOT NULL,
    division       text        NOT NULL,
    target_no      bigint      NOT NULL,
    type           text        NOT NULL,
    author         text        NOT NULL,
    payload        jsonb,
    metadata       jsonb       NOT NULL DEFAULT '{}',
    created_at     timestamptz NOT NULL,
    salt           bytea,
    payload_hash   bytea       NOT NULL,
    digest         bytea       NOT NULL,
    audit_event_id uuid        NOT NULL,
    CONSTRAINT annotation_pkey PRIMARY KEY (no, division),
    CONSTRAINT annotation_id_key UNIQUE (id, division),
    CONSTRAINT annotation_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT annotation_payload_salt_check CHECK ((payload IS NULL) = (salt IS NULL)),
    CONSTRAINT annotation_digest_check CHECK (octet_length(digest) = 32 AND octet_length(payload_hash) = 32)
);
COMMENT ON TABLE reason.annotation IS 'A remark about a node, added afterwards. The node itself stays as it was.';
-- serves: the annotations of a node, in the order they were made
CREATE INDEX annotation_target_idx ON reason.annotation (target_no, created_at);

-- Pages become all-visible soon after they fill: index-only walks depend on it.
ALTER TABLE reason.node SET (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_insert_threshold = 5000);
ALTER TABLE reason.edge SET (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_insert_threshold = 5000);

-- ---------------------------------------------------------------- the chain

CREATE TABLE reason.audit_event (
    no         bigint      NOT NULL DEFAULT nextval('reason.record_no'),
    id         uuid        NOT NULL,
    division   text        NOT NULL,
    event_type text        NOT NULL,
    ts         timestamptz NOT NULL,
    payload    json        NOT NULL,
    CONSTRAINT audit_event_pkey PRIMARY KEY (no, division),
    CONSTRAINT audit_event_id_key UNIQUE (id, division)
);
COMMENT ON TABLE reason.audit_event IS 'What happened, written by the transaction that did it. The event of a node, edge or annotation has the same no as its record.';
COMMENT ON COLUMN reason.audit_event.payload IS 'The canonical JSON bytes that are hashed; of the event of a node, edge or annotation what its row does not say, {"policy", "request"}, unless it was stored whole (reason.keep_event_text). event_payload() gives the whole.';

CREATE FUNCTION reason.event_payload(e reason.audit_event) RETURNS json
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reason_event_payload';
COMMENT ON FUNCTION reason.event_payload(reason.audit_event) IS 'Exactly the canonical JSON bytes that are hashed: as they are stored, or made from the row of the node, edge or annotation, which must give its digest (XX001) and be of a division that the caller may see (42501).';

CREATE TABLE reason.audit_seal (
    division   text        NOT NULL,
    seq        bigint      NOT NULL,
    event_no   bigint      NOT NULL,
    prev_hash  bytea,
    hash       bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT audit_seal_pkey PRIMARY KEY (division, seq),
    -- serves the sealer: which events of a window of numbers have their place already
    CONSTRAINT audit_seal_event_key UNIQUE (event_no, division),
    CONSTRAINT audit_seal_seq_check CHECK (seq >= 0 AND (seq > 0 OR prev_hash IS NULL)),
    CONSTRAINT audit_seal_hash_check CHECK (octet_length(hash) = 32 AND octet_length(prev_hash) = 32)
);
COMMENT ON TABLE reason.audit_seal IS 'The place of an event in its division''s chain: hash = SHA-256(payload || prev_hash). Durable before anything is signed.';
COMMENT ON COLUMN reason.audit_seal.prev_hash IS 'The hash of the seal before, which that row holds: no longer stored. What was stored must be the same. audit_events shows it.';
COMMENT ON COLUMN reason.audit_seal.created_at IS 'greatest(event ts, created_at of the seal before + 1 microsecond): strictly increasing, and recomputed by verify_audit().';

CREATE TABLE reason.audit_signature (
    division  text   NOT NULL,
    seq       bigint NOT NULL,
    signer_id text   NOT NULL,
    signature bytea  NOT NULL,
    CONSTRAINT audit_signature_pkey PRIMARY KEY (division, seq),
    CONSTRAINT audit_signature_length_check CHECK (octet_length(signature) = 64)
);
COMMENT ON TABLE reason.audit_signature IS 'Ed25519 (RFC 8032) over the 32 bytes of the seal''s hash.';

CREATE TABLE reason.sealer_state (
    only_row          boolean NOT NULL DEFAULT true,
    decided_no        bigint  NOT NULL DEFAULT 0,
    seen_no           bigint  NOT NULL DEFAULT 0,
    seen_xmax         xid8,
    seen_running      xid8[],
    CONSTRAINT sealer_state_pkey PRIMARY KEY (only_row),
    CONSTRAINT sealer_state_only_row_check CHECK (only_row)
);
COMMENT ON TABLE reason.sealer_state IS 'How far the sealer need not look again. Every event with no <= decided_no is sealed (unless its chain has halted) or was rolled back. Beyond that, everything up to seen_no is sealed that the sealer saw when it last looked; seen_xmax and seen_running say which transactions it did not see, and only they can have added to it since. Losing this row costs a rescan, nothing else.';

CREATE TABLE reason.halted_chain (
    division   text        NOT NULL,
    event_no   bigint      NOT NULL,
    event_id   uuid,
    event_type text,
    fault      text        NOT NULL,
    since      timestamptz NOT NULL DEFAULT clock_timestamp(),
    look_at    timestamptz,
    CONSTRAINT halted_chain_pkey PRIMARY KEY (division)
);
COMMENT ON TABLE reason.halted_chain IS 'Divisions whose sealing has halted, each at an event that cannot be read or is not what a writer can have left; others go on. The sealer removes the row when the event can be sealed, or is gone (mend_chain()). Not dumped: another sealer finds it anew.';
COMMENT ON COLUMN reason.halted_chain.event_id IS 'NULL, like event_type, when the event stands on a page that cannot be read.';
COMMENT ON COLUMN reason.halted_chain.look_at IS 'When the sealer looks again whether a page can be read that hides the event, its seal or the last seal of the chain. NULL: the event itself is at fault, and is looked at with every pass.';

-- ---------------------------------------------------------------- snapshots

CREATE TABLE reason.snapshot (
    no                    bigint      NOT NULL DEFAULT nextval('reason.record_no'),
    id                    uuid        NOT NULL,
    division              text        NOT NULL,
    status                text        NOT NULL DEFAULT 'pending',
    root_ids              uuid[]      NOT NULL,
    depth                 integer,
    direction             text        NOT NULL,
    audience              text        NOT NULL,
    description           text,
    include_annotations   boolean     NOT NULL DEFAULT false,
    pii_included          boolean     NOT NULL,
    manifest_signature_id text,
    graph_version         text        NOT NULL,
    created_at            timestamptz NOT NULL,
    request_id            text,
    requested_by          text        NOT NULL,
    hash                  text        NOT NULL,
    size_bytes            bigint      NOT NULL,
    node_count            bigint      NOT NULL,
    edge_count            bigint      NOT NULL,
    signer_id             text,
    signature             bytea,
    signed_at             timestamptz,
    object_uri            text,
    object_version        text,
    completed_at          timestamptz,
    attempts              integer     NOT NULL DEFAULT 0,
    next_attempt_at       timestamptz,
    failure               text,
    audit_event_id        uuid,
    erased_event_id       uuid,
    log                   jsonb,
    CONSTRAINT snapshot_pkey PRIMARY KEY (no, division),
    CONSTRAINT snapshot_id_key UNIQUE (id, division),
    CONSTRAINT snapshot_request_key UNIQUE (division, requested_by, request_id),
    CONSTRAINT snapshot_status_check CHECK (status IN ('pending', 'signed', 'complete', 'failed')),
    CONSTRAINT snapshot_direction_check CHECK (direction IN ('ancestors', 'descendants')),
    CONSTRAINT snapshot_roots_check CHECK (cardinality(root_ids) BETWEEN 1 AND 32),
    CONSTRAINT snapshot_hash_check CHECK (hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT snapshot_size_check CHECK (size_bytes > 0),
    CONSTRAINT snapshot_signed_check CHECK (status NOT IN ('signed', 'complete') OR (signer_id IS NOT NULL AND octet_length(signature) = 64)),
    CONSTRAINT snapshot_complete_check CHECK (status <> 'complete' OR (object_uri IS NOT NULL AND completed_at IS NOT NULL AND audit_event_id IS NOT NULL))
);
COMMENT ON TABLE reason.snapshot IS 'A frozen subgraph. Complete only when its signature and its object are both durable.';
COMMENT ON COLUMN reason.snapshot.hash IS 'SHA-256 of the canonical document, hex.';
COMMENT ON COLUMN reason.snapshot.erased_event_id IS 'The event payload.erased that removed the document, as it held what was erased. Hash, signature and object stay.';
COMMENT ON COLUMN reason.snapshot.log IS 'The log of the division when it was frozen, as the document names it: {origin, size, root (base64)}. NULL in documents from before there were logs.';
COMMENT ON COLUMN reason.snapshot.request_id IS 'Idempotent request: the same id from the same client gives the same snapshot.';
-- serves lists: those of a division, newest first
CREATE INDEX snapshot_division_idx ON reason.snapshot (division, no);
-- serves the sidecar: what is left to do, oldest first
CREATE INDEX snapshot_unfinished_idx ON reason.snapshot (next_attempt_at, no) WHERE status IN ('pending', 'signed');
-- those given up, for the view parked
CREATE INDEX snapshot_failed_idx ON reason.snapshot (no) WHERE status = 'failed';

CREATE TABLE reason.snapshot_request (
    snapshot_no        bigint      NOT NULL,
    division           text        NOT NULL,
    request            json        NOT NULL,
    canonicalise_began timestamptz NOT NULL,
    canonicalise_ended timestamptz NOT NULL,
    canonicalise_us    bigint      NOT NULL,
    hash_began         timestamptz NOT NULL,
    hash_ended         timestamptz NOT NULL,
    hash_us            bigint      NOT NULL,
    walk_began         timestamptz NOT NULL,
    CONSTRAINT snapshot_request_pkey PRIMARY KEY (snapshot_no, division)
);
COMMENT ON TABLE reason.snapshot_request IS 'Who asked for a snapshot, and how long freezing it took: for its events and for tracing, no part of what is signed.';
COMMENT ON COLUMN reason.snapshot_request.request IS 'Client or role, requestId, traceparent.';
COMMENT ON COLUMN reason.snapshot_request.canonicalise_us IS 'Microseconds spent on reading records and writing them as canonical JSON. It takes turns with hashing, a chunk each, so it is less than the time from beginning to end.';
COMMENT ON COLUMN reason.snapshot_request.walk_began IS 'When the walk over the graph began, which found the records; it ended when canonicalising began.';
COMMENT ON COLUMN reason.snapshot_request.hash_us IS 'Microseconds spent on SHA-256.';

CREATE TABLE reason.snapshot_chunk (
    division    text    NOT NULL,
    snapshot_no bigint  NOT NULL,
    chunk       integer NOT NULL,
    bytes       bytea   NOT NULL,
    CONSTRAINT snapshot_chunk_pkey PRIMARY KEY (snapshot_no, chunk, division)
);
-- Read by ranges and sent on as it is: compressing it would only cost time.
ALTER TABLE reason.snapshot_chunk ALTER COLUMN bytes SET STORAGE EXTERNAL;
COMMENT ON TABLE reason.snapshot_chunk IS 'The signed bytes of a snapshot, in pieces of 1 MiB, in order.';

-- What freezes a content locks the row of the division against whatever erases one, and the other way round.
CREATE TABLE reason.erasure_fence (
    division text   NOT NULL,
    erasures bigint NOT NULL DEFAULT 0,
    CONSTRAINT erasure_fence_pkey PRIMARY KEY (division)
);
COMMENT ON TABLE reason.erasure_fence IS 'Held by snapshots while they are frozen (FOR SHARE), and by erasures (FOR UPDATE), so that no content is frozen while it is being erased. Not dumped.';

-- ---------------------------------------------------------------- who may sign, who may call

CREATE TABLE reason.signer (
    signer_id         text        NOT NULL,
    algorithm         text        NOT NULL DEFAULT 'ed25519',
    public_key        bytea       NOT NULL,
    status            text        NOT NULL DEFAULT 'active',
    valid_from        timestamptz NOT NULL,
    valid_to          timestamptz,
    revoked_at        timestamptz,
    revocation_reason text,
    purpose           text        NOT NULL DEFAULT 'events',
    CONSTRAINT signer_pkey PRIMARY KEY (signer_id),
    -- A key that is revoked under one id counts under no other.
    CONSTRAINT signer_public_key_key UNIQUE (public_key),
    CONSTRAINT signer_algorithm_check CHECK (algorithm = 'ed25519'),
    CONSTRAINT signer_purpose_check CHECK (purpose IN ('events', 'checkpoints', 'witness')),
    CONSTRAINT signer_key_check CHECK (octet_length(public_key) = 32),
    CONSTRAINT signer_status_check CHECK (status IN ('active', 'retired', 'revoked')),
    CONSTRAINT signer_revoked_check CHECK ((status = 'revoked') = (revoked_at IS NOT NULL)),
    CONSTRAINT signer_validity_check CHECK (valid_to IS NULL OR valid_to >= valid_from)
);
COMMENT ON TABLE reason.signer IS 'Public keys that may sign hashes of events and snapshots, checkpoints of the transparency log, or cosignatures. Every change is an event in the chain of division system.';
COMMENT ON COLUMN reason.signer.purpose IS 'What the key signs: events (and snapshots), checkpoints, or cosignatures as a witness. What it signs of another kind never counts.';
COMMENT ON COLUMN reason.signer.public_key IS 'Raw Ed25519 public key, 32 bytes.';

CREATE TABLE reason.client (
    name          text    NOT NULL,
    issuer        text,
    san_uri       text,
    role          text    NOT NULL,
    divisions     text[]  NOT NULL DEFAULT '{default}',
    pii           boolean NOT NULL DEFAULT false,
    enabled       boolean NOT NULL DEFAULT true,
    CONSTRAINT client_pkey PRIMARY KEY (name),
    CONSTRAINT client_role_check CHECK (role IN ('reader', 'auditor', 'writer', 'admin')),
    CONSTRAINT client_divisions_check CHECK (cardinality(divisions) > 0 AND array_position(divisions, NULL) IS NULL)
);
COMMENT ON TABLE reason.client IS 'Who may call over HTTPS: the common name of a verified certificate, what it may do, and where.';
COMMENT ON COLUMN reason.client.name IS 'Common name of the client certificate.';
COMMENT ON COLUMN reason.client.issuer IS 'Distinguished name (RFC 2253) of the issuer that the certificate must have; NULL accepts any issuer that the gateway trusts.';
COMMENT ON COLUMN reason.client.san_uri IS 'URI that the certificate must name as subject alternative name; NULL asks for none.';
COMMENT ON COLUMN reason.client.divisions IS 'Divisions granted; ''*'' grants all.';
COMMENT ON COLUMN reason.client.pii IS 'May see personal data; others are shown records redacted (reason.pii_rule).';

CREATE TABLE reason.division_grant (
    grantee  name NOT NULL,
    division text NOT NULL,
    CONSTRAINT division_grant_pkey PRIMARY KEY (grantee, division)
);
COMMENT ON TABLE reason.division_grant IS 'Which divisions the members of a database role may see in SQL; ''*'' stands for all.';

CREATE TABLE reason.division_grant_withdrawn (
    grantee  name NOT NULL,
    division text NOT NULL,
    CONSTRAINT division_grant_withdrawn_pkey PRIMARY KEY (grantee, division)
);
COMMENT ON TABLE reason.division_grant_withdrawn IS
    'Grants that CREATE EXTENSION brings and that were deleted from division_grant since. Kept by triggers, so that a dump that is restored deletes them again.';

-- ---------------------------------------------------------------- queues and fences

CREATE TABLE reason.lease (
    duty       text        NOT NULL,
    holder     text        NOT NULL,
    token      bigint      NOT NULL,
    expires_at timestamptz NOT NULL,
    wanted_by    text,
    wanted_until timestamptz,
    CONSTRAINT lease_pkey PRIMARY KEY (duty)
) WITH (fillfactor = 50);
COMMENT ON TABLE reason.lease IS 'Who leads a single-writer duty. Every change of hands raises token; every state change names its token, so a leader that slept through its lease can do no harm.';
COMMENT ON COLUMN reason.lease.wanted_by IS 'Who is to have the duty next, until wanted_until (claim_lease): nobody else''s lease is renewed or given meanwhile.';

CREATE TABLE reason.idempotency_key (
    client       text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    status       integer,
    headers      text,
    body         text,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT idempotency_key_pkey PRIMARY KEY (client, key)
);
COMMENT ON TABLE reason.idempotency_key IS 'First answer to a write that named an Idempotency-Key. Expires; not part of the record.';
-- serves expiry
CREATE INDEX idempotency_key_created_idx ON reason.idempotency_key (created_at);
