#!/usr/bin/python3
"""Measures what a record costs that is written alone; write_single.sh starts what is measured."""

import argparse
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

import psycopg

import processor_time
import write_profile

BODY = ('{"type": "observation", "author": "bench", "payload": {"sensor": "rain", "value": 0.25, "unit": "mm",'
        ' "place": {"lat": 51.5, "lon": -0.12}}}')
PAYLOAD = '{"sensor": "rain", "value": 0.25, "unit": "mm", "place": {"lat": 51.5, "lon": -0.12}}'
SQL = {
    "insert_nodes()": ("SELECT i.id FROM reason.insert_nodes(%s, true, '{*}', '{\"role\":\"postgres\"}') i", lambda node: [BODY]),
    "add_node()": ("SELECT reason.add_node('observation', %s::jsonb, 'bench')", lambda node: [PAYLOAD]),
    "insert_edges()": ("SELECT i.id FROM reason.insert_edges(%s, true, '{*}', '{\"role\":\"postgres\"}') i",
                       lambda node: [f'{{"from":"{node}","to":"{node}","type":"causal"}}']),
    "add_edge()": ("SELECT reason.add_edge(%s::uuid, %s::uuid, 'causal')", lambda node: [node, node]),
}
PAIRS = (("insert_nodes()", "add_node()"), ("insert_edges()", "add_edge()"))
# "ended": sessions of PostgreSQL that ended meanwhile, as far as they were not counted before.
PARTS = ("nginx", "backends", "server", "sealing", "sidecar", "ended")
CALLS = 300


class Tree:
    """A stack of one checkout."""

    def __init__(self, name, run_dir, port, pg_port):
        self.name, self.run_dir, self.port = name, pathlib.Path(run_dir), int(port)
        self.database = psycopg.connect(f"host=127.0.0.1 port={pg_port} user=postgres dbname=reason", autocommit=True, prepare_threshold=0)
        self.backend = self.value("SELECT pg_backend_pid()")

    def value(self, query, parameters=()):
        return self.database.execute(query, parameters).fetchone()[0]

    def settled(self):
        """Everything is sealed and signed."""
        deadline = time.monotonic() + 300
        while self.value("SELECT (SELECT max(no) FROM reason.audit_event) IS DISTINCT FROM (SELECT max(event_no) FROM reason.audit_seal)"
                         " OR (SELECT max(seq) FROM reason.audit_seal WHERE division = 'default') IS DISTINCT FROM"
                         " (SELECT max(seq) FROM reason.audit_signature WHERE division = 'default')"):
            assert time.monotonic() < deadline, "not sealed and signed within 5 minutes"
            time.sleep(0.05)

    def processes(self):
        """What each process works for; this script's own session is none of them."""
        postmaster, nginx, sidecar = (processor_time.first_line(self.run_dir / name) for name in ("pg/postmaster.pid", "bench/nginx.pid", "sidecar.pid"))
        found = {pid: processor_time.part_of_backend(pid) for pid in processor_time.children(postmaster) if pid != self.backend}
        found.update(dict.fromkeys([nginx, *processor_time.children(nginx)], "nginx"))
        found[sidecar] = "sidecar"
        return found

    def times(self):
        """(process, what for): processor seconds so far."""
        times = {(pid, part): processor_time.seconds(pid) for pid, part in self.processes().items()}
        times["all", "ended"] = processor_time.seconds_of_ended_children(processor_time.first_line(self.run_dir / "pg" / "postmaster.pid"))
        return times

    def load(self, connections, seconds):
        """Writes a second, and how many there were."""
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = [[{BODY}]]\n')
            script.flush()
            output = subprocess.run(["wrk", "-t", "2", "-c", str(connections), "-d", f"{seconds}s", "-s", script.name,
                                     f"https://localhost:{self.port}/reason/node"], check=True, capture_output=True, text=True).stdout
        assert "Non-2xx" not in output, output
        return float(re.search(r"Requests/sec: +([0-9.]+)", output).group(1)), int(re.search(r"([0-9]+) requests in", output).group(1))

    def round(self, connections, seconds):
        """(writes a second, microseconds a write by what for), until all is signed."""
        self.settled()
        self.note_last()
        before = self.times()
        rate, _ = self.load(connections, seconds)
        loaded = self.times()
        events = self.value("SELECT count(*) FROM reason.audit_event WHERE no > %s", [self.last_no])
        self.settled()
        after = self.times()
        known = {**before, **loaded}
        parts = dict.fromkeys(PARTS, 0.0)
        for process, used in {**loaded, **after}.items():
            parts[process[1]] += used - before.get(process, 0)
        # The server's account of what has ended holds all of it.
        parts["ended"] -= sum(used for process, used in known.items() if process not in after)
        return rate, {part: used / events * 1e6 for part, used in parts.items()}

    def note_last(self):
        self.last_no = self.value("SELECT coalesce(max(no), 0) FROM reason.audit_event")


