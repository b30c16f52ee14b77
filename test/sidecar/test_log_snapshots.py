"""A pending snapshot that is altered or thinned before it is signed: nothing is signed any more until it is what was recorded."""

import json
import re
import subprocess
import time
import uuid

import psycopg
import pytest

from altered_documents import NO_EVENTS, cut_at, forgeries, of_before, replace_document, with_another, with_one_more, without, without_ends, without_notes
from attacked_log import STOPPED, WHENS, accept_a_restore, age, covered, has_stopped, replace_function, signed, stops
from attacks import superuser
from paths import ROOT
from wait import wait_for


@pytest.fixture
def evidence(database, sidecars, remembering):
    """A sidecar that has signed three observations and a decision, and is away; a snapshot of them that is pending."""
    one = sidecars(remembering).start()
    seen = [database.node(text) for text in ("it rains", "it is cold", "the street is wet")]
    decided = database.node("take an umbrella")
    for observation in seen:
        database.value("SELECT reason.add_edge(%s, %s, 'causal')", observation, decided)
    database.value("SELECT reason.annotate(%s, 'seen from the window')", seen[1])
    database.settled()
    covered(database, one)
    one.stop()
    return one, database.value("SELECT reason.create_snapshot(ARRAY[%s]::uuid[], include_annotations => true)", decided), seen


FORGERIES = {"a type, redacted": "is another one", "an author, redacted": "is another one", "a mark alone": "is marked as redacted, and nothing in it is", "an edge, redacted": "edge .* is another one",
             "metadata, redacted": "is another one", "a payload, redacted": "is another one", "a payload, masked": "is another one", "erased with a payload": "is marked as erased, and has a content",
             "erased and there": "is another one", "a payload without salt": "a payload has no salt", "another salt": "is another one", "one member more": "is another one",
             "an event": "it is an event", "no log": "it names no log",
             "a log without events": "more than 600 seconds before a record", "another form of time": "created_at is no time"}


@pytest.mark.parametrize("what", list(FORGERIES))
def test_a_pending_snapshot_that_shows_less_than_it_should(database, evidence, what):
    one, snapshot, seen = evidence
    before = signed(database)
    replace_document(database, snapshot, forgeries(str(seen[0]), database.value("SELECT reason.current_origin('default')"))[what])
    if what == "erased with a payload":
        with superuser(database) as connection:
            connection.execute("UPDATE reason.node SET payload = NULL, salt = NULL WHERE id = %s", (seen[0],))
    one.start(ready=False)
    stops(database, one, before, "snapshot", f'snapshot {snapshot} of division "default" was altered before it was signed')
    assert re.search(FORGERIES[what], one.log())
    assert database.rows("SELECT status, signature FROM reason.snapshot WHERE id = %s", snapshot) == [("pending", None)]


@pytest.mark.parametrize("where", ["beside the payload", "in the payload"])
def test_a_document_that_says_more_than_the_sidecar_knows(database, evidence, where):
    """It may be of a later version: it is not signed, and that is no stop."""
    one, snapshot, seen = evidence
    more = {"approvals": ["ada"]}
    replace_document(database, snapshot, lambda payload: payload.update({"outside": more} if where == "beside the payload" else more))
    one.start()
    wait_for(lambda: 'it has a member "approvals", which this sidecar does not know' in one.log(), 20, f"a reason: {one.log()[-2000:]}")
    database.node("all goes on")
    database.settled()
    assert database.rows("SELECT signature FROM reason.snapshot WHERE id = %s", snapshot) == [(None,)]
    assert one.metric(STOPPED) == 0


