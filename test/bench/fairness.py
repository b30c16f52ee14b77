"""One client at its worst in four ways, and another that reads and writes: its rate and p99 against those in quiet.

fairness.py RUN_DIR SECONDS ROUNDS [WORD]     with WORD those ways alone whose name has it

Quiet and loud follow each other, and ratios are medians of the rounds, so that other load of the machine is in both. The
client at its worst has the lowest priority: in life its own work is done on a machine of its own. Fails when the other
keeps less than half of its rate, or its p99 is four times that in quiet.
"""

import contextlib
import json
import multiprocessing
import pathlib
import os
import re
import socket
import statistics
import sys
import threading
import time
import urllib.request
import uuid

from client import Client, Refused
from stack import read_env

RUN, SECONDS, ROUNDS = pathlib.Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
WORD = sys.argv[4] if len(sys.argv) > 4 else ""
LEAST_RATE, MOST_P99 = 0.5, 4
ENV = read_env(RUN / "env")


def client(name):
    return Client(ENV["REASON_URL"], ENV["REASON_CA"], RUN / f"tls/{name}.crt", RUN / f"tls/{name}.key")


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def workers():
    return children(int((RUN / "gateway/nginx.pid").read_text()))


def backends():
    return children(int((RUN / "pg/postmaster.pid").read_text().split()[0]))


def resident_mib():
    texts = [pathlib.Path(f"/proc/{pid}/status").read_text() for pid in workers()]
    return max(int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) for text in texts) / 1024


def processor_seconds(pids):
    """That these have used, by process."""
    used = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            used[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


def used_since(before, after):
    return sum(seconds - before.get(pid, 0) for pid, seconds in after.items()) / SECONDS


def prepare():
    """Nodes to search in and a snapshot-sized trace; the id of its last node."""
    kernel = client("kernel")
    nodes = [{"id": str(uuid.uuid4()), "type": "observation", "actor": "bench", "payload": {"n": n, "text": f"{n} lorem ipsum " * 8000}} for n in range(300)]
    for at in range(0, 300, 100):
        kernel.post("/nodes", {"nodes": nodes[at:at + 100]})
    kernel.post("/edges", {"edges": [{"from": a["id"], "to": b["id"], "type": "causal"} for a, b in zip(nodes, nodes[1:])]})
    return nodes[-1]["id"]


def asks(stop, method, path, body):
    """One connection that asks again and again, whatever it is told."""
    while not stop.is_set():
        try:
            client("reader").call(method, path, body)
        except (Refused, OSError, ValueError):
            time.sleep(0.02)


def reads_nothing(stop, path, pace):
    """Asks for something long, and takes so many bytes each tenth of a second."""
    while not stop.is_set():
        with contextlib.suppress(OSError):
            connection = client("reader").connection
            connection.connect()
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            connection.request("GET", path)
            connection.sock.settimeout(1)
            while not stop.is_set():
                stop.wait(0.1)
                if pace and not connection.sock.recv(pace):
                    break
            connection.sock.close()
            connection.close()


def ways(last):
    trace = f"/reason/trace/{last}?depth=10000&limit=10000"
    return {
        "40 text queries that find nothing": [(asks, "POST", "/reason/query", {"filters": {"text": "no such words"}})] * 40,
        "24 readers that read nothing": [(reads_nothing, trace, 0)] * 24,
        "16 slow readers of a long answer": [(reads_nothing, trace, 8192)] * 16,
        "24 long bodies that it may not send": [(asks, "POST", "/nodes", b'{"nodes":["' + 30_000_000 * b"x" + b'"]}')] * 24,
    }


def worst(stop, threads):
    os.nice(19)
    hogs = [threading.Thread(target=function, args=(stop, *arguments)) for function, *arguments in threads]
    for hog in hogs:
        hog.start()
    for hog in hogs:
        hog.join()


def measured(path):
    """Rate and p99 of one that reads and one that writes, the largest worker, and processors in use by gateway and database."""
    times, lock, peak = [], threading.Lock(), [0.0]
    before = [processor_seconds(workers()), processor_seconds(backends())]
    deadline = time.monotonic() + SECONDS

    def other(write):
        mine = client("kernel")
        while time.monotonic() < deadline:
            began = time.monotonic()
            if write:
                mine.post("/reason/node", {"type": "score", "author": "bench", "payload": 1})
            else:
                mine.get(path)
            with lock:
                times.append(time.monotonic() - began)

    threads = [threading.Thread(target=other, args=(write,)) for write in (True, False)]
    for thread in threads:
        thread.start()
    while time.monotonic() < deadline:
        for route in ("health", "ready"):
            with urllib.request.urlopen(f"{ENV['REASON_OPS_URL']}/{route}", timeout=5) as response:
                assert json.loads(response.read())["ok"], route
        peak[0] = max(peak[0], resident_mib())
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    times.sort()
    return (len(times) / SECONDS, times[int(len(times) * 0.99)] * 1000, peak[0],
            used_since(before[0], processor_seconds(workers())), used_since(before[1], processor_seconds(backends())))


@contextlib.contextmanager
def at_its_worst(threads):
    """In a process of its own: they share no interpreter with the other client."""
    stop = multiprocessing.Event()
    hog = multiprocessing.Process(target=worst, args=(stop, threads))
    hog.start()
    time.sleep(2)
    yield
    stop.set()
    hog.join()


def main():
    last = prepare()
    path = f"/reason/node/{client('kernel').post('/reason/node', {'type': 'score', 'author': 'bench', 'payload': 1})['nodeId']}"
    measured(path)
    failed = False
    print(f"{'':36} {'quiet/s':>8} {'loud/s':>8} {'ratio':>6} {'p99 ms':>8} {'p99 ms':>8} {'ratio':>6} {'worker MiB':>11} {'gateway':>8} {'database':>9}")
    for name, threads in ways(last).items():
        if WORD not in name:
            continue
        pairs = []
        for _ in range(ROUNDS):
            quiet = measured(path)
            with at_its_worst(threads):
                pairs.append((quiet, measured(path)))
        rate = statistics.median(loud[0] / quiet[0] for quiet, loud in pairs)
        p99 = statistics.median(loud[1] / quiet[1] for quiet, loud in pairs)
        quiet, loud = ([statistics.median(pair[side][k] for pair in pairs) for k in range(5)] for side in (0, 1))
        failed = failed or rate < LEAST_RATE or p99 >= MOST_P99
        print(f"{name:36} {quiet[0]:8.0f} {loud[0]:8.0f} {rate:6.2f} {quiet[1]:8.1f} {loud[1]:8.1f} {p99:6.2f} {loud[2]:11.0f} {loud[3]:8.2f} {loud[4]:9.2f}", flush=True)
    print("gateway, database: processors in use while the other client is at its worst")
    sys.exit(failed)


main()
