"""A signing proxy with a key of its own: POST /sign and GET /publicKeys/{signerId}, for whoever has the token."""

import base64
import json
import subprocess
import threading

from http_service import Handler, Service


class SigningProxy(Service):
    token = "proxy-token"

    def __init__(self, directory, address, signer):
        self.signer, self.key = signer, directory / "key.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.key], check=True)
        spki = subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        self.public_key = base64.b64encode(spki).decode()
        self.digest = directory / "digest"
        self.lock = threading.Lock()
        super().__init__(Signing, 8200, address)

    def sign(self, digest):
        with self.lock:
            self.digest.write_bytes(digest)
            return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.key, "-in", self.digest], check=True,
                                  capture_output=True).stdout


class Signing(Handler):
    def answer(self):
        body = self.read_body()
        server, status, document = self.server, 401, {"error": "no token"}
        if self.headers["Authorization"] == f"Bearer {server.token}":
            status, document = 200, {"signerId": server.signer, "algorithm": "ed25519", "publicKey": server.public_key}
            if self.command == "POST":
                ask = json.loads(body)
                message = base64.b64decode(ask.get("digest") or ask["message"], validate=True)
                document = {"signature": base64.b64encode(server.sign(message)).decode(), "signerId": server.signer}
        self.send(status, body=json.dumps(document).encode())

    do_GET = do_POST = answer
