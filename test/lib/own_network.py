"""A network of one's own, of the loopback alone: interfaces that others make and take away are not there."""

import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000


def enter_own_network():
    """This process, and those that it starts from now on; without the right to it all stays as it is. Says whether it was done."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or libc.unshare(CLONE_NEWNET) != 0:
        return False
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=30)
    return True
