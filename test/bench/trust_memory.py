"""The most memory of their own that a statement's processes hold while it runs: trust_memory.py DSN STATEMENT."""
import pathlib
import sys
import threading
import time

import psycopg


def anonymous_memory(pid):
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def peak_memory(db, statement, *parameters):
    """Of the backend and its parallel workers together, in MB; shared buffers are not among it."""
    seen, done = [], threading.Event()

    def watch():
        with psycopg.connect(db.info.dsn, autocommit=True) as other:
            while not done.is_set():
                processes = other.execute("SELECT pid FROM pg_stat_activity WHERE %s IN (pid, leader_pid)", (db.info.backend_pid,)).fetchall()
                seen.append(sum(anonymous_memory(pid) for pid, in processes))
                time.sleep(0.02)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        db.execute(statement, parameters or None)
    finally:
        done.set()
        watcher.join()
    return max(seen) / 1024


if __name__ == "__main__":
    print(f"{peak_memory(psycopg.connect(sys.argv[1], autocommit=True), sys.argv[2]):.1f} MB")
