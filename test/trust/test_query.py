"""What a query finds is what its caller is shown, whatever is hidden beside it."""
import json
import random

import psycopg
import pytest


def ask(db, client, filters, **members):
    body = json.dumps({"filters": filters, **members})
    status, answer = db.row("SELECT status, body FROM reason.http_post_query(%s, NULL, NULL, 'r-1', NULL, %s)", client, body)
    assert status == 200
    return json.loads(answer)


def ask_all(db, client, filters, limit=100):
    """All that is found, page by page, and how many pages that took."""
    found, pages, cursor = [], 0, None
    while pages == 0 or cursor:
        answer = ask(db, client, filters, limit=limit, **({"cursor": cursor} if cursor else {}))
        found += answer["nodes"]
        cursor = answer.get("nextCursor")
        pages += 1
        assert len(answer["nodes"]) <= limit
    return found, pages


@pytest.fixture(scope="module")
def source(db):
    db("SELECT reason.set_client('reader', 'reader', '{default,red}')")
    db("SELECT reason.set_client('auditor', 'auditor', '{*}', true)")
    db("SELECT reason.set_client('blind', 'auditor', '{*}')")
    db.hidden = db.one("SELECT reason.add_node('decision', %s::jsonb, 'ada')",
                       json.dumps({"ssn": "987-65-4321", "note": "ask ada@example.org, she knows", "open": "Grüße 7"}))
    return db


def test_a_hidden_value_is_not_found_by_its_digits(source):
    for text in ("987-65-4321", "987", "9", "4321", "ada@example", "example.org"):
        assert ask(source, "reader", {"text": text})["nodes"] == [], text
        assert len(ask(source, "auditor", {"text": text})["nodes"]) == 1, text


@pytest.mark.parametrize("text", ["[redacted:email]", "she knows", "grüße", "redacted:NATIONAL", 'open": "gr'])
def test_what_is_shown_is_found(source, text):
    assert [n["id"] for n in ask(source, "reader", {"text": text})["nodes"]] == [str(source.hidden)]


def test_a_rule_hides_from_queries_as_it_hides_from_answers(source):
    assert ask(source, "blind", {"text": "Zebra-77"})["nodes"] == []
    node = str(source.one("SELECT reason.add_node('action', '{\"animal\": \"zebra-77\"}', 'ada')"))
    assert [n["id"] for n in ask(source, "blind", {"text": "Zebra-77"})["nodes"]] == [node]
    source("INSERT INTO reason.pii_rule (name, category, member) VALUES ('animal', 'animal', '^animal$')")
    assert ask(source, "blind", {"text": "Zebra-77"})["nodes"] == []
    assert [n["id"] for n in ask(source, "blind", {"text": "[redacted:animal]"})["nodes"]] == [node]
    source("DELETE FROM reason.pii_rule WHERE name = 'animal'")


def test_a_query_gives_what_a_plain_scan_gives(source):
    """Words, punctuation and cases drawn at random, in payloads of every kind, from several divisions."""
    draw = random.Random(7)
    words = ["Alpha", "beta", "GAMMA", "ÄÖ", "日本", "a\"b", "back\\slash", "12.50", "tab\t", "%_"]
    authors = [word for word in words if word.isprintable()]
    nodes = []
    for number in range(300):
        payload = draw.choice([lambda: draw.choice(words), lambda: {draw.choice(words): draw.choice(words) * 2},
                               lambda: [draw.choice(words), number], lambda: number, lambda: None])()
        node = source.one("SELECT reason.add_node(%s, %s::jsonb, %s, division => %s, metadata => %s::jsonb)",
                          draw.choice(["score", "action"]), json.dumps(payload), draw.choice(authors), draw.choice(["red", "blue"]),
                          json.dumps({"confidence": draw.randint(0, 10) / 10, "tags": draw.sample("xyz", 2)}))
        nodes.append(node)
    for _ in range(60):
        filters = {"text": draw.choice(words)[:draw.randint(1, 9)].swapcase()}
        filters |= draw.choice([{}, {"types": ["score"]}, {"authors": words[:3]}, {"tags": ["x"]}, {"minConfidence": 0.5},
                                {"division": "red"}, {"confidence": {"max": 0.3}}])
        plain = source("SELECT id::text FROM reason.node WHERE division <> 'default' AND strpos(lower(payload::text), lower(%s)) > 0"
                       " AND type = ANY (%s) AND author = ANY (%s) AND metadata -> 'tags' @> %s::jsonb AND division = ANY (%s)"
                       " AND (metadata ->> 'confidence')::float8 BETWEEN %s AND %s ORDER BY no DESC",
                       filters["text"], filters.get("types", ["score", "action"]), filters.get("authors", words),
                       json.dumps(filters.get("tags", [])), [filters["division"]] if "division" in filters else ["red", "blue"],
                       filters.get("minConfidence", 0), filters.get("confidence", {}).get("max", 1))
        found, _ = ask_all(source, "auditor", filters, limit=draw.randint(1, 50))
        assert [(n["id"],) for n in found if n["division"] != "default"] == plain, filters
        # Nothing here is personal: who sees it redacted finds the same, in his divisions.
        seen, _ = ask_all(source, "reader", filters, limit=draw.randint(1, 50))
        assert [n["id"] for n in seen] == [n["id"] for n in found if n["division"] in ("default", "red")], filters


