"""A division whose writes rest, and one that has moved: what is refused, who is waited for, and what may be brought."""

import json
import threading

import psycopg
import pytest

from signer import Signer
from wait import wait_for

GIVE = "SELECT reason.add_node('observation', '{\"x\": 1}', 'ada', %s)"


@pytest.fixture
def db(make_database, request):
    made = make_database("placement_" + request.node.name[5:55].replace("[", "_").replace("]", ""))
    made("SELECT reason.add_signer('key-1', %s)", made.signer.public.raw.hex())
    made(GIVE, "acme")
    made(GIVE, "other")
    made.settle()
    return made


def refused(db, statement, *parameters):
    with pytest.raises(psycopg.Error) as caught:
        db(statement, *parameters)
    return caught.value


def head(db, division="acme"):
    return db.row("SELECT head_seq, head_hash FROM reason.division_head(%s)", division)


def move(db, division="acme"):
    db("SELECT reason.freeze_division(%s, 'moves')", division)
    db.settle()
    db("SELECT reason.move_division(%s, 'cell_b', %s, %s)", division, *head(db, division))
    db.settle()


def writes(db):
    """Each way to write to acme, as a statement."""
    node = db.one("SELECT id FROM reason.node WHERE division = 'acme' ORDER BY no LIMIT 1")
    other = db.one("SELECT id FROM reason.node WHERE division = 'acme' ORDER BY no DESC LIMIT 1")
    return {
        "a node": "SELECT reason.add_node('score', '1', 'ada', 'acme')",
        "a batch": "SELECT count(*) FROM reason.add_nodes('{\"nodes\": [{\"type\": \"score\", \"author\": \"a\", \"payload\": 1, \"division\": \"acme\"}]}')",
        "an edge": f"SELECT reason.add_edge('{node}', '{other}', 'causal', division => 'acme')",
        "an annotation": f"SELECT reason.annotate('{node}', 'a note', division => 'acme')",
        "an erasure": f"SELECT reason.erase_payload('{node}', 'asked for', 'acme')",
        "a snapshot": f"SELECT reason.create_snapshot(ARRAY['{node}'::uuid], division => 'acme')",
    }


def test_each_write_rests_and_goes_on(db):
    db(GIVE, "acme")
    ways = writes(db)
    db("SELECT reason.freeze_division('acme', 'moves')")
    before = db.one("SELECT count(*) FROM reason.audit_event WHERE division = 'acme'")
    for what, statement in ways.items():
        error = refused(db, statement)
        assert error.sqlstate == "57P03" and json.loads(error.diag.message_detail) == {"division": "acme", "retryAfter": 2}, what
    assert db.one("SELECT count(*) FROM reason.audit_event WHERE division = 'acme'") == before
    db(GIVE, "other")
    assert db("SELECT * FROM reason.trace((SELECT id FROM reason.node WHERE division = 'acme' LIMIT 1))"), "reads go on"
    db("SELECT reason.thaw_division('acme', 'not today')")
    for statement in ways.values():
        db(statement)
    db.settle()
    assert db("SELECT * FROM reason.rule_faults()") == []


def test_after_it_has_moved_reads_are_refused_too(db):
    db(GIVE, "acme")
    db.settle()
    ways = writes(db)
    node = db.one("SELECT id FROM reason.node WHERE division = 'acme' LIMIT 1")
    move(db)
    ways["a trace"] = f"SELECT * FROM reason.trace('{node}')"
    ways["an impact"] = f"SELECT * FROM reason.impact('{node}')"
    for what, statement in ways.items():
        error = refused(db, statement)
        assert error.sqlstate == "55000", (what, error)
        assert json.loads(error.diag.message_detail) == {"division": "acme", "movedTo": "cell_b", "headSeq": head(db)[0], "headHash": head(db)[1]}, what
    assert db.one("SELECT ok FROM reason.verify_audit('acme')") and db.one("SELECT count(*) FROM reason.node WHERE division = 'acme'") == 2
    assert db("SELECT * FROM reason.verify_all() WHERE NOT ok") == []


