"""The transparency log: its tree is that of RFC 6962 over the chain, and whatever is altered in it is named.

What is expected is computed here from the hashes of the seals, by the definitions of the RFC and of C2SP, with Python's
hashlib and OpenSSL's signatures.
"""
import base64
import hashlib
import random
import threading

import psycopg
import pytest

from checkpoints import LOG_KEY, RECORD_COSIGNATURE, cosign, cosignature, grow, note_of, register_log_key, sign_checkpoints, text_of, vkey, write
from signer import Signer
from wait import wait_for

ORIGIN = "localhost/reason/default"


# ---------------------------------------------------------------- the definitions

def sha256(*pieces):
    return hashlib.sha256(b"".join(pieces)).digest()


class Tree:
    """MTH, PATH and PROOF over leaf data, remembering the roots of ranges."""

    def __init__(self, entries):
        self.entries = entries
        self.leaves = [sha256(b"\0", entry) for entry in entries]
        self.known = {}

    def root(self, start, end):
        if end - start == 1:
            return self.leaves[start]
        if start == end:
            return sha256()
        if (start, end) not in self.known:
            middle = start + split(end - start)
            self.known[start, end] = sha256(b"\1", self.root(start, middle), self.root(middle, end))
        return self.known[start, end]

    def path(self, index, start, end):
        if end - start == 1:
            return []
        middle = start + split(end - start)
        if index < middle:
            return self.path(index, start, middle) + [self.root(middle, end)]
        return self.path(index, middle, end) + [self.root(start, middle)]

    def proof(self, size, start, end, whole=True):
        if size == end:
            return [] if whole else [self.root(start, end)]
        middle = start + split(end - start)
        if size <= middle:
            return self.proof(size, start, middle, whole) + [self.root(middle, end)]
        return self.proof(size, middle, end, False) + [self.root(start, middle)]

    def tile(self, level, n, width=256):
        step = 256 ** level
        return b"".join(self.root(i * step, (i + 1) * step) for i in range(n * 256, n * 256 + width))


def split(size):
    return 1 << (size - 1).bit_length() - 1


def tree_of(db, division="default"):
    return Tree([entry for entry, in db("SELECT hash FROM reason.audit_seal WHERE division = %s ORDER BY seq", division)])


SIZE = 256 * 256 + 300


@pytest.fixture(scope="module")
def log(db):
    """A chain long enough for a node of the second level."""
    write(db, SIZE)
    db.settle()
    return db


@pytest.fixture(scope="module")
def tree(log):
    return tree_of(log)


@pytest.fixture(scope="module")
def signed(log, tree):
    """The same, grown, with checkpoints, one of them cosigned."""
    grow(log)
    sign_checkpoints(log)
    write(log, 100)
    log.settle()
    sign_checkpoints(log)
    cosign(log, Signer("witness.example.org/w", b"w"))
    return log


# ---------------------------------------------------------------- the tree

def test_a_tree_that_was_not_grown_has_the_same_root(log, tree):
    assert log.one("SELECT count(*) FROM reason.audit_subtree") == 0
    assert log.one("SELECT reason.tree_size('default')") == SIZE
    assert log.one("SELECT reason.tree_root('default')") == tree.root(0, SIZE)


def test_growing_stores_whole_tiles_and_can_be_broken_off(log, tree):
    token = log.token("seal")
    assert log.one("SELECT reason.grow_tree(%s, 'default', 1000)", token) == 768
    assert log("SELECT level, index FROM reason.audit_subtree ORDER BY 1, 2") == [(1, 0), (1, 1), (1, 2)]
    assert grow(log, None, 5000) == 256 * 256 - 768 + 256
    for level, index, hash in log("SELECT level, index, hash FROM reason.audit_subtree WHERE division = 'default'"):
        assert hash == tree.root(index * 256 ** level, (index + 1) * 256 ** level), (level, index)
    assert log("SELECT level, count(*), max(index) FROM reason.audit_subtree GROUP BY 1 ORDER BY 1") == [(1, 257, 256), (2, 1, 0)]
    assert grow(log) == 0


