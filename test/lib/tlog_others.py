"""Programs that others wrote for transparency logs, in test/tlog: built once, and asked by a JSON request a line."""

import json
import os
import pathlib
import shutil
import socket
import subprocess

import pytest

from paths import ROOT
from ports import free_port
from program import Program
from tlog_reference import COSIGNATURE, NoteKey

SOURCES = ROOT / "test/tlog"
BUILD = pathlib.Path(os.environ.get("TLOG_BUILD", ROOT / ".build/tlog"))


def build(command, directory):
    """Builds, or gets a package; what fails here is not to be had, rather than wrong."""
    result = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)
    if result.returncode != 0:
        pytest.skip(f"not to be had: {command[0]}: {result.stdout.strip()[-300:]}")


def sources(name, *programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    target = BUILD / name
    shutil.copytree(SOURCES / name, target, dirs_exist_ok=True)
    return target


class Asked:
    """A program that answers requests."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"no answer to {str(request)[:500]}"
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


class Omniwitness(Program):
    """The witness of transparency-dev, running, for logs of these vkeys. It reaches nobody outside."""

    def __init__(self, program, folder, logs, name="omniwitness.example"):
        super().__init__(folder / "log", {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"})
        self.key = NoteKey(name, name.encode(), COSIGNATURE)
        self.program, self.folder, self.port = program, folder, free_port()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "key").write_text(self.key.skey)
        (folder / "logs.yaml").write_text("Logs:\n" + "".join(f"  - Origin: {vkey.split('+')[0]}\n    PublicKey: {vkey}\n" for vkey in logs))

    @property
    def vkey(self):
        return self.key.vkey

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.launch(self.program, "--listen", f"127.0.0.1:{self.port}", "--metrics_listen", "", "--private_key_path", self.folder / "key",
                    "--db_file", self.folder / "state.db", "--additional_logs", self.folder / "logs.yaml")
        self.wait_until(self.answers, 20)
        return self

    def answers(self):
        socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        return True
