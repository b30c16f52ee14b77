"""Many connections for a long time: idle ones that stay open, busy ones that read and write.

Prints, over time, the memory of the gateway's workers and of PostgreSQL's backends for it, and how many
requests were answered. Fails when a request gets another answer than it should, an idle connection is gone, a
worker was replaced, or memory has grown by more than a tenth between the first quarter and the last.
"""

import argparse
import asyncio
import pathlib
import random
import re
import ssl
import statistics
import sys
import time

from stack import read_env

NODE = b'{"type":"observation","author":"soak","payload":{"n":%d,"text":"as long as the payload of a step is"}}'


class Soak:
    def __init__(self, run_dir, idle, busy, pause_s):
        self.run_dir, self.idle, self.busy, self.pause_s = run_dir, idle, busy, pause_s
        self.env = read_env(run_dir / "env")
        self.port = int(self.env["REASON_URL"].rsplit(":", 1)[1])
        self.answered = 0
        self.errors = []
        self.stop = False
        self.known = []

    def tls(self):
        made = ssl.create_default_context(cafile=self.env["REASON_CA"])
        made.load_cert_chain(self.env["REASON_KERNEL_CERT"], self.env["REASON_KERNEL_KEY"])
        return made

    async def connect(self, tls):
        return await asyncio.open_connection("localhost", self.port, ssl=tls, server_hostname="localhost")

    async def call(self, connection, method, path, body=b""):
        reader, writer = connection
        writer.write(b"%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                     % (method, path, len(body), body))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if length:
            answer = await reader.readexactly(int(length.group(1)))
        else:
            answer = b""
            while size := int(await reader.readline(), 16):
                answer += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
        self.answered += 1
        return int(head[9:12]), answer

    async def be_idle(self, tls, gate):
        """One request, then silence, but for one a minute, before keepalive_timeout ends the connection."""
        async with gate:
            connection = await self.connect(tls)
        while not self.stop:
            status, _ = await self.call(connection, b"GET", b"/reason/signers")
            if status != 200:
                self.errors.append(f"idle: {status}")
            for _ in range(60):
                if self.stop:
                    break
                await asyncio.sleep(1)
        connection[1].transport.abort()

    async def be_busy(self, tls, rng):
        connection = await self.connect(tls)
        while not self.stop:
            kind = rng.random()
            if kind < 0.4 or not self.known:
                status, answer = await self.call(connection, b"POST", b"/reason/node", NODE % rng.getrandbits(30))
                if status == 201 and len(self.known) < 5000:
                    self.known.append(re.search(rb'"nodeId":"([^"]+)"', answer).group(1))
                expected = 201
            else:
                path = b"/reason/node/" if kind < 0.8 else b"/reason/trace/"
                status, _ = await self.call(connection, b"GET", path + rng.choice(self.known))
                expected = 200
            if status != expected:
                self.errors.append(f"busy: {status}")
            await asyncio.sleep(self.pause_s * rng.random() * 2)
        connection[1].transport.abort()

    def workers(self):
        master = int((self.run_dir / "gateway/nginx.pid").read_text())
        return sorted(map(int, pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split()))

    def backends(self):
        """Of the gateway; their titles say so, and they are children of this stack's PostgreSQL."""
        postmaster = (self.run_dir / "pg/postmaster.pid").read_text().split()[0]
        found = []
        for pid in map(int, pathlib.Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()):
            try:
                if pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"postgres: gateway "):
                    found.append(pid)
            except OSError:
                pass
        return found

    @staticmethod
    def private_kb(pids, names):
        """Without what is shared, which grows as pages of it are touched."""
        total = 0
        for pid in pids:
            try:
                text = pathlib.Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            total += sum(int(re.search(rf"{name}:\s+(\d+)", text).group(1)) for name in names)
        return total

    async def watch(self, seconds, samples):
        began = time.monotonic()
        step = max(1, seconds / 40)
        print(f"{'s':>6}{'answered':>12}{'a second':>10}{'workers kB':>12}{'backends kB':>13}{'errors':>8}")
        before = self.answered
        while time.monotonic() - began < seconds:
            await asyncio.sleep(step)
            sample = (self.private_kb(self.workers(), ["RssAnon"]), self.private_kb(self.backends(), ["RssAnon"]))
            samples.append(sample)
            print(f"{time.monotonic() - began:6.0f}{self.answered:12,}{(self.answered - before) / step:10,.0f}{sample[0]:12,}{sample[1]:13,}"
                  f"{len(self.errors):8}", flush=True)
            before = self.answered
        self.stop = True

    async def run(self, seconds):
        tls, samples, workers = self.tls(), [], self.workers()
        gate = asyncio.Semaphore(50)
        tasks = [asyncio.create_task(self.be_idle(tls, gate)) for _ in range(self.idle)]
        while self.answered < self.idle:
            await asyncio.sleep(0.1)
            for task in tasks:
                if task.done():
                    task.result()
        print(f"{self.idle:,} idle connections are open")
        tasks += [asyncio.create_task(self.be_busy(tls, random.Random(i))) for i in range(self.busy)]
        await self.watch(seconds, samples)
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, BaseException):
                self.errors.append(repr(result))
        if self.workers() != workers:
            self.errors.append("a worker was replaced")
        return samples


def grown(values):
    """The last quarter's median against the first's."""
    quarter = max(1, len(values) // 4)
    return statistics.median(values[-quarter:]) / max(1, statistics.median(values[quarter // 2:quarter + quarter // 2 + 1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--idle", type=int, default=2000)
    parser.add_argument("--busy", type=int, default=200)
    parser.add_argument("--pause", type=float, default=0.2, help="mean seconds between a busy connection's requests")
    options = parser.parse_args()
    soak = Soak(options.run_dir, options.idle, options.busy, options.pause)
    samples = asyncio.run(soak.run(options.seconds))
    workers, backends = grown([s[0] for s in samples]), grown([s[1] for s in samples])
    print(f"memory, the last quarter against the first: workers {workers:.2f}, backends {backends:.2f}; "
          f"{soak.answered:,} answers, {len(soak.errors)} errors")
    for error in soak.errors[:10]:
        print(error)
    sys.exit(1 if soak.errors or workers > 1.1 or backends > 1.1 else 0)


if __name__ == "__main__":
    main()
