"""Everything that changes state is an event, and comes back from it.

The catalog says which functions there are. Each is called, those for people and programs in several shapes, each of their arguments
given at least once; real sidecars do their own part. Then the database is rebuilt twice into an empty one: from the archive
by reason-sidecar --recover, and by replay(). All tables, from the catalog too, must be equal. A function or a table that is
new fails this test until it is said how it is called (test/lib/state_changes.py, or here), and makes its event known to replay().
"""
import contextlib
import json
import re
import subprocess

import psycopg
import pytest

from approvals import propose, signature
from checkpoints import cosign, grow, sign_checkpoints, write
from reason_sidecar import Sidecar
from shared_server import conninfo
from signer import Signer
from state_changes import AFTER, BEFORE, LATE
from wait import wait_for

# What sidecars alone call, where the ones that run here have no occasion: with a lease of the duty in %(seal)s and so on. And an
# index, which records nothing.
BY_HAND = """
    CREATE EXTENSION pg_trgm;
    SELECT reason.create_text_index();
    SELECT reason.approve(%(proposal)s, 'ada', %(approval)s);
    SELECT reason.execute(%(proposal)s);
    SELECT reason.record_snapshot_failure(%(snapshot)s, (SELECT id FROM reason.snapshot ORDER BY no LIMIT 1), 'no room', true);
    SELECT reason.retry_snapshot(id => (SELECT id FROM reason.snapshot ORDER BY no LIMIT 1));
    SELECT reason.give_up_snapshot(id => (SELECT id FROM reason.snapshot ORDER BY no LIMIT 1), reason => 'altered');
    SELECT reason.retry_snapshot(id => (SELECT id FROM reason.snapshot ORDER BY no LIMIT 1));
    SELECT count(*) FROM reason.seal_events_traced(%(seal)s, 10);
    SELECT reason.report_log_fault(%(seal)s, 'safe mode was ended by an administrator, and is not entered again');
    SELECT reason.claim_lease('emit', 'a release on trial', '1 millisecond');
    SELECT count(*) FROM reason.events_to_emit(%(emit)s, 'topic');
    SELECT reason.record_emitted(%(emit)s, 'topic', '{default}', '{2}');
    SELECT reason.park_event(%(emit)s, 'topic', 'default', 1, 'too large');
    SELECT reason.retry_emission(target => 'topic', division => 'default');
    SELECT count(*) FROM reason.mirror_marks(%(mirror)s, 'graph', '{default}');
    SELECT reason.record_mirrored(%(mirror)s, 'graph', 'default', 2);
    SELECT reason.park_mirrored(%(mirror)s, 'graph', 'default', 1, 'refused');
    SELECT reason.retry_mirrored(target => 'graph', division => 'default');
    SELECT reason.unpark_mirrored(%(mirror)s, 'graph', 'default', 1);
    SELECT reason.forget_mirror(target => 'graph');
    SELECT count(*) FROM reason.segments_to_protect(%(archive)s, %(target)s);
    SELECT reason.record_protected(%(archive)s, %(target)s, 'default', 0, '2040-01-01', true);
    INSERT INTO reason.archive_segment (target, division, first_seq, last_seq, object_prefix) VALUES ('file:///nowhere', 'default', 0, 0, 'x');
    SELECT reason.record_archive_failure(%(archive)s, 'file:///nowhere', 'default', 0, 'no room', 1);
    SELECT reason.retry_segment(target => 'file:///nowhere', division => 'default', first_seq => 0);
    DELETE FROM reason.archive_segment WHERE target = 'file:///nowhere'
"""
REFUSES = {"refuse_ambiguous_roots": "a function that only raises is not counted", "take_turn": "it waits", "turn_when_long": "likewise",
           "http_heavy_reader": "likewise"}

# What need not be equal, and why.
NOT_EQUAL = {
    "sealer_state": "the sealer's own mark, made anew", "halted_chain": "likewise", ("mended_event", "found"): "kept where it was found",
    "cursor_secret": "of one database", "sidecar_report": "who lives", "lease": "who leads",
    "safe_mode": "of one server's timeline", "erasure_fence": "a lock", "proposal_in_execution": "likewise", "approval_fence": "likewise", "idempotency_key": "answers that expire", "quota_use": "counts of today",
    "emission": "events are emitted again, and consumers drop them", "emission_parked": "likewise", "archive_rule_applied": "looked at once more",
    "mirror_mark": "the mirror itself knows", "mirror_parked": "a mirror that is fed anew is given all",
    "audit_checkpoint": "published outside, and a rebuilt database goes on with the next", "audit_checkpoint_signature": "likewise", "audit_cosignature": "likewise",
    "log_head": "what the last event log.heads counted, which the next one says anew",
    "snapshot_request": "how long freezing took is told to nobody; who asked is in the event",
    ("node", "no"): "numbers mean nothing outside of one database", ("edge", "no"): "likewise", ("annotation", "no"): "likewise",
    ("audit_event", "no"): "likewise", ("quarantine_release", "event_no"): "likewise; the event is compared with its table",
    ("archive_segment", "archived_at"): "when the index was made", ("archive_segment", "retain_until"): "the store knows, and NULL says so",
    ("archive_segment", "legal_hold"): "likewise",
}
# Numbers are compared by what they stand for.
STANDS_FOR = {
    ("edge", "from_no"): "(SELECT x.id FROM reason.node x WHERE x.no = t.from_no)", ("edge", "to_no"): "(SELECT x.id FROM reason.node x WHERE x.no = t.to_no)",
    ("annotation", "target_no"): "(SELECT x.id FROM reason.node x WHERE x.no = t.target_no)",
    ("audit_seal", "event_no"): "(SELECT x.id FROM reason.audit_event x WHERE x.no = t.event_no)",
    ("quarantine", "record_no"): "(SELECT x.id FROM reason.audit_event x WHERE x.no = t.record_no)",
    ("quarantine_release", "record_no"): "(SELECT x.id FROM reason.audit_event x WHERE x.no = t.record_no)",
}
# What a rebuilt database adds: safe mode, entered and left.
ADDED = {"audit_event": "t.id IN (SELECT e.id FROM reason.audit_event e JOIN reason.audit_seal s ON s.event_no = e.no WHERE s.seq <= (%(heads)s::jsonb ->> s.division)::bigint)",
         "audit_seal": "t.seq <= (%(heads)s::jsonb ->> t.division)::bigint", "audit_signature": "t.seq <= (%(heads)s::jsonb ->> t.division)::bigint",
         "archive_segment": "t.last_seq <= (%(heads)s::jsonb ->> t.division)::bigint"}


