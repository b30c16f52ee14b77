"""No setting of a session changes what is recorded, or what is read back.

The catalog says which settings a session may change, and to what. With each of them, every function that writes is called
(as test_round_trip.py calls it, which knows them all), and its events are compared with those that the default settings give;
and every function that reads, whose answers must be the same bytes. A reading function that is new fails this test until it says here
how it is called.
"""
import os
import re

import psycopg
import pytest

from checkpoints import cosign, sign_checkpoints
from sealing import create_database, drop_database
from signer import Signer
from state_changes import AFTER, BEFORE, OTHER_KEY


# What no session of the product can work under, or what concerns none of its bytes.
LEFT_OUT = {
    "default_transaction_read_only": "writes are refused", "transaction_read_only": "writes are refused",
    "transaction_isolation": "set before the first query alone", "transaction_deferrable": "likewise",
    "restrict_nonsystem_relation_kind": "views are refused, which pg_dump wants", "local_preload_libraries": "set at the start",
    "default_table_access_method": "there is one", "default_tablespace": "concerns new tables", "temp_tablespaces": "concerns temporary tables",
    "application_name": "a name for people", "exit_on_error": "every error ends the session", "commit_siblings": "concerns the log's flushes",
}
LEFT_OUT_PREFIXES = ("reason.", "log_", "debug_p", "trace_", "tcp_", "vacuum_", "plpgsql.", "io_", "track_")
# Settings whose values the catalog does not list.
TEXTS = {
    "client_encoding": "SELECT pg_encoding_to_char(n) FROM generate_series(0, 41) n WHERE pg_encoding_to_char(n) <> '' AND pg_encoding_to_char(n) <> 'MULE_INTERNAL'",
    "DateStyle": "SELECT a || ', ' || b FROM unnest('{ISO,SQL,Postgres,German}'::text[]) a, unnest('{DMY,MDY,YMD}'::text[]) b",
    "TimeZone": "SELECT unnest('{UTC,America/New_York,Asia/Kathmandu,Pacific/Apia,Europe/Dublin,<+03:30>-3:30}'::text[])",
    "timezone_abbreviations": "SELECT unnest('{Default,Australia,India}'::text[])",
    "lc_monetary": "SELECT unnest('{C,POSIX,C.UTF-8}'::text[])", "lc_numeric": "SELECT unnest('{C,POSIX,C.UTF-8}'::text[])",
    "lc_time": "SELECT unnest('{C,POSIX,C.UTF-8}'::text[])",
    "default_text_search_config": "SELECT cfgname::text FROM pg_ts_config",
    "search_path": "SELECT unnest(ARRAY['', 'reason', 'pg_temp', 'pg_temp, pg_catalog', 'hostile, pg_catalog', 'hostile, reason, pg_catalog'])",
    "createrole_self_grant": "SELECT ''",
}
# Functions and an operator that come first where a search path is not pinned.
HOSTILE = """
    CREATE SCHEMA hostile;
    CREATE FUNCTION hostile.lower(text) RETURNS text LANGUAGE sql AS 'SELECT ''hostile''';
    CREATE FUNCTION hostile.to_char(timestamp, text) RETURNS text LANGUAGE sql AS 'SELECT ''hostile''';
    CREATE FUNCTION hostile.encode(bytea, text) RETURNS text LANGUAGE sql AS 'SELECT ''hostile''';
    CREATE FUNCTION hostile.jsonb_build_object(VARIADIC "any") RETURNS jsonb LANGUAGE internal AS 'jsonb_build_object_noargs';
    CREATE FUNCTION hostile.same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
    CREATE OPERATOR hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.same);
"""
ROOT, CAUSE, OTHER, GONE = (f"00000000-0000-7000-8000-0000000000{n}" for n in (81, 82, 83, 84))
NUMBERS = "0.1 0.30000000000000004 1e-7 5e-324 1.7976931348623157e308 -0 123456789.12345679".split()
CALLER = "'reader', 'CN=ca', NULL, 'r', NULL"
SNAPSHOT = "(SELECT id FROM reason.snapshot ORDER BY no LIMIT 1)"
SNAPSHOT_ROW = "(SELECT s FROM reason.snapshot s ORDER BY no LIMIT 1)"
EVENT = "(SELECT payload FROM reason.audit_event ORDER BY no LIMIT 1)"
NODE_EVENT = "(SELECT id FROM reason.audit_event WHERE event_type LIKE 'node.created' LIMIT 1)"
DOCUMENT = f"(SELECT reason.snapshot_document({SNAPSHOT}))"


