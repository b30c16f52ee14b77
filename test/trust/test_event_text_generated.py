"""Whatever a record holds, however its transaction ends and whatever the session sets: its event has the same bytes, whole or made from the row."""
import json
import random

import psycopg

TEXTS = ("a", "é", "e\u0301", "\u2028\u2029", "\"\\/\n\t", "\u0001\u001f\u007f", "\ufeff x ", "\U0001f600", "\u202e\u200b", " ", "1e5", "null", "x" * 3000)
NUMBERS = ("0", "-0", "-0.0", "1", "1.0", "1.50", "1e-7", "1E+5", "0.1", "1e21", "1e22", "5e-324", "2.2250738585072014e-308", "1.7976931348623157e308", "9007199254740991",
           "333333333.3333333", "0.000001", "1e-6", "4.35", "100e-2", "123456789012345680")
SESSIONS = ("extra_float_digits = -15", "extra_float_digits = 0", "DateStyle = 'German'", "DateStyle = 'SQL, DMY'", "IntervalStyle = 'iso_8601'", "TimeZone = 'Asia/Kathmandu'",
            "TimeZone = 'America/St_Johns'", "bytea_output = 'escape'", "client_encoding = 'UTF8'", "standard_conforming_strings = off", "quote_all_identifiers = on",
            "xmlbinary = 'hex'", "backslash_quote = on", "jit = on", "default_transaction_isolation = 'serializable'", "search_path = 'pg_temp'")


def value(chance, depth=0):
    """JSON text, as odd as it may be."""
    kind = chance.randrange(8 if depth < 4 else 5)
    if kind == 0:
        return chance.choice(("null", "true", "false"))
    if kind < 3:
        return chance.choice(NUMBERS)
    if kind < 5:
        return json.dumps(chance.choice(TEXTS), ensure_ascii=chance.random() < 0.5)
    if kind == 5:
        return "[" + " , ".join(value(chance, depth + 1) for _ in range(chance.randrange(5))) + "]"
    return members(chance, depth)


def members(chance, depth=0, **fixed):
    names = chance.sample(TEXTS, chance.randrange(5))
    return "{" + ",\n".join([f"{json.dumps(name)}: {value(chance, depth + 1)}" for name in names] + [f'"{name}": {text}' for name, text in fixed.items()]) + "}"


def node(chance):
    more = {}
    if chance.random() < 0.5:
        more["metadata"] = members(chance, tags=json.dumps(chance.sample(TEXTS[:9], 2)), confidence=chance.choice(("0", "1", "0.1", "1e-7", "-0.0", "5e-324", "0.30000000000000004")))
    if chance.random() < 0.5:
        more["ts"] = json.dumps(chance.choice(("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000001+05:45", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999-03:30")))
    if chance.random() < 0.3:
        more["version"] = json.dumps(chance.choice(("1.50", "0", "é", "a b")))
    if chance.random() < 0.3:
        more["payloadRef"] = chance.choice(('{"uri": "s3://b/k"}', '{"size": 1.2e1, "uri": "s3://b/é"}'))
    payload = value(chance) if chance.random() < 0.95 else json.dumps("y" * chance.choice((9000, 250000, 300000)))
    fields = {"type": '"observation"', "author": json.dumps(chance.choice(("a", "é", "e\u0301", "\"\\/", "\U0001f600", "1e5", "null"))), "payload": payload, **more}
    return "{" + ", ".join(f'"{name}": {text}' for name, text in fields.items()) + "}"


def test_bytes_of_events_are_those_that_were_hashed(db):
    chance = random.Random(7)
    written = refused = 0
    for n in range(150):
        session = chance.choice(SESSIONS)
        batch = [node(chance) for _ in range(chance.randrange(1, 6))]
        whole = chance.choice(("on", "off"))
        end = chance.choice(("COMMIT", "COMMIT", "ROLLBACK", f"PREPARE TRANSACTION 'odd-{n}'"))
        db("BEGIN")
        try:
            db(f"SET LOCAL {session}")
            db(f"SET LOCAL reason.keep_event_text = {whole}")
            count = len(db("SELECT id FROM reason.add_nodes(%s::json) id", '{"nodes": [%s]}' % ", ".join(batch)))
            db("SAVEPOINT half")
            db(f"SET LOCAL reason.keep_event_text = {'off' if whole == 'on' else 'on'}")
            ids = [row[0] for row in db("SELECT id FROM reason.add_nodes(%s::json) id", '{"nodes": [%s]}' % ", ".join(batch))]
            db("SELECT reason.add_edge(%s, %s, 'causal', %s, %s::jsonb)", ids[0], ids[-1], chance.choice((0.1, 1e-7, -0.0, 1.0, 5e-324, 0.1 + 0.2)), members(chance)) if len(ids) > 1 else None
            db("SELECT reason.annotate(%s, %s, metadata => %s::jsonb)", ids[0], chance.choice(TEXTS[:4]), members(chance))
            if chance.random() < 0.3:
                db("ROLLBACK TO half")
            db(end)
            written += count if end != "ROLLBACK" else 0
        except psycopg.Error as fault:
            refused += 1
            assert fault.sqlstate.startswith(("22", "54")), fault
            db("ROLLBACK")
            continue
        if end.startswith("PREPARE"):
            db(chance.choice(("COMMIT PREPARED", "ROLLBACK PREPARED")) + end.removeprefix("PREPARE TRANSACTION"))
    db("RESET ALL")
    events = "SELECT e.no, reason.event_payload(e)::text FROM reason.audit_event e ORDER BY no"
    before = db(events)
    assert written > 200 and refused < 50 and len(before) > 500
    for _, text in before:
        assert db.one("SELECT reason.canonical_json(%s::json) = %s", text, text)
    db.settle()
    for session in SESSIONS:
        with db.connection.transaction(force_rollback=True):
            db(f"SET LOCAL {session}")
            assert db(events) == before, session
            assert db("SELECT * FROM reason.verify_all() WHERE NOT ok") == [], session
