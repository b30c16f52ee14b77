"""Requests that Schemathesis makes up from the OpenAPI document: valid, almost valid, and chains of them.

Schemathesis comes from PyPI into .build/schemathesis; where that cannot be reached, this is skipped. REASON_FUZZ_SEED and
REASON_SCHEMATHESIS_EXAMPLES (20 for each operation) make another run of it.
"""

import os
import re
import subprocess
import sys

import pytest

from paths import ROOT

VERSION = "4.32.5"
# A schema cannot say all that is asked of a valid request (that a node is there, that a type is one of ours in any case);
# and there is no header that a caller without rights could leave out: without a certificate nothing is answered.
NOT_CHECKED = "positive_data_acceptance,ignored_auth"


@pytest.fixture(scope="module")
def schemathesis():
    directory = ROOT / ".build/schemathesis"
    program = directory / "bin/schemathesis"
    known = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout if program.exists() else ""
    if VERSION not in known:
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", directory], capture_output=True, text=True, check=False)
        if made.returncode == 0:
            made = subprocess.run([directory / "bin/pip", "install", "-q", "--retries", "1", "--timeout", "20", f"schemathesis=={VERSION}"],
                                  capture_output=True, text=True, check=False, timeout=300)
        if made.returncode != 0:
            pytest.skip("Schemathesis cannot be had here: " + (made.stderr or made.stdout).strip()[-300:])
    return program


def test_the_service_keeps_to_its_document(stack, schemathesis, tmp_path):
    env = stack.env
    done = subprocess.run([
        schemathesis, "run", env["REASON_URL"] + "/reason/openapi.json", "--tls-verify", env["REASON_CA"], "--request-cert", env["REASON_KERNEL_CERT"],
        "--request-cert-key", env["REASON_KERNEL_KEY"], "--phases", "examples,coverage,fuzzing,stateful", "--checks", "all", "--exclude-checks", NOT_CHECKED,
        "-n", os.environ.get("REASON_SCHEMATHESIS_EXAMPLES", "20"), "--seed", os.environ.get("REASON_FUZZ_SEED", "1"), "--continue-on-failure",
        "--warnings", "off", "--no-color"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=550)
    print(done.stdout[-6000:])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    tested, selected = map(int, re.search(r"Selected: (\d+)/(\d+)", done.stdout).groups())
    assert tested == selected == int(re.search(r"Tested: (\d+)", done.stdout).group(1))
