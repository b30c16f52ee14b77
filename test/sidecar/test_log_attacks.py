"""A superuser without a signing key does to the chains what he can: the sidecar stops, says why, and signs none of it.

Each attack comes while the sidecar works, and while it is stopped.
"""

import contextlib
import hashlib
import json
import re
import shutil
import signal
import time
import uuid

import psycopg
import pytest

import postgres
from attacks import copy_chain, cut, remove, rewrite, sign_again, superuser
from database import Database, SIGNER_ID
from fresh_database import drop_database
from restored import RestorableServer
from signer import Signer, make_keys
from wait import wait_for

STOPPED = "reason_sidecar_log_stopped"
WHENS = ["live", "restarted"]


def signed(database):
    """Every place and hash that our key has signed, as the rows say now."""
    return set(database.rows("SELECT s.division, s.seq, s.hash FROM reason.audit_signature g JOIN reason.audit_seal s USING (division, seq) "
                             "WHERE g.signer_id = %s AND reason.ed25519_verify((SELECT r.public_key FROM reason.signer r WHERE r.signer_id = %s), s.hash, g.signature)", SIGNER_ID, SIGNER_ID))


def begin(database, one, count=600):
    """A chain of some tiles, with checkpoints; what was signed of it."""
    one.start()
    database.nodes(count)
    database.nodes(20, "other")
    database.settled(60)
    covered(database, one)
    return signed(database)


def covered(database, one):
    wait_for(lambda: one.metric("reason_sidecar_published_events") == database.value("SELECT sum(reason.tree_size(d)) FROM unnest('{default,other,system}'::text[]) d"),
             20, f"checkpoints of all that is signed: {one.log()[-1500:]}")


def attack(when, one, does):
    """Does it behind the sidecar's back, or while there is none."""
    if when == "restarted":
        assert one.stop() == 0
    does()
    if when == "restarted":
        one.start(ready=False)


def has_stopped(one):
    return one.get("/metrics")[0] == 200 and one.metric(STOPPED) == 1


def stops(database, one, before, reason, says):
    """Within an interval of checkpoints, and some seconds for a slow machine."""
    wait_for(lambda: has_stopped(one), 15, f"a stop: {one.log()[-3000:]}")
    assert one.metric(f'reason_sidecar_log_stops_total{{reason="{reason}"}}') >= 1
    wait_for(lambda: says in (database.value("SELECT reason.safe_mode_fault()") or ""), 15, f"safe mode: {one.log()[-3000:]}")
    assert says in one.log()
    assert any(says in (row[0] or "") for row in database.rows("SELECT detail FROM reason.verify_all() WHERE NOT ok"))
    # another hash in a place that was signed was not signed, nor anything behind what was there
    places = {(division, seq) for division, seq, _ in before}
    assert {row for row in signed(database) if row[:2] in places} <= before
    count = database.value("SELECT count(*) FROM reason.audit_signature")
    with superuser(database) as connection:
        # the database is told that all is well: the sidecar is not
        connection.execute("UPDATE reason.safe_mode SET since = NULL, reason = NULL, incarnation = reason.incarnation()")
        connection.execute("SELECT reason.announce_safe_mode()")
        connection.execute("SELECT reason.add_node('observation', '{}', 'after')")
    wait_for(lambda: one.log().count("nothing is signed:") >= 1, 5)
    assert database.value("SELECT count(*) FROM reason.audit_signature") == count


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("unsign", [True, False])
def test_the_middle_rewritten(database, sidecars, remembering, when, unsign):
    one = sidecars(remembering)
    before = begin(database, one)
    attack(when, one, lambda: rewrite(database, 100, unsign=unsign))
    stops(database, one, before, "rewritten", 'events of division "default" are others than were signed')


def test_one_hash_deep_below(database, sidecars, remembering):
    """The tree above it is as it was, and so is the end: what is read again in turn finds it, and it stays found."""
    one = sidecars(remembering)
    before = begin(database, one, 9000)
    with superuser(database) as connection:
        connection.execute("UPDATE reason.audit_seal SET hash = sha256(hash) WHERE division = 'default' AND seq = 5000")
    stops(database, one, before, "rewritten", 'events 4096 to 8191 of division "default" are others than were signed')
    for _ in range(20):
        assert one.metric(STOPPED) == 1
        time.sleep(0.1)


def test_a_hash_that_is_none(database, sidecars, remembering):
    """Its constraint is gone: it cannot be read, and that is no reason to go on waiting for an answer."""
    one = sidecars(remembering)
    before = begin(database, one)
    with superuser(database) as connection:
        connection.execute("ALTER TABLE reason.audit_seal DROP CONSTRAINT audit_seal_hash_check; UPDATE reason.audit_seal SET hash = '\\x00' WHERE division = 'default' AND seq = 595")
    stops(database, one, before, "rewritten", 'of division "default" are others than were signed')


