"""How each function that changes state is called, in several shapes: for tests that call them all."""
import base64
import hashlib
import json

from approvals import APPROVERS
from signer import Signer

A, B, C, D, E, LATE = (f"00000000-0000-7000-8000-00000000000{n}" for n in range(1, 7))
NOTE, POLICY, TRACE = "11111111-1111-7111-8111-111111111111", "22222222-2222-7222-8222-222222222222", "00-" + "1" * 32 + "-" + "2" * 16 + "-01"

OTHER_KEY = Signer("another", b"a").public.raw.hex()


def key_of(name):
    return Signer(name, name.encode()).public.raw.hex()


CALLER = "client_cn => 'kernel', client_issuer => 'CN=ca', client_san => 'spiffe://k', request_id => '@shape@', traceparent => '%s'" % TRACE
UNASKED = "policy_status => NULL, policy_answer => NULL"


def answer(decision):
    """Of the policy service, as the gateway hands it in."""
    said = json.dumps({"decision": decision, "reason": "r", "rationale": {"why": "so"}, "policy_id": "p-1", "policy_version": "7"})
    return f"policy_status => '200', policy_answer => encode(convert_to('{said}', 'UTF8'), 'base64')"


def snapshot_to_import(number, **arguments):
    """The arguments of import_snapshot() for a document of one node and a remark, of another database, signed by signer "third"."""
    def canonical(value):
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    record = {"author": "ada", "createdAt": "2021-01-01T00:00:00.000000Z", "division": "elsewhere", "metadata": {},
              "payloadHash": hashlib.sha256(bytes(16) + b"5").hexdigest()}
    content = {"payload": 5, "salt": base64.b64encode(bytes(16)).decode()}
    node = {**record, "id": A, "type": "score"}
    digest = hashlib.sha256(canonical(node).encode()).hexdigest()
    remark = {**record, "id": B, "type": "note", "target": A, "targetDigest": digest}
    remark |= {"digest": hashlib.sha256(canonical(remark).encode()).hexdigest(), **content}
    node |= {"digest": digest, **content}
    document = canonical({"created_at": "2021-01-02T00:00:00.000000Z", "id": f"66666666-6666-7666-8666-66666666666{number}", "reasoning_graph_version": "0.1.0",
                          "root_ids": [A], "payload": {"annotations": [remark], "audience": "internal", "depth": 10, "description": None, "direction": "ancestors", "edges": [],
                                                       "frontier": [], "nodes": [node], "pii_included": True}})
    signature = base64.b64encode(Signer("third", b"third").sign(hashlib.sha256(document.encode()).digest())).decode()
    return ", ".join(f"{name} => '{value}'" for name, value in {"document": document, "signature": signature, "signer_id": "third", **arguments}.items())


