"""Real certificates, good and bad: chain, validity, purpose, revocation, rotation, and that no session carries an identity over."""

import http.client
import json
import shutil
import ssl
import subprocess
import threading
import time

import pytest

from authority import SERVER, Authority
from wait import wait_for

FILES = ("ca.crt", "server.crt", "server.key")


@pytest.fixture(scope="module")
def authority(stack, tmp_path_factory):
    """The gateway trusts an authority of these tests, and nobody else, until they are done."""
    kept = {name: (stack.run / "tls" / name).read_bytes() for name in FILES}
    root = Authority(tmp_path_factory.mktemp("root"), "root")
    certificate, key = root.issue("server", "localhost", SERVER)
    for name, source in zip(FILES, (root.directory / "ca.crt", certificate, key)):
        shutil.copyfile(source, stack.run / "tls" / name)
    stack.reload()
    yield root
    for name, content in kept.items():
        (stack.run / "tls" / name).write_bytes(content)
    stack.reload()


@pytest.fixture
def revocation(stack):
    """Puts a list of revoked certificates in place, as an operator does."""
    directory = stack.run / "gateway/revocation"

    def install(text):
        directory.mkdir(exist_ok=True)
        (stack.run / "tls/crl.pem").write_text(text)
        (directory / "crl.conf").write_text((stack.template("revocation/crl.conf.in")))
        stack.reload()

    yield install
    shutil.rmtree(directory)
    stack.reload()


def context(stack, certificate, key):
    made = ssl.create_default_context(cafile=stack.run / "tls/ca.crt")
    made.load_cert_chain(certificate, key)
    return made


def connect(stack, pair):
    return http.client.HTTPSConnection("localhost", stack.port, context=context(stack, *pair), timeout=20)


def ask(connection):
    connection.request("GET", "/echo/x")
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def is_refused(stack, pair):
    try:
        status, body = ask(connect(stack, pair))
    except (ssl.SSLError, ConnectionError):
        return True
    assert status == 200 or (status, body["code"]) == (401, "REASONING_GRAPH_AUTH")
    return status != 200


def name_of(stack, pair):
    status, body = ask(connect(stack, pair))
    assert status == 200, body
    return body["cn"]


def test_a_certificate_of_an_authority_below_needs_its_chain(stack, authority, tmp_path):
    below = Authority(tmp_path / "below", "below", authority)
    certificate, key = below.issue("client", "deep")
    assert is_refused(stack, (certificate, key))
    chain = tmp_path / "chain.crt"
    chain.write_bytes(certificate.read_bytes() + (below.directory / "ca.crt").read_bytes())
    assert name_of(stack, (chain, key)) == "deep"
    status, seen = ask(connect(stack, (chain, key)))
    assert (status, seen["issuer"]) == (200, "CN=below,O=tests")


def test_a_chain_longer_than_allowed_is_refused(stack, authority, tmp_path):
    """ssl_verify_depth 2: one authority between the root and the client."""
    first = Authority(tmp_path / "first", "first", authority)
    second = Authority(tmp_path / "second", "second", first)
    third = Authority(tmp_path / "third", "third", second)
    certificate, key = third.issue("client", "too deep")
    chain = tmp_path / "chain.crt"
    chain.write_bytes(b"".join(path.read_bytes() for path in (certificate, *(a.directory / "ca.crt" for a in (third, second, first)))))
    assert is_refused(stack, (chain, key))


@pytest.mark.parametrize(("start", "end"), [("20200101000000Z", "20200201000000Z"), ("20600101000000Z", "20600201000000Z")])
def test_a_certificate_counts_only_in_its_time(stack, authority, start, end):
    assert is_refused(stack, authority.issue("untimely", "kernel", start=start, end=end))
    assert name_of(stack, authority.issue("timely", "kernel")) == "kernel"


