"""What a caller may not see changes no answer to him.

Two graphs are made that differ only in what is hidden from a reader: personal data, records in quarantine, what other
divisions hold. Each route of the gateway and each function that a reader may call in SQL is called on both, with
arguments drawn from the gateway's own description and from the catalog, and must answer alike: status, headers, body
with its length and order, pages, errors. What differs from one database to the next by nature is put aside first:
times become their order, salted digests and signatures a word, ids made by the server their first appearance.
"""
import base64
import itertools
import json
import re

import psycopg
import pytest

from paths import ROOT

GATEWAY = ROOT / "gateway"
OPENAPI = json.loads((GATEWAY / "openapi.json").read_text())

# Ids that both graphs have, or either of them only: hidden, or of another division.
SEEN = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(8)]
EDGES = [f"00000000-0000-4000-8000-00000000010{n}" for n in range(9)]
HELD = [f"00000000-0000-4000-8000-0000000002{n:02}" for n in range(20)]
OTHERS = [f"00000000-0000-4000-8000-0000000003{n:02}" for n in range(20)]
NOTE = "00000000-0000-4000-8000-000000000401"
NOBODY = "00000000-0000-4000-8000-000000000999"

# Both are redacted to the same; they differ in digits, in length, and in what precedes what.
SECRETS = [{"ssn": "123-45-6789", "mail": "a@example.org", "phone": "+49 30 1234567", "card": "4111 1111 1111 1111"},
           {"ssn": "987-65-4321, and some more of it " * 50, "mail": "zacharias.longname@mail.example.com", "phone": "+1 202 555 0143",
            "card": "5500 0000 0000 0004"}]


# ---------------------------------------------------------------- two graphs

def write(db, kind, number, **members):
    """A record with its event, ids of both given."""
    body = {"auditEventId": f"00000000-0000-4000-9000-{int(members['id'][-12:]):012}", **members}
    if kind == "annotation":
        return db.one("SELECT numbers[1] FROM reason.http_written('annotation', true, %s, %s, '{*}', 'k', '{\"client\": \"k\"}', NULL)", json.dumps(body), number)
    return db.one(f"SELECT no FROM reason.insert_{kind}s(%s, true, '{{*}}', '{{\"client\": \"k\"}}')", json.dumps(body))


def hold(db, kind, number):
    db("SELECT reason.quarantine_records(%s, ARRAY[%s::bigint], %s::uuid)", kind, number, HELD[-1])


def secret(db, which, text):
    """Text around a mail address that is hidden."""
    return text + " " + SECRETS[which]["mail"]


