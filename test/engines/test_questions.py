"""The questions of docs/for-analysts/graph-engines.md have the same answers in every engine."""

import re

import pytest

from mirrors import mirrored
from paths import ROOT

PAGE = (ROOT / "docs" / "for-analysts" / "graph-engines.md").read_text()
QUESTIONS = {title: dict(re.findall(r"```(\w+)\n(.*?)\n```", text, re.DOTALL))
             for title, text in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE) if "```sql" in text}


def write(database):
    """Two diamonds, one above the other, and an edge that contradicts."""
    def node(kind):
        return str(database.value("SELECT reason.add_node(%s, '1', 'ada')", kind))

    def edge(cause, effect, kind="causal"):
        database.value("SELECT reason.add_edge(%s, %s, %s)", nodes[cause], nodes[effect], kind)

    nodes = {name: node(kind) for name, kind in
             [("a", "observation"), ("b", "hypothesis"), ("c", "hypothesis"), ("d", "score"), ("e", "recommendation"), ("f", "recommendation"), ("g", "decision")]}
    for cause, effect, kind in [("a", "b", "causal"), ("a", "c", "supports"), ("b", "d", "causal"), ("c", "d", "derivedFrom"), ("d", "e", "influencedBy"), ("e", "g", "causal")]:
        edge(cause, effect, kind)
    moment = database.value("SELECT reason.rfc3339(clock_timestamp())")
    late = node("observation")
    nodes["late"] = late
    edge("late", "e")
    edge("f", "g", "contradicts")
    return nodes, moment


def sql(database, question, values):
    for name, value in values.items():
        question = question.replace(f"${name}", f"'{value}'")
    return [str(row[0]) for row in database.rows(question)]


def asked(nodes, moment, title):
    """What is asked about, and the names of the nodes that must come."""
    node, answer = {"Causes": ("g", "abcdef"), "Effects, two steps deep": ("a", "bcd"), "The shortest way from a cause to an effect": ("d", "deg"),
                    "As of a moment": ("g", "abcde"), "Impact": ("a", "bcdeg")}[title]
    values = {"node": nodes[node], "other": nodes["g"], "moment": moment}
    return values, {nodes[name] for name in answer} | ({nodes["late"]} if title == "Causes" else set())


@pytest.fixture(params=["neo4j", "janusgraph"])
def engine(request, settings, sidecars, database):
    graph = request.getfixturevalue(request.param)
    graph.wipe()
    nodes, moment = write(database)
    sidecars({**settings, "mirror graph": graph.settings()}).start()
    mirrored(database)
    return request.param, graph, nodes, moment


def test_every_question_has_the_same_answer(database, engine):
    name, graph, nodes, moment = engine
    assert len(QUESTIONS) == 5
    for title, forms in QUESTIONS.items():
        values, expected = asked(nodes, moment, title)
        assert set(sql(database, forms["sql"], values)) == expected, title
        if name == "neo4j":
            found = [row[0] for row in graph.ask(forms["cypher"], **values)]
        else:
            found = graph.ask(forms["gremlin"], **values)
        assert len(found) == len(set(found)) and set(found) == expected, (title, found)
