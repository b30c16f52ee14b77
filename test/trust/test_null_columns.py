"""A column that always has a value, and is NULL, is named: whoever drops its constraint ends no session, and stops no other chain."""
import psycopg
import pytest

RECORDS = ("node", "edge", "annotation")
OPTIONAL = {"payload", "salt", "occurred_at", "version", "manifest_signature_id", "payload_ref", "prev_hash", "valid_from", "valid_to", "revoked_at", "revocation_reason"}


def write(db, division):
    cause, effect = (db.one("SELECT reason.add_node('score', '1', 'ada', division => %s, ts => '2026-01-02', version => '1', manifest_signature_id => 'm',"
                            " payload_ref => '{\"uri\": \"s3://b/k\"}')", division) for _ in range(2))
    edge = db.one("SELECT reason.add_edge(%s, %s, 'causal', 0, division => %s)", cause, effect, division)
    return {"node": effect, "edge": edge, "annotation": db.one("SELECT reason.annotate(%s, 'seen', division => %s)", effect, division)}


def empty(db, table, column, row):
    """That column of one row becomes NULL."""
    for constraint, in db("SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'", f"reason.{table}"):
        db(f"ALTER TABLE reason.{table} DROP CONSTRAINT {constraint}")
    # A column of the primary key, which all look by, cannot be NULL while there is one.
    db("UPDATE pg_attribute SET attnotnull = false WHERE attrelid = %s::regclass AND attname = %s", f"reason.{table}", column)
    assert db(f"UPDATE reason.{table} SET {column} = NULL WHERE {row} RETURNING 1")


def columns(db, table):
    return [name for name, in db("SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped", f"reason.{table}")]


def verified(db, division):
    """Whether the chain is good, and what is said; in one savepoint."""
    db("SAVEPOINT asked")
    try:
        return db.row("SELECT ok, detail FROM reason.verify_audit(%s)", division)
    except psycopg.errors.DataCorrupted as fault:
        return False, str(fault)
    finally:
        db("ROLLBACK TO asked")


@pytest.mark.parametrize("kept", ("on", "off"))
@pytest.mark.parametrize("sealed", (True, False))
@pytest.mark.parametrize("table", RECORDS)
def test_of_a_record(db, table, sealed, kept):
    division = f"{table}-{sealed}-{kept}"
    with db.connection.transaction(force_rollback=True):
        db(f"SET LOCAL reason.keep_event_text = {kept}")
        record = write(db, division)[table]
        write(db, "other")
        db("SET LOCAL session_replication_role = replica")
        if sealed:
            db.settle()
        for column in columns(db, table):
            db("SAVEPOINT whole")
            empty(db, table, column, f"id = '{record}'")
            if not sealed:
                db.settle()
                assert db.verify("other")["ok"], column
            ok, detail = verified(db, division)
            assert not ok and detail, (column, detail)
            if column not in OPTIONAL | {"no", "id", "division"}:
                assert f"column {column} " in detail, (column, detail)
            db("ROLLBACK TO whole")


@pytest.mark.parametrize("table, row", (("audit_event", "no = (SELECT max(no) FROM reason.audit_event WHERE division = 'chain')"),
                                        ("audit_seal", "division = 'chain' AND seq = 1"), ("audit_signature", "division = 'chain' AND seq = 1"),
                                        ("signer", "true")))
def test_of_a_chain(db, table, row):
    with db.connection.transaction(force_rollback=True):
        write(db, "chain")
        db("SET LOCAL session_replication_role = replica")
        db.settle()
        for column in columns(db, table):
            if column in OPTIONAL - {"payload"}:
                continue
            db("SAVEPOINT whole")
            empty(db, table, column, row)
            said = [verified(db, "chain"), verified(db, "system")]
            assert not all(ok for ok, _ in said), (column, said)
            db("ROLLBACK TO whole")


def test_of_an_event_before_it_is_sealed(db):
    with db.connection.transaction(force_rollback=True):
        write(db, "waits")
        write(db, "other")
        db("SET LOCAL session_replication_role = replica")
        for column in columns(db, "audit_event"):
            db("SAVEPOINT whole")
            empty(db, "audit_event", column, "no = (SELECT min(no) FROM reason.audit_event WHERE division = 'waits')")
            db.settle()
            assert db.verify("other")["ok"] and not verified(db, "waits")[0], column
            db("ROLLBACK TO whole")