def test_roots_proofs_and_tiles_are_those_of_the_definitions(log, tree):
    grow(log)
    chosen = random.Random(1)
    sizes = [1, 2, 255, 256, 257, 65535, 65536, 65537, SIZE, *(chosen.randrange(1, SIZE) for _ in range(12))]
    for size in sizes:
        assert log.one("SELECT reason.tree_root('default', %s)", size) == tree.root(0, size)
        for seq in {0, size - 1, chosen.randrange(size)}:
            assert log.one("SELECT reason.inclusion_proof('default', %s, %s)", seq, size) == tree.path(seq, 0, size), (seq, size)
        for old in {1, size, chosen.randrange(1, size + 1)}:
            assert log.one("SELECT reason.consistency_proof('default', %s, %s)", old, size) == tree.proof(old, 0, size), (old, size)
    assert log.one("SELECT reason.tree_root('default', 0)") == sha256()
    assert log.one("SELECT reason.consistency_proof('default', 0)") == []
    assert log.one("SELECT reason.inclusion_proof('default', 7)") == tree.path(7, 0, SIZE)
    for level, n, width in [(0, 0, 256), (0, 255, 256), (0, 257, 44), (0, 3, 1), (1, 0, 256), (1, 1, 1), (2, 0, 1)]:
        assert log.one("SELECT reason.tile('default', %s, %s, %s)", level, n, width) == tree.tile(level, n, width), (level, n, width)
    bundle = log.one("SELECT reason.tile_entries('default', 256, 7)")
    assert bundle == b"".join(b"\0\x20" + entry for entry in tree.entries[65536:65543])


@pytest.mark.parametrize("call, state", [
    ("tree_root('default', -1)", "22023"), (f"tree_root('default', {SIZE + 1})", "P0002"), ("inclusion_proof('default', -1, 5)", "22023"),
    ("inclusion_proof('default', 5, 5)", "22023"), (f"inclusion_proof('default', {SIZE}, {SIZE})", "P0002"), ("consistency_proof('default', 6, 5)", "22023"),
    (f"consistency_proof('default', 6, {SIZE + 1})", "P0002"), ("tile('default', -1, 0)", "22023"), ("tile('default', 8, 0)", "22023"),
    ("tile('default', 0, -1)", "22023"), ("tile('default', 0, 0, 0)", "22023"), ("tile('default', 0, 0, 257)", "22023"), ("tile('default', 0, 257, 45)", "P0002"),
    ("tile('default', 2, 0, 2)", "P0002"), ("tile('default', 7, 0, 1)", "P0002"), ("tile('default', 0, 9223372036854775807, 1)", "22023"),
    ("tile_entries('default', 257, 45)", "P0002"), ("tree_root('nowhere', 1)", "P0002"), ("grow_tree(0)", "55000")])
def test_what_no_tree_has_is_refused(log, call, state):
    with pytest.raises(psycopg.Error) as refused:
        log(f"SELECT reason.{call}")
    assert refused.value.sqlstate == state


