"""Names of divisions, signers and people follow one rule wherever they come in: SQL, HTTP, replay."""
import json

import psycopg
import pytest

from signer import Signer

CALLER = "'namer', 'CN=ca', NULL, 'r', NULL"
NODE = "00000000-0000-7000-8000-0000000000b1"
REFUSED = psycopg.errors.InvalidParameterValue
# Empty, of white space, with what steers a terminal or a line, with what cannot be seen, too long.
UNCLEAR = ["", " ", "\u00a0", " ada", "ada ", "ada\u3000", "a\nb", "a\tb", "a\x1b[2Jb", "a\x7f", "a\u0085b", "a\u00adb", "a\u200bb", "\u200dab", "ab\u200c",
           "a\u202eb", "a\u2066b", "a\u200fb", "a\u2028b", "\ufeffada", "a\U000e0041b", "x" * 1025]
CLEAR = ["ada", "Ada Lovelace", "Zo\u00eb", "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627", "\U0001f469\u200d\U0001f4bb", "model/v1.2@eval", "o'Neil \"x\" \\", "\u6c5f\u6238"]


@pytest.fixture(scope="module")
def graph(db):
    db("SELECT reason.set_client('namer', 'writer', '{*}')")
    db("SELECT reason.add_node('observation', '1', 'a', id => %s)", NODE)
    return db


def body(**members):
    return json.dumps(members)


# Every way in which the name of somebody or something comes in: a statement with one parameter, made from the name.
FORMS = {
    "author, add_node": lambda name: ("SELECT reason.add_node('action', '1', %s)", name),
    "author, add_nodes": lambda name: ("SELECT reason.add_nodes(%s)", body(nodes=[{"type": "action", "payload": 1, "actor": name}])),
    "author, annotate": lambda name: (f"SELECT reason.annotate('{NODE}', 'n', author => %s)", name),
    "author, POST node": lambda name: (f"SELECT reason.http_post_node({CALLER}, %s, NULL, NULL, NULL)", body(type="action", payload=1, author=name)),
    "author, POST nodes": lambda name: (f"SELECT reason.http_post_nodes({CALLER}, %s, NULL, NULL, NULL)", body(nodes=[{"type": "action", "payload": 1, "author": name}])),
    "author, POST annotate": lambda name: (f"SELECT reason.http_post_annotation({CALLER}, '{NODE}', %s, NULL, NULL, NULL)", body(note="n", author=name)),
    "type of an annotation": lambda name: (f"SELECT reason.http_post_annotation({CALLER}, '{NODE}', %s, NULL, NULL, NULL)", body(note="n", type=name)),
    "version": lambda name: ("SELECT reason.add_node('action', '1', 'a', version => %s)", name),
    "manifestSignatureId": lambda name: ("SELECT reason.add_node('action', '1', 'a', manifest_signature_id => %s)", name),
    "audience of a snapshot": lambda name: ("SELECT reason.create_snapshot(ARRAY['%s'::uuid], audience => %%s)" % NODE, name),
    "manifestSignatureId of a snapshot": lambda name: (f"SELECT reason.http_post_snapshot({CALLER}, %s, NULL, NULL)",
                                                       body(rootNodeIds=[NODE], manifestSignatureId=name)),
    "client": lambda name: ("SELECT reason.set_client(%s, 'reader')", name),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_name_that_people_cannot_tell_by_looking_is_refused(graph, form):
    before = graph.one("SELECT count(*) FROM reason.audit_event")
    for name in UNCLEAR:
        with pytest.raises(REFUSED):
            graph(*FORMS[form](name))
    assert graph.one("SELECT count(*) FROM reason.audit_event") == before
    for name in CLEAR:
        graph(*FORMS[form](name))


def test_the_refusal_says_where_and_why(graph):
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=r'nodes\[1\]: "author" holds a character that controls or cannot be seen') as refused:
        graph("SELECT reason.add_nodes(%s)", body(nodes=[{"type": "action", "payload": 1, "author": name} for name in ("a", "a\u202eb")]))
    assert json.loads(refused.value.diag.message_detail)["pointer"] == "/nodes/1/author"


