"""Measures traces against recursive queries over the same tables.

All systems run in turn in one session, round by round; the table gives the median of the
wall-clock milliseconds and of the processor milliseconds that the backend used (which other
work on the machine disturbs less), and the ratio of processor time to the first system of
the group. Before that trace() must have found the nodes that the recursive query finds, along the indexes and in
the cache, and where nothing is left out, the depths that a plain search in Python gives, or the run fails.
"Nodes" looks at the column that the recursive query gives, the node, and where that query carries a
depth, at the depth as well; "rows" looks at all columns.
"""

import argparse
import contextlib
import gzip
import json
import math
import random
import statistics
import subprocess
import sys
import time

import psycopg

CLOSURE = """
    WITH RECURSIVE closure (no) AS (
        SELECT no FROM reason.node WHERE id = %(id)s
        UNION
        SELECT e.{far} FROM closure c JOIN reason.edge e ON e.{near} = c.no {join}
    )
"""
CLOSURE_DEPTH = """
    WITH RECURSIVE closure (no, depth) AS (
        SELECT no, 0 FROM reason.node WHERE id = %(id)s
        UNION
        SELECT e.{far}, c.depth + 1 FROM closure c JOIN reason.edge e ON e.{near} = c.no {join} WHERE c.depth < %(depth)s
    )
"""
CTE = CLOSURE + "SELECT count(*) FROM closure"
CTE_DEPTH = CLOSURE_DEPTH + "SELECT count(DISTINCT no) FROM closure"
TRACED = """
    SELECT {columns} FROM (
        SELECT n.no, t.depth FROM reason.trace(%(id)s, '{direction}', %(depth)s{filter}) t JOIN reason.node n ON n.id = t.node_id
    ) t
"""
# Both ways, or a node too many would not be missed.
DIFFERENCE = "SELECT count(*) FROM (({found} EXCEPT ALL {traced}) UNION ALL ({traced} EXCEPT ALL {found})) d"
NODES = "SELECT count(node_id) FROM reason.trace(%(id)s, '{direction}', %(depth)s{filter})"
DEPTHS = "SELECT count(node_id), max(depth) FROM reason.trace(%(id)s, '{direction}', %(depth)s)"
ROWS = """
    SELECT count(node_id), count(step), max(depth), count(edge_id), count(parent_id), bool_or(cycle)
    FROM reason.trace(%(id)s, '{direction}', %(depth)s{filter})
"""
NODE = "SELECT created_at FROM reason.node WHERE id = %(id)s"
SIZE = "SELECT nodes FROM reason.trace_size(%(id)s, '{direction}', %(depth)s{filter})"
# Name → what the recursive query joins, and the arguments that say the same.
NO_FILTER = {"join": "", "filter": ""}
ANCESTORS = {"direction": "ancestors", "near": "to_no", "far": "from_no"}
DESCENDANTS = {"direction": "descendants", "near": "from_no", "far": "to_no"}
FILTERS = {
    "along edges of one type": {"join": "AND e.type = 'causal'", "filter": ", edge_types => '{causal}'"},
    "through nodes of three types": {
        "join": "JOIN reason.node n ON n.no = e.from_no AND n.type IN ('observation', 'decision', 'action')",
        "filter": ", types => '{observation,decision,action}'"},
    "along edges of some weight": {"join": "AND e.weight >= 0.25", "filter": ", min_weight => 0.25"},
    "as of a time": {
        "join": "AND e.created_at <= %(as_of)s JOIN reason.node n ON n.no = e.from_no AND n.created_at <= %(as_of)s",
        "filter": ", as_of => %(as_of)s"},
}
JSON = "SELECT reason.trace_json(%(id)s, depth => %(depth)s, \"limit\" => 1000, redact => false, divisions => '{*}')"
JSON_LATER = ("SELECT reason.trace_json(%(id)s, depth => %(depth)s, \"limit\" => 1000, cursor => %(cursor)s, redact => false,"
              " divisions => '{*}')")