def test_an_event_that_is_not_signed_is_in_no_tree(signed):
    size = signed.one("SELECT reason.tree_size('default')")
    write(signed, 300)
    signed.seal()
    assert signed.one("SELECT reason.tree_size('default')") == size
    assert grow(signed) == 0
    with pytest.raises(psycopg.errors.NoDataFound):
        signed("SELECT reason.tile('default', 0, %s, 256)", size // 256)
    assert sign_checkpoints(signed) == []
    signed.sign()
    assert signed.one("SELECT reason.tree_size('default')") == size + 300
    assert signed.one("SELECT ok FROM reason.verify_log()")


# ---------------------------------------------------------------- checkpoints

def test_a_checkpoint_is_planned_before_it_is_signed_and_planned_once(db, make_database):
    fresh = make_database("log_checkpoints")
    fresh("SELECT reason.add_signer(%s, %s)", fresh.signer.name, fresh.signer.public.raw.hex())
    register_log_key(fresh)
    write(fresh, 3)
    fresh.settle()
    token = fresh.token("seal")
    planned = fresh("SELECT * FROM reason.checkpoints_due(%s, '1 hour')", token)
    assert sorted(row[:3] for row in planned) == [("default", ORIGIN, 3), ("system", "localhost/reason/system", 2)]
    assert dict((row[0], row[3]) for row in planned)["default"] == tree_of(fresh).root(0, 3)
    write(fresh, 2)
    fresh.settle()
    # Another is not planned before this one is signed; whoever crashed finds it again.
    assert fresh("SELECT * FROM reason.checkpoints_due(%s, '1 hour', true)", token) == planned
    sign_checkpoints(fresh)
    assert fresh("SELECT * FROM reason.checkpoints_due(%s, '1 hour')", token) == []
    assert [row[2] for row in fresh("SELECT * FROM reason.checkpoints_due(%s, '1 hour', true)", token)] == [5]
    sign_checkpoints(fresh)
    assert fresh("SELECT * FROM reason.checkpoints_due(%s, '0', true)", token) == []


def test_only_what_is_signed_over_the_trees_own_root_is_recorded(signed):
    write(signed, 1)
    signed.settle()
    token = signed.token("seal")
    (division, origin, size, root), = signed("SELECT * FROM reason.checkpoints_due(%s, '0')", token)
    text = text_of(origin, size, root)
    good = [division, origin, size, LOG_KEY.name, LOG_KEY.sign(text), note_of(LOG_KEY, origin, text).decode()]
    other = Signer("other", b"o")
    for place, value, state in [
            (1, "localhost/reason/other", "P0002"), (2, size - 1, "P0002"), (3, "nobody", "55000"), (3, signed.signer.name, "55000"), (4, other.sign(text), "22000"), (4, b"", "22000"),
            (5, good[5].replace(str(size), str(size + 1)), "22000"), (5, note_of(other, origin, text).decode(), "22000"), (5, text.decode(), "22000"),
            (5, note_of(LOG_KEY, origin + "x", text).decode(), "22000")]:
        bad = [*good]
        bad[place] = value
        with pytest.raises(psycopg.Error) as refused:
            signed("SELECT reason.record_checkpoint(%s, %s, %s, %s, %s, %s, %s)", token, *bad)
        assert refused.value.sqlstate == state, (place, value)
    for _ in range(2):
        signed("SELECT reason.record_checkpoint(%s, %s, %s, %s, %s, %s, %s)", token, *good)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="lease"):
        signed("SELECT reason.record_checkpoint(%s, %s, %s, %s, %s, %s, %s)", token + 1, *good)
    with signed.tampering():
        signed("UPDATE reason.audit_checkpoint SET root = sha256('') WHERE size = %s", size)
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="not that of the tree"):
            signed("SELECT reason.record_checkpoint(%s, %s, %s, %s, %s, %s, %s)", token, *good)


def test_the_last_checkpoint_is_a_note_with_its_cosignatures(signed):
    write(signed, 1)
    signed.settle()
    (_, origin, size, root), = sign_checkpoints(signed)
    witnesses = [Signer("witness.example.org/a", b"a"), Signer("witness.example.org/b", b"b")]
    stamped = [cosign(signed, witness) for witness in witnesses]
    expected = note_of(LOG_KEY, origin, text_of(origin, size, root)).decode()
    for witness, signature in zip(witnesses, stamped):
        key_id = bytes.fromhex(vkey(witness).split("+")[1])
        expected += "— {} {}\n".format(witness.name, base64.b64encode(key_id + signature).decode())
    assert signed.row("SELECT * FROM reason.last_checkpoint('default')") == (origin, size, root, expected)
    assert signed("SELECT * FROM reason.last_checkpoint('nowhere')") == []
    with pytest.raises(psycopg.errors.DataException, match="not that of the witness"):
        signed("SELECT reason.record_cosignature(%s, 'default', %s, %s, %s, 1, %s)", signed.token("seal"), origin, size, vkey(witnesses[0]), stamped[0][8:])
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not a verifier key"):
        signed("SELECT reason.record_cosignature(%s, 'default', %s, %s, 'a+b', 1, %s)", signed.token("seal"), origin, size, stamped[0][8:])


