"""The main job on real input, each step shown as a person wants to read it.

    demo.py GIT_HISTORY

Loads a project's commit history through HTTPS, tells the story of one decision on top of it,
traces it, freezes it as a signed snapshot, verifies that in SQL and with the command line
verifier on the stored file alone, and shows that one altered byte is refused. At last a superuser of the
database removes what is inconvenient, with no trace in the database itself, and the log refuses to go on.
"""

import contextlib
import gzip
import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from datetime import datetime, timezone

from client import Client, Refused

BATCH = 1000
CONNECTIONS = 4
SNAPSHOT_SECONDS = 120
NAMESPACE = uuid.UUID("5f1d7c1e-3b59-4f0e-9d0b-4d1e6a9a2f10")

TTY = sys.stdout.isatty()


def style(code, text):
    return f"\x1b[{code}m{text}\x1b[0m" if TTY else text


def bold(text):
    return style(1, text)


def dim(text):
    return style(2, text)


def green(text):
    return style(32, text)


def red(text):
    return style(31, text)


class Steps:
    """Numbers the steps and remembers how long each took."""

    def __init__(self):
        self.taken = []
        self.started = None

    def begin(self, title):
        self.end()
        self.started = (title, time.monotonic())
        print(f"\n{bold(f'{len(self.taken) + 1}. {title}')}")

    def end(self):
        if self.started:
            title, at = self.started
            self.taken.append((title, time.monotonic() - at))
            self.started = None

    def table(self):
        self.end()
        print(f"\n{bold('How long each step took')}")
        for title, seconds in self.taken:
            print(f"   {title:<58} {seconds * 1000:>9,.0f} ms")


def new_client():
    env = os.environ
    return Client(env["REASON_URL"], env["REASON_CA"], env["REASON_KERNEL_CERT"], env["REASON_KERNEL_KEY"])


def sql(statement):
    return subprocess.run(
        [os.environ["REASON_PSQL"], "-X", "-q", "-v", "ON_ERROR_STOP=1", os.environ["REASON_DSN"], "-x", "-c", statement],
        check=True, capture_output=True, text=True).stdout


def indent(text, by="   "):
    return "\n".join(by + line for line in text.strip().splitlines())


# ---------------------------------------------------------------- loading


def commit_id(commit):
    return str(uuid.uuid5(NAMESPACE, commit))


def read_history(path):
    """[(commit, [parents], RFC 3339 time)] in topological order."""
    with gzip.open(path, "rt", encoding="ascii") as lines:
        for line in lines:
            commit, parents, seconds = line.rstrip("\n").split("\t")
            at = datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
            yield commit, [p for p in parents.split(",") if p], at


def node_batches(history):
    for start in range(0, len(history), BATCH):
        part = history[start:start + BATCH]
        yield "/nodes", len(part), json.dumps({"nodes": [
            {"id": commit_id(commit), "type": "ACTION", "actor": "git", "ts": at, "payload": {"note": f"commit {commit[:10]}", "commit": commit}, "metadata": {"source": "git"}}
            for commit, _, at in part]}).encode()


def edge_batches(history):
    edges = [{"from": commit_id(parent), "to": commit_id(commit), "type": "causal"} for commit, parents, _ in history for parent in parents]
    for start in range(0, len(edges), BATCH):
        part = edges[start:start + BATCH]
        yield "/edges", len(part), json.dumps({"edges": part}).encode()


def bar(done, total, rate):
    if TTY:
        filled = 40 * done // total
        print(f"\r   [{'█' * filled}{' ' * (40 - filled)}] {done:>6,} of {total:,}   {rate:>7,.0f}/s ", end="", flush=True)


def load(batches, total, already, started):
    """Sends batches over several connections; returns how many records were acknowledged."""
    todo = queue.Queue(maxsize=2 * CONNECTIONS)
    lock = threading.Lock()
    state = {"done": already, "error": None}

    def work():
        client = new_client()
        while (batch := todo.get()) is not None:
            if state["error"]:
                continue
            path, count, body = batch
            try:
                answer = client.post(path, body)
                if answer["count"] != count:
                    raise RuntimeError(f"{path}: sent {count}, written {answer['count']}")
            except Exception as error:  # pylint: disable=broad-except  # reported by the main thread
                state["error"] = error
                continue
            with lock:
                state["done"] += count
                bar(state["done"], total, state["done"] / (time.monotonic() - started))

    workers = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for worker in workers:
        worker.start()
    for batch in batches:
        todo.put(batch)
    for _ in workers:
        todo.put(None)
    for worker in workers:
        worker.join()
    if state["error"]:
        raise state["error"]
    return state["done"]


# ---------------------------------------------------------------- showing


def show_path(path):
    for entry in path:
        if entry["type"] == "node":
            print(f"   {entry['causalIndex']:>3}  {entry['entityType']:<15} {dim(entry['timestamp'][:19].replace('T', ' '))}")
        else:
            print(dim(f"   {entry['causalIndex']:>3}    ↓ {entry['entityType']}"))


# ---------------------------------------------------------------- the story


