"""Rules that several sessions change at once, and take back in part: the chain says the last of each, and gives it back."""
import json
import random
import threading

import psycopg

from sealing import Database

SESSIONS, STEPS = 4, 40
TABLES = ("client", "quota", "archive_rule", "policy_rule", "pii_rule", "division_grant", "division_grant_withdrawn")
# Few names and few values, so that sessions meet: the same rule changed, removed and made again, to what it was and to something else.
CHANGES = (
    lambda pick: f"set_client('c{pick(2)}', '{('reader', 'writer')[pick(2)]}', '{{{'ab'[pick(2)]}}}')",
    lambda pick: f"set_quota('first', '{'ab'[pick(2)]}', {pick(3)})",
    lambda pick: f"set_quota('first', '{'ab'[pick(2)]}')",
    lambda pick: f"set_archive_rule('{'ab'[pick(2)]}', {1 + pick(3)}, {pick(2) == 1})",
    lambda pick: f"set_policy_rule('p', '{{node.create}}', division_pattern => '{'ab'[pick(2)]}')",
    lambda pick: f"set_pii_rule('mine', 'staff', member => '{'ab'[pick(2)]}')",
    lambda pick: "drop_pii_rule('mine')",
    lambda pick: f"set_pii_rule('email', enabled => {pick(2) == 1})",
    lambda pick: f"grant_division('reason_reader', '{('a', 'default')[pick(2)]}')",
    lambda pick: f"revoke_division('reason_reader', '{('a', 'default')[pick(2)]}')",
)


def change(name, number, faults):
    db = Database(name)
    drawn = random.Random(number)
    try:
        for step in range(STEPS):
            level = drawn.choice(("READ COMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"))
            try:
                # One after the other in a transaction could wait for each other in a ring; that is an error of the transaction.
                with db.connection.transaction(force_rollback=drawn.random() < 0.2):
                    db(f"SET TRANSACTION ISOLATION LEVEL {level}")
                    db(f"SELECT reason.{drawn.choice(CHANGES)(drawn.randrange)}")
                    with db.connection.transaction(force_rollback=drawn.random() < 0.5):
                        db(f"SELECT reason.{drawn.choice(CHANGES)(drawn.randrange)}")
            except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected, psycopg.errors.NoDataFound, psycopg.errors.UndefinedObject):
                pass
    except Exception as error:
        faults.append(error)
    finally:
        db.close()


def test_the_chain_gives_back_what_several_sessions_left(make_database):
    db = make_database("trust_rules_at_once")
    db("SELECT reason.add_signer(%s, %s)", db.signer.name, db.signer.public.raw.hex())
    db("SELECT reason.set_client('first', 'writer')")
    faults = []
    sessions = [threading.Thread(target=change, args=(db.name, number, faults)) for number in range(SESSIONS)]
    for session in sessions:
        session.start()
    # Sealed all the while, so that places in the chain are given to what has committed by then.
    while any(session.is_alive() for session in sessions):
        db.seal()
    for session in sessions:
        session.join()
    assert faults == []
    db.settle()
    assert db("SELECT * FROM reason.rule_faults()") == []
    assert db("SELECT * FROM reason.verify_all() WHERE NOT ok") == []
    copy = make_database("trust_rules_at_once_copy")
    for event, in db("SELECT reason.audit_event_json(e) FROM reason.audit_events e ORDER BY seq"):
        assert copy.one("SELECT reason.replay(%s::json)", event)
    for table in TABLES:
        rows = [sorted(json.dumps(row, sort_keys=True) for row, in d(f"SELECT to_jsonb(t) FROM reason.{table} t")) for d in (db, copy)]
        assert rows[0] == rows[1], table
    assert copy("SELECT * FROM reason.rule_faults()") == []