JSON_AGG = """
    WITH RECURSIVE reached (no, depth) AS (
        SELECT no, 0 FROM reason.node WHERE id = %(id)s
        UNION
        SELECT e.from_no, r.depth + 1 FROM reached r JOIN reason.edge e ON e.to_no = r.no WHERE r.depth < %(depth)s
    ), node AS MATERIALIZED (
        SELECT n.*, r.depth FROM (SELECT no, min(depth) AS depth FROM reached GROUP BY no) r JOIN reason.node n USING (no)
        ORDER BY r.depth, n.created_at, n.id LIMIT 1000
    ), edge AS MATERIALIZED (
        SELECT e.from_no, e.to_no, json_build_object('auditEventId', e.audit_event_id, 'createdAt', reason.rfc3339(e.created_at),
            'digest', encode(e.digest, 'hex'), 'division', e.division, 'from', f.id, 'id', e.id, 'metadata', e.metadata,
            'to', t.id, 'type', e.type, 'weight', e.weight) AS edge
        FROM reason.edge e JOIN node t ON t.no = e.to_no JOIN node f ON f.no = e.from_no
    )
    SELECT json_build_object('startNodeId', %(id)s, 'steps', (
        SELECT json_agg(json_build_object('depth', n.depth,
            'node', json_build_object('auditEventId', n.audit_event_id, 'author', n.author,
                'createdAt', reason.rfc3339(n.created_at), 'digest', encode(n.digest, 'hex'), 'division', n.division,
                'id', n.id, 'metadata', n.metadata, 'payload', n.payload, 'payloadHash', encode(n.payload_hash, 'hex'),
                'type', n.type),
            'incoming', (SELECT coalesce(json_agg(e.edge), '[]') FROM edge e WHERE e.to_no = n.no),
            'outgoing', (SELECT coalesce(json_agg(e.edge), '[]') FROM edge e WHERE e.from_no = n.no))
            ORDER BY n.depth, n.created_at, n.id) FROM node n),
        'edges', (SELECT json_agg(e.edge) FROM edge e))::text
"""


# ---------------------------------------------------------------- data sets


def load(db, nodes, edges):
    """nodes: how many; edges: (cause, effect) by index. Numbers follow the order of the nodes, as when they were written."""
    by_effect = {}
    for cause, effect in edges:
        by_effect.setdefault(effect, []).append(cause)
    with db.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE n (no bigint); CREATE TEMP TABLE e (no bigint, from_no bigint, to_no bigint)")
        no = 0
        numbers = []
        for i in range(nodes):
            no += 1 + len(by_effect.get(i, []))
            numbers.append(no - len(by_effect.get(i, [])))
        with cursor.copy("COPY n FROM STDIN") as copy:
            for number in numbers:
                copy.write(f"{number}\n")
        with cursor.copy("COPY e FROM STDIN") as copy:
            for effect, causes in by_effect.items():
                for k, cause in enumerate(causes):
                    copy.write(f"{numbers[effect] + 1 + k}\t{numbers[cause]}\t{numbers[effect]}\n")
    finish_load(db)


def load_synthetic(db, nodes):
    """Every node has three causes, mostly recent ones: the distance is size * u^6."""
    db.execute("SELECT setseed(0.42)")
    db.execute("CREATE TEMP TABLE n AS SELECT 4 * i::bigint AS no FROM generate_series(1, %s) i" % nodes)
    db.execute(
        "CREATE TEMP TABLE e AS SELECT 4 * i::bigint + k AS no,"
        " 4 * greatest(1, i - 1 - floor(power(random(), 6) * (i - 1))::bigint) AS from_no, 4 * i::bigint AS to_no"
        " FROM generate_series(2, %s) i, generate_series(1, 3) k" % nodes
    )
    finish_load(db)


