"""verify_audit() against libsodium alone, in processor time: trust_verify.py DSN RATE ROUNDS.

Processor time, because the machine may do other work beside: both sides need one core.
"""
import os
import pathlib
import subprocess
import sys

import psycopg

dsn, rate, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
db = psycopg.connect(dsn, autocommit=True)
status = pathlib.Path(f"/proc/{db.info.backend_pid}/stat")


def processor_seconds():
    fields = status.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def verify():
    before = processor_seconds()
    checked, = db.execute("SELECT checked FROM reason.verify_audit() WHERE ok").fetchone()
    return checked / (processor_seconds() - before)


print(f"{'round':8} {'verify_audit /s':>18} {'libsodium /s':>18} {'ratio':>8}")
ratios = []
for n in range(1, rounds + 1):
    before = float(subprocess.check_output([rate, "1"]))
    ours = verify()
    bare = (before + float(subprocess.check_output([rate, "1"]))) / 2
    ratios.append(ours / bare)
    print(f"{n:<8} {ours:18.0f} {bare:18.0f} {ratios[-1]:8.2f}")
ratios.sort()
print(f"ratio: median {ratios[len(ratios) // 2]:.2f}, from {ratios[0]:.2f} to {ratios[-1]:.2f} (wanted: at least 0.85)")