FORMS = [*((f, "") for f in ("markdown", "svg", "dot", "mermaid", "prov", "human", "json", "canonical")), *(("csv", f", '{p}'") for p in ("nodes", "edges", "annotations"))]
LISTS = ("human", "markdown", "csv")


def exports(*formats):
    return [f"{CALLER}, '{ROOT}', '{{\"format\": \"{f}\"}}'" for f in formats]


# How what reads is called: the arguments of each call.
HEAD = "'localhost/reason/default', 2, sha256('r')"
READS = {
    "canonical_json": ["jsonb '{\"a\": [0.1, 1e-7, 1e300, \"u\"]}'", "json '{\"b\": 1.50, \"a\": null}'"], "digest": ["jsonb '[0.1]'"],
    "division_visible": ["'default'"], "visible_divisions": [""], "sees_quarantined": [""],
    "row_shown": ["'reason.node'::regclass, (SELECT min(ctid) FROM reason.node)"], "redact": ["jsonb '{\"email\": \"a@example.org\", \"n\": 0.1}'"],
    "redact_text": ["'write to a@example.org'"],
    "trace": [f"'{ROOT}'", f"'{ROOT}', types => '{{decision,observation}}', min_weight => 0.1, min_confidence => 0.1"],
    "trace_from": [f"ARRAY['{ROOT}', '{CAUSE}']::uuid[]"], "strongest_paths": [f"'{CAUSE}', '{ROOT}', 3"],
    "page_piece": ["0"], "trace_size": [f"'{ROOT}'"], "causal_path": [f"'{CAUSE}', '{ROOT}'"], "ordered_trace": [f"'{ROOT}'"],
    "impact": [f"'{CAUSE}'"], "trace_diff": [f"'{ROOT}', '{CAUSE}'", f"{SNAPSHOT}, '{ROOT}'"],
    "export_trace": [f"'{ROOT}', '{f}'{p}" for f, p in FORMS], "export_snapshot": [f"{SNAPSHOT}, '{f}'{p}" for f, p in FORMS],
    "export_impact": [f"'{CAUSE}', '{f}'" for f in LISTS], "export_explanation": [f"'{ROOT}', '{f}'" for f in LISTS],
    "export_diff": [f"'{ROOT}', '{CAUSE}', '{f}'" for f in LISTS],
    "approval_faults": [""], "proposal_text": ["(SELECT id FROM reason.proposal ORDER BY id LIMIT 1)"],
    "signer_registry": [""], "note_vkey": ["'example.org/reason/default', 1, decode('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex')"], "safe_mode_fault": [""], "sealing_fault": [""],
    "erasure": [f"'default', '{GONE}'"], "erases_document": [f"{NODE_EVENT}, 'default', {SNAPSHOT}"],
    "rfc3339": ["timestamptz '1999-12-31 23:59:59.000001+00'"], "recorded_time": ["timestamptz '1999-12-31 23:59:59+00'", "'infinity'", "timestamptz '0044-03-15 00:00+00 BC'"],
    "event_payload": [f"(SELECT e FROM reason.audit_event e WHERE event_type LIKE '{kind}.created' ORDER BY no LIMIT 1)" for kind in ("node", "edge", "annotation")],
    "verify_audit": ["", "'system'", "'default', 1, 2"], "audit_event_json": ["(SELECT e FROM reason.audit_events e WHERE division LIKE 'default' AND seq = 0)"],
    "snapshot_of": [SNAPSHOT], "snapshot_with_document": [SNAPSHOT], "snapshot_document": [SNAPSHOT], "snapshot_envelope": [SNAPSHOT],
    "snapshot_state": [SNAPSHOT_ROW], "snapshot_chunk": [f"{SNAPSHOT}, 0"], "snapshot_form_digest": [SNAPSHOT_ROW], "require_document": [SNAPSHOT_ROW],
    "snapshot_records": ["(SELECT no FROM reason.snapshot ORDER BY no LIMIT 1), 'default'"], "check_document": [f"(SELECT no FROM reason.snapshot ORDER BY no LIMIT 1), 'default', {DOCUMENT}, NULL"],
    "erased_document_remark": [SNAPSHOT_ROW], "erased_document_fault": [SNAPSHOT_ROW], "verify_snapshot": [SNAPSHOT],
    "verify_snapshot_document": [f"{DOCUMENT}, (SELECT translate(pg_catalog.encode(signature, 'base64'), chr(10), '') FROM reason.snapshot ORDER BY no LIMIT 1), 'key-1'"],
    "signature_fault": ["'key-1', sha256('x'), 'key-1', timestamptz '2002-01-01 00:00+00', timestamptz '2002-01-01 00:00+00', true"],
    "snapshot_row_fault": [f"{SNAPSHOT_ROW}, json '{{}}', 1, 1, 1"],
    "snapshot_event_fault": [f"{EVENT}, 'default'"], "snapshot_diff": [f"{SNAPSHOT}, {SNAPSHOT}"], "snapshots_holding": [f"'{ROOT}'"],
    "erasure_event_fault": [f"{EVENT}, 'default'"], "signer_event_fault": [EVENT], "quarantine_event_fault": [f"{EVENT}, 'default'"], "quarantine_stray_fault": ["'default'"],
    "public_key": [f"'{OTHER_KEY}'"], "public_key_spki": [f"decode('{OTHER_KEY}', 'hex')"], "ed25519_verify": ["sha256('a'), sha256('b') || sha256('c'), sha256('d')"],
    "archived_event": ["'default', 0"], "rule_faults": [""], "guard_faults": [""], "chain_end": ["'default', 0"], "stray_fault": ["'default'"], "known_divisions": [""],
    "snapshot_proof": [SNAPSHOT], "verify_all": [""], "sealed_no": ["", "'default'"], "http_admit_write": [CALLER.replace("reader", "writer")], "http_pieces": ["'{\"a\": \"text\"}'"],
    "key_validity": [", ".join(["timestamptz '2001-01-01 00:00+00'", "NULL", "false", "NULL", *["timestamptz '2002-01-01 00:00+00'"] * 2, "true"])],
    "http_post_query": [f"{CALLER}, '{{\"filters\": {{\"types\": [\"Decision\"], \"minConfidence\": 0.1, \"text\": \"0.1\", \"createdFrom\": \"2001-01-01T00:00:00Z\"}}}}'"],
    "http_get_node": [f"{CALLER}, '{ROOT}', NULL"], "http_get_trace": [f"{CALLER}, '{ROOT}', '{{\"minWeight\": \"0.1\", \"asOf\": \"2099-01-01T00:00:00Z\"}}'"],
    "http_get_traces": [f"{CALLER}, '{ROOT}', NULL"], "http_get_reason": [f"{CALLER}, '{ROOT}', NULL"], "http_get_explain": [f"{CALLER}, '{ROOT}', NULL"],
    "http_get_impact": [f"{CALLER}, '{CAUSE}', NULL"],
    "http_await_snapshot": [f"{SNAPSHOT}::text"],
    "http_get_snapshot": [f"{CALLER}, {SNAPSHOT}::text, '{{\"format\": \"{f}\"}}', NULL" for f in ("metadata", "canonical", "envelope", "human")],
    "http_get_snapshots": [f"{CALLER}, '{{\"limit\": \"2\"}}'"],
    "http_get_snapshot_verify": [f"{CALLER}, {SNAPSHOT}::text, NULL"], "http_get_export": exports("human", "json", "canonical", "markdown", "svg", "dot", "mermaid", "prov", "csv"),
    "http_get_diff": [f"{CALLER}, '{{\"a\": \"{ROOT}\", \"b\": \"{CAUSE}\"}}'"],
    "verify_log": ["", "'system'"], "tree_size": ["'default'"], "tree_root": ["'default'", "'default', 2"], "inclusion_proof": ["'default', 0"],
    "consistency_proof": ["'default', 1"], "tile": ["'default', 0, 0, 2"], "tile_entries": ["'default', 0, 2"], "current_origin": ["'default'"],
    "log_origins": ["'default'"], "last_checkpoint": ["'default'"], "checkpoint_text": [HEAD], "merkle_root": ["ARRAY['a', 'b', 'c']"],
    "checkpoint_fault": ["'default'"], "checkpoint_signature_fault": ["(SELECT g FROM reason.audit_checkpoint_signature g WHERE division LIKE 'default')"],
    "checkpoint_cosignature_fault": ["(SELECT w FROM reason.audit_cosignature w WHERE division LIKE 'default')"],
    "checkpoint_note_fault": [f"{HEAD}, sha256('k'), sha256('a') || sha256('b'), 'no note'"], "log_heads_fault": [""],
    "cosignature_fault": [f"{HEAD}, (SELECT vkey FROM reason.audit_cosignature WHERE division LIKE 'default'), 1, sha256('a') || sha256('b')"],
    "log_key": ["(SELECT vkey FROM reason.audit_cosignature WHERE division LIKE 'default')"],
    "snapshot_end_seq": [SNAPSHOT_ROW], "snapshot_log_fault": [SNAPSHOT_ROW], "snapshot_log_remark": [SNAPSHOT_ROW],
    "event_proof": ["(SELECT id FROM reason.audit_events WHERE division LIKE 'default' AND seq = 0)"], "node_proof": [f"'{ROOT}'"],
    "http_get_divisions": [f"{CALLER}, NULL"], "http_list_divisions": [f"{CALLER}, NULL, 'reason', 'reason'"], "http_get_event_proof": [f"{CALLER}, (SELECT id::text FROM reason.audit_events WHERE division LIKE 'default' AND seq = 0), NULL"],
    "http_get_node_proof": [f"{CALLER}, '{ROOT}', '{{\"format\": \"{f}\"}}'" for f in ("proof", "bundle")],
    "http_get_log_checkpoint": [f"{CALLER}, 'default', NULL, NULL"], "http_get_log_tile": [f"{CALLER}, 'default', '0/000.p/2', NULL, NULL"],
    "http_get_log_consistency": [f"{CALLER}, 'default', '{{\"from\": \"1\"}}'"],
    "http_get_signers": [CALLER], "http_get_health": [CALLER], "http_get_ready": [CALLER],
}
# These say what time it is.
TIMED = re.compile(rb'"(?:time|auditLagSeconds|sidecarReportSeconds)" ?: ?("[^"]*"|[0-9.]+)|"nextCursor":"[^"]*"')
# What is new with every write: times of this century, random ids and what hashes of salts reach.
MADE_ANEW = re.compile(r'"no":"\d+"|"sizeBytes":\d+|"20\d\d-\d\d-\d\dT[^"]*Z"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{64}|[A-Za-z0-9+/]{86}==')
BEYOND_ASCII = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")
UNZONED = re.compile(r"=> '(\d{4}-\d\d-\d\d(?: [\d:.]+)?)'")


