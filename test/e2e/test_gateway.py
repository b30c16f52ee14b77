"""The gateway: methods, limits, hostile and vanishing clients, a database that stalls, reload."""

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.request

import pytest

from paths import ROOT
from raw_https import context, metric, port, raw
from wait import wait_for


def test_a_wrong_method_is_answered_405_with_allow(kernel):
    for method, path, allow in (("DELETE", "/reason/signers", "GET, HEAD, OPTIONS"), ("GET", "/nodes", "POST, OPTIONS"),
                                ("PUT", "/reason/node", "POST, OPTIONS")):
        kernel.connection.request(method, path)
        response = kernel.connection.getresponse()
        assert (response.status, response.headers["Allow"]) == (405, allow)
        assert json.loads(response.read())["code"] == "REASONING_GRAPH_BAD_REQUEST"


def test_options_and_head(kernel):
    kernel.connection.request("OPTIONS", "/reason/node")
    response = kernel.connection.getresponse()
    assert (response.status, response.headers["Allow"], response.read()) == (204, "POST, OPTIONS", b"")
    kernel.connection.request("GET", "/reason/signers")
    length = len(kernel.connection.getresponse().read())
    kernel.connection.request("HEAD", "/reason/signers")
    response = kernel.connection.getresponse()
    assert (response.status, response.read(), int(response.headers["Content-Length"])) == (200, b"", length)


def test_every_answer_names_its_request(kernel, refused, random_id):
    kernel.connection.request("GET", "/reason/signers", headers={"X-Request-Id": "mine-1"})
    response = kernel.connection.getresponse()
    response.read()
    assert response.headers["X-Request-Id"] == "mine-1"
    for insane in ("x" * 129, 'a"b', "a b"):
        kernel.connection.request("GET", f"/reason/node/{random_id()}", headers={"X-Request-Id": insane})
        response = kernel.connection.getresponse()
        given = response.headers["X-Request-Id"]
        assert re.fullmatch("[0-9a-f]{32}", given)
        assert json.loads(response.read())["requestId"] == given


def test_a_body_beyond_the_limit_is_refused(kernel, refused):
    status, error = refused(kernel.post, "/nodes", b'{"nodes":[' + b" " * (33 * 1024 * 1024) + b"]}")
    assert (status, error["code"]) == (413, "REASONING_GRAPH_TOO_LARGE")


def test_query_strings_are_decoded_strictly(kernel, refused, new_node):
    node = new_node()
    assert kernel.get(f"/reason/trace/{node}?direction=%61ncestors")["direction"] == "ancestors"
    for query in ("direction=%zz", "direction=%00", "direction=%ff", "direction=a%22b", "=1", "%22=1"):
        assert refused(kernel.get, f"/reason/trace/{node}?{query}")[0] == 400, query


@pytest.mark.parametrize("request_bytes", [
    b"\x16\x03\x01 nonsense\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /reason/signers HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 40000 + b"\r\n\r\n",
    b"POST /reason/node HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: -1\r\n\r\n",
    b"POST /reason/node HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /reason/node HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"GET /reason/node/%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"GET /reason/node/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
])
def test_malformed_requests_are_refused_and_the_gateway_lives(stack, kernel, request_bytes):
    answer = raw(stack, request_bytes, seconds=3)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505")), answer[:200]
    assert kernel.get("/reason/signers")["signers"]


def test_a_client_that_goes_away_takes_its_query_with_it(stack, kernel, database):
    with stack.database() as blocker:
        # An exclusive lock makes the next reader of the table wait.
        blocker.autocommit = False
        blocker.execute("LOCK TABLE reason.signer IN ACCESS EXCLUSIVE MODE")
        before = metric(stack, 'reason_gateway_failures_total')
        connection = http.client.HTTPSConnection("localhost", port(stack), context=context(stack), timeout=10)
        connection.request("GET", "/reason/signers")
        deadline = time.monotonic() + 5
        while not waiting_for_lock(database) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert waiting_for_lock(database) == 1
        connection.sock.close()
        # client_connection_check_interval is a second
        while waiting_for_lock(database) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert waiting_for_lock(database) == 0
        assert metric(stack, 'reason_gateway_failures_total') > before
        blocker.rollback()
    assert kernel.get("/reason/signers")["signers"]


def waiting_for_lock(database):
    return database.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'gateway' AND wait_event_type = 'Lock'").fetchone()[0]


def test_many_requests_at_once_all_get_their_answer(stack, new_node):
    node = new_node()
    answers = []

    def work():
        client = stack.client("reader")
        for _ in range(20):
            answers.append(client.get(f"/reason/node/{node}")["node"]["id"])

    threads = [threading.Thread(target=work) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [node] * 800


def test_a_reload_loses_no_request(stack, new_node):
    node = new_node()
    stop = threading.Event()
    failures, done = [], []

    def work():
        while not stop.is_set():
            try:
                # a connection each: nginx closes idle ones when it reloads, which a client has to expect
                stack.client("reader").get(f"/reason/node/{node}")
                done.append(1)
            except Exception as error:  # pylint: disable=broad-except
                failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for reloads in range(1, 4):
        os.kill(stack.pid("gateway/nginx.pid"), signal.SIGHUP)
        time.sleep(0.7)
        # on a machine with other work too there are requests around each
        wait_for(lambda: failures or len(done) > 20 * reloads, 60, "requests beside a reload")
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures


def test_http2_is_spoken(stack):
    env = stack.env
    answer = subprocess.run(["curl", "-sS", "--http2", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "--cacert", env["REASON_CA"],
                             "--cert", env["REASON_READER_CERT"], "--key", env["REASON_READER_KEY"], env["REASON_URL"] + "/reason/signers"],
                            capture_output=True, text=True, check=True)
    assert answer.stdout == "2 200"


def test_a_revoked_or_foreign_certificate_is_refused(stack, tmp_path):
    subprocess.run([ROOT / "test" / "stack" / "certificates.sh", tmp_path, "kernel"], check=True, timeout=30)
    foreign = ssl.create_default_context(cafile=stack.env["REASON_CA"])
    foreign.load_cert_chain(tmp_path / "kernel.crt", tmp_path / "kernel.key")
    connection = http.client.HTTPSConnection("localhost", port(stack), context=foreign, timeout=10)
    try:
        connection.request("GET", "/reason/signers")
        response = connection.getresponse()
    except (ssl.SSLError, ConnectionError):
        return
    assert response.status == 401
    assert json.loads(response.read())["code"] == "REASONING_GRAPH_AUTH"


def test_no_session_is_resumed(stack):
    """A ticket or cached session could carry an identity over (CVE-2025-23419)."""
    made = context(stack)
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    session = None
    for _ in range(2):
        with socket.create_connection(("localhost", port(stack)), timeout=5) as plain:
            with made.wrap_socket(plain, server_hostname="localhost", session=session) as connection:
                assert not connection.session_reused
                session = connection.session


def test_requests_are_counted_by_route_and_status(stack, kernel, new_node):
    name = 'reason_gateway_requests_total'

    def counted(status):
        with urllib.request.urlopen(stack.env["REASON_OPS_URL"] + "/metrics", timeout=10) as response:
            found = re.search(rf'^{name}\{{route="http_post_node",status="{status}"\}} (\d+)$', response.read().decode(), re.M)
        return int(found.group(1)) if found else 0

    before = counted(201), counted(400)
    for _ in range(3):
        new_node()
    with pytest.raises(Exception):
        kernel.post("/reason/node", b"{")
    assert (counted(201), counted(400)) == (before[0] + 3, before[1] + 1)
