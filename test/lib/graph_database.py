"""Databases with the extension on the shared server, and the adjacency cache in them."""

import contextlib
import uuid

import psycopg

from fresh_database import create_database, drop_database
from shared_server import conninfo
from wait import wait_for


def connect(dbname, **options):
    """Once a cache was built, such a session uses it wherever it can, be it slower."""
    options.setdefault("options", "-c reason.adjacency_cache=always")
    return psycopg.connect(conninfo(dbname), autocommit=True, **options)


def build_cache(db):
    """Of what is all-visible."""
    wait_for(lambda: db.execute("SELECT reason.build_adjacency_cache()").fetchone()[0], 30, "building the adjacency cache")


@contextlib.contextmanager
def new_database():
    name = f"trace_{uuid.uuid4().hex[:12]}"
    create_database(conninfo, name)
    yield name
    drop_database(conninfo, name)
