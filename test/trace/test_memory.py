"""A session keeps memory for its next call, and the system need not hand out page after page again."""

import pathlib

import pytest

from graph_database import connect

CALLS = 20


@pytest.fixture(scope="module")
def root(database):
    """The effect of 500 nodes with payloads: about 1 MB of JSON."""
    with connect(database) as db:
        db.execute("""
            CREATE TEMPORARY TABLE tree AS SELECT n, reason.add_node(type => 'observation', author => 'test',
                payload => jsonb_build_object('x', repeat('x', 1000))) AS id FROM generate_series(1, 500) n""")
        db.execute("SELECT count(reason.add_edge(f.id, t.id, 'causal')) FROM tree f JOIN tree t ON t.n = f.n / 2")
        return db.execute("SELECT id FROM tree WHERE n = 1").fetchone()[0]


def faults_of_a_call(database, root, kept):
    """Pages that the system handed out, of an average call after the first few."""
    def faults():
        return int(pathlib.Path(f"/proc/{db.info.backend_pid}/stat").read_text().rpartition(")")[2].split()[7])

    def call():
        return len(db.execute("SELECT reason.trace_json(%s)", [root]).fetchone()[0])
    with connect(database, options=f"-c reason.kept_memory={kept}") as db:
        for _ in range(5):
            assert call() > 900_000
        before = faults()
        for _ in range(CALLS):
            call()
        return (faults() - before) / CALLS


def test_pages_are_handed_out_once(database, root):
    assert faults_of_a_call(database, root, "16MB") < 20


def test_what_is_not_to_be_kept_is_given_back(database, root):
    assert faults_of_a_call(database, root, "128kB") > 200


def test_a_session_that_reads_no_graph_is_left_alone(database):
    with connect(database) as db:
        def size():
            return int(db.execute("SELECT pg_size_bytes((regexp_match(pg_read_file('/proc/self/status'), 'RssAnon:\\s+(\\d+ kB)'))[1])").fetchone()[0])
        before = size()
        db.execute("SELECT length(repeat('x', 6000000))")
        assert size() - before < 2_000_000
