"""The report of the drills says what was practised, and is signed."""

import json
import os
import subprocess
import sys

import pytest

from paths import ROOT

TESTS = """
import pytest
from measures import measured

def test_it_goes_well():
    measured("time to recover", 1.5, "s")

def test_it_goes_wrong():
    assert False

def test_it_was_not_practised():
    pytest.skip("no machine")
"""


@pytest.fixture
def drill(tmp_path):
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "drills").write_text("# a comment\n" + "".join(f"{name} | what it is | {tmp_path}/test_some.py::test_it_{test}\n" for name, test in (
        ("well", "goes_well"), ("wrong", "goes_wrong"), ("skipped", "was_not_practised"), ("nowhere", "is_not_there"))))

    def run(*names):
        done = subprocess.run([sys.executable, ROOT / "test/drill/drill.py", *names], capture_output=True, text=True, timeout=120, check=False,
                              env={**os.environ, "DRILLS": str(tmp_path / "drills"), "DRILL_DIR": str(tmp_path / "out"), "PYTHONPATH": str(ROOT / "test/lib")})
        return done.returncode, done.stdout + done.stderr
    return run, tmp_path / "out"


def verifies(directory):
    done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "report.pub", "-rawin", "-in", "report.json", "-sigfile", "report.sig"],
                          cwd=directory, capture_output=True, check=False)
    return done.returncode == 0


def test_a_drill_that_went_well_is_reported_with_what_was_measured(drill):
    run, directory = drill
    code, said = run("well")
    assert code == 0 and "passed  well" in said and "time to recover: 1.5 s" in said, said
    report = json.loads((directory / "report.json").read_text())
    one, = report["drills"]
    assert report["passed"] and one["passed"] and [case["result"] for case in one["tests"]] == ["passed"]
    assert one["measures"] == [{"name": "time to recover", "value": 1.5, "unit": "s"}]


def test_the_report_is_signed_and_cannot_be_changed(drill):
    run, directory = drill
    assert run("wrong")[0] == 1 and verifies(directory)
    path = directory / "report.json"
    path.write_text(path.read_text().replace("false", "true"))
    assert not verifies(directory)


@pytest.mark.parametrize("name, result", [("wrong", "failure"), ("skipped", "skipped"), ("nowhere", None)])
def test_what_failed_or_was_not_practised_has_not_passed(drill, name, result):
    run, directory = drill
    code, said = run("well", name)
    assert code == 1 and f"FAILED  {name}" in said and "passed  well" in said, said
    report = json.loads((directory / "report.json").read_text())
    assert not report["passed"] and [one["passed"] for one in report["drills"]] == [True, False]
    assert result is None or [case["result"] for case in report["drills"][1]["tests"]] == [result]


def test_a_drill_that_is_none_is_refused(drill):
    run, _ = drill
    code, said = run("unheard-of")
    assert code == 1 and "there is no drill unheard-of" in said
