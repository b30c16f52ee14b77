"""The witnesses that a sidecar asks: good ones, and those that lie, forget, are slow or away."""

import contextlib
import os
import shutil
import signal
import threading
import time

import psycopg
import pytest

from attacked_log import has_stopped, replace_function
from attacks import superuser
from hostile import ANSWERS, Hostile
from log_reader import PublishedLog
from reason_witness import Witness as OurWitness
from tlog_reference import COSIGNATURE, NoteKey, Witness, checkpoint_text, parse_checkpoint, sha256, signatures
from wait import wait_for
from witnessed_log import WitnessedLog, vkey_of

ORIGIN = "localhost/reason/default"


@pytest.fixture
def logs(log_keys):
    """Verifier keys of the logs of two divisions."""
    return [vkey_of(log_keys[1], f"localhost/reason/{division}") for division in ("default", "system")]


@pytest.fixture
def witnesses(logs):
    """Makes witnesses by the reference, in front of which somebody hostile can stand."""
    with contextlib.ExitStack() as running:
        def make(number):
            witness = Witness(f"witness{number}.example", b"witness %d" % number, logs)
            witness.front = running.enter_context(contextlib.closing(Hostile(witness, lambda method, path, query: method)))
            return witness
        yield [make(number) for number in range(3)]


def with_witnesses(settings, witnesses, quorum=0, **more):
    sections = {f"witness w{number}": {"url": witness.front.url, "vkey": witness.key.vkey, "timeout_ms": 1000, **more}
                for number, witness in enumerate(witnesses)}
    return {**settings, "checkpoint": {**settings["checkpoint"], "quorum": quorum}, **sections}


class Newest:
    """The newest checkpoint of a division, as it is announced in the store."""

    def __init__(self, folder, division="default"):
        self.path = folder / "store" / "tlog" / division / "checkpoint"

    def note(self):
        return self.path.read_text() if self.path.exists() else ""

    def size(self):
        return parse_checkpoint(self.note())[1] if self.note() else 0

    def cosigners(self, witnesses):
        note = self.note()
        return [number for number, witness in enumerate(witnesses) if note and signatures(note, witness.key.vkey)]


def grow(database, sidecar, count=5, division="default"):
    """More events, signed, and a checkpoint over them that is recorded."""
    database.nodes(count, division)
    database.settled()
    sidecar.signal(signal.SIGUSR1)
    size = database.value("SELECT reason.tree_size(%s)", division)
    wait_for(lambda: (database.value("SELECT max(size) FROM reason.audit_checkpoint_signature WHERE division = %s", division) or 0) >= size, 20, "a checkpoint")
    return size


def cosigned(database, size, count):
    return database.value("SELECT count(*) FROM reason.audit_cosignature WHERE division = 'default' AND size >= %s", size) >= count


def test_what_is_announced_is_cosigned(database, sidecars, remembering, witnesses, tmp_path):
    """Each witness is asked about each checkpoint; the note in the store, and the one in SQL, hold all their cosignatures."""
    one = sidecars(with_witnesses(remembering, witnesses, quorum=3)).start()
    newest = Newest(tmp_path)
    for _ in range(3):
        size = grow(database, one, 300)
        wait_for(lambda: newest.size() >= size, 20, "the newest checkpoint")
        assert newest.cosigners(witnesses) == [0, 1, 2]
    note = database.value("SELECT note FROM reason.last_checkpoint('default')")
    assert all(len(signatures(note, witness.key.vkey)) == 1 for witness in witnesses)
    assert all(witness.state[ORIGIN] for witness in witnesses)
    assert one.metric("reason_sidecar_cosignatures_total") >= 9
    assert PublishedLog(tmp_path / "store", "default").tiles_are_whole()
    assert database.verified()


