"""The description names every route there is, and no other."""

import json
import re

from conftest import ROOT

DOCUMENT = json.loads((ROOT / "gateway/openapi.json").read_text())


def test_every_route_is_described_with_its_method():
    routes = {}
    text = (ROOT / "gateway/conf.d/routes.conf.in").read_text()
    for path, block in re.findall(r"location (?:=|~) (\S+) \{(.*?)\n\}", text, re.S):
        path = re.sub(r"\(\?<id>[^)]*\)", "{id}", path).strip("^$")
        routes[path] = "post" if "reason_methods POST" in block else "get"
    described = {path: next(iter(operations)) for path, operations in DOCUMENT["paths"].items() if path not in ("/health", "/ready")}
    assert described == routes


def test_every_reference_leads_somewhere_and_every_operation_names_its_errors():
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT)):
        found = DOCUMENT
        for name in reference.split("/"):
            found = found[name]
    names = []
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            names.append(operation["operationId"])
            assert {"400", "401", "403", "405", "429", "500", "502", "503", "504"} <= set(operation["responses"]), path
            assert ("{id}" not in path) or {"$ref": "#/components/parameters/id"} in operation["parameters"], path
    assert len(names) == len(set(names))
