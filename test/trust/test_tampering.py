"""Whatever is altered behind the extension's back is found, and the row is named.

A superuser with triggers off changes one column of one row at a time; the chain or the
snapshot must say so. Everything is rolled back in between.
"""
import datetime
import math
import os
import random
import struct
import uuid

import psycopg
import pytest

from signer import Signer

# Columns whose value does not matter to anybody: none.
TABLES = ("node", "edge", "annotation", "audit_event", "audit_seal", "audit_signature", "snapshot", "snapshot_chunk", "signer")

CHOICES = {
    ("node", "type"): "CASE type WHEN 'score' THEN 'decision' ELSE 'score' END",
    ("edge", "type"): "CASE type WHEN 'causal' THEN 'supports' ELSE 'causal' END",
    ("snapshot", "direction"): "CASE direction WHEN 'ancestors' THEN 'descendants' ELSE 'ancestors' END",
    ("snapshot", "hash"): "translate(left(hash, 1), '0123456789abcdef', '123456789abcdef0') || substr(hash, 2)",
    ("snapshot", "status"): "'signed'",
    ("snapshot", "root_ids"): "root_ids || '00000000-0000-4000-8000-000000000000'::uuid",
    ("signer", "algorithm"): "'other'",
}
BY_TYPE = {
    "bigint": ["{c} + 1", "{c} - 1"],
    "integer": ["coalesce({c}, 0) + 1"],
    "double precision": ["{c} + 1e-15"],
    "text": ["coalesce({c}, '') || 'x'", "NULL"],
    "boolean": ["NOT {c}"],
    "uuid": ["gen_random_uuid()"],
    "timestamp with time zone": ["coalesce({c}, '2026-01-01') + interval '1 microsecond'", "'infinity'", "NULL"],
    "jsonb": ["jsonb_set(jsonb_build_object('was', {c}), '{{more}}', '1')", "'{{\"n\": 1e400}}'", "NULL"],
    "json": ["('{{\"a\":1,' || substr({c}::text, 2))::json", "replace({c}::text, ':', ': ')::json"],
    "bytea": ["set_bit(coalesce({c}, '\\x00'), 0, 1 - get_bit(coalesce({c}, '\\x00'), 0))", "NULL"],
    "uuid[]": ["{c} || '00000000-0000-4000-8000-000000000000'::uuid"],
}


@pytest.fixture(scope="module")
def graph(db):
    nodes = []
    # Some events are stored whole, the others are made from the rows of their records.
    for n in range(4):
        db(f"SET reason.keep_event_text = {n < 2}")
        nodes.append(db.one("SELECT reason.add_node('observation', %s::jsonb, 'ada', metadata => '{\"confidence\": 0.5}', ts => '2026-01-02',"
                            " version => '1', manifest_signature_id => 'm', payload_ref => '{\"uri\": \"s3://b/k\"}')", f'{{"n": {n}}}'))
    for cause, effect in zip(nodes, nodes[1:]):
        db(f"SET reason.keep_event_text = {cause == nodes[0]}")
        db("SELECT reason.add_edge(%s, %s, 'causal', 0.25, '{\"why\": \"so\"}')", cause, effect)
    db("SELECT reason.annotate(%s, 'looks right', metadata => '{\"a\": 1}')", nodes[1])
    db("SET reason.keep_event_text = on")
    db("SELECT reason.annotate(%s, 'his name')", nodes[1])
    db("RESET reason.keep_event_text")
    snapshot = db.one("SELECT reason.create_snapshot(%s, 5, description => 'd', include_annotations => true,"
                      " manifest_signature_id => 'm', request_id => 'r')", [nodes[3]])
    db.complete(snapshot)
    db("SELECT reason.erase_payload(%s, 'asked for')", nodes[0])
    db("SELECT reason.add_signer('retired', %s)", Signer("retired", b"retired").public.raw.hex())
    db("SELECT reason.retire_signer('retired')")
    db("SELECT reason.add_signer('revoked', %s)", Signer("revoked", b"revoked").public.raw.hex())
    db("SELECT reason.revoke_signer('revoked', 'lost')")
    # The last event of each chain is not tampered with: nothing in the database vouches for a chain's end.
    db("SELECT reason.append_event('default', 'test.end', '{}')")
    db("SELECT reason.append_event('system', 'test.end', '{}')")
    db.settle()
    return {"nodes": nodes, "snapshot": snapshot}


def faults(db, graph):
    found = [db.verify("default"), db.verify("system")]
    if db("SELECT 1 FROM reason.snapshot WHERE id = %s", graph["snapshot"]):
        found.append(db.verify_snapshot(graph["snapshot"]))
    return [f for f in found if not f["ok"]]


