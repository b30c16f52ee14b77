"""Later pages of a trace cost no more than the first, and stay exact while writers work and all of them note watermarks."""

import contextlib
import os
import random
import threading
import time
import uuid

import psycopg
import pytest

from graph_database import build_cache, connect
from postgres import caught_up, servers
from trace_pages import Started, add_edge, add_node, ids, page

SECONDS = float(os.environ.get("REASON_PAGES_SECONDS", "4"))
# Whoever draws so many numbers has noted a moment.
DISTANCE = 256


def add_nodes(db):
    """So many at once that a moment is noted among them."""
    db.execute("SELECT count(*) FROM reason.add_nodes((SELECT json_build_object('nodes', json_agg(json_build_object("
               "'type', 'score', 'author', 'me', 'payload', i))) FROM generate_series(1, %s) i))", [DISTANCE + 10])


# ---------------------------------------------------------------- what a later page costs


def buffers(db, node, cursor=None):
    """That a page touches: what it costs, without a clock; and what it said of the cache."""
    said = []
    db.add_notice_handler(handler := lambda diagnostic: said.append(diagnostic.message_primary))
    db.execute("SET client_min_messages = debug1")
    plan = db.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT reason.trace_json(%s, depth => NULL, \"limit\" => 20, cursor => %s,"
                      " redact => false, divisions => '{*}')", [node.id, cursor]).fetchone()[0][0]["Plan"]
    db.execute("RESET client_min_messages")
    db.remove_notice_handler(handler)
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], any("ran in the adjacency cache" in message for message in said)


def compare_costs(db, star, use):
    """
    Of the first page and a later one, in a session. Others on the server may draw an xid meanwhile, and autovacuum
    have its snapshot: of some attempts the best counts.
    """
    db.execute(f"SET reason.adjacency_cache = {use}")
    for _ in range(5):
        cursor = page(db, star, limit=20)["nextCursor"]
        costs = buffers(db, star), buffers(db, star, cursor)
        if costs[1][0] <= costs[0][0]:
            break
    assert [cached for _, cached in costs] == [use == "always"] * 2
    return [touched for touched, _ in costs]


def costs_no_more(db, star, use):
    first, later = compare_costs(db, star, use)
    assert later <= first, f"the first page touches {first} buffers, a later one {later}"


def settle(db, star):
    """So that a page has no row of the star to look up but what it does not know to be decided."""
    deadline = time.monotonic() + 30
    db.execute("SET reason.adjacency_cache = off")
    while True:
        db.execute("VACUUM reason.node, reason.edge")
        seen = db.execute("SELECT bool_and(n.all_visible >= n.pages) FROM (SELECT relallvisible, relpages FROM pg_class"
                          " WHERE oid IN ('reason.node'::regclass, 'reason.edge'::regclass)) n (all_visible, pages)").fetchone()[0]
        if seen:
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    db.execute("SET reason.adjacency_cache = always")
    build_cache(db)


def new_star(db):
    """Of whose records the sealer has passed none, on pages that everybody sees."""
    star = Started(db, leaves=300)
    db.execute("DELETE FROM reason.sealer_state")
    settle(db, star)
    return star


@pytest.fixture
def star(db):
    return new_star(db)


class Overlapping:
    """Two sessions that write in turn, one of them always in the middle of a transaction."""

    def __init__(self, *sessions):
        self.idle, self.busy = sessions
        self.begin(self.busy)

    def begin(self, session):
        session.execute("BEGIN")
        add_node(session)

    def step(self, times=1):
        for _ in range(times):
            self.begin(self.idle)
            self.busy.execute("COMMIT")
            self.idle, self.busy = self.busy, self.idle


@pytest.fixture
def writers(database):
    with connect(database) as a, connect(database) as b:
        yield Overlapping(a, b)


@pytest.mark.parametrize("use", ["off", "always"])
def test_a_later_page_costs_no_more_than_the_first_without_a_sealer(db, star, use):
    costs_no_more(db, star, use)


@pytest.mark.parametrize("use", ["off", "always"])
def test_nor_in_a_new_session_beside_others_that_write_all_the_time(database, star, writers, use):
    writers.step(DISTANCE + 10)
    with connect(database) as fresh:
        costs_no_more(fresh, star, use)


