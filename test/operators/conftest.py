"""What operators do, with the programs that they do it with. Each server is one of the test's own."""

import pytest

from signer import make_keys


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """A signing key and its public half."""
    return make_keys(tmp_path_factory.mktemp("keys"))
