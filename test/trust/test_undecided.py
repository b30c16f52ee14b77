"""Transactions that stay open hold up nobody: a pass of the sealer costs what is new, and no event is passed over.

Any login can hold a transaction id, in any database. What a pass touches is counted: rows of events and of seals that indexes gave.
"""
import contextlib
import os
import random

import psycopg
import pytest

from postgres import caught_up, servers
from sealing import Database
from shared_server import conninfo

UNDECIDED = int(os.environ.get("REASON_UNDECIDED", "3000"))


def add(db, division="default", count=1):
    db("SELECT count(reason.add_node('score', '1', 'ada', division => %s)) FROM generate_series(1, %s)", division, count)


@pytest.fixture(scope="module")
def token(db):
    return db.token("seal")


@contextlib.contextmanager
def held_open(kind, db):
    """A transaction that has its id and does nothing, of each kind that there is."""
    server = conninfo() if kind == "another database" else db.dsn
    with psycopg.connect(server, autocommit=True) as holder:
        holder.execute("BEGIN")
        if kind == "subtransaction":
            holder.execute("SAVEPOINT a")
        holder.execute("SELECT pg_current_xact_id()")
        if kind == "prepared":
            holder.execute("PREPARE TRANSACTION 'undecided'")
        try:
            yield
        finally:
            holder.execute("ROLLBACK PREPARED 'undecided'" if kind == "prepared" else "COMMIT")


def rows_touched(db, query, *parameters):
    """Of audit_event and audit_seal, by a statement, in a session of its own: those tell of it when they end."""
    def count():
        db("SELECT pg_stat_clear_snapshot()")
        return db.one("SELECT sum(idx_tup_fetch + seq_tup_read)::bigint FROM pg_stat_user_tables WHERE schemaname = 'reason' AND relname IN ('audit_event', 'audit_seal')")

    # What this session did before is told, too.
    db("SELECT pg_stat_force_next_flush()")
    before = count()
    result = db.one(query, *parameters)
    db("SELECT pg_stat_force_next_flush()")
    return result, count() - before


@pytest.mark.parametrize("kind", ["idle", "another database", "subtransaction", "prepared"])
def test_a_pass_costs_what_is_new(db, token, kind):
    db.settle()
    with held_open(kind, db):
        add(db, count=UNDECIDED)
        assert db.seal() == UNDECIDED
        db.seal()
        add(db)
        db.seal()
        for _ in range(3):
            add(db)
            assert db.one("SELECT decided_no FROM reason.sealer_state") < db.one("SELECT max(no) FROM reason.audit_event") - UNDECIDED
            sealed, touched = rows_touched(db, "SELECT reason.seal_events(%s, 1000)", token)
            assert sealed == 1 and touched < 50, f"{touched} rows for one event"
        # Whoever asks how far it is looks at as few.
        db.sign()
        assert rows_touched(db, "SELECT reason.audit_lag()")[1] < 50
        assert rows_touched(db, "SELECT count(*) FROM reason.sidecar_status()")[1] < 200
    db.settle()
    assert db.one("SELECT decided_no FROM reason.sealer_state") == db.one("SELECT last_value FROM reason.record_no")


def test_what_a_transaction_leaves_that_was_open_for_long_is_sealed(db):
    db.settle()
    early, late = Database(db.name), Database(db.name)
    early("BEGIN")
    early("SELECT pg_current_xact_id()")
    late("BEGIN")
    add(late, "left")
    for n in range(5):
        add(db, count=300)
        assert db.seal() == 300
        if n == 2:
            late("SAVEPOINT a")
            add(late, "left")
            late("SAVEPOINT b")
            add(late, "left")
            late("ROLLBACK TO b")
    late("COMMIT")
    assert db.seal() == 2
    add(early, "left")
    early("COMMIT")
    assert db.seal() == 1
    early.close()
    late.close()
    db.settle()
    assert db.verify("left")["checked"] == 3 and db.verify()["ok"]


