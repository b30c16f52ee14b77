"""What must hold after a storm."""

import hashlib
import json
import os
import pathlib
import subprocess

from kafka_broker import emitted, heads
from paths import VERIFY
from s3_server import BUCKET
from wait import wait_for

PATIENCE = 120


def all_archived(database):
    return database.value("SELECT bool_and(coalesce((SELECT max(a.last_seq) FROM reason.archive_segment a "
                          "WHERE a.division = c.division AND a.archived_at IS NOT NULL), -1) = c.head_seq) FROM reason.signed_chains() c")


def settle(world):
    """Nothing is stuck: all that was accepted is worked off, and the sidecar says so."""
    database = world.database
    database.settled(PATIENCE)
    wait_for(lambda: database.value("SELECT count(*) FROM reason.snapshot WHERE status IN ('pending', 'signed')") == 0, PATIENCE, "completing snapshots")
    # completing them made events
    database.settled(PATIENCE)
    wait_for(lambda: emitted(database, world.topic), PATIENCE, "emitting")
    wait_for(lambda: all_archived(database), PATIENCE, "archiving")
    wait_for(lambda: world.sidecar.get("/ready")[0] == 200, 20, "readiness")
    assert database.rows("SELECT duty, depth, led FROM reason.sidecar_status() WHERE duty <> 'mirror' ORDER BY duty") == [
        (duty, 0, True) for duty in ("archive", "emit", "seal", "snapshot")]
    assert database.value("SELECT count(*) FROM reason.emission_parked") == 0


def stored(world, uri, version=None):
    """Bytes and metadata of an object, where it says it is."""
    if uri.startswith("file://"):
        path = pathlib.Path(uri.removeprefix("file://"))
        return path.read_bytes(), json.loads(pathlib.Path(f"{path}.meta.json").read_text())
    headers, body = world.s3.object(uri, version)
    return body, {name.lower().removeprefix("x-amz-meta-"): value for name, value in headers.items() if name.lower().startswith("x-amz-meta-")}


def objects(world, uris):
    """Whatever lies beside objects of these: under the names of their store's folder for snapshots, or for the archive."""
    uris = list(uris)
    folder = next(name for name in ("/snapshots/", "/audit/") if name in uris[0])
    root = uris[0][:uris[0].index(folder) + len(folder)]
    if root.startswith("file://"):
        return [f"file://{path}" for path in pathlib.Path(root.removeprefix("file://")).rglob("*") if path.is_file()]
    # by version: this server begins a page with the last of the page before
    found, marker = {}, {}
    while True:
        text = world.s3.call("GET", f"/{BUCKET}", {"versions": "", "prefix": root.removeprefix(f"s3://{BUCKET}/"), **marker})[1].decode()
        page = [part.split("</Version>")[0] for part in text.split("<Version>")[1:]]
        found |= {part.split("<VersionId>")[1].split("</")[0]: f"s3://{BUCKET}/" + part.split("<Key>")[1].split("</")[0] for part in page}
        if "<IsTruncated>true" not in text:
            return list(found.values())
        marker = {"key-marker": text.split("<NextKeyMarker>")[1].split("</")[0], "version-id-marker": text.split("<NextVersionIdMarker>")[1].split("</")[0]}


def with_metadata(uris):
    """A directory holds an object's metadata beside it."""
    return sorted(list(uris) + [f"{uri}.meta.json" for uri in uris if uri.startswith("file://")])


def snapshots(world, accepted):
    """Every accepted one is complete, once, with a valid signature, and the right bytes are in the store, once."""
    database = world.database
    rows = database.rows("SELECT id, status, hash, signer_id, encode(signature, 'base64'), object_uri, object_version FROM reason.snapshot ORDER BY no")
    assert set(accepted) <= {row[0] for row in rows}
    for snapshot, status, digest, signer, signature, uri, version in rows:
        assert status == "complete", (snapshot, status)
        body, metadata = stored(world, uri, version)
        assert hashlib.sha256(body).hexdigest() == digest, snapshot
        told = {"snapshot-id": str(snapshot), "hash": digest, "signer-id": signer, "signature": signature.replace("\n", "")}
        assert {**metadata, **told} == metadata, snapshot
        # the bytes and the signature that are in the store, not those of the database
        assert database.rows("SELECT ok, detail FROM reason.verify_snapshot(%s, %s, %s)", snapshot, body.decode(), metadata["signature"])[0][0], snapshot
    events = database.rows("SELECT payload -> 'snapshot' ->> 'id', count(*) FROM reason.audit_event WHERE event_type = 'snapshot.completed' GROUP BY 1")
    assert sorted(events) == sorted((str(row[0]), 1) for row in rows)
    if rows:
        assert sorted(objects(world, [row[5] for row in rows])) == with_metadata([row[5] for row in rows])
    return len(rows)


