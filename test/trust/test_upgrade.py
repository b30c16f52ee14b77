"""pg_upgrade: the files of one cluster become those of another, and every proof stays what it was.

Between two clusters of the version in use, or from that of REASON_OLD_BIN to those of REASON_NEW_BINS ("…/bin:…/bin"),
as test/upgrade.sh does it.
"""
import os

import pytest

from paths import PG_BIN
from postgres import servers
from proofs import fill, goes_on, proofs
from sealing import Database

OLD_BIN = os.environ.get("REASON_OLD_BIN", str(PG_BIN))
NEW_BINS = os.environ.get("REASON_NEW_BINS", str(PG_BIN)).split(":")
SETTINGS = "max_prepared_transactions = 4"


@pytest.mark.parametrize("mode", ((), ("--link",)), ids=("copy", "link"))
@pytest.mark.parametrize("programs", NEW_BINS)
def test_pg_upgrade_keeps_every_proof(programs, mode):
    with servers() as make:
        old = make("old", SETTINGS, programs=OLD_BIN, initdb=("-k",))
        with old.connect() as admin:
            admin.execute("CREATE DATABASE recorded")
        source = Database("recorded", old)
        source("CREATE EXTENSION reasoning_graph")
        source("SELECT reason.add_signer(%s, %s)", source.signer.name, source.signer.public.raw.hex())
        fill(source)
        before = proofs(source, source)
        source.close()
        old.stop()
        new = make("new", SETTINGS, programs=programs, initdb=("-k",))
        new.stop()
        try:
            new.run("pg_upgrade", *mode, "-b", old.programs, "-B", new.programs, "-d", old.data, "-D", new.data, "-U", "postgres",
                    "-p", old.port, "-P", new.port, "-s", new.directory)
        except AssertionError as failure:
            logs = new.data.glob("pg_upgrade_output.d/**/*.log")
            raise AssertionError("\n".join(log.read_text()[-1500:] for log in logs)) from failure
        new.start()
        copy = Database("recorded", new)
        assert proofs(copy, source) == before
        goes_on(copy)
        copy.close()
