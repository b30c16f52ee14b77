#!/usr/bin/python3
"""The sidecar's memory while it seals, signs, archives and, where there is a broker to be had, emits a million events.

Written in batches by one session. After each tenth of them everything is worked off, and the memory of the process is
read: resident, and of that what is its own (heap and stacks). At the end it should be where it was after the first.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import time

import pytest

from database import Database, SIGNER_ID
from postgres import server as new_server
from reason_sidecar import Sidecar
from wait import wait_for

EVENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
TENTHS, BATCH, TOPIC = 10, 5000, "audit-events"
MOST_GROWTH = 1.10


def memory_mb(process):
    """Resident, and anonymous."""
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return [int(re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE).group(1)) / 1024 for name in ("VmRSS", "RssAnon")]


def make_broker(directory):
    try:
        import kafka_broker  # pylint: disable=import-outside-toplevel
    except pytest.skip.Exception as reason:
        print(f"Nothing is emitted: {reason}")
        return None
    directory.mkdir()
    broker = kafka_broker.Broker(directory)
    broker.make_topic(TOPIC)
    return broker


def archived(database):
    return database.value("SELECT coalesce(max(last_seq), -1) + 1 FROM reason.archive_segment WHERE division = 'default' AND archived_at IS NOT NULL")


def emitted(database):
    return database.value("SELECT coalesce(max(seq), -1) + 1 FROM reason.emission WHERE division = 'default' AND target = %s", TOPIC)


def measure(database, sidecar, emits):
    print(f"{'events':>9} {'resident MB':>12} {'own MB':>8} {'events/s':>9}")
    own = []
    for tenth in range(1, TENTHS + 1):
        began = time.monotonic()
        for _ in range(EVENTS // TENTHS // BATCH):
            database.nodes(BATCH)
        database.settled(3600)
        head = database.value("SELECT head_seq + 1 FROM reason.signed_chains() WHERE division = 'default'")
        wait_for(lambda: archived(database) == head and (not emits or emitted(database) == head), 3600, "archiving and emitting")
        resident, anonymous = memory_mb(sidecar.process)
        own.append(anonymous)
        print(f"{EVENTS // TENTHS * tenth:>9} {resident:>12.1f} {anonymous:>8.1f} {EVENTS / TENTHS / (time.monotonic() - began):>9.0f}", flush=True)
    growth = own[-1] / own[0]
    print(f"own memory at the end against that after the first tenth: {growth:.2f} (wanted: at most {MOST_GROWTH:.2f})")
    assert database.verified()
    return growth <= MOST_GROWTH


def main():
    with tempfile.TemporaryDirectory() as name, new_server("jit = on\nmax_connections = 60") as server:
        directory = pathlib.Path(name)
        key = directory / "key.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        key.chmod(0o600)
        public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], check=True, capture_output=True, text=True).stdout
        for store in ("store", "archive"):
            (directory / store).mkdir()
        broker = make_broker(directory / "kafka")
        database = Database(server, "bench", public)
        settings = {
            "database": {"conninfo": server.conninfo("bench", "sidecar")},
            "signer": {"id": SIGNER_ID, "key_file": key}, "store": {"url": f"file://{directory}/store"},
            "archive": {"url": f"file://{directory}/archive", "interval_s": 1},
            "sidecar": {"log_level": "warning"}}
        if broker:
            settings["kafka"] = {"brokers": broker.address, "topic": TOPIC}
        sidecar = Sidecar(directory, settings).start()
        try:
            flat = measure(database, sidecar, broker is not None)
        finally:
            sidecar.stop()
            if broker:
                broker.kill()
            database.connection.close()
    sys.exit(0 if flat else 1)


if __name__ == "__main__":
    main()