def test_the_quorum(database, sidecars, remembering, witnesses, tmp_path):
    """Two of three: one that is away holds nothing up, two do; when one comes back, it goes on."""
    one = sidecars(with_witnesses(remembering, witnesses, quorum=2)).start()
    newest = Newest(tmp_path)
    witnesses[0].front.spoil("reset")
    size = grow(database, one)
    wait_for(lambda: newest.size() >= size, 20, "the newest checkpoint")
    assert newest.cosigners(witnesses) == [1, 2]
    witnesses[1].front.spoil("reset")
    later = grow(database, one)
    wait_for(lambda: cosigned(database, later, 1), 20, "one cosignature")
    time.sleep(1)
    assert newest.size() < later
    # all the same it is published, for whoever looks under its size
    assert (newest.path.parent / "checkpoints" / str(later)).exists()
    witnesses[0].front.be_sane()
    wait_for(lambda: newest.size() >= later, 90, "the newest checkpoint")
    assert newest.cosigners(witnesses)[0] == 0


def test_a_policy(database, sidecars, remembering, witnesses, tmp_path):
    """A policy's file in place of a number: groups of groups, and what cannot be is refused at the start."""
    path = tmp_path / "policy"
    path.write_text("".join(f"witness {witness.key.name} {witness.key.vkey}\n" for witness in witnesses)
                    + "group pair any witness1.example witness2.example\ngroup both all witness0.example pair\nquorum both\n")
    settings = with_witnesses(remembering, witnesses)
    settings["checkpoint"]["policy_file"] = path
    witnesses[0].front.spoil("reset")
    witnesses[1].front.spoil("reset")
    one = sidecars(settings).start()
    newest = Newest(tmp_path)
    size = grow(database, one)
    wait_for(lambda: cosigned(database, size, 1), 20, "one cosignature")
    time.sleep(1)
    assert newest.size() == 0
    witnesses[0].front.be_sane()
    wait_for(lambda: newest.size() >= size, 60, "the newest checkpoint")
    assert set(newest.cosigners(witnesses)) >= {0, 2}
    for policy, said in (("quorum nobody\n", "line 1"), (f"witness x {NoteKey('x.example', b'x', COSIGNATURE).vkey}\nquorum x\n", "can never be met")):
        path.write_text(policy)
        refused = sidecars(settings)
        refused.start(ready=False)
        assert refused.process.wait(20) == 1 and said in refused.log(), refused.log()


@pytest.mark.parametrize("change, said", (
    ({"checkpoint": {"quorum": 4}}, "can never be met"),
    ({"witness w0": {"vkey": "nonsense"}}, 'witness "w0": its vkey cannot be used'),
    ({"witness w1": {"vkey": NoteKey("w1", b"w1").vkey}}, "type is not 4"),
    ({"witness w3": {"url": "http://127.0.0.1:9"}}, "needs a vkey"),
    ({"witness w3": {"url": "http://127.0.0.1:9", "vkey": NoteKey("other", b"witness 0", COSIGNATURE).vkey}}, "have the same key"),
    ({"witness w0": {"colour": "red"}}, 'unknown setting "colour" in section [witness w0]'),
))
def test_settings_that_cannot_be(sidecars, remembering, witnesses, change, said):
    settings = with_witnesses(remembering, witnesses)
    for section, keys in change.items():
        settings[section] = {**settings.get(section, {}), **keys}
    refused = sidecars(settings)
    refused.start(ready=False)
    assert refused.process.wait(20) == 1 and said in refused.log(), refused.log()


def test_whose_logs_a_witness_is_asked_about(database, sidecars, remembering, witnesses, tmp_path):
    """A witness may be told of division system alone, so that it learns no tenant's name; the other logs do not wait for it."""
    one = sidecars(with_witnesses(remembering, witnesses[:1], quorum=1, divisions="system")).start()
    size = grow(database, one)
    wait_for(lambda: Newest(tmp_path).size() >= size, 20, "the newest checkpoint")
    wait_for(lambda: witnesses[0].state, 20, "a question")
    assert list(witnesses[0].state) == ["localhost/reason/system"]


def test_without_a_quorum_nothing_waits(database, sidecars, remembering, witnesses, tmp_path):
    for witness in witnesses[1:]:
        witness.front.spoil("reset")
    one = sidecars(with_witnesses(remembering, witnesses)).start()
    size = grow(database, one)
    newest = Newest(tmp_path)
    wait_for(lambda: newest.size() >= size and newest.cosigners(witnesses) == [0], 20, "the newest checkpoint, cosigned by one")