def cosigners(note):
    """Names behind the log's own signature, in their order."""
    return [line.split()[1] for line in note.partition("\n\n")[2].splitlines()][1:]


NOTE_HAS_ROOM_FOR = 99


def test_a_note_has_room_for_99_cosignatures(signed):
    """Nobody else's leave room; those of witnesses that are registered, or configured in the sidecar, come first, however many others there are."""
    write(signed, 1)
    signed.settle()
    sign_checkpoints(signed)
    foreign = [Signer(f"a{number:03}.example.org", b"foreign %d" % number) for number in range(NOTE_HAS_ROOM_FOR)]
    configured, registered, another = (Signer(name, name.encode()) for name in ("configured.example.org", "registered.example.org", "another.example.org"))
    for witness in foreign:
        cosign(signed, witness)
    assert len(cosigners(signed.row("SELECT * FROM reason.last_checkpoint('default')")[3])) == NOTE_HAS_ROOM_FOR
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="has 99 cosignatures, and a note has no room for more"):
        cosign(signed, another)
    # the same again is no other
    cosign(signed, foreign[0])
    signed("SELECT reason.add_signer(%s, %s, purpose => 'witness')", registered.name, registered.public.raw.hex())
    cosign(signed, registered)
    cosign(signed, configured, configured=[vkey(configured)])
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        cosign(signed, another, configured=[vkey(configured)])
    served = cosigners(signed.row("SELECT * FROM reason.last_checkpoint('default')")[3])
    assert len(served) == NOTE_HAS_ROOM_FOR and served[-1] == registered.name and configured.name not in served
    (_, announced), *_ = signed("SELECT * FROM reason.cosigned_checkpoints('default', configured => %s)", [vkey(configured)])
    assert len(cosigners(announced)) == NOTE_HAS_ROOM_FOR and {configured.name, registered.name} < set(cosigners(announced))
    assert signed.one("SELECT ok FROM reason.verify_log('default')")


def test_two_who_come_at_once_find_room_for_one(signed):
    """Each counts 98 before the other is there: one of them waits for the other, and is told that there is no room."""
    write(signed, 1)
    signed.settle()
    sign_checkpoints(signed)
    for number in range(NOTE_HAS_ROOM_FOR - 1):
        cosign(signed, Signer(f"a{number:03}.example.org", b"foreign %d" % number))
    one, other = (cosignature(signed, Signer(name, name.encode())) for name in ("one.example.org", "other.example.org"))
    token = signed.token("seal")
    refused = []

    def record():
        with psycopg.connect(signed.dsn, autocommit=True) as connection:
            try:
                connection.execute(RECORD_COSIGNATURE, (token, *other))
            except psycopg.errors.ObjectNotInPrerequisiteState as error:
                refused.append(str(error))
    with psycopg.connect(signed.dsn, autocommit=True) as first, first.transaction():
        first.execute(RECORD_COSIGNATURE, (token, *one))
        second = threading.Thread(target=record)
        second.start()
        wait_for(lambda: signed.one("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%record_cosignature%%'") or not second.is_alive(), 10, "that it waits")
        assert second.is_alive()
    second.join(10)
    assert len(refused) == 1 and "has 99 cosignatures" in refused[0]
    assert signed.one("SELECT count(*) FROM reason.audit_cosignature WHERE size = %s", one[2]) == NOTE_HAS_ROOM_FOR


# ---------------------------------------------------------------- what is altered is named

