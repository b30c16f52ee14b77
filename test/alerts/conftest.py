"""A stack with everything outside, under a little traffic, and a Prometheus that watches it."""

import contextlib
import os
import shutil
import subprocess

import pytest

from prometheus_server import Prometheus, hastened
from stack import new_stack
from wait import wait_for
from watched_stack import Traffic, Watched, address


@pytest.fixture(scope="session")
def stack():
    if os.getuid() != 0:
        pytest.skip("the store's disk is mounted by root")
    with new_stack(Watched) as running, contextlib.closing(running):
        yield running


@pytest.fixture(scope="session")
def traffic(stack):
    with contextlib.closing(Traffic(stack)) as running:
        yield running


@pytest.fixture(scope="session")
def prometheus(stack, traffic, tmp_path_factory):
    if not shutil.which("prometheus"):
        pytest.skip("Prometheus is not installed")
    directory = tmp_path_factory.mktemp("prometheus")
    running = Prometheus(directory, {"gateway": (address(stack.env["REASON_OPS_URL"]), {"pod": "gateway-0"}),
                                     "sidecar": (address(stack.env["REASON_SIDECAR_METRICS"]), {"pod": "sidecar-0"})}, [hastened(30), hastened(5)])
    # of what was not scraped yet, alerts think that it is gone
    wait_for(lambda: len([value for _, value in running.query("min_over_time(up[8s]) * (count_over_time(up[8s]) > bool 6)") if value == 1]) == 2, 120, "scrapes")
    subprocess.run(["promtool", "check", "rules", *directory.glob("rules-*.yaml")], check=True, capture_output=True)
    yield running
    running.end()
