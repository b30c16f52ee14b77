"""reason-sidecar as a witness, with a configuration of the test's own."""

import http.client
import subprocess

from paths import SIDECAR
from ports import free_port
from program import Program


def make_key(path):
    """A signing key in a file."""
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True)
    path.chmod(0o600)
    return path


class Witness(Program):
    """A running witness of logs, {name: vkey}, that keeps everything in `folder`."""

    def __init__(self, folder, logs, name="witness.example/ours", **settings):
        super().__init__(folder / "witness.log")
        self.port = free_port()
        self.name, self.logs = name, logs
        self.memory = folder / "memory"
        self.memory.mkdir(parents=True, exist_ok=True)
        self.path = folder / "witness.conf"
        self.key = folder / "witness.pem"
        if not self.key.exists():
            make_key(self.key)
        self.settings = {"name": name, "directory": self.memory, "port": self.port, **settings}
        self.write()

    def write(self):
        lines = ["[witness]", *(f"{key} = {value}" for key, value in self.settings.items()), "[signer]", "type = local", f"key_file = {self.key}"]
        for name, vkey in self.logs.items():
            lines += [f"[log {name}]", f"vkey = {vkey}"]
        self.path.write_text("\n".join(lines) + "\n")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def run(self, *options):
        """To its end, with its configuration."""
        return subprocess.run([SIDECAR, "--witness", *options, self.path], capture_output=True, text=True, timeout=30, check=False)

    def check(self):
        return self.run("--check")

    @property
    def vkey(self):
        return self.check().stdout.splitlines()[0].removeprefix("vkey ")

    def start(self, ready=True):
        self.launch(SIDECAR, "--witness", self.path)
        if ready:
            self.wait_until(lambda: self.request("GET", "/health")[0] == 200, 15)
        return self

    def request(self, method, path, body=None, headers=None, timeout=20):
        """Status, content type and body."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type"), answer.read().decode()
        except OSError:
            return 0, "", ""
        finally:
            connection.close()

    def add_checkpoint(self, body):
        return self.request("POST", "/add-checkpoint", body.encode() if isinstance(body, str) else body)