def tell_story(client, commit):
    """score → recommendation → policyCheck → decision → action, resting on a commit that was observed."""

    def node(node_type, author, note, confidence=None, **payload):
        metadata = {} if confidence is None else {"confidence": confidence}
        return client.post("/reason/node", {"type": node_type, "author": author, "payload": {"note": note, **payload},
                                            "metadata": metadata})["nodeId"]

    def edge(cause, effect, edge_type, weight=1):
        client.post("/reason/edge", {"from": cause, "to": effect, "type": edge_type, "weight": weight})

    observation = node("observation", "ci", "all tests pass on the release branch", 0.99, passed=18234, failed=0)
    edge(commit_id(commit), observation, "influencedBy", 0.5)
    score = node("score", "risk-model", "risk of release 0.07", 0.93, risk=0.07)
    edge(observation, score, "derivedFrom", 0.8)
    recommendation = node("recommendation", "release-planner", "release version 1.0", 0.9)
    edge(score, recommendation, "supports", 0.9)
    policy_check = node("policyCheck", "policy-engine", "two approvals present, freeze window closed", 1)
    edge(recommendation, policy_check, "causal")
    decision = node("decision", "release-manager", "approve release 1.0", 0.97)
    edge(recommendation, decision, "supports", 0.9)
    edge(policy_check, decision, "causal")
    action = node("action", "deployer", "release 1.0 deployed")
    edge(decision, action, "causal")
    client.post(f"/reason/annotate/{decision}", {"note": "approved in the release meeting", "author": "release-manager"})
    return action


def verifier(registry, *arguments):
    return subprocess.run([os.environ["REASON_VERIFY"], "--registry", registry, *arguments],
                          capture_output=True, text=True, check=False)


# ---------------------------------------------------------------- the superuser

# Every guard switched off: the event is gone, with its record, its place in the chain, its signature, and every checkpoint
# that covered it. What is left holds together.
CUT = """
BEGIN;
SET LOCAL session_replication_role = replica;
CREATE TEMP TABLE gone ON COMMIT DROP AS
    SELECT s.seq, s.event_no AS no FROM reason.audit_seal s
    WHERE s.division = 'default' AND s.seq >= (SELECT seq FROM reason.audit_events WHERE payload #>> '{{node,id}}' = '{node}');
DELETE FROM reason.audit_signature WHERE division = 'default' AND seq >= (SELECT min(seq) FROM gone);
DELETE FROM reason.audit_subtree WHERE division = 'default' AND (index + 1) * 256::numeric ^ level > (SELECT min(seq) FROM gone);
DELETE FROM reason.audit_checkpoint_signature WHERE division = 'default' AND size > (SELECT min(seq) FROM gone);
DELETE FROM reason.audit_checkpoint WHERE division = 'default' AND size > (SELECT min(seq) FROM gone);
DELETE FROM reason.audit_seal WHERE division = 'default' AND seq >= (SELECT min(seq) FROM gone);
DELETE FROM reason.node WHERE no IN (SELECT no FROM gone);
DELETE FROM reason.audit_event WHERE no IN (SELECT no FROM gone);
DELETE FROM reason.sealer_state;
COMMIT;
"""


def wait_for(condition, seconds, what):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            sys.exit(red(f"   {what} did not come"))
        time.sleep(0.05)


def stopped():
    """Whether the sidecar says that the log has stopped."""
    with urllib.request.urlopen(os.environ["REASON_SIDECAR_METRICS"], timeout=5) as answer:
        return b"reason_sidecar_log_stopped 1" in answer.read()


def tamper(client, store, pid):
    """An inconvenient record, a checkpoint over it, and a superuser."""
    node = client.post("/reason/node", {"type": "observation", "author": "monitoring",
                                        "payload": {"note": "customers cannot log in since release 1.0"}})["nodeId"]
    size = f"SELECT seq + 1 AS size FROM reason.audit_events WHERE payload #>> '{{node,id}}' = '{node}'"
    wait_for(lambda: "size" in sql(size), 20, "the event's place in the chain")
    events = int(sql(size).split("|")[-1])
    checkpoint = store / "tlog" / "default" / "checkpoint"
    os.kill(pid, signal.SIGUSR1)
    wait_for(lambda: checkpoint.exists() and int(checkpoint.read_text().split("\n")[1]) >= events, 60, "the checkpoint")
    print(f"   monitoring wrote: {bold('customers cannot log in since release 1.0')}\n   the log's checkpoint over it, as anybody can read it in the object store:")
    print(dim(indent(checkpoint.read_text(), "     ")))
    sql(CUT.format(node=node))
    print("   a superuser removes the record, its event, its signature, and every checkpoint over it; what the database says of itself:")
    print(indent(sql("SELECT ok, checked AS events_checked, detail FROM reason.verify_audit('default')")))
    with contextlib.suppress(Refused):      # it may have been found by now
        client.post("/reason/node", {"type": "observation", "author": "monitoring", "payload": {"note": "all is well"}})
    wait_for(stopped, 60, "the log's refusal")
    wait_for(lambda: "events" in sql("SELECT reason.safe_mode_fault()"), 20, "safe mode")
    print(f"   {green('refused')}: nothing is signed any more, and nothing is written; the sidecar says why:")
    print(red("     " + sql("SELECT reason.safe_mode_fault()").split("|", 1)[1].strip()))


