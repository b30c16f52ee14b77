"""The log over HTTPS: read by its tiles alone, and proofs as files that a person keeps."""
import base64
import io
import json
import subprocess
import zipfile

import pytest

from evidence import sha256
from log_client import checkpoint
from log_evidence import consistency_of, leaf_hash, root_of, tile_path
from paths import VERIFY


@pytest.fixture(scope="module")
def written(stack):
    """Enough events for a full tile, and a checkpoint."""
    kernel = stack.client("kernel")
    nodes = [n["nodeId"] for n in kernel.post("/nodes", {"nodes": [{"type": "observation", "actor": "a", "payload": {"n": n}} for n in range(300)]})["nodes"]]
    kernel.post("/edges", {"edges": [{"from": a, "to": b, "type": "causal"} for a, b in zip(nodes, nodes[1:20])]})
    with stack.database() as database:
        checkpoint(database)
    return nodes


def get(client, path, method="GET", **headers):
    client.connection.request(method, path, None, {n.replace("_", "-"): v for n, v in headers.items()})
    response = client.connection.getresponse()
    return response.status, response.headers, response.read()


@pytest.fixture
def head(reader, written):
    status, headers, note = get(reader, "/reason/log/default/checkpoint")
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "text/plain; charset=utf-8", "private, no-cache")
    origin, size, root = note.decode().split("\n\n")[0].split("\n")
    return origin, int(size), base64.b64decode(root)