def test_one_signature_among_many(database, sidecars, remembering):
    """By another registered key, where none of what is remembered exactly lies: all are read again, as time allows."""
    one = sidecars(remembering)
    before = begin(database, one, 9000)
    evil = Signer("evil", b"evil")
    database.value("SELECT reason.add_signer('evil', encode(%s, 'base64'))", evil.public.raw)
    sign_again(database, evil, 5000, 5000)
    wait_for(lambda: has_stopped(one), 30, f"a stop: {one.log()[-3000:]}")
    stops(database, one, before, "resigned", 'of division "default" is not the one that was made')


def check_log(one):
    done = one.run("--check-log")
    return done.returncode, done.stdout


def test_all_of_it_checked_at_once(database, sidecars, remembering, tmp_path):
    """Beside the sidecar that runs, whose state stays as it is; and while there is none."""
    one = sidecars({**remembering, "checkpoint": {**remembering["checkpoint"], "interval_s": 3600}})
    one.start()
    database.nodes(9000)
    database.settled(60)
    state = tmp_path / "state" / "log"

    def published():
        one.signal(signal.SIGUSR1)
        return one.metric("reason_sidecar_published_events") >= 9000

    def rests():
        before = state.read_bytes()
        time.sleep(1)
        return before == state.read_bytes()
    wait_for(published, 30, f"checkpoints: {one.log()[-1500:]}")
    wait_for(rests, 30, "a state that stays as it is")
    before = state.read_bytes()
    status, said = check_log(one)
    assert status == 0 and "division default: 9000 events were signed, root " in said and "\nok: " in said, said
    for attack_on, says in ((5000, "events 4096 to 8191 of division \"default\" are others than were signed"),
                            (None, "a signature of events 4864 to 5119 of division \"default\" is not the one that was made")):
        with superuser(database) as connection:
            kept = connection.execute("SELECT s.hash, g.signature FROM reason.audit_seal s JOIN reason.audit_signature g USING (division, seq) WHERE division = 'default' AND seq = 5000").fetchone()
            if attack_on:
                connection.execute("UPDATE reason.audit_seal SET hash = sha256(hash) WHERE division = 'default' AND seq = 5000")
            else:
                connection.execute("UPDATE reason.audit_signature SET signature = sha512(signature) WHERE division = 'default' AND seq = 5000")
        status, said = check_log(one)
        assert status == 1 and says in said, said
        with superuser(database) as connection:
            connection.execute("UPDATE reason.audit_seal SET hash = %s WHERE division = 'default' AND seq = 5000", (kept[0],))
            connection.execute("UPDATE reason.audit_signature SET signature = %s WHERE division = 'default' AND seq = 5000", (kept[1],))
    assert state.read_bytes() == before
    one.stop()
    assert check_log(one)[0] == 0
    cut(database, 8000)
    status, said = check_log(one)
    assert status == 1 and "9000 events of division \"default\" were signed, and 8000 are here" in said, said


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("records", [True, False])
def test_the_end_cut_off(database, sidecars, remembering, when, records):
    """With the records, or to be sealed once more in another order."""
    one = sidecars(remembering)
    before = begin(database, one)
    attack(when, one, lambda: cut(database, 550, records=records))
    wait_for(lambda: has_stopped(one), 15, f"a stop: {one.log()[-3000:]}")
    reason = "cut" if one.metric('reason_sidecar_log_stops_total{reason="cut"}') else "rewritten"
    stops(database, one, before, reason, 'events of division "default"')


@pytest.mark.parametrize("when", WHENS)
def test_a_division_removed(database, sidecars, remembering, when):
    one = sidecars(remembering)
    before = begin(database, one)
    attack(when, one, lambda: remove(database, "other"))
    stops(database, one, before, "vanished", 'division "other", of which 20 events were signed, is gone')


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("last", [1 << 40, 400])
def test_signed_anew_by_another_registered_key(database, sidecars, remembering, when, last):
    """All of it, or all but what is remembered exactly: then some of it is drawn by lot."""
    one = sidecars(remembering)
    before = begin(database, one)
    evil = Signer("evil", b"evil")
    database.value("SELECT reason.add_signer('evil', encode(%s, 'base64'))", evil.public.raw)
    attack(when, one, lambda: sign_again(database, evil, last=last))
    stops(database, one, before, "resigned", 'of division "default" is not the one that was made')


