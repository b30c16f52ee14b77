"""A page that PostgreSQL cannot read halts the chains that need it, and no other; mended or given up, they go on.

Pages are broken in files of copies that no server has read yet, as a disk breaks them.
"""
import hashlib
import os
import pathlib
import re

import psycopg
import pytest

from sealing import Database, create_database, drop_database
from shared_server import conninfo

NAME = "broken_pages"
DIVISIONS = ("east", "north", "south")
PAGE = 8192
INVALID = "invalid page in block"


def add(db, division, count):
    for _ in range(count):
        db("SELECT reason.add_node('score', '1', 'ada', division => %s)", division)


def blocks(db, table, wanted="true"):
    """Which divisions have rows on each page, and the least and largest number there."""
    no = {"node": "no", "audit_event": "no", "audit_seal": "event_no"}[table]
    return {int(block): (divisions, least, largest) for block, divisions, least, largest in db(
        f"""SELECT (ctid::text::point)[0], array_agg(DISTINCT division ORDER BY division), min({no}), max({no})
            FROM reason.{table} WHERE {wanted} GROUP BY 1 ORDER BY 1""")}


class Copy(Database):
    """A copy of a database, whose pages can be broken and mended while no buffer has them."""

    def __init__(self, source, name, pages, damage=lambda page: page[:12] + b"\xff" * 4 + page[16:]):
        places = {(relation, block): source.one(f"SELECT pg_relation_filenode('reason.{relation}')") for relation, block in pages}
        directory = pathlib.Path(source.one("SHOW data_directory"))
        if not os.access(directory, os.W_OK):
            pytest.skip("the server's files belong to somebody else")
        source.close()
        with psycopg.connect(conninfo(), autocommit=True) as server:
            server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            server.execute(f"CREATE DATABASE {name} TEMPLATE {source.name} STRATEGY FILE_COPY")
            base, = server.execute("SELECT oid FROM pg_database WHERE datname = %s", [name]).fetchone()
        source.connection = psycopg.connect(source.dsn, autocommit=True)
        self.whole = {}
        for (_, block), node in places.items():
            self.replace(directory / f"base/{base}/{node}", block, damage)
        super().__init__(name)
        self.warnings = []
        self.connection.add_notice_handler(lambda notice: self.warnings.append(notice.message_primary))

    def replace(self, file, block, change):
        with open(file, "r+b") as pages:
            pages.seek(block * PAGE)
            page = pages.read(PAGE)
            pages.seek(block * PAGE)
            pages.write(change(page))
        self.whole[file, block] = page

    def mend(self):
        for (file, block), page in list(self.whole.items()):
            self.replace(file, block, lambda _, whole=page: whole)
        self.look()

    def look(self):
        """The time has come to look again."""
        self("UPDATE reason.halted_chain SET look_at = clock_timestamp()")

    def halted(self):
        return {division: rest for division, *rest in self("SELECT division, event_no, event_id, fault, look_at FROM reason.halted_chain")}

    def sealed(self):
        return dict(self("SELECT division, count(*) FROM reason.audit_seal WHERE division <> 'system' GROUP BY 1"))

    def assert_whole(self):
        self.settle()
        assert self.halted() == {}
        assert [(what, detail) for what, ok, detail in self("SELECT * FROM reason.verify_all()") if not ok] == []


@pytest.fixture(scope="module")
def source():
    """Each division has pages of its own, of sealed and signed events, and of such as wait for their place."""
    db = create_database(NAME)
    db("SET reason.keep_event_text = on")
    db("SELECT reason.add_signer(%s, %s)", db.signer.name, db.signer.public.raw.hex())
    for division in DIVISIONS:
        add(db, division, 130)
        db.settle()
    for division in DIVISIONS:
        add(db, division, 60)
    yield db
    drop_database(db)


@pytest.fixture
def copied(source):
    """copied(source, pages…): a copy of it in which these pages are broken"""
    made = []

    def copy(of, *pages, **how):
        made.append(Copy(of, f"{NAME}_{len(made)}", pages, **how))
        return made[-1]
    yield copy
    for db in reversed(made):
        drop_database(db)


