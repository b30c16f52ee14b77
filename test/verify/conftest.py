"""A directory with a registry, and objects to check."""

import pytest

from evidence import World


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)