@pytest.mark.parametrize("use", ["off", "always"])
def test_nor_while_one_of_them_runs_long(database, star, writers, use):
    """So long that what was noted since would not all fit."""
    writers.step(DISTANCE + 10)
    with connect(database) as long, connect(database) as many:
        with long.transaction():
            add_node(long)
            for _ in range(80):
                add_nodes(many)
                writers.step(2)
            with connect(database) as fresh:
                costs_no_more(fresh, star, use)


def test_without_preload_a_session_knows_what_it_has_noted_itself():
    with servers() as make:
        server = make("alone", "shared_preload_libraries = ''")
        with server.connect() as db, server.connect() as a, server.connect() as b:
            db.execute("CREATE EXTENSION reasoning_graph")
            star = Started(db, leaves=300)
            db.execute("VACUUM reason.node, reason.edge")
            writers = Overlapping(a, b)
            page(db, star, limit=20)
            writers.step()
            costs_no_more(db, star, "off")
            # What it has drawn itself: a moment that passes when the writers have moved on.
            other = Started(a, leaves=DISTANCE) if writers.idle is a else Started(b, leaves=DISTANCE)
            writers.step(2)
            costs_no_more(writers.idle, star, "off")
            assert other.id != star.id


# ---------------------------------------------------------------- what pages show


def write(db, star, many):
    add_edge(db, add_node(db), star.id)
    if many:
        add_nodes(db)


class Writer:
    """A session that may be in the middle of a transaction."""

    def __init__(self, db, star, rng):
        self.db, self.star, self.rng = db, star, rng

    def act(self):
        if self.db.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            self.db.execute("BEGIN")
        savepoint = self.rng.random() < 0.3
        if savepoint:
            self.db.execute("SAVEPOINT s")
        write(self.db, self.star, self.rng.random() < 0.2)
        if savepoint:
            self.db.execute(self.rng.choice(["RELEASE s", "ROLLBACK TO s"]))

    def end(self, prepared):
        if self.db.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            return
        if self.rng.random() < 0.3:
            prepared.append(f"pages {uuid.uuid4()}")
            self.db.execute(f"PREPARE TRANSACTION '{prepared[-1]}'")
        else:
            self.db.execute(self.rng.choice(["COMMIT", "COMMIT", "ROLLBACK"]))


def begin_a_trace(db, star):
    """Its whole and its first page, of one snapshot."""
    with db.transaction():
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return ids([page(db, star)]), page(db, star, limit=2)


def goes_on(db, star, begun):
    whole, first = begun
    return ids([first, page(db, star, cursor=first["nextCursor"])]) == whole


@pytest.mark.parametrize("use", ["off", "always"])
def test_pages_hold_whatever_writers_do(database, use):
    """
    Some sessions, in any order, much of it undone, one of them for long, some of it left prepared for long, the
    sealer's mark moving now and then; pages asked for in sessions old and new.
    """
    rng = random.Random(use)
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(connect(database, options=f"-c reason.adjacency_cache={use}")) for _ in range(6)]
        star = Started(sessions[0], leaves=3)
        writers = [Writer(db, star, rng) for db in sessions[2:]]
        begun, prepared = [], []
        token = sessions[0].execute("SELECT reason.acquire_lease('seal', 'test', '1 hour')").fetchone()[0]
        for i in range(600):
            reader = sessions[rng.randrange(2)]
            if rng.random() < 0.1:
                reader = stack.enter_context(connect(database, options=f"-c reason.adjacency_cache={use}"))
            action = rng.choice(["write", "write", "end", "end long", "end prepared", "seal", "begin a trace", "go on", "go on", "go on"])
            if action == "write":
                rng.choice(writers).act()
            elif action == "end":
                rng.choice(writers[1:]).end(prepared)
            elif action == "end long" and rng.random() < 0.2:
                writers[0].end(prepared)
            elif action == "end prepared" and prepared and rng.random() < 0.5:
                name = prepared.pop(rng.randrange(len(prepared)))
                sessions[0].execute(rng.choice(["COMMIT PREPARED", "ROLLBACK PREPARED"]) + f" '{name}'")
            elif action == "seal" and rng.random() < 0.2:
                sessions[0].execute("SELECT reason.seal_events(%s, 100000)", [token])
            elif action == "begin a trace":
                begun.append(begin_a_trace(reader, star))
            elif action == "go on" and begun:
                assert goes_on(reader, star, rng.choice(begun)), i
        for name in prepared:
            sessions[0].execute(f"ROLLBACK PREPARED '{name}'")
        for db in sessions:
            db.execute("ROLLBACK")