WAITING = "no > (SELECT max(event_no) FROM reason.audit_seal)"


def waiting_page(source, divisions):
    return next((block, least) for block, (there, least, _) in blocks(source, "audit_event", WAITING).items() if there == divisions)


def test_events_on_a_broken_page_halt_their_division_alone(source, copied):
    block, first = waiting_page(source, ["north"])
    db = copied(source, ("audit_event", block))
    db.settle()
    (no, event, fault, look_at), = db.halted().values()
    assert list(db.halted()) == ["north"] and (no, event) == (first, None) and INVALID in fault and look_at is not None
    assert [w for w in db.warnings if "halts" in w] == [f'the chain of division "north" halts at event number {first}: {fault}']
    before = db.one("SELECT count(*) FROM reason.node WHERE division = 'north' AND no < %s", first)
    assert db.sealed() == {"east": 190, "south": 190, "north": before}
    assert db.verify("east", 0, 189)["ok"] and db.verify("south", 0, 189)["ok"]
    # Whether rows without an event stand on the page nobody can tell.
    with pytest.raises(psycopg.errors.DataCorrupted):
        db.verify("east")
    # It is named wherever somebody looks, and nobody else waits for it.
    told = db.one("SELECT fault FROM reason.chain_end('north', %s)", before - 1)
    assert str(first) in told and INVALID in told
    assert db("SELECT division, item, reason, retry FROM reason.parked") == [("north", f"number {first}", fault, None)]
    assert db.one("SELECT halted_chains FROM reason.readiness()") == 1
    assert db.one("SELECT extract(epoch FROM reason.audit_lag())") == 0
    assert db.one("SELECT sum(depth) FROM reason.sidecar_status() WHERE duty = 'seal'") == 0
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=INVALID):
        db("SELECT reason.mend_chain('north', 'a bad disk')")
    # The others go on, and writers of this one.
    for division in DIVISIONS:
        add(db, division, 2)
    db.settle()
    assert db.sealed() == {"east": 192, "south": 192, "north": before}
    db.mend()
    db.assert_whole()
    assert db.sealed() == {"east": 192, "south": 192, "north": 192}


def test_a_record_on_a_broken_page_halts_its_division_alone(source, copied):
    """The events of these are made from their rows."""
    db = copied(source)
    db.settle()
    db("SET reason.keep_event_text = off")
    first = db.one("SELECT max(no) + 1 FROM reason.audit_event")
    for division in DIVISIONS:
        add(db, division, 60)
    block, (_, least, largest) = next((b, found) for b, found in blocks(db, "node", f"no >= {first}").items() if found[0] == ["north"])
    assert blocks(db, "node", f"(ctid::text::point)[0] = {block}")[block] == (["north"], least, largest)
    broken = copied(db, ("node", block))
    broken.settle()
    (no, event, fault, look_at), = broken.halted().values()
    assert list(broken.halted()) == ["north"] and (no, look_at is None) == (least, False) and event is not None
    assert "its record cannot be read" in fault and INVALID in fault
    assert broken.sealed() == {"east": 250, "south": 250, "north": 190 + broken.one("SELECT count(*) FROM reason.audit_event WHERE division = 'north' AND no BETWEEN %s AND %s - 1", first, least)}
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=INVALID):
        broken("SELECT reason.mend_chain('north', 'a bad disk')")
    broken.look()
    broken.settle()
    assert list(broken.halted()) == ["north"]
    broken.mend()
    broken.assert_whole()
    assert broken.sealed() == {"east": 250, "south": 250, "north": 250}


def test_a_page_that_stays_broken_is_looked_at_now_and_then(source, copied):
    block, _ = waiting_page(source, ["north"])
    db = copied(source, ("audit_event", block))
    db.settle()
    (_, _, _, first), = db.halted().values()
    for _ in range(5):
        add(db, "south", 1)
        assert db.seal() == 1
    (_, _, _, again), = db.halted().values()
    assert again == first
    db.look()
    db.seal()
    (_, _, _, again), = db.halted().values()
    assert again > first
    assert len([w for w in db.warnings if "halts" in w]) == 1, "told once"


