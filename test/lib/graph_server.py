"""What the graph stores have in common that mirrors are fed to: GraphServer, the base of each one's class."""

import json
import os
import shutil
import subprocess
import urllib.request

import pytest

from paths import ROOT
from ports import free_port
from program import Program

if not (shutil.which("java") and shutil.which("mvn")):
    pytest.skip("graph stores need a JDK and Maven", allow_module_level=True)


class GraphServer(Program):
    """A server that test/stack/<type>.sh runs; it can be killed and started again on the same data.

    REASON_TEST_<TYPE>_PORT names one that runs already, which no test then kills.
    """

    type = None
    ports = 1

    def __init__(self, directory):
        directory.mkdir(parents=True, exist_ok=True)
        super().__init__(directory / "log")
        self.directory = directory
        self.script, self.home = ROOT / f"test/stack/{self.type}.sh", ROOT / ".build" / self.type
        given = os.environ.get(f"REASON_TEST_{self.type.upper()}_PORT")
        self.port = int(given) if given else free_port(self.ports)
        if not given:
            subprocess.run([self.script, "jars", self.home], check=True, timeout=600)
            self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.launch(self.script, "run", self.home, self.directory / "data", str(self.port))
        self.wait_until(self.answers, 600)

    def answers(self):
        """Whether it is there."""
        raise NotImplementedError

    def kill(self):
        if self.process is None:
            pytest.skip(f"this {self.type} is not the test's to kill")
        super().kill()

    def post(self, path, document, headers):
        request = urllib.request.Request(self.url + path, json.dumps(document).encode(), {"Content-Type": "application/json", **headers})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def settings(self, **more):
        """Those of a section [mirror NAME]."""
        return {"type": self.type, "url": self.url, **more}
