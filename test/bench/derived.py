"""Measures what derived reads cost, in traces of the same nodes: all pages of each, in one run.

Each round does every read once, and a ratio is the median of the rounds', so that other load of the machine is in both.

    derived.py DSN MEGABYTES ROUNDS

The graph is a decision with many causes, each with a payload of the size, and with a chain of two causes of its own. Fails when a read costs more than
twice the trace.
"""

import json
import re
import statistics
import sys
import time

import psycopg

SIZES = [500, 5_000, 50_000, 250_000]
MOST_NODES = 4000
GIVEN = "%(id)s, divisions => '{{*}}', redact => {redact}, depth => 10, \"limit\" => 1000, cursor => %(cursor)s"
FORMS = {"markdown": "NULL", "svg": "NULL", "dot": "NULL", "mermaid": "NULL", "prov": "NULL", "csv": "'nodes'"}
READS = {
    "trace": "reason.trace_json(" + GIVEN + ")",
    "GET /reason/{id}": "reason.reason_json(" + GIVEN + ")",
    "ordered path": "reason.ordered_trace_json(" + GIVEN.replace("1000", "2000") + ")",
    "explain": "reason.explain_json(" + GIVEN + ")",
    "human export": "reason.trace_human(" + GIVEN + ")",
    **{form: "reason.trace_export(%(id)s, '{{*}}', {redact}, true, NULL, NULL, 10, 1000, %(cursor)s, NULL, 'ancestors', '" + form + "', " + part + ")" for form, part in FORMS.items()},
}
CURSOR = re.compile(r'"nextCursor":"([^"]+)"')


def make(db, size, megabytes):
    """The id of a decision above so many nodes."""
    count = min(MOST_NODES, max(int(megabytes * 1e6 / size), 20))
    db.execute("DROP EXTENSION IF EXISTS reasoning_graph CASCADE")
    db.execute("CREATE EXTENSION reasoning_graph")
    words = "evidence of many words that compress as words do, number %s; "
    ids = []
    for begin in range(0, count, 100):
        nodes = [{"type": "observation", "author": f"author {i % 7}", "metadata": {"confidence": 0.5},
                  "payload": {"note": f"cause {i}", "text": "".join(words % (i * k) for k in range(size // 64 + 1))[:size]}}
                 for i in range(begin, min(begin + 100, count))]
        ids += [str(row[0]) for row in db.execute("SELECT reason.add_nodes(%s)", [json.dumps({"nodes": nodes})])]
    root = str(db.execute("SELECT reason.add_node('decision', '{\"note\": \"decide\"}', 'me')").fetchone()[0])
    edges = [{"from": i, "to": root, "type": "supports"} for i in ids[::2]]
    edges += [{"from": i, "to": j, "type": "derivedFrom"} for i, j in zip(ids[1::2], ids[::2])]
    db.execute("SELECT count(*) FROM reason.add_edges(%s)", [json.dumps({"edges": edges})])
    db.execute("VACUUM ANALYZE")
    return root, count + 1


def cursors_of(db, call, root):
    """Where each page begins, so that rounds need not look for it."""
    found = [None]
    while True:
        answer = db.execute(f"SELECT {call}", {"id": root, "cursor": found[-1]}).fetchone()[0]
        # A row (body, next_cursor, truncated), or a body that names the cursor.
        following = answer[1] if isinstance(answer, tuple) else (CURSOR.search(answer) or [None, None])[1]
        if following is None:
            return found
        found.append(following)


def seconds(db, call, root, cursors):
    began = time.perf_counter()
    for cursor in cursors:
        db.execute(f"SELECT octet_length({call})", {"id": root, "cursor": cursor}).fetchone()
    return time.perf_counter() - began


def main():
    megabytes, rounds = int(sys.argv[2]), int(sys.argv[3])
    worst = 0
    print(f"{'payload':>9} {'nodes':>6} {'redacted':>8}" + "".join(f"{name:>18}" for name in READS))
    with psycopg.connect(sys.argv[1], autocommit=True) as db:
        for size in SIZES:
            root, count = make(db, size, megabytes)
            for redact in ("false", "true"):
                calls = {name: call.format(redact=redact) for name, call in READS.items()}
                cursors = {name: cursors_of(db, call, root) for name, call in calls.items()}
                # What an export gives is a row; its body is measured.
                calls = {name: f"({call}).body" if name in FORMS else call for name, call in calls.items()}
                taken = [{name: seconds(db, call, root, cursors[name]) for name, call in calls.items()} for _ in range(rounds)]
                ratios = [statistics.median(turn[name] / turn["trace"] for turn in taken) for name in READS]
                worst = max(worst, *ratios)
                print(f"{size / 1000:>6.1f} kB {count:>6} {redact:>8}{min(turn['trace'] for turn in taken) * 1000:>15.1f} ms"
                      + "".join(f"{ratio:>17.2f}x" for ratio in ratios[1:]))
    print(f"the dearest read costs {worst:.2f} times the trace of the same nodes")
    sys.exit(worst > 2)


if __name__ == "__main__":
    main()