RECORDS_ANSWER = "seq bigint, prev_hash bytea, payload text, salt bytea, content text"
ANSWERS = {
    # the second record's event is there twice, the first one's never
    "twice": (("log_records", "division text, kind text, ids uuid[]", f"id uuid, {RECORDS_ANSWER}",
               "SELECT r.* FROM unnest(CASE WHEN $2 = 'node' THEN $3[2:2] || $3[2:] ELSE $3 END) u (id), LATERAL reason.log_records_true($1, $2, ARRAY[u.id]) r"), "was recorded twice"),
    "short ids": (("log_records", "division text, kind text, ids uuid[]", f"id bytea, {RECORDS_ANSWER}",
                   "SELECT '\\x00'::bytea, r.seq, r.prev_hash, r.payload, r.salt, r.content FROM reason.log_records_true($1, $2, $3) r"), "nodes that it does not hold"),
    "short links": (("log_links", "division text, ids uuid[], direction text, size bigint", "node text, edge text, other text", "SELECT '', NULL, 'x' FROM unnest($2)"), "an edge by what is no id"),
    "short notes": (("log_annotations", "division text, ids uuid[], size bigint", "annotation text", "SELECT 'x' FROM unnest($2)"), "an annotation by what is no id")}


@pytest.mark.parametrize("what", list(ANSWERS))
def test_a_database_that_answers_with_other_records(database, evidence, what):
    """Each record of the document is compared with an event of its own, or it is not signed."""
    one, snapshot, seen = evidence
    before = signed(database)
    if what == "twice":
        replace_document(database, snapshot, with_another(str(min(seen)), "author"))
    function, says = ANSWERS[what]
    replace_function(database, *function)
    one.start(ready=False)
    stops(database, one, before, "snapshot", f'snapshot {snapshot} of division "default" was altered before it was signed')
    assert says in one.log()


def test_what_the_database_hides_from_the_sidecar_is_found_by_whoever_walks_again(database, evidence):
    """The sidecar asks the database which edges there are; verify_snapshot() reads the records themselves."""
    one, snapshot, seen = evidence
    replace_function(database, "log_links", "division text, ids uuid[], direction text, size bigint", "node uuid, edge uuid, other uuid", "SELECT NULL::uuid, NULL::uuid, NULL::uuid WHERE false")
    replace_document(database, snapshot, without(str(seen[0])))
    one.start()
    database.completed(snapshot)
    ok, detail = database.rows("SELECT ok, detail FROM reason.verify_snapshot(%s)", snapshot)[0]
    assert not ok and "the document leaves it out" in detail


