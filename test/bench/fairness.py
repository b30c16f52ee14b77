"""One client at its worst in four ways, and another that reads and writes: its rate and p99 against those in quiet.

fairness.py RUN_DIR SECONDS
"""

import contextlib
import json
import multiprocessing
import pathlib
import re
import socket
import sys
import threading
import time
import urllib.request
import uuid

from client import Client, Refused
from stack import read_env

RUN, SECONDS = pathlib.Path(sys.argv[1]), float(sys.argv[2])
ENV = read_env(RUN / "env")


def client(name):
    return Client(ENV["REASON_URL"], ENV["REASON_CA"], RUN / f"tls/{name}.crt", RUN / f"tls/{name}.key")


def workers():
    master = int((RUN / "gateway/nginx.pid").read_text())
    return [int(pid) for pid in pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split()]


def resident_mib():
    texts = [pathlib.Path(f"/proc/{pid}/status").read_text() for pid in workers()]
    return max(int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) for text in texts) / 1024


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
    hogs = [threading.Thread(target=function, args=(stop, *arguments)) for function, *arguments in threads]
    for hog in hogs:
        hog.start()
    for hog in hogs:
        hog.join()


def measured(path):
    """Rate and p99 of one that reads and one that writes, and whether health and readiness were answered."""
    times, deadline, lock = [], time.monotonic() + SECONDS, threading.Lock()
    peak = [0.0]

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
    return len(times) / SECONDS, times[int(len(times) * 0.99)] * 1000, peak[0]


def main():
    last = prepare()
    path = f"/reason/node/{client('kernel').post('/reason/node', {'type': 'score', 'author': 'bench', 'payload': 1})['nodeId']}"
    measured(path)
    quiet_rate, quiet_p99, memory = measured(path)
    print(f"{'':40} {'requests/s':>11} {'ratio':>6} {'p99 ms':>8} {'ratio':>6} {'worker MiB':>11}")
    print(f"{'quiet':40} {quiet_rate:11.0f} {1:6.2f} {quiet_p99:8.1f} {1:6.2f} {memory:11.0f}")
    for name, threads in ways(last).items():
        # in a process of its own: they share no interpreter with the other client
        stop = multiprocessing.Event()
        hog = multiprocessing.Process(target=worst, args=(stop, threads))
        hog.start()
        time.sleep(2)
        rate, p99, memory = measured(path)
        stop.set()
        hog.join()
        print(f"{name:40} {rate:11.0f} {rate / quiet_rate:6.2f} {p99:8.1f} {p99 / quiet_p99:6.2f} {memory:11.0f}", flush=True)


main()