class Session:
    """A bare connection: what a client library would convert is looked at as it comes."""

    def __init__(self, db):
        self.pgconn = psycopg.pq.PGconn.connect(db.dsn.encode())
        self("SET client_min_messages = error")

    def __call__(self, query, binary=True):
        result = self.pgconn.exec_params(query.encode(), [], result_format=1) if binary else self.pgconn.exec_(query.encode())
        assert result.status in (psycopg.pq.ExecStatus.TUPLES_OK, psycopg.pq.ExecStatus.COMMAND_OK), f"{query}: {result.error_message.decode(errors='replace')}"
        return [tuple(result.get_value(row, column) for column in range(result.nfields)) for row in range(result.ntuples)]

    def close(self):
        self.pgconn.finish()


def read(session, without=()):
    answers = {}
    for name, calls in READS.items():
        for arguments in calls:
            if f"{name}({arguments})" in without:
                continue
            rows = session(f"SELECT * FROM reason.{name}({arguments})")
            answers[f"{name}({arguments})"] = [tuple(value and TIMED.sub(b"", value) for value in row) for row in rows]
    answers["audit_events"] = session("SELECT * FROM reason.audit_events ORDER BY division, seq")
    return answers


AFTER_A_FAULT = ("leave_safe_mode", "mend_chain")
# They ask for a division whose rest was committed, and its events sealed.
AFTER_A_COMMIT = ("await_frozen", "move_division")
# In ASCII, which means the same to clients of all encodings.
WRITES = {name: [UNZONED.sub(r"=> '\1+00'", shape).replace("\u00e9", "e").replace("encode(convert_to(", "pg_catalog.encode(convert_to(").replace("author = ", "author LIKE ") for shape in shapes] for name, shapes in {**BEFORE, **AFTER}.items() if name not in AFTER_A_FAULT + AFTER_A_COMMIT}
# What a backslash in the client's own statement means is up to the setting.
WRITES["set_pii_rule"] = [re.sub(r"'(\\m[^']*)'", lambda found: "E'" + found[1].replace("\\", "\\\\") + "'", shape) for shape in WRITES["set_pii_rule"]]
WRITES["add_node"] = WRITES["add_node"] + [
    "type => 'Score', author => 'n', ts => timestamptz '1999-12-31 23:59:59.999999+00', metadata => '{\"confidence\": 0.1}', payload => '[%s]'" % ", ".join(NUMBERS)]
