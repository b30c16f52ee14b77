"""A database that vanishes from the network: nobody says that it has gone, and nothing that is sent to it is acknowledged."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest

from reason_gateway import configured
from wait import wait_for

pytestmark = pytest.mark.skipif(os.getuid() != 0 or shutil.which("ip") is None, reason="networks are made by root, with iproute2")

NAME = f"reason{os.getpid() % 100000}"
GATEWAY, DATABASE, PORT = "198.51.100.1", "198.51.100.2", 5432   # RFC 5737

# From the other network to the socket of PostgreSQL, which is a file for both.
FORWARDER = """
import asyncio, sys
async def pump(reader, writer):
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    writer.close()
async def client(reader, writer):
    theirs, ours = await asyncio.open_unix_connection(sys.argv[1])
    await asyncio.gather(pump(reader, ours), pump(theirs, writer), return_exceptions=True)
async def main():
    async with await asyncio.start_server(client, sys.argv[2], int(sys.argv[3])) as server:
        await server.serve_forever()
asyncio.run(main())
"""


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, timeout=10)


def answers():
    try:
        socket.create_connection((DATABASE, PORT), timeout=1).close()
        return True
    except OSError:
        return False


@contextlib.contextmanager
def another_network(stack):
    ip("netns", "add", NAME)
    try:
        ip("link", "add", NAME, "type", "veth", "peer", "name", "database", "netns", NAME)
        ip("addr", "add", f"{GATEWAY}/24", "dev", NAME)
        ip("link", "set", NAME, "up")
        ip("-n", NAME, "addr", "add", f"{DATABASE}/24", "dev", "database")
        ip("-n", NAME, "link", "set", "database", "up")
        with subprocess.Popen(["ip", "netns", "exec", NAME, sys.executable, "-c", FORWARDER, stack.postgres.directory / f".s.PGSQL.{stack.postgres.port}", DATABASE, str(PORT)],
                              stderr=subprocess.DEVNULL) as forwarder:
            try:
                wait_for(answers)
                yield
            finally:
                forwarder.kill()
    finally:
        # the network lives on until its last socket has gone
        ip("link", "del", NAME)
        ip("netns", "del", NAME)


def vanish():
    """The address is nobody's any more: packets to it are dropped and answered by nothing."""
    ip("-n", NAME, "addr", "del", f"{DATABASE}/24", "dev", "database")


def come_back():
    ip("-n", NAME, "addr", "add", f"{DATABASE}/24", "dev", "database")


@pytest.fixture
def remote(stack):
    """The database in another network, and more patience for an answer than for an acknowledgement. Seconds instead of ten."""
    here, there = stack.address, f"host={DATABASE} port={PORT}"
    with (another_network(stack), configured(stack, "query_timeout 3s;", "query_timeout 30s;"),
          configured(stack, "tcp_user_timeout=10000 keepalives_idle=10 keepalives_interval=5", "tcp_user_timeout=2000 keepalives_idle=2 keepalives_interval=1"),
          configured(stack, here, there)):
        wait_for(lambda: stack.metric("reason_gateway_connections_idle") == 4)
        assert stack.call("GET", "/echo/x")[0] == 200
        yield stack


def is_noticed(stack, path):
    began = time.monotonic()
    status, error = stack.json("GET", path)
    assert (status, error["code"]) == (503, "REASONING_GRAPH_DEPENDENCY")
    # the kernel looks when it would send again
    assert 1.5 < time.monotonic() - began < 8


def test_a_call_is_not_acknowledged(remote):
    vanish()
    is_noticed(remote, "/echo/x")
    come_back()
    wait_for(lambda: remote.call("GET", "/echo/x")[0] == 200, 20)
    wait_for(lambda: remote.metric("reason_gateway_connections_idle") == 4, 20)


def test_an_answer_does_not_come(remote):
    threading.Timer(0.3, vanish).start()
    is_noticed(remote, "/sleep?seconds=20&key=vanished")


def test_connections_that_nobody_uses_are_given_up_too(remote):
    vanish()
    wait_for(lambda: remote.metric("reason_gateway_connections") == 0, 8)