@pytest.mark.parametrize("when", WHENS)
def test_rows_of_another_cluster(server, keys, database, sidecars, remembering, when, tmp_path):
    """Signed by the same key elsewhere: a chain that verifies, and is not this one."""
    one = sidecars(remembering)
    before = begin(database, one)
    other = Database(server, database.name + "x", keys[1])
    (tmp_path / "elsewhere").mkdir()
    two = sidecars({**remembering, "database": {"conninfo": server.conninfo(other.name, "sidecar")}, "store": {"url": f"file://{tmp_path}/elsewhere"},
                    "checkpoint": {}}).start()
    other.nodes(700)
    other.settled()
    two.stop()
    attack(when, one, lambda: copy_chain(other, database))
    before |= signed(other)
    other.connection.close()
    drop_database(server.conninfo, other.name)
    stops(database, one, before, "rewritten", 'events of division "default" are others than were signed')


@pytest.mark.parametrize("when", WHENS)
def test_a_table_replaced(database, sidecars, remembering, when):
    """The seals are another table's, which holds together as well."""
    one = sidecars(remembering)
    before = begin(database, one)

    def replace():
        with superuser(database) as connection:
            connection.execute("CREATE TABLE reason.others (LIKE reason.audit_seal INCLUDING ALL); INSERT INTO reason.others SELECT * FROM reason.audit_seal;"
                               "UPDATE reason.others SET hash = sha256(hash) WHERE division = 'default' AND seq = 300;"
                               "ALTER TABLE reason.audit_seal RENAME TO audit_seal_away; ALTER TABLE reason.others RENAME TO audit_seal;"
                               "ALTER INDEX reason.audit_seal_pkey RENAME TO audit_seal_away_pkey; ALTER INDEX reason.others_pkey RENAME TO audit_seal_pkey;"
                               "ALTER INDEX reason.audit_seal_event_key RENAME TO audit_seal_away_event_key; ALTER INDEX reason.others_event_no_division_key RENAME TO audit_seal_event_key")
    attack(when, one, replace)
    wait_for(lambda: has_stopped(one), 15, f"a stop: {one.log()[-3000:]}")
    assert 'of division "default" are others than were signed' in one.log()
    assert {row for row in signed(database) if row[:2] in {place[:2] for place in before}} <= before


@pytest.mark.parametrize("when", WHENS)
def test_functions_that_lie(database, sidecars, remembering, when):
    """The tree is shown as it was, and what is to be signed is a place that was signed before, or one place twice."""
    one = sidecars(remembering)
    before = begin(database, one)

    def lie():
        with superuser(database) as connection:
            connection.execute("CREATE TABLE reason.shown AS SELECT * FROM reason.audit_seal; CREATE INDEX ON reason.shown (division, seq)")
            connection.execute("GRANT SELECT ON reason.shown TO PUBLIC")
            connection.execute("""
                CREATE OR REPLACE FUNCTION reason.log_hashes(division text, level integer, first bigint, count integer) RETURNS bytea
                LANGUAGE sql STABLE SECURITY DEFINER AS $$
                    SELECT CASE WHEN $2 = 0
                    THEN (SELECT string_agg(s.hash, ''::bytea ORDER BY s.seq) FROM reason.shown s WHERE s.division = $1 AND s.seq >= $3 AND s.seq < $3 + $4)
                    ELSE (SELECT string_agg(t.hash, ''::bytea ORDER BY t.index) FROM reason.audit_subtree t
                          WHERE t.division = $1 AND t.level = $2 AND t.index >= $3 AND t.index < $3 + $4) END
                $$""")
        rewrite(database, 500)
        with superuser(database) as connection:
            connection.execute("CREATE OR REPLACE FUNCTION reason.unsigned_seals(max integer DEFAULT 1000) RETURNS TABLE (division text, seq bigint, hash bytea)"
                               " LANGUAGE sql STABLE SECURITY DEFINER AS $$ SELECT s.division, s.seq, s.hash FROM reason.audit_seal s"
                               " WHERE s.division = 'default' AND s.seq >= 500"
                               " UNION ALL SELECT 'default', 600, sha256('a') UNION ALL SELECT 'system', 0, sha256('b')"
                               " UNION ALL SELECT 'default', 600, sha256('c') $$")
    attack(when, one, lie)
    wait_for(lambda: "was signed before with another hash" in one.log() or "recorded, and" in one.log(), 15, f"a refusal: {one.log()[-3000:]}")
    assert one.metric(STOPPED) == 1
    assert {row for row in signed(database) if row[:2] in {place[:2] for place in before}} <= before