def test_a_role_with_an_unclear_name_must_say_who_annotates(graph):
    role = "nam\u202eer"
    graph(f'CREATE ROLE "{role}" IN ROLE reason_writer')
    try:
        with pytest.raises(psycopg.errors.InvalidParameterValue, match='"author" holds a character'), graph.connection.transaction():
            graph(f'SET LOCAL ROLE "{role}"')
            graph("SELECT reason.annotate(%s, 'n')", NODE)
        with graph.connection.transaction():
            graph(f'SET LOCAL ROLE "{role}"')
            graph("SELECT reason.annotate(%s, 'n', author => 'ada')", NODE)
    finally:
        graph(f'DROP ROLE "{role}"')


@pytest.mark.parametrize("name", ["", "bad name", "a\n", "\u00e4", "-a", "a\u202e", 'a"', "a\\", "a+b", "x" * 201])
def test_an_id_that_no_signer_can_have_is_refused(graph, name):
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="no id of a signer"):
        graph("SELECT reason.add_signer(%s, %s)", name, Signer("named", b"named").public.raw.hex())


@pytest.mark.parametrize("name", ["2026", "arn:aws:kms:eu-central-1:1234:key/0a-1b", "audit@example.com", "x" * 200])
def test_ids_of_services_that_sign_are_taken(graph, name):
    graph("SELECT reason.add_signer(%s, %s)", name, Signer(name, name.encode()[:32]).public.raw.hex())


def test_a_key_stands_under_one_id(graph):
    """Revoked under one it would go on counting under the other."""
    key = Signer("first", b"twice").public.raw.hex()
    graph("SELECT reason.add_signer('first-of-two', %s)", key)
    for _ in range(2):
        with pytest.raises(psycopg.errors.UniqueViolation, match="that of signer \"first-of-two\" already"):
            graph("SELECT reason.add_signer('second-of-two', %s)", key)
        if graph.one("SELECT status FROM reason.signer WHERE signer_id = 'first-of-two'") == "active":
            graph("SELECT reason.revoke_signer('first-of-two', 'lost')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        graph("INSERT INTO reason.signer (signer_id, public_key, valid_from) VALUES ('third-of-two', decode(%s, 'hex'), now())", key)


@pytest.fixture(scope="module")
def source(make_database):
    """A chain that begins with its signer."""
    source = make_database("trust_names")
    source("SELECT reason.add_signer(%s, %s)", source.signer.name, source.signer.public.raw.hex())
    source.settle()
    return source


def test_a_registry_with_a_key_under_two_ids_replays_nothing(source, make_database):
    registry = source.one("SELECT reason.signer_registry()")
    registry["signers"].append(dict(registry["signers"][0], signerId="again"))
    event = source.one("SELECT reason.audit_event_json(e) FROM reason.audit_events e")
    copy = make_database("trust_names_copy")
    with pytest.raises(psycopg.errors.DataException, match='one key under the ids "key-1" and "again"'):
        copy("SELECT reason.replay(%s::json, %s::json)", event, json.dumps(registry))
    assert copy.one("SELECT reason.replay(%s::json, %s::json)", event, json.dumps({"signers": registry["signers"][:1]}))


@pytest.mark.parametrize("division", ["a..b", "*", "", "a b", "x" * 64])
def test_an_event_of_a_division_that_cannot_be_is_not_replayed(source, make_database, division):
    event = source.one("SELECT reason.audit_event_json(e)::json FROM reason.audit_events e")
    payload = dict(event["payload"], division=division)
    hashed = source.one("SELECT encode(sha256(convert_to(reason.canonical_json(%s::json), 'UTF8')), 'hex')", json.dumps(payload))
    copy = make_database("trust_names_copy")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="no name of a division"):
        copy("SELECT reason.replay(%s::json)", json.dumps(dict(event, payload=payload, division=division, hash=hashed)))
