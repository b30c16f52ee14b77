"""Records a second of reason-import, by format, against batches of the same records that are sent ready-made."""

import ctypes
import json
import pathlib
import statistics
import subprocess
import sys
import threading
import time
import uuid

import psycopg

BATCH, JOBS = 2000, 2
directory, port, count, rounds, program, duckdb = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], sys.argv[6]
ids = [str(uuid.uuid4()) for _ in range(count)]
nodes = [{"id": i, "type": "observation", "author": "bench", "payload": {"n": n, "text": "x" * 200, "amount": n / 8}, "metadata": {"tags": ["a", "b"], "confidence": 0.5}}
         for n, i in enumerate(ids)]
edges = [{"from": a, "to": b, "type": "causal", "weight": 0.5} for a, b in zip(ids, ids[1:])]


def dsn(database):
    return f"host={directory} port={port} user=postgres dbname={database}"


def batches():
    for kind, records in (("nodes", nodes), ("edges", edges)):
        yield kind, [json.dumps({kind: records[at:at + BATCH]}) for at in range(0, len(records), BATCH)]


def ready_made(database):
    """Seconds; connections are made, and texts, before the clock starts."""
    given = list(batches())
    connections = [psycopg.connect(dsn(database), autocommit=True) for _ in range(JOBS)]
    began = time.monotonic()
    for kind, texts in given:
        left = iter(texts)
        lock = threading.Lock()

        def send(connection, kind=kind, left=left, lock=lock):
            while True:
                with lock:
                    text = next(left, None)
                if text is None:
                    return
                connection.execute(f"SELECT count(*) FROM reason.add_{kind}(%s::json)", [text])
        threads = [threading.Thread(target=send, args=[c]) for c in connections]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return time.monotonic() - began


def imported(database, form):
    columns = ["-r", "text=payload.text", "-r", "amount=payload.amount:number", "-r", "n=payload.n:number", "-r", "source=from", "-r", "target=to"] if form != "ndjson" else []
    began = time.monotonic()
    subprocess.run([program, "-q", "--no-journal", "-b", str(BATCH), "-j", str(JOBS), "-d", dsn(database), "-n", directory / f"nodes.{form}", "-e", directory / f"edges.{form}",
                    *columns, *(["--duckdb", duckdb] if form == "parquet" else [])], check=True, stdout=subprocess.DEVNULL, timeout=3600)
    return time.monotonic() - began


def write_files():
    for name, records in (("nodes", nodes), ("edges", edges)):
        with open(directory / f"{name}.ndjson", "w", encoding="utf-8") as out:
            out.writelines(json.dumps(record) + "\n" for record in records)
    with open(directory / "nodes.csv", "w", encoding="utf-8") as out:
        out.write("id,type,author,n,text,amount,tags,confidence\n")
        out.writelines(f"{r['id']},{r['type']},{r['author']},{r['payload']['n']},{r['payload']['text']},{r['payload']['amount']},a;b,0.5\n" for r in nodes)
    with open(directory / "edges.csv", "w", encoding="utf-8") as out:
        out.write("source,target,type,weight\n")
        out.writelines(f"{r['from']},{r['to']},causal,0.5\n" for r in edges)
    if duckdb:
        api = ctypes.CDLL(duckdb)
        database, connection = ctypes.c_void_p(), ctypes.c_void_p()
        assert api.duckdb_open(None, ctypes.byref(database)) == 0 and api.duckdb_connect(database, ctypes.byref(connection)) == 0
        for name, what in (("nodes", "* REPLACE (string_split(tags, ';') AS tags)"), ("edges", "*")):
            query = f"COPY (SELECT {what} FROM read_csv('{directory}/{name}.csv')) TO '{directory}/{name}.parquet'"
            assert api.duckdb_query(connection, query.encode(), None) == 0, query
        api.duckdb_disconnect(ctypes.byref(connection))
        api.duckdb_close(ctypes.byref(database))


write_files()
forms = ["ndjson", "csv", *(["parquet"] if duckdb else [])]
ways = {"ready-made batches": ready_made, **{form: lambda database, form=form: imported(database, form) for form in forms}}
taken = {way: [] for way in ways}
total = len(nodes) + len(edges)
for round_number in range(rounds):
    for way, measure in ways.items():
        with psycopg.connect(dsn("postgres"), autocommit=True) as admin:
            admin.execute("DROP DATABASE IF EXISTS bench")
            admin.execute("CREATE DATABASE bench")
        with psycopg.connect(dsn("bench"), autocommit=True) as admin:
            admin.execute("SET client_min_messages = warning")
            admin.execute("CREATE EXTENSION reasoning_graph")
        taken[way].append(measure("bench"))
        with psycopg.connect(dsn("bench"), autocommit=True) as admin:
            assert admin.execute("SELECT (SELECT count(*) FROM reason.node) + (SELECT count(*) FROM reason.edge)").fetchone() == (total,)
print(f"{len(nodes):,} nodes and {len(edges):,} edges, {JOBS} connections, batches of {BATCH:,}; records a second, and to ready-made batches of the same round")
for way, seconds in taken.items():
    ratios = [base / own for base, own in zip(taken["ready-made batches"], seconds)]
    print(f"    {way:20} {total / statistics.median(seconds):10,.0f}   {statistics.median(ratios):5.2f}  ({min(ratios):.2f} to {max(ratios):.2f})")
