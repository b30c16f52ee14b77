"""One rule for types, wherever they are given: case does not matter, and an unknown type is refused with the list."""
import json

import psycopg
import pytest

CALLER = "'reader', 'CN=ca', NULL, 'r', NULL"


@pytest.fixture(scope="module")
def ids(db):
    db("SELECT reason.set_client('reader', 'reader', '{*}', true)")
    cause = db.one("SELECT reason.add_node('Observation', '1', 'a')")
    effect = db.one("SELECT reason.add_node('POLICYCHECK', '1', 'a')")
    db("SELECT reason.add_edge(%s, %s, 'DERIVEDfrom')", cause, effect)
    return cause, effect


# What asks for types of nodes, and of edges; %s is the start, {} the type.
NODES = ["reason.trace(%s, types => '{{{}}}')", "reason.trace_size(%s, types => '{{{}}}')", "reason.trace_json(%s, types => '{{{}}}')",
         f"reason.http_get_trace({CALLER}, (%s)::uuid::text, '{{{{\"types\": \"{{}}\"}}}}')",
         f"(SELECT (%s)::uuid) s, reason.http_post_query({CALLER}, '{{{{\"filters\": {{{{\"types\": [\"{{}}\"]}}}}}}}}')"]
EDGES = ["reason.trace(%s, edge_types => '{{{}}}')", "reason.trace_size(%s, edge_types => '{{{}}}')", "reason.trace_json(%s, edge_types => '{{{}}}')",
         "reason.causal_path((SELECT from_id FROM reason.ordered_trace(%s) WHERE entity_type = 'edge'), (SELECT id FROM reason.node WHERE type = 'policyCheck'), edge_types => '{{{}}}')",
         f"reason.http_get_trace({CALLER}, (%s)::uuid::text, '{{{{\"edgeTypes\": \"{{}}\"}}}}')"]


def answer(db, call, ids, name):
    return [tuple(str(value) for value in row) for row in db(f"SELECT * FROM {call.format(name)}", ids[1])]


@pytest.mark.parametrize("call, name", [(call, "observation") for call in NODES] + [(call, "derivedFrom") for call in EDGES])
def test_case_does_not_matter(db, ids, call, name):
    expected = answer(db, call, ids, name)
    assert expected and str(ids[0])[:8] in json.dumps(expected) + str(ids[0])[:8] * ("size" in call)
    for other in (name.lower(), name.upper(), name.capitalize()):
        assert answer(db, call, ids, other) == expected


@pytest.mark.parametrize("call, kind, listed", [(call, "node", "hypothesis") for call in NODES] + [(call, "edge", "contradicts") for call in EDGES])
def test_what_is_no_type_is_refused_with_the_list(db, ids, call, kind, listed):
    for name in ("decisions", "supports" if kind == "node" else "decision"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=f"unknown {kind} type") as refused:
            answer(db, call, ids, name)
        assert listed in refused.value.diag.message_hint


def test_a_policy_rule_names_types_that_there_are(db):
    """One that can match nothing would let everything through."""
    db("SELECT reason.set_policy_rule('r', '{node.create}', '{Decision}')")
    assert db.one("SELECT types FROM reason.policy_rule WHERE name = 'r'") == ["decision"]
    db("SELECT reason.set_policy_rule('r', '{node.create,edge.create}', '{Decision,CAUSAL}')")
    assert db.one("SELECT types FROM reason.policy_rule WHERE name = 'r'") == ["decision", "causal"]
    for actions, types in (("{node.create}", "{descision}"), ("{edge.create}", "{decision}"), ("{node.create,edge.create}", "{decision,casual}")):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="unknown .* type"):
            db("SELECT reason.set_policy_rule('r', %s, %s)", actions, types)
    db("SELECT reason.set_policy_rule('r', '{annotation.create}', '{rating}', enabled => false)")
