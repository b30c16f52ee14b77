"""A short form of test/bench/soak.sh: many connections, idle and busy, no error and memory that stays as it is."""

import os
import subprocess
import sys

from paths import ROOT


def test_memory_stays_flat_under_many_connections(stack):
    done = subprocess.run([sys.executable, ROOT / "test/bench/soak.py", "--run-dir", stack.run_dir, "--seconds", "15", "--idle", "200",
                           "--busy", "30"], env={**os.environ, "PYTHONPATH": str(ROOT / "test/lib")}, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 errors" in done.stdout