def test_an_older_backup_as_the_present(keys, sidecars, log_keys, tmp_path):
    """No archive and no Kafka: only the sidecar and the store remember."""
    (tmp_path / "store").mkdir()
    (tmp_path / "state").mkdir()
    with postgres.server("max_connections = 60", RestorableServer) as server:
        database = Database(server, "older", keys[1])
        database.value("SELECT reason.add_signer('log-signer', %s, purpose => 'checkpoints')", log_keys[1])
        one = sidecars({"database": {"conninfo": server.conninfo("older", "sidecar")}, "signer": {"id": SIGNER_ID, "key_file": keys[0]},
                        "store": {"url": f"file://{tmp_path}/store"},
                        "checkpoint": {"signer": "log-signer", "key_file": log_keys[0], "state_file": tmp_path / "state" / "log", "interval_s": 1}}).start()
        database.nodes(300)
        database.nodes(20, "other")
        database.settled()
        covered(database, one)
        server.copy_files()
        database.connection.close()
        database.connection = database.connect()
        database.nodes(300)
        database.settled(30)
        covered(database, one)
        before = signed(database)
        # while the sidecar runs, and then to one that remembers nothing but what is published
        for state in ("kept", "lost"):
            server.put_back_files()
            database.connection.close()
            database.connection = database.connect()
            if state == "lost":
                one.stop()
                shutil.rmtree(tmp_path / "state")
                (tmp_path / "state").mkdir()
                one.log_path.unlink()
                one.start(ready=False)
            # unless it has stopped already, and nothing is written any more
            with contextlib.suppress(psycopg.errors.CannotConnectNow):
                database.nodes(400)
            says = "are here" if state == "kept" else "the store holds a checkpoint of 600 events"
            wait_for(lambda: has_stopped(one), 20, f"a stop: {one.log()[-3000:]}")
            wait_for(lambda: says in (database.value("SELECT reason.safe_mode_fault()") or ""), 15, f"safe mode: {one.log()[-3000:]}")
            assert signed(database) <= before
        database.connection.close()


def test_two_sidecars_on_two_copies(server, database, sidecars, remembering, keys, tmp_path):
    """Each remembers its own; what they share is the store: the second to publish finds the first."""
    one = sidecars(remembering)
    begin(database, one)
    assert one.stop() == 0
    database.connection.close()
    name = database.name + "y"
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{database.name}"')
    database.connection = database.connect()
    shutil.copytree(tmp_path / "state", tmp_path / "state2")
    copy = Database.__new__(Database)
    copy.server, copy.name = server, name
    copy.connection = copy.connect()
    two = sidecars({**remembering, "database": {"conninfo": server.conninfo(name, "sidecar")},
                    "checkpoint": {**remembering["checkpoint"], "state_file": tmp_path / "state2" / "log"}})
    one.start()
    two.start(ready=False)
    database.nodes(3)
    copy.nodes(5)
    wait_for(lambda: has_stopped(one) or has_stopped(two), 20, f"a stop: {one.log()[-1500:]} {two.log()[-1500:]}")
    stopped, there = (one, database) if has_stopped(one) else (two, copy)
    wait_for(lambda: "the store holds" in (there.value("SELECT reason.safe_mode_fault()") or ""), 15, f"safe mode: {stopped.log()[-1500:]}")
    assert stopped.metric('reason_sidecar_log_stops_total{reason="published"}') >= 1
    copy.connection.close()
    one.stop()
    two.stop()
    drop_database(server.conninfo, name)


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("where", ["behind all others", "in a division of its own"])
def test_the_hash_of_something_else_sealed_as_an_event(database, sidecars, remembering, when, where):
    """The same key signs events and snapshots: a document's hash in a place of a chain would be a signature of that document."""
    one = sidecars(remembering)
    before = begin(database, one)
    document = '{"id":"00000000-0000-4000-8000-000000000000","payload":{"edges":[],"nodes":[]},"root_ids":[]}'
    hashed = hashlib.sha256(document.encode()).digest()

    def seal():
        with superuser(database) as connection:
            division, seq, previous = ("forged", 0, None) if where != "behind all others" else ("default", *connection.execute(
                "SELECT seq + 1, hash FROM reason.audit_seal WHERE division = 'default' ORDER BY seq DESC LIMIT 1").fetchone())
            connection.execute("INSERT INTO reason.audit_event (no, id, division, event_type, payload, ts) SELECT nextval('reason.record_no'), gen_random_uuid(), %s,"
                               " 'node.created', %s::json, clock_timestamp()", (division, document))
            connection.execute("INSERT INTO reason.audit_seal (division, seq, event_no, prev_hash, hash, created_at) SELECT %s, %s, currval('reason.record_no'), %s, %s,"
                               " clock_timestamp()", (division, seq, previous, hashed))
            connection.execute("SELECT reason.ring()")
    attack(when, one, seal)
    stops(database, one, before, "rewritten", "is sealed with a hash that is not that of the event")
    assert database.rows("SELECT FROM reason.audit_signature g JOIN reason.audit_seal s USING (division, seq) WHERE s.hash = %s", hashed) == []


