"""A mirror in Neo4j shows what the database says, whichever part fails."""

import os
import random
import signal
import time

import pytest

from hostile import Hostile
from mirrors import check, mark, mirrored, rebuild, same, write_chain, write_graph
from wait import wait_for


@pytest.fixture
def mirroring(settings, graph):
    return {**settings, "mirror graph": graph.settings()}


def test_what_is_written_shows_in_the_graph_store(database, sidecars, mirroring, graph):
    made = write_graph(database)
    one = sidecars(mirroring).start()
    mirrored(database)
    assert "0 differences" in same(one)
    [[node]] = graph.ask("MATCH (n:ReasonNode:observation {id: $id}) RETURN properties(n)", id=made["seen"])
    digest, event = database.rows("SELECT encode(digest, 'hex'), audit_event_id::text FROM reason.node WHERE id = %s", made["seen"])[0]
    assert node["tags"] == ["weather", "today"] and node["confidence"] == 1.0 and node["author"] == "ada" and node["division"] == "default"
    assert (node["digest"], node["auditEventId"]) == (digest, event) and node["createdAt"].endswith("Z")
    assert "payload" not in node
    # personal data does not leave by the author's name
    assert graph.ask("MATCH (n:decision) RETURN n.author") == [["[redacted:email]"]]
    assert graph.ask("MATCH (:observation)-[e:causal]->(:hypothesis) RETURN e.id, e.weight") == [[made["causal"], 0.5]]
    assert graph.ask("MATCH (:correction)-[e:corrects]->(n) RETURN n.id") == [[made["seen"]]]
    assert graph.ask("MATCH (a:ReasonAnnotation)-[:annotates]->(n) RETURN a.id, n.id, a.author") == [[made["note"], made["decision"], "bob"]]
    assert one.metric("reason_sidecar_events_mirrored_total") >= 10
    wait_for(lambda: one.metric('reason_sidecar_queue_depth{duty="mirror"}') == 0, 10, "no lag")
    assert one.metric('reason_sidecar_leading{duty="mirror"}') == 1


def test_constraints_and_indices_are_made(database, sidecars, mirroring, graph):
    write_graph(database)
    sidecars(mirroring).start()
    mirrored(database)
    unique = {(tuple(labels), tuple(properties)) for labels, properties in graph.ask("SHOW CONSTRAINTS YIELD labelsOrTypes, properties RETURN labelsOrTypes, properties")}
    assert {(("ReasonNode",), ("key",)), (("ReasonMark",), ("division",)), (("causal",), ("key",)), (("corrects",), ("key",))} <= unique
    indexed = {properties[0] for [properties] in graph.ask("SHOW INDEXES YIELD labelsOrTypes, properties WHERE 'ReasonNode' IN labelsOrTypes RETURN properties")}
    assert {"id", "author", "createdAt", "tags"} <= indexed


@pytest.mark.parametrize("payloads", ["redacted", "whole"])
def test_contents_are_shown_where_configured_and_go_when_erased(database, sidecars, mirroring, graph, payloads):
    made = write_graph(database)
    mirroring["mirror graph"]["payloads"] = payloads
    one = sidecars(mirroring).start()
    mirrored(database)
    [[shown]] = graph.ask("MATCH (n:decision) RETURN n.payload")
    assert ("ada@example.org" in shown) == (payloads == "whole") and "umbrella" in shown
    assert graph.ask("MATCH (n:action) RETURN n.payload, n.payloadOmitted") == [[None, True]]
    database.value("SELECT reason.erase_payload(%s, 'asked for')", made["decision"])
    database.value("SELECT reason.erase_annotation(%s, 'asked for')", made["note"])
    mirrored(database)
    assert graph.ask("MATCH (n) WHERE n.erased RETURN n.id, n.payload ORDER BY n.id") == sorted([[made["decision"], None], [made["note"], None]])
    same(one)


def test_what_is_in_quarantine_is_hidden_until_it_is_released(database, sidecars, mirroring, graph):
    made = write_graph(database)
    answer = "encode('{\"decision\": \"quarantine\", \"reason\": \"r\", \"rationale\": {}, \"policy_id\": \"p\", \"policy_version\": \"1\"}', 'base64')"
    database.value("SELECT reason.set_client('kernel', 'writer', '{*}', true, 'CN=ca', 'spiffe://k', true)")
    database.value("SELECT reason.set_policy_rule(name => 'asks', actions => '{node.create}', division_pattern => 'default', types => '{decision}')")
    database.value("SELECT (reason.http_post_node(client_cn => 'kernel', client_issuer => 'CN=ca', client_san => 'spiffe://k', request_id => 'r', traceparent => NULL,"
                   " request_body => '{\"type\": \"decision\", \"author\": \"k\", \"payload\": {\"secret\": 1}}', idempotency_key => NULL, policy_status => '200',"
                   f" policy_answer => {answer})).status")
    held = str(database.value("SELECT id FROM reason.node WHERE type = 'decision' ORDER BY no DESC LIMIT 1"))
    database.value("SELECT reason.add_edge(%s, %s, 'influencedBy')", made["seen"], held)
    database.value("SELECT reason.annotate(%s, 'of what is held')", held)
    one = sidecars(mirroring).start()
    mirrored(database)
    assert graph.ask("MATCH (n:decision) RETURN n.id") == [[made["decision"]]]
    assert graph.ask("MATCH ()-[e:influencedBy]->() RETURN count(e)") == [[0]] and graph.ask("MATCH (n:policyCheck) RETURN count(n)") == [[0]]
    assert graph.ask("MATCH (a:ReasonAnnotation) RETURN count(a)") == [[1]]
    same(one)
    database.value("SELECT reason.release_quarantine(%s, 'it is fine')", held)
    mirrored(database)
    assert graph.ask("MATCH (n:observation)-[:influencedBy]->(d:decision)<-[:annotates]-(a) RETURN d.id, count(a)") == [[held, 1]]
    same(one)


