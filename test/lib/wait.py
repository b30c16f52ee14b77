"""Waiting: what is awaited is looked at again and again, and its deadline is a generous one."""

import time


def wait_for(condition, seconds=20, what="what was waited for"):
    """The first true value of condition(); fails when there is none in time. what: a text, or a function that gives it then."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"{what() if callable(what) else what} did not happen within {seconds} s")
        time.sleep(0.02)