TAMPERED = [
    ("UPDATE reason.audit_subtree SET hash = sha256('') WHERE level = 1 AND index = 100", "audit_subtree: column hash of level 1, index 100 is not as the chain has it"),
    ("UPDATE reason.audit_subtree SET hash = sha256('') WHERE level = 2", "audit_subtree: column hash of level 2, index 0 is not as the chain has it"),
    ("DELETE FROM reason.audit_subtree WHERE level = 1 AND index = 100", "audit_subtree: the row of level 1, index 100 is missing"),
    ("DELETE FROM reason.audit_subtree WHERE level = 2", "audit_subtree: the row of level 2, index 0 is missing"),
    ("INSERT INTO reason.audit_subtree VALUES ('default', 1, 100000, sha256(''))", "audit_subtree: the row of level 1, index 100000 is of events that are not signed"),
    ("INSERT INTO reason.audit_subtree VALUES ('default', 2, 1, sha256(''))", "audit_subtree: the row of level 2, index 1 is of events that are not signed"),
    ("INSERT INTO reason.audit_subtree VALUES ('default', 3, 0, sha256(''))", "audit_subtree: the row of level 3, index 0 is of events that are not signed"),
    ("ALTER TABLE reason.audit_subtree DROP CONSTRAINT audit_subtree_place_check; INSERT INTO reason.audit_subtree VALUES ('default', 1, -1, sha256(''))",
     "audit_subtree: column hash of level 1, index -1 is not as the chain has it"),
    ("ALTER TABLE reason.audit_subtree DROP CONSTRAINT audit_subtree_place_check; INSERT INTO reason.audit_subtree VALUES ('default', 0, 0, sha256(''))",
     "audit_subtree: there are 1 rows that no tree has"),
    ("ALTER TABLE reason.audit_subtree DROP CONSTRAINT audit_subtree_hash_check; UPDATE reason.audit_subtree SET hash = '' WHERE level = 2", "is no hash"),
    ("UPDATE reason.audit_checkpoint SET root = sha256('') WHERE division = 'default' AND size = 65836", "audit_checkpoint: the root of size 65836 of \"localhost/reason/default\" is not that of the tree"),
    ("UPDATE reason.audit_checkpoint SET size = size - 1 WHERE division = 'default' AND size = 65836", "audit_checkpoint: the root of size 65835"),
    ("UPDATE reason.audit_checkpoint SET size = 10000000 WHERE division = 'default' AND size = 65836", "audit_checkpoint: there is a checkpoint of size 10000000"),
    ("UPDATE reason.audit_checkpoint SET origin = 'x/default' WHERE division = 'default' AND size = 65836", "audit_checkpoint of size 65836 of \"x/default\": the log never had this name"),
    ("DELETE FROM reason.audit_checkpoint WHERE division = 'default' AND size = 65836", "audit_checkpoint_signature of size 65836 of \"localhost/reason/default\": there is no such checkpoint"),
    ("UPDATE reason.audit_checkpoint_signature SET signature = sha256('') || sha256('') WHERE division = 'default' AND size = 65836",
     "audit_checkpoint_signature of size 65836 of \"localhost/reason/default\": the signature is not that of the key"),
    ("UPDATE reason.audit_checkpoint_signature SET note = note || 'x' WHERE division = 'default' AND size = 65836", "audit_checkpoint_signature of size 65836 of \"localhost/reason/default\": the note: "),
    ("UPDATE reason.audit_checkpoint_signature SET signer_id = 'nobody' WHERE division = 'default' AND size = 65836", "who is not registered"),
    ("UPDATE reason.audit_checkpoint_signature SET signer_id = 'key-1' WHERE division = 'default' AND size = 65836", "is registered for events, and signs no checkpoints"),
    ("UPDATE reason.signer SET status = 'revoked', revoked_at = '2020-01-01', revocation_reason = 'lost' WHERE signer_id = 'log-1'", "the key of signer \"log-1\" was revoked by then"),
    ("UPDATE reason.audit_cosignature SET timestamp = timestamp + 1 WHERE size = 65936", "audit_cosignature of size 65936 of \"localhost/reason/default\": the cosignature is not that of the witness"),
    ("UPDATE reason.audit_cosignature SET witness = 'x' WHERE size = 65936", "columns witness and key_id are not those of vkey"),
    ("UPDATE reason.audit_cosignature SET vkey = 'x' WHERE size = 65936", "column vkey is no verifier key"),
]