def finish_load(db):
    db.execute(
        """
        INSERT INTO reason.node (no, id, division, type, author, payload, created_at, salt, payload_hash, digest, audit_event_id)
        SELECT no, (lpad(to_hex(1767225600000 + no), 12, '0') || '70008000' || lpad(to_hex(no), 12, '0'))::uuid, 'default',
               (ARRAY['observation', 'decision', 'action', 'score'])[1 + no / 4 % 4], 'bench',
               '{"note": "as long as the payload of a step is"}',
               '2026-01-01'::timestamptz + no * interval '1 ms', sha256(''), sha256(''), sha256(''), gen_random_uuid()
        FROM n ORDER BY no;
        INSERT INTO reason.edge (no, id, division, from_no, to_no, type, weight, created_at, digest, audit_event_id)
        SELECT no, (lpad(to_hex(1767225600000 + no), 12, '0') || '70008000' || lpad(to_hex(no), 12, '0'))::uuid, 'default',
               from_no, to_no, CASE WHEN no % 5 = 0 THEN 'contradicts' ELSE 'causal' END, no % 10 / 10.0,
               '2026-01-01'::timestamptz + no * interval '1 ms', sha256(''), gen_random_uuid()
        FROM e ORDER BY no;
        DROP TABLE n, e;
        SELECT setval('reason.record_no', (SELECT max(no) FROM (SELECT no FROM reason.node UNION ALL SELECT no FROM reason.edge) r));
        INSERT INTO reason.sealer_state (decided_no) VALUES ((SELECT last_value FROM reason.record_no))
        """
    )
    db.execute("VACUUM (ANALYZE) reason.node, reason.edge")


def git_history(path):
    index, edges = {}, []
    with gzip.open(path, "rt") as lines:
        for line in lines:
            commit, parents, _ = line.rstrip("\n").split("\t")
            index[commit] = len(index)
            edges += [(index[parent], index[commit]) for parent in parents.split(",") if parent]
    return len(index), edges


def debian_packages():
    """What a package depends on is its cause."""
    index, edges = {}, set()
    package = None

    def number(name):
        return index.setdefault(name, len(index))

    dump = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True, check=True).stdout
    for line in dump.splitlines():
        name, _, value = line.partition(": ")
        if name == "Package":
            package = number(value)
        elif name in ("Depends", "Pre-Depends", "Recommends"):
            for choice in value.replace("|", ",").split(","):
                words = choice.split()
                if words:
                    edges.add((number(words[0].split(":")[0]), package))
    return len(index), sorted(edges, key=lambda edge: (edge[1], edge[0]))


# ---------------------------------------------------------------- measuring


def processor_ns(pid):
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0])


def measure(db, query, arguments):
    pid = db.info.backend_pid
    used, began = processor_ns(pid), time.perf_counter_ns()
    result = db.execute(query, arguments, prepare=True).fetchone()[0]
    return result, (time.perf_counter_ns() - began) / 1e6, (processor_ns(pid) - used) / 1e6


def compare(db, rounds, systems, arguments, budget_s=20):
    """systems: name → (query, use of the adjacency cache). Returns name → (result, wall times, processor times), rounds interleaved."""
    results = {name: (None, [], []) for name in systems}
    began = time.monotonic()
    for round_number in range(rounds + 1):
        for name, (query, use) in systems.items():
            db.execute(f"SET reason.adjacency_cache = {use}")
            result, wall, processor = measure(db, query, arguments)
            if round_number > 0:  # the first warms up
                results[name][1].append(wall)
                results[name][2].append(processor)
            results[name] = (result, *results[name][1:])
        if round_number >= 3 and time.monotonic() - began > budget_s:
            break
    return results


def show(title, results, nodes):
    print(f"\n{title}: {nodes:,} nodes")
    print(f"    {'':26}{'ms':>10}{'min':>10}{'max':>10}{'cpu ms':>10}{'times faster':>14}")
    first = None
    for name, (_, wall, processor) in results.items():
        median = statistics.median(processor)
        first = first or median
        print(f"    {name:26}{statistics.median(wall):10.2f}{min(wall):10.2f}{max(wall):10.2f}{median:10.2f}{first / median:14.1f}")


