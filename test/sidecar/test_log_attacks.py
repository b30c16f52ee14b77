"""A superuser without a signing key does to the chains what he can: the sidecar stops, says why, and signs none of it.

Each attack comes while the sidecar works, and while it is stopped.
"""

import contextlib
import hashlib
import shutil
import signal
import time

import psycopg
import pytest

import postgres
from attacked_log import STOPPED, WHENS, attack, begin, covered, has_stopped, signed, stops
from attacks import copy_chain, cut, remove, rewrite, sign_again, superuser
from database import Database, SIGNER_ID
from fresh_database import drop_database
from restored import RestorableServer
from signer import Signer
from wait import wait_for


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("unsign", [True, False])
def test_the_middle_rewritten(database, sidecars, remembering, when, unsign):
    one = sidecars(remembering)
    before = begin(database, one)
    attack(when, database, one, lambda: rewrite(database, 100, unsign=unsign))
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
    attack(when, database, one, lambda: cut(database, 550, records=records))
    wait_for(lambda: has_stopped(one), 15, f"a stop: {one.log()[-3000:]}")
    reason = "cut" if one.metric('reason_sidecar_log_stops_total{reason="cut"}') else "rewritten"
    stops(database, one, before, reason, 'events of division "default"')


@pytest.mark.parametrize("when", WHENS)
def test_a_division_removed(database, sidecars, remembering, when):
    one = sidecars(remembering)
    before = begin(database, one)
    attack(when, database, one, lambda: remove(database, "other"))
    stops(database, one, before, "vanished", 'division "other", of which 20 events were signed, is gone')


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("last", [1 << 40, 400])
def test_signed_anew_by_another_registered_key(database, sidecars, remembering, when, last):
    """All of it, or all but what is remembered exactly: then some of it is drawn by lot."""
    one = sidecars(remembering)
    before = begin(database, one)
    evil = Signer("evil", b"evil")
    database.value("SELECT reason.add_signer('evil', encode(%s, 'base64'))", evil.public.raw)
    attack(when, database, one, lambda: sign_again(database, evil, last=last))
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
    attack(when, database, one, lambda: copy_chain(other, database))
    before |= signed(other)
    other.connection.close()
    drop_database(server.conninfo, other.name)
    stops(database, one, before, "rewritten", 'events of division "default" are others than were signed')


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


@pytest.mark.parametrize("when", WHENS)
def test_two_sidecars_on_two_copies(server, database, sidecars, remembering, when, tmp_path):
    """A standby is promoted while the primary goes on. Each sidecar remembers its own; what they share is the store: the second to publish finds the first."""
    one = sidecars(remembering)
    begin(database, one)
    with postgres.servers() as make:
        copy = Database.__new__(Database)
        copy.name, copy.server = database.name, make("copy", primary=server)

        def split():
            copy.server.run("pg_ctl", "-D", copy.server.data, "-w", "promote")
            copy.connection = copy.connect()
            shutil.copytree(tmp_path / "state", tmp_path / "state2")
            return sidecars({**remembering, "database": {"conninfo": copy.server.conninfo(copy.name, "sidecar")},
                             "checkpoint": {**remembering["checkpoint"], "state_file": tmp_path / "state2" / "log"}}).start(ready=False)
        two = attack(when, database, one, split)
        database.nodes(3)
        copy.nodes(5)
        wait_for(lambda: has_stopped(one) or has_stopped(two), 20, lambda: f"a stop: {one.log()[-1500:]} {two.log()[-1500:]}")
        stopped, there = (one, database) if has_stopped(one) else (two, copy)
        wait_for(lambda: "the store holds" in (there.value("SELECT reason.safe_mode_fault()") or ""), 15, f"safe mode: {stopped.log()[-1500:]}")
        assert stopped.metric('reason_sidecar_log_stops_total{reason="published"}') >= 1
        copy.connection.close()
        one.stop()
        two.stop()


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
    attack(when, database, one, seal)
    stops(database, one, before, "rewritten", "is sealed with a hash that is not that of the event")
    assert database.rows("SELECT FROM reason.audit_signature g JOIN reason.audit_seal s USING (division, seq) WHERE s.hash = %s", hashed) == []


FORGED = '{"id":"00000000-0000-4000-8000-000000000000","payload":{"edges":[],"nodes":[]},"root_ids":["00000000-0000-4000-8000-000000000001"]}'


def seal_as(connection, division, seq, previous, hashed, signature=None):
    """An event of this text in this place, with this hash, signed by nobody's key."""
    connection.execute("INSERT INTO reason.audit_event (no, id, division, event_type, payload, ts) SELECT nextval('reason.record_no'), gen_random_uuid(), %s,"
                       " 'node.created', '{\"division\":null}'::json, clock_timestamp()", (division,))
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
