"""Bytes over TLS to the stack's gateway, and what its metrics say: for requests that no client library would send."""

import re
import socket
import ssl
import urllib.request


def context(stack, name="kernel"):
    tls = stack.run_dir / "tls"
    made = ssl.create_default_context(cafile=stack.env["REASON_CA"])
    made.load_cert_chain(tls / f"{name}.crt", tls / f"{name}.key")
    return made


def port(stack):
    return int(stack.env["REASON_URL"].rsplit(":", 1)[1])


def raw(stack, request, seconds=5):
    """Sends bytes over TLS and returns what comes back until the server closes or the time is over."""
    with socket.create_connection(("localhost", port(stack)), timeout=seconds) as plain:
        with context(stack).wrap_socket(plain, server_hostname="localhost") as connection:
            connection.sendall(request)
            connection.settimeout(seconds)
            answer = b""
            try:
                while piece := connection.recv(65536):
                    answer += piece
            except (TimeoutError, ssl.SSLError, ConnectionError):
                pass
            return answer


def metric(stack, name):
    """The sum of a metric's samples."""
    with urllib.request.urlopen(stack.env["REASON_OPS_URL"] + "/metrics", timeout=10) as response:
        text = response.read().decode()
    return sum(float(value) for value in re.findall(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? ([0-9.]+)$", text, re.M))
