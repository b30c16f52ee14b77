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
from tlog_reference import COSIGNATURE, NoteKey
from wait import wait_for

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


class Omniwitness:
    """The witness of transparency-dev, running, for logs of these vkeys. It reaches nobody outside."""

    def __init__(self, program, folder, logs, name="omniwitness.example"):
        self.key = NoteKey(name, name.encode(), COSIGNATURE)
        self.program, self.folder, self.port, self.process = program, folder, free_port(), None
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
        nowhere = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "--listen", f"127.0.0.1:{self.port}", "--metrics_listen", "", "--private_key_path", self.folder / "key",
                 "--db_file", self.folder / "state.db", "--additional_logs", self.folder / "logs.yaml"], stdout=log, stderr=log, env={**os.environ, **nowhere})
        wait_for(self.answers, 20, "the start of omniwitness")
        return self

    def answers(self):
        assert self.process.poll() is None, self.log()
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def log(self):
        return (self.folder / "log").read_text()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
