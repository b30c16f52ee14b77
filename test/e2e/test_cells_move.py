"""A division moves to another cell by the commands of docs/for-operators/cells.md, while clients go on writing."""

import http.client
import json
import os
import re
import subprocess
import threading
import time
import uuid

import pytest

from cells import two_cells
from client import Refused
from paths import ROOT
from wait import wait_for

PAGE = (ROOT / "docs/for-operators/cells.md").read_text()
STEPS = re.findall(r"^\*\*(\d)\..*?^```sh\n(.*?)^```", PAGE, re.M | re.S)
DIVISION = "moving"


class Writer(threading.Thread):
    """Writes numbered nodes one after the other, each under its key until it is acknowledged; the answer of every lose-th is thrown away."""

    def __init__(self, stack, division, lose=0, first=1):
        super().__init__(daemon=True)
        self.stack, self.division, self.lose, self.first = stack, division, lose, first
        self.ended = threading.Event()
        self.acknowledged, self.refused, self.longest = [], [], 0.0

    def run(self):
        client, number = self.stack.client(), self.first - 1
        while not self.ended.is_set():
            number += 1
            body, key, began = {"type": "observation", "author": "w", "payload": {"n": number}}, str(uuid.uuid4()), time.monotonic()
            if self.lose and number % self.lose == 0:
                lost = self.stack.client()
                lost.connection.request("POST", f"/d/{self.division}/reason/node", json.dumps(body), {"Content-Type": "application/json", "Idempotency-Key": key})
                lost.connection.close()
            while True:
                try:
                    client.post(f"/d/{self.division}/reason/node", body, Idempotency_Key=key)
                    break
                except Refused as refused:
                    assert refused.status == 503, refused
                    self.refused.append(refused.body)
                    time.sleep(0.1)
                except (http.client.HTTPException, OSError):
                    client = self.stack.client()    # the reload has closed an idle connection
            self.acknowledged.append(number)
            self.longest = max(self.longest, time.monotonic() - began)
            time.sleep(0.01)

    def finish(self):
        self.ended.set()
        self.join(60)
        assert not self.is_alive()


def numbers(cell, division):
    with cell.database() as database:
        return sorted(row[0] for row in database.execute(
            "SELECT (payload ->> 'n')::integer FROM reason.node WHERE division = %s AND author = 'w' AND payload ? 'n'", (division,)))


def one(cell, statement, *parameters):
    with cell.database() as database:
        return database.execute(statement, parameters).fetchone()[0]


@pytest.fixture(scope="module")
def cells():
    with two_cells(divisions="") as both:
        yield both


@pytest.fixture(scope="module")
def desk(cells, tmp_path_factory):
    """An operator's directory, and what the page calls things."""
    home, away = cells
    made = tmp_path_factory.mktemp("desk")
    config = (away.run_dir / "reason-sidecar.conf").read_text().replace(f"file://{away.run_dir}/store", f"file://{home.run_dir}/store")
    (made / "move.conf").write_text(config)
    made.chmod(0o755)
    return made, {**os.environ, "OLD": home.env["REASON_DSN"], "NEW": away.env["REASON_DSN"], "DIVISION": DIVISION, "CELL": "cell_b",
                  "REGISTRY": away.shell["REGISTRY_FILE"],
                  "CONF_DIR": str(home.run_dir / "gateway"), "PREFIX": str(home.run_dir / "gateway"),
                  "PATH": f"{ROOT / 'sidecar'}:{ROOT / '.build/pg/lib/postgresql/15/bin'}:/usr/sbin:{os.environ['PATH']}"}


