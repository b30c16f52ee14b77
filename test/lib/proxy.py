"""A TCP proxy that is a bad network: slow, half-open, or resetting what passes."""

import asyncio
import socket
import struct
import threading

MODES = ("pass", "slow", "silent", "reset")
PIECE = 65536
# A slow network, for each piece
DELAY = 0.05


def reset(writer):
    """Ends a connection with RST."""
    if writer.is_closing():
        return
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Pair:
    """Both ends of one connection through the proxy."""

    def __init__(self, client):
        self.client = client        # writers
        self.server = None
        self.dead = False           # takes what is sent, and carries nothing any more

    def ends(self):
        return [end for end in (self.client, self.server) if end]


class Proxy:
    """Stands in front of 127.0.0.1:behind at 127.0.0.1:port. Modes:

    pass    as if it were not there
    slow    each piece is held up for a while
    silent  half-open: connections are accepted and what is sent is taken, but nothing passes, and no end hears of the other's.
            A connection that was there stays dead for the client; the server finds out when this is over
    reset   connections end with RST, new ones at once
    """

    def __init__(self, behind=None):
        self.behind = behind
        self.mode = "pass"
        self.pairs = set()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.listener = self.run(asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=64))
        self.port = self.listener.sockets[0].getsockname()[1]

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    async def serve(self, reader, client):
        if self.mode == "reset":
            reset(client)
            return
        pair = Pair(client)
        pair.dead = self.mode == "silent"
        self.pairs.add(pair)
        try:
            if pair.dead:
                await self.pump(pair, reader, None)
                return
            answers, pair.server = await asyncio.open_connection("127.0.0.1", self.behind)
            await asyncio.gather(self.pump(pair, reader, pair.server), self.pump(pair, answers, client))
        except OSError:
            pass
        finally:
            self.pairs.discard(pair)
            for end in pair.ends():
                reset(end)

    async def pump(self, pair, source, target):
        while data := await source.read(PIECE):
            if self.mode == "slow":
                await asyncio.sleep(DELAY)
            if not pair.dead:
                target.write(data)
                await target.drain()
        if not pair.dead and target.can_write_eof():
            target.write_eof()

    def set(self, mode):
        self.run(self.change(mode))

    async def change(self, mode):
        assert mode in MODES
        over = self.mode == "silent" and mode != "silent"
        self.mode = mode
        for pair in list(self.pairs):
            if mode == "silent":
                pair.dead = True
            elif over and pair.dead and pair.server:
                reset(pair.server)
            elif mode == "reset" and not pair.dead:
                for end in pair.ends():
                    reset(end)

    def close(self):
        async def end():
            self.listener.close()
            for pair in list(self.pairs):
                for connection in pair.ends():
                    reset(connection)
            going_on = asyncio.all_tasks() - {asyncio.current_task()}
            for task in going_on:
                task.cancel()
            await asyncio.gather(*going_on, return_exceptions=True)
        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
