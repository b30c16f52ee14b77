"""The part of log.sh that talks to the server: log.py DSN LEAVES ROUNDS."""
import ctypes
import ctypes.util
import random
import statistics
import sys
import time

import psycopg

EVENTS = 20000

sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
sodium.sodium_init()
public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
sodium.crypto_sign_seed_keypair(public, secret, b"b" * 32)


def sign(message):
    signature = ctypes.create_string_buffer(64)
    sodium.crypto_sign_detached(signature, None, message, ctypes.c_ulonglong(len(message)), secret)
    return signature.raw


dsn, leaves, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
db = psycopg.connect(dsn, autocommit=True)
db.execute("SET client_min_messages = warning")
db.execute("CREATE EXTENSION reasoning_graph")
db.execute("SELECT reason.add_signer('bench', %s)", (public.raw.hex(),))
token, = db.execute("SELECT reason.acquire_lease('seal', 'bench', '1 day')").fetchone()


def one(query, *arguments):
    return db.execute(query, arguments).fetchone()[0]


# ---------------------------------------------------------------- sealing

def write(division):
    db.execute("SELECT count(*) FROM (SELECT reason.add_nodes(json_build_object('nodes', json_agg(json_build_object('type', 'observation',"
               " 'author', 'bench', 'division', %s::text, 'payload', json_build_object('n', i, 'text', repeat('reason ', 20))))))"
               " FROM generate_series(1, %s) i GROUP BY i / 1000) s", (division, EVENTS))


def seal():
    """Seconds for sealing, signing and growing, each behind the other, batch by batch: what else runs slows all of them."""
    seconds = [0, 0, 0]

    def timed(place, query, *arguments):
        began = time.perf_counter()
        result = one(query, *arguments)
        seconds[place] += time.perf_counter() - began
        return result
    while timed(0, "SELECT reason.seal_events(%s, 1000)", token):
        seals = db.execute("SELECT division, seq, hash FROM reason.unsigned_seals(1000)").fetchall()
        signatures = [sign(s[2]) for s in seals]
        timed(1, "SELECT reason.record_seal_signatures(%s, 'bench', %s, %s, %s)", token, [s[0] for s in seals], [s[1] for s in seals], signatures)
        timed(2, "SELECT reason.grow_tree(%s)", token)
    return seconds


print(f"{'':8} {'sealed /s':>12} {'with tree /s':>12} {'ratio':>6}   {'and signed /s':>13} {'with tree /s':>12} {'ratio':>6}")
ratios = []
for round in range(rounds + 1):
    write(f"round-{round}")
    sealing, signing, growing = seal()
    rates = [EVENTS / s for s in (sealing, sealing + growing, sealing + signing, sealing + signing + growing)]
    if round > 0:
        ratios.append([rates[1] / rates[0], rates[3] / rates[2]])
        print(f"{round:<8} {rates[0]:12.0f} {rates[1]:12.0f} {ratios[-1][0]:6.3f}   {rates[2]:13.0f} {rates[3]:12.0f} {ratios[-1][1]:6.3f}")
print(f"ratio: median {statistics.median(r[1] for r in ratios):.3f} of sealing and signing (wanted: at least 0.95), {statistics.median(r[0] for r in ratios):.3f} of sealing alone")

# ---------------------------------------------------------------- growing

# What finds the seal of an event is not asked for here, and costs most of the time that seeding takes.
db.execute("ALTER TABLE reason.audit_seal DROP CONSTRAINT audit_seal_event_key")
began = time.perf_counter()
for start in range(0, leaves, 1000000):
    db.execute("INSERT INTO reason.audit_seal (division, seq, event_no, prev_hash, hash, created_at)"
               " SELECT 'long', n, 1000000000 + n, CASE WHEN n > 0 THEN sha256(int8send(n - 1)) END, sha256(int8send(n)), '2026-01-01'::timestamptz + n * interval '1 millisecond'"
               " FROM generate_series(%s::bigint, %s) n", (start, min(start + 1000000, leaves) - 1))
db.execute("INSERT INTO reason.audit_signature VALUES ('long', %s, 'bench', %s)", (leaves - 1, bytes(64)))
db.execute("VACUUM ANALYZE reason.audit_seal")
print(f"\n{leaves} seals made in {time.perf_counter() - began:.0f} s")

for batch in (100000, 1000000):
    before = one("SELECT coalesce(256 * (max(index) + 1), 0) FROM reason.audit_subtree WHERE division = 'long' AND level = 1")
    upto = leaves // 4 if batch == 100000 else leaves
    grown, began = 0, time.perf_counter()
    while before + grown < upto - 256:
        grown += one("SELECT reason.grow_tree(%s, 'long', %s)", token, batch)
    seconds = time.perf_counter() - began
    print(f"grown, {batch:7d} leaves a call: {grown:9d} leaves {grown / seconds:12.0f} /s  (wanted: more than 500,000)")

db.execute("VACUUM ANALYZE reason.audit_subtree")
room = one("SELECT pg_total_relation_size('reason.audit_subtree')")
every = one("SELECT count(*) FROM reason.audit_seal")
print(f"audit_subtree: {room / 1e6:.1f} MB, {room / every:.3f} bytes an event (wanted: less than 1)")

# ---------------------------------------------------------------- proofs

print(f"\n{'':30} {'median ms':>10} {'99 % ms':>10} {'most ms':>10}")
chosen = random.Random(1)
size = one("SELECT reason.tree_size('long')")
for name, call, arguments in [
        ("inclusion_proof, now", "inclusion_proof('long', %s)", lambda: (chosen.randrange(size),)),
        ("inclusion_proof, any size", "inclusion_proof('long', %s, %s)", lambda: sorted((chosen.randrange(size - 1), chosen.randrange(1, size) + 1))),
        ("consistency_proof", "consistency_proof('long', %s, %s)", lambda: sorted((chosen.randrange(1, size), chosen.randrange(1, size)))),
        ("tree_root, any size", "tree_root('long', %s)", lambda: (chosen.randrange(size),)),
        ("tile, level 0", "tile('long', 0, %s)", lambda: (chosen.randrange(size // 256),)),
        ("tile, level 1", "tile('long', 1, %s)", lambda: (chosen.randrange(size // 65536),))]:
    asked = [tuple(arguments()) for _ in range(400)]
    if name.startswith("inclusion_proof, any"):
        asked = [(a, max(a + 1, b)) for a, b in asked]
    times = []
    for again in range(2):
        for given in asked:
            began = time.perf_counter()
            db.execute(f"SELECT reason.{call}", given, prepare=True).fetchone()
            if again:
                times.append((time.perf_counter() - began) * 1000)
    times.sort()
    wanted = "  (wanted: less than 2)" if "proof" in name else ""
    print(f"{name:30} {statistics.median(times):10.2f} {times[len(times) * 99 // 100]:10.2f} {times[-1]:10.2f}{wanted}")

began = time.perf_counter()
ok, detail = db.execute("SELECT ok, detail FROM reason.verify_log('long')").fetchone()
print(f"\nverify_log of {leaves} leaves: {time.perf_counter() - began:.1f} s, {'good' if ok else detail}")
