"""Signing proxy, Vault, AWS KMS, Kubernetes and a collector that answer with anything but what they should.

A signature counts if it is one of the registered key; a Lease is held if the API server says so; spans are exported if the
collector took them. Each answer is given to each kind of request.
"""
import base64
import json
import re
import ssl
import subprocess
import time

import pytest

from counterpart import CHECKPOINT, DIGEST, build_counterpart, signer_file
from hostile import ANSWERS, Hostile
from kubernetes_api import Double, LEASE, NAMESPACE
from otlp import traced_request
from remote_signers import ACCESS, SECRET, proxy
from signer import Key
from wait import wait_for

PATIENCE = 6


@pytest.fixture(scope="module")
def program():
    return build_counterpart()


def vault(key):
    def respond(method, path, headers, body):
        if method == "GET":
            return 200, {"data": {"type": "ed25519", "latest_version": 1, "keys": {"1": {"public_key": base64.b64encode(key.spki[-32:]).decode()}}}}
        return 200, {"data": {"signature": "vault:v1:" + base64.b64encode(key.sign(base64.b64decode(json.loads(body)["input"]))).decode()}}
    return respond


def kms(key):
    def respond(method, path, headers, body):
        ask = json.loads(body)
        if headers["x-amz-target"] == "TrentService.GetPublicKey":
            return 200, {"PublicKey": base64.b64encode(key.spki).decode()}
        return 200, {"Signature": base64.b64encode(key.sign(base64.b64decode(ask["Message"]))).decode()}
    return respond


SIGNERS = {"proxy": (proxy, {}), "vault": (vault, {"key_id": "audit"}), "aws-kms": (kms, {"key_id": "audit"})}


@pytest.mark.parametrize("section, call, signed", [("signer", "sign", DIGEST), ("checkpoint", "sign-message", CHECKPOINT)],
                         ids=["digest", "message"])
@pytest.mark.parametrize("kind", SIGNERS)
def test_only_a_signature_of_the_key_counts(program, tmp_path, kind, section, call, signed):
    key = Key(tmp_path)
    respond, settings = SIGNERS[kind]
    honest = respond(key)

    def behind(method, path, headers, body):
        status, document = honest(method, path, headers, body)
        return status, [("Content-Type", "application/json")], json.dumps(document).encode()

    # KMS asks for the key with POST, too: the first request of a call is for the key
    requests = []
    hostile = Hostile(behind, lambda method, path, query: requests.append(method) or ("key" if len(requests) == 1 else "sign"))
    (tmp_path / "token").write_text("s.token-1\n")
    (tmp_path / "credentials").write_text(f"aws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n")
    signer = {"id": "remote-1", "type": kind, "url": hostile.url, "token_file": tmp_path / "token", "credentials_file": tmp_path / "credentials",
              "timeout_ms": 400, **settings}
    path = tmp_path / "signer.conf"
    path.write_text(signer_file(section, signer))
    (tmp_path / "signed").write_bytes(signed)
    true = key.sign(signed).hex()

    def sign():
        requests.clear()
        began = time.monotonic()
        ended = subprocess.run([program, path, call, tmp_path / "signed"], capture_output=True, text=True, timeout=30, check=True,
                               env={"ASAN_OPTIONS": "detect_leaks=0"})
        assert time.monotonic() - began < PATIENCE
        return ended.stdout.split()

    try:
        assert sign() == [true, "ok"]
        wrong = []
        for what in ("key", "sign"):
            for answer in set(ANSWERS) - {"no checksum"}:
                hostile.spoil(answer, what)
                said = sign()
                hostile.be_sane()
                if said != ["failed"] and (said != [true, "ok"] or (what, answer) != ("key", "wrong checksum")):
                    wrong.append((what, answer, said))
        assert wrong == []
        assert sign() == [true, "ok"]
    finally:
        hostile.close()