def warm_cache(db):
    """As the first larger trace after a restart has it done in the background."""
    began = time.perf_counter()
    db.execute("SELECT reason.build_adjacency_cache()")
    took = time.perf_counter() - began
    nodes, edges, size = db.execute("SELECT nodes, edges, size_bytes FROM reason.adjacency_cache_status()").fetchone()
    print(f"\nadjacency cache: {nodes:,} nodes and {edges:,} edges in {took:.2f} s, {size / 1e6:.0f} MB")


def check_nodes(db, title, arguments, conditions, way):
    """trace() finds the nodes that the recursive query finds, and where that carries a depth, the smallest of each."""
    closure, found, columns = CLOSURE, "SELECT no FROM closure", "no"
    if arguments["depth"] is not None:
        closure, found, columns = CLOSURE_DEPTH, "SELECT no, min(depth) FROM closure GROUP BY no", "no, depth"
    query = closure + DIFFERENCE.replace("{found}", found).replace("{traced}", TRACED.replace("{columns}", columns))
    for use in ("off", "on"):
        db.execute(f"SET reason.adjacency_cache = {use}")
        if db.execute(filled({"": (query, use)}, conditions, way)[""][0], arguments).fetchone()[0] != 0:
            sys.exit(f"{title}: trace() does not find the nodes that the recursive query finds")


def read_links(db, way):
    """Number of a node → numbers of the nodes that its edges lead to."""
    links = {}
    with db.cursor().copy("COPY reason.edge ({far}, {near}) TO STDOUT".format(**way)) as copy:
        for row in copy:
            for line in bytes(row).splitlines():
                far, near = line.split(b"\t")
                links.setdefault(int(near), []).append(int(far))
    return links


def search(links, origin):
    """Number of a node → its depth: a plain breadth-first search."""
    depths, level, reached = {origin: 0}, [origin], 0
    while level:
        reached += 1
        following = []
        for near in level:
            for far in links.get(near, ()):
                if far not in depths:
                    depths[far] = reached
                    following.append(far)
        level = following
    return depths


def check_depths(db, links, start, way=ANCESTORS):
    depths = search(links, db.execute("SELECT no FROM reason.node WHERE id = %s", [start]).fetchone()[0])
    for use in ("off", "on"):
        db.execute(f"SET reason.adjacency_cache = {use}")
        traced = db.execute("SELECT n.no, t.depth FROM reason.trace(%s, %s) t JOIN reason.node n ON n.id = t.node_id",
                            [start, way["direction"]]).fetchall()
        if len(traced) != len(depths) or dict(traced) != depths:
            sys.exit("trace() does not give the nodes and depths that a plain search gives")


def filled(systems, conditions=NO_FILTER, way=ANCESTORS):
    """Their queries with the places for conditions and directions filled in."""
    def fill(query):
        for name, text in {**conditions, **way}.items():
            query = query.replace("{" + name + "}", text)
        return query
    return {name: (fill(query), use) for name, (query, use) in systems.items()}


def run_trace(db, title, start, depth, rounds, points, conditions=NO_FILTER, as_of=None, way=ANCESTORS):
    arguments = {"id": start, "depth": depth, "as_of": as_of}
    check_nodes(db, title, arguments, conditions, way)
    baseline, nodes = ("WITH RECURSIVE", CTE), NODES
    if depth is not None:
        baseline, nodes = ("WITH RECURSIVE + depth", CTE_DEPTH), DEPTHS
    systems = {baseline[0]: (baseline[1], "off"), "trace() nodes, indexes": (nodes, "off"), "trace() nodes, cache": (nodes, "on"),
               "trace() rows, indexes": (ROWS, "off"), "trace() rows, cache": (ROWS, "on"),
               "trace_size(), indexes": (SIZE, "off"), "trace_size(), cache": (SIZE, "on")}
    results = compare(db, rounds, filled(systems, conditions, way), arguments)
    if len({result for result, _, _ in results.values()}) != 1:
        sys.exit(f"{title}: the systems disagree: " + str({name: r[0] for name, r in results.items()}))
    nodes = results["trace() rows, indexes"][0]
    show(title, results, nodes)
    for name, (_, wall, _) in results.items():
        points.setdefault(name, []).append((nodes, statistics.median(wall)))


