"""A database whose functions answer in another form: no row, NULL, a text for a number. Each is an error by name, and the sidecar goes on."""

import pytest

from attacks import superuser
from wait import wait_for

# What no duty asks for while all is well, and what may be NULL, is left out.
NO_ROW = ("compared", "acquire_lease", "seal_events", "record_seal_signatures", "grow_tree", "record_log_heads", "record_snapshot_signature",
          "signing_key", "lock_doorbell")
NULLS = ("compared", "seal_events", "unsigned_seals_with_events", "record_seal_signatures", "grow_tree", "checkpoints_due", "claim_snapshots", "record_snapshot_signature",
         "segment_to_archive", "sidecar_status", "lock_doorbell")
TEXTS = ("acquire_lease", "seal_events", "unsigned_seals_with_events", "record_seal_signatures", "log_signatures", "grow_tree", "checkpoints_due", "segment_to_archive",
         "lock_doorbell", "last_checkpoint")
CASES = [(name, how) for how, names in (("no row", NO_ROW), ("NULL", NULLS), ("a text", TEXTS)) for name in names]


def answer_otherwise(database, name, how):
    """The function with another answer in its place."""
    with superuser(database) as connection:
        oid, arguments, returns, columns = connection.execute(
            "SELECT p.oid::regprocedure::text, pg_get_function_arguments(p.oid), CASE WHEN p.proretset THEN NULL ELSE p.prorettype::regtype::text END,"
            " (SELECT array_agg(ARRAY[a.name, a.type::regtype::text] ORDER BY a.place)"
            "  FROM unnest(p.proargnames, p.proallargtypes, p.proargmodes) WITH ORDINALITY a (name, type, mode, place) WHERE a.mode IN ('t', 'o'))"
            " FROM pg_proc p WHERE p.proname = %s AND p.pronamespace = 'reason'::regnamespace", (name,)).fetchone()
        arguments = ", ".join(piece for piece in arguments.split(", ") if not piece.startswith("OUT "))
        types = [[name, returns]] if returns else columns
        if how == "a text":
            types = [[column, "text" if kind in ("bigint", "integer", "boolean") else kind] for column, kind in types]
        values = ", ".join(f"{chr(39) + 'many' + chr(39) if how == 'a text' and kind in ('text', 'bytea') else 'NULL'}::{kind}" for _, kind in types)
        form = f"SETOF {types[0][1]}" if returns and how == "no row" else types[0][1] if returns else "TABLE (" + ", ".join(f'"{column}" {kind}' for column, kind in types) + ")"
        connection.execute(f"ALTER FUNCTION {oid} RENAME TO {name}_away")
        connection.execute(f"CREATE FUNCTION reason.{name}({arguments}) RETURNS {form} LANGUAGE sql SECURITY DEFINER AS $$ SELECT {values}{' WHERE false' if how == 'no row' else ''} $$")
        connection.execute(f"GRANT EXECUTE ON FUNCTION reason.{name} TO PUBLIC")


@pytest.mark.parametrize("name, how", CASES)
def test_a_function_answers_in_another_form(database, sidecars, remembering, archiving, name, how):
    one = sidecars({**remembering, "archive": archiving["archive"]})
    answer_otherwise(database, name, how)
    database.snapshot(database.node())
    one.start(ready=False)

    def is_told():
        return any(f"reason.{name}: the database answers with " in line and " error " in line for line in one.log().splitlines())
    wait_for(lambda: is_told() or one.process.poll() is not None, 30, f"an error by name: {one.log()[-3000:]}")
    assert is_told() and one.process.poll() is None, one.log()[-3000:]
    assert one.get("/metrics")[0] == 200
    assert one.stop() == 0


@pytest.mark.parametrize("option, name, how", [("--recover", "safe_mode_fault", "no row"), ("--accept-restore", "current_origin", "NULL"),
                                               ("--accept-restore", "current_origin", "no row")])
def test_a_command_that_is_answered_in_another_form(database, sidecars, remembering, option, name, how):
    answer_otherwise(database, name, how)
    done = sidecars(remembering).run(option)
    assert done.returncode == 1 and f"reason.{name}: the database answers with " in done.stderr, done.stdout + done.stderr