@pytest.fixture(scope="module")
def many(source):
    """More rows than one page looks at, and one to be found behind them."""
    source("SELECT reason.set_client('far', 'reader', '{far}')")
    source("SELECT reason.set_client('bare', 'auditor', '{far}', true)")
    needle = source.one("SELECT reason.add_node('decision', '\"the needle\"', 'ada', division => 'far')")
    source("SELECT count(*) FROM reason.add_nodes((SELECT json_build_object('nodes', json_agg(json_build_object("
           "'type', 'score', 'author', 'a', 'division', 'far', 'payload', 'straw ' || n))) FROM generate_series(1, 10500) n))")
    source.needle = str(needle)
    return source


def test_a_search_that_has_looked_at_enough_says_where_to_go_on(many):
    first = ask(many, "far", {"text": "needle"})
    assert first["nodes"] == [] and first["nextCursor"]
    found, pages = ask_all(many, "far", {"text": "needle"})
    assert [n["id"] for n in found] == [many.needle]
    assert pages == 2


def test_rows_that_need_no_look_are_passed_over(many):
    assert [n["id"] for n in ask_all(many, "far", {"text": "needle", "types": ["Decision"]})[0]] == [many.needle]
    assert [n["id"] for n in ask(many, "far", {"types": ["decision"]})["nodes"]] == [many.needle]
    assert [n["id"] for n in ask(many, "bare", {"text": "needle"})["nodes"]] == [many.needle]


def test_with_an_index_the_same_is_found(many):
    """By whom nothing is hidden from; in fewer pages, and whatever the text means to LIKE."""
    many("SELECT reason.add_node('decision', %s::jsonb, 'ada', division => 'far')", json.dumps({"odd": "100%_wrong\\\\Path"}))
    texts = ["needle", "straw 77", "100%_wr", "wrong\\\\", "STRAW", "%", "no such text", "raw 10500"]
    before = {text: [n["id"] for n in ask_all(many, "bare", {"text": text}, limit=7 if text != "STRAW" else 1000)[0]] for text in texts}
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="pg_trgm"):
        many("SELECT reason.create_text_index()")
    many("CREATE EXTENSION pg_trgm")
    assert many.one("SELECT reason.create_text_index()") is True
    assert many.one("SELECT reason.create_text_index()") is False
    many("ANALYZE reason.node")
    for text in texts:
        assert [n["id"] for n in ask_all(many, "bare", {"text": text}, limit=7 if text != "STRAW" else 1000)[0]] == before[text], text
    assert ask(many, "far", {"text": "needle"})["nodes"] == [] and ask(many, "reader", {"text": "987-65-4321"})["nodes"] == []
    plan = "\n".join(line for line, in many(
        "EXPLAIN SELECT n.* FROM reason.node n WHERE lower(payload::text) LIKE '%%needle%%' ORDER BY no DESC LIMIT 100"))
    assert "node_text_idx" in plan
    many("DROP INDEX reason.node_text_idx")


def test_pages_are_bounded_in_bytes(source):
    source("SELECT reason.set_client('wide', 'auditor', '{wide}', true)")
    source("SELECT reason.add_node('score', to_jsonb(repeat('x', 250000)), 'a', division => 'wide') FROM generate_series(1, 150)")
    first = ask(source, "wide", {}, limit=1000)
    assert 0 < len(first["nodes"]) < 70 and first["nextCursor"]
    found, pages = ask_all(source, "wide", {}, limit=1000)
    assert len({n["id"] for n in found}) == 150 and pages > 2
    looked, pages = ask_all(source, "wide", {"text": "y"})
    assert looked == [] and pages == 2


def test_a_cursor_tells_nothing_and_opens_nothing(many):
    """It names a node that its owner sees, and is none for those who do not."""
    cursor = ask(many, "far", {}, limit=5)["nextCursor"]
    assert cursor == ask(many, "far", {}, limit=5)["nextCursor"]
    many("SELECT reason.add_node('score', '1', 'a', division => 'blue') FROM generate_series(1, 50)")
    assert cursor == ask(many, "far", {}, limit=5)["nextCursor"]
    for bad in (cursor, "5", "zz", cursor[:33], "0" * 34):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="no cursor"):
            ask(many, "reader", {}, cursor=bad)


@pytest.mark.parametrize("body", [None, "", " \n", "5", "null", "[]", '"text"', "true", '{"filters": 5}', '{"filters": null}'])
def test_a_body_that_is_no_query_is_told_what_one_is(source, body):
    with pytest.raises(psycopg.errors.InvalidParameterValue, match='must be a JSON object with "filters"'):
        source("SELECT reason.http_post_query('reader', NULL, NULL, 'r-1', NULL, %s)", body)


def test_an_unknown_type_is_refused_as_traces_refuse_it(source):
    with pytest.raises(psycopg.errors.InvalidParameterValue, match='unknown node type "guess"'):
        ask(source, "reader", {"types": ["decision", "guess"]})
    assert ask(source, "reader", {"types": ["DECISION"]})["nodes"]
    assert ask(source, "reader", {"types": []})["nodes"] == []