def test_a_reader_of_tiles_comes_to_the_root_of_the_checkpoint(reader, head):
    """As a stock client: checkpoint, then tiles and entries under the prefix, nothing else."""
    origin, size, root = head
    assert origin == "localhost/reason/default" and size > 300
    leaves = []
    for n in range((size + 255) // 256):
        width = min(256, size - n * 256)
        status, headers, tile = get(reader, "/reason/log/default/" + tile_path(0, n, width))
        assert (status, headers["Content-Type"], int(headers["Content-Length"])) == (200, "application/octet-stream", 32 * width)
        status, _, bundle = get(reader, "/reason/log/default/" + tile_path(0, n, width).replace("tile/0/", "tile/entries/"))
        assert status == 200 and [leaf_hash(bundle[i + 2:i + 34]) for i in range(0, len(bundle), 34)] == [tile[i:i + 32] for i in range(0, len(tile), 32)]
        leaves += [tile[i:i + 32] for i in range(0, len(tile), 32)]
    assert root_of(leaves) == root
    above = get(reader, "/reason/log/default/" + tile_path(1, 0, size // 256))[2]
    assert above == b"".join(root_of(leaves[i * 256:i * 256 + 256]) for i in range(size // 256))
    answer = json.loads(get(reader, f"/reason/log/default/consistency?from=300&to={size}")[2])
    assert [base64.b64decode(h) for h in answer["hashes"]] == consistency_of(300, leaves)


def test_what_may_be_kept(reader, head):
    path = "/reason/log/default/tile/0/000"
    status, headers, tile = get(reader, path)
    assert headers["Cache-Control"] == "private, max-age=31536000, immutable" and len(tile) == 8192
    assert get(reader, path, "HEAD")[1]["Content-Length"] == "8192"
    assert get(reader, path, If_None_Match=headers["ETag"])[::2] == (304, b"")
    assert get(reader, path, If_None_Match='"another"')[0] == 200
    status, headers, _ = get(reader, "/reason/log/default/checkpoint")
    assert get(reader, "/reason/log/default/checkpoint", If_None_Match=headers["ETag"])[::2] == (304, b"")
    # Hashes do not compress, and stay as they are for whoever would take gzip.
    assert get(reader, path, Accept_Encoding="gzip")[1]["Content-Encoding"] is None


@pytest.mark.parametrize("path", [
    "/reason/log/nowhere/checkpoint", "/reason/log/system/checkpoint", "/reason/log/default;2/checkpoint", "/reason/log/default/tile/0/999",
    "/reason/log/default/tile/0/000.p/256", "/reason/log/default/tile/9/000", "/reason/log/default/tile/", "/reason/log/default/", "/reason/log/default/tile/0/x000/000"])
def test_what_is_not_there(reader, written, path):
    status, _, body = get(reader, path)
    assert (status, json.loads(body)["code"]) == (404, "REASONING_GRAPH_NOT_FOUND")


def test_paths_mean_what_they_spell(reader, written):
    """However a client writes the same path."""
    plain = get(reader, "/reason/log/default/tile/0/000.p/7")[2]
    assert len(plain) == 7 * 32
    for path in ("/reason/log/default/tile/0%2F000.p%2F7", "/reason/log/%64efault/tile/0/000.p/7", "/reason/log/default/tile/./0/000.p/7"):
        assert get(reader, path)[2] == plain, path


def test_proofs_are_files_that_the_verifier_takes(kernel, reader, stack, written, tmp_path):
    registry = tmp_path / "signers.json"
    registry.write_bytes(kernel.send("GET", "/reason/signers"))
    status, headers, proof = get(kernel, f"/reason/node/{written[5]}/proof")
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert headers["Content-Disposition"] == f'attachment; filename="node-{written[5]}.tlog-proof"'
    (tmp_path / "one.tlog-proof").write_bytes(proof)
    status, headers, body = get(kernel, f"/reason/node/{written[10]}/proof?format=bundle&depth=3")
    assert (status, headers["Content-Type"]) == (200, "application/zip")
    archive = zipfile.ZipFile(io.BytesIO(body))
    archive.extractall(tmp_path)
    proofs = [tmp_path / n for n in archive.namelist() if n.endswith(".tlog-proof")]
    assert len(proofs) == 4 + 3
    done = subprocess.run([VERIFY, "--registry", registry, tmp_path / "one.tlog-proof", *proofs], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    status, headers, body = get(reader, f"/reason/node/{written[5]}/proof")
    assert (status, json.loads(body)["code"]) == (403, "REASONING_GRAPH_FORBIDDEN")


def test_a_proof_that_is_asked_for_too_early_says_when_to_come_again(kernel, stack, written):
    node = kernel.post("/reason/node", {"type": "decision", "author": "a", "payload": 1})
    for path in (f"/reason/node/{node['nodeId']}/proof", f"/reason/event/{node['auditEventId']}/proof", f"/reason/node/{node['nodeId']}/proof?format=bundle"):
        status, headers, body = get(kernel, path)
        if status == 409:
            assert headers["Retry-After"] == "10" and json.loads(body)["code"] == "REASONING_GRAPH_CONFLICT"
        else:
            # A sidecar that makes checkpoints of its own was faster.
            assert status == 200
    with stack.database() as database:
        checkpoint(database)
    assert get(kernel, f"/reason/event/{node['auditEventId']}/proof")[0] == 200


def test_a_snapshot_names_the_log_that_is_read_here(kernel, reader, head):
    origin, size, root = head
    node = kernel.post("/reason/node", {"type": "decision", "author": "a", "payload": 1})["nodeId"]
    snapshot = kernel.post("/reason/snapshot", {"rootNodeIds": [node]}, Prefer="wait=20")
    log = kernel.get(f"/reason/snapshot/{snapshot['snapshotId']}")["log"]
    document = kernel.send("GET", f"/reason/snapshot/{snapshot['snapshotId']}?format=canonical")
    assert json.loads(document)["payload"]["log"] == log and sha256(document).hex() == snapshot["hash"]
    assert log["origin"] == origin and log["size"] >= size
    assert kernel.get(f"/reason/snapshot/{snapshot['snapshotId']}/verify")["ok"]


def test_divisions(kernel, reader, written):
    seen = reader.get("/reason/divisions")
    assert [d["division"] for d in seen["divisions"]] == ["default"] and seen["client"]["role"] == "reader"
    assert seen["divisions"][0]["default"] and seen["divisions"][0]["log"]["size"] > 300 and "head" not in seen["divisions"][0]
    assert get(reader, "/reason/divisions?colour=red")[0] == 400
