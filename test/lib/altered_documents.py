"""Documents of pending snapshots that are changed before they are signed."""

import hashlib
import json

from attacks import superuser


def replace_document(database, snapshot, change):
    """Bytes, hash, size and counts, all of one piece; what is `outside` of the payload stands in it meanwhile."""
    document = json.loads(database.value("SELECT reason.snapshot_document(%s)", snapshot))
    change(document["payload"])
    document |= document["payload"].pop("outside", {})
    text = database.value("SELECT reason.canonical_json(%s::json)", json.dumps(document)).encode()
    with superuser(database) as connection:
        connection.execute("UPDATE reason.snapshot_chunk c SET bytes = %s FROM reason.snapshot s WHERE s.id = %s AND c.snapshot_no = s.no", (text, snapshot))
        connection.execute("UPDATE reason.snapshot SET hash = %s, size_bytes = %s, node_count = %s, edge_count = %s WHERE id = %s",
                           (hashlib.sha256(text).hexdigest(), len(text), len(document["payload"]["nodes"]), len(document["payload"]["edges"]), snapshot))


def without(identifier):
    """An observation is left out, with its edge: the rest holds together."""
    def change(payload):
        payload["nodes"] = [node for node in payload["nodes"] if node["id"] != identifier]
        payload["edges"] = [edge for edge in payload["edges"] if edge["from"] != identifier]
    return change


def with_another(identifier, member):
    def change(payload):
        node = next(node for node in payload["nodes"] if node["id"] == identifier)
        node[member] = {"text": "the sun shines"} if member == "payload" else "somebody else"
    return change


ERASED = {"at": "2026-01-01T00:00:00.000000Z", "by": "ada", "reason": "asked for"}


def with_members(identifier, members, **payload_members):
    """The first record of a kind, or the node of this id, with these members in place of its own; without its salt where that is None."""
    def change(payload):
        record = payload[identifier][0] if identifier in payload else next(node for node in payload["nodes"] if node["id"] == identifier)
        record |= members
        if members.get("salt", "") is None:
            del record["salt"]
        payload |= payload_members
    return change


def masked(identifier, members):
    """As if personal data were left out of the whole document."""
    def change(payload):
        for record in payload["nodes"] + payload["annotations"]:
            del record["salt"]
        with_members(identifier, members, pii_included=False)(payload)
    return change


def thinned(identifier, log, **members):
    """An observation is left out, and what would tell that it was there."""
    def change(payload):
        without(identifier)(payload)
        del payload["log"]
        payload |= members | ({"log": log} if log else {})
    return change


NO_EVENTS = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


def with_one_more(payload):
    """A record that nobody has written."""
    node = {**payload["nodes"][0], "id": "00000000-0000-4000-8000-000000000001"}
    edge = {**payload["edges"][0], "id": "00000000-0000-4000-8000-000000000002", "from": node["id"]}
    payload["nodes"].insert(0, node)
    payload["edges"].insert(0, edge)


def cut_at(identifier):
    """The same, and the document says that the walk stopped there."""
    def change(payload):
        without(identifier)(payload)
        payload["frontier"] = [payload["edges"][0]["to"]]
    return change


def without_notes(payload):
    payload["annotations"] = []


def without_ends(identifier):
    """An observation is left out, and its edge is not."""
    def change(payload):
        payload["nodes"] = [node for node in payload["nodes"] if node["id"] != identifier]
    return change


def of_before(database):
    """What the log was before the observation was linked to the decision."""
    size = database.value("SELECT min(s.seq) FROM reason.audit_seal s JOIN reason.audit_event e ON e.no = s.event_no WHERE e.event_type = 'edge.created'")

    def change(payload):
        root = max(payload["edges"], key=lambda edge: edge["id"])["to"]
        payload["nodes"] = [node for node in payload["nodes"] if node["id"] == root]
        payload["edges"] = []
        payload["annotations"] = []
        payload["log"] |= {"size": size, "root": database.value("SELECT translate(encode(reason.tree_root('default', %s), 'base64'), E'\n', '')", size)}
    return change


def forgeries(first, origin):
    """Documents that say that something in them was redacted, erased, or frozen when there was less."""
    early = "2001-01-01T00:00:00.000000Z"
    mark = {"redacted": True, "author": "[redacted:email]"}
    return {
        "a type, redacted": masked(first, mark | {"type": "decision"}), "an author, redacted": masked(first, {"redacted": True, "author": "somebody at [redacted:email]"}), "a mark alone": masked(first, {"redacted": True, "type": "decision"}),
        "an edge, redacted": masked("edges", {"redacted": True, "type": "contradicts", "metadata": {"by": "[redacted:email]"}}),
        "metadata, redacted": masked(first, {"redacted": True, "metadata": {"tags": ["[redacted:email]"]}}),
        "a payload, redacted": masked(first, {"payload": {"text": "the sun shines on [redacted:email]"}}), "a payload, masked": masked(first, {"payload": {"text": "the sun shines"}}),
        "erased with a payload": with_members(first, {"erased": ERASED, "payload": "invented", "salt": None}), "erased and there": with_members(first, {"erased": ERASED, "payload": None, "salt": None}),
        "a payload without salt": with_members(first, {"salt": None}), "another salt": with_members(first, {"salt": "AAAAAAAAAAAAAAAAAAAAAA=="}), "one member more": with_members(first, {"erased at": "never"}),
        "an event": lambda payload: payload.update(outside={"division": "forged", "eventType": "node.created", "node": {"id": "00000000-0000-4000-8000-000000000001"}, "ts": early}),
        "no log": thinned(first, log=None), "a log without events": thinned(first, log={"origin": origin, "size": 0, "root": NO_EVENTS}, outside={"created_at": early}),
        "another form of time": thinned(first, log={"origin": origin, "size": 0, "root": NO_EVENTS}, outside={"created_at": "2001-01-01T00:00:00Z"})}