def alterations(db):
    for table in TABLES:
        for column, kind in db("SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
                               " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum", f"reason.{table}"):
            if (table, column) in CHOICES:
                yield table, column, CHOICES[table, column]
            else:
                for change in BY_TYPE[kind]:
                    yield table, column, change.format(c=column)


# Rows that nothing stands behind (see graph), and what names a row in detail.
# By number and event where the id itself is what was altered.
RECORD = "concat_ws('|', id, audit_event_id, 'with no ' || no)"
ROWS = {
    "node": ("true", RECORD), "edge": ("true", RECORD), "annotation": ("true", RECORD),
    "audit_event": ("event_type <> 'test.end'", "concat_ws('|', id, 'with no ' || no, payload #>> '{erased,id}', payload #>> '{signer,signerId}')"),
    "audit_seal": ("(division, seq) NOT IN (SELECT division, max(seq) FROM reason.audit_seal GROUP BY division)", "seq::text"),
    "audit_signature": ("(division, seq) NOT IN (SELECT division, max(seq) FROM reason.audit_seal GROUP BY division)", "seq::text"),
    "snapshot_chunk": ("true", "(SELECT s.id::text FROM reason.snapshot s WHERE s.no = snapshot_no)"),
    "signer": ("true", "signer_id"),
}


def test_nothing_is_wrong_before(db, graph):
    assert faults(db, graph) == []


def test_every_column_of_every_table(db, graph):
    """Each alteration that changes a value, on every row: found, and the row named."""
    missed, unnamed, tried = [], [], 0
    for table, column, change in alterations(db):
        condition, name = ROWS.get(table, ("true", "id::text"))
        for place, label in db(f"SELECT ctid::text, {name} FROM reason.{table} WHERE {condition} AND ({change}) IS DISTINCT FROM {column}"
                               if change != "NULL" and not change.startswith("replace") and "::json" not in change
                               else f"SELECT ctid::text, {name} FROM reason.{table} WHERE {condition} AND {column} IS NOT NULL"):
            with db.tampering():
                for constraint, in db("SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'", f"reason.{table}"):
                    db(f"ALTER TABLE reason.{table} DROP CONSTRAINT {constraint}")
                db("SAVEPOINT altered")
                try:
                    db(f"UPDATE reason.{table} SET {column} = {change} WHERE ctid = %s", place)
                except Exception as error:  # NOT NULL and unique constraints say no themselves
                    assert any(e in str(error) for e in ("violates not-null", "duplicate key")), (table, column, change, error)
                    continue
                tried += 1
                found = faults(db, graph)
                if not found:
                    missed.append((table, column, change, label))
                elif not any(part in str(f["detail"]) or str(f.get("first_bad_seq")) == part for f in found for part in label.split("|")):
                    unnamed.append((table, column, change, label, [f["detail"] for f in found]))
    print(tried, "alterations")
    assert tried > 400
    assert not missed, "\n".join(map(str, missed))
    assert not unnamed, "\n".join(map(str, unnamed))


@pytest.mark.parametrize("table", ("node", "edge", "annotation", "audit_event", "audit_seal", "audit_signature", "snapshot", "snapshot_chunk"))
def test_every_removed_row(db, graph, table):
    condition, _ = ROWS.get(table, ("true", ""))
    for place, in db(f"SELECT ctid::text FROM reason.{table} WHERE {condition}"):
        with db.tampering():
            db(f"DELETE FROM reason.{table} WHERE ctid = %s", place)
            if table == "snapshot":
                assert not db.verify()["ok"]
            else:
                assert faults(db, graph) != [], place


def test_rows_that_nobody_recorded(db, graph):
    for table in ("node", "edge", "annotation"):
        with db.tampering():
            invented = str(uuid.uuid4())
            columns = [c for c, in db("SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum", f"reason.{table}")]
            values = ", ".join({"no": "1000000", "id": f"'{invented}'"}.get(c, c) for c in columns)
            db(f"INSERT INTO reason.{table} SELECT {values} FROM reason.{table} LIMIT 1")
            fault = db.verify()
            assert not fault["ok"] and invented in fault["detail"] and fault["first_bad_seq"] is None


def test_an_event_that_the_sealer_would_never_see(db, graph):
    with db.tampering():
        db("INSERT INTO reason.audit_event SELECT -5, gen_random_uuid(), division, event_type, ts, payload FROM reason.audit_event"
           " WHERE division = 'default' LIMIT 1")
        assert "no place in the chain" in db.verify()["detail"]