def test_a_state_that_is_removed_while_it_is_needed(database, sidecars, remembering, tmp_path):
    """Nothing is taken over in its place, whatever the database has by then; once it is back, all goes on."""
    one = sidecars({**remembering, "checkpoint": {"state_file": tmp_path / "state" / "log", "interval_s": 1}}).start()
    database.nodes(20)
    database.settled()
    before = signed(database)
    (tmp_path / "state" / "log").rename(tmp_path / "away")
    stops(database, one, before, "memory", "which holds what was signed, is gone")
    assert "is remembered from here on" not in one.log().split("nothing is signed", 1)[1]
    assert not (tmp_path / "state" / "log").exists()
    (tmp_path / "away").rename(tmp_path / "state" / "log")
    wait_for(lambda: one.metric(STOPPED) == 0 and database.waiting() == 0, 30, f"an end: {one.log()[-2000:]}")


@pytest.mark.parametrize("how", ["emptied", "set back"])
def test_a_store_that_forgets(database, sidecars, remembering, tmp_path, how):
    """While the state is there: it is told, and all is published again, from the first tile on."""
    one = sidecars(remembering)
    log = tmp_path / "store" / "tlog"
    one.start()
    database.nodes(300)
    database.settled()
    wait_for(lambda: one.metric("reason_sidecar_published_events") == database.value("SELECT sum(reason.tree_size(d)) FROM unnest('{default,system}'::text[]) d"), 20)
    shutil.copytree(log, tmp_path / "older")
    database.nodes(300)
    database.settled()
    wait_for(lambda: one.metric("reason_sidecar_published_events") == database.value("SELECT sum(reason.tree_size(d)) FROM unnest('{default,system}'::text[]) d"), 20)
    last = max(int(path.name) for path in (log / "default" / "checkpoints").iterdir() if path.name.isdigit())
    log.rename(tmp_path / "away")
    if how == "set back":
        (tmp_path / "older").rename(log)
    wait_for(lambda: one.metric("reason_sidecar_store_forgotten_total") > 0, 20, f"that it is told: {one.log()[-2000:]}")
    assert 'the store no longer holds the checkpoint of' in one.log()
    wait_for(lambda: (log / "default" / "checkpoints" / str(last)).exists(), 20, f"that it is published: {one.log()[-2000:]}")
    assert (log / "default" / "tile" / "0" / "000").exists()
    assert one.metric(STOPPED) == 0
    told = one.metric("reason_sidecar_store_forgotten_total")
    database.nodes(3)
    wait_for(lambda: one.metric("reason_sidecar_published_events") == database.value("SELECT sum(reason.tree_size(d)) FROM unnest('{default,system}'::text[]) d"), 20)
    assert one.metric("reason_sidecar_store_forgotten_total") == told


def test_a_clock_that_was_ahead(database, sidecars, remembering, tmp_path):
    """What it noted lies in the future: that is dropped, and what is signed now is noted."""
    one = sidecars(remembering)
    begin(database, one, 20)
    one.stop()
    assert age(tmp_path / "state" / "log", -86400) > 0
    one.start()
    database.nodes(3)
    database.settled()
    covered(database, one)
    one.stop()
    marks = [line.split() for line in (tmp_path / "state" / "log").read_text().splitlines() if line.startswith("mark ")]
    assert marks and all(int(seconds) <= time.time() for _, _, seconds in marks)


def test_a_folder_with_a_high_number(database, sidecars, remembering, tmp_path):
    """Whoever can write to the store makes one: those that exist are looked at, not all that there could be."""
    one = sidecars(remembering)
    begin(database, one, 20)
    one.stop()
    for number in ("999999", "7", "0000", "x"):
        (tmp_path / "store" / "tlog" / f"default;{number}").mkdir()
        (tmp_path / "store" / "tlog" / f"default;{number}" / "checkpoint").write_text("nothing of ours\n")
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "state").mkdir()
    began = time.monotonic()
    one.start()
    database.nodes(3)
    covered(database, one)
    assert time.monotonic() - began < 15
    assert 'division "default" is remembered from here on: 20 events' in one.log()


FORGED = '{"id":"00000000-0000-4000-8000-000000000000","payload":{"edges":[],"nodes":[]},"root_ids":["00000000-0000-4000-8000-000000000001"]}'


def seal_as(connection, division, seq, previous, hashed, signature=None):
    """An event of this text in this place, with this hash, signed by nobody's key."""
    connection.execute("INSERT INTO reason.audit_event (no, id, division, event_type, payload, ts) SELECT nextval('reason.record_no'), gen_random_uuid(), %s,"
                       " 'node.created', '{}'::json, clock_timestamp()", (division,))
    connection.execute("INSERT INTO reason.audit_seal (division, seq, event_no, prev_hash, hash, created_at) SELECT %s, %s, currval('reason.record_no'), %s, %s,"
                       " clock_timestamp()", (division, seq, previous, hashed))
    if signature:
        connection.execute("INSERT INTO reason.audit_signature (division, seq, signer_id, signature) VALUES (%s, %s, 'foo', %s)",
                           (division, seq, signature))


