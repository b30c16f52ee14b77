"""Who may do what: certificates, roles, divisions."""

import json
import http.client
import ssl
import subprocess
import uuid

import pytest


def test_a_reader_reads_and_writes_nothing(reader, refused, counts, new_node):
    node = new_node()
    assert reader.get(f"/reason/node/{node}")["node"]["id"] == node
    before = counts()
    for path, body in (("/reason/node", {"type": "score", "author": "a", "payload": 1}),
                       ("/reason/edge", {"from": node, "to": node, "type": "causal"}),
                       ("/nodes", {"nodes": [{"type": "score", "actor": "a", "payload": 1}]}),
                       ("/edges", {"edges": [{"from": node, "to": node, "type": "causal"}]}),
                       (f"/reason/annotate/{node}", {"note": "x"}),
                       ("/reason/snapshot", {"rootNodeIds": [node]})):
        status, error = refused(reader.post, path, body)
        assert (status, error["code"]) == (403, "REASONING_GRAPH_FORBIDDEN"), path
    assert counts() == before


def test_without_a_certificate_nothing_is_answered(stack):
    context = ssl.create_default_context(cafile=stack.env["REASON_CA"])
    port = int(stack.env["REASON_URL"].rsplit(":", 1)[1])
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
    try:
        connection.request("GET", "/reason/signers")
        response = connection.getresponse()
    except (ssl.SSLError, ConnectionError):
        return
    assert response.status == 401
    assert b"REASONING_GRAPH_AUTH" in response.read()


def test_a_certificate_that_no_client_is_registered_for_is_forbidden(stack, refused):
    stack.certificate("stranger")
    status, error = refused(stack.client("stranger").get, "/reason/signers")
    assert (status, error["code"]) == (403, "REASONING_GRAPH_FORBIDDEN")


def test_a_disabled_client_is_forbidden(stack, refused, database):
    stack.certificate("leaver")
    database.execute("SELECT reason.set_client('leaver', 'reader')")
    leaver = stack.client("leaver")
    leaver.get("/reason/signers")
    database.execute("SELECT reason.set_client('leaver', 'reader', enabled => false)")
    assert refused(leaver.get, "/reason/signers")[0] == 403


def test_another_divisions_nodes_do_not_exist(kernel, reader, refused, new_node):
    node = new_node(division="tenant-a")
    assert kernel.get(f"/reason/node/{node}")["node"]["division"] == "tenant-a"
    for path in (f"/reason/node/{node}", f"/reason/trace/{node}", f"/reason/traces/{node}", f"/reason/{node}", f"/reason/node/{node}/explain",
                 f"/reason/node/{node}/impact"):
        status, error = refused(reader.get, path)
        assert (status, error["code"]) == (404, "REASONING_GRAPH_NOT_FOUND"), path


def test_an_edge_never_leaves_its_division(refused, kernel, new_node):
    here, there = new_node(), new_node(division="tenant-a")
    status, _ = refused(kernel.post, "/reason/edge", {"from": here, "to": there, "type": "causal"})
    assert status == 404


@pytest.mark.parametrize("header", ["X-SSL-Client-CN", "X-Client-Cert", "X-Forwarded-Client-Cert"])
def test_headers_that_claim_an_identity_are_ignored(reader, refused, header):
    status, _ = refused(reader.call, "POST", "/reason/node", {"type": "score", "author": "a", "payload": 1}, {header: "CN=kernel"})
    assert status == 403


def test_a_reader_sees_no_personal_data(kernel, reader, new_node):
    node = new_node(payload={"email": "ada@example.org", "text": "call +44 20 7946 0958 or mail ada@example.org", "n": 3})
    assert kernel.get(f"/reason/node/{node}")["node"]["payload"]["email"] == "ada@example.org"
    seen = reader.get(f"/reason/node/{node}")["node"]["payload"]
    assert seen == {"email": "[redacted:email]", "text": "call [redacted:phone] or mail [redacted:email]", "n": 3}
    trace = reader.get(f"/reason/trace/{node}")
    assert trace["steps"][0]["node"]["payload"] == seen


