"""A session that waits too long for a lock is told so: nothing counts as damaged because another session works on it."""
import hashlib
import json

import psycopg
import pytest

LONG = json.dumps({"text": "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(200))})


@pytest.mark.parametrize("table, whole", (("audit_event", True), ("node", False)))
def test_an_index_that_is_built_anew_halts_no_chain(db, table, whole):
    db.settle()
    db(f"SET reason.keep_event_text = {whole}")
    db("SELECT reason.add_node('score', '1', 'ada', metadata => %s::jsonb)", LONG)
    index = db.one("SELECT i.indexrelid::regclass::text FROM pg_class t JOIN pg_index i ON i.indrelid = t.reltoastrelid"
                   " WHERE t.oid = %s::regclass", f"reason.{table}")
    with psycopg.connect(db.dsn) as other:
        other.execute(f"REINDEX INDEX {index}")
        db("SET lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            db.seal()
        db("RESET lock_timeout")
        other.rollback()
    assert db("SELECT * FROM reason.halted_chain") == []
    db.settle()
    assert db("SELECT * FROM reason.halted_chain") == [] and db.verify()["ok"]
