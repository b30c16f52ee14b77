"""The one server that the suites of SQL share: that of REASON_TEST_PORT, or one that is started for this run.

A suite asks for it once, by its fixture; port() and conninfo() are of that server from then on. REASON_TEST_SETTINGS is
one more line of the configuration of a server that is started.
"""

import contextlib
import os

from postgres import server

HOST = os.environ.get("REASON_TEST_HOST", "127.0.0.1")
SETTINGS = f"max_prepared_transactions = 16\nwal_level = logical\n{os.environ.get('REASON_TEST_SETTINGS', '')}\n"


@contextlib.contextmanager
def shared_server():
    if "REASON_TEST_PORT" in os.environ:
        yield
        return
    with server(SETTINGS) as started:
        os.environ["REASON_TEST_PORT"] = str(started.port)
        try:
            yield
        finally:
            del os.environ["REASON_TEST_PORT"]


def port():
    return int(os.environ["REASON_TEST_PORT"])


def conninfo(database="postgres", user="postgres"):
    return f"host={HOST} port={port()} user={user} dbname={database}"
