"""A real JanusGraph, and questions to it over HTTP."""

import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request

import pytest

if not (shutil.which("java") and shutil.which("mvn")):
    pytest.skip("JanusGraph needs a JDK and Maven", allow_module_level=True)

from paths import ROOT
from ports import free_port
from wait import wait_for

SCRIPT = ROOT / "test" / "stack" / "janusgraph.sh"
HOME = ROOT / ".build" / "janusgraph"


class JanusGraph:
    """A server; its process can be killed and started again on the same data."""

    def __init__(self, directory):
        self.directory = directory
        # One that runs already, which no test then kills
        given = os.environ.get("REASON_TEST_JANUSGRAPH_PORT")
        self.port = int(given) if given else free_port()
        self.process = None
        if given:
            return
        directory.mkdir(parents=True, exist_ok=True)
        subprocess.run([SCRIPT, "jars", HOME], check=True, timeout=600)
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen([SCRIPT, "run", HOME, self.directory / "data", str(self.port)],
                                        stdout=open(self.directory / "log", "ab"), stderr=subprocess.STDOUT)

        def answers():
            assert self.process.poll() is None, (self.directory / "log").read_text()[-2000:]
            try:
                return self.ask("[1]") == [1]
            except OSError:
                return False
        wait_for(answers, 600, "JanusGraph's start")

    def kill(self):
        if self.process is None:
            pytest.skip("this JanusGraph is not the test's to kill")
        self.process.kill()
        self.process.wait(30)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def ask(self, script, **bindings):
        """What a script gives, as a list."""
        body = json.dumps({"gremlin": script, "bindings": bindings}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json", "Accept": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["result"]["data"]

    def wipe(self):
        while self.ask("def found = g.V().limit(2000).toList(); found.each {it.remove()}; [found.size()]")[0]:
            pass

    def settings(self, **more):
        """Of a section [mirror NAME]."""
        return {"type": "janusgraph", "url": self.url, **more}
