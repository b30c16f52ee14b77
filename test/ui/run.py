"""Runs the browser's tests against a stack of its own: run.py [NAME-PATTERN]; run.py --again LOG those that failed in what an
earlier run printed; run.py --pictures makes those of the documentation; run.py --cells looks at a division of another cell."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from cells import two_cells
from own_network import enter_own_network
from paths import PG_BIN, ROOT
from stack import new_stack


def mermaid():
    """The script of Mermaid, from the registry; nothing where it is not to be had."""
    directory = ROOT / ".build/mermaid"
    script = directory / "node_modules/mermaid/dist/mermaid.min.js"
    lock = (ROOT / "test/ui/mermaid/package-lock.json").read_text()
    if not script.exists() or (directory / "package-lock.json").read_text() != lock:
        shutil.copytree(ROOT / "test/ui/mermaid", directory, dirs_exist_ok=True)
        ended = subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=directory, timeout=900, check=False)
        if ended.returncode != 0:
            return {}
    return {"REASON_MERMAID": str(script)}


def browse(stack, files, *options, **more):
    """How the tests in these files end, against that stack."""
    return subprocess.run(["node", "--test", "--test-reporter=tap", "--test-concurrency=1", "--test-timeout=1800000", *options, *files], check=False, timeout=5400,
                          env={**os.environ, **stack.env, "REASON_RUN_DIR": str(stack.run_dir), "REASON_ROOT": str(ROOT), "REASON_PSQL": str(PG_BIN / "psql"), **more}).returncode


def main():
    if sys.argv[1:] == ["--cells"]:
        enter_own_network()
        with two_cells() as (home, _):
            return browse(home, [ROOT / "test/ui/cells.mjs"])
    pictures = sys.argv[1:] == ["--pictures"]
    if sys.argv[1:2] == ["--again"]:
        failed = re.findall(r"^not ok \d+ - (.*)$", Path(sys.argv[2]).read_text(), re.MULTILINE)
        pattern = [f"--test-name-pattern=^{re.escape(name)}$" for name in failed]
    else:
        pattern = [f"--test-name-pattern={sys.argv[1]}"] if len(sys.argv) > 1 and not pictures else []
    script = {} if pictures else mermaid()
    # Chromium ends what it is loading (ERR_NETWORK_CHANGED) when an interface comes or goes: other suites make some.
    enter_own_network()
    with new_stack() as stack:
        # One client that may not see personal data, and one that may see all.
        stack.certificate("masked")
        stack.certificate("auditor")
        with stack.database() as database:
            database.execute("SELECT reason.set_client('masked', 'reader', '{default}'), reason.set_client('auditor', 'auditor', '{*}', pii => true)")
        return browse(stack, [ROOT / "test/ui/pictures.mjs"] if pictures else sorted(ROOT.glob("test/ui/*.test.mjs")), *pattern, **script)


if __name__ == "__main__":
    sys.exit(main())
