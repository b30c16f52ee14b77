#!/usr/bin/python3
"""Write the chart's README.md from the comments of its values.yaml; with --check say whether it is as it would be written.

A comment belongs to the key below it, and one at the end of a line to the key of that line. A map in braces is a value,
one in lines a section with values of its own.
"""

import json
import pathlib
import sys

import yaml

CHART = pathlib.Path(__file__).resolve().parent / "reasoning-graph"
BEFORE = """# reasoning-graph

{description}. Version {version}, for Kubernetes {kubernetes}.

```sh
helm install reason charts/reasoning-graph --values my-values.yaml
helm test reason
```

[On Kubernetes](../../docs/for-operators/kubernetes.md) says what must be there first, and how the pods behave. `examples/` holds values for what is not simply switched on.

## Values

A key that the chart does not know is refused (`values.schema.json`). The table is made from `values.yaml` by `charts/readme.py`.

| value | default | |
| --- | --- | --- |
"""


def comment_of(lines, key, value):
    """What is said above a key, and at the end of its line."""
    said, above = [], key.start_mark.line - 1
    while above >= 0 and lines[above].strip().startswith("#") and lines[above].index("#") == key.start_mark.column:
        said.insert(0, lines[above].strip().lstrip("#").strip())
        above -= 1
    if value.start_mark.line == value.end_mark.line == key.start_mark.line:
        rest = lines[value.end_mark.line][value.end_mark.column:].strip()
        if rest.startswith("#"):
            said.append(rest.lstrip("#").strip())
    return " ".join(said)


def rows(lines, node, path=()):
    """(name, default or None for a section, comment) of each value, in the order of the file."""
    for key, value in node.value:
        name = ".".join((*path, key.value))
        comment = comment_of(lines, key, value)
        if isinstance(value, yaml.MappingNode) and not value.flow_style:
            yield name, None, comment
            yield from rows(lines, value, (*path, key.value))
        else:
            yield name, yaml.safe_load(yaml.serialize(value)), comment


def readme():
    """The text of README.md."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    table = []
    for name, default, comment in rows(text.splitlines(), yaml.compose(text)):
        if default is None and not comment:
            continue
        shown = "" if default is None else f"`{json.dumps(default, ensure_ascii=False)}`"
        table.append(f"| `{name}` | {shown} | {comment} |".replace("|  |", "| |").replace("\\|", "|"))
    head = BEFORE.format(description=chart["description"], version=chart["version"], kubernetes=chart["kubeVersion"].removesuffix("-0"))
    return head + "\n".join(table) + "\n"


def main():
    target = CHART / "README.md"
    if sys.argv[1:] == ["--check"]:
        if not target.exists() or target.read_text(encoding="utf-8") != readme():
            sys.exit(f"{target.relative_to(CHART.parent.parent)} is not what values.yaml says: run charts/readme.py")
    else:
        target.write_text(readme(), encoding="utf-8")


if __name__ == "__main__":
    main()
