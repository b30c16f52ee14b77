"""What signers behind an HTTP API answer."""

import base64
import json

ACCESS, SECRET = "AKIDEXAMPLE", "kms-secret"


def proxy(key, token="s.token-1"):
    """{base}/sign and {base}/publicKeys/{signerId}"""
    def respond(method, path, headers, body):
        assert headers["Authorization"] == f"Bearer {token}"
        if method == "GET":
            assert path == "/publicKeys/remote-1"
            return 200, {"signerId": "remote-1", "algorithm": "ed25519", "publicKey": base64.b64encode(key.spki).decode()}
        ask = json.loads(body)
        assert path == "/sign" and set(ask) == {"signerId", "algorithm", "digest"}
        assert ask["signerId"] == "remote-1" and ask["algorithm"] == "ed25519"
        digest = base64.b64decode(ask["digest"], validate=True)
        assert len(digest) == 32
        return 200, {"signature": base64.b64encode(key.sign(digest)).decode(), "signerId": "remote-1"}
    return respond
