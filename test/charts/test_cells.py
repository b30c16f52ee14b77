"""Cells in the chart: what nginx is told of them."""

import re

import pytest

from chart import LEAST, Refused, changed, merged, one
from paths import ROOT

CELLS = merged(LEAST, {"gateway": {"cells": {
    "cell_b": {"conninfo": "host=b-rw port=6432 dbname=reason", "divisions": ["acme", "default", "v1.2"]},
    "cell_c": {"conninfo": "host=c-rw dbname=reason"}}, "clientDivisions": {"CN=authority planner": "acme"}}})


def files(objects):
    return one(objects, "ConfigMap", "reason-gateway")["data"]


def test_without_cells_nothing_tells_of_them(helm):
    found = files(helm(LEAST))
    assert not [name for name in found if name.startswith("cells-")] and "$reason_cell_reads" not in found["routes.conf"]
    assert "include /etc/reason/gateway/cells-cells.con[f];" in found["nginx.conf"]


def test_each_cell_has_an_upstream_and_its_divisions(helm):
    found = files(helm(CELLS))
    text = found["cells-cells.conf"]
    assert re.findall(r"^reason_upstream (\w+) \{$", text, re.M) == ["cell_b", "cell_c"]
    assert 'server "host=b-rw port=6432 dbname=reason target_session_attrs=read-write' in text and 'server "host=c-rw dbname=reason target' in text
    assert found["cells-divisions.conf"].splitlines() == ["acme cell_b;", "\\default cell_b;", "v1.2 cell_b;"]
    assert found["cells-clients.conf"].strip() == '"CN=authority planner" acme;'
    assert "reason_pass $reason_cell;" in found["cells-pass.conf"] and "reason_cells reason cell_b cell_c;" in found["cells-look.conf"]
    assert "include /etc/reason/gateway/cells-look.conf;" in found["cells-pass.conf"]
    assert "include /etc/reason/gateway/cells-divisions.con[f];" in text and "reason reason;" in text
    routes = (ROOT / "gateway/conf.d/routes.conf.in").read_text().count("reason_pass @READS@;")
    assert found["routes.conf"].count("reason_pass $reason_cell_reads;") == routes > 5
    assert not re.findall(r"@[A-Z_]+@", "".join(found.values()))


def test_standbys_are_those_of_the_default_cell(helm):
    assert "reason reads;" in files(helm(merged(CELLS, {"database": {"readConninfo": "host=standby", "maxConnections": 500}})))["cells-cells.conf"]


def test_each_cell_may_be_reached(helm):
    policy = one(helm(CELLS), "NetworkPolicy", "reason-gateway")
    assert {5432, 6432} <= {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}


@pytest.mark.parametrize("cells", (
    {"cell b": {"conninfo": "host=b"}}, {"reason": {"conninfo": "host=b"}}, {"b": {}}, {"b": {"conninfo": ""}}, {"b": {"conninfo": 'host=b" port=1'}},
    {"b": {"conninfo": "host=b", "divisions": ["a b"]}}, {"b": {"conninfo": "host=b", "divisions": ["a..b"]}}, {"b": {"conninfo": "host=b", "divisions": ["~x"]}},
    {"b": {"conninfo": "host=b", "divisions": ["x;"]}}, {"b": {"conninfo": "host=b", "divisions": ["x" * 64]}}, {"b": {"conninfo": "host=b", "division": ["x"]}},
    {"b": {"conninfo": "host=b", "divisions": ["acme"]}, "c": {"conninfo": "host=c", "divisions": ["Acme"]}},
))
def test_what_cannot_be_is_refused(helm, cells):
    with pytest.raises(Refused):
        helm(changed(LEAST, "gateway.cells", cells))


def test_a_client_needs_cells(helm):
    with pytest.raises(Refused, match="there are no gateway.cells"):
        helm(changed(LEAST, "gateway.clientDivisions", {"CN=a b": "acme"}))
