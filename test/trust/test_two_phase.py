"""Whatever changes state may be prepared while a sidecar sleeps, and wakes it when it is committed.

The calls are those of the round trip, which finds in the catalog whether any is missing (test_round_trip.py).
"""
import psycopg
import pytest

from state_changes import AFTER, BEFORE

# Nobody has left safe mode, and no chain is damaged here.
AFTER_A_FAULT = ("leave_safe_mode", "mend_chain")
CALLS = {name: shapes for name, shapes in {**BEFORE, **AFTER}.items() if name not in AFTER_A_FAULT}


@pytest.fixture(scope="module")
def db(make_database):
    made = make_database("trust_two_phase")
    made("SELECT reason.add_signer(%s, %s)", made.signer.name, made.signer.public.raw.hex())
    return made


@pytest.fixture
def sleeper(db):
    """A session that has gone to sleep at the doorbell, as the sidecar does."""
    with psycopg.connect(db.dsn, autocommit=True) as connection:
        connection.execute("LISTEN reason_work")
        yield connection


def rings(sleeper):
    """Whether somebody rang since it was asked before; then it sleeps again."""
    heard = []
    sleeper.add_notify_handler(heard.append)
    sleeper.execute("SELECT reason.unlock_doorbell()")
    assert sleeper.execute("SELECT reason.lock_doorbell()").fetchone() == (True,)
    sleeper.remove_notify_handler(heard.append)
    return bool(heard)


def test_every_function_that_changes_state_can_be_prepared(db, sleeper):
    db.settle()
    rings(sleeper)
    silent = []
    for name, shapes in CALLS.items():
        for place, shape in enumerate(shapes):
            before = db.one("SELECT count(*) FROM reason.audit_event")
            db("BEGIN")
            db(f"SELECT * FROM reason.{name}({shape.replace('@shape@', str(place))})")
            db("PREPARE TRANSACTION 'prepared'")
            assert not rings(sleeper), (name, place)
            assert db.one("SELECT count(*) FROM reason.audit_event") == before, (name, place)
            db("COMMIT PREPARED 'prepared'")
            if db.one("SELECT count(*) FROM reason.audit_event") > before and not rings(sleeper):
                silent.append((name, place))
            db.settle()
            rings(sleeper)
    assert silent == []
    assert [(what, detail) for what, ok, detail in db("SELECT * FROM reason.verify_all()") if not ok] == []