# How a function is called: the arguments of each call, by name. @shape@ is the place of the call.
BEFORE = {
    "set_client": ["name => 'plain', role => 'reader'",
                   "name => 'kernel', role => 'writer', divisions => '{*}', pii => true, issuer => 'CN=ca', san_uri => 'spiffe://k', enabled => true",
                   "name => 'plain', role => 'auditor', divisions => '{default,other}', enabled => false"],
    "set_quota": ["client => 'kernel', nodes_per_day => 1000", "client => 'kernel', division => 'other', nodes_per_day => 9007199254740991, edges_per_day => 0",
                  "client => 'kernel', division => 'gone', edges_per_day => 1", "client => 'kernel', division => 'gone'"],
    "grant_division": ["grantee => 'reason_reader', division => 'other'", "grantee => 'reason_writer', division => '*'"],
    "revoke_division": ["grantee => 'reason_writer', division => '*'", "grantee => 'reason_auditor', division => 'system'"],
    "set_pii_rule": ["name => 'staff', category => 'staff', pattern => '\\mS-\\d+\\M'", "name => 'desk', category => 'place', member => '^desk$'",
                     "name => 'gone', category => 'x', member => 'x'",
                     "name => 'email', matcher => 'email', except_pattern => 'example', enabled => false, description => 'tuned'"],
    "drop_pii_rule": ["name => 'gone'"],
    # For divisions of which nothing is archived: a directory cannot lock.
    "set_archive_rule": ["division => 'held', retain_days => 30", "division => 'held', retain_days => 31, legal_hold => true",
                         "division => 'kept', retain_days => 36500"],
    "set_policy_rule": ["name => 'asks', actions => '{node.create,edge.create,annotation.create}', division_pattern => 'asked'",
                        "name => 'narrow', actions => '{node.create}', types => '{decision}', division_pattern => 'never.*',"
                        " path => '$.payload.x ? (@ > 1)', on_silence => 'allow', enabled => false"],
    "set_log_prefix": ["prefix => 'log.example.org/reason'"],
    "add_signer": [f"signer_id => 'second', public_key => '{key_of('second')}'",
                   f"signer_id => 'third', public_key => '{key_of('third')}', valid_from => '2020-01-01', valid_to => '2040-01-01'",
                   f"signer_id => 'fourth', public_key => '{key_of('fourth')}', valid_from => '2020-01-01'",
                   # A key has one purpose: those of RFC 8032, section 7.1
                   "signer_id => 'checkpoints', purpose => 'checkpoints',"
                   " public_key => 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'",
                   "signer_id => 'witness.example/w', purpose => 'witness',"
                   " public_key => '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c'"],
    "import_snapshot": [snapshot_to_import(1), snapshot_to_import(2, registry=json.dumps({"signers": [{
        "signerId": "third", "algorithm": "ed25519", "publicKey": key_of("third"), "status": "active", "validFrom": "2020-01-01T00:00:00Z", "validTo": None}]}))],
    "retire_signer": ["signer_id => 'second'"],
    "revoke_signer": ["signer_id => 'third', reason => 'lost', at => '2024-02-29 12:00+01'", "signer_id => 'fourth', reason => 'lost'"],
    "add_approver": [f"approver_id => 'ada', public_key => '{APPROVERS['ada'].public.raw.hex()}'",
                     f"approver_id => 'bob', public_key => '{APPROVERS['bob'].public.raw.hex()}', valid_from => '2020-01-01', valid_to => '2040-01-01'",
                     f"approver_id => 'eve', public_key => '{APPROVERS['eve'].public.raw.hex()}'"],
    "retire_approver": ["approver_id => 'eve'"],
    "propose": ["change => 'revoke_signer', arguments => '{\"signer_id\": \"second\", \"reason\": \"lost\"}', valid_for => '1 day'"],
    # After the approvers, who cannot be changed by one alone from then on.
    "set_approval_threshold": ["kind => 'approval', threshold => 1"],
    "leave_safe_mode": ["reason => 'a test'"],
    "add_node": [f"type => 'observation', payload => '{{\"n\": 1e-7, \"é\": \"\\u2028\"}}', author => 'ada', id => '{A}'",
                 f"type => 'decision', payload => 'null', author => 'ada', division => 'default', metadata => '{{\"confidence\": 0.5}}', id => '{B}',"
                 " ts => '2026-01-02 03:04:05.678901', version => '2', manifest_signature_id => 'm', payload_ref => '{\"uri\": \"s3://b/k\"}',"
                 " audit_event_id => '33333333-3333-7333-8333-333333333333'",
                 f"type => 'score', payload => '5', author => 'bob', division => 'other', id => '{C}'",
                 f"type => 'score', payload => '5', author => 'bob', division => 'away'", f"type => 'score', payload => '5', author => 'bob', division => 'back'",
                 # The id of a node of another division.
                 f"type => 'score', payload => '6', author => 'bob', division => 'other', id => '{A}'",
                 f"type => 'decision', payload => '\"late\"', author => 'ada', id => '{LATE}'"],
    "add_nodes": [f"nodes => '{{\"nodes\": [{{\"id\": \"{D}\", \"type\": \"ACTION\", \"actor\": \"eval\", \"ts\": \"2026-01-01T00:00:00Z\", \"payload\": []}},"
                  " {\"type\": \"action\", \"author\": \"eval\", \"payload\": {\"a\": [1, 2.5]}}]}'"],
    "add_edge": [f"from_node => '{A}', to_node => '{B}', type => 'causal', division => 'default'",
                 f"from_node => '{B}', to_node => '{D}', type => 'supports', weight => 0.1, metadata => '{{\"why\": \"so\"}}',"
                 " id => '44444444-4444-7444-8444-444444444444', division => 'default', audit_event_id => '55555555-5555-7555-8555-555555555555'",
                 f"from_node => '{D}', to_node => '{A}', type => 'corrects', weight => -1e300, division => 'default'"],
    "add_edges": [f"edges => '{{\"edges\": [{{\"from\": \"{B}\", \"to\": \"{LATE}\", \"type\": \"derivedFrom\"}}]}}'"],
    "annotate": [f"node => '{B}', note => 'a remark'",
                 f"node => '{C}', payload => '{{\"stars\": 5}}', author => 'eve', type => 'rating', metadata => '{{\"a\": 1}}', division => 'other'"],
    "http_post_node": [f"{CALLER}, request_body => '{{\"type\": \"observation\", \"author\": \"k\", \"payload\": {{\"x\": 1}}}}', idempotency_key => 'k1', {UNASKED}, path_division => 'default'",
                       f"{CALLER}, request_body => '{{\"id\": \"{E}\", \"type\": \"decision\", \"author\": \"k\", \"division\": \"asked\", \"payload\": 1}}',"
                       f" idempotency_key => NULL, {answer('quarantine')}",
                       f"{CALLER}, request_body => '{{\"type\": \"decision\", \"author\": \"k\", \"division\": \"asked\", \"payload\": 2}}',"
                       f" idempotency_key => NULL, {answer('deny')}",
                       f"{CALLER}, request_body => '{{\"id\": \"{POLICY}\", \"type\": \"decision\", \"author\": \"k\", \"division\": \"asked\", \"payload\": 3}}',"
                       f" idempotency_key => NULL, {answer('allow')}"],
    "http_post_nodes": [f"{CALLER}, request_body => '{{\"nodes\": [{{\"type\": \"score\", \"author\": \"k\", \"payload\": 1}}]}}', idempotency_key => 'k2', {UNASKED}, path_division => 'default'"],
    "http_post_edge": [f"{CALLER}, request_body => '{{\"from\": \"{A}\", \"to\": \"{D}\", \"type\": \"causal\", \"division\": \"default\"}}', idempotency_key => 'k3', {UNASKED}, path_division => 'default'",
                       f"{CALLER}, request_body => '{{\"from\": \"{POLICY}\", \"to\": \"{E}\", \"type\": \"causal\", \"division\": \"asked\"}}', idempotency_key => NULL,"
                       f" {answer('quarantine')}"],
    "http_post_edges": [f"{CALLER}, request_body => '{{\"edges\": [{{\"from\": \"{D}\", \"to\": \"{LATE}\", \"type\": \"influencedBy\"}}]}}', idempotency_key => 'k4', {UNASKED}, path_division => 'default'"],
    "http_post_annotation": [f"{CALLER}, target => '{LATE}', request_body => '{{\"note\": \"seen\"}}', idempotency_key => 'k5', {UNASKED}, path_division => 'default'"],
    "http_post_snapshot": [f"{CALLER}, request_body => '{{\"rootNodeIds\": [\"{LATE}\"]}}', prefer => 'wait=0', idempotency_key => 'k6', path_division => 'default'"],
    "create_snapshot": [f"roots => '{{{LATE}}}'",
                        f"roots => '{{{B},{LATE}}}', depth => 3, direction => 'descendants', audience => 'auditors', description => 'd',"
                        " include_annotations => true, manifest_signature_id => 'm', request_id => 'r', include_pii => true, division => 'default'"],
    "release_quarantine": [f"record => '{E}', reason => 'harmless', division => 'asked'"],
    "expire_idempotency_keys": ["older_than => '1 day'"],
    "build_adjacency_cache": [""],
    "adjacency_cache_status": [""],
    "trace_statistics": [""],
}


def head_of(division):
    return ", ".join(f"{column} => (SELECT h.{column} FROM reason.division_head('{division}') h)" for column in ("head_seq", "head_hash"))


# Once snapshots are complete and everything is archived.
AFTER = {
    "erase_payload": [f"node => '{B}', reason => 'asked for'", f"node => '{A}', reason => 'asked for', division => 'other'"],
    "erase_annotation": ["annotation => (SELECT id FROM reason.annotation WHERE author = 'eve'), reason => 'asked for'",
                         "annotation => (SELECT id FROM reason.annotation WHERE author = 'postgres' LIMIT 1), reason => 'asked for', division => 'default'"],
    "freeze_division": ["division => 'away', reason => 'moves'", "division => 'resting', reason => 'moves', origins => '{log.example.org/elsewhere/resting}'", "division => 'back', reason => 'moves'"],
    "await_frozen": ["division => 'away', at_most => '10 seconds'", "division => 'back'"],
    "move_division": [f"division => '{d}', cell => 'cell_b', {head_of(d)}" for d in ("away", "back")],
    "thaw_division": [f"division => 'back', reason => 'it came back', {head_of('back')}"],
    "mend_chain": ["division => 'damaged', reason => 'a bad disk'"],
}
