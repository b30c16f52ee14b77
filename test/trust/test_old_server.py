"""The library tells in the server's log when the server is older than what it relies on."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from paths import PG_BIN
from postgres import server

# docs/for-operators/database.md
LEAST = {15: 15, 16: 11, 17: 7, 18: 1}


def pg_config(option):
    return subprocess.run([PG_BIN / "pg_config", option], check=True, capture_output=True, text=True).stdout.strip()


def told(version):
    """What a server that says it is of that version logs of it."""
    with tempfile.TemporaryDirectory(prefix="reason-test.") as directory:
        os.chmod(directory, 0o755)
        library = f"{directory}/old_server.so"
        subprocess.run(["cc", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-O2", "-fPIC", "-shared", f"-I{pg_config('--includedir-server')}",
                        f'-DSAID_VERSION="{version}"', "-o", library, pathlib.Path(__file__).with_name("old_server.c")], check=True)
        os.chmod(library, 0o755)
        with server(f"shared_preload_libraries = '{library},reasoning_graph'") as started:
            with started.connect() as connection:
                assert connection.execute("SHOW server_version_num").fetchone() == (str(version),)
            return re.findall(r"WARNING:  (reasoning_graph needs .*)", (started.directory / "log").read_text())


@pytest.mark.skipif(not (PG_BIN / "pg_config").exists() or not shutil.which("cc"), reason="nothing to compile C against this PostgreSQL with")
def test_an_older_minor_version_is_told_and_a_newer_is_not():
    major = int(re.search(r"PostgreSQL (\d+)", pg_config("--version")).group(1))
    least = LEAST[major]
    assert told(major * 10000 + least - 1) == [f"reasoning_graph needs PostgreSQL {major}.{least} or later, and this is {major}.{least - 1}"]
    assert told(major * 10000 + least) == told(major * 10000 + least + 9) == []