def run_small(db, start, calls=2000):
    """What of a small trace any statement costs."""
    queries = filled({"nothing: SELECT 1": ("SELECT 1", "on"), "a node by its id": (NODE, "on"),
                      "trace_size(), cache": (SIZE, "on"), "trace() nodes, cache": (NODES, "on"), "trace() rows, cache": (ROWS, "on")})
    arguments = {"id": start, "depth": None}
    db.execute("SET reason.adjacency_cache = on")
    print(f"\na trace of {db.execute(queries['trace() nodes, cache'][0], arguments).fetchone()[0]} nodes, {calls} calls,"
          " processor microseconds: " + "  ".join(
              f"{name} {statistics.median(measure(db, query, arguments)[2] for _ in range(calls)) * 1e3:.0f}"
              for name, (query, _) in queries.items()))


def run_json(db, title, start, depth, rounds):
    arguments = {"id": start, "depth": depth}
    results = compare(db, rounds, {"json_agg": (JSON_AGG, "off"), "trace_json(), indexes": (JSON, "off"),
                                   "trace_json(), cache": (JSON, "on")}, arguments)
    nodes = db.execute("SELECT nodes FROM reason.trace_size(%(id)s, max_depth => %(depth)s)", arguments).fetchone()[0]
    show(title, results, min(1000, nodes))


