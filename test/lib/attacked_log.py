"""A log that a superuser attacks while the sidecar works, while it is stopped, or after a restore was accepted; and how the sidecar stops."""

import hashlib

from attacks import superuser
from database import SIGNER_ID
from wait import wait_for

STOPPED = "reason_sidecar_log_stopped"
WHENS = ["live", "restarted", "restored"]


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


def accept_a_restore(database, one):
    """The logs have other names from here on."""
    with database.connection.transaction():
        database.value("SELECT reason.change_safe_mode('a restore')")
        database.value("SELECT reason.leave_safe_mode('nothing is left outside')")
    accepted = one.run("--accept-restore")
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    database.settled(60)
    wait_for(lambda: one.metric(STOPPED) == 0, 30, f"the end of a stop: {one.log()[-1500:]}")
    covered(database, one)
    one.log_path.write_text("")


def attack(when, database, one, does):
    """Does it behind the sidecar's back, or while there is none, or when it has taken over what was restored. Returns what it returns."""
    if when == "restored":
        accept_a_restore(database, one)
    if when == "restarted":
        assert one.stop() == 0
    done = does()
    if when == "restarted":
        one.start(ready=False)
    return done


def has_stopped(one):
    return one.get("/metrics")[0] == 200 and one.metric(STOPPED) == 1


def stops(database, one, before, reason, says):
    """Within an interval of checkpoints, and some seconds for a slow machine."""
    wait_for(lambda: has_stopped(one), 15, f"a stop: {one.log()[-3000:]}")
    # a proof that had begun before has found a part of it first, by another name
    wait_for(lambda: one.metric(f'reason_sidecar_log_stops_total{{reason="{reason}"}}') >= 1, 15, f"its name: {one.log()[-3000:]}")
    wait_for(lambda: says in (database.value("SELECT reason.safe_mode_fault()") or ""), 15, f"safe mode: {one.log()[-3000:]}")
    assert says in one.log()
    wait_for(lambda: one.metric("reason_sidecar_safe_mode") == 1, 10)
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


def replace_function(database, name, arguments, returns, body):
    """The one that was there goes on as <name>_true."""
    with superuser(database) as connection:
        connection.execute(f"ALTER FUNCTION reason.{name} RENAME TO {name}_true")
        connection.execute(f"CREATE FUNCTION reason.{name}({arguments}) RETURNS TABLE ({returns}) LANGUAGE sql SECURITY DEFINER AS $$ {body} $$")
        connection.execute(f"GRANT EXECUTE ON FUNCTION reason.{name} TO PUBLIC")