WRITES["add_edge"] = WRITES["add_edge"] + [f"from_node => '00000000-0000-7000-8000-000000000001', to_node => '00000000-0000-7000-8000-000000000002', type => 'causal',"
                                           f" division => 'default', weight => float8 '{number}'" for number in NUMBERS]


def set_all(session, setting):
    for name, value in setting.items():
        session(f"SELECT pg_catalog.set_config('{name}', '{value}', true)")


def written(session, setting):
    """The events of all writes in a transaction under a setting, which is undone."""
    session("BEGIN", binary=False)
    set_all(session, setting)
    for name, shapes in WRITES.items():
        for place, shape in enumerate(shapes):
            session(f"SELECT * FROM reason.{name}({shape.replace('@shape@', str(place))})")
    session("RESET ALL", binary=False)
    events = session("SELECT event_type, reason.event_payload(e)::text FROM reason.audit_event e WHERE no > (SELECT max(event_no) FROM reason.audit_seal) ORDER BY no")
    wrong = session("SELECT e.event_type, reason.event_payload(e)::text FROM reason.audit_event e LEFT JOIN reason.node n USING (no) LEFT JOIN reason.edge g USING (no)"
                    " WHERE e.no > (SELECT max(event_no) FROM reason.audit_seal) AND e.event_type IN ('node.created', 'edge.created')"
                    " AND sha256(convert_to(coalesce(reason.event_payload(e) -> 'node', reason.event_payload(e) -> 'edge')::text, 'UTF8')) <> coalesce(n.digest, g.digest)")
    assert not wrong
    documents = session("SELECT reason.snapshot_document(id) FROM reason.snapshot WHERE request_id IS DISTINCT FROM 'fixed' AND erased_event_id IS NULL ORDER BY no")
    session("ROLLBACK", binary=False)
    # An erasure fails several snapshots, in no order.
    return sorted(tuple(MADE_ANEW.sub("~", value.decode()) for value in row) for row in events + documents)