def buffers(db, query, arguments):
    plan = db.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + query, arguments).fetchone()[0][0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


@contextlib.contextmanager
def writers(dsn):
    """Others write: one of them is in the middle of it."""
    with psycopg.connect(dsn, autocommit=True) as a, psycopg.connect(dsn, autocommit=True) as b:
        for _ in range(600):
            a.execute("BEGIN")
            a.execute("SELECT reason.add_node('observation', '{}', 'bench')")
            b.execute("COMMIT")
            a, b = b, a
        yield


def run_pages(db, title, start, rounds):
    """A later page walks as the first one does: whether a sealer has passed the records, and while others write."""
    arguments = {"id": start, "depth": None}
    decided = db.execute("SELECT decided_no FROM reason.sealer_state").fetchone()[0]

    def compare_pages(session, use, where):
        session.execute(f"SET reason.adjacency_cache = {use}")
        cursor = json.loads(session.execute(JSON, arguments | {"cursor": None}).fetchone()[0]).get("nextCursor")
        if not cursor:
            return
        both = arguments | {"cursor": cursor}
        show(f"{title}, {'indexes' if use == 'off' else 'cache'}, {where}",
             compare(session, rounds, {"first page": (JSON, use), "second page": (JSON_LATER, use)}, both), 1000)
        print("    buffers: first page {:,}, second page {:,}".format(buffers(session, JSON, both), buffers(session, JSON_LATER, both)))

    for use in ("off", "on"):
        compare_pages(db, use, "sealed")
    db.execute("UPDATE reason.sealer_state SET decided_no = 0")
    for use in ("off", "on"):
        compare_pages(db, use, "no sealer")
    with writers(db.info.dsn):
        for use in ("off", "on"):
            with psycopg.connect(db.info.dsn, autocommit=True) as session:
                compare_pages(session, use, "no sealer, others write, a new session")
    db.execute("UPDATE reason.sealer_state SET decided_no = %s", [decided])


# ---------------------------------------------------------------- hostile shapes


def hostile(size):
    """Name → nodes, and edges as SQL that gives cause and effect by index; the trace starts at node 0."""
    few = math.isqrt(size)
    return {
        "path": (size, f"SELECT i + 1, i FROM generate_series(0, {size - 2}) i"),
        "star": (size, f"SELECT i, 0 FROM generate_series(1, {size - 1}) i"),
        "clique": (few, f"SELECT i, j FROM generate_series(0, {few - 1}) i, generate_series(0, {few - 1}) j WHERE i <> j"),
        "parallel edges": (2, f"SELECT 1, 0 FROM generate_series(1, {size})"),
        "self loops": (1, f"SELECT 0, 0 FROM generate_series(1, {size})"),
        "ring": (size, f"SELECT (i + 1) % {size}, i FROM generate_series(0, {size - 1}) i"),
    }


def run_hostile(port, size, rounds):
    """Each in a database of its own."""
    for name, (nodes, edges) in hostile(size).items():
        with database(port, "bench_" + name.replace(" ", "_")) as db:
            db.execute("CREATE TEMP TABLE n AS SELECT i + 1::bigint AS no FROM generate_series(0, %s) i" % (nodes - 1))
            db.execute("CREATE TEMP TABLE e AS SELECT %s + row_number() OVER () AS no, 1 + a::bigint AS from_no, 1 + b::bigint AS to_no"
                       " FROM (%s) e (a, b)" % (nodes, edges))
            finish_load(db)
            db.execute("SELECT reason.build_adjacency_cache()")
            start = db.execute("SELECT id FROM reason.node WHERE no = 1").fetchone()[0]
            count = db.execute("SELECT nodes, edges FROM reason.trace_size(%s)", [start]).fetchone()
            systems = {"trace() rows, indexes": (ROWS, "off"), "trace() rows, cache": (ROWS, "on"),
                       "trace_size(), indexes": (SIZE, "off"), "trace_size(), cache": (SIZE, "on")}
            results = compare(db, rounds, filled(systems), {"id": start, "depth": None})
            print(f"{name:16}{count[0]:12,} nodes {count[1]:12,} edges   nanoseconds a node and edge: " + "  ".join(
                f"{system} {statistics.median(processor) * 1e6 / sum(count):.0f}" for system, (_, _, processor) in results.items()))
        with psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", autocommit=True) as admin:
            admin.execute("DROP DATABASE bench_%s WITH (FORCE)" % name.replace(" ", "_"))


# ---------------------------------------------------------------- the picture


def draw(path, points):
    """Time against size, both logarithmic."""
    colors = {"WITH RECURSIVE": "#b44", "WITH RECURSIVE + depth": "#d90", "trace() nodes, indexes": "#8bd",
              "trace() nodes, cache": "#159", "trace() rows, indexes": "#bad", "trace() rows, cache": "#639",
              "trace_size(), indexes": "#8c9", "trace_size(), cache": "#162"}
    xs = [nodes for line in points.values() for nodes, _ in line]
    ys = [ms for line in points.values() for _, ms in line]
    left, right = math.floor(math.log10(min(xs))), math.ceil(math.log10(max(xs)))
    low, high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))

    def x(nodes):
        return 70 + (math.log10(nodes) - left) / (right - left) * 480

    def y(ms):
        return 330 - (math.log10(ms) - low) / (high - low) * 300

    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="720" height="380" font-family="sans-serif" font-size="12">']
    for power in range(left, right + 1):
        out.append(f'<line x1="{x(10 ** power):.0f}" x2="{x(10 ** power):.0f}" y1="30" y2="330" stroke="#ddd"/>'
                   f'<text x="{x(10 ** power):.0f}" y="348" text-anchor="middle">{10 ** power:,}</text>')
    for power in range(low, high + 1):
        out.append(f'<line x1="70" x2="550" y1="{y(10 ** power):.0f}" y2="{y(10 ** power):.0f}" stroke="#ddd"/>'
                   f'<text x="64" y="{y(10 ** power) + 4:.0f}" text-anchor="end">{10 ** power:g} ms</text>')
    out.append('<text x="310" y="370" text-anchor="middle">nodes in the trace</text>')
    for i, (name, line) in enumerate(points.items()):
        line = sorted(line)
        color = colors[name]
        out.append('<polyline fill="none" stroke-width="2" stroke="%s" points="%s"/>' % (
            color, " ".join(f"{x(n):.1f},{y(ms):.1f}" for n, ms in line)))
        out += [f'<circle cx="{x(n):.1f}" cy="{y(ms):.1f}" r="3" fill="{color}"/>' for n, ms in line]
        out.append(f'<text x="562" y="{50 + 20 * i}" fill="{color}">{name}</text>')
    out.append("</svg>")
    with open(path, "w") as file:
        file.write("\n".join(out) + "\n")


