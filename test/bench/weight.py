"""What a record weighs: weight.py DSN NODES, for weight.sh."""
import json
import random
import sys

import psycopg

from signer import Signer

BATCH = 1000
EDGES_A_NODE = 3
WANTED = {"node": 900, "edge": 750}

dsn, nodes, signer = sys.argv[1], int(sys.argv[2]), Signer("bench")
db = psycopg.connect(dsn, autocommit=True)
db.execute("SELECT reason.add_signer('bench', %s)", (signer.public.raw.hex(),))
token, = db.execute("SELECT reason.acquire_lease('seal', 'bench', '1 hour')").fetchone()
generator = random.Random(1)


def sizes():
    """Bytes of each table and index of the schema that holds anything."""
    return dict(db.execute("""
        SELECT c.relname, pg_relation_size(c.oid) + CASE WHEN c.reltoastrelid <> 0 THEN pg_total_relation_size(c.reltoastrelid) ELSE 0 END
        FROM pg_class c WHERE c.relnamespace = 'reason'::regnamespace AND c.relkind IN ('r', 'i') AND c.relname !~ '^(signer|client|lease|sealer_state)'"""))


def logged():
    return int(db.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()[0])


def prove():
    """Seals and signs everything."""
    while db.execute("SELECT reason.seal_events(%s, 5000)", (token,)).fetchone()[0]:
        pass
    while seals := db.execute("SELECT division, seq, hash FROM reason.unsigned_seals(1000)").fetchall():
        db.execute("SELECT reason.record_seal_signatures(%s, 'bench', %s, %s, %s)",
                   (token, [s[0] for s in seals], [s[1] for s in seals], [signer.sign(s[2]) for s in seals]))


def batches(function, member, records):
    for first in range(0, len(records), BATCH):
        db.execute(f"SELECT reason.{function}(%s)", (json.dumps({member: records[first:first + BATCH]}),))


def weigh(kind, count, write):
    """Writes so many records; what each takes, by table and index, and of the write-ahead log."""
    db.execute("CHECKPOINT")
    db.execute("VACUUM")
    before, began = sizes(), logged()
    write()
    written = logged()
    prove()
    proved = logged()
    db.execute("VACUUM")
    grown = {name: (size - before.get(name, 0)) / count for name, size in sizes().items()}
    grown = {name: size for name, size in grown.items() if size >= 0.5}
    print(f"\n{count} of {kind}, bytes each")
    for name, size in sorted(grown.items(), key=lambda item: -item[1]):
        print(f"  {name:30s} {size:8.0f}")
    print(f"  {'all':30s} {sum(grown.values()):8.0f}   (wanted: at most {WANTED[kind]})")
    print(f"  {'write-ahead log: written':30s} {(written - began) / count:8.0f}")
    print(f"  {'write-ahead log: proved':30s} {(proved - written) / count:8.0f}")


def write_nodes():
    empty = len(json.dumps({"n": 100000, "text": ""}, separators=(",", ":")))
    batches("add_nodes", "nodes", [{"type": "observation", "author": "bench", "payload": {
        "n": 100000 + n, "text": "".join(generator.choices("abcdefghijklmnop qrstuvwxyz", k=300 - empty))}} for n in range(nodes)])


def write_edges():
    ids = [str(i) for i, in db.execute("SELECT id FROM reason.node ORDER BY no")]
    batches("add_edges", "edges", [{"from": ids[generator.randrange(effect)], "to": ids[effect], "type": "causal"}
                                   for effect in range(1, len(ids)) for _ in range(EDGES_A_NODE)])


weigh("node", nodes, write_nodes)
weigh("edge", EDGES_A_NODE * (nodes - 1), write_edges)
found, = db.execute("SELECT reason.verify_audit('default')").fetchone()
print(f"\nverify_audit(): {found}")
