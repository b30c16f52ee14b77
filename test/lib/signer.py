"""Ed25519 keys of the tests' own: from a seed, or in a file that OpenSSL signs with."""

import ctypes
import ctypes.util
import subprocess

sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
assert sodium.sodium_init() >= 0


class Signer:
    """An Ed25519 key made from a seed, so that tests can be repeated."""

    def __init__(self, name, seed=b"0"):
        self.name = name
        self.public = ctypes.create_string_buffer(32)
        self.secret = ctypes.create_string_buffer(64)
        sodium.crypto_sign_seed_keypair(self.public, self.secret, seed.ljust(32, b"."))

    def sign(self, message):
        signature = ctypes.create_string_buffer(64)
        sodium.crypto_sign_detached(signature, None, message, ctypes.c_ulonglong(len(message)), self.secret)
        return signature.raw


class Key:
    """An Ed25519 key that OpenSSL signs with."""

    def __init__(self, directory, name="remote"):
        self.path = directory / f"{name}.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.path], check=True)
        self.spki = subprocess.run(["openssl", "pkey", "-in", self.path, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        self.scratch = self.path.with_suffix(".message")

    def sign(self, message):
        self.scratch.write_bytes(message)
        return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", self.scratch], check=True, capture_output=True).stdout


def make_keys(directory):
    """Of a new key the file of its private half, and its public half in PEM."""
    private = directory / "signer.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    private.chmod(0o600)
    public = subprocess.run(["openssl", "pkey", "-in", private, "-pubout"], check=True, capture_output=True, text=True).stdout
    return private, public