def run_step(desk, step, commands):
    directory, environment = desk
    done = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", commands], cwd=directory, env=environment, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, f"step {step}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def moved(cells, desk):
    """The whole procedure under writers; what each step printed."""
    home, away = cells
    kernel = home.client()
    node = kernel.post(f"/d/{DIVISION}/reason/node", {"type": "decision", "author": "k", "payload": {"secret": "erased before"}})["nodeId"]
    kept = kernel.post(f"/d/{DIVISION}/reason/node", {"type": "decision", "author": "k", "payload": {"kept": True}})["nodeId"]
    kernel.post(f"/d/{DIVISION}/reason/edge", {"from": node, "to": kept, "type": "causal"})
    frozen = kernel.post(f"/d/{DIVISION}/reason/node", {"type": "decision", "author": "k", "payload": {"frozen": True}})["nodeId"]
    snapshot = kernel.post(f"/d/{DIVISION}/reason/snapshot", {"rootNodeIds": [frozen]}, Prefer="wait=20")
    assert snapshot["status"] == "complete"
    with home.database() as database:
        database.execute("SELECT reason.erase_payload(%s, 'asked for', %s)", (node, DIVISION))
    writer, other = Writer(home, DIVISION, lose=5), Writer(home, "staying", lose=7)
    writer.start()
    other.start()
    wait_for(lambda: len(writer.acknowledged) > 50, 60)
    wait_for(lambda: one(home, "SELECT count(*) FROM reason.archive_segment WHERE division = %s AND archived_at IS NOT NULL", DIVISION) > 0, 60)
    printed = {}
    for step, commands in STEPS:
        before = len(writer.acknowledged)
        printed[step] = run_step(desk, step, commands)
        if step == "2":
            assert len(writer.acknowledged) > before + 10, "writes go on while most is replayed"
            replayed = len(numbers(away, DIVISION))
            assert replayed > 0
        if step == "3":
            resting = len(writer.acknowledged)
            wait_for(lambda: writer.refused, 20)
            assert kernel.get(f"/d/{DIVISION}/reason/node/{kept}")["node"]["id"] == kept, "reads go on"
        if step == "7":
            assert len(writer.acknowledged) <= resting + 1, "nothing is written meanwhile"
            before = len(writer.acknowledged)
        if step == "8":
            wait_for(lambda: len(writer.acknowledged) > before + 50, 60)
    writer.finish()
    other.finish()
    return {"printed": printed, "writer": writer, "other": other, "node": node, "kept": kept, "snapshot": snapshot["snapshotId"]}


def test_the_page_has_nine_steps():
    assert [step for step, _ in STEPS] == list("123456789")


def test_nothing_is_lost_and_nothing_doubled(cells, moved):
    home, away = cells
    writer = moved["writer"]
    assert numbers(away, DIVISION) == writer.acknowledged
    before = numbers(home, DIVISION)
    assert before == writer.acknowledged[:len(before)] and len(before) < len(writer.acknowledged)
    print(f"{len(writer.acknowledged)} writes, {len(before)} before the move; {len(writer.refused)} answers of 503; the longest write took {writer.longest:.1f} s")


def test_writes_that_rest_say_so(moved):
    frozen = [body for body in moved["writer"].refused if body["details"].get("division") == DIVISION]
    assert frozen and all(body["code"] == "REASONING_GRAPH_DEPENDENCY" and "is being moved" in body["error"] for body in frozen)


def test_another_division_is_not_disturbed(cells, moved):
    other = moved["other"]
    assert not other.refused and numbers(cells[0], "staying") == other.acknowledged
    print(f"{len(other.acknowledged)} writes of another division; the longest took {other.longest:.2f} s")


def test_both_cells_verify(cells, moved):
    for cell in cells:
        with cell.database() as database:
            wait_for(lambda: database.execute("SELECT h.unsettled IS NULL FROM reason.division_head(%s) h", (DIVISION,)).fetchone()[0], 30)
            assert database.execute("SELECT * FROM reason.verify_all() WHERE NOT ok").fetchall() == []
            assert database.execute("SELECT ok FROM reason.verify_audit(%s)", (DIVISION,)).fetchone()[0]


def test_the_chain_goes_on_from_its_head(cells, moved):
    home, away = cells
    seq, head = one(home, "SELECT head_seq FROM reason.division_head(%s)", DIVISION), one(home, "SELECT head_hash FROM reason.division_head(%s)", DIVISION)
    assert one(away, "SELECT encode(hash, 'hex') FROM reason.audit_seal WHERE division = %s AND seq = %s", DIVISION, seq) == head
    assert one(away, "SELECT prev_hash FROM reason.audit_events WHERE division = %s AND seq = %s", DIVISION, seq + 1) == head
    assert one(away, "SELECT reason.tree_root_of(%s, %s) = %s", DIVISION, seq + 1, one(home, "SELECT reason.tree_root_of(%s, %s)", DIVISION, seq + 1))