def test_an_event_is_missed_by_no_pass_however_transactions_overlap(db, token):
    """Writers, holders, savepoints, prepared transactions, several sealers with small batches, restarts of the mark."""
    rng = random.Random(os.environ.get("REASON_SEED", "7"))
    db.settle()
    writers = [Database(db.name) for _ in range(6)]
    sealers = [Database(db.name) for _ in range(2)]
    open_ones, prepared, committed = {}, {}, 0
    for step in range(int(os.environ.get("REASON_STEPS", "700"))):
        writer = rng.randrange(len(writers))
        act = rng.random()
        if act < 0.25:
            if writer not in open_ones:
                writers[writer]("BEGIN")
                open_ones[writer] = 0
            if rng.random() < 0.2:
                writers[writer]("SELECT pg_current_xact_id()")
            else:
                add(writers[writer], "storm")
                open_ones[writer] += 1
        elif act < 0.4 and writer in open_ones:
            writers[writer]("SAVEPOINT a")
            add(writers[writer], "storm")
            if rng.random() < 0.5:
                writers[writer]("ROLLBACK TO a")
            else:
                open_ones[writer] += 1
        elif act < 0.6 and writer in open_ones and (writer > 1 or rng.random() < 0.1):
            count = open_ones.pop(writer)
            end = rng.choice(["COMMIT", "COMMIT", "ROLLBACK", "PREPARE"])
            if end == "PREPARE":
                writers[writer](f"PREPARE TRANSACTION 'storm {step}'")
                prepared[f"storm {step}"] = count
            else:
                writers[writer](end)
                committed += count if end == "COMMIT" else 0
        elif act < 0.65 and prepared:
            name = rng.choice(list(prepared))
            count = prepared.pop(name)
            end = rng.choice(["COMMIT", "ROLLBACK"])
            db(f"{end} PREPARED '{name}'")
            committed += count if end == "COMMIT" else 0
        elif act < 0.66:
            db("DELETE FROM reason.sealer_state")
        else:
            rng.choice(sealers)("SELECT reason.seal_events(%s, %s)", token, rng.choice([1, 3, 1000]))
            if rng.random() < 0.1:
                while sealers[0].one("SELECT reason.seal_events(%s, 1000)", token):
                    pass
                assert db.one("SELECT count(*) FROM reason.audit_seal WHERE division = 'storm'") == committed, step
    for name in prepared:
        db(f"ROLLBACK PREPARED '{name}'")
    for connection in writers + sealers:
        connection("ROLLBACK")
        connection.close()
    db.settle()
    assert db.verify("storm")["checked"] == committed > 50
    assert db.one("SELECT decided_no FROM reason.sealer_state") == db.one("SELECT last_value FROM reason.record_no")


def test_an_event_without_a_place_is_found_beside_transactions_that_stay_open(db):
    db.settle()
    with held_open("idle", db):
        add(db, "cut", 20)
        db.seal()
        add(db)
        db.seal()
        with db.tampering():
            db("DELETE FROM reason.audit_seal WHERE division = 'cut' AND seq >= 15")
            assert "has no place in the chain" in db.verify("cut")["detail"]
        db.sign()


def test_a_chain_that_had_halted_goes_on_in_small_batches(db, token):
    db.settle()
    add(db, "halting", 30)
    no = db.one("SELECT min(no) FROM reason.audit_event WHERE division = 'halting'")
    db("SET session_replication_role = replica")
    db("UPDATE reason.audit_event SET event_type = 'odd' WHERE no = %s", no)
    db.settle()
    add(db, count=3)
    db.settle()
    assert db.one("SELECT count(*) FROM reason.halted_chain") == 1
    db("UPDATE reason.audit_event SET event_type = 'node.created' WHERE no = %s", no)
    db("RESET session_replication_role")
    add(db, count=3)
    assert [db.one("SELECT reason.seal_events(%s, 10)", token) for _ in range(5)] == [10, 10, 10, 3, 0]
    assert db.one("SELECT count(*) FROM reason.halted_chain") == 0
    db.settle()
    assert db.verify("halting")["checked"] == 30 and db.verify("halting")["ok"] and db.verify()["ok"]


@pytest.mark.parametrize("how", ["crash", "restart", "promotion"])
def test_no_event_is_missed_over_the_end_of_a_server(how):
    """The mark outlives it, and whoever ran then has ended, or was prepared."""
    with servers() as make:
        server = make("first", "max_prepared_transactions = 10\nwal_level = replica\nsynchronous_commit = off")
        with psycopg.connect(server.conninfo(), autocommit=True) as admin:
            admin.execute("CREATE DATABASE ended")
        db, writer, lost = (Database("ended", server) for _ in range(3))
        db("SET client_min_messages = warning")
        db("CREATE EXTENSION reasoning_graph")
        writer("BEGIN")
        add(writer, count=3)
        lost("BEGIN")
        add(lost, count=5)
        add(db, count=20)
        assert db.seal() == 20
        writer("PREPARE TRANSACTION 'kept'")
        add(db, count=20)
        assert db.seal() == 20
        # Durable, and with it all that came before.
        db("SET synchronous_commit = on")
        add(db)
        if how == "promotion":
            standby = make("second", "max_prepared_transactions = 10", primary=server)
            add(db, count=2)
            db.seal()
            caught_up(standby, server)
        server.stop("fast" if how == "restart" else "immediate")
        if how == "promotion":
            server = standby
            server.run("pg_ctl", "-D", server.data, "-w", "promote")
        else:
            server.start()
        db = Database("ended", server)
        add(db, count=4)
        db.seal()
        assert db.one("SELECT count(*) FROM reason.audit_seal") == db.one("SELECT count(*) FROM reason.audit_event")
        db("COMMIT PREPARED 'kept'")
        assert db.seal() == 3
        db.seal()
        assert db.one("SELECT decided_no FROM reason.sealer_state") == db.one("SELECT last_value FROM reason.record_no")
        assert db.verify()["checked"] == db.one("SELECT count(*) FROM reason.audit_event") and db.verify()["ok"]
        db.close()