def test_a_witness_that_forgot(database, sidecars, remembering, witnesses, tmp_path):
    """It says which size it has; the proof is sent again from there."""
    one = sidecars(with_witnesses(remembering, witnesses, quorum=3)).start()
    newest = Newest(tmp_path)
    size = grow(database, one)
    wait_for(lambda: newest.size() >= size, 20, "the newest checkpoint")
    witnesses[0].state.clear()
    witnesses[1].state[ORIGIN] = (3, database.value("SELECT reason.tree_root('default', 3)"))
    size = grow(database, one, 300)
    wait_for(lambda: newest.size() >= size, 20, "the newest checkpoint")
    assert newest.cosigners(witnesses) == [0, 1, 2]
    assert one.metric("reason_sidecar_log_stopped") == 0


def test_a_sidecar_that_forgot(database, sidecars, remembering, witnesses, tmp_path):
    """A new one asks as the database remembers, and by what the witness answers."""
    one = sidecars(with_witnesses(remembering, witnesses, quorum=3)).start()
    size = grow(database, one)
    newest = Newest(tmp_path)
    wait_for(lambda: newest.size() >= size, 20, "the newest checkpoint")
    one.stop()
    with database.connection.transaction():
        database.connection.execute("SET LOCAL session_replication_role = replica")
        database.connection.execute("DELETE FROM reason.audit_cosignature")
    two = sidecars(with_witnesses(remembering, witnesses, quorum=3)).start()
    size = grow(database, two)
    wait_for(lambda: newest.size() >= size, 20, "the newest checkpoint")


# Each costs two seconds: REASON_HOSTILE=long has all of them.
LONG = os.environ.get("REASON_HOSTILE") == "long"
SHORT_ANSWERS = ("html", "nothing", "a redirect", "too much", "drip", "lost", "endless", "truncated")


@pytest.mark.parametrize("answer", [name for name in ANSWERS if name not in ("no checksum", "wrong checksum", "compressed") and (LONG or name in SHORT_ANSWERS)])
def test_hostile_answers(database, sidecars, remembering, witnesses, tmp_path, answer):
    """Whatever one of three witnesses answers: the others go on, nothing false is recorded, nothing stops."""
    one = sidecars(with_witnesses(remembering, witnesses, quorum=2)).start()
    newest = Newest(tmp_path)
    witnesses[0].front.spoil(answer)
    size = grow(database, one)
    wait_for(lambda: newest.size() >= size, 30, "the newest checkpoint")
    wait_for(lambda: witnesses[0].front.count > 0, 20, "a question")
    assert one.metric("reason_sidecar_log_stopped") == 0
    database.nodes(5)
    database.settled()
    for witness, vkey in database.rows("SELECT witness, vkey FROM reason.audit_cosignature"):
        assert any(vkey == known.key.vkey and witness == known.key.name for known in witnesses)
    assert database.verified()
    started = time.monotonic()
    assert one.stop() == 0 and time.monotonic() - started < 12


class Liar:
    """A witness whose answers are made up."""

    def __init__(self, answer, key=None):
        self.key = key or NoteKey("liar.example", b"liar", COSIGNATURE)
        self.answer, self.asked = answer, 0

    def __call__(self, method, path, headers, body):
        if method != "POST":
            return 404, [], b""
        self.asked += 1
        status, kind, text = self.answer(self, parse_checkpoint(body.decode().partition("\n\n")[2]))
        return status, [("Content-Type", kind)], text.encode()


def line(text):
    return lambda liar, asked: (200, "text/plain", text(liar, *asked))