def build(db, which):
    db("SELECT reason.set_client('reader', 'reader', '{default,own}')")
    db("SELECT reason.set_client('auditor', 'auditor', '{*}', true)")
    db("SELECT reason.set_policy_rule('r', '{node.create}', on_silence => 'allow', enabled => false)")
    other = {"types": ["score", "decision"], "divisions": ["elsewhere", "third"]}
    for n, node in enumerate(SEEN):
        if n in (1, 3) and which:
            # Between the records that are seen, so that numbers and pages would shift.
            for k in range(4):
                write(db, "node", 0, id=OTHERS[4 * n + k], type=other["types"][k % 2], author="o", payload={"plain": SEEN[k]}, division=other["divisions"][k % 2])
            write(db, "node", 0, id=node, type="score", author="o", payload="same id", division="elsewhere")
        if n > 1:
            held = HELD[2 * n + which]
            hold(db, "node", write(db, "node", 0, id=held, type="decision", author="held", payload={"plain": f"held {which}"},
                                   metadata={"confidence": 0.1 if which else 0.9, "tags": ["held"]}))
        metadata = {"confidence": n / 10, "tags": ["all", f"tag{n % 3}"]}
        author = f"author{n % 3}"
        if "metadata" in db.redacted:
            metadata |= {"owner": secret(db, which, "owned by"), "tags": metadata["tags"] + [secret(db, which, "by")]}
        if "author" in db.redacted:
            author = secret(db, which, author)
        write(db, "node", 0, id=node, type=["observation", "score", "decision", "hypothesis"][n % 4], author=author,
              division="own" if n == 7 else "default", metadata=metadata,
              payload={"plain": f"open {n}", "note": secret(db, which, "ask"), **(SECRETS[which] if n % 2 else {}), "after": n})
    for n in range(6):
        write(db, "edge", 0, id=EDGES[n], type=["causal", "supports"][n % 2], weight=n / 5, **{"from": SEEN[n], "to": SEEN[min(n + 1 + n % 2, 6)]})
    for n in range(2, 7):
        held = HELD[2 * n + which]
        # Through what is hidden, and between what is seen: a way round, a cycle, a parallel edge.
        for k, (cause, effect) in enumerate([(SEEN[n], held), (held, SEEN[n - 1 if which else 0])] + ([(SEEN[6], SEEN[0])] if which else [])):
            hold(db, "edge", write(db, "edge", 0, id=f"00000000-0000-4000-8000-0000006{which}{n:02}{k:02}", type="causal", **{"from": cause, "to": effect}))
    note = {"author": "noter", "id": NOTE, "payload": {"mail": SECRETS[which]["mail"]}}
    write(db, "annotation", SEEN[2], **note)
    hold(db, "annotation", write(db, "annotation", SEEN[2], **note | {"id": HELD[0], "payload": f"held {which}"}))
    db.snapshots = []
    for audience, pii in [("internal", False), ("auditor", True)]:
        snapshot = db.one("SELECT reason.create_snapshot(%s, audience => %s, include_pii => %s, include_annotations => true)", [SEEN[6]], audience, pii)
        db.settle()
        db.complete(snapshot)
        db.snapshots.append(str(snapshot))
    if which:
        far = db.one("SELECT reason.create_snapshot(%s)", [OTHERS[4]])
        db.complete(far)
    db.settle()
    db.times = {n: t for n, t in db("SELECT id::text, reason.rfc3339(created_at) FROM reason.node WHERE division = 'default'")}
    # As the gateway's and an analyst's sessions are.
    db("SET ROLE hidden_reader")


def redacted_members(db):
    """Those of a node that redaction looks at now."""
    db("BEGIN")
    node = db.one("SELECT reason.add_node('score', '{}', 'x ada@example.org', metadata => '{\"owner\": \"x ada@example.org\"}')")
    shown = json.loads(db.one("SELECT reason.node_shown(n, true, false) FROM reason.node n WHERE id = %s", node))
    db("ROLLBACK")
    return {member for member in ("author", "metadata") if "example.org" not in json.dumps(shown[member])}


@pytest.fixture(scope="module")
def graphs(make_database):
    made = []
    for which in (0, 1):
        db = make_database(f"trust_hidden_{which}")
        db("DROP ROLE IF EXISTS hidden_reader") if which == 0 else None
        db("CREATE ROLE hidden_reader IN ROLE reason_reader") if which == 0 else None
        db("SELECT reason.add_signer(%s, %s, valid_from => '2020-01-01Z')", db.signer.name, db.signer.public.raw.hex())
        db.redacted = redacted_members(db)
        build(db, which)
        made.append(db)
    yield made
    for db in made:
        db("RESET ROLE")


# ---------------------------------------------------------------- answers, comparable

TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00(?::00)?)")
# A picture has no room for more: its times say to the second when the graph was made, which differs.
SHORT_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ?(?![.\dZ+])")
DIGEST = re.compile(r"\b(?:[0-9a-f]{64}){1,2}\b|[A-Za-z0-9+/]{86}==|[A-Za-z0-9+/]{43}=")
# In a body, in a header line, or in a column.
CURSOR = re.compile(r'(?:"nextCursor":"|X-Next-Cursor: |\|(?=[\w-]{100,}\|))([\w-]*)')
# How Mermaid has it: the number of a character.
CODE = re.compile(r"#(\d+);")
# Snapshots name the log of their division: how many events it has is seen by whoever sees the division.
LOG_SIZE = re.compile(r'"size": ?\d+|\'size\': \d+')
MADE_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b")


