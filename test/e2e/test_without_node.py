"""Where Node is missing, the stack works without the explorer and the auditor's page, and says what it left out."""

import http.client
import subprocess

import pytest

from paths import ROOT
from raw_https import context, port
from stack import Stack, new_stack


def linked(source, place, without):
    """A folder of links to all that the source holds, but for what Node would have made."""
    place.mkdir()
    for entry in source.iterdir():
        if entry.name not in without:
            (place / entry.name).symlink_to(entry)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("without-node") / "root"
    linked(ROOT, root, ["gateway"])
    linked(ROOT / "gateway", root / "gateway", ["build"])
    linked(ROOT / "gateway" / "build", root / "gateway" / "build", ["ui", "page", "npm"])
    return root


@pytest.fixture(scope="module")
def bare(root):
    class Bare(Stack):
        def up(self):
            subprocess.run([root / "test" / "stack" / "up.sh"], env=self.shell, check=True, timeout=120)

    with new_stack(Bare) as stack:
        yield stack


def status_of(stack, path):
    connection = http.client.HTTPSConnection("localhost", port(stack), context=context(stack), timeout=60)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_stack_says_what_it_left_out_and_does_all_else(root, bare):
    said = subprocess.run([root / "test" / "stack" / "up.sh"], env={**bare.shell, "QUIET": ""}, check=True, timeout=120, capture_output=True, text=True).stdout
    assert "The explorer is left out: it is built with Node and npm, which are not here." in said and "/ui/" not in said
    kernel = bare.client("kernel")
    node = kernel.post("/reason/node", {"type": "decision", "author": "kernel", "payload": {"note": "without Node"}})["nodeId"]
    snapshot = kernel.post("/reason/snapshot", {"rootNodeIds": [node]}, Prefer="wait=20")
    assert snapshot["status"] == "complete" and kernel.get(f"/reason/trace/{node}")["steps"][0]["node"]["id"] == node
    assert status_of(bare, "/ui/") == 404


def test_the_stack_with_node_says_where_the_explorer_is(stack):
    said = subprocess.run([ROOT / "test" / "stack" / "up.sh"], env={**stack.shell, "QUIET": ""}, check=True, timeout=120, capture_output=True, text=True).stdout
    if (ROOT / "gateway" / "build" / "ui" / "index.html").exists():
        assert f"{stack.env['REASON_URL']}/ui/" in said and "left out" not in said