@pytest.mark.parametrize("which", ["none", "expired"])
def test_a_browser_without_a_valid_certificate_is_told_what_to_do(stack, authority, which):
    made = ssl.create_default_context(cafile=stack.run / "tls/ca.crt")
    if which == "expired":
        made.load_cert_chain(*authority.issue("expired", "kernel", start="20200101000000Z", end="20200201000000Z"))
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    for path, accept, is_page in (("/ui/", browser, True), ("/ui", browser, True), ("/ui/explorer.js", "*/*", False), ("/ui/", "application/json", False), ("/ui/", None, False),
                                  ("/uix", browser, False), ("/echo/x", browser, False)):
        connection = http.client.HTTPSConnection("localhost", stack.port, context=made, timeout=20)
        connection.request("GET", path, headers={"Accept": accept} if accept else {})
        response = connection.getresponse()
        body = response.read()
        assert response.status == 401 and response.headers["X-Request-Id"] and response.headers["Cache-Control"] == "no-store", path
        assert (response.headers["Content-Type"], b"<h1>A client certificate is needed</h1>" in body) == (("text/html", True) if is_page else ("application/json", False)), (path, accept)
        assert ("default-src 'none'" in response.headers.get("Content-Security-Policy", "")) == is_page
        assert is_page or json.loads(body)["code"] == "REASONING_GRAPH_AUTH"


def test_another_authority_of_the_same_name_counts_for_nothing(stack, authority, tmp_path):
    assert is_refused(stack, Authority(tmp_path / "other", "root").issue("client", "kernel"))


def test_a_certificate_for_servers_is_none_for_clients(stack, authority):
    assert is_refused(stack, authority.issue("misused", "kernel", SERVER))


def test_a_client_cannot_issue_certificates(stack, authority, tmp_path):
    certificate, key = authority.issue("client", "kernel")
    forger = tmp_path / "forger"
    forger.mkdir()
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", forger / "key", "-subj", "/CN=admin",
                    "-out", forger / "csr"], check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-req", "-in", forger / "csr", "-CA", certificate, "-CAkey", key, "-CAcreateserial", "-out", forger / "crt"],
                   check=True, capture_output=True)
    chain = forger / "chain"
    chain.write_bytes((forger / "crt").read_bytes() + certificate.read_bytes())
    assert is_refused(stack, (chain, forger / "key"))


def test_what_is_revoked_is_refused_from_the_reload_on(stack, authority, revocation):
    leaver, other = authority.issue("leaver", "leaver"), authority.issue("other", "other")
    open_before = connect(stack, leaver)
    assert ask(open_before)[0] == 200
    revocation(authority.crl())
    assert stack.metric("reason_gateway_expiry_timestamp_seconds", '{of="revocation_list"}') > time.time()
    assert name_of(stack, leaver) == "leaver"
    authority.revoke("leaver")
    open_until_then = connect(stack, leaver)
    assert ask(open_until_then)[0] == 200
    revocation(authority.crl())
    assert is_refused(stack, leaver)
    assert name_of(stack, other) == "other"
    # Connections from before were closed: they do not outlive the revocation.
    for connection in (open_before, open_until_then):
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            connection.auto_open = 0
            ask(connection)


def test_a_list_that_is_out_of_date_lets_nobody_in(stack, authority, revocation):
    client = authority.issue("anybody", "anybody")
    revocation(authority.crl("-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200102000000Z"))
    assert is_refused(stack, client)
    revocation(authority.crl())
    assert name_of(stack, client) == "anybody"


def served_certificate(stack):
    return ssl.get_server_certificate(("localhost", stack.port))


