"""A function in C that takes NULL answers or raises an error, whichever of its arguments is NULL: it never takes the server down."""
import itertools

import psycopg
import pytest

ID = "00000000-0000-7000-8000-000000000001"
# By type, and by name where the type does not say it: what gets past the first looks.
BY_NAME = {"kind": ["node", "edge", "annotation"], "division": ["default"], "request_body": ['{"note": "n"}', '{"type": "score", "author": "a", "payload": 1}'],
           "input": ['{"type": "score", "author": "a", "payload": 1}'], "request": ['{"client": "k"}'], "divisions": ["{*}"], "client_cn": ["k"], "node_id": [ID],
           "direction": ["ancestors"], "action": ["write"]}
BY_TYPE = {"text": ["x"], "uuid": [ID], "json": ["{}"], "jsonb": ["{}"], "boolean": ["true"], "integer": ["1"], "bigint": ["1"], "double precision": ["1"],
           "timestamp with time zone": ["2026-01-01Z"], "bytea": ["\\\\x00"]}
FUNCTIONS = """
    SELECT p.oid::regprocedure::text, p.proname, coalesce(p.proargnames, '{}'), ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY u (t, n) ORDER BY n)
    FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
    WHERE p.pronamespace = 'reason'::regnamespace AND l.lanname = 'c' AND NOT p.proisstrict AND p.pronargs > 0 AND p.prokind = 'f'
      AND NOT 'internal'::regtype = ANY (p.proargtypes::oid[]) AND p.prorettype NOT IN ('trigger'::regtype, 'internal'::regtype)
    ORDER BY 1"""


def choices(names, types):
    for name, kind in itertools.zip_longest(names[:len(types)], types):
        if name in BY_NAME:
            yield BY_NAME[name]
        elif kind.endswith("[]"):
            yield ["{" + (BY_TYPE.get(kind[:-2], [""])[0]) + "}"]
        else:
            # A row of a table, whose columns are all NULL.
            yield BY_TYPE.get(kind)


def calls(names, types):
    """Each with one argument NULL, and one with all."""
    given = list(choices(names, types))
    for values in itertools.product(*(one or [None] for one in given)):
        texts = [f"NULL::{kind}" if value is None else f"'{value}'::{kind}" for value, kind in zip(values, types)]
        for place, kind in enumerate(types):
            yield ", ".join([*texts[:place], f"NULL::{kind}", *texts[place + 1:]])
    yield ", ".join(f"NULL::{kind}" for kind in types)


def test_no_function_in_c_falls_over_null(db):
    db(f"SELECT reason.add_node('score', '1', 'ada', id => '{ID}')")
    db("SELECT reason.set_client('k', 'admin', '{*}')")
    db("SET statement_timeout = '20s'")
    functions = db(FUNCTIONS)
    assert {"http_written", "insert_annotation", "add_node", "verify_audit"} <= {name for _, name, *_ in functions}
    answered = 0
    for signature, name, names, types in functions:
        for arguments in dict.fromkeys(calls(names, types)):
            db("BEGIN")
            try:
                db(f"SELECT * FROM reason.{name}({arguments})")
                answered += 1
            except psycopg.Error as error:
                # Without a state the connection is gone.
                assert error.sqlstate and error.sqlstate[:2] not in ("57", "08"), f"{signature}: ({arguments}): {error}"
            db("ROLLBACK")
    assert answered > 50


@pytest.mark.parametrize("arguments, missing", (
    ("NULL, true, '{}', NULL, '{*}', 'k', NULL, NULL", 1), ("'node', NULL, '{}', NULL, '{*}', 'k', NULL, NULL", 2),
    ("'node', true, NULL, NULL, '{*}', 'k', NULL, NULL", 3), ("'annotation', true, '{\"note\": \"n\"}', NULL, '{*}', 'k', NULL, NULL", 4),
    ("'node', true, '{}', NULL, NULL, 'k', NULL, NULL", 5), ("'node', true, '{}', NULL, '{*}', NULL, NULL, NULL", 6)))
def test_a_write_says_what_is_missing(db, arguments, missing):
    with pytest.raises(psycopg.errors.NullValueNotAllowed, match=rf"argument {missing} of http_written\(\)"):
        db(f"SELECT reason.http_written({arguments})")