LIES = {
    "a cosignature of another text": line(lambda liar, origin, size, root, text, lines: liar.key.cosign(checkpoint_text(origin, size + 1, root))),
    "a signature of another key": line(lambda liar, origin, size, root, text, lines: NoteKey(liar.key.name, b"other", COSIGNATURE).cosign(text)),
    "another's name": line(lambda liar, origin, size, root, text, lines: NoteKey("other.example", b"liar", COSIGNATURE).cosign(text)),
    "a bare signature": line(lambda liar, origin, size, root, text, lines: liar.key.sign(text)),
    "our own signature": line(lambda liar, origin, size, root, text, lines: "".join(lines)),
    "no time": line(lambda liar, origin, size, root, text, lines: liar.key.cosign(text, 0)),
    "an altered bit": line(lambda liar, origin, size, root, text, lines: liar.key.line(b"\0" * 7 + b"\1" + liar.key.signer.sign(text.encode()))),
    "one good line and one forged": line(lambda liar, origin, size, root, text, lines: liar.key.cosign(text) + liar.key.line(b"\1" * 72)),
    "a text of its own": line(lambda liar, origin, size, root, text, lines: f"x\n\n{liar.key.cosign(text)}"),
    "a thousand lines": line(lambda liar, origin, size, root, text, lines: liar.key.cosign(text) * 1000),
    "a size and no type": lambda liar, asked: (409, "text/plain", "1\n"),
    "a size that is none": lambda liar, asked: (409, "text/x.tlog.size", "many\n"),
    "the size that was asked": lambda liar, asked: (409, "text/x.tlog.size", "0\n"),
    "another size each time": lambda liar, asked: (409, "text/x.tlog.size", f"{1 + liar.asked % 3}\n"),
    "a larger size": lambda liar, asked: (409, "text/x.tlog.size", f"{asked[1] + 1}\n"),
    "the largest size": lambda liar, asked: (409, "text/x.tlog.size", "9223372036854775807\n"),
    "another root of that size": lambda liar, asked: (409, "text/x.tlog.size", f"{asked[1]}\n"),
    "that it is inconsistent": lambda liar, asked: (422, "text/plain", "not consistent\n"),
    "that it does not know us": lambda liar, asked: (404, "text/plain", "unknown\n"),
    "that we are not who we are": lambda liar, asked: (403, "text/plain", "\x1b[31mnot you\r\n"),
    "that it has no time": lambda liar, asked: (429, "text/plain", "later\n"),
}


SHORT_LIES = ("a cosignature of another text", "another's name", "no time", "one good line and one forged", "a text of its own", "the size that was asked",
              "another size each time", "the largest size", "that it is inconsistent", "that we are not who we are")


@pytest.mark.parametrize("lie", [lie for lie in LIES if LONG or lie in SHORT_LIES])
def test_one_liar_of_three(database, sidecars, remembering, witnesses, tmp_path, lie):
    """With two of three as quorum nothing that one says stops the log, and nothing of it is recorded."""
    liar = Liar(LIES[lie])
    with contextlib.closing(Hostile(liar)) as front:
        liar.front = front
        one = sidecars(with_witnesses(remembering, [liar, *witnesses[:2]], quorum=2)).start()
        size = grow(database, one)
        newest = Newest(tmp_path)
        wait_for(lambda: newest.size() >= size and liar.asked > 0, 20, "the newest checkpoint")
        assert one.metric("reason_sidecar_log_stopped") == 0
        assert database.value("SELECT count(*) FROM reason.audit_cosignature WHERE witness = 'liar.example'") == 0
        later = grow(database, one)
        wait_for(lambda: newest.size() >= later, 20, "the newest checkpoint")
        assert "\x1b" not in one.log()


@pytest.mark.parametrize("lie", ("a larger size", "another root of that size", "that it is inconsistent"))
def test_contradicted_by_as_many_as_the_quorum_needs(database, sidecars, remembering, witnesses, tmp_path, lie):
    """Two of three contradict: with them the quorum is out of reach, so the log stops, whatever the third says."""
    liars = [Liar(LIES[lie], NoteKey(f"liar{number}.example", b"liar %d" % number, COSIGNATURE)) for number in range(2)]
    with contextlib.ExitStack() as fronts:
        for liar in liars:
            liar.front = fronts.enter_context(contextlib.closing(Hostile(liar)))
        # it may have stopped before anybody saw that it was ready
        one = sidecars(with_witnesses(remembering, [*liars, witnesses[0]], quorum=2)).start(ready=False)
        wait_for(lambda: has_stopped(one), 30, "a stop")
        wait_for(lambda: database.value("SELECT count(*) FROM reason.audit_event WHERE event_type = 'safemode.entered'") == 1, 20, "safe mode")
        signed = database.value("SELECT count(*) FROM reason.audit_signature")
        time.sleep(2)
        assert database.value("SELECT count(*) FROM reason.audit_signature") == signed
        assert one.metric('reason_sidecar_log_stops_total{reason="contradicted"}') == 1
        assert "is contradicted" in one.log()


