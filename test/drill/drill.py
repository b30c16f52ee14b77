#!/usr/bin/env python3
"""Run the drills on private stacks, and write a report that is signed.

    drill.py [NAME…]      all of them, or those named; DRILLS=FILE has the list, DRILL_DIR= where the report goes,
                          DRILL_KEY= the PEM file of an Ed25519 key to sign it with (one is made else, and kept beside it)

report.json is signed as it lies, byte for byte, into report.sig:

    openssl pkeyutl -verify -pubin -inkey report.pub -rawin -in report.json -sigfile report.sig

A drill has passed when each of its tests has: one that was skipped was not practised. Exits with 1 when one has not.
"""

import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT_S = 1800


def drills():
    """(name, what, tests) of each."""
    for line in pathlib.Path(os.environ.get("DRILLS", ROOT / "test/drill/drills")).read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            name, what, tests = (word.strip() for word in line.split("|"))
            yield name, what, tests.split()


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def practise(name, what, tests, directory):
    results, measures, log = (directory / f"{name}.{end}" for end in ("xml", "measures", "log"))
    for path in (results, measures):
        path.unlink(missing_ok=True)
    started, began = now(), time.monotonic()
    with open(log, "wb") as output:
        try:
            subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={results}", *tests], cwd=ROOT, check=False,
                           timeout=LIMIT_S, stdout=output, stderr=output, env={**os.environ, "REASON_MEASURES": str(measures)})
        except subprocess.TimeoutExpired:
            output.write(b"\ngiven up: it took too long\n")
    cases = []
    if results.exists():
        for case in xml.etree.ElementTree.parse(results).getroot().iter("testcase"):
            result = next((kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None), "passed")
            cases.append({"test": case.get("name"), "result": result, "seconds": round(float(case.get("time", 0)), 1)})
    return {"name": name, "what": what, "command": " ".join(["pytest", *tests]), "started": started, "seconds": round(time.monotonic() - began, 1),
            "passed": bool(cases) and all(case["result"] == "passed" for case in cases), "tests": cases,
            "measures": [json.loads(line) for line in measures.read_text().splitlines()] if measures.exists() else []}


def sign(report, directory):
    key = pathlib.Path(os.environ.get("DRILL_KEY", directory / "drill-key.pem"))
    if not key.exists():
        with open(os.open(key, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True, capture_output=True).stdout)
    path = directory / "report.json"
    path.write_text(json.dumps(report, sort_keys=True, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", directory / "report.pub"], check=True)
    subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", path, "-out", directory / "report.sig"], check=True)


def main():
    directory = pathlib.Path(os.environ.get("DRILL_DIR", ROOT / ".build/drill"))
    directory.mkdir(parents=True, exist_ok=True)
    known = list(drills())
    wanted = sys.argv[1:] or [name for name, _, _ in known]
    for name in set(wanted) - {name for name, _, _ in known}:
        sys.exit(f"there is no drill {name}: {' '.join(name for name, _, _ in known)}")
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, check=False, capture_output=True, text=True).stdout.strip()
    report = {"started": now(), "commit": commit, "machine": f"{platform.platform()}, {os.cpu_count()} processors", "drills": []}
    for name, what, tests in known:
        if name in wanted:
            done = practise(name, what, tests, directory)
            report["drills"].append(done)
            print(f"{'passed' if done['passed'] else 'FAILED'}  {name}: {what} ({done['seconds']} s)")
            for measure in done["measures"]:
                print(f"          {measure['name']}: {measure['value']} {measure['unit']}")
            for case in done["tests"]:
                if case["result"] != "passed":
                    print(f"          {case['result']}: {case['test']}; see {directory / name}.log")
    report |= {"ended": now(), "passed": all(drill["passed"] for drill in report["drills"])}
    sign(report, directory)
    print(f"report: {directory}/report.json, signed in report.sig by the key of report.pub")
    return 0 if report["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
