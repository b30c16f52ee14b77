"""A graph to mirror, and checks that a mirror shows it."""

import json
import subprocess
import uuid

from paths import SIDECAR
from wait import wait_for


def write_graph(database, division="default"):
    """A graph with something of everything; returns its nodes by name."""
    def node(kind, payload, **more):
        metadata = json.dumps(more.get("metadata", {}))
        return str(database.value("SELECT reason.add_node(%s, %s, %s, %s, %s)", kind, json.dumps(payload), more.get("author", "ada"), division, metadata))

    def edge(cause, effect, kind, weight=1.0):
        return str(database.value("SELECT reason.add_edge(%s, %s, %s, %s, division => %s)", cause, effect, kind, weight, division))

    made = {
        "seen": node("observation", {"text": "it rains"}, metadata={"tags": ["weather", "today"], "confidence": 1}),
        "guess": node("hypothesis", {"text": "the street is wet"}, metadata={"confidence": 0.75}),
        "decision": node("decision", {"take": "umbrella", "mail": "ada@example.org"}, author="ada@example.org"),
        "action": node("action", "x" * 6000),
        "right": node("correction", {"text": "it snows"}),
    }
    made["causal"] = edge(made["seen"], made["guess"], "causal", 0.5)
    made["supports"] = edge(made["guess"], made["decision"], "supports", 2)
    made["derived"] = edge(made["decision"], made["action"], "derivedFrom")
    made["corrects"] = edge(made["right"], made["seen"], "corrects")
    made["note"] = str(database.value("SELECT reason.annotate(%s, 'so it was', author => 'bob', division => %s)", made["decision"], division))
    return made


def write_chain(database, count, division="default"):
    """So many nodes, each the cause of the next, in one go: twice so many events, less one."""
    ids = [str(uuid.uuid4()) for _ in range(count)]
    nodes = [{"id": one, "type": "score", "author": "tester", "division": division, "payload": number} for number, one in enumerate(ids)]
    edges = [{"from": cause, "to": effect, "type": "causal", "division": division} for cause, effect in zip(ids, ids[1:])]
    for first in range(0, count, 1000):
        database.rows("SELECT reason.add_nodes(%s)", json.dumps({"nodes": nodes[first:first + 1000]}))
    for first in range(0, count - 1, 1000):
        database.rows("SELECT reason.add_edges(%s)", json.dumps({"edges": edges[first:first + 1000]}))


def mark(database, name="graph", division="default"):
    return database.value("SELECT seq FROM reason.mirror_mark WHERE target = %s AND division = %s", name, division)


def mirrored(database, seconds=60, name="graph", divisions=("default",)):
    """Waits until the mirror has all that is signed."""
    database.settled(seconds)
    for division in divisions:
        head = database.value("SELECT max(seq) FROM reason.audit_signature WHERE division = %s", division)
        wait_for(lambda: mark(database, name, division) == head, seconds, f"the mirror's reaching event {head} of {division}; it is at {mark(database, name, division)}")


def check(sidecar, *options, name="graph"):
    """What --mirror-check says: whether all is well, and its lines."""
    ran = subprocess.run([SIDECAR, "--mirror-check", name, *options, sidecar.path], env=sidecar.environment, capture_output=True, text=True, timeout=300, check=False)
    return ran.returncode == 0, ran.stdout + ran.stderr


def same(sidecar, name="graph"):
    ok, said = check(sidecar, "--all", name=name)
    assert ok, said
    return said


def rebuild(sidecar, name="graph"):
    return subprocess.run([SIDECAR, "--mirror-rebuild", name, sidecar.path], env=sidecar.environment, capture_output=True, text=True, timeout=300, check=False)
