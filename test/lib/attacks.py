"""What a superuser of the database can do to a chain, with every guard switched off and without any signing key."""

import contextlib
import hashlib

TABLES_OF_A_CHAIN = ("audit_signature", "audit_seal", "audit_subtree", "audit_cosignature", "audit_checkpoint_signature", "audit_checkpoint")
RECORDS = ("edge", "annotation", "node", "audit_event")


@contextlib.contextmanager
def superuser(database):
    """A session of its own, with no trigger and no rule, in one transaction."""
    with database.connect() as connection:
        connection.execute("BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL row_security = off")
        yield connection
        connection.execute("COMMIT")


def forget_signatures(connection, division, seq):
    """And whatever of the tree covers them, so that all is made anew."""
    connection.execute("DELETE FROM reason.audit_signature WHERE division = %s AND seq >= %s", (division, seq))
    connection.execute("DELETE FROM reason.audit_subtree s WHERE division = %s AND (index + 1) * 256::numeric ^ level > %s", (division, seq))
    for table in ("audit_cosignature", "audit_checkpoint_signature", "audit_checkpoint"):
        connection.execute(f"DELETE FROM reason.{table} WHERE division = %s AND size > %s", (division, seq))


def rewrite(database, seq, division="default", unsign=True):
    """Another event in this place, and every hash behind it made anew: a chain that holds together."""
    with superuser(database) as connection:
        connection.execute("UPDATE reason.audit_event e SET payload = replace(reason.event_payload(e)::text, '\"tester\"', '\"nobody\"')::json FROM reason.audit_seal s "
                           "WHERE s.division = %s AND s.seq = %s AND e.no = s.event_no AND e.division = s.division", (division, seq))
        if unsign:
            forget_signatures(connection, division, seq)
        reseal(connection, division, seq)


def reseal(connection, division, seq):
    before = connection.execute("SELECT hash FROM reason.audit_seal WHERE division = %s AND seq = %s", (division, seq - 1)).fetchone()
    previous = before[0] if before else b""
    for place, payload in connection.execute(
            "SELECT s.seq, reason.event_payload(e)::text FROM reason.audit_seal s JOIN reason.audit_event e ON e.no = s.event_no AND e.division = s.division "
            "WHERE s.division = %s AND s.seq >= %s ORDER BY s.seq", (division, seq)).fetchall():
        hashed = hashlib.sha256(payload.encode() + previous).digest()
        connection.execute("UPDATE reason.audit_seal SET hash = %s, prev_hash = %s WHERE division = %s AND seq = %s", (hashed, previous or None, division, place))
        previous = hashed


def cut(database, seq, division="default", records=True):
    """The end of a chain is gone, with its index, its tree and its checkpoints; with the records themselves, or they wait to be sealed anew."""
    with superuser(database) as connection:
        forget_signatures(connection, division, seq)
        numbers = [row[0] for row in connection.execute("DELETE FROM reason.audit_seal WHERE division = %s AND seq >= %s RETURNING event_no", (division, seq))]
        for table in RECORDS if records else ():
            connection.execute(f"DELETE FROM reason.{table} WHERE no = ANY (%s)", (numbers,))
        # the sealer looks again from the beginning
        connection.execute("DELETE FROM reason.sealer_state")


def remove(database, division):
    """As if it had never been."""
    with superuser(database) as connection:
        for table in (*TABLES_OF_A_CHAIN, "snapshot_chunk", "snapshot", *RECORDS):
            connection.execute(f"DELETE FROM reason.{table} WHERE division = %s", (division,))
        connection.execute("DELETE FROM reason.archive_segment WHERE division = %s", (division,))
        connection.execute("DELETE FROM reason.emission WHERE division = %s", (division,))


def sign_again(database, signer, first=0, last=1 << 40, division="default"):
    """Every signature is another registered key's."""
    with superuser(database) as connection:
        for seq, hashed in connection.execute("SELECT seq, hash FROM reason.audit_seal WHERE division = %s AND seq BETWEEN %s AND %s",
                                              (division, first, last)).fetchall():
            connection.execute("UPDATE reason.audit_signature SET signer_id = %s, signature = %s WHERE division = %s AND seq = %s",
                               (signer.name, signer.sign(hashed), division, seq))


def copy_chain(source, target, division="default"):
    """The rows of another cluster's chain in place of those that are here."""
    remove(target, division)
    with superuser(target) as connection:
        for table in (*reversed(RECORDS), "audit_seal", "audit_signature"):
            with source.connection.cursor().copy(f"COPY (SELECT * FROM reason.{table} WHERE division = '{division}') TO STDOUT (FORMAT binary)") as out:
                rows = b"".join(out)
            with connection.cursor().copy(f"COPY reason.{table} FROM STDIN (FORMAT binary)") as into:
                into.write(rows)
        connection.execute("SELECT setval('reason.record_no', (SELECT max(no) FROM reason.audit_event))")