def test_what_is_contradicted_stays_so(database, sidecars, remembering, witnesses, tmp_path):
    """The superuser keeps the database from entering safe mode, and what is to be signed waits just as the witnesses answer."""
    liars = [Liar(LIES["that it is inconsistent"], NoteKey(f"liar{number}.example", b"liar %d" % number, COSIGNATURE)) for number in range(2)]
    with contextlib.ExitStack() as fronts:
        for liar in liars:
            liar.front = fronts.enter_context(contextlib.closing(Hostile(liar)))
        replace_function(database, "unsigned_seals_with_events", "max integer DEFAULT 1000", "division text, seq bigint, hash bytea, payload text",
                         "SELECT * FROM reason.unsigned_seals_with_events_true($1), (SELECT pg_sleep(1.5) OFFSET 0) s (slept)".replace("SELECT *", "SELECT division, seq, hash, payload"))
        with superuser(database) as connection:
            connection.execute("CREATE OR REPLACE FUNCTION reason.report_log_fault(lease_token bigint, fault text, origin text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$ $$")
        one = sidecars(with_witnesses(remembering, [*liars, witnesses[0]], quorum=2)).start(ready=False)
        wait_for(lambda: (database.nodes(1), has_stopped(one))[1], 60, f"a stop: {one.log()[-2000:]}")
        for _ in range(8):
            database.nodes(1)
            time.sleep(0.5)
        # what was on its way is recorded
        count = database.value("SELECT count(*) FROM reason.audit_signature")
        for _ in range(10):
            database.nodes(1)
            assert has_stopped(one)
            time.sleep(0.5)
        assert database.value("SELECT count(*) FROM reason.audit_signature") == count
        assert "signing goes on" not in one.log()


def test_a_contradiction_ends_with_the_witnesses_of_its_own_log(database, sidecars, remembering, witnesses):
    """They contradict the logs of two divisions, and agree again about the one that stopped the sidecar, not about the other."""
    class Changing(Witness):
        contradicts = ("default", "system")

        def __call__(self, method, path, headers, body):
            if method == "POST" and any(f"localhost/reason/{name}\n".encode() in body for name in self.contradicts):
                return 422, [("Content-Type", "text/plain")], b"not consistent\n"
            return super().__call__(method, path, headers, body)

    changing = Changing("changing.example", b"changing", witnesses[0].logs.values())
    database.nodes(3)
    with contextlib.closing(Hostile(changing)) as front:
        changing.front = front
        one = sidecars(with_witnesses(remembering, [changing], quorum=1)).start(ready=False)
        wait_for(lambda: has_stopped(one), 30, "a stop")
        stopped = one.log().partition('the log of division "')[2].partition('"')[0]
        # the other is contradicted as well, which is told and kept
        time.sleep(3)
        changing.contradicts = tuple({"default", "system"} - {stopped})
        wait_for(lambda: not has_stopped(one), 90, f"the end of the stop of {stopped}: {one.log()[-2000:]}")