def test_a_mirror_altered_by_hand_is_named_and_rebuilt(database, sidecars, mirroring, graph):
    made = write_graph(database)
    one = sidecars(mirroring).start()
    mirrored(database)
    for alter, says in [("MATCH (n:hypothesis) SET n.author = 'eve'", f"node default/{made['guess']}: author"),
                        ("MATCH (n:hypothesis) SET n.author = 'ada', n.more = 1", "has a property more"),
                        ("MATCH (n:hypothesis) REMOVE n.more SET n:decision", "decision: 2 of them, not 1"),
                        ("MATCH (n:hypothesis) REMOVE n:decision WITH n MATCH (n)-[e:supports]->() DELETE e", f"edge default/{made['supports']}: is missing"),
                        ("CREATE (:ReasonNode:score {key: 'default/' + randomUUID()})", "node score: 1 of them, not 0"),
                        ("MATCH (n:score) DETACH DELETE n WITH 1 AS one MATCH (a:ReasonAnnotation) DETACH DELETE a", "annotation annotation: 0 of them, not 1")]:
        graph.ask(alter)
        ok, said = check(one, "--all")
        assert not ok and says in said, said
    ran = rebuild(one)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "a sidecar feeds the mirror" in ran.stdout and "of " in ran.stdout
    same(one)


def test_a_rebuild_without_a_sidecar_feeds_by_itself(database, sidecars, mirroring, graph):
    write_graph(database)
    one = sidecars(mirroring).start()
    mirrored(database)
    one.stop()
    graph.ask("MATCH (n:ReasonNode:hypothesis) SET n.author = 'eve'")
    ran = rebuild(one)
    assert ran.returncode == 0 and "this process does" in ran.stdout, ran.stdout + ran.stderr
    assert "[##############################]" in ran.stdout
    same(one)


def test_a_mark_that_vanished_or_is_of_another_history_is_not_gone_on_from(database, sidecars, mirroring, graph):
    write_graph(database)
    one = sidecars(mirroring).start()
    mirrored(database)
    for alter, says in [("MATCH (m:ReasonMark {division: 'default'}) SET m.hash = left('0' + m.hash, 64)", "another history"),
                        ("MATCH (m:ReasonMark {division: 'default'}) SET m.schema = 99", "another version"),
                        ("MATCH (m:ReasonMark {division: 'default'}) DELETE m", "its mark has vanished")]:
        graph.ask(alter)
        database.nodes(1)
        wait_for(lambda says=says: says in one.log(), 30, says)
        assert one.metric('reason_sidecar_failures_total{kind="mirror_diverged"}') > 0
        ok, said = check(one)
        assert not ok and "mark" in said, said
        assert rebuild(one).returncode == 0
        mirrored(database)
        same(one)


def test_what_the_target_refuses_is_parked_and_given_again(database, sidecars, mirroring, graph):
    graph.ask("CREATE CONSTRAINT in_the_way FOR (n:hypothesis) REQUIRE n.author IS UNIQUE")
    try:
        first, second = (database.value("SELECT reason.add_node('hypothesis', '1', 'ada')") for _ in range(2))
        effect = database.node()
        for cause in (first, second):
            database.value("SELECT reason.add_edge(%s, %s, 'causal')", cause, effect)
        database.nodes(50)
        one = sidecars(mirroring).start()
        mirrored(database)
        parked = database.rows("SELECT seq, reason FROM reason.mirror_parked ORDER BY seq")
        assert [seq for seq, _ in parked] == [1, 4] and "ConstraintValidationFailed" in parked[0][1] and "is not in the mirror" in parked[1][1]
        wait_for(lambda: one.metric('reason_sidecar_parked{duty="mirror"}') == 2, 10, "the parked events to show")
        ok, said = check(one, "--all")
        assert not ok and f"node default/{second}: is missing" in said, said
    finally:
        graph.ask("DROP CONSTRAINT in_the_way")
    assert database.value("SELECT reason.retry_mirrored('graph', 'default')") == 2
    wait_for(lambda: database.value("SELECT count(*) FROM reason.mirror_parked") == 0, 30, "what was parked to be taken")
    same(one)


