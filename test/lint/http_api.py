#!/usr/bin/env python3
"""Routes and their parameters are the same in four places: the gateway's locations and the SQL functions that they call, the
OpenAPI document, and docs/for-clients/http-api.md.

In the document a route has a row of a table, or a paragraph, that names it (`GET /reason/node/{id}`); its parameters stand
there in backticks. Parameters of a route that is told in prose, headers and members of bodies may stand anywhere in a section
that names it.
"""
import json
import re
import sys

from tree import report, text_of, tracked

ROUTES = "gateway/conf.d/routes.conf.in"
OPENAPI = "gateway/openapi.json"
DOCUMENT = "docs/for-clients/http-api.md"
# What answers without the database, or describes all this.
FILES = {"/reason/openapi.json"}
SERVICE = {("GET", "/health"), ("GET", "/ready")}
# What many routes take, and the document tells once.
GENERAL = {"Idempotency-Key", "actor"}
# Names that OpenAPI gives to parts of a path, where tlog-tiles and the document use others.
SPELT = {"/reason/log/{log}/checkpoint": "/reason/log/{division}/checkpoint", "/reason/log/{log}/consistency": "/reason/log/{division}/consistency",
         "/reason/log/{log}/tile/{path}": "/reason/log/{division}/tile/"}


def routes():
    """(method, path) → the SQL function that answers."""
    found = {}
    for kind, place, block in re.findall(r"^location (=|~) (\S+) \{\n(.*?)^\}", text_of(ROUTES), re.M | re.S):
        path = place if kind == "=" else re.sub(r"\(\?<(\w+)>[^)]*\)", r"{\1}", place.strip("^$"))
        if path not in FILES:
            method = re.search(r"reason_methods (\w+);", block)
            found[method.group(1) if method else "GET", path] = re.search(r"reason_call (\w+)", block).group(1)
    return found


def taken():
    """SQL function → the parameters of a query string that it takes."""
    found = {}
    for path in tracked("sql/http/*.sql"):
        for function, body in re.findall(r"CREATE FUNCTION reason\.(http_\w+)\((.*?)^\$\$;", text_of(path), re.M | re.S):
            allowed = re.search(r"http_query\(query, (?:'\{(.*?)\}'|ARRAY\[(.*?)\])", body, re.S)
            found[function] = set(re.findall(r"\w+", "".join(filter(None, allowed.groups())))) if allowed else set()
    return found


class Openapi:
    def __init__(self):
        self.document = json.loads(text_of(OPENAPI))
        self.operations = {(method.upper(), path): operation for path, methods in self.document["paths"].items() for method, operation in methods.items()}

    def resolve(self, part):
        while "$ref" in part:
            found = self.document
            for name in part["$ref"].split("/")[1:]:
                found = found[name]
            part = found
        return part

    def parameters(self, operation, place):
        return {one["name"] for one in map(self.resolve, operation.get("parameters", [])) if one["in"] == place}

    def members(self, operation):
        """Of the object that is the body."""
        if "requestBody" not in operation:
            return set()
        content, = self.resolve(operation["requestBody"])["content"].values()
        return set(self.resolve(content["schema"]).get("properties", {}))


def told(text, method, path):
    """Where the document tells of a route: (the first line that names it, the sections that do)."""
    spelt = SPELT.get(path, path)
    name = re.compile(rf"`(?:{method} )?{re.escape(spelt)}" + ("" if spelt.endswith("/") else "[`?]"))
    sections = [section for section in re.split(r"^(?=## )", text, flags=re.M) if name.search(section)]
    return next((line for line in text.splitlines() if name.search(line)), None), "".join(sections)


def check():
    """What is wrong, a line each."""
    openapi, located, queries, text = Openapi(), routes(), taken(), text_of(DOCUMENT)
    for method, path in sorted(set(located) ^ (set(openapi.operations) - SERVICE)):
        yield f"{method} {path}: is in one of {ROUTES} and {OPENAPI} alone"
    for (method, path), operation in sorted(openapi.operations.items()):
        route, asked = f"{method} {path}", openapi.parameters(operation, "query")
        allowed = queries.get(located.get((method, path)), set())
        for name in sorted(asked ^ allowed):
            yield f'{route}: parameter "{name}" is in one of sql/http and {OPENAPI} alone'
        line, sections = told(text, method, path)
        if not line:
            yield f"{route}: {DOCUMENT} does not name it"
            continue
        in_table = line.startswith("|")
        for name in sorted(asked | openapi.members(operation) | openapi.parameters(operation, "header")):
            where = text if name in GENERAL else line if in_table and name in asked else sections
            if not re.search(rf"\b{re.escape(name)}\b", where):
                yield f'{route}: {DOCUMENT} does not tell of "{name}"'
        if in_table and method == "GET":
            for name in sorted(set(re.findall(r"`(\w+)`", line.split("|")[2])) - asked):
                yield f'{route}: {DOCUMENT} tells of parameter "{name}", which there is not'


if __name__ == "__main__":
    sys.exit(report(check()))
