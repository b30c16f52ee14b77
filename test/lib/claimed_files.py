"""Several runs of a suite side by side share its files of tests. A plugin of pytest."""

import itertools
import os


def unclaimed(items, folder):
    """The tests of each file that no other run has taken, which from then on is taken."""
    for path, tests in itertools.groupby(items, key=lambda item: item.path):
        try:
            os.makedirs(os.path.join(folder, path.name))
        except FileExistsError:
            continue
        yield from tests


def pytest_runtestloop(session):
    """As pytest has it, of what is unclaimed: REASON_TEST_CLAIMS is the folder where runs tell which files they have taken."""
    folder = os.environ.get("REASON_TEST_CLAIMS")
    if not folder or session.testsfailed or session.config.option.collectonly:
        return None
    items = unclaimed(session.items, folder)
    item = next(items, None)
    while item is not None:
        following = next(items, None)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        item = following
    return True
