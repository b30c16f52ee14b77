"""Signers behind an HTTP API, as far as tests need them."""

import base64
import json

from http_service import Handler, Service

ACCESS, SECRET = "AKIDEXAMPLE", "kms-secret"


class Remote(Service):
    """Answers by self.respond(method, path, headers, body) → status, document."""

    def __init__(self):
        self.respond = None
        self.refused = []
        super().__init__(Answering)


class Answering(Handler):
    def answer(self):
        body = self.read_body()
        try:
            status, document = self.server.respond(self.command, self.path, self.headers, body)
        except (AssertionError, KeyError, ValueError) as fault:
            self.server.refused.append(repr(fault))
            status, document = 400, {"error": repr(fault)}
        self.send(status, body=json.dumps(document).encode())

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