def test_the_old_cell_names_the_new_one(cells, moved):
    """As a gateway sees it that was not reloaded: it sends the division to the old cell."""
    home = cells[0]
    home.place()
    try:
        stale = home.client()
        for method, path, body in (
                ("POST", f"/d/{DIVISION}/reason/node", {"type": "score", "author": "a", "payload": 1}), ("POST", "/reason/node", {"type": "score", "author": "a", "payload": 1, "division": DIVISION}),
                ("GET", f"/d/{DIVISION}/reason/node/{moved['kept']}", None), ("GET", f"/reason/node/{moved['kept']}", None),
                ("GET", f"/reason/trace/{moved['kept']}", None), ("GET", f"/reason/traces/{moved['kept']}", None), ("GET", f"/reason/{moved['kept']}", None),
                ("GET", f"/reason/node/{moved['kept']}/explain", None), ("GET", f"/reason/node/{moved['kept']}/impact", None),
                ("GET", f"/reason/node/{uuid.uuid4()}?division={DIVISION}", None), ("GET", f"/d/{DIVISION}/reason/node/{uuid.uuid4()}", None),
                ("GET", f"/reason/export/{moved['kept']}", None), ("GET", f"/reason/export/{moved['snapshot']}", None), ("GET", f"/reason/diff?a={moved['kept']}&b={moved['node']}", None),
                ("GET", f"/reason/snapshot/{moved['snapshot']}", None), ("GET", f"/reason/snapshot/{moved['snapshot']}/verify", None),
                ("GET", f"/reason/snapshot/{uuid.uuid4()}?division={DIVISION}", None), ("GET", f"/reason/node/{moved['kept']}/proof", None),
                ("GET", f"/reason/log/{DIVISION}/checkpoint", None), ("POST", "/reason/query", {"filters": {"division": DIVISION}}), ("POST", f"/d/{DIVISION}/reason/query", {"filters": {}}),
                ("POST", "/reason/snapshot", {"rootNodeIds": [moved["kept"]]}), ("POST", f"/reason/annotate/{moved['kept']}", {"note": "n"}),
                ("POST", "/reason/edge", {"from": moved["node"], "to": moved["kept"], "type": "causal"})):
            with pytest.raises(Refused) as caught:
                stale.call(method, path, body)
            assert (caught.value.status, caught.value.body["code"]) == (409, "REASONING_GRAPH_CONFLICT"), (path, caught.value)
            assert caught.value.body["details"]["movedTo"] == "cell_b" and len(caught.value.body["details"]["headHash"]) == 64, path
        assert DIVISION not in {node["division"] for node in stale.post("/reason/query", {"filters": {}, "limit": 1000})["nodes"]}
        listed = {d["division"]: d for d in stale.get("/reason/divisions")["divisions"]}
        assert listed[DIVISION]["cell"] == "cell_b" and listed[DIVISION]["moved"]["hash"] == caught.value.body["details"]["headHash"]
        assert listed["staying"]["cell"] == "reason" and "moved" not in listed["staying"]
        # Who has not the division learns nothing of it, here either.
        with home.database() as database:
            database.execute("SELECT reason.set_client('stranger', 'writer', '{other}')")
        home.certificate("stranger")
        answers = []
        for division in (DIVISION, "nosuch"):
            with pytest.raises(Refused) as caught:
                home.client("stranger").get(f"/d/{division}/reason/node/{moved['kept']}")
            answers.append((caught.value.status, caught.value.body["error"].replace(division, "X"), caught.value.body["details"]))
            with pytest.raises(Refused) as caught:
                home.client("stranger").get(f"/reason/node/{moved['kept']}?division={division}")
            answers.append((caught.value.status, caught.value.body["error"], caught.value.body["details"]))
        assert answers[:2] == answers[2:]
    finally:
        home.place(**{DIVISION: "cell_b"})


