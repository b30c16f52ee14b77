"""A token of SoftHSM 2."""

import os
import re
import subprocess

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "4711-pin"


class Token:
    """A token in a directory of its own, with an Ed25519 key."""

    def __init__(self, directory):
        self.directory = directory
        (directory / "tokens").mkdir()
        (directory / "softhsm2.conf").write_text(f"directories.tokendir = {directory}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.environment = {"SOFTHSM2_CONF": str(directory / "softhsm2.conf")}
        self.shell = {**os.environ, **self.environment}
        self.run("softhsm2-util", "--init-token", "--free", "--label", "reason", "--pin", PIN, "--so-pin", "so-pin-1")
        self.add_key("audit", "a1b2")
        self.pin_file = directory / "pin"
        self.pin_file.write_text(PIN + "\n")

    def run(self, *command):
        return subprocess.run(command, env=self.shell, check=True, capture_output=True, timeout=30).stdout

    def tool(self, *arguments):
        return self.run("pkcs11-tool", "--module", MODULE, "--token-label", "reason", "--login", "--pin", PIN, *arguments)

    def add_key(self, label, key_id):
        self.tool("--keypairgen", "--key-type", "EC:edwards25519", "--label", label, "--id", key_id)

    def public_key(self, label="audit"):
        """Hex of the raw key."""
        objects = self.tool("--list-objects", "--type", "pubkey").decode()
        found, = (o for o in objects.split("Public Key Object") if re.search(rf"label:\s+{label}$", o, re.M))
        return re.search(r"EC_POINT:\s+0420([0-9a-f]{64})", found).group(1)

    def take_away(self):
        (self.directory / "tokens").rename(self.directory / "gone")
        (self.directory / "tokens").mkdir()

    def put_back(self):
        (self.directory / "tokens").rmdir()
        (self.directory / "gone").rename(self.directory / "tokens")