def test_certificates_are_renewed_by_a_reload_that_costs_no_request(stack, authority):
    client = authority.issue("steady", "steady")
    stop, failures, done = threading.Event(), [], []

    def work():
        connection = connect(stack, client)
        while not stop.is_set():
            try:
                status, _ = ask(connection)
                assert status == 200
                done.append(1)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
                # nginx closes connections that are idle when it reloads: as with any server, a GET is then sent again
                connection.close()
            except Exception as error:  # pylint: disable=broad-except
                failures.append(error)
                connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    before = served_certificate(stack)
    try:
        for round_number in range(3):
            for name, source in zip(FILES[1:], authority.issue(f"server-{round_number}", "localhost", SERVER)):
                shutil.copyfile(source, stack.run / "tls" / name)
            stack.reload()
            renewed = served_certificate(stack)
            assert renewed != before
            before = renewed
            answered = len(done)
            deadline = time.monotonic() + 5
            while len(done) < answered + 20 and time.monotonic() < deadline:
                time.sleep(0.02)
            assert len(done) >= answered + 20
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_no_session_carries_an_identity_over(stack, authority, tmp_path, version):
    """One client's session offered by another: it is not taken up, and the other is who its own certificate says."""
    def speak(name, *session):
        certificate, key = authority.issue(name, name)
        done = subprocess.run(["openssl", "s_client", "-connect", f"localhost:{stack.port}", "-servername", "localhost", "-CAfile", stack.run / "tls/ca.crt", "-cert", certificate,
                               "-key", key, version, "-ign_eof", *session], input="GET /echo/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                              capture_output=True, text=True, check=False, timeout=20)
        return done.stdout

    session = tmp_path / "session"
    assert '"cn" : "first"' in speak("first", "-sess_out", session)
    # without tickets and cache there may be nothing to keep at all
    answer = speak("second", *(["-sess_in", session] if session.exists() else []))
    assert "Reused, TLS" not in answer and "New, TLS" in answer
    assert '"cn" : "second"' in answer


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_of_tls_are_not_spoken(stack, authority, version):
    made = context(stack, *authority.issue("old", "old"))
    made.set_ciphers("DEFAULT:@SECLEVEL=0")
    made.minimum_version = made.maximum_version = version
    with pytest.raises((ssl.SSLError, ConnectionError)):
        http.client.HTTPSConnection("localhost", stack.port, context=made, timeout=10).connect()


@pytest.mark.parametrize(("suite", "spoken"), [("ECDHE-ECDSA-AES128-GCM-SHA256", True), ("ECDHE-ECDSA-CHACHA20-POLY1305", True),
                                               ("ECDHE-ECDSA-AES128-SHA", False), ("ECDHE-ECDSA-AES256-SHA384", False), ("ECDHE-ECDSA-AES128-SHA256", False),
                                               ("ECDHE-ECDSA-AES256-CCM", False)])
def test_tls_1_2_knows_no_suite_that_was_broken_before(stack, authority, suite, spoken):
    made = context(stack, *authority.issue("suite", "suite"))
    made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(suite)
    connection = http.client.HTTPSConnection("localhost", stack.port, context=made, timeout=20)
    if spoken:
        assert ask(connection)[0] == 200
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(connection)


def end_of(certificate):
    """As a number, when the first certificate in a file expires."""
    end = subprocess.run(["openssl", "x509", "-noout", "-enddate", "-in", certificate], check=True, capture_output=True, text=True).stdout.strip().partition("=")[2]
    return ssl.cert_time_to_seconds(end)


def test_metrics_tell_when_what_is_in_use_expires(stack):
    name = "reason_gateway_expiry_timestamp_seconds"
    tls = stack.run / "tls"
    assert stack.metric(name, '{of="certificate"}') == end_of(tls / "server.crt")
    assert stack.metric(name, '{of="authority"}') == end_of(tls / "ca.crt")
    # one that was replaced counts from the reload on
    kept = (tls / "server.crt").read_bytes()
    soon = tls / "soon.crt"
    subprocess.run(["openssl", "req", "-x509", "-key", tls / "server.key", "-subj", "/CN=localhost", "-days", "3", "-out", soon], check=True, capture_output=True)
    try:
        (tls / "server.crt").write_bytes(soon.read_bytes())
        assert stack.metric(name, '{of="certificate"}') != end_of(soon)
        stack.reload()
        wait_for(lambda: stack.metric(name, '{of="certificate"}') == end_of(soon))
    finally:
        (tls / "server.crt").write_bytes(kept)
        stack.reload()
    assert stack.metric(name, '{of="certificate"}') == end_of(tls / "server.crt")