def test_the_database_does_not_choose_whom_a_witness_contradicts(database, sidecars, remembering, witnesses, tmp_path):
    """What it gives to be cosigned is of no log of ours, or not signed by us: nobody is asked of it, and the logs that there are go on."""
    class Contradicting(Witness):
        strangers = 0

        def __call__(self, method, path, headers, body):
            if method == "POST" and b"localhost/reason/default\n" not in body and b"localhost/reason/system\n" not in body:
                self.strangers += 1
                return 422, [("Content-Type", "text/plain")], b"not consistent\n"
            return super().__call__(method, path, headers, body)

    contradicting = Contradicting("contradicting.example", b"contradicting", witnesses[0].logs.values())
    rows = [("ghost", "localhost/reason/ghost", "replace(x.note, x.origin, $$localhost/reason/ghost$$)"), ("ghost", "evil.example/ghost", "replace(x.note, x.origin, $$evil.example/ghost$$)"),
            ("default", "evil.example/default", "x.note"), ("aaa", "localhost/reason/default", "x.note")]
    strangers = " ".join(f"UNION ALL SELECT '{division}', '{origin}', x.size, {note}, 0::bigint FROM reason.checkpoints_to_cosign_true($1, $2) x".replace("$$", "$x$") for division, origin, note in rows)
    replace_function(database, "checkpoints_to_cosign", "witness_vkey text, divisions text[] DEFAULT NULL", "division text, origin text, size bigint, note text, cosigned bigint",
                     f"SELECT * FROM (SELECT * FROM reason.checkpoints_to_cosign_true($1, $2) {strangers}) x ORDER BY x.division")
    with contextlib.closing(Hostile(contradicting)) as front:
        contradicting.front = front
        one = sidecars(with_witnesses(remembering, [contradicting], quorum=1)).start()
        newest = Newest(tmp_path)
        for _ in range(2):
            size = grow(database, one)
            wait_for(lambda: newest.size() >= size, 60, f"the newest checkpoint: {one.log()[-2000:]}")
        assert "what the database gives to be cosigned is no checkpoint of that log with our signature" in one.log()
        assert contradicting.strangers == 0 and not has_stopped(one)


def test_a_cosignature_that_the_database_refuses_keeps_no_other_waiting(database, sidecars, remembering, witnesses, tmp_path):
    """The checkpoint of one log has room for no more: those of the others are cosigned all the same."""
    with superuser(database) as connection:
        connection.execute("CREATE FUNCTION reason.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '55000'; END $$;"
                           "CREATE TRIGGER a_full BEFORE INSERT ON reason.audit_cosignature FOR EACH ROW WHEN (NEW.division = 'default') EXECUTE FUNCTION reason.full()")
    one = sidecars(with_witnesses(remembering, witnesses[:1], quorum=1)).start()
    database.nodes(3)
    database.nodes(3, "other")
    database.settled()
    wait_for(lambda: Newest(tmp_path, "system").size() > 0, 30, f"the checkpoint of system: {one.log()[-2000:]}")
    assert Newest(tmp_path).size() == 0


class Showing(Witness):
    """Shows the last checkpoint that it has cosigned."""

    shown = None

    def __call__(self, method, path, headers, body):
        if method == "GET":
            known = self.shown and path == "/" + sha256(ORIGIN.encode()).hex() + "/checkpoint"
            return (200, [("Content-Type", "text/plain")], self.shown.encode()) if known else (404, [], b"")
        answer = super().__call__(method, path, headers, body)
        if answer[0] == 200 and ORIGIN in body.decode():
            self.shown = body.decode().partition("\n\n")[2] + answer[2].decode()
        return answer


@pytest.mark.parametrize("database_says", ["less", "that it has the same"])
def test_a_witness_that_shows_what_we_signed(database, sidecars, remembering, witnesses, tmp_path, database_says):
    """An older state of the database in place of the present one, with nothing outside but one witness of three, which shows
    the checkpoint that it holds: our own signature on it is proof enough, whatever the quorum."""
    showing = Showing("showing.example", b"showing", witnesses[0].logs.values())
    with contextlib.closing(Hostile(showing, lambda method, path, query: method)) as front:
        showing.front = front
        settings = with_witnesses(remembering, [showing, *witnesses[:2]], quorum=1)
        one = sidecars(settings).start()
        grow(database, one)
        before = database.value("SELECT max(size) FROM reason.audit_cosignature WHERE division = 'default'") or 0
        size = grow(database, one, 40)
        wait_for(lambda: showing.state.get(ORIGIN, (0,))[0] == size, 20, "a cosignature")
        one.stop()
        forget(database, tmp_path, before or 3)
        if database_says != "less":
            root = showing.state[ORIGIN][1].hex()
            with superuser(database) as connection:
                connection.execute("ALTER FUNCTION reason.tree_root(text, bigint) RENAME TO tree_root_away")
                connection.execute(f"CREATE FUNCTION reason.tree_root(division text, size bigint DEFAULT NULL) RETURNS bytea LANGUAGE sql SECURITY DEFINER"
                                   f" AS $$ SELECT CASE WHEN $2 = {size} THEN '\\x{root}'::bytea ELSE reason.tree_root_away($1, $2) END $$")
            database.nodes(60)
        # it may have stopped before anybody saw that it was ready
        two = sidecars(settings).start(ready=False)
        wait_for(lambda: has_stopped(two), 40, "a stop")
        assert "signed with our key, that this log does not extend" in two.log(), two.log()[-3000:]


