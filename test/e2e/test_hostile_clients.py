"""Clients that send what no client should: the gateway answers, lets go of them, and goes on as before.

REASON_MALFORMED_REQUESTS says how many are sent (make check: 1,000, twice), REASON_FUZZ_SEED from which seed.
"""

import asyncio
import os
import pathlib
import random
import re
import ssl
import time

from raw_https import context, metric, port

REQUESTS = int(os.environ.get("REASON_MALFORMED_REQUESTS", "1000"))
SEED = int(os.environ.get("REASON_FUZZ_SEED", str(random.SystemRandom().getrandbits(32))))
# Longer than any deadline that a malformed request runs into, but slow ones
PATIENCE_S = 8

PATHS = ["/reason/node", "/reason/edge", "/nodes", "/edges", "/reason/snapshot", "/reason/query", "/reason/signers", "/health",
         "/reason/trace/01890000-0000-7000-8000-000000000000", "/reason/annotate/x", "/%2e%2e/", "//", "/reason//node", "*", "/\xff"]
BODIES = [b'{"type":"observation","payload":{},"author":"a"}', b'{"nodes":[]}', b"[]", b"null", b"", b"{", b'{"a":1e999}', b'"\\ud800"',
          b"\x00\x01\x02", b"[" * 5000, b'{"type":' + b'"' + b"x" * 3000 + b'"}']


def pids(stack):
    master = stack.pid("gateway/nginx.pid")
    return sorted(pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split())


def resident_kb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))


def request(rng):
    """A valid request's bytes, more or less."""
    method = rng.choice([b"GET", b"POST", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"BREW", b"get", b""])
    path = rng.choice(PATHS).encode("latin-1")
    if rng.random() < 0.2:
        path += b"?" + bytes(rng.randrange(33, 256) for _ in range(rng.randrange(40)))
    version = rng.choice([b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.", b"HTTQ/1.1", b""])
    body = rng.choice(BODIES)
    headers = [b"Host: localhost"]
    for maybe in [b"Content-Type: application/json", b"Content-Type: text/plain", b"Connection: close", b"Expect: 100-continue",
                  b"Idempotency-Key: " + b"k" * rng.randrange(300), b"X-Request-Id: \x01", b"Prefer: wait=99999999999",
                  b"traceparent: 00-zz", b"X: " + b"y" * rng.randrange(9000), b" folded: yes", b"no colon", b"Host: twice",
                  b"X-Client-Cn: admin", b"Upgrade: h2c"]:
        if rng.random() < 0.25:
            headers.append(maybe)
    framing = rng.randrange(6)
    if framing == 0:
        headers.append(b"Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:]) if part) + rng.choice([b"0\r\n\r\n", b"0\r\n", b"zz\r\n", b"-1\r\n"])
    elif framing == 1:
        headers.append(b"Content-Length: " + rng.choice([b"-1", b"99999999999999999999", b"0x10", b"", b"1 1", b"%d" % (len(body) + 5)]))
    elif framing < 5:
        headers.append(b"Content-Length: %d" % len(body))
    rng.shuffle(headers)
    sent = bytearray(b" ".join([method, path, version]) + b"\r\n" + b"\r\n".join(headers) + b"\r\n\r\n" + body)
    for _ in range(rng.choice([0, 0, 0, 1, 3, 12])):
        if len(sent) < 16:
            break
        place = rng.randrange(len(sent) - 8)
        if rng.random() < 0.5:
            sent[place] = rng.randrange(256)
        else:
            del sent[place:place + rng.randrange(1, 8)]
    return bytes(sent[:rng.randrange(1, len(sent))] if rng.random() < 0.15 else sent)


async def send(stack, tls, rng, answers):
    """One connection, one to three requests, and an end of some kind."""
    reader, writer = await asyncio.open_connection("localhost", port(stack), ssl=tls, server_hostname="localhost")
    try:
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            writer.write(request(rng))
        await writer.drain()
        ending = rng.randrange(5)
        if ending == 0:
            writer.transport.abort()
            return
        async with asyncio.timeout(rng.choice([0.05, 0.3, PATIENCE_S])):
            while piece := await reader.read(65536):
                answers.append(piece[:12])
    except (TimeoutError, ssl.SSLError, ConnectionError, OSError):
        pass
    finally:
        writer.transport.abort()


async def send_all(stack, tls, rng, answers):
    gate = asyncio.Semaphore(32)

    async def one(seed):
        async with gate:
            await send(stack, tls, random.Random(seed), answers)

    await asyncio.gather(*(one(rng.getrandbits(64)) for _ in range(REQUESTS)))


def settled(stack):
    """No connection to the database is busy and nobody waits for one."""
    return (metric(stack, "reason_gateway_connections") == metric(stack, "reason_gateway_connections_idle")
            and metric(stack, "reason_gateway_queue_depth") == 0)


def wait_until_settled(stack):
    deadline = time.monotonic() + 20
    while not settled(stack):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_malformed_requests_leave_nothing_behind(stack, kernel):
    print(f"seed {SEED}, {REQUESTS} connections")
    workers = pids(stack)
    answers = []
    rng = random.Random(SEED)
    tls = context(stack)
    # Once to fill pools and buffers, then it must stay as it is.
    asyncio.run(send_all(stack, tls, rng, answers))
    wait_until_settled(stack)
    before = sum(map(resident_kb, workers))
    asyncio.run(send_all(stack, tls, rng, answers))
    wait_until_settled(stack)
    assert pids(stack) == workers, "a worker died"
    assert sum(map(resident_kb, workers)) - before < 4096
    assert len(answers) > REQUESTS / 2
    statuses = {int(answer[9:12]) for answer in answers if re.match(rb"HTTP/1\.[01] \d\d\d", answer)}
    assert 400 in statuses and not {500, 502} & statuses, statuses
    assert kernel.get("/reason/signers")["signers"]
    log = (stack.run_dir / "log" / "gateway.log").read_bytes()
    assert not re.search(rb"\[(alert|emerg)\]|exited on signal", log)


def test_slow_senders_are_let_go(stack, kernel):
    """A header that never ends, and a body that comes byte by byte."""

    async def drip(beginning, piece):
        reader, writer = await asyncio.open_connection("localhost", port(stack), ssl=context(stack), server_hostname="localhost")
        began = time.monotonic()
        writer.write(beginning)
        try:
            while time.monotonic() - began < 40:
                writer.write(piece)
                await writer.drain()
                if reader.at_eof():
                    break
                await asyncio.sleep(0.5)
        except (ssl.SSLError, ConnectionError, OSError):
            pass
        writer.transport.abort()
        return time.monotonic() - began

    async def all_of_them():
        return await asyncio.gather(*(drip(b"GET /reason/signers HTTP/1.1\r\nHost: localhost\r\n", b"X: y\r\n") for _ in range(30)))

    took = asyncio.run(all_of_them())
    # client_header_timeout is 10 s
    assert max(took) < 15
    assert kernel.get("/reason/signers")["signers"]
    assert settled(stack)
