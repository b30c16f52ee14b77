"""Logs are JSON that says who asked for what, when, and how it ended; they hold no payload and no key."""

import json
import re
import socket
import ssl
import uuid

from client import Refused
from raw_https import port
from wait import wait_for

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def access_lines(stack, request_id):
    lines = (stack.run_dir / "log/access.log").read_bytes().splitlines()
    return [json.loads(line.decode()) for line in lines if request_id.encode() in line]


def test_a_line_of_json_tells_of_each_request(stack, kernel, new_node):
    node, request_id = new_node(), f"log-{uuid.uuid4()}"
    kernel.call("GET", f"/reason/node/{node}", None, {"X-Request-Id": request_id, "traceparent": TRACEPARENT})
    line, = wait_for(lambda: access_lines(stack, request_id))
    assert {name: line[name] for name in ("client", "method", "path", "status", "traceparent")} == {
        "client": "kernel", "method": "GET", "path": f"/reason/node/{node}", "status": 200, "traceparent": TRACEPARENT}
    assert line["bytes"] > 0 and line["seconds"] >= 0 and re.match(r"\d{4}-\d\d-\d\dT", line["time"])


def test_hostile_headers_stay_within_their_line(stack, kernel):
    request_id = f"log-{uuid.uuid4()}"
    kernel.call("GET", "/reason/signers", None, {"X-Request-Id": request_id, "traceparent": 'a","status":500,"x":"\\'})
    line, = wait_for(lambda: access_lines(stack, request_id))
    assert line["status"] == 200 and line["traceparent"] == 'a","status":500,"x":"\\'


def test_what_is_not_utf8_is_replaced(stack):
    request_id = f"log-{uuid.uuid4()}"
    connection = ssl.create_default_context(cafile=stack.run_dir / "tls/ca.crt")
    connection.load_cert_chain(stack.run_dir / "tls/kernel.crt", stack.run_dir / "tls/kernel.key")
    # a lone byte, a surrogate, an overlong slash, a lead byte too high, a character cut off; then two that are right
    wrong, right = b"\xff\xed\xa0\x80\xc0\xaf\xf8\x90\x80\x80\xf0\x9f", "\u00e4\U0001f600".encode()
    with socket.create_connection(("localhost", port(stack))) as plain, connection.wrap_socket(plain, server_hostname="localhost") as tls:
        tls.sendall(b"GET /reason/%s%s?q=%s HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: %s\r\ntraceparent: %s%s\r\nConnection: close\r\n\r\n"
                    % (wrong, right, wrong, request_id.encode(), wrong, right))
        assert tls.recv(12).startswith(b"HTTP/1.1 4")
    line, = wait_for(lambda: access_lines(stack, request_id))
    assert (line["path"], line["traceparent"]) == ("/reason/" + 12 * "\ufffd" + right.decode(), 12 * "\ufffd" + right.decode())
    # and what others did in the meantime
    for any_line in (stack.run_dir / "log/access.log").read_bytes().splitlines():
        json.loads(any_line.decode())


def test_no_payload_and_no_key_is_written_anywhere(stack, kernel, new_node):
    """Not of a good request, and not of one that is refused, whoever refuses it."""
    marker, secret, last = f"marker{uuid.uuid4().hex}", f"secret{uuid.uuid4().hex}", f"log-{uuid.uuid4()}"
    node = new_node(payload={"text": marker})
    bodies = {
        "/reason/node": [{"type": "score", "author": "a", "payload": {"text": marker}}, {"type": "guess", "author": "a", "payload": marker}],
        "/nodes": [{"nodes": [{"type": "score", "actor": "a", "payload": marker}]}, {"nodes": [{"type": "score", "payload": marker}]}],
        "/reason/edge": [{"from": node, "to": node, "type": "causal", "metadata": {"text": marker}}, {"from": node, "type": "causal", "metadata": {"text": marker}}],
        "/edges": [{"edges": [{"from": node, "to": node, "type": marker}]}],
        f"/reason/annotate/{node}": [{"note": marker}, {"note": marker, "payload": marker}],
        "/reason/query": [{"filters": {"text": marker}}, {"filters": {"text": [marker]}}],
        "/reason/snapshot": [{"rootNodeIds": [node], "description": marker}, {"rootNodeIds": [], "description": marker}],
    }
    for path, wanted in bodies.items():
        whole = json.dumps(wanted[0]).encode()
        # cut off, with a lone surrogate, with a NUL, not UTF-8, twice the same member
        broken = [whole[:-1], whole.replace(marker.encode(), marker.encode() + b"\\ud800"), whole.replace(marker.encode(), marker.encode() + b"\\u0000"),
                  whole.replace(marker.encode(), marker.encode() + b"\xff"), b"{" + whole[1:-1] + b"," + whole[1:], b'"' + marker.encode()]
        for body in [*wanted, *broken]:
            try:
                kernel.call("POST", path, body, {"Idempotency-Key": str(uuid.uuid4()), "Authorization": f"Bearer {secret}", "Cookie": f"session={secret}"})
            except Refused as refusal:
                assert refusal.status < 500, (path, body, refusal)
    kernel.call("GET", "/reason/signers", None, {"X-Request-Id": last})
    wait_for(lambda: access_lines(stack, last))
    key = "".join((stack.run_dir / "tls/kernel.key").read_text().splitlines()[1:-1])[:40]
    for log in (stack.run_dir / "log").iterdir():
        text = log.read_text(errors="replace")
        for what in (marker, secret, key):
            assert what not in text, (log.name, next(line for line in text.splitlines() if what in line)[:300])


def test_the_databases_log_holds_no_name_of_a_refused_payloads_member(stack, kernel):
    name = f"member{uuid.uuid4().hex}"
    wrong = [f'{{"type":"score","author":"a","payload":{{"{name}":1,"{name}":2}}}}', f'{{"type":"score","author":"a","payload":{{"{name}":9007199254740993}}}}',
             f'{{"type":"score","author":"a","payload":{{"{name}":"\\ud800"}}}}', f'{{"type":"score","author":"a","payload":1,"{name}":2}}']
    for body in wrong:
        for path, sent in (("/reason/node", body), ("/nodes", f'{{"nodes":[{body}]}}'), ("/reason/query", f'{{"filters":{{"{name}":1}}}}'),
                           ("/reason/snapshot", f'{{"{name}":1}}')):
            try:
                kernel.call("POST", path, sent.encode())
                raise AssertionError(path)
            except Refused as refusal:
                assert refusal.status == 400
    for log in (stack.run_dir / "log").iterdir():
        assert name not in log.read_text(errors="replace"), log.name