def contents(db, heads, without=()):
    """Every table but those that need not be equal: its rows."""
    found = {}
    for table, in db("SELECT relname FROM pg_class WHERE relnamespace = 'reason'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1"):
        if table in NOT_EQUAL or table in without:
            continue
        columns = [STANDS_FOR.get((table, c), f"t.{c}") for c, in db(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum", f"reason.{table}")
            if (table, c) not in NOT_EQUAL]
        rows = db.connection.execute(f"SELECT {', '.join(f'({c})::text' for c in columns)} FROM reason.{table} t WHERE {ADDED.get(table, 'true')}",
                                     {"heads": json.dumps(heads)}).fetchall()
        found[table] = sorted(map(repr, rows))
    return found


def callable_functions(db):
    """name → (arguments, who may call it) of each function that can change something."""
    return {name: (arguments or [], roles or []) for name, arguments, roles in db("""
        SELECT p.proname, p.proargnames[1:p.pronargs], array_agg(DISTINCT a.grantee::regrole::text) FILTER (WHERE a.grantee <> p.proowner)
        FROM pg_proc p LEFT JOIN LATERAL aclexplode(p.proacl) a ON a.privilege_type = 'EXECUTE'
        WHERE p.pronamespace = 'reason'::regnamespace AND p.provolatile = 'v' AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype
          AND NOT 'internal'::regtype = ANY (p.proargtypes::oid[])
        GROUP BY p.oid""")}


def archive_of(directory):
    return f"file://{directory}/archive"


@contextlib.contextmanager
def running(directory, database, *options):
    """A sidecar with archive and store in a directory, which ends as it should."""
    sidecar = Sidecar(directory, {
        "database": {"conninfo": conninfo(database.name)}, "signer": {"id": "key-1", "type": "local", "key_file": directory / "key.pem"},
        "store": {"url": f"file://{directory}/store"}, "archive": {"url": archive_of(directory), "interval_s": 1}}, options=options)
    sidecar.start(ready=False)
    yield sidecar
    assert sidecar.stop() == 0


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    made = tmp_path_factory.mktemp("round_trip")
    for name in ("archive", "store"):
        (made / name).mkdir()
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", made / "key.pem"], check=True, capture_output=True)
    (made / "key.pem").chmod(0o600)
    return made


def make_counting(make_database, name):
    """One that counts which functions ran."""
    db = make_database(name)
    db(f"ALTER DATABASE {name} SET track_functions = 'all'")
    db.connection.close()
    db.connection = psycopg.connect(db.dsn, autocommit=True)
    return db


def call_all(db, calls):
    for name, shapes in calls.items():
        for place, shape in enumerate(shapes):
            rows = db(f"SELECT * FROM reason.{name}({shape.replace('@shape@', str(place))})")
            if name.startswith("http_"):
                expected = 403 if "deny" in shape else 202 if name == "http_post_snapshot" else 201
                assert rows[0][0] == expected, (name, place, rows)


def settled(db, target):
    return db("SELECT 1 WHERE (SELECT count(*) FROM reason.audit_event) = (SELECT count(*) FROM reason.audit_signature)"
              " AND NOT EXISTS (SELECT FROM reason.snapshot WHERE status IN ('pending', 'signed'))"
              " AND NOT EXISTS (SELECT FROM reason.signed_chains() c WHERE c.head_seq IS DISTINCT FROM (SELECT max(a.last_seq) FROM reason.archive_segment a"
              "                 WHERE a.division = c.division AND a.archived_at IS NOT NULL AND a.target = %s))", target)


def halt_chain(db, division):
    """At an event that says another type of itself."""
    db("SELECT reason.add_node('score', '1', 'ada', division => %s)", division)
    with db.connection.transaction():
        db("SET LOCAL session_replication_role = replica")
        db("UPDATE reason.audit_event SET event_type = 'odd' WHERE division = %s", division)
    db.seal()
    db("SELECT reason.release_lease('seal', %s)", db.token("seal"))


def keep_log(db):
    """Trees, checkpoints and the heads of all logs."""
    grow(db)
    sign_checkpoints(db)
    cosign(db, Signer("witness.example.org/w", b"w"))
    assert db.one("SELECT reason.record_log_heads(%s)", db.token("seal"))


@pytest.fixture(scope="module")
def source(make_database, directory):
    db = make_counting(make_database, "round_trip_source")
    public = subprocess.run(["openssl", "pkey", "-in", directory / "key.pem", "-pubout"], check=True, capture_output=True, text=True).stdout
    db("SELECT reason.add_signer('key-1', %s)", public)
    db("SELECT reason.change_safe_mode('a test')")
    call_all(db, {"leave_safe_mode": BEFORE["leave_safe_mode"]})
    # a proposal names a place in the chain
    db.seal()
    call_all(db, {name: shapes for name, shapes in BEFORE.items() if name != "leave_safe_mode"})
    write(db, 300, "long")
    tokens = {duty: db.token(duty) for duty in ("seal", "snapshot")}
    for duty in tokens:
        db("SELECT reason.release_lease(%s, %s)", duty, tokens[duty])
    with running(directory, db) as sidecar:
        wait_for(lambda: settled(db, archive_of(directory)), 60, f"sealing, archiving and storing: {sidecar.log()[-2000:]}")
    halt_chain(db, "damaged")
    call_all(db, AFTER)
    db("SELECT reason.create_snapshot(ARRAY[%s]::uuid[], request_id => 'by hand')", LATE)
    tokens = {duty: db.token(duty) for duty in ("seal", "snapshot", "emit", "archive", "mirror")}
    proposal = propose(db, "set_client", name="plain", role="admin")
    for statement in BY_HAND.split(";"):
        statement = statement.replace("ORDER BY no LIMIT 1", "WHERE request_id = 'by hand'")
        db.connection.execute(statement, {**tokens, "target": archive_of(directory), "proposal": proposal, "approval": signature(db, proposal, "ada")})
    keep_log(db)
    for duty, token in tokens.items():
        db("SELECT reason.release_lease(%s, %s)", duty, token)
    with running(directory, db) as sidecar:
        wait_for(lambda: settled(db, archive_of(directory)), 60, f"sealing, archiving and storing: {sidecar.log()[-2000:]}")
    return db


@pytest.fixture(scope="module")
def rebuilt(source, make_database, directory):
    """From the archive, as an operator does it."""
    (directory / "registry.json").write_text(json.dumps(source.one("SELECT reason.signer_registry()")))
    db = make_counting(make_database, "round_trip_rebuilt")
    with running(directory, db) as sidecar:
        wait_for(lambda: db.one("SELECT reason.compared()") == "safe mode", 60, "safe mode")
    done = sidecar.run("--recover", "--registry", directory / "registry.json")
    assert done.returncode == 0, done.stdout + done.stderr
    return db


def heads(db):
    return dict(db("SELECT division, head_seq FROM reason.chain_heads()"))


def test_every_function_that_changes_state_was_called(source, rebuilt):
    functions = callable_functions(source)

    def called():
        names = set(REFUSES)
        for db in (source, rebuilt):
            db("SELECT pg_stat_force_next_flush()")
            names |= {name for name, in db("SELECT funcname FROM pg_stat_user_functions WHERE schemaname = 'reason' AND calls > 0")}
        return names

    # Sessions tell of their calls when they end.
    with contextlib.suppress(AssertionError):
        wait_for(lambda: set(functions) <= called(), 5, "each function's call")
    called = called()
    called_by_hand = {**BEFORE, **AFTER}
    for name, (_, roles) in functions.items():
        assert name in called, (
            f"reason.{name}() may change state and never ran here: teach test/lib/state_changes.py, or this file, how to call it (BEFORE, AFTER or BY_HAND),"
            " and replay() what comes of its event")
        assert name in called_by_hand or f"reason.{name}(" in BY_HAND or not set(roles) - {"reason_sidecar"} or name in ("replay", "safe_mode_fault", "sealing_fault"), (
            f"reason.{name}() is called by {roles}: give its shapes in BEFORE or AFTER of {__file__}")
    for name, shapes in called_by_hand.items():
        given = {argument for shape in shapes for argument in re.findall(r"(\w+) => ", shape)}
        missing = set(functions[name][0]) - given - {""}
        assert not missing, f"no call of reason.{name}() in {__file__} gives {missing}"


def test_a_database_rebuilt_from_its_archive_is_equal(source, rebuilt):
    # Trees grow again, once safe mode has ended.
    grown_again = ("audit_subtree",)
    expected = contents(source, heads(source), grown_again)
    found = contents(rebuilt, heads(source), grown_again)
    assert {t: rows for t, rows in expected.items() if rows} != {}
    for table, rows in expected.items():
        assert found[table] == rows, table
        assert rows or table in ("snapshot_chunk", "division_grant_withdrawn"), f"{table} is empty: call what fills it"


def test_a_database_replayed_in_sql_is_equal(source, make_database):
    copy = make_database("round_trip_replayed")
    registry = json.dumps(source.one("SELECT reason.signer_registry()"))
    for event, in source("SELECT reason.audit_event_json(e) FROM reason.audit_events e ORDER BY division <> 'system', division, seq"):
        assert copy.one("SELECT reason.replay(%s::json, %s::json)", event, registry)
    for db in (source, copy):
        grow(db)
    # Snapshots come back from the store, and the index of the archive from the archive.
    elsewhere = ("snapshot", "snapshot_chunk", "archive_segment")
    expected, found = (contents(db, heads(source), elsewhere) for db in (source, copy))
    for table, rows in expected.items():
        assert found[table] == rows, table


def test_both_verify(source, rebuilt, directory):
    with running(directory, rebuilt) as sidecar:
        wait_for(lambda: rebuilt.one("SELECT reason.compared()") == "here" and settled(rebuilt, archive_of(directory)), 60,
                 "the end of safe mode, and sealing what is new")
    for db in (source, rebuilt):
        grow(db)
        assert db("SELECT * FROM reason.verify_all() WHERE NOT ok") == []
        assert {f'division "{division}"' for division in heads(source)} <= {what for what, in db("SELECT what FROM reason.verify_all()")}
    subtrees = "SELECT level, index, hash FROM reason.audit_subtree WHERE division = 'long' ORDER BY 1, 2"
    assert source(subtrees) == rebuilt(subtrees) != []
