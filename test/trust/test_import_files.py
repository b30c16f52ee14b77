"""reason-import writes what files hold, all of it and once, whatever ends it; and says of what is wrong where it is."""
import csv
import ctypes
import hashlib
import itertools
import json
import os
import random
import re
import resource
import signal
import subprocess
import time
import uuid

import psycopg
import pytest

from paths import IMPORT, ROOT
from wait import wait_for

NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
ALL, SOME_REJECTED, BROKEN_OFF = 0, 1, 2


@pytest.fixture
def db(make_database, request, tmp_path):
    made = make_database("import_" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12])
    made("DO $$ BEGIN CREATE ROLE importer LOGIN IN ROLE reason_writer; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    made.folder = tmp_path
    return made


def start(db, *options, **popen):
    return subprocess.Popen([IMPORT, "--quiet", "-d", db.dsn.replace("user=postgres", "user=importer"), *map(str, options)], cwd=db.folder, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **popen)


def run(db, *options, status=ALL, given=None):
    """What it says on both streams."""
    process = start(db, *options, stdin=subprocess.PIPE)
    out, errors = process.communicate(given, timeout=120)
    assert process.returncode == status, out + errors
    return out + errors


def file(db, name, text):
    path = db.folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


def nodes(db):
    """Each node by its payload's n."""
    rows = db("SELECT payload, id::text, type, author, occurred_at, metadata FROM reason.node")
    return {row[0]["n"]: row for row in rows}


def counts(db):
    return db.row("SELECT (SELECT count(*) FROM reason.node), (SELECT count(*) FROM reason.edge),"
                  " (SELECT count(*) FROM reason.audit_event WHERE event_type IN ('node.created', 'edge.created'))")


# ---------------------------------------------------------------- formats


def test_csv_and_ndjson_and_parquet_say_the_same(db, make_database):
    """The same table in three formats gives the same records."""
    keys = [f"k-{n}" for n in range(300)]
    node_rows = [dict(id=key, type="observation", author="ada", ts=f"2026-01-02T03:04:{n % 60:02d}.5Z", amount=n / 8, good=n % 3 == 0, text=f'a "quoted"\n{n}, ü',
                      tags=["x", f"t{n % 7}"], confidence=n / 300) for n, key in enumerate(keys)]
    edge_rows = [dict(source=a, target=b, type="causal", weight=0.25) for a, b in zip(keys, keys[1:])]
    made = {}

    def imported(name, *options):
        one = make_database(f"import_same_{name}")
        one.folder = db.folder
        run(one, "-N", NAMESPACE, "--batch", "7", *options)
        made[name] = (one("SELECT id, type, author, occurred_at, payload, metadata FROM reason.node ORDER BY id"),
                      one("SELECT from_id, to_id, type, weight FROM reason.edge JOIN (SELECT no AS f, id AS from_id FROM reason.node) f ON f = from_no"
                          " JOIN (SELECT no AS t, id AS to_id FROM reason.node) t ON t = to_no ORDER BY 1, 2"))

    ndjson = [{"id": r["id"], "type": r["type"], "author": r["author"], "ts": r["ts"], "payload": {"amount": r["amount"], "good": r["good"], "text": r["text"]},
               "metadata": {"tags": r["tags"], "confidence": r["confidence"]}} for r in node_rows]
    imported("ndjson", "-n", file(db, "n.ndjson", lines(*ndjson)), "-e",
             file(db, "e.ndjson", lines(*({"from": r["source"], "to": r["target"], "type": r["type"], "weight": r["weight"]} for r in edge_rows))))

    names = ("-r", "amount=payload.amount:number", "-r", "good=payload.good:boolean", "-r", "text=payload.text", "-r", "source=from", "-r", "target=to")
    for name, rows in (("n.csv", node_rows), ("e.csv", edge_rows)):
        with open(db.folder / name, "w", newline="", encoding="utf-8-sig") as out:
            writer = csv.DictWriter(out, rows[0])
            writer.writeheader()
            writer.writerows({k: ";".join(v) if isinstance(v, list) else str(v).lower() if isinstance(v, bool) else v for k, v in r.items()} for r in rows)
    imported("csv", "-n", "n.csv", "-e", "e.csv", *names)
    assert made["csv"] == made["ndjson"] and len(made["csv"][0]) == 300 and len(made["csv"][1]) == 299

    library = duckdb()
    for name, table in (("n", "SELECT id, type, author, make_timestamp(epoch_us(ts::TIMESTAMPTZ)) AS ts, amount, good, text, tags, confidence"), ("e", "SELECT *")):
        DuckDB(library).run(f"COPY ({table} FROM read_json('{db.folder}/{name}.rows')) TO '{db.folder}/{name}.parquet'",
                            before=lambda path=db.folder / f"{name}.rows", rows=node_rows if name == "n" else edge_rows: path.write_text(lines(*rows)))
    imported("parquet", "--duckdb", library, "-n", "n.parquet", "-e", "e.parquet", "-r", "amount=payload.amount", "-r", "good=payload.good", *names[4:])
    assert made["parquet"] == made["ndjson"]


def duckdb():
    made = subprocess.run([ROOT / "test/stack/duckdb.sh", ROOT / ".build/duckdb"], capture_output=True, text=True, check=False, timeout=300)
    if made.returncode == 3:
        pytest.skip("DuckDB's library cannot be had")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


class DuckDB:
    """DuckDB itself, as a maker of Parquet files."""

    def __init__(self, library):
        self.api = ctypes.CDLL(library)
        self.api.duckdb_result_error.restype = ctypes.c_char_p

    def run(self, query, before=None):
        if before:
            before()
        database, connection, result = ctypes.c_void_p(), ctypes.c_void_p(), (ctypes.c_uint64 * 6)()
        assert self.api.duckdb_open(None, ctypes.byref(database)) == 0 and self.api.duckdb_connect(database, ctypes.byref(connection)) == 0
        assert self.api.duckdb_query(connection, query.encode(), ctypes.byref(result)) == 0, self.api.duckdb_result_error(ctypes.byref(result))
        self.api.duckdb_destroy_result(ctypes.byref(result))
        self.api.duckdb_disconnect(ctypes.byref(connection))
        self.api.duckdb_close(ctypes.byref(database))


def test_every_type_of_parquet_becomes_what_json_has_for_it(db):
    library = duckdb()
    DuckDB(library).run(f"""COPY (SELECT 1 AS n, 'observation' AS type, 'ada' AS author, 12345678901234567890123456789::DECIMAL(38, 0) AS huge, 1.5::DECIMAL(9, 3) AS price,
        TIMESTAMP '2026-01-02 03:04:05.123456' AS "at", TIMESTAMPTZ '2026-01-02 03:04:05+02' AS zoned, TIMESTAMP_NS '2026-01-02 03:04:05.123456789' AS fine,
        DATE '2026-01-02' AS day, [1, 2] AS list, {{'a': 'x', 'b': [true]}} AS struct, uuid '6ba7b811-9dad-11d1-80b4-00c04fd430c8' AS "uuid", NULL::VARCHAR AS nothing,
        0.1::FLOAT AS single, 2.5e-300::DOUBLE AS big, 'long text that is not inlined' AS "a ""quoted"" name") TO '{db.folder}/all.parquet'""")
    options = [word for name in ("n", "price", "at", "zoned", "fine", "day", "list", "struct", "uuid", "nothing", "single", "big", 'a "quoted" name')
               for word in ("-r", f"{name}=payload.{name}")]
    run(db, "--duckdb", library, "-n", "all.parquet", *options, "-r", "huge=payload.huge:string")
    payload, = db.row("SELECT payload FROM reason.node")
    assert payload == {"n": 1, "huge": "12345678901234567890123456789", "price": 1.5, "at": "2026-01-02T03:04:05.123456Z", "zoned": "2026-01-02T01:04:05.000000Z",
                       "fine": "2026-01-02T03:04:05.123456Z", "day": "2026-01-02", "list": [1, 2], "struct": {"a": "x", "b": [True]}, "uuid": str(NAMESPACE),
                       "single": 0.1, "big": 2.5e-300, 'a "quoted" name': "long text that is not inlined"}


def test_cells_of_csv_are_what_rfc_4180_says(db):
    rows = 'type,author,payload.n:number,payload.text,payload.empty,payload.absent\r\nobservation,ada,1,"two ""lines""\r\nof, text","",\r\nobservation,ada,2,plain, ,\n'
    run(db, "-n", file(db, "n.csv", rows))
    found = nodes(db)
    assert found[1][0] == {"n": 1, "text": 'two "lines"\r\nof, text', "empty": ""} and found[2][0] == {"n": 2, "text": "plain", "empty": " "}


def test_a_key_is_a_uuid_of_version_5_and_ids_that_are_uuids_stay(db):
    own = str(uuid.uuid4()).upper()
    run(db, "-N", NAMESPACE, "-n", file(db, "n.ndjson", lines({"id": "user/17 ü", "type": "observation", "author": "a", "payload": {"n": 1}},
                                                              {"id": 17, "type": "observation", "author": "a", "payload": {"n": 2}},
                                                              {"id": own, "type": "observation", "author": "a", "payload": {"n": 3}})),
        "-e", file(db, "e.ndjson", lines({"from": "user/17 ü", "to": own, "type": "causal"}, {"from": 17, "to": "user/17 ü", "type": "causal"})))
    found = nodes(db)
    assert [found[n][1] for n in (1, 2, 3)] == [str(uuid.uuid5(NAMESPACE, "user/17 ü")), str(uuid.uuid5(NAMESPACE, "17")), own.lower()]
    assert counts(db) == (3, 2, 5)


def test_ids_that_are_made_are_of_version_7_and_in_the_order_of_the_file(db):
    run(db, "-j", "1", "-b", "100", "-n", file(db, "n.ndjson", lines(*({"type": "observation", "author": "a", "payload": {"n": n}} for n in range(5000)))))
    ids = [row[1] for _, row in sorted(nodes(db).items())]
    assert len(set(ids)) == 5000 and ids == sorted(ids) and {uuid.UUID(i).version for i in ids} == {7} and {uuid.UUID(i).variant for i in ids} == {uuid.RFC_4122}


def test_constants_stand_in_for_what_a_record_lacks(db):
    run(db, "-c", "author=billing", "-c", "nodes.type=observation", "-c", "edges.type=supports", "-N", NAMESPACE,
        "-n", file(db, "n.ndjson", lines({"id": "a", "payload": {"n": 1}}, {"id": "b", "type": "decision", "author": "ada", "payload": {"n": 2}})),
        "-e", file(db, "e.ndjson", lines({"from": "a", "to": "b"})))
    found = nodes(db)
    assert found[1][2:4] == ("observation", "billing") and found[2][2:4] == ("decision", "ada")
    assert db.one("SELECT type FROM reason.edge") == "supports"


def test_standard_input_is_read_once(db):
    said = run(db, "-F", "ndjson", "-n", "-", given=lines({"type": "observation", "author": "a", "payload": {"n": 1}}))
    assert "1 nodes and 0 edges written" in said and counts(db) == (1, 0, 1) and list(db.folder.iterdir()) == []


# ---------------------------------------------------------------- what is wrong


GOOD = {"type": "observation", "author": "ada", "payload": {"n": 1}}


@pytest.mark.parametrize("name, text, said", [
    ("a.ndjson", lines(GOOD) + '{"type": 1\n', "a.ndjson, line 2: at byte"),
    ("a.ndjson", lines(GOOD) + "[]\n", "a.ndjson, line 2: it is no JSON object"),
    ("a.ndjson", lines(GOOD) + '{"type": "observation", "type": "score"}\n', "line 2: at byte"),
    ("a.ndjson", lines(GOOD) + "\n\n" + lines({**GOOD, "author": ""}), "a.ndjson, line 4: "),
    ("a.ndjson", lines(GOOD, {**GOOD, "unknown": 1}), "a.ndjson, line 2: "),
    ("a.ndjson", lines(GOOD, {**GOOD, "id": "key"}), "line 2: id is key, which is no UUID: --namespace UUID makes UUIDs of keys"),
    ("a.ndjson", lines(GOOD).encode() + b'{"type": "observation", "author": "\xff"}\n', "line 2: at byte"),
    ("a.ndjson", b'{"a": "' + b"x" * (17 << 20), "line 1: a line has more than 16 MiB"),
    ("a.csv", "type,author,colour\nobservation,ada,red\n", 'column "colour" is nothing that nodes have; --rename \'colour=payload.colour\''),
    ("a.csv", "type,type\n", 'there are two columns "type"'),
    ("a.csv", "type,payload,payload.n\n", 'there are a column "payload" and columns for its members'),
    ("a.csv", "", "a.csv: it is empty"),
    ("a.csv", "type,author,payload\nobservation,ada,1\nobservation,ada\n", "a.csv, line 3: there are 2 cells, and 3 columns"),
    ("a.csv", 'type,author,payload\nobservation,ada,1\nobservation,ada,"{""a"": 1},""author"": 2"\n', 'line 3: column "payload": '),
    ("a.csv", "type,author,payload.n:number\nobservation,ada,seven\n", 'line 2: column "payload.n:number": '),
    ("a.csv", "type,author,payload.n:boolean\nobservation,ada,maybe\n", 'line 2: column "payload.n:boolean": it is neither true nor false'),
    ("a.csv", 'type,author,payload\nobservation,"ada\n', "the file ends within quotes"),
    ("a.csv", 'type,author,payload\nobservation,"ada"x,1\n', "line 2: something follows a closing quote"),
    ("a.txt", "x", "nothing says what format it has"),
    ("a.parquet", "no parquet", "Parquet"),
], ids=itertools.count())
def test_what_is_wrong_is_said_with_its_place_and_nothing_after_it_is_written(db, name, text, said):
    file(db, name, text)
    assert said in run(db, "-b", "1", "-j", "1", "-n", name, status=BROKEN_OFF)
    assert counts(db)[0] <= 2


@pytest.mark.parametrize("options, said", [
    ((), "give --nodes or --edges"), (("-n", "absent.csv"), "absent.csv: cannot be read"), (("-n", "x.csv", "x"), "Files are given with --nodes and --edges"),
    (("-n", "-", "-e", "-"), "standard input is given twice"), (("-n", "-", "-u", "https://h"), "not both"), (("-n", "-", "--cert", "x"), "go with --url"),
    (("-n", "-", "-b", "0"), "--batch takes a number"), (("-n", "-", "-N", "x"), "--namespace takes a UUID"), (("-n", "-", "-c", "payload=1"), "no such member that is a text"),
    (("-n", "-", "-r", "x"), "--rename takes COLUMN=MEMBER"), (("-n", "-", "-F", "xls"), "--format takes"), (("-n", "-", "--delimiter", '"'), "--delimiter takes"),
    (("-n", ".", "-F", "csv"), "Is a directory"),
])
def test_options_that_make_no_sense_are_refused(db, options, said):
    assert said in run(db, *options, status=BROKEN_OFF, given="")


def test_rejects_go_to_a_file_with_their_reason_and_all_others_are_written(db):
    records = [{"id": f"k{n}", "type": "observation", "author": "ada", "payload": {"n": n}} for n in range(100)]
    records[10]["author"] = ""
    records[11] = [1]
    records[50]["id"] = records[49]["id"]
    records[99]["type"] = "nothing"
    said = run(db, "-N", NAMESPACE, "-b", "30", "--rejects", "bad.ndjson", "-n", file(db, "n.ndjson", lines(*records)), status=SOME_REJECTED)
    bad = {row["line"]: row for row in map(json.loads, (db.folder / "bad.ndjson").read_text().splitlines())}
    assert bad.keys() == {11, 12, 51, 100} and "4 rejected" in said
    assert "already exists" in bad[51]["why"] and bad[51]["record"]["payload"] == {"n": 50} and bad[12]["why"] == "it is no JSON object" and bad[12]["record"] is None
    assert nodes(db).keys() == set(range(100)) - {10, 11, 50, 99}


def test_more_rejects_than_were_allowed_end_it(db):
    said = run(db, "--rejects", "bad.ndjson", "--rejects-most", "3", "-n", file(db, "n.ndjson", lines(*[[]] * 100)), status=BROKEN_OFF)
    assert "more than 3 records were rejected" in said and len((db.folder / "bad.ndjson").read_text().splitlines()) == 4


def test_a_dry_run_writes_nothing_and_says_what_is_wrong(db):
    assert "2 nodes" in run(db, "--dry-run", "-n", file(db, "n.ndjson", lines(GOOD, GOOD)))
    assert "line 1" in run(db, "--dry-run", "-n", file(db, "b.ndjson", "{"), status=BROKEN_OFF)
    assert counts(db) == (0, 0, 0) and {path.name for path in db.folder.iterdir()} == {"n.ndjson", "b.ndjson"}


# ---------------------------------------------------------------- ends of all kinds

def many(db, count, start_at=0):
    return file(db, "n.ndjson", lines(*({"type": "observation", "author": "ada", "payload": {"n": n}} for n in range(start_at, start_at + count))))


def whole(db, count):
    """Everything is there, once, and proved."""
    assert counts(db) == (count, 0, count) and nodes(db).keys() == set(range(count))
    db("SELECT reason.add_signer(%s, %s)", db.signer.name, db.signer.public.raw.hex())
    db.settle()
    assert db.verify("default")["ok"]
    assert not (db.folder / "n.ndjson.import").exists()


def test_killed_at_any_moment_it_goes_on_and_writes_all_once(db):
    """Killed at moments that nobody chose."""
    many(db, 12000)
    chance = random.Random(1)
    kills = 0
    for _ in range(30):
        process = start(db, "-b", "20", "-j", "3", "-n", "n.ndjson")
        time.sleep(chance.uniform(0.02, 0.08))
        process.kill()
        process.communicate(timeout=30)
        if process.returncode == 0:
            break
        kills += 1
    else:
        run(db, "-b", "20", "-j", "3", "-n", "n.ndjson")
    assert kills >= 3
    whole(db, 12000)


def test_backends_that_are_ended_at_any_moment_cost_nothing(db):
    """A connection may break before, within and after its COMMIT."""
    many(db, 3000)
    process = start(db, "-b", "20", "-j", "3", "-n", "n.ndjson")
    ended = 0
    while process.poll() is None:
        ended += len([1 for done, in db("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'reason-import' AND datname = %s", db.name) if done])
        time.sleep(0.1)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == ALL, out + errors
    assert ended >= 3
    whole(db, 3000)


def thirty():
    return lines(*({"type": "observation", "author": "a", "payload": {"n": n}} for n in range(30)))


def broken_off(db):
    """Three batches of a stream that breaks off behind them; the journal's lines."""
    run(db, "-b", "10", "-j", "1", "-J", "kept", "-F", "ndjson", "-n", "-", given=thirty() + "broken\n", status=BROKEN_OFF)
    return (db.folder / "kept").read_text().splitlines(True)


def test_a_commit_whose_answer_was_lost_is_looked_up(db, make_database):
    """The journal says that a batch was about to be committed, and nothing more."""
    kept = [line for line in broken_off(db) if not line.startswith(("at ", "done"))]
    assert len([line for line in kept if line.startswith("sent")]) == 3
    file(db, "kept", "".join(kept))
    run(db, "-J", "kept", "-F", "ndjson", "-n", "-", given=thirty())
    assert counts(db) == (30, 0, 30)
    # In a database where these transactions were rolled back all is written now.
    with psycopg.connect(db.dsn) as connection:
        number = connection.execute("SELECT pg_current_xact_id()::text").fetchone()[0]
        connection.rollback()
    other = make_database(db.name + "_2")
    other.folder = db.folder
    file(db, "kept", "".join(re.sub(r"\d+$", number, line) if line.startswith("sent") else line for line in kept))
    run(other, "-J", "kept", "-F", "ndjson", "-n", "-", given=thirty())
    assert counts(other) == (30, 0, 30)


def test_a_transaction_that_nobody_remembers_is_not_guessed_at(db):
    kept = [line for line in broken_off(db) if not line.startswith("done")]
    file(db, "kept", "".join(re.sub(r"\d+$", "3", line) if line.startswith("sent") else line for line in kept))
    said = run(db, "-J", "kept", "-F", "ndjson", "-n", "-", given=thirty(), status=BROKEN_OFF)
    assert "too long ago" in said and counts(db) == (30, 0, 30)


def test_an_interrupted_one_says_how_to_go_on(db):
    many(db, 20000)
    process = start(db, "-b", "50", "-n", "n.ndjson")
    wait_for(lambda: counts(db)[0] > 0)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == BROKEN_OFF and "it was interrupted" in errors and "n.ndjson.import" in errors
    written = counts(db)[0]
    assert 0 < written < 20000 and f"{written:,} nodes" in out
    said = run(db, "-n", "n.ndjson")
    assert f"; {written:,} before" in said
    assert counts(db)[0] == 20000


def test_another_file_under_the_same_journal_is_refused(db):
    many(db, 20000)
    process = start(db, "-b", "50", "-n", "n.ndjson")
    wait_for(lambda: counts(db)[0] > 0)
    process.kill()
    process.communicate(timeout=30)
    many(db, 20000, 1)
    assert "of other files, or of these as they were" in run(db, "-n", "n.ndjson", status=BROKEN_OFF)


def test_standard_input_that_says_something_else_is_refused(db):
    first = lines(*({"type": "observation", "author": "a", "payload": {"n": n}} for n in range(50)))
    said = run(db, "-b", "10", "-j", "1", "-J", "kept", "-F", "ndjson", "-n", "-", given=first + "broken\n", status=BROKEN_OFF)
    assert "line 51" in said and counts(db)[0] == 50
    said = run(db, "-b", "10", "-J", "kept", "-F", "ndjson", "-n", "-", given=first.replace('"n": 3', '"n": 333') + "{}\n", status=BROKEN_OFF)
    assert "the records are others than when the import began" in said and counts(db)[0] == 50
    more = lines({"type": "observation", "author": "a", "payload": {"n": 50}})
    said = run(db, "-J", "kept", "-F", "ndjson", "-n", "-", given=first + more)
    assert "1 nodes and 0 edges written" in said and "; 50 before" in said and counts(db) == (51, 0, 51)


def test_two_at_a_time_under_one_journal_are_one(db):
    many(db, 20000)
    process = start(db, "-b", "50", "-n", "n.ndjson")
    wait_for(lambda: counts(db)[0] > 0)
    assert "another import has it" in run(db, "-n", "n.ndjson", status=BROKEN_OFF)
    process.kill()
    process.communicate(timeout=30)


def test_a_journal_cut_anywhere_is_gone_on_with_or_refused(db):
    """Whatever part of it is left, nothing is written twice."""
    kept = "".join(broken_off(db))
    ended = set()
    for length in (*range(29, len(kept), 29), len(kept)):
        file(db, "kept", kept[:length])
        process = start(db, "-J", "kept", "-F", "ndjson", "-n", "-", stdin=subprocess.PIPE)
        _, errors = process.communicate(thirty(), timeout=60)
        assert process.returncode == ALL or "already exists" in errors or "no journal" in errors or "of other files" in errors or "others than" in errors, errors
        ended.add(process.returncode)
        assert counts(db)[0] == 30
    assert ended == {ALL, BROKEN_OFF}


@pytest.mark.parametrize("line", ["done nodes 268435455 00 0", "sent edges 200000 00 7", "done nodes 1 00 99999999999", "done others 1 00 0", "at elsewhere\nat here"])
def test_a_journal_that_somebody_edited_is_refused_at_once(db, line):
    """A number that no batch can have yet takes no memory for all before it."""
    file(db, "kept", "".join(broken_off(db)) + line + "\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert "a line cannot be understood" in run(db, "-J", "kept", "-F", "ndjson", "-n", "-", given=thirty(), status=BROKEN_OFF)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(before, 200_000)


def test_a_database_that_is_away_is_waited_for_and_given_up(db):
    many(db, 10)
    began = time.monotonic()
    ended = subprocess.run([IMPORT, "-q", "-d", "host=127.0.0.1 port=1 dbname=x", "-t", "2", "-n", "n.ndjson"], cwd=db.folder, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == BROKEN_OFF and "n.ndjson, lines 1 to 10: " in ended.stderr and 1.5 < time.monotonic() - began < 30
    assert "goes on from here" in ended.stderr and (db.folder / "n.ndjson.import").exists()


def test_who_may_not_write_is_told_so_at_once(db):
    many(db, 10)
    db("DO $$ BEGIN CREATE ROLE only_reads LOGIN IN ROLE reason_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    ended = subprocess.run([IMPORT, "-q", "-d", db.dsn.replace("user=postgres", "user=only_reads"), "-n", "n.ndjson"], cwd=db.folder, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == BROKEN_OFF and "permission denied" in ended.stderr


def test_a_pipe_that_is_never_closed_is_left_by_a_signal(db):
    process = start(db, "-F", "ndjson", "-n", "-", stdin=subprocess.PIPE)
    process.stdin.write(lines(GOOD))
    process.stdin.flush()
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGTERM)
    process.wait(20)
    assert process.returncode == BROKEN_OFF


@pytest.mark.parametrize("pieces", [[b"\xef\xbb\xbf"], [b"\xef", b"\xbb", b"\xbf"], [b"\xef\xbb\xbf{"], [b"{"], [b"\n"]], ids=itertools.count())
def test_a_stream_may_come_in_any_pieces(db, pieces):
    """A byte order mark alone is not the end, and one in pieces is no part of the first record."""
    process = start(db, "-F", "ndjson", "-n", "-", stdin=subprocess.PIPE)
    text = lines(GOOD, {**GOOD, "payload": {"n": 2}}).encode()
    for piece in [*pieces, text[1:] if pieces[-1].endswith(b"{") else text]:
        process.stdin.buffer.write(piece)
        process.stdin.flush()
        time.sleep(0.1)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == ALL and "2 nodes" in out and nodes(db).keys() == {1, 2}, out + errors


def test_what_was_rejected_before_it_broke_off_is_said_at_the_end(db):
    """Whichever run rejected it, a record that is not written is none of those that were."""
    records = lines(*({"type": "observation", "author": "ada" if n != 3 else "", "payload": {"n": n}} for n in range(20)))
    options = ("-b", "10", "-j", "1", "-J", "kept", "--rejects", "bad", "-F", "ndjson", "-n", "-")
    run(db, *options, given=records + "x" * (17 << 20), status=BROKEN_OFF)
    assert counts(db)[0] == 19
    said = run(db, *options, given=records, status=SOME_REJECTED)
    assert "0 nodes" in said and "; 19 before" in said and "; 1 rejected" in said
    assert len((db.folder / "bad").read_text().splitlines()) == 1


def test_a_journal_is_of_one_database(db, make_database):
    """What stands in another database is not said to be in this one."""
    broken_off(db)
    other = make_database(db.name + "_2")
    other.folder = db.folder
    assert "another database" in run(other, "-J", "kept", "-F", "ndjson", "-n", "-", given=thirty(), status=BROKEN_OFF)
    assert counts(other) == (0, 0, 0)
    run(db, "-J", "kept", "-F", "ndjson", "-n", "-", given=thirty())
    assert counts(db) == (30, 0, 30)


@pytest.mark.parametrize("name, text", [("a.csv", b"ty\x00pe,author\nx,y\n"), ("a.csv", "type,author\n".encode("utf-16"))], ids=itertools.count())
def test_names_of_columns_have_no_nul(db, name, text):
    assert "NUL" in run(db, "-n", file(db, name, text), status=BROKEN_OFF)


@pytest.mark.parametrize("name, text", [
    ("a.csv", "type,\x1b]0;mine\x07\u202e\nx,y\n"), ("a.ndjson", lines({**GOOD, "id": "\x1b[2J\u202e"})), ("a.ndjson", lines({**GOOD, "\x1b[2J": 1})),
    ("a.ndjson", lines({**GOOD, "type": "\x1b[2J\u202e"})), ("a\x1b[2J.ndjson", "[]\n"),
], ids=itertools.count())
def test_what_steers_a_terminal_is_shown_as_what_it_is(db, name, text):
    said = run(db, "-n", file(db, name, text), status=BROKEN_OFF)
    assert not set(said) & set("\x1b\x07\u202e"), ascii(said)
