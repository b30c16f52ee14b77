"""What signers behind an HTTP API answer."""

import base64
import http.server
import json
import threading

ACCESS, SECRET = "AKIDEXAMPLE", "kms-secret"


class Service(http.server.ThreadingHTTPServer):
    """Answers by self.respond(method, path, headers, body) → status, document."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.respond = None
        self.refused = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            status, document = self.server.respond(self.command, self.path, self.headers, body)
        except (AssertionError, KeyError, ValueError) as fault:
            self.server.refused.append(repr(fault))
            status, document = 400, {"error": repr(fault)}
        text = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer


def proxy(key, token="s.token-1"):
    """{base}/sign and {base}/publicKeys/{signerId}. A hash is a digest, and nothing else is."""
    def respond(method, path, headers, body):
        assert headers["Authorization"] == f"Bearer {token}"
        if method == "GET":
            assert path == "/publicKeys/remote-1"
            return 200, {"signerId": "remote-1", "algorithm": "ed25519", "publicKey": base64.b64encode(key.spki).decode()}
        ask = json.loads(body)
        what = "digest" if "digest" in ask else "message"
        assert path == "/sign" and set(ask) == {"signerId", "algorithm", what}
        assert ask["signerId"] == "remote-1" and ask["algorithm"] == "ed25519"
        message = base64.b64decode(ask[what], validate=True)
        assert len(message) == 32 if what == "digest" else 32 < len(message) <= 4096
        return 200, {"signature": base64.b64encode(key.sign(message)).decode(), "signerId": "remote-1"}
    return respond