SAYS = {"payload": "is another one than was recorded", "author": "is another one than was recorded", "one more": "of 5 nodes it holds, 4 were recorded",
        "left out": "is left out", "cut": "frontier: it holds node", "notes": "annotation .* is left out", "ends": "which is not in the document",
        "bytes": "has not the hash that is to be signed", "older": "events, and .* were signed before it was frozen"}


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("what", list(SAYS))
def test_a_pending_snapshot_that_is_not_what_was_recorded(database, evidence, what, when, tmp_path):
    """It is not signed, and nothing else is any more; once it is what it was, all goes on."""
    one, snapshot, seen = evidence
    first = str(seen[0])
    if when == "restored":
        one.start()
        accept_a_restore(database, one)
        one.stop()
        snapshot = database.value("SELECT reason.create_snapshot(ARRAY[id], include_annotations => true) FROM reason.node WHERE payload ->> 'text' = 'take an umbrella'")
    before = signed(database)
    changes = {"payload": with_another(first, "payload"), "author": with_another(first, "author"), "one more": with_one_more, "left out": without(first),
               "cut": cut_at(first), "notes": without_notes, "ends": without_ends(first), "older": of_before(database), "bytes": lambda payload: payload}
    whole = database.rows("SELECT c.bytes, s.hash, s.size_bytes, s.node_count, s.edge_count FROM reason.snapshot s JOIN reason.snapshot_chunk c ON c.snapshot_no = s.no WHERE s.id = %s", snapshot)[0]
    if what == "older":
        assert age(tmp_path / "state" / "log", 3600) > 0
    if when == "live":
        # it is claimed once its turn comes
        with superuser(database) as connection:
            connection.execute("UPDATE reason.snapshot SET next_attempt_at = 'infinity' WHERE id = %s", (snapshot,))
        one.start()
    replace_document(database, snapshot, changes[what])
    with superuser(database) as connection:
        if what == "bytes":
            connection.execute("UPDATE reason.snapshot SET hash = encode(sha256('another'), 'hex') WHERE id = %s", (snapshot,))
        connection.execute("UPDATE reason.snapshot SET next_attempt_at = NULL WHERE id = %s", (snapshot,))
        connection.execute("SELECT reason.ring()")
    if when != "live":
        one.start(ready=False)
    stops(database, one, before, "snapshot", f'snapshot {snapshot} of division "default" was altered before it was signed')
    assert re.search(SAYS[what], one.log())
    assert database.rows("SELECT status, signature FROM reason.snapshot WHERE id = %s", snapshot) == [("pending", None)]
    # nor after another start
    if what in ("left out", "bytes"):
        one.stop()
        one.start(ready=False)
        wait_for(lambda: has_stopped(one), 15, f"a stop: {one.log()[-2000:]}")
    if what == "bytes":
        database.value("SELECT reason.give_up_snapshot(%s, 'altered by somebody')", snapshot)
    else:
        with superuser(database) as connection:
            connection.execute("UPDATE reason.snapshot_chunk c SET bytes = %s FROM reason.snapshot s WHERE s.id = %s AND c.snapshot_no = s.no", (whole[0], snapshot))
            connection.execute("UPDATE reason.snapshot SET hash = %s, size_bytes = %s, node_count = %s, edge_count = %s WHERE id = %s", (*whole[1:], snapshot))
    wait_for(lambda: database.status(snapshot) == ("failed" if what == "bytes" else "complete"), 30, f"an end: {one.log()[-2000:]}")
    wait_for(lambda: one.metric(STOPPED) == 0 and database.waiting() == 0, 30, f"an end: {one.log()[-2000:]}")
    assert database.value("SELECT reason.safe_mode_fault()") is None


@pytest.mark.parametrize("size", [-1, 0, (1 << 63) - 1])
def test_a_size_that_is_none(database, evidence, size):
    """As many bytes as it has are held, and one that says to have less than none is not read at all."""
    one, snapshot, seen = evidence
    before = signed(database)
    with pytest.raises(psycopg.errors.CheckViolation), superuser(database) as connection:
        connection.execute("UPDATE reason.snapshot SET size_bytes = 0 WHERE id = %s", (snapshot,))
    with superuser(database) as connection:
        # many pieces, each of which would lie behind the one before
        connection.execute("INSERT INTO reason.snapshot_chunk (snapshot_no, division, chunk, bytes) SELECT s.no, s.division, n, convert_to(repeat('x', 100000), 'UTF8')"
                           " FROM reason.snapshot s, generate_series(1, 200) n WHERE s.id = %s", (snapshot,))
        connection.execute("ALTER FUNCTION reason.claim_snapshots(bigint, integer) RENAME TO claim_snapshots_away;"
                           "ALTER FUNCTION reason.pending_snapshot(uuid) RENAME TO pending_snapshot_away")
        connection.execute(f"CREATE FUNCTION reason.claim_snapshots(lease_token bigint, max integer) RETURNS TABLE (id uuid, division text, status text, hash text, size_bytes bigint,"
                           f" chunks integer, signer_id text, signature bytea, object_key text, ts text) LANGUAGE sql SECURITY DEFINER AS $$ SELECT id, division, status, hash, {size}, 200,"
                           f" signer_id, signature, object_key, ts FROM reason.claim_snapshots_away($1, $2) $$")
        connection.execute(f"CREATE FUNCTION reason.pending_snapshot(id uuid) RETURNS TABLE (division text, hash text, size_bytes bigint, chunks integer) LANGUAGE sql"
                           f" SECURITY DEFINER AS $$ SELECT division, hash, {size}, 200 FROM reason.pending_snapshot_away($1) $$")
    one.start(ready=False)
    if size > 0:
        # too large to be compared with the log: it is given up
        wait_for(lambda: database.value("SELECT status FROM reason.snapshot WHERE id = %s", snapshot) == "failed", 20, f"that it is given up: {one.log()[-3000:]}")
    else:
        stops(database, one, before, "snapshot", f'snapshot {snapshot} of division "default" was altered before it was signed')
    assert one.process.poll() is None
    assert database.rows("SELECT status, signature FROM reason.snapshot WHERE id = %s", snapshot) == [("failed" if size > 0 else "pending", None)]


