"""Values against an OpenAPI document."""

import re


def resolve(document, schema):
    while "$ref" in schema:
        found = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def check(document, schema, value, where="$"):
    """As much of JSON Schema as the document uses."""
    schema = resolve(document, schema)
    kinds = schema.get("type", [])
    names = {"object": dict, "array": list, "string": str, "number": (int, float), "integer": int, "boolean": bool, "null": type(None)}
    if kinds:
        assert isinstance(value, tuple(t for k in ([kinds] if isinstance(kinds, str) else kinds)
                                       for t in (names[k] if isinstance(names[k], tuple) else (names[k],)))), (where, value)
    if "enum" in schema:
        assert value in schema["enum"], (where, value)
    if "const" in schema:
        assert value == schema["const"], (where, value)
    if "pattern" in schema:
        assert re.search(schema["pattern"], value), (where, value)
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for name in schema.get("required", []):
            assert name in value, (where, name)
        if schema.get("additionalProperties") is False:
            assert set(value) <= set(properties), (where, set(value) - set(properties))
        for name, member in value.items():
            if name in properties:
                check(document, properties[name], member, f"{where}.{name}")
    if isinstance(value, list) and "items" in schema:
        for index, member in enumerate(value):
            check(document, schema["items"], member, f"{where}[{index}]")
