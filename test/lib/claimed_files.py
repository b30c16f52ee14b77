"""Several runs of a suite side by side share its files of tests, the longest first. A plugin of pytest."""

import itertools
import os
import pathlib
import time


def expected(tests, times):
    """What a file took when it ran last; of one that never ran, how many tests it has."""
    try:
        return float((times / tests[0].path.name).read_text())
    except (OSError, ValueError):
        return len(tests)


def pytest_runtestloop(session):
    """As pytest has it, of files that nobody else has taken: REASON_TEST_CLAIMS is the folder where runs tell which they have, REASON_TEST_TIMES where
    they tell how long each took."""
    if not os.environ.get("REASON_TEST_CLAIMS") or session.testsfailed or session.config.option.collectonly:
        return None
    claims, times = pathlib.Path(os.environ["REASON_TEST_CLAIMS"]), pathlib.Path(os.environ["REASON_TEST_TIMES"])
    claims.mkdir(parents=True, exist_ok=True)
    times.mkdir(parents=True, exist_ok=True)
    files = [list(tests) for _, tests in itertools.groupby(session.items, key=lambda item: item.path)]
    for tests in sorted(files, key=lambda tests: expected(tests, times), reverse=True):
        path, began = tests[0].path, time.monotonic()
        try:
            (claims / path.name).mkdir()
        except FileExistsError:
            continue
        # The file that comes next is taken when this one has ended. Fixtures of the session stay, as if it were any other.
        other = next((item for item in session.items if item.path != path), None)
        for item, following in zip(tests, [*tests[1:], other]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
        (times / path.name).write_text(f"{time.monotonic() - began:.1f}\n")
    return True
