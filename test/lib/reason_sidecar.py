"""A real sidecar with a configuration of the test's own."""

import subprocess
import urllib.error
import urllib.request
import uuid

from paths import SIDECAR
from ports import free_port
from program import Program


class Sidecar(Program):
    """A running reason-sidecar."""

    def __init__(self, directory, settings, environment=None, options=()):
        self.path = directory / f"sidecar-{uuid.uuid4().hex[:8]}.conf"
        super().__init__(self.path.with_suffix(".log"), environment)
        self.port = free_port()
        settings = {**settings, "metrics": {"port": self.port, **settings.get("metrics", {})}}
        self.path.write_text("\n".join(f"[{section}]\n" + "\n".join(f"{key} = {value}" for key, value in keys.items())
                                       for section, keys in settings.items()) + "\n")
        self.options = options
        self.program = SIDECAR

    def start(self, ready=True):
        self.launch(self.program, *self.options, self.path)
        if ready:
            self.wait_until(lambda: self.get("/ready")[0] == 200, 15)
        return self

    def run(self, *options, seconds=120):
        """To its end, with its configuration: --check, --recover, --accept-restore."""
        return subprocess.run([self.program, *options, self.path], env=self.environment, capture_output=True, text=True, timeout=seconds, check=False)

    def check(self):
        return self.run("--check")

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name):
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise AssertionError(f"there is no metric {name}")