def median_of(values):
    return statistics.median(values)


def spread(values, form):
    return f"{form.format(median_of(values))} ({form.format(min(values))} to {form.format(max(values))})"


def print_sql(trees, rounds):
    """What calls in SQL cost the session's process, several hundred of each in turn."""
    times = {(tree.name, what): [] for tree in trees for what in SQL}
    for tree in trees:
        tree.node = str(tree.value("SELECT reason.add_node('observation', '1', 'bench')"))
    for attempt in range(rounds + 1):
        for tree in trees:
            for what, (query, parameters) in SQL.items():
                began = processor_time.seconds(tree.backend)
                for _ in range(CALLS):
                    tree.database.execute(query, parameters(tree.node)).fetchall()
                # The first round is to warm up.
                if attempt > 0:
                    times[tree.name, what].append((processor_time.seconds(tree.backend) - began) / CALLS * 1e6)
    print(f"\nA call in SQL, one transaction, microseconds of the session's processor time, medians of {rounds} rounds of {CALLS} (least to most)")
    for tree in trees:
        for inner, outer in PAIRS:
            ratios = [b / a for a, b in zip(times[tree.name, inner], times[tree.name, outer])]
            print(f"  {tree.name:5} {inner:20} {spread(times[tree.name, inner], '{:.0f}'):20} {outer:11} {spread(times[tree.name, outer], '{:.0f}'):20}"
                  f" ratio {spread(ratios, '{:.2f}')} (wanted: at most 1.25)")


def print_https(trees, seconds, rounds, connections):
    for tree in trees:
        tree.round(connections[0], 1)
    for count in connections:
        print(f"\nOne record a POST over HTTPS, {count} connections, durable, sealed and signed: {rounds} rounds of {seconds} s")
        print(f"  {'':5} {'a second':>9}  microseconds of processor time: {'all':>6} " + " ".join(f"{part:>9}" for part in PARTS))
        rates = {tree.name: [] for tree in trees}
        costs = {tree.name: [] for tree in trees}
        for _ in range(rounds):
            for tree in trees:
                rate, parts = tree.round(count, seconds)
                rates[tree.name].append(rate)
                costs[tree.name].append(sum(parts.values()))
                print(f"  {tree.name:5} {rate:9.0f} {sum(parts.values()):39.0f} " + " ".join(f"{parts[part]:9.0f}" for part in PARTS), flush=True)
        for tree in trees:
            print(f"  {tree.name}: {spread(rates[tree.name], '{:.0f}')} a second, {spread(costs[tree.name], '{:.0f}')} microseconds (wanted: at most 500)")
        if len(trees) == 2:
            print(f"  now to base: rate {spread([a / b for a, b in zip(rates['now'], rates['base'])], '{:.2f}')} (wanted: at least 2),"
                  f" processor time {spread([a / b for a, b in zip(costs['now'], costs['base'])], '{:.2f}')}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tree", nargs=4, action="append", metavar=("NAME", "RUN_DIR", "PORT", "PG_PORT"))
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("seconds", nargs="?", type=int, default=4)
    parser.add_argument("rounds", nargs="?", type=int, default=5)
    parser.add_argument("connections", nargs="*", type=int)
    arguments = parser.parse_args()
    trees = [Tree(*tree) for tree in sorted(arguments.tree)]
    connections = arguments.connections or [4, 32]
    print_sql(trees, arguments.rounds)
    print_https(trees, arguments.seconds, arguments.rounds, connections)
    if arguments.profile:
        now = next(tree for tree in trees if tree.name == "now")
        write_profile.print_profile(now, connections[0], arguments.seconds)


main()
