"""What filters could never find is refused where it stands: confidence, tags, weights, names of divisions; in every form of writing."""
import json
import math
import random
import struct

import psycopg
import pytest

CALLER = "'writer', 'CN=ca', NULL, 'r', NULL"
A, B = "00000000-0000-7000-8000-0000000000a1", "00000000-0000-7000-8000-0000000000a2"
METADATA = [("confidence", value) for value in ("95", "-1", "1.0000000001", "-1e-300", '"0.5"', "true", "[0.5]", "{}")] + \
           [("tags", value) for value in ('"a,b"', '"a"', "{}", "1", "true")] + [("tags/1", '["a", 1]'), ("tags/0", "[null]"), ("tags/0", '[""]'), ("tags/0", '[["a"]]')]


@pytest.fixture(scope="module")
def graph(db):
    db("SELECT reason.set_client('writer', 'writer', '{*}')")
    for node in (A, B):
        db("SELECT reason.add_node('observation', '1', 'a', id => %s)", node)
    return db


def node(metadata):
    return '{"type": "action", "author": "a", "payload": 1, "metadata": %s}' % metadata


def edge(metadata):
    return '{"from": "%s", "to": "%s", "type": "causal", "metadata": %s}' % (A, B, metadata)


def http(route, body):
    return "SELECT * FROM reason.http_post_%s(%s, %s%%s, NULL, NULL, NULL)" % (route, CALLER, f"'{A}', " if route == "annotation" else ""), body


# Every form of writing: a statement and its parameter, and where the metadata stand in what is read.
FORMS = {
    "add_node": lambda m: ("SELECT reason.add_node('action', '1', 'a', metadata => %s)", m, "/metadata"),
    "add_nodes": lambda m: ("SELECT reason.add_nodes(%s)", '{"nodes": [%s, %s]}' % (node("{}"), node(m)), "/nodes/1/metadata"),
    "add_edge": lambda m: (f"SELECT reason.add_edge('{A}', '{B}', 'causal', metadata => %s)", m, "/metadata"),
    "add_edges": lambda m: ("SELECT reason.add_edges(%s)", '{"edges": [%s, %s]}' % (edge("{}"), edge(m)), "/edges/1/metadata"),
    "annotate": lambda m: (f"SELECT reason.annotate('{A}', 'n', metadata => %s)", m, "/metadata"),
    "POST node": lambda m: (*http("node", node(m)), "/metadata"),
    "POST nodes": lambda m: (*http("nodes", '{"nodes": [%s]}' % node(m)), "/nodes/0/metadata"),
    "POST edge": lambda m: (*http("edge", edge(m)), "/metadata"),
    "POST edges": lambda m: (*http("edges", '{"edges": [%s]}' % edge(m)), "/edges/0/metadata"),
    "POST annotate": lambda m: (*http("annotation", '{"note": "n", "metadata": %s}' % m), "/metadata"),
}


@pytest.mark.parametrize("form", FORMS)
def test_metadata_that_no_filter_finds_are_refused_where_they_stand(graph, form):
    before = graph.one("SELECT count(*) FROM reason.audit_event")
    for pointer, value in METADATA:
        statement, parameter, place = FORMS[form]('{"%s": %s}' % (pointer.split("/")[0], value))
        with pytest.raises(psycopg.errors.InvalidParameterValue) as refused:
            graph(statement, parameter)
        assert json.loads(refused.value.diag.message_detail)["pointer"] == f"{place}/{pointer}", value
    assert graph.one("SELECT count(*) FROM reason.audit_event") == before
    for value in ('{"confidence": 0, "tags": []}', '{"confidence": 1.0, "tags": ["a,b", "ä"], "mine": [1]}', '{"confidence": null, "tags": null}'):
        statement, parameter, _ = FORMS[form](value)
        graph(statement, parameter)


