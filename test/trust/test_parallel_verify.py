"""verify_audit() says the same whether one process checks the chain or several."""
import itertools
import os
import random
import threading
import time

import psycopg
import pytest

from sealing import Database
from signer import Signer

# Events of division default; they are shared out in ranges of so many (extension/chain/verify_parallel.c). REASON_PARALLEL_EVENTS for more
EVENTS = int(os.environ.get("REASON_PARALLEL_EVENTS", "4000"))
RANGE = 1000
PARTICIPATION = itertools.cycle(("on", "off"))


@pytest.fixture(scope="module")
def chain(db):
    db("SELECT count(*) FROM (SELECT reason.add_nodes(json_build_object('nodes', json_agg(json_build_object('type', 'score', 'author', 'ada',"
       " 'payload', i)))) FROM generate_series(1, %s) i GROUP BY i / 1000) s", EVENTS // 3)
    db("CREATE TABLE place AS SELECT row_number() OVER (ORDER BY no) AS i, id FROM reason.node")
    db("SELECT count(*) FROM (SELECT reason.add_edges(json_build_object('edges', json_agg(json_build_object('from', a.id, 'to', b.id,"
       " 'type', 'causal')))) FROM place a JOIN place b ON b.i = a.i + 1 GROUP BY a.i / 1000) s")
    db("SELECT count(reason.annotate(id, 'a note')) FROM place")
    db("SELECT reason.erase_payload(id, 'asked for') FROM place WHERE i % 500 = 0")
    db("SELECT reason.add_signer('other', %s)", Signer("other", b"other").public.raw.hex())
    db.complete(db.one("SELECT reason.create_snapshot(ARRAY[id], 5) FROM place WHERE i = 1000"))
    db.settle()
    db("ANALYZE")
    assert db.one("SELECT count(*) FROM reason.audit_seal WHERE division = 'default'") > EVENTS
    return db


def verify(db, workers, *bounds):
    db("SELECT set_config('max_parallel_workers_per_gather', %s, false)", str(workers))
    return db.verify("default", *bounds)


def both(db, *bounds):
    """The one answer of one process and of several."""
    alone = verify(db, 0, *bounds)
    db(f"SET parallel_leader_participation = {next(PARTICIPATION)}")
    assert verify(db, 2, *bounds) == alone
    return alone


def watched(db, statement):
    """Most workers that were seen to help while the statement ran."""
    seen = [0]
    done = threading.Event()

    def watch():
        other = Database(db.name)
        while not done.is_set():
            seen.append(other.one("SELECT count(*) FROM pg_stat_activity WHERE leader_pid = %s", db.connection.info.backend_pid))
        other.close()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        db(statement)
    finally:
        done.set()
        watcher.join()
    return max(seen)


def test_workers_help_as_far_as_settings_allow(chain):
    statement = "SELECT * FROM reason.verify_audit()"
    for workers, total, expected in ((0, 8, 0), (1, 8, 1), (2, 8, 2), (2, 0, 0)):
        chain(f"SET max_parallel_workers_per_gather = {workers}")
        chain(f"SET max_parallel_workers = {total}")
        assert watched(chain, statement) == expected
    chain("RESET max_parallel_workers")
    chain("SET max_parallel_workers_per_gather = 2")
    assert watched(chain, "SELECT * FROM reason.verify_audit('default', 0, 2000)") == 0, "too short to share"


def test_a_good_chain(chain):
    whole = both(chain)
    assert whole["ok"] and whole["checked"] == whole["head_seq"] + 1 and whole["detail"] is None
    assert both(chain, 17, EVENTS - 989)["checked"] == EVENTS - 1005
    beyond = both(chain, 1, 2**62)
    assert not beyond["ok"] and beyond["first_bad_seq"] is None and f"the chain ends at event {whole['head_seq']}" in beyond["detail"]
    chain("SET default_transaction_isolation = 'serializable'")
    assert both(chain) == whole
    chain("RESET default_transaction_isolation")


def test_it_may_run_where_no_workers_can_be_had(chain):
    """Inside a worker of a parallel query: a function that is declared so by mistake."""
    chain("CREATE FUNCTION declared_safe(n bigint) RETURNS boolean LANGUAGE sql PARALLEL SAFE AS"
          " 'SELECT ok FROM reason.verify_audit(''default'', 0, 3000 + $1)'")
    chain("SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2")
    try:
        query = "SELECT bool_and(declared_safe(i)) FROM place WHERE i < 4"
        assert "Gather" in str(chain(f"EXPLAIN {query}"))
        assert chain.one(query)
    finally:
        chain("RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size")


ALTERATIONS = (
    "UPDATE reason.node SET author = 'eve' WHERE no = (SELECT event_no FROM reason.audit_seal WHERE division = 'default' AND seq = {n})",
    "UPDATE reason.edge SET weight = 2 WHERE no = (SELECT event_no FROM reason.audit_seal WHERE division = 'default' AND seq = {n})",
    "DELETE FROM reason.annotation WHERE no = (SELECT event_no FROM reason.audit_seal WHERE division = 'default' AND seq = {n})",
    "UPDATE reason.audit_event SET ts = ts + interval '1 s' WHERE no = (SELECT event_no FROM reason.audit_seal WHERE division = 'default' AND seq = {n})",
    "DELETE FROM reason.audit_event WHERE no = (SELECT event_no FROM reason.audit_seal WHERE division = 'default' AND seq = {n})",
    "UPDATE reason.audit_seal SET hash = sha256(hash) WHERE division = 'default' AND seq = {n}",
    "UPDATE reason.audit_seal SET prev_hash = sha256(hash) WHERE division = 'default' AND seq = {n} AND seq > 0",
    "UPDATE reason.audit_seal SET created_at = created_at + interval '1 us' WHERE division = 'default' AND seq = {n}",
    "DELETE FROM reason.audit_seal WHERE division = 'default' AND seq = {n}",
    "DELETE FROM reason.audit_seal WHERE division = 'default' AND seq >= {n}",
    "DELETE FROM reason.audit_seal WHERE division = 'default' AND seq < {n}",
    "UPDATE reason.audit_seal SET seq = 4611686018427387904 WHERE division = 'default' AND seq = {n}",
    "UPDATE reason.audit_signature SET signature = set_bit(signature, 5, 1 - get_bit(signature, 5)) WHERE division = 'default' AND seq = {n}",
    "UPDATE reason.audit_signature SET signer_id = 'nobody' WHERE division = 'default' AND seq = {n}",
    "DELETE FROM reason.audit_signature WHERE division = 'default' AND seq = {n}",
    "DELETE FROM reason.audit_signature WHERE division = 'default' AND seq BETWEEN {n} AND {n} + 1500",
    "DELETE FROM reason.audit_signature WHERE division = 'default' AND seq >= {n}",
    "UPDATE reason.signer SET revoked_at = (SELECT created_at FROM reason.audit_seal WHERE division = 'default' AND seq = {n}), status = 'revoked'"
    " WHERE signer_id = 'key-1'",
    "UPDATE reason.signer SET revoked_at = now() + interval '1 hour', status = 'revoked' WHERE signer_id = 'key-1'",
    "INSERT INTO reason.node SELECT (1000000 + {n}), gen_random_uuid(), division, type, author, payload, metadata, created_at, occurred_at, version,"
    " manifest_signature_id, payload_ref, salt, payload_hash, digest, audit_event_id FROM reason.node LIMIT 1",
    "INSERT INTO reason.audit_event SELECT -{n} - 1, gen_random_uuid(), division, event_type, ts, payload FROM reason.audit_event"
    " WHERE division = 'default' LIMIT 1",
)


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_the_same_fault_is_named(chain, alteration):
    """In the middle of a range and at both sides of a border, and with a second one elsewhere; uncommitted, as its own writes."""
    generator = random.Random(alteration)
    head = chain.one("SELECT max(seq) FROM reason.audit_seal WHERE division = 'default'")
    border = RANGE * generator.randrange(1, EVENTS // RANGE)
    for place in (border, border - 1, generator.randrange(head)):
        with chain.tampering():
            chain("ALTER TABLE reason.signer DROP CONSTRAINT signer_revoked_check")
            chain(alteration.format(n=place))
            both(chain)
            if place in (border, border - 1):
                continue
            chain(generator.choice(ALTERATIONS).format(n=generator.randrange(head)))
            both(chain, *generator.choice(((), (generator.randrange(1, 1500), generator.randrange(EVENTS - RANGE, head)))))


def test_faults_are_found_by_workers_alone(chain):
    with chain.tampering():
        for seq in (0, EVENTS - 957):
            chain(ALTERATIONS[3].format(n=seq))
        chain("SET parallel_leader_participation = off")
        assert verify(chain, 2)["first_bad_seq"] == 0
        assert verify(chain, 2, 1)["first_bad_seq"] == EVENTS - 957


def test_it_can_be_cancelled(chain):
    chain("SET max_parallel_workers_per_gather = 2")
    chain("SET statement_timeout = '30ms'")
    try:
        with pytest.raises(psycopg.errors.QueryCanceled):
            chain("SELECT * FROM reason.verify_audit()")
    finally:
        chain("RESET statement_timeout")
    assert both(chain)["ok"]


def test_a_worker_that_is_lost_gives_an_error(chain):
    chain("SET max_parallel_workers_per_gather = 2")
    killed = threading.Event()

    def kill():
        other = Database(chain.name)
        deadline = time.monotonic() + 30
        while not killed.is_set() and time.monotonic() < deadline:
            if other("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE leader_pid = %s", chain.connection.info.backend_pid):
                killed.set()
        other.close()
    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(psycopg.errors.AdminShutdown):
        chain("SELECT * FROM reason.verify_audit()")
    killer.join()
    assert killed.is_set()
    assert both(chain)["ok"]


def test_memory_does_not_grow_with_the_chain(chain):
    """What the leader's and a worker's contexts hold is the same for a long chain and a short one."""
    status = f"/proc/{chain.connection.info.backend_pid}/status"

    def anonymous():
        with open(status, encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))
    if not os.path.exists(status):
        pytest.skip("the server is not on this machine")
    chain("SET max_parallel_workers_per_gather = 2")
    chain.verify("default", 0, EVENTS - RANGE - 1)
    before = anonymous()
    chain.verify()
    assert anonymous() - before < 1024