@pytest.mark.parametrize("remembers", ["file", "store", "both"])
def test_a_signature_of_nobody_is_not_taken_over(database, sidecars, remembering, log_keys, remembers):
    """The end of a forged document in the place of a hash, junk as its signature; next to it what the document begins with."""
    settings = {**remembering, "checkpoint": {"state_file": remembering["checkpoint"]["state_file"], "interval_s": 1}} if remembers == "file" else remembering
    if remembers == "store":
        settings = {**remembering, "checkpoint": {"signer": "log-signer", "key_file": log_keys[0], "interval_s": 1}}
    one = sidecars(settings).start()
    database.nodes(20)
    database.settled()
    if remembers != "file":
        wait_for(lambda: one.metric("reason_sidecar_published_events") >= 20, 15)
    one.stop()
    before = signed(database)
    end, begins = FORGED.encode()[-32:], FORGED[:-32]
    hashed = hashlib.sha256(FORGED.encode()).digest()
    with superuser(database) as connection:
        seq, previous = connection.execute("SELECT seq + 1, hash FROM reason.audit_seal WHERE division = 'default' ORDER BY seq DESC LIMIT 1").fetchone()
        for division, first, behind in (("forged", 0, None), ("default", seq, previous)):
            seal_as(connection, division, first, behind, end, bytes(64))
            seal_as(connection, division, first + 1, end, hashed)
        connection.execute("ALTER FUNCTION reason.unsigned_seals_with_events(integer) RENAME TO unsigned_away")
        connection.execute("CREATE FUNCTION reason.unsigned_seals_with_events(max integer DEFAULT 1000) RETURNS TABLE (division text, seq bigint, hash bytea, payload text) LANGUAGE sql"
                           f" SECURITY DEFINER AS $$ SELECT division, seq, hash, CASE WHEN encode(hash, 'hex') = '{hashed.hex()}' THEN '{begins}' ELSE payload END"
                           " FROM reason.unsigned_away($1) $$")
    one.start(ready=False)
    stops(database, one, before, "resigned", 'is signed by "foo", by no key of that name that is known outside the database')
    assert database.rows("SELECT FROM reason.audit_signature g JOIN reason.audit_seal s USING (division, seq) WHERE s.hash = %s", hashed) == []


def test_a_part_of_a_document_is_no_event(database, sidecars, remembering):
    """Whatever stands before it: what is signed is a whole event."""
    one = sidecars(remembering)
    before = begin(database, one, 20)
    one.stop()
    begins = FORGED[:-32]
    with superuser(database) as connection:
        seq, previous = connection.execute("SELECT seq + 1, hash FROM reason.audit_seal WHERE division = 'default' ORDER BY seq DESC LIMIT 1").fetchone()
        hashed = hashlib.sha256(begins.encode() + previous).digest()
        seal_as(connection, "default", seq, previous, hashed)
        connection.execute("ALTER FUNCTION reason.unsigned_seals_with_events(integer) RENAME TO unsigned_away")
        connection.execute("CREATE FUNCTION reason.unsigned_seals_with_events(max integer DEFAULT 1000) RETURNS TABLE (division text, seq bigint, hash bytea, payload text) LANGUAGE sql"
                           f" SECURITY DEFINER AS $$ SELECT division, seq, hash, CASE WHEN encode(hash, 'hex') = '{hashed.hex()}' THEN '{begins}' ELSE payload END"
                           " FROM reason.unsigned_away($1) $$")
    one.start(ready=False)
    stops(database, one, before, "rewritten", "is sealed with a hash that is not that of the event")