def test_a_false_snapshot_that_does_not_wait_as_the_database_says(database, evidence):
    """It is claimed, it is false, and the database knows nothing of it: the second time is a stop, which lasts."""
    one, snapshot, seen = evidence
    before = signed(database)
    replace_document(database, snapshot, with_another(str(seen[0]), "payload"))
    with superuser(database) as connection:
        connection.execute("ALTER FUNCTION reason.pending_snapshot(uuid) RENAME TO pending_snapshot_away")
        connection.execute("CREATE FUNCTION reason.pending_snapshot(id uuid) RETURNS TABLE (division text, hash text, size_bytes bigint, chunks integer) LANGUAGE sql"
                           " SECURITY DEFINER AS $$ SELECT division, hash, size_bytes, chunks FROM reason.pending_snapshot_away($1) WHERE false $$")
    one.start(ready=False)
    stops(database, one, before, "snapshot", "the database says that it does not wait, and gives it again")
    for _ in range(20):
        assert one.metric(STOPPED) == 1
        time.sleep(0.1)
    assert database.rows("SELECT status, signature FROM reason.snapshot WHERE id = %s", snapshot) == [("pending", None)]


@pytest.mark.parametrize("allowed", [False, True])
def test_a_document_too_large_to_be_read(database, sidecars, remembering, allowed):
    """It is given up, unless the sidecar's operator lets such be signed by their hash."""
    one = sidecars({**remembering, "sidecar": {"sign_unread": "yes"}} if allowed else remembering).start()
    snapshot = database.large_snapshot(257)
    database.settled()
    wait_for(lambda: database.status(snapshot) in ("failed", "complete"), 120, f"an end: {one.log()[-2000:]}")
    assert database.status(snapshot) == ("complete" if allowed else "failed")
    assert allowed or "it is too large to be compared with the log" in one.log()
    assert (database.rows("SELECT signature FROM reason.snapshot WHERE id = %s", snapshot)[0][0] is None) == (not allowed)
    assert one.metric(STOPPED) == 0


def test_a_clock_of_the_database_that_is_ahead_stops_nothing(database, sidecars, remembering, tmp_path):
    """By the sidecar's clock, what came behind the document was signed before it: that is told by name and waits, and ends when the clocks are right."""
    library, seconds = tmp_path / "set_back.so", tmp_path / "seconds"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, ROOT / "test/lib/set_back.c"], check=True)
    seconds.write_text("-3000\n")
    one = sidecars(remembering, {"LD_PRELOAD": str(library), "SET_BACK_FILE": str(seconds)}).start()
    node = database.node("it rains")
    database.settled()
    covered(database, one)
    one.stop()
    snapshot = database.snapshot(node)
    with superuser(database) as connection:
        connection.execute("UPDATE reason.snapshot SET next_attempt_at = 'infinity' WHERE id = %s", (snapshot,))
    seconds.write_text("-1500\n")
    one.start()
    database.node("the street is wet")
    database.settled()
    # some minutes of its own later it notes anew how much is signed
    seconds.write_text("-1300\n")
    size = database.value("SELECT reason.tree_size('default')")
    wait_for(lambda: f"mark {size} " in (tmp_path / "state" / "log").read_text().split("division ")[1], 30, "a mark")

    def tried():
        with superuser(database) as connection:
            connection.execute("UPDATE reason.snapshot SET next_attempt_at = NULL WHERE id = %s AND status = 'pending'", (snapshot,))
            connection.execute("SELECT reason.ring()")
    tried()
    wait_for(lambda: re.search(f"snapshot {snapshot}: the clock of the database is 1[23][0-9][0-9] seconds ahead of this sidecar's", one.log()), 60, f"that it is told: {one.log()[-2000:]}")
    assert database.status(snapshot) == "pending"
    # another, behind which nothing was signed, is not concerned
    database.completed(database.snapshot(node), 30)
    seconds.write_text("0\n")
    tried()
    wait_for(lambda: database.status(snapshot) == "failed", 60, f"its end: {one.log()[-2000:]}")
    assert "it was frozen while the clock of the database was ahead" in one.log()
    database.node("all goes on")
    database.settled(30)
    assert one.metric(STOPPED) == 0 and "nothing is signed:" not in one.log()
    assert database.rows("SELECT signature FROM reason.snapshot WHERE id = %s", snapshot) == [(None,)]
    assert database.value("SELECT count(*) FROM reason.audit_event WHERE event_type = 'safemode.entered'") == 0


