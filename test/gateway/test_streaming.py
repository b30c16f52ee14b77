"""Long answers go out as they come, and no faster than the client reads."""

import http.client
import pathlib
import re
import socket
import subprocess

import pytest

from wait import wait_for

MEGABYTES = 96
LONG = f"/rows?rows={MEGABYTES * 16}&size=65536"


def resident_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))


def expected(rows, size):
    return b"".join(bytes([97 + n % 26]) * size for n in range(rows))


@pytest.mark.parametrize(("rows", "size"), [(1, 10), (1000, 1), (3, 100_000), (5000, 997), (40, 70_000), (1, 5_000_000), (7, 262_144)])
def test_every_byte_arrives_in_order(stack, rows, size):
    status, headers, body = stack.call("GET", f"/rows?rows={rows}&size={size}")
    assert (status, body == expected(rows, size)) == (200, True)
    assert (headers["Content-Length"] is not None) == (rows * size < 262_144)
    status, headers, body = stack.call("HEAD", f"/rows?rows={rows}&size={size}")
    assert (status, int(headers["Content-Length"]), body) == (200, rows * size, b"")


def test_http2_streams_the_same(stack):
    tls = stack.run / "tls"
    body = subprocess.run(["curl", "-sS", "--http2", "--cacert", tls / "ca.crt", "--cert", tls / "kernel.crt", "--key", tls / "kernel.key",
                           "--limit-rate", "20M", f"https://localhost:{stack.port}/rows?rows=400&size=30011"], capture_output=True, check=True).stdout
    assert body == expected(400, 30011)


def test_a_slow_client_costs_little_memory_and_holds_up_nobody(stack):
    connection = stack.connect()
    connection.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    before = resident_kib(stack.worker())
    connection.request("GET", LONG)
    response = connection.getresponse()
    read = len(response.read(1_000_000))
    # The worker would take the rest within this time if nothing held it back.
    for _ in range(100):
        assert stack.call("GET", "/echo/x")[0] == 200
    assert resident_kib(stack.worker()) - before < 8 * 1024
    while piece := response.read(1_000_000):
        read += len(piece)
    assert read == MEGABYTES * 1024 * 1024
    assert resident_kib(stack.worker()) - before < 8 * 1024
    connection.close()


def test_a_client_that_leaves_in_the_middle_frees_its_connection(stack):
    for _ in range(6):
        connection = stack.connect()
        connection.request("GET", LONG)
        connection.getresponse().read(100_000)
        connection.sock.close()
        connection.close()
    wait_for(lambda: stack.metric("reason_gateway_connections_idle") == 4)
    assert stack.call("GET", "/echo/x")[0] == 200


def test_an_error_in_the_middle_is_not_taken_for_the_end(stack):
    connection = stack.connect()
    connection.request("GET", "/rows?rows=100&size=65536&fail=90")
    try:
        response = connection.getresponse()
        if response.status != 200:
            # the database had said so before anything went out
            assert response.status == 400
            return
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
    except ConnectionError:
        pass
    assert stack.call("GET", "/echo/x")[0] == 200