# What a page brings along, in Base 64.
PART = re.compile(r'(<script type="text/plain" id="\w+">)([A-Za-z0-9+/=\s]*)')


def comparable(text):
    text = PART.sub(lambda m: m[1] + base64.b64decode(m[2]).decode(), text)
    text = CODE.sub(lambda m: chr(int(m[1])), text)
    text = SHORT_TIME.sub("<time>", text)
    times = sorted(set(TIME.findall(text)))
    ids = {}
    text = TIME.sub(lambda m: f"<time {times.index(m[0])}>", text)
    text = DIGEST.sub("<digest>", text)
    text = CURSOR.sub(lambda m: f"<cursor {len(m[1])}>", text)
    return MADE_ID.sub(lambda m: f"<id {ids.setdefault(m[0], len(ids))}>", text)


def answer(db, query, arguments):
    """Everything that a caller gets to see, and the cursor that he would go on with."""
    try:
        rows = db(query, *arguments)
    except psycopg.Error as error:
        return ("error", error.sqlstate, comparable("\n".join(filter(None, [error.diag.message_primary, error.diag.message_detail, error.diag.message_hint])))), None
    text = "\n".join("|".join(value.hex() if isinstance(value, bytes) else str(value) for value in row) for row in rows)
    if len(rows) > 1 and "text/html" in str(rows[0][1]):
        text = f"{rows[0][0]}|{rows[0][1]}|" + "".join(body for _, _, body in rows)
    found = CURSOR.search(text)
    text = LOG_SIZE.sub("<log size>", text)
    return ("rows", len(rows), len(text), comparable(text)), found and found[1]


# ---------------------------------------------------------------- what the description says may be asked