def test_who_began_before_is_waited_for(db):
    """A transaction that has written, one that is prepared, and one that has seen nothing of it yet."""
    with psycopg.connect(db.dsn) as writing, psycopg.connect(db.dsn) as reading:
        reading.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reading.execute("SELECT count(*) FROM reason.node")
        writing.execute(GIVE, ("acme",))
        db("SELECT reason.freeze_division('acme', 'moves')")
        assert refused(db, "SELECT reason.await_frozen('acme', '0.3 seconds')").sqlstate == "55P03"
        with pytest.raises(psycopg.Error) as caught:
            reading.execute(GIVE, ("acme",))
        assert caught.value.sqlstate == "57P03", "whatever it sees"
        ended = threading.Event()

        def wait():
            with psycopg.connect(db.dsn, autocommit=True) as waiting:
                waiting.execute("SELECT reason.await_frozen('acme')")
            ended.set()

        thread = threading.Thread(target=wait)
        thread.start()
        assert not ended.wait(0.5)
        writing.commit()
        db.settle()
        wait_for(ended.is_set, 20)
        thread.join()
    assert db.one("SELECT count(*) FROM reason.node WHERE division = 'acme'") == 2


def test_it_must_be_committed_before_it_is_waited_for(db):
    with psycopg.connect(db.dsn) as own:
        own.execute("SELECT reason.freeze_division('acme', 'moves')")
        with pytest.raises(psycopg.Error) as caught:
            own.execute("SELECT reason.await_frozen('acme')")
        assert caught.value.sqlstate == "25001"


def test_the_steps_have_an_order(db):
    seq, value = head(db)
    for statement in ("SELECT reason.move_division('acme', 'cell_b', %s, %s)", "SELECT reason.thaw_division('acme', 'x')", "SELECT reason.await_frozen('acme')"):
        assert "is not frozen" in str(refused(db, statement, *([seq, value] if "%s" in statement else [])))
    for division in ("*", "system", "a..b", ""):
        assert refused(db, "SELECT reason.freeze_division(%s, 'moves')", division).sqlstate == "22023"
    assert refused(db, "SELECT reason.freeze_division('acme', '')").sqlstate == "22023"
    db("SELECT reason.freeze_division('acme', 'moves')")
    assert "frozen already" in str(refused(db, "SELECT reason.freeze_division('acme', 'again')"))
    for other in ((seq, "00" * 32), (seq + 1, value), (None, None)):
        assert "ends with another event here" in str(refused(db, "SELECT reason.move_division('acme', 'cell_b', %s, %s)", *other))
    assert refused(db, "SELECT reason.move_division('acme', ' ', %s, %s)", seq, value).sqlstate == "22023"
    db("SELECT reason.move_division('acme', 'cell_b', %s, %s)", seq, value.upper())
    assert "has moved to cell" in str(refused(db, "SELECT reason.thaw_division('acme', 'x')"))
    assert "went on in cell" in str(refused(db, "SELECT reason.thaw_division('acme', 'x', %s, %s)", seq + 1, value))
    db("SELECT reason.thaw_division('acme', 'came back', %s, %s)", seq, value)
    db(GIVE, "acme")


def test_what_is_under_way_keeps_it_from_moving(db):
    db(GIVE, "acme")
    db("SELECT reason.freeze_division('acme', 'moves')")
    assert "wait for their place" in str(refused(db, "SELECT reason.move_division('acme', 'cell_b')"))
    db.seal()
    assert "wait to be signed" in str(refused(db, "SELECT reason.move_division('acme', 'cell_b')"))
    db.sign()
    db("SELECT reason.thaw_division('acme', 'x')")
    snapshot = db.one("SELECT reason.create_snapshot(ARRAY[(SELECT id FROM reason.node WHERE division = 'acme' LIMIT 1)])")
    db("SELECT reason.freeze_division('acme', 'moves')")
    db.settle()
    assert "snapshots wait" in str(refused(db, "SELECT reason.move_division('acme', 'cell_b')"))
    db.complete(snapshot)
    db.settle()
    db("SELECT reason.move_division('acme', 'cell_b', %s, %s)", *head(db))