class Slow(Showing):
    """Shows it when it is let."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.was_asked, self.let = threading.Event(), threading.Event()
        self.let.set()

    def __call__(self, method, path, headers, body):
        if method == "GET":
            self.was_asked.set()
            self.let.wait(60)
        return super().__call__(method, path, headers, body)


def test_a_contradiction_that_comes_after_the_restore_was_accepted(database, sidecars, remembering, witnesses, tmp_path):
    """Of the log as it was named before: the witness was asked of it, and answers late."""
    logs = witnesses[0].logs.values()
    with contextlib.ExitStack() as fronts:
        pair = [Showing("showing.example", b"showing", logs), Slow("slow.example", b"slow", logs)]
        for witness in pair:
            witness.front = fronts.enter_context(contextlib.closing(Hostile(witness, lambda method, path, query: method)))
        slow = pair[1]
        settings = with_witnesses(remembering, pair, timeout_ms=60000)
        one = sidecars(settings).start()
        size = grow(database, one, 40)
        wait_for(lambda: all(witness.state.get(ORIGIN, (0,))[0] == size for witness in pair), 20, "cosignatures")
        one.stop()
        forget(database, tmp_path, 3)
        slow.was_asked.clear()
        slow.let.clear()
        two = sidecars(settings).start(ready=False)
        wait_for(lambda: has_stopped(two) and slow.was_asked.is_set() and database.value("SELECT reason.safe_mode_fault()") is not None, 40, "a stop")
        database.value("SELECT reason.leave_safe_mode('the disk is gone')")
        accepted = two.run("--accept-restore")
        assert accepted.returncode == 0, accepted.stdout + accepted.stderr
        wait_for(lambda: not has_stopped(two), 60, f"the end of the stop: {two.log()[-2000:]}")
        slow.let.set()
        wait_for(lambda: two.metric('reason_sidecar_failures_total{kind="witness_contradicts"}') >= 2, 20, f"a late answer: {two.log()[-2000:]}")
        for _ in range(20):
            assert not has_stopped(two), two.log()[-2000:]
            time.sleep(0.1)
        database.nodes(3)
        database.settled(30)


def test_a_row_from_before_another_sidecar_led(database, sidecars, remembering, witnesses, tmp_path):
    """The witness has cosigned more than was to be cosigned, and the database has it by now: no contradiction."""
    showing = Showing("showing.example", b"showing", witnesses[0].logs.values())
    with contextlib.closing(Hostile(showing, lambda method, path, query: method)) as front:
        showing.front = front
        one = sidecars(with_witnesses(remembering, [showing], quorum=1)).start()
        size = grow(database, one)
        wait_for(lambda: showing.state.get(ORIGIN, (0,))[0] == size, 20, "a cosignature")
        later = grow(database, one)
        wait_for(lambda: showing.state.get(ORIGIN, (0,))[0] == later, 20, "a cosignature")
        one.stop()
        with database.connect() as connection:
            connection.execute("ALTER FUNCTION reason.checkpoints_to_cosign(text, text[]) RENAME TO checkpoints_to_cosign_away")
            connection.execute("CREATE FUNCTION reason.checkpoints_to_cosign(witness_vkey text, divisions text[] DEFAULT NULL) RETURNS TABLE (division text, origin text,"
                               " size bigint, note text, cosigned bigint) LANGUAGE sql SECURITY DEFINER AS $$ SELECT division, origin, size, note, 0::bigint"
                               f" FROM reason.audit_checkpoint_signature WHERE division = 'default' AND size = {size} $$")
        two = sidecars(with_witnesses(remembering, [showing], quorum=1)).start(ready=False)
        wait_for(lambda: two.get("/ready")[0] == 200 or has_stopped(two), 20, "a start")
        for _ in range(50):
            assert not has_stopped(two), two.log()[-2000:]
            time.sleep(0.1)
        assert two.metric('reason_sidecar_failures_total{kind="witness_contradicts"}') == 0


def forget(database, folder, size):
    """The database of a backup, the store and the state lost: the chain has so many events, and no later checkpoint."""
    with database.connection.transaction():
        database.connection.execute("SET LOCAL session_replication_role = replica")
        for table in ("audit_checkpoint_signature", "audit_checkpoint", "audit_cosignature"):
            database.connection.execute(f"DELETE FROM reason.{table} WHERE division = 'default' AND size > %s", [size])
        database.connection.execute("DELETE FROM reason.audit_event e USING reason.audit_seal s WHERE s.event_no = e.no AND s.division = 'default' AND s.seq >= %s", [size])
        for table in ("audit_signature", "audit_seal"):
            database.connection.execute(f"DELETE FROM reason.{table} WHERE division = 'default' AND seq >= %s", [size])
        database.connection.execute("DELETE FROM reason.audit_subtree WHERE division = 'default'")
    shutil.rmtree(folder / "store")
    (folder / "store").mkdir()
    shutil.rmtree(folder / "state")
    (folder / "state").mkdir()


def test_two_organisations_witness_each_other(server, tmp_path):
    """Each runs a witness of the other's logs. Neither's checkpoint is announced without the other; and when one of them
    puts an older state in place of the present one, with nothing left outside of its own, the other's witness stops it."""
    logs = [WitnessedLog(server, tmp_path / name, f"{name}.example/reason", quorum=1) for name in ("one", "two")]
    witnesses = [OurWitness(tmp_path / f"{name}-witness", dict(enumerate(other.vkeys())), name=f"{name}.example/witness")
                 for name, other in zip(("one", "two"), reversed(logs))]
    try:
        for witness in witnesses:
            witness.start()
        for log, witness in zip(logs, reversed(witnesses)):
            log.start([witness])
        early = [log.grow(3) for log in logs]
        late = [log.grow(300) for log in logs]
        for log, witness in zip(logs, reversed(witnesses)):
            assert len(signatures(log.note(), witness.vkey)) == 1
            assert log.database.verified()
        one = logs[0]
        one.sidecar.stop()
        forget(one.database, one.folder, early[0])
        one.database.nodes(2)
        one.start([witnesses[1]], ready=False)
        wait_for(lambda: has_stopped(one.sidecar), 40, "a stop")
        assert f"holds a checkpoint of size {late[0]}" in one.sidecar.log(), one.sidecar.log()[-3000:]
        # the database is told a moment after the metric; from then on nothing is written, and what was is not signed
        wait_for(lambda: one.database.value("SELECT reason.safe_mode_fault()") is not None, 40, "safe mode")
        signed = one.database.value("SELECT count(*) FROM reason.audit_signature")
        with pytest.raises(psycopg.errors.CannotConnectNow):
            one.database.nodes(5)
        time.sleep(1)
        assert one.database.value("SELECT count(*) FROM reason.audit_signature") == signed and one.database.waiting() > 0
        # until both, who rule the database and the sidecar, accept what is lost: under another name, which the witness does not know
        one.database.value("SELECT reason.leave_safe_mode('the disk is gone')")
        accepted = one.sidecar.run("--accept-restore")
        assert accepted.returncode == 0, accepted.stdout + accepted.stderr
        wait_for(lambda: one.sidecar.metric("reason_sidecar_log_stopped") == 0, 60, "the end of the stop")
        one.database.settled(30)
        assert one.database.value("SELECT reason.current_origin('default')") == "one.example/reason/default;2"
        # the other goes on
        logs[1].grow(5)
    finally:
        for running in (*logs, *witnesses):
            running.stop()
