"""A real sidecar with a configuration of the test's own."""

import os
import signal
import subprocess
import urllib.error
import urllib.request
import uuid

from paths import SIDECAR
from ports import free_port
from wait import wait_for


class Sidecar:
    """A running reason-sidecar."""

    def __init__(self, directory, settings, environment=None, options=()):
        self.port = free_port()
        self.path = directory / f"sidecar-{uuid.uuid4().hex[:8]}.conf"
        self.log_path = self.path.with_suffix(".log")
        self.environment = {**os.environ, **(environment or {})}
        settings = {**settings, "metrics": {"port": self.port, **settings.get("metrics", {})}}
        self.path.write_text("\n".join(f"[{section}]\n" + "\n".join(f"{key} = {value}" for key, value in keys.items())
                                       for section, keys in settings.items()) + "\n")
        self.process = None
        self.prefix = []            # of the command
        self.options = options

    def start(self, ready=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, SIDECAR, *self.options, self.path], stdout=log, stderr=log, env=self.environment)
        if ready:
            wait_for(lambda: self.get("/ready")[0] == 200, 15, f"readiness of the sidecar: {self.log()[-2000:]}")
        return self

    def run(self, *options, seconds=120):
        """To its end, with its configuration: --check, --recover, --accept-restore."""
        return subprocess.run([SIDECAR, *options, self.path], env=self.environment, capture_output=True, text=True, timeout=seconds, check=False)

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

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            return self.process.wait(20)
        return None