def test_what_another_key_signed_is_taken_over_by_the_registry_that_the_operator_keeps(database, sidecars, remembering, keys, tmp_path):
    """A key from before, of which no state tells: its signatures are verified by the registry outside, or nothing is signed."""
    first = sidecars(remembering).start()
    database.nodes(20)
    database.settled()
    first.stop()
    registry = tmp_path / "signers.json"
    registry.write_text(json.dumps(database.value("SELECT reason.signer_registry()")))
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "state").mkdir()
    (tmp_path / "next").mkdir()
    following = make_keys(tmp_path / "next")
    database.value("SELECT reason.add_signer('next', %s)", following[1])
    database.connection.execute("SELECT pg_sleep(0.1)")
    rotated = {**remembering, "signer": {"id": "next", "key_file": following[0]}}
    rotated["checkpoint"] = {"state_file": tmp_path / "state" / "log", "interval_s": 1}
    one = sidecars(rotated).start(ready=False)
    wait_for(lambda: has_stopped(one), 15, f"a stop: {one.log()[-2000:]}")
    assert f'is signed by "{SIGNER_ID}", by no key of that name that is known outside the database' in one.log()
    one.stop()
    one = sidecars({**rotated, "archive": {"registry_file": registry}}).start()
    wait_for(lambda: database.value("SELECT reason.safe_mode_fault()") is None, 15, f"that all goes on: {one.log()[-2000:]}")
    database.nodes(3)
    wait_for(lambda: database.value("SELECT count(*) FROM reason.audit_signature WHERE signer_id = 'next'") > 0, 15, f"signatures: {one.log()[-2000:]}")
    assert one.metric(STOPPED) == 0
    # from here on the state remembers both
    one.stop()
    one = sidecars(rotated).start()
    database.node("one more")
    database.settled()
    assert one.metric(STOPPED) == 0


# ---------------------------------------------------------------- snapshots that wait for their signature

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


def replace_document(database, snapshot, change):
    """Bytes, hash, size and counts, all of one piece; what is `outside` of the payload stands in it meanwhile."""
    document = json.loads(database.value("SELECT reason.snapshot_document(%s)", snapshot))
    change(document["payload"])
    document |= document["payload"].pop("outside", {})
    text = database.value("SELECT reason.canonical_json(%s::json)", json.dumps(document)).encode()
    with superuser(database) as connection:
        connection.execute("UPDATE reason.snapshot_chunk c SET bytes = %s FROM reason.snapshot s WHERE s.id = %s AND c.snapshot_no = s.no", (text, snapshot))
        connection.execute("UPDATE reason.snapshot SET hash = %s, size_bytes = %s, node_count = %s, edge_count = %s WHERE id = %s",
                           (hashlib.sha256(text).hexdigest(), len(text), len(document["payload"]["nodes"]), len(document["payload"]["edges"]), snapshot))


def without(identifier):
    """An observation is left out, with its edge: the rest holds together."""
    def change(payload):
        payload["nodes"] = [node for node in payload["nodes"] if node["id"] != identifier]
        payload["edges"] = [edge for edge in payload["edges"] if edge["from"] != identifier]
    return change


def with_another(identifier, member):
    def change(payload):
        node = next(node for node in payload["nodes"] if node["id"] == identifier)
        node[member] = {"text": "the sun shines"} if member == "payload" else "somebody else"
    return change


ERASED = {"at": "2026-01-01T00:00:00.000000Z", "by": "ada", "reason": "asked for"}


def with_members(identifier, members, **payload_members):
    """The first record of a kind, or the node of this id, with these members in place of its own; without its salt where that is None."""
    def change(payload):
        record = payload[identifier][0] if identifier in payload else next(node for node in payload["nodes"] if node["id"] == identifier)
        record |= members
        if members.get("salt", "") is None:
            del record["salt"]
        payload |= payload_members
    return change


def masked(identifier, members):
    """As if personal data were left out of the whole document."""
    def change(payload):
        for record in payload["nodes"] + payload["annotations"]:
            del record["salt"]
        with_members(identifier, members, pii_included=False)(payload)
    return change


def thinned(identifier, log, **members):
    """An observation is left out, and what would tell that it was there."""
    def change(payload):
        without(identifier)(payload)
        del payload["log"]
        payload |= members | ({"log": log} if log else {})
    return change


NO_EVENTS = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


def with_one_more(payload):
    """A record that nobody has written."""
    node = {**payload["nodes"][0], "id": "00000000-0000-4000-8000-000000000001"}
    edge = {**payload["edges"][0], "id": "00000000-0000-4000-8000-000000000002", "from": node["id"]}
    payload["nodes"].insert(0, node)
    payload["edges"].insert(0, edge)


def cut_at(identifier):
    """The same, and the document says that the walk stopped there."""
    def change(payload):
        without(identifier)(payload)
        payload["frontier"] = [payload["edges"][0]["to"]]
    return change


def without_notes(payload):
    payload["annotations"] = []


def without_ends(identifier):
    """An observation is left out, and its edge is not."""
    def change(payload):
        payload["nodes"] = [node for node in payload["nodes"] if node["id"] != identifier]
    return change


def of_before(database):
    """What the log was before the observation was linked to the decision."""
    size = database.value("SELECT min(s.seq) FROM reason.audit_seal s JOIN reason.audit_event e ON e.no = s.event_no WHERE e.event_type = 'edge.created'")

    def change(payload):
        root = max(payload["edges"], key=lambda edge: edge["id"])["to"]
        payload["nodes"] = [node for node in payload["nodes"] if node["id"] == root]
        payload["edges"] = []
        payload["annotations"] = []
        payload["log"] |= {"size": size, "root": database.value("SELECT translate(encode(reason.tree_root('default', %s), 'base64'), E'\n', '')", size)}
    return change


