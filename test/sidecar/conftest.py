"""A private PostgreSQL, and real sidecars with a configuration of the test's own."""

import pytest

from sidecar_fixtures import database, keys, server, settings, sidecars  # noqa: F401
from signer import make_keys


@pytest.fixture(scope="session")
def log_keys(tmp_path_factory):
    """The key of checkpoints, and its public half."""
    return make_keys(tmp_path_factory.mktemp("log-keys"))


@pytest.fixture
def sidecar(sidecars, settings):
    return sidecars(settings).start()


@pytest.fixture
def archiving(settings, tmp_path):
    (tmp_path / "archive").mkdir()
    return {**settings, "archive": {"url": f"file://{tmp_path}/archive", "interval_s": 1}}


@pytest.fixture
def remembering(settings, database, log_keys, tmp_path):
    """A sidecar that remembers what it signed, and publishes checkpoints every second."""
    database.value("SELECT reason.add_signer('log-signer', %s, purpose => 'checkpoints')", log_keys[1])
    (tmp_path / "state").mkdir()
    return {**settings, "checkpoint": {"signer": "log-signer", "key_file": log_keys[0], "state_file": tmp_path / "state" / "log", "interval_s": 1}}