def test_pages_hold_beside_busy_writers(database):
    """All at once, as only that shows in which order a moment is read."""
    ends = time.monotonic() + SECONDS
    failures = []
    counts = [0, 0]
    with connect(database) as db:
        stars = [Started(db, leaves=3)]

    def guarded(work):
        try:
            with connect(database) as db:
                work(db)
        except BaseException as error:  # noqa: B902: whatever it was, the test must fail
            failures.append(error)

    def write_on(db):
        while time.monotonic() < ends and not failures:
            add_edge(db, add_node(db), stars[-1].id)

    def read_on(db):
        while time.monotonic() < ends and not failures:
            star = stars[-1]
            for begun in [begin_a_trace(db, star) for _ in range(5)]:
                assert goes_on(db, star, begun)
                counts[0] += 1
            if len(begun[0][0]) > 60:
                stars.append(Started(db, leaves=3))

    threads = [threading.Thread(target=guarded, args=[work]) for work in [write_on, write_on, read_on, read_on]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    assert counts[0] > 0


# ---------------------------------------------------------------- what watermarks do not outlive


@pytest.mark.parametrize("how, asked", [
    ("SELECT setval('reason.record_no', 1, false)", False), ("SELECT setval('reason.record_no', 1, false)", True),
    ("ALTER SEQUENCE reason.record_no RESTART", False), ("DROP EXTENSION reasoning_graph CASCADE; CREATE EXTENSION reasoning_graph", False),
], ids=["setval", "setval, asked in between", "restart", "made anew"])
def test_a_sequence_that_was_set_back_decides_nothing(own, how, asked):
    """As only a superuser can: numbers are drawn a second time."""
    with connect(own) as db, connect(own) as writer:
        add_node(writer)
        Started(db, leaves=2 * DISTANCE)
        db.execute("SET session_replication_role = replica")
        db.execute("DELETE FROM reason.edge; DELETE FROM reason.node; DELETE FROM reason.audit_event")
        db.execute(how)
        db.execute("RESET session_replication_role")
        star = Started(db, leaves=3)
        if asked:
            page(db, star, limit=2)
        with writer.transaction():
            add_edge(writer, add_node(writer), star.id)
            Started(db, leaves=3 * DISTANCE)
            begun = begin_a_trace(db, star)
        assert goes_on(db, star, begun)


def test_a_standby_decides_nothing_by_itself_and_once_promoted_does():
    """It hears of numbers before they are drawn: the sequence's log is ahead of it."""
    with servers() as make:
        primary = make("primary", "wal_level = replica\nmax_wal_senders = 4\nmax_prepared_transactions = 4")
        with primary.connect() as db:
            db.execute("CREATE EXTENSION reasoning_graph")
            star = Started(db, leaves=300)
        standby = make("standby", "hot_standby = on", primary=primary)
        with primary.connect() as db:
            for prepared in (False, True):
                caught_up(standby, primary)
                with standby.connect() as reader:
                    begun = begin_a_trace(reader, star)
                db.execute("BEGIN")
                write(db, star, many=False)
                db.execute("PREPARE TRANSACTION 'at the promotion'" if prepared else "COMMIT")
                caught_up(standby, primary)
                with standby.connect() as reader:
                    assert goes_on(reader, star, begun)
        standby.run("pg_ctl", "-D", standby.data, "-w", "promote")
        with standby.connect() as db:
            begun = begin_a_trace(db, star)
            db.execute("COMMIT PREPARED 'at the promotion'")
            assert goes_on(db, star, begun)
            db.execute("VACUUM reason.node, reason.edge")
            costs_no_more(db, star, "off")


def test_after_a_crash_only_what_has_ended_is_decided():
    with servers() as make:
        server = make("alone", "max_prepared_transactions = 4")
        with server.connect() as db:
            db.execute("CREATE EXTENSION reasoning_graph")
            star = Started(db, leaves=3)
            db.execute("BEGIN")
            write(db, star, many=True)
            db.execute("PREPARE TRANSACTION 'at the crash'")
            page(db, star, limit=2)
        server.stop("immediate")
        server.start()
        with server.connect() as db:
            begun = begin_a_trace(db, star)
            db.execute("COMMIT PREPARED 'at the crash'")
            assert goes_on(db, star, begun)
