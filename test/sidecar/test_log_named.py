"""What the database says the log's name is, and what the sidecar's configuration says."""

import pytest

from attacked_log import STOPPED, covered, replace_function
from attacks import superuser
from wait import wait_for


@pytest.mark.parametrize("memory", ["file", "file and store"])
def test_another_prefix_in_the_database_than_in_the_configuration(database, sidecars, remembering, tmp_path, memory):
    """It is told by name at the start, no snapshot is lost by it, and once the two agree everything goes on."""
    settings = remembering if memory != "file" else {**remembering, "checkpoint": {"state_file": tmp_path / "state" / "log", "interval_s": 1}}
    database.value("SELECT reason.set_log_prefix('log.example.org/reason')")
    one = sidecars({**settings, "sidecar": {"snapshot_attempts": 50}}).start()
    said = 'the database names the log of division "system" "log.example.org/reason/system", and checkpoint.origin is "localhost/reason"'
    wait_for(lambda: said in one.log(), 10, f"a word of it: {one.log()[-2000:]}")
    node = database.node("seen")
    database.settled()
    snapshot = database.snapshot(node)
    wait_for(lambda: "the database names its logs otherwise than checkpoint.origin" in one.log(), 20, f"a reason: {one.log()[-2000:]}")
    assert database.rows("SELECT status, signature FROM reason.snapshot WHERE id = %s", snapshot) == [("pending", None)]
    # it is to follow the database, or the database it
    one.stop()
    one = sidecars({**settings, "checkpoint": {**settings["checkpoint"], "origin": "log.example.org/reason"}}).start()
    database.value("UPDATE reason.snapshot SET next_attempt_at = NULL WHERE id = %s RETURNING 1", snapshot)
    database.value("SELECT reason.ring()")
    database.completed(snapshot, 30)
    assert one.metric(STOPPED) == 0 and said not in one.log().rpartition("started")[2]


def test_the_name_is_changed_while_the_sidecar_runs(database, sidecars, remembering):
    """Back to what the configuration says: a moment later it goes on by itself."""
    one = sidecars({**remembering, "sidecar": {"snapshot_attempts": 50}})
    database.value("SELECT reason.set_log_prefix('log.example.org/reason')")
    one.start()
    node = database.node("seen")
    database.settled()
    snapshot = database.snapshot(node)
    wait_for(lambda: "the database names its logs otherwise than checkpoint.origin" in one.log(), 20, f"a reason: {one.log()[-2000:]}")
    database.value("SELECT reason.set_log_prefix('localhost/reason')")
    # the document names the other log for good: it can only be frozen again
    wait_for(lambda: database.status(snapshot) == "failed", 30, f"an end: {one.log()[-2000:]}")
    database.completed(database.snapshot(node), 30)
    covered(database, one)
    assert one.metric(STOPPED) == 0


@pytest.mark.parametrize("forged", ["of another name", "not signed"])
def test_a_signed_snapshot_that_nobody_signed(database, sidecars, remembering, tmp_path, forged):
    """The database says that it waits to be stored: no document is, whose signature is by no key that is known outside."""
    one = sidecars({**remembering, "sidecar": {"snapshot_attempts": 50}}).start()
    node = database.node("seen")
    database.settled()
    covered(database, one)
    one.stop()
    snapshot = database.snapshot(node)
    signer, says = ("evil", "by no key of that name") if forged == "of another name" else ("test-signer", "by no key of that name")
    with superuser(database) as connection:
        connection.execute("UPDATE reason.snapshot SET status = 'signed', signer_id = %s, signature = decode(repeat('ab', 64), 'hex'), signed_at = clock_timestamp() WHERE id = %s",
                           (signer, snapshot))
    one.start()
    wait_for(lambda: says in one.log(), 20, f"a refusal: {one.log()[-2000:]}")
    assert not (tmp_path / "store" / "snapshots").exists()


@pytest.mark.parametrize("column, value, says", [("ts", "E'2026-01-01T00:00:00.000000Z\\r\\nx-amz-meta-hash: 0'", "a time of the signature that is none"),
                                                 ("signer_id", "E'test-signer\\r\\nx: y'", "a signer that is none"),
                                                 ("hash", "'\"'", "a hash that is none")])
def test_what_the_database_says_of_a_signed_snapshot_is_read(database, sidecars, remembering, tmp_path, column, value, says):
    """It stands in headers and in a document beside the object: nothing gets there that could end one and begin another."""
    one = sidecars({**remembering, "sidecar": {"snapshot_attempts": 50}}).start()
    node = database.node("seen")
    database.settled()
    covered(database, one)
    columns = ["id", "division", "status", "hash", "size_bytes", "chunks", "signer_id", "signature", "object_key", "ts"]
    replace_function(database, "claim_snapshots", "lease_token bigint, max integer",
                     "id uuid, division text, status text, hash text, size_bytes bigint, chunks integer, signer_id text, signature bytea, object_key text, ts text",
                     f"SELECT {', '.join(f'CASE status WHEN $x$signed$x$ THEN {value} ELSE {name} END' if name == column else name for name in columns)} FROM reason.claim_snapshots_true($1, $2)")
    # it is signed by us, and not stored yet
    away = tmp_path / "away"
    (tmp_path / "store" / "snapshots").write_text("in the way")
    snapshot = database.snapshot(node)
    wait_for(lambda: database.status(snapshot) == "signed", 20, f"a signature: {one.log()[-2000:]}")
    wait_for(lambda: says in one.log(), 30, f"a refusal: {one.log()[-2000:]}")
    (tmp_path / "store" / "snapshots").rename(away)
    assert not (tmp_path / "store" / "snapshots").exists()
