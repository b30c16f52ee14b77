"""Snapshots' documents over slow and broken connections."""

import hashlib
import http.client
import json
import ssl
import uuid

import pytest


@pytest.fixture(scope="module")
def snapshot(stack):
    """A document of some megabytes: id and bytes."""
    kernel = stack.client("kernel")
    nodes = []
    for n in range(60):
        nodes.append({"id": str(uuid.uuid4()), "type": "observation", "actor": "test", "payload": {"n": n, "text": f"{n:03} äß€ " * 7000}})
    for at in range(0, 60, 20):
        kernel.post("/nodes", {"nodes": nodes[at:at + 20]})
    kernel.post("/edges", {"edges": [{"from": a["id"], "to": b["id"], "type": "causal"} for a, b in zip(nodes, nodes[1:])]})
    made = kernel.post("/reason/snapshot", {"rootNodeIds": [nodes[-1]["id"]], "depth": 100}, Prefer="wait=30")
    assert made["status"] == "complete"
    status, headers, body = ask(stack, f"/reason/snapshot/{made['snapshotId']}?format=canonical")
    assert (status, hashlib.sha256(body).hexdigest(), headers["Content-Length"]) == (200, made["hash"], str(len(body)))
    assert len(body) > 5_000_000
    return made["snapshotId"], body


def connect(stack, client="kernel"):
    context = ssl.create_default_context(cafile=stack.env["REASON_CA"])
    context.load_cert_chain(stack.run_dir / f"tls/{client}.crt", stack.run_dir / f"tls/{client}.key")
    return http.client.HTTPSConnection("localhost", int(stack.env["REASON_URL"].rsplit(":", 1)[1]), context=context, timeout=60)


def ask(stack, path, **headers):
    connection = connect(stack)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    answer = response.status, response.headers, response.read()
    connection.close()
    return answer


@pytest.mark.parametrize("path", ["/reason/snapshot/{}?format=canonical", "/reason/snapshot/{}?format=envelope", "/reason/export/{}?format=canonical"])
def test_any_part_of_a_document_can_be_had(stack, snapshot, path):
    path = path.format(snapshot[0])
    status, headers, whole = ask(stack, path)
    assert (status, headers["Accept-Ranges"], headers["Content-Length"]) == (200, "bytes", str(len(whole)))
    for first, last in ((0, 0), (65_530, 65_545), (1_000_001, 4_000_000), (len(whole) - 1, len(whole) - 1)):
        status, headers, part = ask(stack, path, Range=f"bytes={first}-{last}")
        assert (status, headers["Content-Range"], part == whole[first:last + 1]) == (206, f"bytes {first}-{last}/{len(whole)}", True)
    status, headers, body = ask(stack, path, Range=f"bytes={len(whole)}-")
    assert (status, headers["Content-Range"], json.loads(body)["code"]) == (416, f"bytes */{len(whole)}", "REASONING_GRAPH_BAD_REQUEST")


def test_a_download_goes_on_while_the_document_is_the_same(stack, snapshot):
    name, document = snapshot
    path = f"/reason/snapshot/{name}?format=canonical"
    etag = ask(stack, path)[1]["ETag"]
    got = b""
    while len(got) < len(document):
        connection = connect(stack)
        connection.request("GET", path, headers={"Range": f"bytes={len(got)}-", "If-Range": etag})
        response = connection.getresponse()
        assert response.status == 206
        got += response.read(2_000_000)
        connection.sock.close()
        connection.close()
    assert got == document
    assert ask(stack, path, Range="bytes=9-", If_Range='"another"')[0] == 200
    assert ask(stack, path, If_None_Match=etag)[0] == 304


def test_the_time_a_client_takes_is_not_the_databases(stack, snapshot, database):
    """The statement has ended while the client has read next to nothing."""
    name, document = snapshot
    connections = []
    for _ in range(4):
        connection = connect(stack)
        connection.request("GET", f"/reason/snapshot/{name}?format=canonical")
        connections.append(connection)
    responses = [connection.getresponse() for connection in connections]
    for _ in range(200):
        busy = database.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'reason-gateway' AND state = 'active'").fetchone()[0]
        if busy == 0:
            break
        database.execute("SELECT pg_sleep(0.1)")
    assert busy == 0
    assert all(response.read() == document for response in responses)


def test_a_long_value_is_handed_out_in_pieces(database):
    for length in (0, 1, 65_535, 65_536, 65_537, 1_000_003):
        pieces = [row[0] for row in database.execute("SELECT reason.http_pieces(repeat('aé€😀', %s))", (length,))]
        assert "".join(pieces) == length * "aé€😀" and len(pieces) >= 1
        assert all(0 < len(piece.encode()) <= 65_536 for piece in pieces) or length == 0
    assert database.execute("SELECT reason.http_pieces(NULL)").fetchall() == [(None,)]