def main():
    history = list(read_history(sys.argv[1]))
    steps = Steps()
    client = new_client()
    print(bold("Reasoning Graph: the record of why software did what it did"))

    steps.begin("Load a commit history through HTTPS, in batches")
    edge_total = sum(len(parents) for _, parents, _ in history)
    total = len(history) + edge_total
    started = time.monotonic()
    done = load(node_batches(history), total, 0, started)
    done = load(edge_batches(history), total, done, started)
    seconds = time.monotonic() - started
    print(f"{chr(13) if TTY else ''}   {len(history):,} nodes and {edge_total:,} edges, each with its audit event, "
          f"in {seconds:.1f} s: {bold(f'{done / seconds:,.0f} a second')}          ")

    steps.begin("Tell the story of one decision")
    action = tell_story(client, history[12][0])
    print(f"   observation → score → recommendation → policyCheck → decision → action {dim(action)}")

    steps.begin("Trace its causes")
    print(indent(client.text(f"/reason/export/{action}?format=human&limit=8")))

    steps.begin("The same as one causal order, causes first")
    ordered = client.get(f"/reason/traces/{action}")
    show_path(ordered["ordered_path"][-14:])
    print(dim(f"   the last 14 of {ordered['metadata']['length']} entries; cycle: {'yes' if ordered['metadata']['cycleDetected'] else 'no'}"))

    steps.begin("Trace all causes of the newest commit in SQL")
    newest = commit_id(history[-1][0])
    print(indent(sql(f"SELECT count(*) AS nodes, max(depth) AS depth FROM reason.trace('{newest}')")))

    steps.begin("Freeze the decision as a signed snapshot")
    asked = time.monotonic()
    snapshot = client.post("/reason/snapshot", {"rootNodeIds": [action], "description": "release 1.0", "depth": 50,
                                                "includeAnnotations": True}, Prefer="wait=20")
    # its records are signed first, and 66,000 events were loaded a moment ago
    while snapshot["status"] == "pending" and time.monotonic() - asked < SNAPSHOT_SECONDS:
        time.sleep(0.2)
        snapshot = client.get(f"/reason/snapshot/{snapshot['snapshotId']}")
    if snapshot["status"] != "complete":
        sys.exit(red(f"   the snapshot is {snapshot['status']}"))
    print(f"   {green('complete')} after {(time.monotonic() - asked) * 1000:.0f} ms: signed, stored, recorded\n"
          f"   hash      {snapshot['hash']}\n   signature {snapshot['signature']}\n   signer    {snapshot['signerId']}")

    steps.begin("Verify it in SQL, against the live graph")
    verified = sql(f"SELECT ok, hash_ok, signature_ok, signer_status, graph_ok, detail FROM reason.verify_snapshot('{snapshot['snapshotId']}')")
    print(indent(verified))
    print(indent(sql("SELECT ok, checked AS events_checked, head_hash FROM reason.verify_audit('default')")))

    steps.begin("Verify the stored file alone, with nothing but the public keys")
    store = pathlib.Path(os.environ["REASON_STORE"].removeprefix("file://"))
    stored = store / "snapshots" / "default" / f"{snapshot['snapshotId']}.json"
    proof = verifier(os.environ["REASON_SIGNERS"], str(stored))
    print(indent(proof.stdout))
    if proof.returncode != 0:
        sys.exit(red(f"   refused: {proof.stderr}"))

    steps.begin("Alter one byte of a copy")
    with tempfile.TemporaryDirectory() as directory:
        copy = pathlib.Path(directory) / stored.name
        content = bytearray(stored.read_bytes())
        at = content.index(b"approve release 1.0") + len("approve release ")
        content[at] = ord("2")
        copy.write_bytes(content)
        (copy.parent / f"{stored.name}.meta.json").write_bytes((stored.parent / f"{stored.name}.meta.json").read_bytes())
        print(f"   release {bold('1')}.0 becomes release {bold('2')}.0 at byte {at:,} of {len(content):,}")
        refusal = verifier(os.environ["REASON_SIGNERS"], str(copy))
    print(red(indent(refusal.stdout or refusal.stderr)))
    if refusal.returncode != 1:
        sys.exit(red("   the altered copy was not refused"))

    steps.begin("The superuser tries, the log refuses")
    tamper(client, store, int((store.parent / "sidecar.pid").read_text()))

    steps.table()
    if "t" not in [line.split("|")[1].strip() for line in verified.splitlines() if line.startswith("ok ")]:
        sys.exit(red("the snapshot did not verify"))
    print(f"\n{green('Verified.')} The altered copy was refused, and so was the superuser.")


if __name__ == "__main__":
    try:
        main()
    except Refused as refused:
        sys.exit(red(f"   the service refused: {refused}"))
