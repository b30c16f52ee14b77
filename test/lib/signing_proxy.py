"""A signing proxy with a key of its own: POST /sign and GET /publicKeys/{signerId}, for whoever has the token."""

import base64
import http.server
import json
import subprocess
import threading


class SigningProxy(http.server.ThreadingHTTPServer):
    token = "proxy-token"

    def __init__(self, directory, address, signer):
        super().__init__((address, 8200), Handler)
        self.signer, self.key = signer, directory / "key.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.key], check=True)
        spki = subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        self.public_key = base64.b64encode(spki).decode()
        self.digest = directory / "digest"
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def sign(self, digest):
        with self.lock:
            self.digest.write_bytes(digest)
            return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.key, "-in", self.digest], check=True,
                                  capture_output=True).stdout


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server, status, document = self.server, 401, {"error": "no token"}
        if self.headers["Authorization"] == f"Bearer {server.token}":
            status, document = 200, {"signerId": server.signer, "algorithm": "ed25519", "publicKey": server.public_key}
            if self.command == "POST":
                ask = json.loads(body)
                message = base64.b64decode(ask.get("digest") or ask["message"], validate=True)
                document = {"signature": base64.b64encode(server.sign(message)).decode(), "signerId": server.signer}
        text = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer
