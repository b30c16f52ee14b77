"""The chart's dashboard: it is one by Grafana's own types, and each of its queries gives something on a stack that works."""

import json
import math
import re
import shutil
import subprocess
import time

import pytest

from paths import ROOT
from wait import wait_for

DASHBOARD = ROOT / "charts" / "reasoning-graph" / "files" / "dashboard.json"
PANELS = json.loads(DASHBOARD.read_text())["panels"]
QUERIES = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]


def filled(expression):
    """As Grafana fills it in: all jobs, and an interval of some scrapes."""
    text = expression.replace("$__rate_interval", "15s").replace("$job", ".+")
    assert "$" not in text, text
    return text


@pytest.mark.parametrize("title, expression", QUERIES, ids=[f"{place}" for place in range(len(QUERIES))])
def test_each_query_gives_something(prometheus, title, expression):
    found = wait_for(lambda: [value for _, value in prometheus.query(filled(expression)) if not math.isnan(value)], 60, f"{title}: {expression}")
    assert found


def test_what_a_query_is_called_by_is_a_label(prometheus):
    """Each {{label}} of a legend is one that the series have."""
    time.sleep(2)
    for panel in PANELS:
        for target in panel["targets"]:
            for label in re.findall(r"{{(\w+)}}", target.get("legendFormat", "")):
                found = prometheus.query(filled(target["expr"]))
                assert found and all(label in labels for labels, _ in found), (panel["title"], label)


def test_jobs_are_found(prometheus):
    variable, = (one for one in json.loads(DASHBOARD.read_text())["templating"]["list"] if one["name"] == "job")
    selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]).groups()
    assert set(prometheus.data(f"label/{label}/values", **{"match[]": selector})) == {"gateway", "sidecar"}


def test_it_is_a_dashboard_by_grafanas_own_types(tmp_path):
    if not (shutil.which("go") or list((ROOT / ".build/dashboard").glob("dashboard-v*"))):
        pytest.skip("building what reads it needs go")
    program = subprocess.run([ROOT / "test/stack/dashboard.sh", ROOT / ".build/dashboard"], check=True, capture_output=True, text=True, timeout=590).stdout.strip()

    def read(text):
        (tmp_path / "dashboard.json").write_text(text)
        return subprocess.run([program, tmp_path / "dashboard.json"], capture_output=True, text=True, timeout=60, check=False)
    text = DASHBOARD.read_text()
    done = read(text)
    assert done.returncode == 0, done.stderr
    for wrong in (text.replace('"targets"', '"target"', 1), text.replace('"h": 8', '"h": "eight"', 1), text.replace('"expr"', '"expression"', 1)):
        assert read(wrong).returncode != 0
