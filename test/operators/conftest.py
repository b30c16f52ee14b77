"""Operators' procedures, with the programs that operators use. Each server is the test's own."""

import pytest

from signer import make_keys


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """A signing key and its public half."""
    return make_keys(tmp_path_factory.mktemp("keys"))
