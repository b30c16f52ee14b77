"""Fills a database for trust.sh and seals its chain: trust_load.py DSN NODES."""
import sys
import time

import psycopg

from signer import Signer

dsn, nodes, signer = sys.argv[1], int(sys.argv[2]), Signer("bench")
db = psycopg.connect(dsn, autocommit=True)
db.execute("SELECT reason.add_signer('bench', %s)", (signer.public.raw.hex(),))
db.execute("""
    SELECT count(*) FROM (SELECT reason.add_nodes(json_build_object('nodes', json_agg(json_build_object('type', 'observation',
        'author', 'bench', 'payload', json_build_object('n', i, 'value', i * 0.37, 'text', repeat('reason ', 100))))))
        FROM generate_series(1, %s) i GROUP BY i / 2000) s""", (nodes,))
db.execute("CREATE TABLE place AS SELECT row_number() OVER (ORDER BY no) AS i, id FROM reason.node")
db.execute("CREATE UNIQUE INDEX ON place (i) INCLUDE (id)")
db.execute("ANALYZE place")
db.execute("""
    SELECT count(*) FROM (SELECT reason.add_edges(json_build_object('edges', json_agg(json_build_object('from', a.id, 'to', b.id,
        'type', 'causal')))) FROM generate_series(2, %s) g (i), place a, place b
        WHERE b.i = g.i AND a.i = greatest(1, g.i - 1 - g.i::bigint * 7919 %% 100) GROUP BY g.i / 2000) s""", (nodes,))
token, = db.execute("SELECT reason.acquire_lease('seal', 'bench', '1 hour')").fetchone()

began, sealed = time.monotonic(), 0
while True:
    batch, = db.execute("SELECT reason.seal_events(%s, 5000)", (token,)).fetchone()
    if batch == 0:
        break
    sealed += batch
print(f"sealed                    {sealed:9d} events {sealed / (time.monotonic() - began):12.0f} /s  (wanted: more than 20,000)")

began, signed = time.monotonic(), 0
while True:
    seals = db.execute("SELECT division, seq, hash FROM reason.unsigned_seals(1000)").fetchall()
    if not seals:
        break
    signed += db.execute("SELECT reason.record_seal_signatures(%s, 'bench', %s, %s, %s)", (
        token, [s[0] for s in seals], [s[1] for s in seals], [signer.sign(s[2]) for s in seals])).fetchone()[0]
print(f"signed, checked, recorded {signed:9d} events {signed / (time.monotonic() - began):12.0f} /s  (wanted: more than 5,000)")

# As the sidecar does it after each turn: snapshots name the root of the log, and verify it.
while db.execute("SELECT reason.grow_tree(%s, NULL)", (token,)).fetchone()[0]:
    pass