# ---------------------------------------------------------------- the run


def database(port, name):
    with psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    db = psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname=name, autocommit=True)
    db.execute("SET client_min_messages = warning")
    db.execute("CREATE EXTENSION reasoning_graph")
    return db


def node_at(db, part):
    """The node at a part of all nodes in order of time."""
    return db.execute(
        "SELECT id FROM reason.node WHERE no >= (SELECT min(no) + %s * (max(no) - min(no)) FROM reason.node) ORDER BY no LIMIT 1",
        [part],
    ).fetchone()[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--git", required=True)
    parser.add_argument("--figure")
    options = parser.parse_args()
    points = {}

    with database(options.port, "bench_git") as db:
        load(db, *git_history(options.git))
        warm_cache(db)
        last = db.execute("SELECT id FROM reason.node ORDER BY no DESC LIMIT 1").fetchone()[0]
        links = read_links(db, ANCESTORS)
        for title, start in {"git's history, all ancestors": last, "git's history, a small trace": node_at(db, 0.003)}.items():
            check_depths(db, links, start)
            run_trace(db, title, start, None, options.rounds, {})

    with database(options.port, "bench_debian") as db:
        load(db, *debian_packages())
        warm_cache(db)
        for title, way in {"Debian's packages, what one needs": ANCESTORS, "Debian's packages, what needs one": DESCENDANTS}.items():
            package = db.execute(
                "SELECT n.id FROM reason.node n JOIN reason.edge e ON e.{near} = n.no GROUP BY n.id, n.no"
                " ORDER BY count(*) DESC, n.no LIMIT 1".format(**way)).fetchone()[0]
            check_depths(db, read_links(db, way), package, way)
            run_trace(db, title, package, None, options.rounds, {}, way=way)

    with database(options.port, "bench_synthetic") as db:
        load_synthetic(db, options.nodes)
        warm_cache(db)
        random.seed(1)
        last = node_at(db, 1.0)
        links = read_links(db, ANCESTORS)
        for part in [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]:
            start = node_at(db, part)
            check_depths(db, links, start)
            run_trace(db, f"synthetic graph, all ancestors of the node at {part:g}", start, None, options.rounds, points)
        del links
        run_small(db, node_at(db, 0.0001))
        for depth in [4, 6, 8, 9, 10]:
            run_trace(db, f"synthetic graph, to depth {depth}", last, depth, options.rounds, points)
        start = node_at(db, 0.03)
        as_of = db.execute("SELECT created_at + interval '1 s' FROM reason.node WHERE id = %s", [start]).fetchone()[0]
        for name, conditions in FILTERS.items():
            run_trace(db, f"synthetic graph, {name}", start, None, options.rounds, {}, conditions, as_of)
        run_json(db, "JSON of a page, depth 6", last, 6, options.rounds)
        run_json(db, "JSON of a page, a trace that lies together", node_at(db, 0.0011), 10, options.rounds)
        run_pages(db, "JSON, pages of a larger trace", node_at(db, 0.03), options.rounds)
    print()
    run_hostile(options.port, options.nodes, options.rounds)
    if options.figure:
        draw(options.figure, points)


if __name__ == "__main__":
    main()
