#!/usr/bin/python3
"""What the doorbell costs writers: writes a second with a sidecar attached, with and without notifications.

Without: a session holds the doorbell's lock shared, so that no writer ever notifies; the same sidecar then polls.
Alternating rounds, the median of each; the ratio should be at least 0.95.
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "sidecar"))

import conftest  # noqa: E402  pylint: disable=wrong-import-position

SECONDS, ROUNDS = 5, 3
SCRIPT = "SELECT reason.add_node('observation', '{\"text\": \"it rains\"}', 'bench');\n"


def writes_a_second(database, script, clients):
    program = conftest.PG_BIN / "pgbench"
    output = subprocess.run([program, "-n", "-f", script, "-c", str(clients), "-j", "2", "-T", str(SECONDS),
                             database.server.conninfo(database.name, "postgres")], check=True, capture_output=True, text=True).stdout
    return float(next(line.split("=")[1].split()[0] for line in output.splitlines() if line.startswith("tps")))


def settle(database):
    while database.waiting():
        time.sleep(0.1)


def main():
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        key = directory / "key.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        key.chmod(0o600)
        public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], check=True, capture_output=True, text=True).stdout
        script = directory / "write.sql"
        script.write_text(SCRIPT)
        (directory / "store").mkdir()
        server = conftest.Server()
        database = conftest.Database(server, "bench", public)
        sidecar = conftest.Sidecar(directory, {
            "database": {"conninfo": server.conninfo("bench", "sidecar")},
            "signer": {"id": conftest.SIGNER_ID, "key_file": key}, "store": {"url": f"file://{directory}/store"}}).start()
        silent = database.connect()
        print(f"{'clients':>8} {'without notifications':>22} {'with the doorbell':>18} {'ratio':>6}")
        for clients in (8, 32):
            without, ringing = [], []
            for _ in range(ROUNDS):
                settle(database)
                silent.execute("SELECT pg_advisory_lock_shared(reason.doorbell_key())")
                without.append(writes_a_second(database, script, clients))
                silent.execute("SELECT pg_advisory_unlock_shared(reason.doorbell_key())")
                settle(database)
                ringing.append(writes_a_second(database, script, clients))
            print(f"{clients:>8} {statistics.median(without):>20.0f}/s {statistics.median(ringing):>16.0f}/s "
                  f"{statistics.median(ringing) / statistics.median(without):>6.2f}")
        silent.close()
        sidecar.stop()
        database.connection.close()
        server.stop("immediate")
        subprocess.run(["rm", "-rf", server.directory], check=True)


if __name__ == "__main__":
    main()
