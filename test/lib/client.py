"""A client of the HTTP API with a client certificate: nothing but Python's standard library."""

import http.client
import json
import ssl
from urllib.parse import urlsplit


class Refused(Exception):
    """The service answered with an error."""

    def __init__(self, status, body):
        super().__init__(f"{status} {body.get('code')}: {body.get('error')}")
        self.status = status
        self.body = body


class Client:
    """One keep-alive connection."""

    def __init__(self, url, ca, certificate, key, timeout_s=60):
        context = ssl.create_default_context(cafile=ca)
        context.load_cert_chain(certificate, key)
        parts = urlsplit(url)
        self.connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=context, timeout=timeout_s)

    def send(self, method, path, body=None, headers=None):
        """The answer's bytes; raises Refused for a status of 400 or more."""
        sent = dict(headers or {})
        if body is not None:
            sent["Content-Type"] = "application/json"
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.connection.request(method, path, body, sent)
        response = self.connection.getresponse()
        answer = response.read()
        if response.status >= 400:
            raise Refused(response.status, json.loads(answer) if answer else {})
        return answer

    def call(self, method, path, body=None, headers=None):
        """The answer's JSON."""
        answer = self.send(method, path, body, headers)
        return json.loads(answer) if answer else {}

    def text(self, path):
        return self.send("GET", path).decode()

    def get(self, path, **headers):
        return self.call("GET", path, headers=headers)

    def post(self, path, body, **headers):
        return self.call("POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})
