"""Readers of the adjacency cache are counted; a session that ends gives back what it read, whatever it was doing."""
import contextlib
import json
import os
import socket
import threading
import time

import psycopg
import pytest

from graph_database import build_cache, connect

# Sleeps on each row, while the trace is being read.
SLEEPING = "SELECT count(pg_sleep(60 + depth)) FROM reason.trace(%s::uuid)"


def wait_until(what, holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.fixture(scope="module")
def start(database):
    with connect(database) as db:
        nodes = [node for node, in db.execute("SELECT reason.add_nodes(%s::json)", [json.dumps(
            {"nodes": [{"type": "observation", "author": "ada", "payload": n} for n in range(50)]})])]
        db.execute("SELECT reason.add_edges(%s::json)", [json.dumps(
            {"edges": [{"from": str(cause), "to": str(effect), "type": "causal"} for cause, effect in zip(nodes, nodes[1:])]})])
        db.execute("VACUUM reason.node, reason.edge")
        build_cache(db)
        db.execute("CREATE FUNCTION folded(start uuid) RETURNS bigint IMMUTABLE LANGUAGE sql AS"
                   f" $${SLEEPING.replace('%s::uuid', '$1')}$$")
        db.execute("CREATE FUNCTION estimated(start uuid) RETURNS bigint STABLE LANGUAGE plpgsql AS"
                   f" $$BEGIN RETURN ({SLEEPING.replace('%s::uuid', '$1')}); END$$")
        return nodes[-1]


def readers(db):
    return db.execute("SELECT readers FROM reason.adjacency_cache_status()").fetchone()[0]


def planning(session, start):
    session.execute("SELECT folded(%s::uuid)", [start], prepare=False)


def estimating(session, start):
    session.execute("SELECT FROM reason.edge WHERE no < estimated(%s::uuid)", [start], prepare=False)


def executing(session, start):
    session.execute(SLEEPING, [start])


def reading_a_cursor(session, start):
    session.execute("BEGIN")
    session.execute("DECLARE c CURSOR FOR SELECT * FROM reason.trace(%s::uuid)", [start])
    session.execute("FETCH 3 FROM c")


def inside_a_block_that_catches(session, start):
    session.execute(f"""DO $$BEGIN
        BEGIN PERFORM folded('{start}'); EXCEPTION WHEN division_by_zero THEN NULL; END;
    END$$""")


USES = [planning, estimating, executing, reading_a_cursor, inside_a_block_that_catches]


def terminate(db, session):
    db.execute("SELECT pg_terminate_backend(%s)", [session.info.backend_pid])


def lose_the_client(db, session):
    """As when its machine vanishes: the server finds the connection closed."""
    copy = socket.socket(fileno=os.dup(session.fileno()))
    copy.shutdown(socket.SHUT_RDWR)
    copy.close()


def cancel(db, session):
    db.execute("SELECT pg_cancel_backend(%s)", [session.info.backend_pid])


@pytest.mark.parametrize("end", [terminate, lose_the_client])
@pytest.mark.parametrize("use", USES)
def test_a_session_that_ends_reads_no_longer(database, db, start, use, end):
    session = connect(database)
    session.execute("SET client_connection_check_interval = '50ms'")
    pid = session.info.backend_pid

    def run():
        with contextlib.suppress(psycopg.Error):
            use(session, start)
    thread = threading.Thread(target=run)
    assert readers(db) == 0
    thread.start()
    wait_until("it reads", lambda: readers(db) == 1)
    end(db, session)
    wait_until("it ends", lambda: not db.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [pid]).fetchall())
    thread.join(60)
    session.close()
    assert readers(db) == 0


@pytest.mark.parametrize("use", [planning, estimating, executing, inside_a_block_that_catches])
def test_a_session_that_is_canceled_can_read_again(database, db, start, use):
    with connect(database) as session:
        for _ in range(3):
            canceled = []

            def run():
                try:
                    use(session, start)
                except psycopg.errors.QueryCanceled:
                    canceled.append(True)
            thread = threading.Thread(target=run)
            thread.start()
            wait_until("it reads", lambda: readers(db) == 1)
            cancel(db, session)
            thread.join(60)
            assert canceled
            # What planning took is given back with the next command.
            assert session.execute("SELECT count(*) FROM reason.trace(%s)", [start]).fetchone() == (50,)
            assert readers(db) == 0