def test_a_cut_off_end_is_found_while_its_events_are_there(db, graph):
    with db.tampering():
        db("DELETE FROM reason.audit_signature WHERE division = 'default' AND seq > 5")
        db("DELETE FROM reason.audit_seal WHERE division = 'default' AND seq > 5")
        # As the sealer does in the end, whatever transactions others hold open in this cluster now.
        db("UPDATE reason.sealer_state SET decided_no = (SELECT max(no) FROM reason.audit_event)")
        assert "no place in the chain" in db.verify()["detail"]


def test_an_altered_node_is_found_from_its_edge_alone(db, graph):
    edge_seq = db.one("SELECT seq FROM reason.audit_seal s JOIN reason.edge e ON e.no = s.event_no ORDER BY seq LIMIT 1")
    for change in ("author = 'eve'", "payload = '{\"n\": 9}'"):
        with db.tampering():
            db(f"UPDATE reason.node SET {change} WHERE id = %s", graph["nodes"][1])
            fault = db.verify("default", edge_seq, edge_seq)
            assert not fault["ok"] and str(graph["nodes"][1]) in fault["detail"]


def test_swapped_events_keep_no_place(db, graph):
    with db.tampering():
        a, b = (no for no, in db("SELECT event_no FROM reason.audit_seal WHERE division = 'default' AND seq IN (2, 3) ORDER BY seq"))
        db("UPDATE reason.audit_seal SET event_no = -1 WHERE event_no = %s", a)
        db("UPDATE reason.audit_seal SET event_no = %s WHERE event_no = %s", a, b)
        db("UPDATE reason.audit_seal SET event_no = %s WHERE event_no = -1", b)
        fault = db.verify()
        assert (fault["ok"], fault["first_bad_seq"], fault["checked"]) == (False, 2, 2)


def flipped(value, generator):
    """The value with one bit changed, None if that gives no value of its type."""
    def flip(data):
        bit = generator.randrange(8 * len(data))
        data = bytearray(data)
        data[bit // 8] ^= 1 << bit % 8
        return bytes(data)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value ^ (1 << generator.randrange(31))
    if isinstance(value, float):
        changed, = struct.unpack("<d", flip(struct.pack("<d", value)))
        return changed if math.isfinite(changed) else None
    if isinstance(value, uuid.UUID):
        return uuid.UUID(bytes=flip(value.bytes))
    if isinstance(value, datetime.datetime):
        return value + datetime.timedelta(microseconds=generator.choice((1, -1)) << generator.randrange(40))
    if isinstance(value, bytes):
        return flip(value) if value else None
    if isinstance(value, list):
        return [flipped(value[0], generator)] + value[1:]
    try:
        return flip(value.encode()).decode() if value else None
    except UnicodeDecodeError:
        return None


def test_random_single_bits(db, graph):
    """One bit of one stored value; REASON_TAMPERINGS says how often."""
    generator = random.Random(4)
    times = int(os.environ.get("REASON_TAMPERINGS", "300"))
    columns = [(t, c, k) for t in TABLES for c, k in db(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0", f"reason.{t}")]
    values = {}
    for table, column, kind in columns:
        condition, name = ROWS.get(table, ("true", "id::text"))
        shown = f"{column}::text" if kind in ("json", "jsonb") else column
        values[table, column] = db(f"SELECT ctid::text, {shown}, {name} FROM reason.{table} WHERE {condition} AND {column} IS NOT NULL")
    tried = 0
    while tried < times:
        table, column, kind = generator.choice(columns)
        if not values[table, column]:
            continue
        place, value, label = generator.choice(values[table, column])
        altered = flipped(value, generator)
        if altered is None or (isinstance(altered, str) and "\0" in altered):
            continue
        with db.tampering():
            for constraint, in db("SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'", f"reason.{table}"):
                db(f"ALTER TABLE reason.{table} DROP CONSTRAINT {constraint}")
            try:
                changed = db(f"UPDATE reason.{table} SET {column} = %s::{kind} WHERE ctid = %s AND %s::{kind}::text <> {column}::text RETURNING 1",
                             altered, place, altered)
            except psycopg.errors.Error as error:
                # No value of its type, or a unique constraint says no itself.
                assert isinstance(error, (psycopg.errors.DataError, psycopg.errors.UniqueViolation, psycopg.errors.ProgrammingError)), error
                continue
            if not changed:
                continue
            tried += 1
            found = faults(db, graph)
            assert found, (table, column, label, value, altered)
            assert any(part in str(f["detail"]) or str(f.get("first_bad_seq")) == part for f in found for part in label.split("|")), (
                table, column, label, [f["detail"] for f in found])