# Every way to ask for a confidence.
ASKED = {
    "trace": f"SELECT * FROM reason.trace('{A}', min_confidence => %s)",
    "trace_from": f"SELECT * FROM reason.trace_from('{{{A}}}', min_confidence => %s)",
    "trace_size": f"SELECT * FROM reason.trace_size('{A}', min_confidence => %s)",
    "GET trace": f"SELECT * FROM reason.http_get_trace({CALLER}, '{A}', json_build_object('minConfidence', %s::text)::text)",
    "query min": f"SELECT * FROM reason.http_post_query({CALLER}, json_build_object('filters', json_build_object('minConfidence', %s::float8))::text)",
    "query max": f"SELECT * FROM reason.http_post_query({CALLER}, json_build_object('filters', json_build_object('maxConfidence', %s::float8))::text)",
    "query range": f"SELECT * FROM reason.http_post_query({CALLER}, "
                   "json_build_object('filters', json_build_object('confidence', json_build_object('min', %s::float8)))::text)",
}


@pytest.mark.parametrize("way", ASKED)
def test_a_confidence_that_nothing_can_have_is_not_asked_for(graph, way):
    for confidence in ("95", "-1", "1.0000001", "-0.0001"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="must be a number from 0 to 1"):
            graph(ASKED[way], confidence)
    for confidence in ("0", "1", "0.5"):
        graph(ASKED[way], confidence)


def test_weights_are_finite_numbers(graph):
    for weight in ("NaN", "Infinity", "-Infinity"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="weight"):
            graph("SELECT reason.add_edge(%s, %s, 'causal', %s)", A, B, float(weight))
    for weight in ('"1"', "true", "[1]"):
        with pytest.raises(psycopg.errors.InvalidParameterValue) as refused:
            graph("SELECT reason.add_edges(%s)", '{"edges": [{"from": "%s", "to": "%s", "type": "causal", "weight": %s}]}' % (A, B, weight))
        assert '"pointer":"/edges/0/weight"' in refused.value.diag.message_detail
    for weight in (-1.5, 0, 1e300):
        graph("SELECT reason.add_edge(%s, %s, 'causal', %s)", A, B, weight)


def test_every_finite_double_can_be_a_weight_and_is_kept_exactly(graph):
    bits = random.Random(20261129)
    weights = [float(f"1e{exponent}") for exponent in range(-323, 309)] + [5e-324, 1.7976931348623157e308, -0.1, 2.0**53 + 2]
    weights += [w for w in struct.unpack("<2000d", bits.randbytes(16000)) if math.isfinite(w)]
    edges = graph.connection.execute("SELECT w, reason.add_edge(%s, %s, 'causal', w) FROM unnest(%s::float8[]) w", (A, B, weights)).fetchall()
    assert len(edges) == len(weights)
    kept = dict(graph.connection.execute("SELECT id, weight FROM reason.edge WHERE id = ANY (%s)", ([edge for _, edge in edges],)).fetchall())
    assert all(kept[edge] == weight for weight, edge in edges)


BAD_NAMES = ["a..b", "..", "a..", "", ".a", "-a", "a/b", "a b", "a\n", "ä", "x" * 64]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_division_that_could_never_be_stored_is_refused_at_once(graph, name):
    refused = (psycopg.errors.InvalidParameterValue, psycopg.errors.ProgramLimitExceeded)
    for statement, parameter in (("SELECT reason.add_node('action', '1', 'a', %s)", name),
                                 http("node", json.dumps({"type": "action", "author": "a", "payload": 1, "division": name})),
                                 http("nodes", json.dumps({"nodes": [{"type": "action", "author": "a", "payload": 1, "division": name}]})),
                                 ("SELECT reason.set_client('other', 'writer', ARRAY[%s])", name), ("SELECT reason.grant_division('reason_reader', %s)", name),
                                 ("SELECT reason.set_quota('writer', %s, 1)", name), ("SELECT reason.set_archive_rule(%s, 1)", name)):
        with pytest.raises(refused):
            graph(statement, parameter)


@pytest.mark.parametrize("name", ["a.b", "A-b_c.9", "x" * 63, "a.", "0"])
def test_a_division_by_the_rule_is_taken_everywhere(graph, name):
    graph("SELECT reason.add_node('action', '1', 'a', %s)", name)
    graph("SELECT reason.set_client('other', 'writer', ARRAY[%s, '*'])", name)
    graph("SELECT reason.grant_division('reason_reader', %s)", name)
    graph("SELECT reason.set_archive_rule(%s, 1)", name)


@pytest.mark.parametrize("name", ["", "a\nb", "a\x7f", "x" * 256])
def test_a_client_has_a_name_that_logs_can_show(graph, name):
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="name"):
        graph("SELECT reason.set_client(%s, 'reader')", name)