def test_a_target_that_answers_nonsense_is_not_believed(database, sidecars, mirroring, graph):
    front = Hostile(graph.port)
    mirroring["mirror graph"].update(url=front.url, timeout_ms=3000)
    one = sidecars(mirroring).start()
    database.node()
    mirrored(database)
    try:
        for answer in ("html", "nothing", "an error in JSON", "an empty object", "a list", "truncated", "lost", "reset", "compressed", "too much"):
            front.spoil(answer)
            database.node(answer)
            database.settled(60)
            wait_for(lambda: front.count > 0, 60, f"an answer of {answer}")
            front.be_sane()
            mirrored(database)
        assert one.metric('reason_sidecar_failures_total{kind="mirror"}') > 0
        assert graph.ask("MATCH (n:ReasonNode) RETURN count(n)") == [[11]]
        same(one)
    finally:
        front.close()


def test_a_history_rewritten_to_the_same_length_is_named(database, sidecars, mirroring, graph):
    """Nothing follows the mark, and yet it is looked at: as where a database was restored and grew again, and once more while the sidecar runs."""
    write_graph(database)
    one = sidecars(mirroring).start()
    mirrored(database)
    for restarted in (True, False):
        if restarted:
            one.stop()
        graph.ask("MATCH (m:ReasonMark {division: 'default'}) SET m.hash = left('0' + m.hash, 64)")
        if restarted:
            one = sidecars(mirroring).start(ready=False)
        wait_for(lambda: "another history" in one.log() and one.metric('reason_sidecar_failures_total{kind="mirror_diverged"}') > 0, 30, "the other history to be named")
        assert rebuild(one).returncode == 0
        mirrored(database)
        same(one)


def test_a_type_that_is_none_becomes_part_of_no_statement(database, sidecars, mirroring, graph):
    """Whoever rules the database does not thereby rule the graph store."""
    write_graph(database)
    one = sidecars(mirroring).start()
    mirrored(database)
    database.connection.execute("""CREATE OR REPLACE FUNCTION reason.mirror_node(n reason.node, payloads text, most_bytes integer) RETURNS jsonb LANGUAGE sql STABLE AS $$
        SELECT jsonb_build_object('op', 'node', 'type', 'score:Pwned', 'key', $1.division || '/' || $1.id, 'record', jsonb_build_object('key', $1.division || '/' || $1.id)) $$""")
    database.node()
    wait_for(lambda: "in a form that is not known" in one.log(), 30, "the refusal")
    assert graph.ask("MATCH (n:Pwned) RETURN count(n)") == [[0]]


def test_two_who_feed_at_once_do_no_harm(database, sidecars, mirroring, graph):
    """As a leader does who was paused for longer than its lease."""
    write_chain(database, 500)
    first = sidecars(mirroring).start()
    wait_for(lambda: (mark(database) or -1) >= 0, 60, "a beginning")
    first.signal(signal.SIGSTOP)
    second = sidecars(mirroring).start(ready=False)
    mirrored(database, 120)
    database.nodes(20)
    first.signal(signal.SIGCONT)
    mirrored(database, 60)
    assert graph.ask("MATCH (n:ReasonNode) RETURN count(n)") == [[520]] and graph.ask("MATCH ()-[e:causal]->() RETURN count(e)") == [[499]]
    same(second)


EVENTS = int(os.environ.get("REASON_MIRROR_EVENTS", "3000"))
KILLS = int(os.environ.get("REASON_MIRROR_KILLS", "6"))


def test_kills_of_sidecar_target_and_database_lose_and_double_nothing(database, sidecars, mirroring, graph):
    mirroring["mirror graph"].update(batch_size=max(50, EVENTS // 100))
    one = sidecars(mirroring).start()
    for part in range(4):
        write_chain(database, EVENTS // 8, f"part{part}")
    for number in range(KILLS):
        before = database.value("SELECT coalesce(sum(seq), 0) FROM reason.mirror_mark")
        wait_for(lambda before=before: database.value("SELECT coalesce(sum(seq), 0) FROM reason.mirror_mark") > before or database.waiting() == 0, 120, "progress")
        time.sleep(random.random() / 5)
        one.kill()
        if number == KILLS // 3:
            graph.kill()
            graph.start()
        if number == 2 * KILLS // 3:
            database.server.stop("immediate")
            database.server.start()
            database.connection = database.connect()
        one = sidecars(mirroring).start(ready=False)
    divisions = [f"part{part}" for part in range(4)]
    mirrored(database, 300, divisions=divisions)
    assert graph.ask("MATCH (n:ReasonNode) RETURN count(n)") == [[EVENTS // 8 * 4]]
    assert graph.ask("MATCH (:ReasonNode)-[e]->(:ReasonNode) RETURN count(e)") == [[(EVENTS // 8 - 1) * 4]]
    same(one)
