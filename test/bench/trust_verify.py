"""verify_audit() against libsodium alone: trust_verify.py DSN RATE ROUNDS.

Alone, in processor time, because the machine may do other work beside: both sides need one core. With parallel
workers, one for each further core, by the clock. And the memory it takes, for 10,000 events and for all.
"""
import os
import pathlib
import subprocess
import sys
import time

import psycopg

from trust_memory import peak_memory

dsn, rate, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
db = psycopg.connect(dsn, autocommit=True)
status = pathlib.Path(f"/proc/{db.info.backend_pid}/stat")


def processor_seconds():
    fields = status.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def verify(clock, workers, last=None):
    db.execute(f"SET max_parallel_workers_per_gather = {workers}")
    before = clock()
    checked, = db.execute("SELECT checked FROM reason.verify_audit('default', 0, %s) WHERE ok", (last,)).fetchone()
    return checked / (clock() - before)


more = (os.cpu_count() or 1) - 1
print(f"{'round':8} {'verify_audit /s':>18} {'libsodium /s':>18} {'ratio':>8} {f'{more + 1} processes /s':>18} {'ratio':>8}")
ratios, ratios_together = [], []
for n in range(1, rounds + 1):
    before = float(subprocess.check_output([rate, "1"]))
    ours = verify(processor_seconds, 0)
    together = verify(time.monotonic, more)
    bare = (before + float(subprocess.check_output([rate, "1"]))) / 2
    ratios.append(ours / bare)
    ratios_together.append(together / bare)
    print(f"{n:<8} {ours:18.0f} {bare:18.0f} {ratios[-1]:8.2f} {together:18.0f} {ratios_together[-1]:8.2f}")
for name, found, wanted in (("alone", ratios, "at least 0.85"), (f"{more + 1} processes", ratios_together, "more than 1")):
    found.sort()
    print(f"ratio, {name}: median {found[len(found) // 2]:.2f}, from {found[0]:.2f} to {found[-1]:.2f} (wanted: {wanted})")
events, = db.execute("SELECT count(*) FROM reason.audit_seal WHERE division = 'default'").fetchone()
for workers in (0, more):
    db.execute(f"SET max_parallel_workers_per_gather = {workers}")
    short, whole = (peak_memory(db, "SELECT * FROM reason.verify_audit('default', 0, %s)", last) for last in (9999, None))
    print(f"memory, {workers + 1} processes: {short:.1f} MB for 10,000 events, {whole:.1f} MB for {events:,}")