@pytest.mark.parametrize("change, named", TAMPERED)
def test_what_a_superuser_alters_is_named(signed, change, named):
    grow(signed)
    assert signed.row("SELECT ok, detail FROM reason.verify_log()")[0]
    with signed.tampering():
        for statement in change.split("; "):
            signed(statement)
        try:
            ok, detail = signed.row("SELECT ok, detail FROM reason.verify_log()")
        except psycopg.errors.DataCorrupted as error:
            # One that cannot be read: verify_all() makes a row of it.
            ok, detail = False, str(error)
        assert not ok and named in detail, detail


def test_verifying_the_chain_and_everything_includes_the_log(signed):
    with signed.tampering():
        signed("UPDATE reason.audit_subtree SET hash = sha256('') WHERE level = 1 AND index = 100")
        named = "audit_subtree: column hash of level 1, index 100 is not as the chain has it"
        row = signed.verify()
        assert (row["ok"], row["first_bad_seq"], row["detail"]) == (False, None, named)
        rows = {what: (ok, detail) for what, ok, detail in signed("SELECT * FROM reason.verify_all()")}
        for what in ('log of division "default"', 'division "default"'):
            assert not rows[what][0] and named in rows[what][1], rows[what]


def test_a_chain_rewritten_with_its_tree_does_not_extend_its_checkpoints(signed):
    """Cut at the end, with all rows of the tree: what is left of the log says so."""
    size = signed.one("SELECT reason.tree_size('default')")
    with signed.tampering():
        signed("DELETE FROM reason.audit_seal WHERE division = 'default' AND seq >= %s", size - 3)
        signed("DELETE FROM reason.audit_signature WHERE division = 'default' AND seq >= %s", size - 3)
        signed("DELETE FROM reason.audit_event WHERE division = 'default' AND NOT EXISTS (SELECT FROM reason.audit_seal s WHERE s.event_no = no)")
        row = signed.verify()
        assert not row["ok"] and row["first_bad_seq"] is None and row["detail"].startswith("audit_checkpoint: there is a checkpoint of size"), row


# ---------------------------------------------------------------- names

def test_a_prefix_is_an_address_and_names_the_logs_from_then_on(make_database):
    fresh = make_database("log_names")
    fresh("SELECT reason.add_signer(%s, %s)", fresh.signer.name, fresh.signer.public.raw.hex())
    for bad in ("", "https://a.example", "a b", "a+b", "a/", "/a", "a\n", "a" * 201, "ä.example"):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            fresh("SELECT reason.set_log_prefix(%s)", bad)
    fresh("SELECT reason.set_log_prefix('log.example.org/reason'), reason.set_log_prefix('log.example.org/reason')")
    assert fresh("SELECT payload -> 'log' FROM reason.audit_event WHERE event_type = 'log.changed'") == [({"prefix": "log.example.org/reason", "epoch": 1},)]
    assert fresh.one("SELECT reason.current_origin('default')") == "log.example.org/reason/default"
    write(fresh, 2)
    fresh.settle()
    assert {row[1] for row in sign_checkpoints(fresh)} == {"log.example.org/reason/default", "log.example.org/reason/system"}
    # After a restore that was accepted everything has another name.
    fresh("SELECT reason.change_safe_mode('a test')")
    fresh("SELECT reason.leave_safe_mode('a test')")
    assert fresh.one("SELECT reason.current_origin('default')") == "log.example.org/reason/default;2"
    assert fresh("SELECT * FROM reason.last_checkpoint('default')") == []
    fresh.settle()
    assert {row[:3] for row in sign_checkpoints(fresh)} >= {("default", "log.example.org/reason/default;2", 2)}
    assert fresh("SELECT * FROM reason.log_origins('default')") == [
        (1, "localhost/reason/default", None, 0), (1, "log.example.org/reason/default", 2, 2), (2, "log.example.org/reason/default;2", 2, None)]
    assert fresh("SELECT * FROM reason.verify_all() WHERE NOT ok") == []
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="not the name of the log any more"):
        fresh("SELECT reason.record_checkpoint(%s, 'default', 'log.example.org/reason/default', 2, 'log-1', '', '')", fresh.token("seal"))
    with fresh.tampering():
        fresh("UPDATE reason.log_prefix SET epoch = 1")
        assert any("log_prefix" in detail for _, detail in fresh("SELECT what, detail FROM reason.verify_all() WHERE NOT ok"))