def age(path, seconds):
    """The state, as if all that it holds had been signed so long ago."""
    lines = path.read_text().split("\n")[:-2]
    for place, line in enumerate(lines):
        if line.startswith("signed "):
            signed_events = line.split()[1]
        elif line.startswith("mark "):
            lines[place] = f"mark {signed_events} {int(line.split()[2]) - seconds}"
    text = "\n".join(lines) + "\n"
    path.write_text(text + f"sha256 {hashlib.sha256(text.encode()).hexdigest()}\n")
    return sum(line.startswith("mark ") for line in lines)


def forgeries(first, origin):
    """Documents that say that something in them was redacted, erased, or frozen when there was less."""
    early = "2001-01-01T00:00:00.000000Z"
    mark = {"redacted": True, "author": "[redacted:email]"}
    return {
        "a type, redacted": masked(first, mark | {"type": "decision"}), "an author, redacted": masked(first, {"redacted": True, "author": "somebody at [redacted:email]"}), "a mark alone": masked(first, {"redacted": True, "type": "decision"}),
        "an edge, redacted": masked("edges", {"redacted": True, "type": "contradicts", "metadata": {"by": "[redacted:email]"}}),
        "metadata, redacted": masked(first, {"redacted": True, "metadata": {"tags": ["[redacted:email]"]}}),
        "a payload, redacted": masked(first, {"payload": {"text": "the sun shines on [redacted:email]"}}), "a payload, masked": masked(first, {"payload": {"text": "the sun shines"}}),
        "erased with a payload": with_members(first, {"erased": ERASED, "payload": "invented", "salt": None}), "erased and there": with_members(first, {"erased": ERASED, "payload": None, "salt": None}),
        "a payload without salt": with_members(first, {"salt": None}), "another salt": with_members(first, {"salt": "AAAAAAAAAAAAAAAAAAAAAA=="}), "one member more": with_members(first, {"erased at": "never"}),
        "no log": thinned(first, log=None), "a log without events": thinned(first, log={"origin": origin, "size": 0, "root": NO_EVENTS}, outside={"created_at": early}),
        "another form of time": thinned(first, log={"origin": origin, "size": 0, "root": NO_EVENTS}, outside={"created_at": "2001-01-01T00:00:00Z"})}


FORGERIES = {"a type, redacted": "is another one", "an author, redacted": "is another one", "a mark alone": "is marked as redacted, and nothing in it is", "an edge, redacted": "edge .* is another one",
             "metadata, redacted": "is another one", "a payload, redacted": "is another one", "a payload, masked": "is another one", "erased with a payload": "is marked as erased, and has a content",
             "erased and there": "is another one", "a payload without salt": "a payload has no salt", "another salt": "is another one", "one member more": "is another one", "no log": "it names no log",
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


def replace_function(database, name, arguments, returns, body):
    """The one that was there goes on as <name>_true."""
    with superuser(database) as connection:
        connection.execute(f"ALTER FUNCTION reason.{name} RENAME TO {name}_true")
        connection.execute(f"CREATE FUNCTION reason.{name}({arguments}) RETURNS TABLE ({returns}) LANGUAGE sql SECURITY DEFINER AS $$ {body} $$")
        connection.execute(f"GRANT EXECUTE ON FUNCTION reason.{name} TO PUBLIC")


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
    if when == "restarted":
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


def test_numbers_that_are_none(database, sidecars, remembering):
    """How many events there are, less than none: they are gone."""
    one = sidecars(remembering)
    before = begin(database, one)
    one.stop()
    with superuser(database) as connection:
        connection.execute("ALTER FUNCTION reason.log_sizes(text) RENAME TO log_sizes_away")
        connection.execute("CREATE FUNCTION reason.log_sizes(division text DEFAULT NULL) RETURNS TABLE (division text, sealed bigint, signed bigint) LANGUAGE sql STABLE"
                           " SECURITY DEFINER AS $$ SELECT a.division, -a.sealed, a.signed FROM reason.log_sizes_away($1) a $$")
    one.start(ready=False)
    wait_for(lambda: has_stopped(one), 15, f"a stop: {one.log()[-3000:]}")
    assert "were signed, is gone" in one.log()
    assert signed(database) == before


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


def test_what_is_released_while_a_snapshot_waits_is_not_missing_in_it(database, evidence):
    """It was in quarantine when the snapshot was frozen; by the time of the signature it is not."""
    one, snapshot, seen = evidence
    decided = database.value("SELECT e.payload #>> '{edge,to}' FROM reason.audit_event e WHERE e.event_type = 'edge.created' LIMIT 1")
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
