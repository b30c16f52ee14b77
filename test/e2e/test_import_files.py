"""reason-import over HTTPS: as in SQL (trust/test_import_files.py), each batch under an Idempotency-Key."""
import json
import subprocess

import pytest

from paths import IMPORT

ALL, SOME_REJECTED, BROKEN_OFF = 0, 1, 2


@pytest.fixture
def run(stack, tmp_path):
    tls = stack.run_dir / "tls"

    def call(*options, status=ALL, client="kernel", authority=None):
        ended = subprocess.run([IMPORT, "-q", "-u", stack.env["REASON_URL"], "--cacert", authority or stack.env["REASON_CA"], "--cert", tls / f"{client}.crt", "--key", tls / f"{client}.key",
                                *map(str, options)], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert ended.returncode == status, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr
    call.folder = tmp_path
    return call


def records(author, count):
    return "".join(json.dumps({"type": "observation", "author": author, "payload": {"n": n}}) + "\n" for n in range(count))


def counted(database, author):
    return database.execute("SELECT count(*), count(DISTINCT payload->>'n') FROM reason.node WHERE author = %s", [author]).fetchone()


def test_all_is_written_by_the_client_that_its_certificate_names(run, database):
    (run.folder / "n.ndjson").write_text(records("imports", 500))
    assert "500 nodes" in run("-b", "60", "-n", "n.ndjson")
    assert counted(database, "imports") == (500, 500)
    clients = database.execute("SELECT DISTINCT e.payload->'request'->>'client' FROM reason.node n JOIN reason.audit_event e ON e.id = n.audit_event_id WHERE n.author = 'imports'").fetchall()
    assert len(clients) == 1


def test_a_batch_whose_answer_was_lost_is_not_written_twice(run, database):
    """The journal is that of an import which was killed before it noted anything."""
    (run.folder / "n.ndjson").write_text(records("lost", 100) + "broken\n")
    assert "line 101" in run("-b", "20", "-j", "1", "-n", "n.ndjson", status=BROKEN_OFF)
    journal = run.folder / "n.ndjson.import"
    kept = journal.read_text().splitlines(True)
    assert sum(line.startswith("done") for line in kept) == 5
    journal.write_text("".join(line for line in kept if not line.startswith("done")))
    assert "line 101" in run("-n", "n.ndjson", status=BROKEN_OFF)
    assert counted(database, "lost") == (100, 100)


def test_what_is_refused_is_named_and_the_rest_is_written(run, database):
    lines = records("partly", 30).splitlines(True)
    lines[7] = lines[7].replace('"observation"', '"nothing"')
    (run.folder / "n.ndjson").write_text("".join(lines))
    assert "n.ndjson, line 8: " in run("-n", "n.ndjson", status=BROKEN_OFF)
    (run.folder / "n.ndjson.import").unlink()
    assert "1 rejected" in run("-n", "n.ndjson", "--rejects", "bad", status=SOME_REJECTED)
    assert json.loads((run.folder / "bad").read_text())["line"] == 8
    assert counted(database, "partly") == (29, 29)


def test_who_may_not_write_is_told_so(run):
    (run.folder / "n.ndjson").write_text(records("reader", 3))
    said = run("-n", "n.ndjson", status=BROKEN_OFF, client="reader")
    assert "n.ndjson, lines 1 to 3: " in said and "does not allow this" in said


def test_a_gateway_of_another_authority_is_not_written_to(run, stack, database):
    (run.folder / "n.ndjson").write_text(records("other", 3))
    said = run("-t", "1", "-n", "n.ndjson", status=BROKEN_OFF, authority=stack.run_dir / "tls/kernel.crt")
    assert "lines 1 to 3" in said and "certificate" in said and counted(database, "other") == (0, 0)


def test_a_journal_is_of_one_gateway(run, stack, database):
    """What one has written is not said to be in another."""
    (run.folder / "n.ndjson").write_text(records("moved", 20) + "broken\n")
    assert "line 21" in run("-b", "10", "-j", "1", "-n", "n.ndjson", status=BROKEN_OFF)
    journal = run.folder / "n.ndjson.import"
    kept = journal.read_text()
    assert f"\nat {stack.env['REASON_URL']}\n" in kept
    journal.write_text(kept.replace(f"at {stack.env['REASON_URL']}", "at https://elsewhere"))
    said = run("-n", "n.ndjson", status=BROKEN_OFF)
    assert "another database or gateway" in said and "; 20 before" not in said
    journal.write_text(kept)
    assert "line 21" in run("-n", "n.ndjson", status=BROKEN_OFF) and counted(database, "moved") == (20, 20)
