#!/usr/bin/python3
"""What remembering outside costs: events sealed and signed a second by a sidecar that writes a state file, and by one that does not.

Two databases of one server, each with a sidecar of its own. In turns each gets EVENTS nodes in one transaction, and is timed
from its commit to the last signature. A ratio is that of one pair of turns, so that other load of the machine falls on both alike.
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from database import Database, SIGNER_ID
from postgres import server as new_server
from reason_sidecar import Sidecar

EVENTS, ROUNDS = (int(argument) for argument in (sys.argv[1:] + ["20000", "7"][len(sys.argv) - 1:])[:2])


def signed_a_second(database):
    database.nodes(EVENTS)
    began = time.monotonic()
    while database.waiting():
        time.sleep(0.01)
    return EVENTS / (time.monotonic() - began)


def main():
    with tempfile.TemporaryDirectory() as name, new_server("fsync = on\nmax_connections = 60") as server:
        directory = pathlib.Path(name)
        key = directory / "key.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        key.chmod(0o600)
        public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], check=True, capture_output=True, text=True).stdout
        (directory / "store").mkdir()
        made = {}
        for way in ("without", "with"):
            database = Database(server, way, public)
            settings = {"database": {"conninfo": server.conninfo(way, "sidecar")}, "signer": {"id": SIGNER_ID, "key_file": key},
                        "store": {"url": f"file://{directory}/store"}}
            if way == "with":
                settings["checkpoint"] = {"state_file": directory / "log-state"}
            made[way] = database, Sidecar(directory, settings).start()
            signed_a_second(database)
        rates = {way: [] for way in made}
        for number in range(ROUNDS):
            for way in sorted(made, reverse=number % 2 == 1):
                rates[way].append(signed_a_second(made[way][0]))
        ratios = [a / b for a, b in zip(rates["with"], rates["without"])]
        for way in ("without", "with"):
            print(f"{way + ' a state file':<22}{statistics.median(rates[way]):>9.0f} events sealed and signed a second, {ROUNDS} rounds of {EVENTS}")
        print(f"ratio: median {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})", flush=True)
        for database, sidecar in made.values():
            sidecar.stop()
            database.connection.close()


if __name__ == "__main__":
    main()
