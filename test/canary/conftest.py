"""A stack of the release that runs, and the programs of another, which is tried beside it."""

import contextlib
import os
import ssl
import subprocess

import pytest

from load import Connection, Load
from paths import ROOT
from stack import new_stack
from trial import DIVISION, Endpoint, Gateway, Release, build_release, trial_sidecar


@pytest.fixture(scope="session")
def stable():
    """The release that runs."""
    return Release(ROOT)


@pytest.fixture(scope="session")
def other(stable):
    """Another release: of REASON_OTHER_TAG, or these sources with the next version. What was built is kept."""
    major, minor, patch = stable.version.split(".")
    version, tag = f"{major}.{minor}.{int(patch) + 1}", os.environ.get("REASON_OTHER_TAG", "")
    return build_release(ROOT / ".build/release" / (tag or version), version, tag)


@pytest.fixture
def stack(other):
    with new_stack() as running:
        running.certificate("canary")
        with running.database() as owner:
            owner.execute("SELECT reason.set_client('canary', 'writer', %s, pii => true)", [[DIVISION]])
        running.endpoint = Endpoint(int(running.env["REASON_URL"].rsplit(":", 1)[1]))
        yield running


@pytest.fixture
def gateways(stack):
    """Starts gateways of a release beside the stack's, and ends them all."""
    made = []

    def start(release, more=""):
        made.append(Gateway(stack, release, more))
        return made[-1]
    yield start
    for one in made:
        one.quit()


@pytest.fixture
def sidecars(stack):
    """Starts sidecars of a release on trial, and ends them all."""
    made = []

    def start(release, **changes):
        made.append(trial_sidecar(stack, release, **changes))
        return made[-1].start(ready=False)
    yield start
    for one in made:
        one.end()


@pytest.fixture
def load(stack):
    """Clients that write without a pause, at first to the stack's gateway alone."""
    context = ssl.create_default_context(cafile=stack.env["REASON_CA"])
    context.load_cert_chain(stack.env["REASON_KERNEL_CERT"], stack.env["REASON_KERNEL_KEY"])
    running = Load(lambda endpoint: Connection(endpoint, context), [stack.endpoint], clients=3)
    yield running
    with contextlib.suppress(AssertionError):
        running.stop()


@pytest.fixture(scope="session")
def broken_store(tmp_path_factory):
    """A library that lets a sidecar store snapshots wrongly."""
    library = tmp_path_factory.mktemp("broken") / "broken_store.so"
    library.parent.chmod(0o755)
    subprocess.run(["gcc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, ROOT / "test/lib/broken_store.c", "-ldl"], check=True)
    return library
