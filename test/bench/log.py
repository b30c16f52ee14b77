"""The part of log.sh that talks to the server: log.py DSN LEAVES ROUNDS."""
import ctypes
import ctypes.util
import random
import statistics
import sys
import threading
import time

import psycopg

EVENTS = 20000

sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
sodium.sodium_init()
public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
sodium.crypto_sign_seed_keypair(public, secret, b"b" * 32)


def signed(message):
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


def processor_seconds(connection):
    """Of the session's process: what else runs does not count."""
    with open(f"/proc/{connection.info.backend_pid}/schedstat", encoding="ascii") as told:
        return int(told.read().split()[0]) / 1e9


def spent(connection, call):
    began = processor_seconds(connection)
    result = call()
    return processor_seconds(connection) - began, result


# ---------------------------------------------------------------- sealing

def write(division):
    db.execute("SELECT count(*) FROM (SELECT reason.add_nodes(json_build_object('nodes', json_agg(json_build_object('type', 'observation',"
               " 'author', 'bench', 'division', %s::text, 'payload', json_build_object('n', i, 'text', repeat('reason ', 20))))))"
               " FROM generate_series(1, %s) i GROUP BY i / 1000) s", (division, EVENTS))


def seal():
    """The sealer's processor seconds for all that is there."""
    seconds, sealed = 0, 1
    while sealed:
        more, sealed = spent(db, lambda: one("SELECT reason.seal_events(%s, 1000)", token))
        seconds += more
    return seconds


def sign():
    """Those for recording signatures of what is sealed."""
    seconds = 0
    while seals := db.execute("SELECT division, seq, hash FROM reason.unsigned_seals(1000)").fetchall():
        signatures = [signed(s[2]) for s in seals]
        seconds += spent(db, lambda: one("SELECT reason.record_seal_signatures(%s, 'bench', %s, %s, %s)", token, [s[0] for s in seals],
                                         [s[1] for s in seals], signatures))[0]
    return seconds


class Growing:
    """A session that grows trees as long as this lasts, as the sidecar's stage does behind the sealer."""

    def __enter__(self):
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.ended = threading.Event()
        self.seconds = 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def run(self):
        while not self.ended.is_set():
            self.seconds += spent(self.connection, lambda: self.connection.execute("SELECT reason.grow_tree(%s, NULL, 1024)", (token,)))[0]

    def __exit__(self, *error):
        self.ended.set()
        self.thread.join()
        self.connection.close()


print("processor time of the sealer's session, while another grows the tree of the events before, and while none does")
print(f"{'':8} {'sealed /s':>12} {'beside a tree /s':>17} {'ratio':>6}   {'growing, of sealing and signing':>31}")
ratios, shares = [], []
write("before")
seal()
sign()
for round in range(rounds):
    seconds = {}
    for grown in random.sample([False, True], 2):
        write(f"{'beside' if grown else 'alone'}-{round}")
        if grown:
            with Growing():
                seconds[grown] = seal()
        else:
            seconds[grown] = seal()
        signing = sign()
    growing = 0
    while (more := spent(db, lambda: one("SELECT reason.grow_tree(%s, NULL, 1024)", token)))[1]:
        growing += more[0]
    ratios.append(seconds[False] / seconds[True])
    # Two rounds' events, but for what the other session has grown.
    shares.append(growing / (2 * (seconds[False] + signing)))
    print(f"{round + 1:<8} {EVENTS / seconds[False]:12.0f} {EVENTS / seconds[True]:17.0f} {ratios[-1]:6.3f}   {shares[-1]:31.3f}")
print(f"ratio: median {statistics.median(ratios):.3f} (wanted: at least 0.95); growing adds {statistics.median(shares):.3f} to what sealing and signing cost")

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
    grown, seconds, began = 0, 0, time.perf_counter()
    while before + grown < upto - 256:
        more, leaves_more = spent(db, lambda: one("SELECT reason.grow_tree(%s, 'long', %s)", token, batch))
        grown, seconds = grown + leaves_more, seconds + more
    print(f"grown, {batch:7d} leaves a call: {grown:9d} leaves {grown / seconds:10.0f} a second of processor time (wanted: more than 500,000), "
          f"{grown / (time.perf_counter() - began):.0f} by the clock")

db.execute("VACUUM ANALYZE reason.audit_subtree")
room = one("SELECT pg_total_relation_size('reason.audit_subtree')")
every = one("SELECT count(*) FROM reason.audit_seal")
print(f"audit_subtree: {room / 1e6:.1f} MB, {room / every:.3f} bytes an event (wanted: less than 1)")

# ---------------------------------------------------------------- proofs

print(f"\n{'warm, ms':30} {'processor, median':>18} {'99 %':>8} {'by the clock, median':>22} {'99 %':>8}")
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
    for given in asked:
        db.execute(f"SELECT reason.{call}", given, prepare=True).fetchone()
    processor, clock = [], []
    for given in asked:
        began = time.perf_counter()
        seconds, _ = spent(db, lambda: db.execute(f"SELECT reason.{call}", given, prepare=True).fetchone())
        clock.append((time.perf_counter() - began) * 1000)
        processor.append(seconds * 1000)
    processor.sort()
    clock.sort()
    last = len(asked) * 99 // 100
    wanted = "  (wanted: less than 2)" if "proof" in name else ""
    print(f"{name:30} {statistics.median(processor):18.2f} {processor[last]:8.2f} {statistics.median(clock):22.2f} {clock[last]:8.2f}{wanted}")

# What a sidecar reads again once an interval, as many blocks as it has time for; hashing them costs it about as much
seconds = sum(spent(db, lambda: db.execute("SELECT reason.log_hashes('long', 0, %s, 4096)", (first,), prepare=True, binary=True).fetchone())[0]
              for first in range(0, size // 4096 * 4096, 4096))
print(f"\nread again by blocks of 4,096: {size // 4096 * 4096 / seconds:.0f} leaves a second of processor time")

began = time.perf_counter()
ok, detail = db.execute("SELECT ok, detail FROM reason.verify_log('long')").fetchone()
print(f"\nverify_log of {leaves} leaves: {time.perf_counter() - began:.1f} s, {'good' if ok else detail}")
