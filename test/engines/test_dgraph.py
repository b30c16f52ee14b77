"""A mirror in a counterpart that answers as Dgraph's documentation says (test/lib/dgraph_facts.py), for no registry has Dgraph itself."""

import json
import re

import pytest

from dgraph_facts import DgraphFacts
from hostile import Hostile
from mirrors import check, mirrored, rebuild, same, write_chain, write_graph
from paths import ROOT
from wait import wait_for

NODES = "{ found(func: eq(reason.id, %s)) { reason.type reason.author reason.payload reason.tags reason.erased %s } }"


@pytest.fixture
def graph():
    facts = DgraphFacts(token="a-token")
    front = Hostile(facts, lambda method, path, query: path)
    front.facts = facts
    yield front
    front.close()


@pytest.fixture
def mirroring(settings, graph, tmp_path):
    (tmp_path / "dgraph").write_text("token = a-token\n")
    (tmp_path / "dgraph").chmod(0o600)
    return {**settings, "mirror graph": {"type": "dgraph", "url": graph.url, "credentials_file": tmp_path / "dgraph", "timeout_ms": 3000, "payloads": "redacted"}}


def of(graph, node, more=""):
    """The one node of this id."""
    found, = graph.facts.ask(NODES % (json.dumps(node), more))["found"]
    return found


def altered(graph, key, predicate, values):
    uid = next(uid for uid, record in graph.facts.data.items() if record["reason.key"] == [key])
    before = graph.facts.data[uid].get(predicate)
    if values is None:
        graph.facts.data[uid].pop(predicate)
    else:
        graph.facts.data[uid][predicate] = values
    return before


def test_what_is_written_shows_in_the_graph_store(database, sidecars, mirroring, graph):
    made = write_graph(database)
    one = sidecars(mirroring).start()
    mirrored(database)
    assert "0 differences" in same(one)
    assert sorted(of(graph, made["seen"])["reason.tags"]) == ["today", "weather"]
    decision = of(graph, made["decision"], "~reason.supports { reason.id } reason.derivedFrom { reason.id } ~reason.annotates { reason.id }")
    assert decision == {"reason.type": "decision", "reason.author": "[redacted:email]", "reason.payload": '{"mail":"[redacted:email]","take":"umbrella"}',
                        "~reason.supports": [{"reason.id": made["guess"]}], "reason.derivedFrom": [{"reason.id": made["action"]}], "~reason.annotates": [{"reason.id": made["note"]}]}
    edge = graph.facts.ask("{ found(func: eq(reason.id, %s)) { reason.weight reason.from { reason.id } reason.to { reason.id } } }" % json.dumps(made["causal"]))["found"]
    assert edge == [{"reason.weight": 0.5, "reason.from": {"reason.id": made["seen"]}, "reason.to": {"reason.id": made["guess"]}}]
    assert {path: kind for path, kind in graph.facts.requests} == {"/alter": "application/dql", "/query": "application/json", "/mutate?commitNow=true": "application/json"}
    database.value("SELECT reason.erase_payload(%s, 'asked for')", made["decision"])
    mirrored(database)
    erased = of(graph, made["decision"])
    assert erased["reason.erased"] is True and "reason.payload" not in erased
    same(one)


def test_a_mirror_altered_by_hand_is_named_and_rebuilt(database, sidecars, mirroring, graph):
    made = write_graph(database)
    one = sidecars(mirroring).start()
    mirrored(database)
    for key, predicate, values, says in [(made["guess"], "reason.author", ["eve"], "author"), (made["supports"], "reason.weight", [3.0], "weight"),
                                         (made["seen"], "reason.tags", ["weather"], "tags"), (made["note"], "reason.annotates", [], "leads elsewhere"),
                                         (made["guess"], "reason.supports", None, "its trace lacks"), (made["guess"], "reason.type", ["score"], "score: 1 of them, not 0")]:
        before = altered(graph, f"default/{key}", predicate, values)
        ok, said = check(one, "--all")
        assert not ok and says in said, said
        if predicate != "reason.type":
            altered(graph, f"default/{key}", predicate, before)
            same(one)
    ran = rebuild(one)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    same(one)
    assert all(record.keys() != {"reason.causal"} for record in graph.facts.data.values())


