"""A mirror in JanusGraph shows what the database says, whichever part fails."""

import pytest

from mirrors import check, mirrored, rebuild, same, write_chain, write_graph
from wait import wait_for


@pytest.fixture
def graph(janusgraph):
    janusgraph.wipe()
    return janusgraph


@pytest.fixture
def mirroring(settings, graph):
    return {**settings, "mirror graph": graph.settings(payloads="redacted")}


def test_what_is_written_shows_in_the_graph_store(database, sidecars, mirroring, graph):
    made = write_graph(database)
    one = sidecars(mirroring).start()
    mirrored(database)
    assert "0 differences" in same(one)
    assert graph.ask("g.V().has('id', which).label().toList()", which=made["seen"]) == ["observation"]
    assert graph.ask("g.V().has('id', which).values('tags').toList()", which=made["seen"]) == ["weather", "today"]
    assert graph.ask("g.V().hasLabel('decision').values('author', 'payload').toList()") == ["[redacted:email]", '{"mail":"[redacted:email]","take":"umbrella"}']
    assert graph.ask("g.V().hasLabel('observation').outE('causal').values('weight').toList()") == [0.5]
    assert graph.ask("g.V().hasLabel('ReasonAnnotation').out('annotates').values('id').toList()") == [made["decision"]]
    database.value("SELECT reason.erase_payload(%s, 'asked for')", made["decision"])
    mirrored(database)
    assert graph.ask("g.V().has('erased', true).valueMap('id', 'payload').toList()") == [{"id": [made["decision"]]}]
    same(one)


def test_a_mirror_altered_by_hand_is_named_and_rebuilt(database, sidecars, mirroring, graph):
    made = write_graph(database)
    one = sidecars(mirroring).start()
    mirrored(database)
    for alter, says in [("g.V().hasLabel('hypothesis').property('author', 'eve').iterate(); [1]", f"node default/{made['guess']}: author"),
                        ("g.E().hasLabel('supports').drop().iterate(); [1]", f"edge default/{made['supports']}: is missing"),
                        ("g.addV('score').property('division', 'default').property('kind', 'node').iterate(); [1]", "node score: 1 of them, not 0")]:
        graph.ask(alter)
        ok, said = check(one, "--all")
        assert not ok and says in said, said
    ran = rebuild(one)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    same(one)


def test_kills_of_sidecar_and_target_lose_and_double_nothing(database, sidecars, mirroring, graph):
    mirroring["mirror graph"].update(batch_size=50, timeout_ms=10000)
    one = sidecars(mirroring).start()
    write_chain(database, 400)
    for number in range(4):
        before = database.value("SELECT coalesce(sum(seq), 0) FROM reason.mirror_mark")
        wait_for(lambda before=before: database.value("SELECT coalesce(sum(seq), 0) FROM reason.mirror_mark") > before or database.waiting() == 0, 120, "progress")
        one.kill()
        if number == 2 and graph.process:
            graph.kill()
            graph.start()
        one = sidecars(mirroring).start(ready=False)
    mirrored(database, 300)
    assert graph.ask("[g.V().has('kind', 'node').count().next(), g.E().hasLabel('causal').count().next()]") == [400, 399]
    same(one)