@pytest.fixture(scope="module")
def graph():
    db = create_database("trust_settings")
    db("SELECT reason.add_signer(%s, %s, '2001-01-01')", db.signer.name, db.signer.public.raw.hex())
    db("SELECT reason.set_client('reader', 'auditor', '{*}', true), reason.set_client('writer', 'writer', '{*}')")
    db(f"SELECT reason.add_node('observation', jsonb_build_object('n', '{NUMBERS[0]}'::numeric), 'a', id => '{CAUSE}', metadata => '{{\"confidence\": 0.3}}',"
       " ts => '0001-01-01 00:00+00')")
    db(f"SELECT reason.add_node('decision', '{{\"n\": [0.1, 1e-7]}}', 'b', id => '{ROOT}', metadata => '{{\"confidence\": 0.30000000000000004, \"tags\": [\"t\"]}}')")
    db(f"SELECT reason.add_node('score', '1', 'c', id => '{OTHER}')")
    for number in NUMBERS:
        db(f"SELECT reason.add_edge('{CAUSE}', '{ROOT}', 'causal', '{number}'::float8)")
    db(f"SELECT reason.add_edge('{OTHER}', '{ROOT}', 'supports', 1)")
    db(f"SELECT reason.annotate('{ROOT}', 'a note')")
    snapshot = db.one(f"SELECT reason.create_snapshot(ARRAY['{ROOT}']::uuid[], description => 'fixed', include_annotations => true, request_id => 'fixed', include_pii => true)")
    db.settle()
    db.complete(snapshot)
    db(f"SELECT reason.add_node('score', '2', 'c', id => '{GONE}')")
    db(f"SELECT reason.erase_payload('{GONE}', 'asked for')")
    db.settle()
    sign_checkpoints(db)
    cosign(db, Signer("witness.example.org/w", b"w"))
    # The event of the key that signs checkpoints, too.
    db.settle()
    db(HOSTILE)
    yield db
    drop_database(db)


def settings_of(db):
    """name → the values that a session may set it to."""
    found = {}
    for name, kind, values, least, most in db("SELECT name, vartype, enumvals, min_val, max_val FROM pg_settings WHERE context = 'user' ORDER BY name"):
        if name in LEFT_OUT or name.startswith(LEFT_OUT_PREFIXES):
            continue
        if kind == "string":
            values = [value for value, in db(TEXTS[name])] if name in TEXTS else []
            assert values, f"what may {name} be?"
        elif kind == "bool":
            values = ["off", "on"]
        elif kind != "enum":
            # A deadline of a millisecond is one.
            values = [most] if name.endswith("timeout") else [least, most]
        found[name] = values
    return found