def test_a_reader_sees_none_beside_payloads_either(kernel, reader):
    node = kernel.post("/reason/node", {"type": "score", "author": "ada@example.org", "payload": {"ada@example.org": 1}, "metadata": {"tags": ["(030) 123-4567", "blue"]},
                                        "payloadRef": {"uri": "https://example.org/?u=ada%40example.org", "sha256": "0" * 64, "size": 1}})["nodeId"]
    kernel.post(f"/reason/annotate/{node}", {"note": "SSN 078-05-1120", "author": "bob@example.org"})
    snapshot = kernel.post("/reason/snapshot", {"rootNodeIds": [node], "description": "for ada@example.org"})["snapshotId"]
    answers = [reader.get(f"/reason/node/{node}"), reader.get(f"/reason/trace/{node}"), reader.get(f"/reason/traces/{node}"), reader.get(f"/reason/{node}"),
               reader.get(f"/reason/node/{node}/explain"), reader.get(f"/reason/node/{node}/impact"), reader.get(f"/reason/snapshot/{snapshot}"), reader.get(f"/reason/export/{node}?format=json"),
               reader.post("/reason/query", {"filters": {"types": ["score"]}})]
    for answer in answers:
        text = json.dumps(answer)
        assert not any(secret in text for secret in ("ada@", "bob@", "ada%40", "123-4567", "078-05")), text
    shown = answers[0]["node"]
    assert shown["author"] == "[redacted:email]" and shown["metadata"]["tags"] == ["[redacted:phone]", "blue"]
    assert kernel.get(f"/reason/node/{node}")["node"]["author"] == "ada@example.org"


def own_certificate(stack, name, subject, uri=None):
    """A client certificate of the stack's authority with any subject."""
    tls = stack.run_dir / "tls"
    extensions = "extendedKeyUsage=clientAuth\n" + (f"subjectAltName=URI:{uri}\n" if uri else "")
    (tls / f"{name}.ext").write_text(extensions)
    for command in (["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
                     "-subj", subject, "-out", f"{name}.csr"],
                    ["openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1",
                     "-extfile", f"{name}.ext", "-out", f"{name}.crt"]):
        subprocess.run(command, cwd=tls, check=True, capture_output=True)
    return stack.client(name)


# No subject at all, as SPIRE issues them; one without a common name; two common names.
@pytest.mark.parametrize("subject", ["/", "/C=US/O=SPIRE", "/CN=kernel/CN=spiffed"])
def test_without_one_common_name_the_uri_says_who_it_is(stack, database, refused, subject):
    uri = f"spiffe://reason.test/ns/prod/sa/{uuid.uuid4()}"
    client = own_certificate(stack, "spiffed", subject, uri)
    status, error = refused(client.get, "/reason/signers")
    assert (status, error["error"]) == (403, "the certificate belongs to no client of this service")
    database.execute("SELECT reason.set_client('spiffed', 'reader', san_uri => %s)", (uri,))
    assert client.get("/reason/signers")["signers"]
    assert refused(client.post, "/reason/node", {"type": "score", "author": "a", "payload": 1})[0] == 403
    # of two clients nobody knows which it is
    database.execute("SELECT reason.set_client('spiffed too', 'admin', san_uri => %s)", (uri,))
    assert refused(client.get, "/reason/signers")[0] == 403
    database.execute("SELECT reason.set_client('spiffed too', 'admin', san_uri => %s, enabled => false)", (uri,))
    assert client.get("/reason/signers")["signers"]


@pytest.mark.parametrize("subject", ["/", "/O=nobody", "/CN=kernel/CN=reader"])
def test_a_certificate_that_names_nobody_is_told_so(stack, refused, subject):
    status, error = refused(own_certificate(stack, "nobody", subject).get, "/reason/signers")
    assert (status, error["code"], error["error"]) == (401, "REASONING_GRAPH_AUTH", "the client certificate names nobody")


def test_a_uri_is_no_common_name_and_needs_both_where_both_are_asked(stack, database, refused):
    database.execute("SELECT reason.set_client('both', 'reader', san_uri => 'spiffe://reason.test/both')")
    assert own_certificate(stack, "both", "/CN=both", "spiffe://reason.test/both").get("/reason/signers")["signers"]
    assert refused(own_certificate(stack, "both", "/CN=both", "spiffe://reason.test/other").get, "/reason/signers")[0] == 403
    assert refused(own_certificate(stack, "both", "/CN=other", "spiffe://reason.test/both").get, "/reason/signers")[0] == 403
    # a client without a URI is not to be had by a certificate without a name
    assert refused(own_certificate(stack, "both", "/", "kernel").get, "/reason/signers")[0] == 403