def test_a_mark_that_vanished_or_is_of_another_history_is_not_gone_on_from(database, sidecars, mirroring, graph):
    write_graph(database)
    one = sidecars(mirroring).start()
    mirrored(database)
    for predicate, values, says in [("reason.hash", ["0" * 64], "another history"), ("reason.schema", [99], "another version"), ("reason.key", ["gone"], "its mark has vanished")]:
        altered(graph, "mark:default", predicate, values)
        wait_for(lambda says=says: says in one.log(), 30, says)
        ok, said = check(one)
        assert not ok and "mark" in said, said
        assert rebuild(one).returncode == 0
        mirrored(database)
        same(one)


def test_an_edge_without_its_ends_is_parked_and_given_again(database, sidecars, mirroring, graph):
    made = write_graph(database)
    one = sidecars(mirroring).start()
    mirrored(database)
    altered(graph, f"default/{made['guess']}", "reason.key", ["away"])
    edge = str(database.value("SELECT reason.add_edge(%s, %s, 'causal')", made["guess"], made["action"]))
    database.nodes(5)
    mirrored(database)
    parked = database.rows("SELECT reason FROM reason.mirror_parked")
    assert len(parked) == 1 and "is not in the mirror" in parked[0][0], parked
    altered(graph, "away", "reason.key", [f"default/{made['guess']}"])
    ok, said = check(one, "--all")
    assert not ok and f"edge default/{edge}: is missing" in said, said
    assert database.value("SELECT reason.retry_mirrored('graph', 'default')") == 1
    wait_for(lambda: database.value("SELECT count(*) FROM reason.mirror_parked") == 0, 30, "what was parked to be taken")
    same(one)


def test_a_target_that_answers_nonsense_is_not_believed(database, sidecars, mirroring, graph):
    """Whatever it answers to whichever request, and whether it did what was asked or not."""
    one = sidecars(mirroring).start()
    database.node()
    mirrored(database)
    spoilt = [(answer, kinds) for kinds in (("/mutate",), ("/query", "/mutate"))
              for answer in ("html", "nothing", "an error in JSON", "an empty object", "a list", "truncated", "lost", "reset", "too much")]
    for answer, kinds in spoilt:
        graph.spoil(answer, *kinds)
        database.node(answer)
        database.settled(60)
        wait_for(lambda: graph.count > 0, 60, f"an answer of {answer}")
        graph.be_sane()
        mirrored(database)
    assert one.metric('reason_sidecar_failures_total{kind="mirror"}') > 0
    assert graph.facts.ask('{ all(func: eq(reason.division, "default")) { count(uid) } }') == {"all": [{"count": len(spoilt) + 1}]}
    same(one)


def test_kills_of_the_sidecar_lose_and_double_nothing(database, sidecars, mirroring, graph):
    mirroring["mirror graph"].update(batch_size=20)
    write_chain(database, 60)
    one = sidecars(mirroring).start(ready=False)
    for _ in range(3):
        before = len(graph.facts.requests)
        wait_for(lambda before=before: len(graph.facts.requests) > before + 3, 60, "progress")
        one.kill()
        one = sidecars(mirroring).start(ready=False)
    mirrored(database, 120)
    assert graph.facts.ask('{ all(func: eq(reason.division, "default")) { count(uid) } }') == {"all": [{"count": 119}]}
    same(one)


def test_the_documented_questions_name_what_is_there(database, sidecars, mirroring, graph):
    """Dgraph itself would have to run them; but each predicate is in the schema, with the index or the way back that it is used by."""
    write_graph(database)
    sidecars(mirroring).start()
    mirrored(database)
    questions = re.findall(r"```dql\n(.*?)\n```", (ROOT / "docs/for-analysts/graph-engines.md").read_text(), re.S)
    assert len(questions) == 5
    for question in questions:
        assert set(re.findall(r"reason\.\w+", question)) <= graph.facts.kinds.keys(), question
        assert set(re.findall(r"type\((\w+)\)", question)) <= graph.facts.types.keys(), question
        for use, needs in ((r"~(reason\.\w+)", "@reverse"), (r"(?:eq|le)\((reason\.\w+)", "@index(exact)")):
            for predicate in re.findall(use, question):
                assert needs in graph.facts.indexed[predicate], (predicate, question)
