"""Processor time of a statement on two servers, in turn: turns.py ROUNDS DSN DSN STATEMENT.

For two versions over the same data on a machine that does other things too: what disturbs one side disturbs the other
in the same round, so that the median of the rounds' ratios is steadier than either side's milliseconds. The second
side's time is divided by the first's. SET before the statement, as in "SET x = y; SELECT …", holds for the session.
"""
import statistics
import sys

import psycopg

rounds, dsns, (*settings, statement) = int(sys.argv[1]), sys.argv[2:4], sys.argv[4].split("; ")
sessions = [psycopg.connect(dsn, autocommit=True) for dsn in dsns]


def spent(db):
    """In ms."""
    def used():
        with open(f"/proc/{db.info.backend_pid}/schedstat") as file:
            return int(file.read().split()[0]) / 1e6
    before = used()
    db.execute(statement, prepare=True).fetchall()
    return used() - before


for db in sessions:
    for setting in settings:
        db.execute(setting)
    spent(db)
times = []
for n in range(rounds):
    order = [0, 1] if n % 2 == 0 else [1, 0]
    found = {side: spent(sessions[side]) for side in order}
    times.append((found[0], found[1]))
ratios = sorted(second / first for first, second in times)
first, second = (statistics.median(side) for side in zip(*times))
print(f"{first:.1f} and {second:.1f} ms, ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}, {rounds} rounds)")
