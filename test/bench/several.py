#!/usr/bin/python3
"""Several at once: see several.sh, which starts the server."""

import statistics
import subprocess
import sys
import tempfile

import psycopg

from trace import load_synthetic, measure

SESSIONS = (2, 8, 32)
WRITES_A_SECOND = 200
STARTS = "SELECT array_agg(id) FROM (SELECT id FROM reason.node ORDER BY no DESC OFFSET 1000 LIMIT %s) n"
TOGETHER = "SELECT count(node_id) FROM reason.trace_from(%(starts)s, max_depth => %(depth)s)"
ONE_BY_ONE = ("SELECT count(DISTINCT t.node_id) FROM unnest(%(starts)s) u (id), LATERAL reason.trace(u.id, max_depth => %(depth)s) t")
RECURSIVE = """
    WITH RECURSIVE closure (no, depth) AS (
        SELECT no, 0 FROM reason.node WHERE id = ANY (%(starts)s)
        UNION
        SELECT e.from_no, c.depth + 1 FROM closure c JOIN reason.edge e ON e.to_no = c.no WHERE c.depth < %(depth)s
    )
    SELECT count(DISTINCT no) FROM closure
"""
PATHS = "SELECT count(DISTINCT path) FROM reason.strongest_paths(%(cause)s, %(effect)s, %(k)s)"
# pgbench's; the node is one of the last half.
PICK = "\\set no 4 * random({half}, {most})\n"
TRACE = PICK + "SELECT count(node_id) FROM reason.trace((SELECT id FROM reason.node WHERE no = :no), max_depth => 6);\n"
QUERY = PICK + ("WITH RECURSIVE closure (no, depth) AS (SELECT :no::bigint, 0 UNION SELECT e.from_no, c.depth + 1"
                " FROM closure c JOIN reason.edge e ON e.to_no = c.no WHERE c.depth < 6) SELECT count(DISTINCT no) FROM closure;\n")
WRITE = "SELECT reason.add_node('observation', '{\"text\": \"it rains\"}', 'bench');\n"


def times(db, query, arguments, rounds):
    """The result, and processor milliseconds of the session: median, least, most; a first round warms up."""
    measured = [measure(db, query, arguments) for _ in range(rounds + 1)][1:]
    processor = [one[2] for one in measured]
    return measured[0][0], statistics.median(processor), min(processor), max(processor)


def print_times(what, result, median, least, most, first=None):
    ratio = f"{first / median:8.1f}" if first else ""
    print(f"  {what:42} {result:8} {median:9.2f} ({least:.2f} to {most:.2f}) {ratio}")


def print_starts(db, rounds):
    print("\nTraces from several nodes: nodes, processor ms, times faster than the recursive query")
    for use in ("off", "on"):
        db.execute(f"SET reason.adjacency_cache = {use}")
        way = "cache" if use == "on" else "indexes"
        for count, depth in ((4, 6), (16, 6), (16, None), (64, 4)):
            arguments = {"starts": db.execute(STARTS, [count]).fetchone()[0], "depth": depth}
            first = None
            results = set()
            systems = [("trace_from()", TOGETHER), ("trace() of each, distinct", ONE_BY_ONE)]
            # Without a limit it carries no depth that ends.
            if depth is not None:
                systems.insert(0, ("WITH RECURSIVE", RECURSIVE))
            for name, query in systems:
                result, *spread = times(db, query, arguments, rounds)
                first = first or (spread[0] if name == "WITH RECURSIVE" else None)
                print_times(f"{count} nodes, depth {depth or 'any'}, {way}: {name}", result, *spread, first)
                results.add(result)
            assert len(results) == 1, "the systems disagree"


def print_paths(db, rounds):
    print("\nStrongest paths between two nodes, along the indexes: paths found, processor ms")
    db.execute("SET reason.adjacency_cache = off")
    effect = db.execute("SELECT id FROM reason.node ORDER BY no DESC OFFSET 1000 LIMIT 1").fetchone()[0]
    for depth in (4, 8, 12):
        cause = db.execute("SELECT node_id FROM reason.trace(%s, max_depth => %s, edge_types => '{causal}') ORDER BY step DESC LIMIT 1",
                           [effect, depth]).fetchone()[0]
        nodes = db.execute("SELECT count(*) FROM reason.trace(%s, edge_types => '{causal}') t"
                           " JOIN reason.trace(%s, 'descendants', edge_types => '{causal}') u USING (node_id)", [effect, cause]).fetchone()[0]
        for k in (1, 10, 100):
            print_times(f"{nodes} nodes between them, k = {k}", *times(db, PATHS, {"cause": cause, "effect": effect, "k": k}, rounds))


def a_second(pgbench, connection, script, clients, seconds, *options):
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        output = subprocess.run([pgbench, "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds), "-f", file.name, *options, connection],
                                check=True, capture_output=True, text=True).stdout
    return float(next(line.split("=")[1].split()[0] for line in output.splitlines() if line.startswith("tps")))


def under_load(pgbench, connection, script, clients, seconds):
    """Traces a second while two sessions write as many nodes a second as they are to."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(WRITE)
        file.flush()
        with subprocess.Popen([pgbench, "-n", "-M", "prepared", "-c", "2", "-R", str(WRITES_A_SECOND), "-T", str(seconds + 1), "-f", file.name, connection],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as writers:
            rate = a_second(pgbench, connection, script, clients, seconds)
            writers.wait()
    return rate


def print_sessions(pgbench, connection, nodes, rounds, seconds):
    print(f"\nTraces to depth 6 a second, from nodes at random, while {WRITES_A_SECOND} nodes a second are written: medians of {rounds} rounds of {seconds} s")
    print(f"  {'sessions':>8} {'trace()':>9} {'WITH RECURSIVE':>15} {'ratio':>6}")
    numbers = {"half": nodes // 2, "most": nodes}
    for clients in SESSIONS:
        rates = {"trace": [], "query": []}
        for _ in range(rounds):
            rates["trace"].append(under_load(pgbench, connection, TRACE.format(**numbers), clients, seconds))
            rates["query"].append(under_load(pgbench, connection, QUERY.format(**numbers), clients, seconds))
        ratios = [a / b for a, b in zip(rates["trace"], rates["query"])]
        print(f"  {clients:8} {statistics.median(rates['trace']):9.0f} {statistics.median(rates['query']):15.0f}"
              f" {statistics.median(ratios):6.1f} ({min(ratios):.1f} to {max(ratios):.1f})", flush=True)


def main():
    port, connection, pgbench, nodes, rounds, seconds = sys.argv[1:]
    with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname=postgres", autocommit=True) as db:
        db.execute("SET client_min_messages = warning")
        db.execute("CREATE EXTENSION reasoning_graph")
        load_synthetic(db, int(nodes))
        db.execute("SELECT reason.build_adjacency_cache()")
        print_starts(db, int(rounds))
        print_paths(db, int(rounds))
    print_sessions(pgbench, connection, int(nodes), min(int(rounds), 3), int(seconds))


main()
