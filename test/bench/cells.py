#!/usr/bin/python3
"""What cells cost the gateway, and what a record costs a cell.

The gateway with one worker in front of 1, 2 and 4 cells of 8 connections each, in turn: memory of the worker at rest, and its
processor time for a small read through TLS, spread over the divisions of all cells. All cells are one PostgreSQL here, whose
time is not counted. Then a database with RECORDS nodes, each with an edge to the one before: its size once all is sealed and
signed, and how long it takes to replay its chain into an empty one, which is most of a rebuild, and of a move.
"""

import json
import pathlib
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time

import processor_time
from paths import ROOT
from postgres import server as new_server
from reason_gateway import Gateway
from sealing import Database
from fresh_database import create_database
from wait import wait_for

RECORDS, ROUNDS, CALLS, CLIENTS = (int(argument) for argument in (sys.argv[1:] + ["20000", "5", "4000", "8"][len(sys.argv) - 1:])[:4])
SIZES = (1, 2, 4)


class Cells(Gateway):
    """The gateway of its own tests, with the connections of the product."""

    LIMITS = {**Gateway.LIMITS, "connections 8;": "connections 8;", "queue 1024;": "queue 1024;"}

    def number(self, count):
        """So many cells; a division each, d0 living in the default one."""
        folder = self.run / "gateway/cells"
        shutil.rmtree(folder, ignore_errors=True)
        if count > 1:
            folder.mkdir()
            head, block = (ROOT / "gateway/cells/cells.conf.in").read_text().split("# One block a cell.\n")
            blocks = [block.replace("@CELL@", f"cell_{n}").replace("@CELL_HOST@", str(self.postgres.directory)).replace("@CELL_PORT@", str(self.postgres.port))
                      for n in range(1, count)]
            (folder / "cells.conf").write_text(self.filled(head.replace("@CELL@", "cell_1").replace("@HOME_READS@", "reason") + "".join(blocks)))
            (folder / "divisions.conf").write_text("".join(f"d{n} cell_{n};\n" for n in range(1, count)))
            for name in ("pass", "look"):
                text = (ROOT / f"gateway/cells/{name}.conf.in").read_text()
                (folder / f"{name}.conf").write_text(self.filled(text.replace("@CELL@", " ".join(f"cell_{n}" for n in range(1, count)))))
        self.reload()
        wait_for(lambda: self.metric("reason_gateway_connections") == 8 * count, 20)

    def memory_kb(self):
        """Of the worker, what is its own."""
        text = pathlib.Path(f"/proc/{self.worker()}/smaps_rollup").read_text(encoding="utf-8")
        return sum(int(kb) for kb in re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+) kB", text, re.M))

    def microseconds(self, count):
        """Of the worker, for each of CALLS reads."""
        def read(client):
            connection = self.connect()
            for call in range(CALLS // CLIENTS):
                connection.request("GET", f"/look?division=d{(client + call) % count}")
                response = connection.getresponse()
                response.read()
                assert response.status == 200, response.status
            connection.close()

        began = processor_time.seconds(self.worker())
        threads = [threading.Thread(target=read, args=(client,)) for client in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return (processor_time.seconds(self.worker()) - began) * 1e6 / CALLS


def gateway():
    run = pathlib.Path(tempfile.mkdtemp(prefix="reason-cells."))
    running = Cells(run, ROOT / "test/gateway")
    memory, times = {n: [] for n in SIZES}, {n: [] for n in SIZES}
    for _ in range(ROUNDS):
        for count in SIZES:
            running.number(count)
            memory[count].append(running.memory_kb())
            times[count].append(running.microseconds(count))
    running.down()
    shutil.rmtree(run)
    print(f"{'cells':<8}{'private memory of a worker at rest':>36}{'a read, of the worker':>36}{'against one cell':>22}")
    for count in SIZES:
        ratios = [a / b for a, b in zip(times[count], times[1])]
        print(f"{count:<8}{statistics.median(memory[count]) / 1024:>32.1f} MB{statistics.median(times[count]):>33.0f} us"
              f"{statistics.median(ratios):>12.2f} ({min(ratios):.2f}-{max(ratios):.2f})", flush=True)


def records():
    with new_server("fsync = off\nmax_connections = 20") as server:
        made = []
        for name in ("cell", "copy"):
            create_database(server.conninfo, name)
            made.append(Database(name, server))
        cell, copy = made
        cell("SELECT reason.add_signer('key-1', %s)", cell.signer.public.raw.hex())
        empty = cell.one("SELECT pg_database_size(current_database())")
        cell("""SELECT count(reason.add_node('observation', jsonb_build_object('n', n, 'text', repeat('it rains ', 50)), 'bench', id => md5(n::text)::uuid))
                FROM generate_series(1, %s) n""", RECORDS)
        cell("SELECT count(reason.add_edge(md5((n - 1)::text)::uuid, md5(n::text)::uuid, 'causal')) FROM generate_series(2, %s) n", RECORDS)
        cell.settle()
        cell("VACUUM ANALYZE")
        events = cell.one("SELECT count(*) FROM reason.audit_signature")
        size = cell.one("SELECT pg_database_size(current_database())") - empty
        print(f"{RECORDS} nodes with payloads of 0.5 kB, {RECORDS - 1} edges, {events} events, sealed and signed: {size / 1e6:.0f} MB, "
              f"{size / (2 * RECORDS):.0f} bytes a record with its event and indexes")
        registry = json.dumps(cell.one("SELECT reason.signer_registry()"))
        lines = [row[0] for row in cell("SELECT reason.audit_event_json(e)::text FROM reason.audit_events e ORDER BY division <> 'system', division, seq")]
        backend = copy.one("SELECT pg_backend_pid()")
        began, used = time.monotonic(), processor_time.seconds(backend)
        for first in range(0, len(lines), 1000):
            copy("SELECT count(reason.replay(l::json, %s::json)) FROM unnest(%s::text[]) WITH ORDINALITY u (l, n)", registry, lines[first:first + 1000])
        took, used = time.monotonic() - began, processor_time.seconds(backend) - used
        assert cell.one("SELECT (reason.division_head('default')).head_hash") == copy.one("SELECT (reason.division_head('default')).head_hash")
        print(f"replayed, every hash and signature verified: {used * 1e6 / len(lines):.0f} us of processor time an event; {len(lines) / took:.0f} events a second by the clock, one process", flush=True)


if __name__ == "__main__":
    gateway()
    records()
