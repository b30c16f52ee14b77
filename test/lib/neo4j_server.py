"""A real Neo4j, and questions to it over HTTP."""

import base64
import json
import os
import shutil
import signal
import subprocess
import urllib.error
import urllib.request

import pytest

if not (shutil.which("java") and shutil.which("mvn")):
    pytest.skip("Neo4j needs a JDK and Maven", allow_module_level=True)

from paths import ROOT
from ports import free_port
from wait import wait_for

SCRIPT = ROOT / "test" / "stack" / "neo4j.sh"
HOME = ROOT / ".build" / "neo4j"
PASSWORD = "graph-password"


class Neo4j:
    """A server; its process can be killed and started again on the same data."""

    type = "neo4j"

    def __init__(self, directory):
        self.directory = directory
        # One that runs already, which no test then kills
        given = os.environ.get("REASON_TEST_NEO4J_PORT")
        self.port = int(given) if given else free_port(2)
        self.process = None
        self.credentials = directory / "credentials"
        directory.mkdir(parents=True, exist_ok=True)
        self.credentials.write_text(f"user = neo4j\npassword = {PASSWORD}\n")
        self.credentials.chmod(0o600)
        if given:
            return
        subprocess.run([SCRIPT, "jars", HOME], check=True, timeout=600)
        self.start()
        self.post("system", "neo4j", f"ALTER CURRENT USER SET PASSWORD FROM 'neo4j' TO '{PASSWORD}'")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen([SCRIPT, "run", HOME, self.directory / "home", str(self.port)],
                                        stdout=open(self.directory / "log", "ab"), stderr=subprocess.STDOUT)

        def answers():
            assert self.process.poll() is None, (self.directory / "log").read_text()[-2000:]
            try:
                self.post("neo4j", PASSWORD, "RETURN 1")
                return True
            except urllib.error.HTTPError as refusal:
                # it has its first password still
                return refusal.code == 401
            except AssertionError:
                return False
            except OSError:
                return False
        wait_for(answers, 600, "Neo4j's start")

    def kill(self):
        if self.process is None:
            pytest.skip("this Neo4j is not the test's to kill")
        self.process.kill()
        self.process.wait(30)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def post(self, database, password, text, parameters=None):
        body = json.dumps({"statements": [{"statement": text, "parameters": parameters or {}}]}).encode()
        secret = base64.b64encode(f"neo4j:{password}".encode()).decode()
        request = urllib.request.Request(f"{self.url}/db/{database}/tx/commit", body, {"Content-Type": "application/json", "Authorization": f"Basic {secret}"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            said = json.load(answer)
        assert not said["errors"], said["errors"]
        return [entry["row"] for entry in said["results"][0]["data"]]

    def ask(self, text, **parameters):
        """Rows of a Cypher statement."""
        return self.post("neo4j", PASSWORD, text, parameters)

    def wipe(self):
        while self.ask("MATCH (n) WITH n LIMIT 10000 DETACH DELETE n RETURN count(*)")[0][0]:
            pass

    def settings(self, **more):
        """Of a section [mirror NAME]."""
        return {"type": "neo4j", "url": self.url, "credentials_file": self.credentials, **more}
