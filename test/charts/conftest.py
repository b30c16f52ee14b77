"""The chart, rendered."""

import functools
import json

import pytest

from chart import LEAST, NoHelm, helm as find_helm, render


@pytest.fixture(scope="session")
def helm():
    """Renders the chart with values: a function of them, as a list of objects that are not to be changed. Each only once."""
    try:
        find_helm()
    except NoHelm as fault:
        pytest.skip(str(fault))
    kept = functools.cache(lambda text: render(text))
    return lambda values: kept(values if isinstance(values, str) else json.dumps(values))


@pytest.fixture(scope="session")
def least():
    """Values that the chart cannot do without."""
    return LEAST