def test_what_it_holds_is_the_same_in_the_new_cell(cells, moved):
    kernel = cells[0].client()
    assert kernel.get(f"/d/{DIVISION}/reason/snapshot/{moved['snapshot']}/verify")["ok"]
    assert kernel.send("GET", f"/d/{DIVISION}/reason/snapshot/{moved['snapshot']}?format=canonical")
    assert kernel.get(f"/d/{DIVISION}/reason/node/{moved['node']}")["node"]["payload"] is None, "it was erased before"
    listed = kernel.get(f"/d/{DIVISION}/reason/divisions")["divisions"][0]
    assert listed["cell"] == "cell_b" and "moved" not in listed


def test_it_cannot_be_thawed_where_it_does_not_go_on(cells, moved):
    home, away = cells
    seq, head = one(away, "SELECT head_seq FROM reason.division_head(%s)", DIVISION), one(away, "SELECT head_hash FROM reason.division_head(%s)", DIVISION)
    for arguments in ((DIVISION, "try", None, None), (DIVISION, "try", seq, head)):
        with pytest.raises(Exception, match="moved|went on"):
            one(home, "SELECT reason.thaw_division(%s, %s, %s, %s)", *arguments)


@pytest.fixture(scope="module")
def desk_back(cells, desk):
    """The same directory, with the cells exchanged."""
    home, away = cells
    directory, environment = desk
    config = (home.run_dir / "reason-sidecar.conf").read_text().replace(f"file://{home.run_dir}/store", f"file://{away.run_dir}/store")
    (directory / "move.conf").write_text(config)
    return directory, {**environment, "OLD": environment["NEW"], "NEW": environment["OLD"], "CELL": "reason", "REGISTRY": home.shell["REGISTRY_FILE"]}


def test_an_erasure_reaches_the_old_copy_when_its_chain_is_replayed_there(cells, moved, desk_back):
    home, away = cells
    with away.database() as database:
        database.execute("SELECT reason.erase_payload(%s, 'asked for later', %s)", (moved["kept"], DIVISION))
    erased = "SELECT payload IS NULL FROM reason.node WHERE id = %s AND division = %s"
    assert one(away, erased, moved["kept"], DIVISION) and not one(home, erased, moved["kept"], DIVISION)
    for step in "145":
        run_step(desk_back, step, dict(STEPS)[step])
    assert one(home, erased, moved["kept"], DIVISION)
    assert one(home, "SELECT state FROM reason.division_placement WHERE division = %s", DIVISION) == "moved"
    for cell in cells:
        assert one(cell, "SELECT ok FROM reason.verify_audit(%s)", DIVISION)


def test_it_comes_back_by_the_same_commands(cells, moved, desk_back):
    home, away = cells
    kernel, gone = home.client(), moved["writer"].acknowledged
    there = kernel.post(f"/d/{DIVISION}/reason/snapshot", {"rootNodeIds": [moved["node"]]}, Prefer="wait=20")
    assert there["status"] == "complete"
    writer = Writer(home, DIVISION, lose=5, first=len(gone) + 1)
    writer.start()
    wait_for(lambda: len(writer.acknowledged) > 20, 60)
    for step, commands in STEPS:
        before = len(writer.acknowledged)
        run_step(desk_back, step, commands)
        if step == "2":
            assert len(writer.acknowledged) > before + 10, "writes go on while most is replayed"
            last = one(away, "SELECT (seq, encode(hash, 'hex')) FROM reason.audit_seal WHERE division = %s ORDER BY seq DESC LIMIT 1", DIVISION)
            with pytest.raises(Exception, match="went on"):
                one(home, "SELECT reason.thaw_division(%s, 'too early', %s, %s)", DIVISION, *last)
    wait_for(lambda: len(writer.acknowledged) > before + 20, 60)
    writer.finish()
    assert numbers(home, DIVISION) == gone + writer.acknowledged
    assert (home.run_dir / "gateway/cells/divisions.conf").read_text() == f"{DIVISION} reason;\n"
    assert {d["division"]: d["cell"] for d in home.client().get("/reason/divisions")["divisions"]}[DIVISION] == "reason"
    for snapshot in (moved["snapshot"], there["snapshotId"]):
        assert one(home, "SELECT ok FROM reason.verify_snapshot(%s)", snapshot)
    assert one(away, "SELECT cell FROM reason.division_placement WHERE division = %s", DIVISION) == "reason"
    test_both_cells_verify(cells, moved)
