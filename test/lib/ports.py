"""Ports of the loopback that nobody listens on, below those that the kernel hands out to whoever connects."""

import contextlib
import random
import socket

LOWEST, HIGHEST = 15000, 32000


def free_port(count=1):
    """The first of so many that are free, one after the other."""
    while True:
        first = random.SystemRandom().randrange(LOWEST, HIGHEST - count)
        with contextlib.ExitStack() as listeners:
            try:
                for number in range(first, first + count):
                    listeners.enter_context(socket.socket()).bind(("127.0.0.1", number))
                return first
            except OSError:
                continue
