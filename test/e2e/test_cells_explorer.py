"""The explorer of a gateway with cells, in a browser."""

import os
import shutil
import subprocess
import sys

import pytest

from paths import ROOT


def test_the_explorer_shows_and_proves_what_lives_in_another_cell():
    if not (shutil.which("node") and (ROOT / "gateway/build/ui/index.html").exists()):
        pytest.skip("the explorer is built with Node and npm")
    # In a process of its own, because it enters a network of its own.
    ended = subprocess.run([sys.executable, ROOT / "test/ui/run.py", "--cells"], env={**os.environ, "PYTHONPATH": str(ROOT / "test/lib")},
                           capture_output=True, text=True, timeout=400, check=False)
    assert ended.returncode == 0 and "# pass 1" in ended.stdout, ended.stdout + ended.stderr