# ---------------------------------------------------------------- who may see it

CALLS = ("tree_size(%s)", "tree_root(%s)", "inclusion_proof(%s, 0)", "consistency_proof(%s, 0)", "tile(%s, 0, 0, 1)", "tile_entries(%s, 0, 1)", "current_origin(%s)",
         "log_origins(%s)", "last_checkpoint(%s)", "verify_log(%s)")


def test_who_may_not_see_a_division_is_told_the_same_as_of_none(signed):
    write(signed, 2, "secret")
    signed.settle()
    signed("DROP ROLE IF EXISTS log_auditor, log_sidecar")
    signed("CREATE ROLE log_auditor IN ROLE reason_auditor")
    signed("CREATE ROLE log_sidecar IN ROLE reason_sidecar")
    try:
        for call in CALLS:
            said = []
            for division in ("secret", "nowhere"):
                signed("SET ROLE log_auditor")
                with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
                    signed(f"SELECT reason.{call}", division)
                said.append(str(refused.value).replace(division, "?"))
                assert signed(f"SELECT reason.{call}", "default") is not None
            assert said[0] == said[1], call
            if call != "verify_log(%s)":
                signed("SET ROLE log_sidecar")
                signed(f"SELECT reason.{call}", "secret")
        signed("SET ROLE log_auditor")
        for table in ("audit_subtree", "audit_checkpoint", "audit_checkpoint_signature", "audit_cosignature"):
            assert {division for division, in signed(f"SELECT DISTINCT division FROM reason.{table}")} <= {"default", "system"}
        assert signed.row("SELECT ok FROM reason.verify_log('default')") == (True,)
        for call in ("grow_tree(1)", "checkpoints_due(1, '0')", "set_log_prefix('a')", "tree_root_of('secret', 1)", "record_log_heads(1)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                signed(f"SELECT reason.{call}")
    finally:
        signed("RESET ROLE")
        signed("DROP ROLE log_auditor, log_sidecar")


# ---------------------------------------------------------------- heads of all logs

@pytest.fixture
def many(make_database):
    fresh = make_database("log_heads")
    fresh("SELECT reason.add_signer(%s, %s)", fresh.signer.name, fresh.signer.public.raw.hex())
    for n, division in enumerate(("default", "north", "south")):
        write(fresh, n + 1, division)
    fresh.settle()
    return fresh


def heads(db, max_age="0"):
    return db.one("SELECT reason.record_log_heads(%s, %s::interval)", db.token("seal"), max_age)


def lines_root(db, divisions):
    lines = sorted(text_of(f"localhost/reason/{d}", len(tree_of(db, d).entries), tree_of(db, d).root(0, len(tree_of(db, d).entries))) for d in divisions)
    return Tree(lines).root(0, len(lines)).hex()


def test_an_event_counts_the_heads_of_all_logs_and_names_none(many):
    event = heads(many)
    payload, = many.row("SELECT payload::text FROM reason.audit_event WHERE id = %s", event)
    assert many.one("SELECT payload -> 'heads' FROM reason.audit_event WHERE id = %s", event) == {
        "count": 3, "root": lines_root(many, ("default", "north", "south"))}
    assert "north" not in payload and "default" not in payload
    many.settle()
    # Nothing has grown but the log of system.
    assert heads(many) is None
    write(many, 1, "east")
    many.settle()
    assert heads(many, "1 hour") is None
    assert many.one("SELECT payload -> 'heads' -> 'count' FROM reason.audit_event WHERE id = %s", heads(many)) == 4
    many.settle()
    assert many("SELECT * FROM reason.verify_all() WHERE NOT ok") == []


REMOVE = """DELETE FROM reason.audit_seal WHERE division = 'north'; DELETE FROM reason.audit_signature WHERE division = 'north';
    DELETE FROM reason.audit_event WHERE division = 'north'"""


def log_of_system(db):
    return db.row("SELECT ok, detail FROM reason.verify_all() WHERE what = 'log of division \"system\"'")


def test_a_division_that_vanishes_shows(many):
    heads(many)
    many.settle()
    with many.tampering():
        many(REMOVE)
        ok, detail = log_of_system(many)
        assert not ok and "1 of the 3 logs" in detail and "north" not in detail
        with pytest.raises(psycopg.errors.DataCorrupted, match='"north"'):
            write(many, 1)
            many.settle()
            heads(many)
    with many.tampering():
        many(REMOVE + "; DELETE FROM reason.log_head WHERE division = 'north'")
        ok, detail = log_of_system(many)
        assert not ok and "not what the last event log.heads counts" in detail
    with many.tampering():
        # All that could tell is removed as well: the next event counts fewer.
        many(REMOVE + "; DELETE FROM reason.log_head")
        write(many, 1)
        many.settle()
        heads(many)
        many.settle()
        ok, detail = log_of_system(many)
        assert not ok and "of 2 logs, and the one before it of 3" in detail


def test_one_damaged_chain_keeps_no_other_from_growing(many):
    for division in ("default", "north", "south"):
        write(many, 300, division)
    many.settle()
    with many.tampering():
        many("DELETE FROM reason.audit_seal WHERE division = 'north' AND seq = 7")
        warned = []
        many.connection.add_notice_handler(lambda notice: warned.append(notice.message_primary))
        many("SET LOCAL client_min_messages = warning")
        assert grow(many) == 512
        assert {row[0] for row in sign_checkpoints(many)} == {"default", "south", "system"}
        assert any('"north" does not grow' in said for said in warned) and any("no checkpoint of" in said for said in warned), warned
        with pytest.raises(psycopg.errors.DataCorrupted, match="seal of 7"):
            grow(many, "north")


# ---------------------------------------------------------------- rebuilding

def test_replay_gives_the_same_tree_and_names(many, make_database):
    copy = make_database("log_replayed")
    many("SELECT reason.set_log_prefix('log.example.org/reason')")
    write(many, 600)
    many.settle()
    heads(many)
    many.settle()
    grow(many)
    for event, in many("SELECT reason.audit_event_json(e) FROM reason.audit_events e ORDER BY division <> 'system', division, seq"):
        copy("SELECT reason.replay(%s::json)", event)
    grow(copy)
    subtrees = "SELECT division, level, index, hash FROM reason.audit_subtree ORDER BY 1, 2, 3"
    assert copy(subtrees) == many(subtrees) != []
    for division in ("default", "system", "north"):
        for call in ("tree_size", "tree_root", "current_origin"):
            assert copy.one(f"SELECT reason.{call}(%s)", division) == many.one(f"SELECT reason.{call}(%s)", division)
    assert copy("SELECT * FROM reason.verify_all() WHERE NOT ok") == []
    # It goes on with checkpoints, and with heads.
    write(copy, 1)
    copy.settle()
    assert {row[0] for row in sign_checkpoints(copy)} == {"default", "system", "north", "south"}
    assert heads(copy)
    copy.settle()
    assert copy("SELECT * FROM reason.verify_all() WHERE NOT ok") == []