def test_the_log_of_both_cells_has_not_one_name(db):
    own = db.one("SELECT reason.current_origin('acme')")
    assert "reason.set_log_prefix()" in refused(db, "SELECT reason.freeze_division('acme', 'arrives', ARRAY[%s])", own).diag.message_hint
    db("SELECT reason.freeze_division('acme', 'arrives', '{log.example.org/before/acme}')")
    assert "log.example.org/before/acme" in [o for o, in db("SELECT origin FROM reason.log_origins('acme')")]
    assert "log.example.org/before/acme" not in [o for o, in db("SELECT origin FROM reason.log_origins('other')")]


def test_one_that_comes_back_rests_by_its_tombstone_and_learns_names(db):
    db("SELECT reason.freeze_division('acme', 'moves')")
    seq, value = head(db)
    db("SELECT reason.move_division('acme', 'cell_b', %s, %s)", seq, value)
    placed = db("SELECT * FROM reason.division_placement")
    assert "has moved to cell" in str(refused(db, "SELECT reason.freeze_division('acme', 'again')"))
    own = db.one("SELECT reason.current_origin('acme')")
    db("SELECT reason.freeze_division('acme', 'comes back', ARRAY['log.example.org/b/acme', %s])", own)
    after = db("SELECT * FROM reason.division_placement")
    assert [row[:5] for row in after] == [row[:5] for row in placed] and placed[0][1] == "moved"
    origins = [o for o, in db("SELECT origin FROM reason.log_origins('acme')")]
    assert "log.example.org/b/acme" in origins and origins.count(own) == 1
    assert refused(db, GIVE, "acme").sqlstate == "55000"
    db("SELECT reason.thaw_division('acme', 'came back', %s, %s)", seq, value)
    db(GIVE, "acme")
    db.settle()
    assert db("SELECT * FROM reason.verify_all() WHERE NOT ok") == []


def test_a_frozen_one_is_thawed_where_its_chain_ends_as_was_said(db):
    db("SELECT reason.freeze_division('acme', 'arrives')")
    seq, value = head(db)
    for other in ((seq + 1, value), (seq, "00" * 32), (seq, None), (None, value)):
        assert "ends with another event here" in str(refused(db, "SELECT reason.thaw_division('acme', 'has arrived', %s, %s)", *other))
    db("SELECT reason.thaw_division('acme', 'has arrived', %s, %s)", seq, value.upper())
    db(GIVE, "acme")
    assert "is not frozen" in str(refused(db, "SELECT reason.thaw_division('acme', 'again', %s, %s)", seq, value))


def test_a_chain_is_brought_into_a_division_that_rests_and_nowhere_else(db, make_database):
    target = make_database("placement_target")
    registry = json.dumps(db.one("SELECT reason.signer_registry()"))
    target("SELECT reason.add_signer('key-2', %s)", Signer("key-2", b"2").public.raw.hex())
    target.seal()
    events = {division: [e for e, in db("SELECT reason.audit_event_json(e)::text FROM reason.audit_events e WHERE division = %s ORDER BY seq", division)]
              for division in ("acme", "other", "system")}
    bring = "SELECT reason.recover_event(%s::json, %s::json)"
    assert refused(target, bring, events["acme"][0], registry).sqlstate == "55000"
    target("SELECT reason.freeze_division('acme', 'arrives')")
    for division in ("other", "system"):
        assert refused(target, bring, events[division][0], registry).sqlstate == "55000"
    assert "by the registry" in str(refused(target, bring, events["acme"][0], None))
    strange = json.loads(registry)
    strange["signers"][0]["publicKey"] = target.one("SELECT reason.signer_registry()")["signers"][0]["publicKey"]
    assert "is not that of signer" in str(refused(target, bring, events["acme"][0], json.dumps(strange)))
    assert all(target.one(bring, event, registry) for event in events["acme"])
    assert head(target) == head(db)
    same = "SELECT root, nodes, edges, records FROM reason.division_head('acme')"
    assert target.row(same) == db.row(same)