def combinations(settings):
    """In the long form one setting at a time; else all at once, each value in one of them, for the first values of the longest lists."""
    if os.environ.get("REASON_SETTINGS"):
        return [{name: value} for name, values in settings.items() for value in values]
    # What takes long is left to the long form: plans that look costly are compiled, parallel workers started, and every lock is a message.
    slow = ("jit", "force_parallel_mode", "debug_parallel_query", "client_min_messages")
    quick = {name: values for name, values in settings.items() if name not in slow and not name.endswith("_cost")}
    return [{**{name: values[step % len(values)] for name, values in quick.items()}, "jit": "off"} for step in range(len(settings["DateStyle"]))]


def differences(session, setting, events, answers):
    found = []
    try:
        wrote = written(session, setting)
        found += [("writes", pair) for pair in zip(events, wrote) if pair[0] != pair[1]]
        session("BEGIN", binary=False)
        set_all(session, setting)
        # What a client's encoding has no characters for is refused, and others come as other bytes.
        beyond = [query for query, rows in answers.items() if "client_encoding" in setting and BEYOND_ASCII.search(b"".join(value or b"" for row in rows for value in row))]
        now = read(session, beyond)
        found += [(query, answers[query], now[query]) for query in now if answers[query] != now[query]]
    except AssertionError as error:
        found.append(str(error))
    session("ROLLBACK", binary=False)
    return found


def test_every_function_that_reads_is_called(graph):
    readers = {name for name, in graph("""
        SELECT DISTINCT p.proname FROM pg_proc p, aclexplode(p.proacl) a
        WHERE p.pronamespace = 'reason'::regnamespace AND a.grantee::regrole::text IN ('reason_reader', 'reason_auditor', 'reason_gateway') AND p.prokind = 'f'""")}
    assert readers - set(READS) - set(BEFORE) - {"retry_snapshot"} == set()


def test_no_setting_of_a_session_changes_what_is_recorded_or_read(graph):
    session = Session(graph)
    settings = settings_of(graph)
    assert {"extra_float_digits", "bytea_output", "IntervalStyle", "xmloption", "standard_conforming_strings", "backslash_quote", "array_nulls",
            "quote_all_identifiers", "transform_null_equals", "jit", "plan_cache_mode", "TimeZone", "DateStyle", "client_encoding"} <= set(settings)
    events, answers = written(session, {}), read(session)
    assert len(events) > 40 and len(answers) > 60
    for query, verdict in answers.items():
        if query.startswith("verify_a"):
            assert verdict and all(row[0] == b"\x01" or row[1] == b"\x01" for row in verdict), (query, verdict)
    for setting in combinations(settings):
        found = differences(session, setting, events, answers)
        if found and len(setting) > 1:
            # Which of them is it?
            found = [(alone, several) for alone in setting.items() if (several := differences(session, {"jit": "off", **dict([alone])}, events, answers)[:1])] or found
        assert not found, "\n".join([str(setting), *(str(one)[:1000] for one in found[:10])])
    session.close()


@pytest.mark.parametrize("written_as", ["-infinity", "infinity", "0044-03-15 00:00+00 BC", "10000-01-01 00:00+00", "294276-01-01 00:00+00"])
def test_a_time_that_no_event_has_a_form_for_is_refused(graph, written_as):
    for call in ("add_node('observation', '1', 'a', ts => %s)", "add_signer('never', '" + OTHER_KEY + "', %s)",
                 "add_signer('never', '" + OTHER_KEY + "', valid_to => %s)"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="cannot be recorded"):
            graph(f"SELECT reason.{call}", written_as)


@pytest.mark.parametrize("ts", ["9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:60Z"])
def test_a_time_whose_offset_leads_out_of_range_is_refused_where_it_stands(graph, ts):
    with pytest.raises(psycopg.errors.InvalidParameterValue) as refused:
        graph("SELECT reason.add_nodes(%s)", '{"nodes": [{"type": "action", "author": "a", "payload": 1, "ts": "%s"}]}' % ts)
    assert '"pointer":"/nodes/0/ts"' in refused.value.diag.message_detail
