"""Long reads of one client take turns, whichever of the gateway's workers sends them; nobody else waits for them."""
import threading

import pytest

from sealing import Database
from wait import wait_for

CALLER = "'%s', 'CN=ca', NULL, 'r', NULL"
NODE = "00000000-0000-7000-8000-0000000000c1"
HEAVY = {
    "query": "SELECT status FROM reason.http_post_query({}, '{{\"filters\": {{\"text\": \"nowhere\"}}}}')",
    "explain": f"SELECT status FROM reason.http_get_explain({{}}, '{NODE}', NULL)",
    "traces": f"SELECT status FROM reason.http_get_traces({{}}, '{NODE}', NULL)",
    "Kernel's form": f"SELECT status FROM reason.http_get_reason({{}}, '{NODE}', NULL)",
    "export": f"SELECT status FROM reason.http_get_export({{}}, '{NODE}', NULL)",
    "long trace": f"SELECT status FROM reason.http_get_trace({{}}, '{NODE}', '{{{{\"limit\": \"10000\"}}}}')",
}
QUICK = f"SELECT status FROM reason.http_get_node({{}}, '{NODE}', NULL)"


@pytest.fixture(scope="module")
def graph(db):
    for name in ("greedy", "other"):
        db("SELECT reason.set_client(%s, 'reader', pii => true)", name)
    db("SELECT reason.add_node('decision', '1', 'a', id => %s)", NODE)
    # Enough for a trace to take 20 ms on any machine.
    db("SELECT count(*) FROM (SELECT reason.add_nodes(json_build_object('nodes', json_agg(json_build_object('type', 'score', 'author', 'a',"
       " 'payload', repeat('words and ', 20000))))) FROM generate_series(1, 300) i GROUP BY i / 50) s")
    db("SELECT count(*) FROM (SELECT reason.add_edges(json_build_object('edges', json_agg(json_build_object('from', n.id, 'to', %s::uuid, 'type', 'causal'))))"
       " FROM reason.node n WHERE n.type = 'score') s", NODE)
    return db


@pytest.fixture
def session(graph):
    made = []

    def make(places=1):
        made.append(Database(graph.name))
        made[-1]("SET reason.client_heavy_reads = %d" % places)
        made[-1]("SET statement_timeout = '60s'")
        return made[-1]
    yield make
    for one in made:
        one.close()


def call(session, read, client="greedy"):
    return session.one(read.format(CALLER % client))


def waiting(graph, session):
    return graph.one("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s", session.connection.info.backend_pid)


@pytest.mark.parametrize("read", HEAVY)
def test_a_second_read_that_takes_long_waits_for_the_first_of_its_client(graph, session, read):
    first, second, other = session(), session(), session()
    # What a session does for the first time takes longest, and the time counts.
    assert call(other, QUICK) == 200
    first("BEGIN")
    assert call(first, HEAVY["query"]) == 200
    answers = []
    waiter = threading.Thread(target=lambda: answers.append(call(second, HEAVY[read])))
    waiter.start()
    wait_for(lambda: waiting(graph, second), 20, "the second to wait")
    # Nobody else does, and no quick read of its own.
    assert call(other, HEAVY[read], "other") == 200
    assert call(other, QUICK) == 200
    assert answers == [] and waiting(graph, second)
    first("COMMIT")
    waiter.join(20)
    assert answers == [200]


def test_as_many_work_as_there_are_places(graph, session):
    sessions = [session(2) for _ in range(3)]
    for one in sessions[:2]:
        one("BEGIN")
        assert call(one, HEAVY["export"]) == 200
    waiter = threading.Thread(target=call, args=(sessions[2], HEAVY["export"]))
    waiter.start()
    wait_for(lambda: waiting(graph, sessions[2]), 20, "the third to wait")
    for one in sessions[:2]:
        one("COMMIT")
    waiter.join(20)
    assert not waiter.is_alive()


def test_a_read_that_is_canceled_or_fails_gives_its_turn_back(graph, session):
    first, second = session(), session()
    with pytest.raises(Exception, match="must be a UUID"):
        first("SELECT reason.http_get_export(" + CALLER % "greedy" + ", 'none', NULL)")
    assert call(second, HEAVY["export"]) == 200