def chains(world, accepted):
    """From first to last, without gaps; and every accepted node is in one."""
    database = world.database
    for division, head in database.rows("SELECT * FROM reason.signed_chains()"):
        ok, checked, last, detail = database.rows("SELECT ok, checked, head_seq, detail FROM reason.verify_audit(%s)", division)[0]
        assert ok and (checked, last) == (head + 1, head), (division, checked, last, detail)
    counts = database.rows("SELECT (SELECT count(*) FROM reason.audit_event), (SELECT count(*) FROM reason.audit_seal), "
                           "(SELECT count(*) FROM reason.audit_signature), (SELECT sum(head_seq + 1)::bigint FROM reason.signed_chains())")[0]
    assert len(set(counts)) == 1, counts
    nodes = {row[0] for row in database.rows("SELECT n.id FROM reason.node n JOIN reason.audit_seal s ON s.division = n.division "
                                             "JOIN reason.audit_event e ON e.no = s.event_no AND e.id = n.audit_event_id")}
    assert set(accepted) <= nodes
    return counts[0]


def emissions(world):
    """Kafka holds every event, in order: a consumer that drops repeats has each chain, with the hashes of the database."""
    hashes = {}
    for division, seq, digest in world.database.rows("SELECT division, seq, encode(hash, 'hex') FROM reason.audit_seal"):
        hashes[division, seq] = digest
    expected = {}
    messages = world.broker.messages(world.topic)
    for key, value in messages:
        event = json.loads(value)
        seq = event["seq"]
        assert key == event["division"] and seq <= expected.get(key, 0), f"division {key}: {seq} after {expected.get(key, 0) - 1}"
        assert event["hash"] == hashes[key, seq]
        expected[key] = max(expected.get(key, 0), seq + 1)
    assert expected == heads(world.database)
    return len(messages) - len(hashes)


def archive(world, directory):
    """Its index is whole: segments without gaps, each with its bytes, nothing else in the store, and they verify alone."""
    database = world.database
    columns = "division, first_seq, last_seq, object_uri, object_version, object_hash, contents_uri, contents_version"
    rows = database.rows(f"SELECT {columns} FROM reason.archive_segment ORDER BY division, first_seq")
    listed, files, following = [], [], {}
    for division, first, last, uri, version, digest, contents, contents_version in rows:
        assert first == following.get(division, 0), (division, first)
        following[division] = last + 1
        for number, (where, which) in enumerate(((uri, version), (contents, contents_version))):
            if not where:
                continue
            body, _ = stored(world, where, which)
            listed.append(where)
            files.append(directory / f"{division}-{first:09}-{'2-contents' if number else '1-events'}.jsonl")
            files[-1].write_bytes(body)
            if number == 0:
                assert hashlib.sha256(body).hexdigest() == digest
                lines = [json.loads(line)["seq"] for line in body.decode().splitlines()]
                assert lines == list(range(first, last + 1))
        assert database.rows("SELECT object_uri, object_version, line FROM reason.archived_event(%s, %s)", division, last) == [(uri, version, last - first + 1)]
    assert following == heads(database)
    assert sorted(objects(world, listed)) == with_metadata(listed)
    registry = directory / "signers.json"
    registry.write_text(json.dumps(database.value("SELECT reason.signer_registry()")))
    for division in following:
        verdict = subprocess.run([VERIFY, *sorted(file for file in files if file.name.startswith(f"{division}-"))],
                                 env={**os.environ, "REASON_SIGNERS": str(registry)}, capture_output=True, text=True, check=False)
        assert verdict.returncode == 0, verdict.stdout[-2000:] + verdict.stderr[-2000:]
    for file in files:
        file.unlink()
    return len(rows)


def everything(world, writer, directory):
    """Waits, checks all of it, and says what there is."""
    world.reconnect()
    settle(world)
    return {"snapshots": snapshots(world, writer.snapshots), "events": chains(world, writer.nodes), "repeats in Kafka": emissions(world),
            "segments": archive(world, directory)}