def test_a_fault_that_is_found_while_a_document_is_compared(database, evidence):
    """The thread of the log finds it: the document, which is right, is signed no more."""
    one, snapshot, seen = evidence
    replace_function(database, "log_links", "division text, ids uuid[], direction text, size bigint", "node uuid, edge uuid, other uuid",
                     "SELECT pg_sleep(0); SELECT pg_advisory_xact_lock_shared(17); SELECT * FROM reason.log_links_true($1, $2, $3, $4)")
    comparing = ("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query ~ 'log_links' AND wait_event_type = 'Lock'"
                 " AND application_name LIKE '%%/snapshot'")
    database.connection.execute("SELECT pg_advisory_lock(17)")
    one.start()
    wait_for(lambda: database.value(comparing) == 1, 30, f"that it is compared: {one.log()[-2000:]}")
    assert {f"reason-sidecar/{name}" for name in ("seal", "log", "snapshot")} <= {name for name, in database.rows(
        "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND usename = 'sidecar'")}
    with superuser(database) as connection:
        connection.execute("UPDATE reason.audit_seal SET hash = sha256(hash) WHERE division = 'system' AND seq = 0")
    wait_for(lambda: has_stopped(one), 30, f"a stop: {one.log()[-2000:]}")
    database.connection.execute("SELECT pg_advisory_unlock(17)")
    wait_for(lambda: database.value(comparing) == 0, 30, "that it was compared")
    wait_for(lambda: database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query ~ 'log_links|log_annotations|pending_snapshot'"
                                    " AND pid <> pg_backend_pid()") == 0, 30, "its end")
    one.stop()
    assert "the registry refused the signature" not in one.log()
    assert database.rows("SELECT status, signature FROM reason.snapshot WHERE id = %s", snapshot) == [("pending", None)]


def test_a_document_that_is_nested_more_deeply_than_the_sidecar_reads(database, sidecars, remembering):
    """An administrator has let such be recorded: it is given up, and that is no stop."""
    for setting in ("json", "canonical"):
        database.connection.execute(f"ALTER DATABASE {database.name} SET reason.max_{setting}_depth = 3000")
    database.connection.close()
    database.connection = database.connect()
    one = sidecars(remembering).start()
    node = database.value("SELECT reason.add_node('observation', %s::jsonb, 'tester')", '{"deep":' * 1500 + "1" + "}" * 1500)
    database.settled()
    snapshot = database.snapshot(node)
    wait_for(lambda: database.status(snapshot) == "failed", 30, f"an end: {one.log()[-2000:]}")
    assert "it is nested more deeply than is compared" in one.log() and one.metric(STOPPED) == 0
    assert database.rows("SELECT signature FROM reason.snapshot WHERE id = %s", snapshot) == [(None,)]


