#!/usr/bin/python3
"""What a sidecar costs writers: node writes a second, one transaction each, durable commits.

The forms run in turn, and ratios are taken in each round, so that other load of the machine falls on all alike:

    alone      no sidecar: nobody is notified, nothing is sealed
    polling    a sidecar that works; a session holds the doorbell's lock shared, so that no writer ever notifies
    attached   a sidecar that works, and is woken by the doorbell
    ringing    the sidecar is stopped in its sleep: every commit notifies

Before that, how long an idle sidecar takes from commit to signature (to be below 50 ms), and from asking for a small snapshot to
its completion in a directory (below 100 ms). Then the former once more while a transaction is open that began UNDECIDED numbers
ago, as a ratio: it is to be about 1.

For attached it also prints the processor time that the sidecar and its sessions take for an event, and how many events a turn
of the sealer has: these say more than rates on a machine that does other things.

attached/polling is what the notifications cost, and is to be at least 0.95. attached/alone adds the processor time that sealing
and signing take from the writers, where both share the machine. ringing/alone is the worst that the doorbell can do, until the
server ends the sleeper's session.
"""

import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from database import Database, SIGNER_ID
from paths import PG_BIN
from postgres import server as new_server
from reason_sidecar import Sidecar
from wait import wait_for

SECONDS, ROUNDS = (int(argument) for argument in (sys.argv[1:] + ["4", "5"][len(sys.argv) - 1:])[:2])
CLIENTS = [int(argument) for argument in sys.argv[3:]] or [8, 32]
LATENCIES = 50
UNDECIDED = 100000
SCRIPT = "SELECT reason.add_node('observation', '{\"text\": \"it rains\"}', 'bench');\n"
DOORBELL = "SELECT count(*) FROM pg_locks WHERE locktype = 'userlock' AND mode = 'ExclusiveLock' AND granted"
WAYS = ("alone", "polling", "attached", "ringing")
RATIOS = (("attached", "polling"), ("attached", "alone"), ("ringing", "alone"))


def milliseconds(begin, done):
    """How long it takes until done(what begin() returned), when the sidecar has been idle for a while."""
    times = []
    for _ in range(LATENCIES):
        time.sleep(0.1)
        began = time.monotonic()
        made = begin()
        while not done(made):
            time.sleep(0.0005)
        times.append((time.monotonic() - began) * 1000)
    return sorted(times)


def print_latencies(database):
    node = database.node()
    database.settled()
    for what, times in (("commit to signature", milliseconds(database.node, lambda _: database.waiting() == 0)),
                        ("request to complete snapshot", milliseconds(lambda: database.snapshot(node), lambda made: database.status(made) == "complete"))):
        print(f"Idle, {what}: median {statistics.median(times):.1f} ms, 9 of 10 within {times[len(times) * 9 // 10]:.1f} ms, of {LATENCIES}", flush=True)


