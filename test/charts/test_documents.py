"""The chart's README is made of values.yaml, and its schema knows each of its values and no others."""

import copy
import json
import subprocess

import yaml

from chart import CHART, changed
from paths import ROOT

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def resolved(schema):
    return SCHEMA["definitions"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def differences(schema, values, path=""):
    """What one has and the other has not, but for sidecar.config, whose keys the sidecar knows, and maps that are passed on."""
    schema = resolved(schema)
    if path == "sidecar.config." or not isinstance(values, dict) or "properties" not in schema:
        return
    for key in sorted(set(schema["properties"]) ^ set(values)):
        yield path + key
    for key in set(schema["properties"]) & set(values):
        yield from differences(schema["properties"][key], values[key], f"{path}{key}.")


def objects(schema, path=""):
    """(path, schema) of each object in the schema."""
    schema = resolved(schema)
    if schema.get("type") == "object" or "properties" in schema:
        yield path, schema
    for key, inner in {**schema.get("properties", {}), **schema.get("patternProperties", {})}.items():
        yield from objects(inner, f"{path}.{key}".lstrip("."))
    if isinstance(schema.get("items"), dict):
        yield from objects(schema["items"], f"{path}[]")


def test_the_readme_is_what_values_say():
    done = subprocess.run([ROOT / "charts/readme.py", "--check"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_schema_knows_the_values_that_there_are():
    assert list(differences(SCHEMA, {"global": {}, **VALUES})) == []


def test_an_object_of_the_schema_is_strict_or_passed_on():
    """One with keys of its own knows all of them, but for librdkafka's."""
    for path, schema in objects(SCHEMA):
        if schema.get("properties") and path != "sidecar.config.kafka":
            assert schema.get("additionalProperties") is False, path


def test_a_value_that_the_schema_does_not_know_would_be_noticed():
    strange = changed(copy.deepcopy(VALUES), "gateway.strange", 1)
    assert list(differences(SCHEMA, {"global": {}, **strange})) == ["gateway.strange"]