def test_what_is_released_while_a_snapshot_waits_is_not_missing_in_it(database, evidence):
    """It was in quarantine when the snapshot was frozen; by the time of the signature it is not."""
    one, snapshot, seen = evidence
    decided = database.value("SELECT reason.event_payload(e) #>> '{edge,to}' FROM reason.audit_event e WHERE e.event_type = 'edge.created' LIMIT 1")
    held = database.node("a rumour")
    with database.connect() as connection, connection.transaction():
        edge = connection.execute("SELECT reason.add_edge(%s, %s, 'causal')", (held, decided)).fetchone()[0]
        connection.execute("SELECT reason.quarantine_records('edge', ARRAY[(SELECT no FROM reason.edge WHERE id = %s)], %s)", (edge, held))
    one.start()
    database.settled()
    one.stop()
    frozen = database.value("SELECT reason.create_snapshot(ARRAY[%s]::uuid[])", decided)
    assert held not in [uuid.UUID(node["id"]) for node in json.loads(database.value("SELECT reason.snapshot_document(%s)", frozen))["payload"]["nodes"]]
    database.value("SELECT reason.release_quarantine(%s, 'it is true')", edge)
    one.start()
    database.completed(frozen)
    assert one.metric(STOPPED) == 0 and database.value("SELECT ok FROM reason.verify_snapshot(%s)", frozen)


def test_a_pending_snapshot_as_it_was_recorded(database, evidence):
    """With contents that were redacted, annotations, and what was written a moment ago."""
    one, snapshot, seen = evidence
    one.start()
    database.completed(snapshot)
    late = database.node("and then it stopped")
    database.value("SELECT reason.add_edge(%s, %s, 'causal')", seen[2], late)
    database.value("SELECT reason.annotate(%s, 'write to jane@example.org')", late)
    contact = database.node("write to john.doe@example.org, 4111 1111 1111 1111")
    database.value("SELECT reason.add_edge(%s, %s, 'supports', metadata => %s::jsonb)", contact, late, json.dumps({"by": "call +44 20 7946 0958 or jane@example.org."}))
    signed_by = database.value("SELECT reason.add_node('observation', %s::jsonb, 'jane@example.org', metadata => %s::jsonb)", json.dumps({"email": {"of": "jane"}, "text": "[redacted:email] [redacted:"}),
                               json.dumps({"tags": ["jane@example.org", "x"], "jane@example.org": 1, "[redacted:email]": 2, "joe@example.org": {"card": 4111111111111111, "n": [None, True, 1.5]}}))
    database.value("SELECT reason.add_edge(%s, %s, 'supports')", signed_by, late)
    for whole in (True, False):
        for direction in ("ancestors", "descendants"):
            made = database.value("SELECT reason.create_snapshot(ARRAY[%s]::uuid[], include_pii => %s, direction => %s, include_annotations => true)",
                                  late if direction == "ancestors" else seen[2], whole, direction)
            database.completed(made)
            assert "[redacted:phone]" not in database.value("SELECT reason.snapshot_document(%s)", made) if whole or direction == "descendants" else '"redacted":true' in database.value("SELECT reason.snapshot_document(%s)", made)
            assert database.rows("SELECT ok, detail FROM reason.verify_snapshot(%s)", made) == [(True, None)]
    database.value("SELECT reason.erase_payload(%s, 'asked for')", contact)
    database.completed(database.snapshot(late))
    assert one.metric('reason_sidecar_log_stops_total{reason="snapshot"}') == 0


@pytest.mark.parametrize("origin", ["localhost/reason/default", "localhost/reason/default;2", "other.example/reason/hidden", "localhost/reason/hidden;1"])
def test_a_snapshot_that_names_the_log_of_another_division(database, evidence, origin):
    """No checkpoint of the division was ever asked for, so that the sidecar knows no name of its log: that of another it takes all the same for none."""
    one, _, _ = evidence
    replace_function(database, "checkpoints_due", "lease_token bigint, max_age interval, force boolean DEFAULT false", "division text, origin text, size bigint, root bytea",
                     "SELECT d.division, d.origin, d.size, d.root FROM reason.checkpoints_due_true($1, $2, $3) d WHERE d.division <> 'hidden'")
    one.start()
    decided = database.node("take no umbrella", "hidden")
    database.settled()
    one.stop()
    snapshot, honest = (database.value("SELECT reason.create_snapshot(ARRAY[%s]::uuid[], division => 'hidden')", decided) for _ in range(2))
    replace_document(database, snapshot, lambda payload: payload.update(log={"origin": origin, "size": 0, "root": NO_EVENTS}))
    one.start(ready=False)
    database.completed(honest, 40)
    wait_for(lambda: database.status(snapshot) != "pending", 20, f"an end: {one.log()[-2000:]}")
    assert database.rows("SELECT status, signature FROM reason.snapshot WHERE id = %s", snapshot) == [("failed", None)]
    assert "payload.log names" in one.log()
    assert one.metric(STOPPED) == 0