def test_a_page_of_several_divisions_halts_these(source, copied):
    block, _ = waiting_page(source, ["north", "south"])
    db = copied(source, ("audit_event", block))
    db.settle()
    assert set(db.halted()) == {"north", "south"}
    assert db.sealed()["east"] == 190 and db.sealed()["north"] < 190 and db.sealed()["south"] == 130
    db.mend()
    db.assert_whole()


def test_a_row_whose_transaction_nobody_knows_halts_its_division(source, copied):
    no = source.one("SELECT min(no) + 7 FROM reason.audit_event WHERE division = 'south' AND " + WAITING)
    block, line = (int(n) for n in source.one("SELECT ctid::text::point FROM reason.audit_event WHERE no = %s", no).strip("()").split(","))

    def unknown_transaction(page):
        item = int.from_bytes(page[24 + 4 * (line - 1):28 + 4 * (line - 1)], "little") & 0x7fff
        hints = int.from_bytes(page[item + 20:item + 22], "little") & ~0x0f00
        return page[:item] + (0xf0000000).to_bytes(4, "little") + page[item + 4:item + 20] + hints.to_bytes(2, "little") + page[item + 22:]
    db = copied(source, ("audit_event", block), damage=unknown_transaction)
    db.settle()
    (found, event, fault, _), = db.halted().values()
    assert list(db.halted()) == ["south"] and (found, event) == (no, None) and "could not access status of transaction" in fault
    assert db.sealed() == {"east": 190, "north": 190, "south": 137}


def test_a_broken_end_of_a_chain_halts_it_alone(source, copied):
    head = source.one("SELECT (ctid::text::point)[0]::int FROM reason.audit_seal WHERE division = 'north' ORDER BY seq DESC LIMIT 1")
    db = copied(source, ("audit_seal", head))
    first = db.one("SELECT min(no) FROM reason.audit_event WHERE division = 'north' AND no > 300")
    db.seal()
    halted = db.halted()
    assert list(halted) == ["north"] and halted["north"][0] == first and halted["north"][1] is not None
    assert INVALID in halted["north"][2]
    db.look()
    db.seal()
    assert list(db.halted()) == ["north"]
    db.mend()
    db.assert_whole()
    assert db.sealed() == {"east": 190, "south": 190, "north": 190}


def test_broken_seals_are_not_taken_for_missing_ones(source, copied):
    block = next(block for block, (there, *_) in blocks(source, "audit_seal").items() if there == ["north"])
    db = copied(source, ("audit_seal", block))
    # The sealer looks at everything once more.
    db("DELETE FROM reason.sealer_state")
    db.seal()
    assert list(db.halted()) == ["north"] and "its seal cannot be read" in db.halted()["north"][2]
    # Once autovacuum has looked at the table, a plan may read all of it.
    db("SET enable_seqscan = off")
    assert db.one("SELECT count(*) FROM reason.audit_seal WHERE division = 'east'") == 190
    db.mend()
    db.assert_whole()
    assert db.sealed() == {"east": 190, "south": 190, "north": 190}


def test_seals_that_cannot_be_read_are_not_signed_and_the_others_are(source, copied):
    sealed = copied(source)
    sealed.seal()
    unsigned = "NOT EXISTS (SELECT FROM reason.audit_signature g WHERE g.division = audit_seal.division AND g.seq = audit_seal.seq)"
    block = next(block for block, (there, *_) in blocks(sealed, "audit_seal", unsigned).items() if there == ["south"])
    db = copied(sealed, ("audit_seal", block))
    db.sign()
    signed = dict(db("SELECT division, count(*) FROM reason.audit_signature WHERE division <> 'system' GROUP BY 1"))
    assert signed["east"] == signed["north"] == 190 and signed["south"] < 190
    assert any('"south" is signed' in w and INVALID in w for w in db.warnings)
    db.mend()
    db.assert_whole()