def print_undecided(database):
    """Any login can leave a transaction open, which keeps what was written since from being decided."""
    def is_signed(node):
        return database.value("SELECT EXISTS (SELECT FROM reason.node n JOIN reason.audit_seal s ON s.event_no = n.no JOIN reason.audit_signature g"
                              " ON g.division = s.division AND g.seq = s.seq WHERE n.id = %s)", node)

    database.settled()
    before = milliseconds(database.node, is_signed)
    with database.connect() as holder, holder.transaction():
        holder.execute("SELECT pg_current_xact_id()")
        with database.connect() as writer:
            for _ in range(10):
                writer.execute("SELECT count(reason.add_node('observation', '1', 'bench')) FROM generate_series(1, %s)", [UNDECIDED // 10])
        database.settled(300)
        during = milliseconds(database.node, is_signed)
    print(f"With {UNDECIDED} numbers undecided, commit to signature: median {statistics.median(during):.1f} ms,"
          f" {statistics.median(during) / statistics.median(before):.2f} of without", flush=True)


def writes_a_second(database, script, clients):
    program = PG_BIN / "pgbench"
    output = subprocess.run([program, "-n", "-M", "prepared", "-f", script, "-c", str(clients), "-j", "2", "-T", str(SECONDS),
                             database.server.conninfo(database.name, "postgres")], check=True, capture_output=True, text=True).stdout
    return float(next(line.split("=")[1].split()[0] for line in output.splitlines() if line.startswith("tps")))


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bench:
    def __init__(self, database, sidecar, script):
        self.database, self.sidecar, self.script = database, sidecar, script
        self.costs = []             # of each run attached: microseconds an event, events a turn

    def settle(self):
        self.database.settled(300)

    def alone(self, clients):
        self.sidecar.stop()
        rate = writes_a_second(self.database, self.script, clients)
        self.sidecar.start()
        return rate

    def polling(self, clients):
        """The sidecar never falls asleep."""
        with self.database.connect() as owner:
            owner.execute("ALTER FUNCTION reason.lock_doorbell() RENAME TO lock_doorbell_kept")
            owner.execute("CREATE FUNCTION reason.lock_doorbell() RETURNS boolean LANGUAGE sql AS 'SELECT false'")
            try:
                return writes_a_second(self.database, self.script, clients)
            finally:
                owner.execute("DROP FUNCTION reason.lock_doorbell()")
                owner.execute("ALTER FUNCTION reason.lock_doorbell_kept() RENAME TO lock_doorbell")

    def attached(self, clients):
        before = self.work()
        rate = writes_a_second(self.database, self.script, clients)
        seconds, events, turns = (after - one for one, after in zip(before, self.work()))
        self.costs.append((seconds / events * 1e6, events / turns))
        return rate

    def work(self):
        """Processor seconds of the sidecar and its sessions, events that it signed, turns of its sealer."""
        sessions = [pid for pid, in self.database.rows("SELECT pid FROM pg_stat_activity WHERE usename = 'sidecar'")]
        return (sum(processor_seconds(pid) for pid in [self.sidecar.process.pid, *sessions]),
                self.sidecar.metric("reason_sidecar_events_signed_total"),
                self.sidecar.metric('reason_sidecar_stage_duration_seconds_count{stage="seal"}'))

    def ringing(self, clients):
        self.sleep()
        rate = writes_a_second(self.database, self.script, clients)
        assert self.database.value(DOORBELL) == 1
        self.sidecar.signal(signal.SIGCONT)
        return rate

    def sleep(self):
        """Stops the sidecar when it is asleep."""
        for _ in range(100):
            wait_for(lambda: self.database.value(DOORBELL) == 1, 10, "the sidecar's sleep")
            self.sidecar.signal(signal.SIGSTOP)
            time.sleep(0.05)
            if self.database.value(DOORBELL) == 1:
                return
            self.sidecar.signal(signal.SIGCONT)
        raise AssertionError("the sidecar does not sleep")

    def measure(self, clients):
        rates = {way: [] for way in WAYS}
        self.costs.clear()
        for _ in range(ROUNDS):
            for way in WAYS:
                self.settle()
                rates[way].append(getattr(self, way)(clients))
        print(f"{clients:>7} " + " ".join(f"{statistics.median(rates[way]):>9.0f}" for way in WAYS), end=" ")
        for one, other in RATIOS:
            ratios = [a / b for a, b in zip(rates[one], rates[other])]
            print(f"{statistics.median(ratios):>6.2f} ({min(ratios):.2f}-{max(ratios):.2f})", end=" ")
        print(" ".join(f"{statistics.median(cost):>9.0f}" for cost in zip(*self.costs)), flush=True)


def main():
    with tempfile.TemporaryDirectory() as name, new_server("fsync = on\nmax_connections = 60") as server:
        directory = pathlib.Path(name)
        key = directory / "key.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        key.chmod(0o600)
        public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], check=True, capture_output=True, text=True).stdout
        script = directory / "write.sql"
        script.write_text(SCRIPT)
        (directory / "store").mkdir()
        database = Database(server, "bench", public)
        sidecar = Sidecar(directory, {
            "database": {"conninfo": server.conninfo("bench", "sidecar")},
            "signer": {"id": SIGNER_ID, "key_file": key}, "store": {"url": f"file://{directory}/store"}}).start()
        print_latencies(database)
        print_undecided(database)
        print(f"Node writes a second, {ROUNDS} rounds of {SECONDS} s each; ratios: median (least-most)")
        print("clients " + " ".join(f"{way:>9}" for way in WAYS) + "  " + " ".join(f"{one + '/' + other:<18}" for one, other in RATIOS) + "  µs/event events/turn")
        bench = Bench(database, sidecar, script)
        writes_a_second(database, script, 8)
        for clients in CLIENTS:
            bench.measure(clients)
        sidecar.stop()
        database.connection.close()


if __name__ == "__main__":
    main()