@pytest.mark.parametrize("signed_by", ["nobody", "us"])
def test_the_database_does_not_choose_where_a_snapshot_is_stored(database, evidence, tmp_path, signed_by):
    """Neither a tile of the log nor anything else of the store can be put there by whoever rules the database alone; nor what nobody signed."""
    one, snapshot, _ = evidence
    division = "../tlog/default"
    status, signature = ("'signed'", "'\\x' || repeat('00', 64)") if signed_by == "nobody" else ("c.status", "c.signature::text")
    replace_function(database, "claim_snapshots", "lease_token bigint, max integer",
                     "id uuid, division text, status text, hash text, size_bytes bigint, chunks integer, signer_id text, signature text, object_key text, ts text",
                     f"SELECT id, c.division, {status}, hash, size_bytes, chunks, coalesce(c.signer_id, 'test-signer'), {signature}, 'tlog/default/tile/0/000', coalesce(c.ts, '2026-01-01T00:00:00.000000Z')"
                     f" FROM reason.claim_snapshots_true($1, $2) c UNION ALL SELECT id, '{division}', {status}, hash, size_bytes, chunks, 'test-signer',"
                     f" {signature}, 'x', 'y' FROM reason.claim_snapshots_true($1, $2) c")
    store = tmp_path / "store"
    before = {path for path in store.rglob("*") if path.is_file() and "checkpoint" not in str(path)}
    one.start(ready=False)
    stored = store / "snapshots" / "default" / f"{snapshot}.json"
    if signed_by == "us":
        wait_for(stored.exists, 20, "an object")
    wait_for(lambda: "these are no names" in one.log() and (signed_by == "us" or "by no key of that name that is known outside of it" in one.log()), 20, lambda: f"a refusal: {one.log()[-2000:]}")
    made = {path for path in store.rglob("*") if path.is_file() and "checkpoint" not in str(path)} - before
    assert {path for path in made if "tlog" not in str(path)} == ({stored, stored.with_name(stored.name + ".meta.json")} if signed_by == "us" else set())


MANY_NAMES = 4000


@pytest.mark.parametrize("numbered", [False, True])
def test_many_redacted_names_hold_nothing_up(database, evidence, numbered):
    """Names that are personal are compared one by one. Some that somebody chose to be taken for redacted ones cost him his own snapshot."""
    one, other, _ = evidence
    payload = {f"a{number}@b.co": number for number in range(MANY_NAMES)}
    if numbered:
        # each takes a number that another name then gets as well
        payload |= {f"[redacted:email] #{number}": 0 for number in range(2, MANY_NAMES)}
    node = database.value("SELECT reason.add_node('observation', %s::jsonb, 'tester')", json.dumps(payload))
    one.start()
    database.settled()
    made = database.value("SELECT reason.create_snapshot(ARRAY[%s]::uuid[], include_pii => false)", node)
    database.completed(other, 60)
    wait_for(lambda: database.status(made) in ("complete", "failed"), 60, f"an end: {one.log()[-2000:]}")
    if database.status(made) == "failed":
        assert numbered and "cannot be compared in a time that is reasonable" in one.log()
    else:
        assert database.rows("SELECT ok, detail FROM reason.verify_snapshot(%s)", made) == [(True, None)]
    assert one.metric(STOPPED) == 0