def resolve(schema):
    while "$ref" in schema:
        found = OPENAPI
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def values(name, schema, time):
    """What to give for a parameter, by its type: bounds, each of an enumeration, and what may lie on either side of what is hidden."""
    kinds = schema.get("type", "string")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "enum" in schema:
        return schema["enum"]
    if schema.get("format") == "uuid":
        return [SEEN[0], SEEN[2], SEEN[6], HELD[4], HELD[5], OTHERS[4], NOBODY]
    if "array" in kinds:
        return [[v] for v in words(name)] + [[], words(name)[:2]]
    if "integer" in kinds:
        return sorted({schema.get("minimum", 0), schema.get("minimum", 0) + 1, 2, 5, schema.get("maximum", 9), schema.get("maximum", 9) + 1})
    if "number" in kinds:
        return [-1, 0, 0.1, 0.3, 0.5, 0.9, 2]
    if schema.get("format") == "date-time":
        return [time[SEEN[0]], time[SEEN[3]], time[SEEN[6]], "1999-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "yesterday"]
    return words(name)


def words(name):
    if "ypes" in name:
        return ["score", "decision", "observation,score", "causal", "supports", "nonsense"]
    if name == "division":
        return ["default", "own", "elsewhere", "third", "nowhere"]
    hidden = [text[:n] for s in SECRETS for text in s.values() for n in (3, len(text))]
    if name != "text":
        hidden = hidden[1::8]
    return ["open", "open 3", "ask", "[redacted", "held", "same id", "author1", "held 0", "held 1", "tag1", "all", "example", "owned by", *hidden]


def text_of(value):
    return value if isinstance(value, str) else json.dumps(value)


def routes():
    """Path, function and arguments of each location that answers by calling a function, from the gateway's configuration."""
    text = (GATEWAY / "conf.d" / "routes.conf.in").read_text()
    for path, block in re.findall(r"location (?:=|~) (\S+) \{(.*?)\n\}", text, re.S):
        call = re.search(r"reason_call (\w+)([^;]*);", block)
        if call:
            template = re.sub(r"\(\?<(\w+)>[^)]*\)", r"{\1}", path.strip("^$"))
            method = "post" if "reason_methods POST" in block else "get"
            yield template, method, call[1], call[2].split()


READS = [route for route in routes() if route[1] == "get" or route[0] == "/reason/query"]


def requests(template, method, db):
    """Query parameters or bodies to send, one parameter at a time, then with small pages."""
    operation = OPENAPI["paths"][template][method]
    if method == "post":
        body = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
        filters = body["filters"]["properties"]
        yield {"filters": {}, "limit": 3}
        for name, schema in filters.items():
            for value in values(name, schema, db.times):
                for limit in (1, 100):
                    yield {"filters": {name: value}, "limit": limit}
        for value in values("text", filters["text"], db.times)[::4]:
            yield {"filters": {"text": value, "types": ["score", "decision"], "minConfidence": 0.1}, "limit": 2}
        return
    parameters = [p for p in map(resolve, operation.get("parameters", [])) if p["in"] == "query" and p["name"] != "cursor"]
    yield {}
    names = {p["name"] for p in parameters}
    if template == "/reason/diff":
        for a, b in itertools.permutations([SEEN[0], SEEN[3], SEEN[6], HELD[4], OTHERS[12], NOBODY, *db.snapshots], 2):
            yield {"a": a, "b": b}
            yield {"a": a, "b": b, "limit": "1"}
        for time in (db.times[SEEN[3]], db.times[SEEN[6]]):
            yield {"node": SEEN[6], "asOfA": time}
    for parameter in parameters:
        for value in values(parameter["name"], resolve(parameter["schema"]), db.times):
            yield {parameter["name"]: text_of(value)}
            if "limit" in names and parameter["name"] != "limit":
                yield {parameter["name"]: text_of(value), "limit": "1"}


def follow(db, route, identifier, request):
    """All pages."""
    template, method, function, arguments = route
    said = []
    for _ in range(12):
        given = {"$id": identifier, "$reason_query": json.dumps(request), "$reason_body": json.dumps(request)}
        passed = [given.get(a) for a in arguments]
        got, cursor = answer(db, f"SELECT * FROM reason.{function}('reader', NULL, NULL, 'r-1', NULL{', %s' * len(passed)})", passed)
        said.append(got)
        if cursor is None:
            break
        request = request | {"cursor": cursor}
    return said


@pytest.mark.parametrize("route", READS, ids=[f"{r[1]} {r[0]}" for r in READS])
def test_no_route_tells_what_is_hidden(graphs, route):
    if route[2] in ("http_get_health", "http_get_ready"):
        pytest.skip("asks for no certificate")
    if "{log}" in route[0]:
        pytest.skip("who sees a division sees its log, which has a place for every event and nothing of what it says")
    for db in graphs:
        db("RESET ROLE")
    identifiers = [None]
    if "{id}" in route[0]:
        identifiers = [*SEEN, HELD[4], HELD[5], HELD[19], OTHERS[4], OTHERS[12], EDGES[0], NOTE, NOBODY, "no uuid"]
        identifiers += [("snapshot", n) for n in range(len(graphs[0].snapshots))]
    asked = 0
    for identifier in identifiers:
        # All that can be asked of three nodes and the snapshots, of the others what they are.
        whole = identifier in (None, SEEN[0], SEEN[2], SEEN[6]) or isinstance(identifier, tuple)
        for first, second in itertools.islice(zip(*(requests(route[0], route[1], db) for db in graphs)), None if whole else 1):
            said = []
            for db, request in zip(graphs, (first, second)):
                own = db.snapshots[identifier[1]] if isinstance(identifier, tuple) else identifier
                said.append(follow(db, route, own, request))
            assert said[0] == said[1], (route, identifier, first)
            asked += 1
    assert asked >= len(identifiers)


# ---------------------------------------------------------------- SQL

def arguments_of(types, names, db):
    """Rows of arguments for a function, one of them varied at a time."""
    choices = []
    for kind, name in zip(types, names):
        if kind == "uuid":
            choices.append([SEEN[6], SEEN[0], *SEEN[1:6:2], SEEN[7], HELD[4], HELD[5], OTHERS[4], NOBODY])
        elif kind == "uuid[]":
            choices.append([[SEEN[6]], [SEEN[0], SEEN[7], SEEN[6]], [SEEN[6], HELD[4]], [OTHERS[4], SEEN[6]], [NOBODY], []])
        elif name in ("format", "part"):
            choices.append(["csv", "markdown", "svg", "dot", "mermaid", "prov", "human", "json"] if name == "format" else ["nodes", "edges", "annotations", None])
        elif name == "cursor":
            choices.append([None])
        elif name == "direction":
            choices.append(["ancestors", "descendants"])
        elif kind == "text[]":
            choices.append([None, ["score"], ["causal"], ["decision", "observation"]])
        elif kind == "text":
            choices.append([None, "default", "own", "elsewhere", "nowhere"])
        elif kind in ("integer", "bigint", "double precision"):
            choices.append([None, 1, 2, 0])
        elif kind == "bigint":
            # The place of an event in its chain tells by its nature how many there are.
            choices.append([None])
        elif kind == "timestamp with time zone":
            choices.append([None, db.times[SEEN[3]], "1999-01-01T00:00:00Z"])
        elif kind == "bytea":
            choices.append([bytes(32)])
        elif kind in ("json", "jsonb"):
            choices.append(["{}"])
        else:
            raise AssertionError(f"no values for an argument of type {kind}: add some")
    for place, choice in enumerate(choices):
        for value in choice:
            for subject in (choices[0][:3] if place else choice[:1]):
                row = [c[0] for c in choices]
                row[0] = subject
                row[place] = value
                yield row
    if not choices:
        yield []


def test_no_function_in_sql_tells_what_is_hidden(graphs):
    """Those of the schema that a reader may execute. What takes a place in a table is tested in pgtap/grants.sql."""
    for db in graphs:
        db("SET ROLE hidden_reader")
        db("SET TimeZone = 'UTC'")
    functions = graphs[0]("SELECT p.oid::regproc::text, ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) t),"
                          " p.proargnames FROM pg_proc p WHERE p.pronamespace = 'reason'::regnamespace"
                          " AND has_function_privilege(p.oid, 'EXECUTE') AND NOT 'tid'::regtype = ANY (p.proargtypes)")
    assert len(functions) >= 8
    for name, types, names in functions:
        given = ", ".join(f"%s::{t}" for t in types)
        asked = zip(*(arguments_of(types, (names or []) + [""] * len(types), db) for db in graphs))
        for rows in asked:
            said = [answer(db, f"SELECT * FROM {name}({given})", row)[0] for db, row in zip(graphs, rows)]
            assert said[0] == said[1], (name, rows[0])


def test_no_table_tells_what_is_hidden(graphs):
    """Columns that a reader may select; numbers of records are drawn for all divisions together, so only their order counts."""
    for db in graphs:
        db("SET ROLE hidden_reader")
        db("SET TimeZone = 'UTC'")
    tables = graphs[0]("SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
                       " WHERE c.relnamespace = 'reason'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped"
                       " AND has_column_privilege(c.oid, a.attnum, 'SELECT') GROUP BY 1")
    assert {name for name, _ in tables} >= {"node", "edge", "annotation", "snapshot"}
    for table, columns in tables:
        listed = [c for c in columns if c not in ("no", "target_no", "from_no", "to_no")]
        # What redaction looks at is in the answers of the functions.
        listed = [c for c in listed if c not in graphs[0].redacted]
        said = [answer(db, f"SELECT {', '.join(listed)} FROM reason.{table} ORDER BY {'no' if 'no' in columns else '1'}", [])[0] for db in graphs]
        assert said[0] == said[1], table