def test_a_signer_that_answers_anything_signs_nothing_until_it_is_sane(database, sidecars, settings, tmp_path):
    key = Key(tmp_path)
    honest = proxy(key)

    def behind(method, path, headers, body):
        status, document = honest(method, path, headers, body)
        return status, [("Content-Type", "application/json")], json.dumps(document).encode()
    hostile = Hostile(behind)
    try:
        database.value("SELECT reason.add_signer('remote-1', %s)", base64.b64encode(key.spki).decode())
        (tmp_path / "token").write_text("s.token-1\n")
        one = sidecars({**settings, "signer": {"id": "remote-1", "type": "proxy", "url": hostile.url, "token_file": tmp_path / "token",
                                               "timeout_ms": 500}}).start()
        for answer in ("html", "wrong checksum", "truncated", "drip"):
            hostile.spoil(answer)
            snapshot = database.snapshot(database.node())
            wait_for(lambda: hostile.count > 0, 20, f"a request that is answered with {answer}")
            wait_for(lambda: one.get("/ready")[0] == 503, 10, "the end of readiness")
            assert database.status(snapshot) == "pending" and database.waiting() > 0
            hostile.be_sane()
            database.completed(snapshot, 30)
            database.settled(30)
        assert database.verified()
    finally:
        hostile.close()


def test_a_lease_is_held_only_if_the_api_server_says_so(database, sidecars, settings, tmp_path):
    (tmp_path / "double").mkdir()
    double = Double(tmp_path / "double")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "double" / "server.crt", tmp_path / "double" / "server.key")

    def behind(method, path, headers, body):
        import http.client
        connection = http.client.HTTPSConnection("127.0.0.1", double.port, context=ssl.create_default_context(cafile=double.ca), timeout=10)
        connection.request(method, path, body or None, {"Authorization": headers["Authorization"], "Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, [("Content-Type", "application/json")], answer.read()
    hostile = Hostile(behind, tls=context)
    try:
        (tmp_path / "token").write_text(double.token())
        hostile.spoil("html")
        one = sidecars({**settings, "kubernetes": {"lease": LEASE, "namespace": NAMESPACE, "token_file": tmp_path / "token", "ca_file": double.ca,
                                                   "lease_s": 3, "url": hostile.url}}).start(False)
        wait_for(lambda: one.get("/health")[0] == 200, 10)
        # what comes to the API server, and is spoilt only then, may well hold
        never_there = ("html", "html and no such page", "nothing", "an error in JSON", "an empty object", "a list", "a redirect", "a compressed page", "echo")
        for method, answers in (("GET", (*never_there, "truncated", "cut", "compressed")), ("POST", never_there)):
            for answer in answers:
                hostile.spoil(answer, method)
                wait_for(lambda: hostile.count > 1, 10, f"a {method} that is answered with {answer}")
                assert one.metric("reason_sidecar_kubernetes_lease") == 0, (method, answer)
                assert double.stored is None, (method, answer)
        hostile.be_sane()
        wait_for(lambda: one.metric("reason_sidecar_kubernetes_lease") == 1, 10, "holding the Lease")
        assert double.holder()
        for answer in ("echo", "html"):
            hostile.spoil(answer, "PUT")
            wait_for(lambda: one.metric("reason_sidecar_kubernetes_lease") == 0, 10, f"the end of a Lease whose renewal is answered with {answer}")
            hostile.be_sane()
            wait_for(lambda: one.metric("reason_sidecar_kubernetes_lease") == 1, 10, "holding the Lease again")
    finally:
        hostile.close()
        double.stop()


def test_spans_count_as_exported_only_if_a_collector_took_them(database, sidecars, settings):
    hostile = Hostile(lambda method, path, headers, body: (200, [("Content-Type", "application/json")], b'{"partialSuccess":{}}'))
    try:
        database.value("SELECT reason.set_client('tracer', 'writer')")
        one = sidecars({**settings, "tracing": {"endpoint": hostile.url, "timeout_ms": 500}}).start()

        def traced():
            traced_request(database, "http_post_node", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                           {"type": "observation", "payload": {}, "author": "tester"})

        for answer in ("html", "nothing", "a list", "truncated", "compressed", "too much", "a redirect"):
            hostile.spoil(answer)
            traced()
            wait_for(lambda: hostile.count > 0, 10, f"spans that are answered with {answer}")
        time.sleep(0.2)
        assert one.metric("reason_sidecar_spans_exported_total") == 0
        hostile.be_sane()
        traced()
        wait_for(lambda: one.metric("reason_sidecar_spans_exported_total") > 0, 20, "exporting")
        assert re.search("is no collector", one.log())
    finally:
        hostile.close()