def test_events_that_cannot_be_read_leave_the_others_to_be_signed(source, copied):
    """For who looks at what he signs."""
    sealed = copied(source)
    sealed.seal()
    unsigned = ("EXISTS (SELECT FROM reason.audit_seal s WHERE (s.division, s.event_no) = (audit_event.division, audit_event.no)"
                " AND NOT EXISTS (SELECT FROM reason.audit_signature g WHERE (g.division, g.seq) = (s.division, s.seq)))")
    block = next(block for block, (there, *_) in blocks(sealed, "audit_event", unsigned).items() if there == ["east"])
    db = copied(sealed, ("audit_event", block))
    # The first chain, which alone would fill it.
    for most, others in ((1000, {"north": 60, "south": 60}), (60, {"north": 60})):
        rows = [row for row in db("SELECT * FROM reason.unsigned_seals_with_events(%s)", most) if row[0] != "system"]
        assert {division: sum(row[0] == division for row in rows) for division, *_ in rows} == others
        assert all(hashlib.sha256(payload.encode() + prev).digest() == hashed for (*_, hashed, payload), prev in (
            (row, db.one("SELECT hash FROM reason.audit_seal WHERE (division, seq) = (%s, %s - 1)", *row[:2])) for row in rows))
    assert any('"east" is signed' in w and INVALID in w for w in db.warnings)
    db.mend()
    assert len([row for row in db("SELECT * FROM reason.unsigned_seals_with_events(1000)") if row[0] == "east"]) == 60
    db.assert_whole()


def test_a_page_that_is_given_up_lets_its_chain_go_on(source, copied):
    block, first = waiting_page(source, ["north"])
    db = copied(source, ("audit_event", block))
    db.settle()
    assert list(db.halted()) == ["north"]
    db("SET zero_damaged_pages = on")
    db("VACUUM FULL reason.audit_event")
    db("RESET zero_damaged_pages")
    db.look()
    db.settle()
    assert db.halted() == {}
    lost = 190 - db.sealed()["north"]
    assert lost > 5
    node = db.one("SELECT id FROM reason.node WHERE no = %s", first)
    assert db.verify("north")["detail"] == f'node "{node}": no event records it'
    assert db.verify("east")["ok"] and db.verify("south")["ok"]


@pytest.mark.parametrize("table, stops", [("audit_event", ["audit_event_id_key", "audit_event_pkey"]), ("audit_seal", ["audit_seal_event_key", "audit_seal_pkey"]),
                                          ("audit_signature", ["audit_signature_pkey"]), ("node", ["node_division_idx", "node_id_key", "node_pkey"])])
def test_what_the_runbook_says_mends_an_index(source, copied, table, stops):
    """An index tells nothing of divisions, so its page may halt all. Nothing is lost by that, and nothing gets a wrong place."""
    stopped = []
    for index, pages in source("""SELECT i.indexrelid::regclass::text, pg_relation_size(i.indexrelid) / 8192 FROM pg_index i
                                  WHERE i.indrelid = %s::regclass ORDER BY 1""", f"reason.{table}"):
        name = index.removeprefix("reason.")
        db = copied(source, *((name, block) for block in range(1, pages)))
        before = db.sealed()
        add_refused = sealing_refused = None
        try:
            add(db, "south", 1)
        except psycopg.errors.DataCorrupted as refused:
            add_refused = str(refused)
        try:
            db.settle()
        except psycopg.errors.DataCorrupted as refused:
            sealing_refused = str(refused)
        if sealing_refused:
            assert db.sealed() == before, index
        # Signing goes on to the next division, and tells of each.
        stopped += [name] if sealing_refused or add_refused or any("is signed" in w and INVALID in w for w in db.warnings) else []
        for refused in filter(None, (add_refused, sealing_refused)):
            place = re.search(r"invalid page in block \d+ of relation base/\d+/(\d+)", refused)
            assert db.one("SELECT pg_filenode_relation(0, %s)::regclass::text", place.group(1)) == index
        db(f"REINDEX INDEX {index}")
        db.look()
        db.assert_whole()
        added = {"south": 191 if add_refused is None else 190}
        assert db.sealed() == {"east": 190, "north": 190, **added}, index
    assert stopped == stops
