"""An event that cannot be sealed halts the chain of its division, by name; the others go on, and there is a way on for it.

Damage is done as it happens: to files under a copy of the database that no server has read yet, and by superusers behind the
triggers' back.
"""
import hashlib
import json
import os
import pathlib

import psycopg
import pytest

from sealing import Database, create_database, drop_database
from shared_server import conninfo

NAME = "halted_chains"
DIVISIONS = ("pglz", "chunk", "utf8", "not_json", "not_canonical", "spaces", "division", "type", "time", "id")
LONG = json.dumps({"text": "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(200))})
ONCE = "0123456789ABCDEFGHIJ"
REPEATED = json.dumps({"text": ONCE + "abcdefgh" * 2000})


def add(db, division, metadata="{}"):
    return db.one("SELECT reason.add_node('score', '1', 'ada', division => %s, metadata => %s::jsonb)", division, metadata)


def event_of(db, node):
    return db.row("SELECT e.no, e.id FROM reason.node n JOIN reason.audit_event e ON e.no = n.no WHERE n.id = %s", node)


def rewrite(db, node, change):
    """Changes the event of a node as a superuser can. Bytes become JSON without being looked at."""
    no, _ = event_of(db, node)
    db(f"UPDATE reason.audit_event SET {change} WHERE no = %s", no)


@pytest.fixture(scope="module")
def damaged():
    """A database whose every division has an event that cannot be sealed, with good ones before, behind and beside it."""
    source = create_database(NAME + "_source")
    source("SET reason.keep_event_text = on")
    source("SELECT reason.add_signer(%s, %s)", source.signer.name, source.signer.public.raw.hex())
    nodes = {}
    for division in DIVISIONS:
        add(source, division)
    add(source, "good")
    source.settle()
    source("SELECT reason.set_client('before', 'reader')")
    for division in DIVISIONS:
        add(source, division)
        # Stored out of line in one, compressed in the row in the other.
        nodes[division] = add(source, division, {"chunk": LONG, "pglz": REPEATED}.get(division, "{}"))
        add(source, division)
        add(source, "good")
    source("SET session_replication_role = replica")
    source("CREATE CAST (bytea AS json) WITHOUT FUNCTION")
    payload = "convert_to(payload::text, 'UTF8')"
    rewrite(source, nodes["utf8"], f"payload = (substr({payload}, 1, 20) || '\\xff'::bytea || substr({payload}, 21))::json")
    rewrite(source, nodes["not_json"], f"payload = substr({payload}, 2)::json")
    rewrite(source, nodes["not_canonical"], "payload = (payload::text || ' ')::json")
    rewrite(source, nodes["spaces"], "payload = replace(payload::text, '\"division\":', '\"division\": ')::json")
    rewrite(source, nodes["division"], "division = 'north'")
    rewrite(source, nodes["type"], "event_type = 'edge.created'")
    rewrite(source, nodes["time"], "ts = ts + interval '1 s'")
    rewrite(source, nodes["id"], "id = gen_random_uuid()")
    source("DROP CAST (bytea AS json)")
    add(source, "north")
    directory = source.one("SHOW data_directory")
    if not os.access(directory, os.W_OK):
        pytest.skip("the server's files belong to somebody else")
    toast, heap, oid = source.row("""SELECT pg_relation_filenode(reltoastrelid), pg_relation_filenode(oid), reltoastrelid::regclass::text
                                    FROM pg_class WHERE oid = 'reason.audit_event'::regclass""")
    chunk = source.one(f"SELECT chunk_data FROM {oid} WHERE chunk_seq = 1 LIMIT 1")
    source.close()
    with psycopg.connect(conninfo(), autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {NAME} TEMPLATE {NAME}_source STRATEGY FILE_COPY")
        base, = server.execute("SELECT oid FROM pg_database WHERE datname = %s", [NAME]).fetchone()
    # The second piece was never committed: of its row, in front of the bytes, the hints say so (t_infomask, 16 bytes before).
    file = pathlib.Path(directory) / f"base/{base}/{toast}"
    data = file.read_bytes()
    hints = data.index(chunk) - 16
    file.write_bytes(data[:hints] + (0x0a02).to_bytes(2, "little") + data[hints + 2:])
    # In the compressed text: a match that reaches back before its beginning.
    file = pathlib.Path(directory) / f"base/{base}/{heap}"
    data = file.read_bytes()
    # Eight literals at least stand side by side, behind them more of their kind.
    place = next(p for p in (data.find(ONCE[n:n + 4].encode()) for n in range(10)) if p >= 0)
    file.write_bytes(data[:place + 8] + b"\xff" * 32 + data[place + 40:])
    db = Database(NAME)
    yield db, nodes
    drop_database(db)
    with psycopg.connect(conninfo(), autocommit=True) as server:
        server.execute(f"DROP DATABASE {NAME}_source")


def halted(db):
    return {division: (str(event), fault) for division, event, fault in db("SELECT division, event_id, fault FROM reason.halted_chain")}


FAULTS = {"pglz": "cannot be read: compressed pglz data is corrupt", "chunk": "cannot be read: unexpected chunk number 2 (expected 1)",
          "utf8": "not JSON that can have been recorded", "not_json": "not JSON that can have been recorded", "not_canonical": "not canonical JSON",
          "spaces": "not canonical JSON", "north": "column division is not what the payload says", "type": "column event_type is not what the payload says",
          "time": "column ts is not what the payload says", "id": "column id is not what the payload says"}


def test_each_halts_its_own_division_and_no_other(damaged):
    db, nodes = damaged
    db.connection.add_notice_handler(lambda notice: warnings.append(notice.message_primary))
    warnings = []
    db.settle()
    found = halted(db)
    assert set(found) == set(FAULTS)
    for division, (event, fault) in found.items():
        assert FAULTS[division] in fault, division
        assert any(event in w and f'"{division}"' in w for w in warnings)
    assert len(warnings) == len(FAULTS), "each is told once"
    # What came before is sealed, what came after waits; the others are whole.
    assert dict(db("SELECT division, count(*) FROM reason.audit_seal GROUP BY 1")) == {
        **{d: 2 for d in DIVISIONS if d != "division"}, "division": 3, "good": 1 + len(DIVISIONS), "system": 2}
    assert db.verify("good")["ok"] and db.verify("system")["ok"]


def test_it_is_named_wherever_somebody_looks(damaged):
    db, nodes = damaged
    verified = {what: (ok, detail) for what, ok, detail in db("SELECT * FROM reason.verify_all()")}
    parked = {division: (item, reason, retry) for division, item, reason, retry in db(
        "SELECT division, item, reason, retry FROM reason.parked WHERE duty = 'seal'")}
    for division, (event, fault) in halted(db).items():
        ok, detail = verified[f'division "{division}"']
        assert not ok and event in detail and fault in detail, (division, detail)
        assert event in db.verify(division)["detail"]
        assert parked[division] == (event, fault, f"SELECT reason.mend_chain('{division}', 'why')")
    assert verified['division "good"'][0]
    assert dict(db("SELECT * FROM reason.parked_items()"))["seal"] == len(FAULTS)
    assert db.one("SELECT halted_chains FROM reason.readiness()") == len(FAULTS)
    assert db.one("SELECT extract(epoch FROM reason.audit_lag())") == 0, "they wait for somebody, and nobody else waits for them"


def test_sealing_goes_on_beside_them(damaged):
    db, _ = damaged
    for division in ("good", "pglz"):
        add(db, division)
    assert db.seal() == 1
    assert db.verify("good")["checked"] == 2 + len(DIVISIONS)


def test_an_event_that_was_repaired_is_sealed_without_being_asked(damaged):
    db, nodes = damaged
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        rewrite(db, nodes["time"], "ts = ts - interval '1 s'")
    db("SET session_replication_role = replica")
    rewrite(db, nodes["time"], "ts = ts - interval '1 s'")
    db("RESET session_replication_role")
    db.settle()
    assert db.verify("time")["ok"] and db.verify("time")["checked"] == 4 and "time" not in halted(db)


def test_an_event_of_a_record_is_remade_from_it(damaged):
    db, nodes = damaged
    with pytest.raises(psycopg.errors.NoDataFound):
        db("SELECT reason.mend_chain('good', 'no need')")
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        db("SELECT reason.mend_chain('pglz', '')")
    for division in [d for d in FAULTS if d != "time"]:
        before = halted(db)[division]
        assert db.one("SELECT reason.mend_chain(%s, 'a bad disk')", division) == "remade", division
        db.settle()
        assert division not in halted(db)
        event = db.row("SELECT division, event_type, outcome, fault, found_hash FROM reason.mended_event WHERE event_id = %s AND division = %s", before[0], division)
        assert event[0] == division and event[2:4] == ("remade", before[1])
        assert (event[4] is None) == (division in ("pglz", "chunk")), "what could be read was kept"
    for division in (*DIVISIONS, "north", "good", "system"):
        assert db.verify(division)["ok"], db.verify(division)
    verified = {what: (ok, detail) for what, ok, detail in db("SELECT * FROM reason.verify_all()")}
    assert all(ok for ok, _ in verified.values())
    assert verified["mended events"][1].count("remade") == len(FAULTS) - 1


def test_what_was_mended_can_be_replayed(damaged, make_database):
    db, _ = damaged
    copy = make_database("halted_chains_copy")
    registry = json.dumps(db.one("SELECT reason.signer_registry()"))
    for event, in db("SELECT reason.audit_event_json(e) FROM reason.audit_events e ORDER BY division <> 'system', division, seq"):
        assert copy.one("SELECT reason.replay(%s::json, %s::json)", event, registry)
    # The copy's own registry is that of the chain.
    rows = "SELECT id, division, payload, metadata, digest, audit_event_id FROM reason.node ORDER BY id"
    assert copy(rows) == db(rows)
    assert all(ok for _, ok, _ in copy("SELECT * FROM reason.verify_all()"))


def test_an_event_of_nothing_else_is_set_aside(damaged):
    db, _ = damaged
    db("SELECT reason.set_client('spoilt', 'reader')")
    db("SELECT reason.set_client('behind', 'reader')")
    db("SET session_replication_role = replica")
    db("CREATE CAST (bytea AS json) WITHOUT FUNCTION")
    db("UPDATE reason.audit_event SET payload = '{'::bytea::json WHERE division = 'system' AND no = (SELECT max(no) - 1 FROM reason.audit_event)")
    db("DROP CAST (bytea AS json)")
    db("RESET session_replication_role")
    db.settle()
    assert set(halted(db)) == {"system"}
    assert not db.verify("system")["ok"]
    assert db.one("SELECT reason.mend_chain('system', 'spoilt')") == "set aside"
    db.settle()
    assert halted(db) == {}
    assert bytes(db.one("SELECT found FROM reason.mended_event WHERE outcome = 'set aside'")) == b"{"
    # What it recorded is recorded by no event, until somebody says it again.
    assert db.verify("system")["detail"] == 'client "spoilt": no event records it'
    db("SELECT reason.set_client('spoilt', 'auditor')")
    db.settle()
    assert all(ok for _, ok, _ in db("SELECT * FROM reason.verify_all()"))


def test_nobody_mends_what_is_sealed_or_well(damaged):
    db, nodes = damaged
    no, event = event_of(db, nodes["pglz"])
    with db.tampering():
        db("INSERT INTO reason.halted_chain (division, event_no, event_id, event_type, fault) VALUES ('pglz', %s, %s, 'x', 'x')", no, event)
        db("SET LOCAL session_replication_role = origin")
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            db("SELECT reason.mend_chain('pglz', 'why not')")
