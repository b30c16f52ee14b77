"""Programs of others that read a log, as fixtures."""

import contextlib

import pytest

from tlog_others import Asked, build, sources


@pytest.fixture(scope="session")
def libraries():
    """The libraries of Go: sumdb, formats, merkle, torchwood, tessera."""
    directory = sources("go", "go")
    build(["go", "build", "-o", "libraries", "."], directory)
    with contextlib.closing(Asked(directory / "libraries")) as asked:
        yield asked


@pytest.fixture(scope="session")
def sigstore():
    directory = sources("node", "node", "npm")
    if not (directory / "node_modules").exists():
        build(["npm", "ci", "--silent", "--no-audit", "--no-fund"], directory)
    with contextlib.closing(Asked("node", directory / "sigstore.js")) as asked:
        yield asked


@pytest.fixture(scope="session")
def witness_programs():
    """The folder with the programs of transparency-dev/witness: omniwitness, and feed, its client."""
    directory = sources("omniwitness", "go")
    build(["go", "build", "-o", "feed", "."], directory)
    build(["go", "build", "-o", "witness", "github.com/transparency-dev/witness/cmd/omniwitness"], directory)
    return directory


@pytest.fixture(scope="session")
def feed(witness_programs):
    with contextlib.closing(Asked(witness_programs / "feed")) as asked:
        yield asked
