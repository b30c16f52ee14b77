"""A real Vault with its transit engine. Building it takes minutes (make check-vault)."""

import json
import re
import subprocess
import urllib.request

from paths import ROOT
from ports import free_port
from program import Program

# What the documentation tells an operator to allow
POLICY = """
path "transit/keys/audit" { capabilities = ["read"] }
path "transit/sign/audit" { capabilities = ["update"] }
"""


class Vault(Program):
    def __init__(self, directory):
        super().__init__(directory / "log")
        program = subprocess.run([ROOT / "test" / "stack" / "vault.sh", ROOT / ".build" / "vault"], check=True, capture_output=True, text=True,
                                 timeout=3600).stdout.strip()
        self.port = free_port()
        self.launch(program, f"127.0.0.1:{self.port}")
        # it says how it is unsealed once it listens
        self.root, self.unseal_key = self.wait_until(lambda: re.search(r"^(\S+) ([0-9a-f]{32,})$", self.log(), re.M), 60).groups()
        self.call("POST", "sys/mounts/transit", {"type": "transit"})
        self.call("PUT", "sys/policies/acl/sidecar", {"policy": POLICY})

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def call(self, method, path, document=None, token=None):
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.url}/v1/{path}", data=body, method=method, headers={"X-Vault-Token": token or self.root})
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def token(self, ttl="1h"):
        return self.call("POST", "auth/token/create", {"policies": ["sidecar"], "ttl": ttl, "no_default_policy": False})["auth"]["client_token"]

    def key(self, version):
        """The raw key in base64, as reason.add_signer() takes it."""
        return self.call("GET", "transit/keys/audit")["data"]["keys"][str(version)]["public_key"]
