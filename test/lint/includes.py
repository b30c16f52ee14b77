#!/usr/bin/env python3
"""Which folder may include which: an include against the arrows, or a circle, is an error.

    includes.py            checks extension/, sidecar/ and gateway/module/, and that each folder of code says what it is for
    includes.py --house    prints the picture of docs/architecture.md

The arrows below are the plan; the picture is made from the includes that there are.
"""
import collections
import os
import re
import sys

from tree import ROOT, includes_of, report, text_of, tracked

# Folder: what it may include besides itself, folders or single headers. "" is the folder's own top.
ALLOWED = {
    "extension": {
        "core": [],
        "port": [],
        "http": ["core"],
        "canonical": ["core", "port"],
        "record": ["core", "port", "canonical"],
        "graph": ["core", "port", "canonical", "record"],
        "cache": ["core", "port", "canonical", "record", "graph"],
        "redact": ["core", "port", "canonical", "record"],
        "trace": ["core", "port", "canonical", "record", "redact", "graph", "cache"],
        "derived": ["core", "canonical", "record", "graph", "trace"],
        "compare": ["core", "canonical", "record", "graph", "trace", "derived"],
        "export": ["core", "canonical", "record", "graph", "trace", "derived"],
        "write": ["core", "port", "canonical", "record"],
        "chain": ["core", "port", "canonical", "record"],
        "snapshot": ["core", "port", "canonical", "record", "redact", "graph", "chain"],
        "log": ["core", "port", "canonical", "record", "chain"],
    },
    "sidecar": {
        "base": [],
        "net": ["base"],
        "kubernetes": ["base", "net"],
        "signer": ["base", "net"],
        "store": ["base", "net"],
        "tracing": ["base", "net"],
        "readback": ["base", "net", "store"],
        "tlog": ["base", "store"],
        "witness": ["base", "net", "signer"],
        "mirror": ["base", "net"],
        "stage": ["base", "net", "signer", "store", "tracing", "readback", "tlog", "witness", "mirror"],
        # A program of its own. How requests to S3 are signed it shares with the sidecar; for that header alone.
        "verify": ["net/sigv4.h"],
        # Another, which signs with the sidecar's keys and reads as the verifier does.
        "approve": ["base", "signer", "verify/verify.h"],
        # A client, which reads the store as the sidecar does.
        "canary": ["base", "net", "store"],
        # Another client, which brings records.
        "import": ["base", "net", "verify/verify.h"],
    },
    "gateway/module": {
        "base": [],
        "pg": ["base"],
        "tracing": ["base"],
        "http": ["base", "pg", "tracing"],
    },
}
# Whoever stands at the top of these may include all of it, and nothing includes the top.
TOP_INCLUDES_ALL = {"extension", "sidecar", "gateway/module"}
# pg/ and tracing/ know nothing of nginx's HTTP, nor does what lies below them: not even nginx's part of it.
NO_HTTP = ("gateway/module/base/", "gateway/module/pg/", "gateway/module/tracing/")
# Folders of code have a README.md; below these the one at their top has a line for each folder.
CODE = ("*.c", "*.h", "*.sql", "*.py", "*.sh", "*Makefile", "*.yaml")
TOLD_AT_THE_TOP = ("test", "charts")


def graph_of(top):
    """Each C file below `top`, by its path there, and the files below `top` that it includes."""
    files = [os.path.relpath(path, top) for path in tracked(f"{top}/*.c", f"{top}/*.h") if "/build/" not in path]
    known = set(files)
    result = {}
    for name in files:
        near = os.path.dirname(name)
        found = set()
        for included in includes_of(f"{top}/{name}"):
            beside = os.path.normpath(os.path.join(near, included))
            if beside in known:
                found.add(beside)
            elif included in known:
                found.add(included)
        result[name] = found
    return result


def folder_edges(graph):
    """How many includes lead from a folder to another."""
    edges = collections.Counter()
    for name, included in graph.items():
        for other in included:
            if os.path.dirname(name) != os.path.dirname(other):
                edges[os.path.dirname(name), os.path.dirname(other)] += 1
    return edges


def units(graph):
    """The graph of units: a .c and the .h of its name are one."""
    def unit(name):
        return os.path.splitext(name)[0]
    merged = collections.defaultdict(set)
    for name, included in graph.items():
        merged[unit(name)] |= {unit(other) for other in included} - {unit(name)}
    return merged


def circles(graph):
    """Strongly connected components of more than one member (Tarjan 1972), without recursion."""
    index, low, on_stack, stack, found = {}, {}, set(), [], []
    for start in sorted(graph):
        if start in index:
            continue
        work = [(start, iter(sorted(graph[start])))]
        index[start] = low[start] = len(index)
        stack.append(start)
        on_stack.add(start)
        while work:
            node, successors = work[-1]
            for successor in successors:
                if successor not in index:
                    index[successor] = low[successor] = len(index)
                    stack.append(successor)
                    on_stack.add(successor)
                    work.append((successor, iter(sorted(graph.get(successor, ())))))
                    break
                if successor in on_stack:
                    low[node] = min(low[node], index[successor])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == node:
                            break
                    if len(component) > 1:
                        found.append(sorted(component))
    return found


def check():
    """What is wrong, a line each."""
    for top, allowed in ALLOWED.items():
        graph = graph_of(top)
        for name, included in sorted(graph.items()):
            folder = os.path.dirname(name)
            for other in sorted(included):
                target = os.path.dirname(other)
                if folder == target or (folder == "" and top in TOP_INCLUDES_ALL):
                    continue
                if target not in allowed.get(folder, []) and other not in allowed.get(folder, []):
                    yield f"{top}/{name} includes {other}, against the arrows: {folder or 'the top'} may include {', '.join(allowed.get(folder, [])) or 'nothing'}"
        for component in circles(units(graph)):
            yield f"{top}: these include each other in a circle: {', '.join(component)}"
    for path in tracked("gateway/module/*.[ch]"):
        if path.startswith(NO_HTTP) and re.search(r"^#include <ngx_http", text_of(path), re.MULTILINE):
            yield f"{path} includes nginx's HTTP"
    yield from silent_folders()


def silent_folders():
    """Folders of code that say nowhere what they are for."""
    for folder in sorted({os.path.dirname(path) for path in tracked(*CODE)} - {""} - set(TOLD_AT_THE_TOP)):
        top, _, below = folder.partition("/")
        if top in TOLD_AT_THE_TOP:
            name = below.split("/")[0]
            if not re.search(rf"`({top}/)?{name}/`", text_of(f"{top}/README.md")):
                yield f"{top}/README.md says nothing of {name}/"
        elif not (ROOT / folder / "README.md").is_file():
            yield f"{folder} has no README.md"


def floors(top):
    """Folders by the longest way down, lowest floor first."""
    edges = folder_edges(graph_of(top))
    folders = {folder for edge in edges for folder in edge}
    floor = {}

    def depth(folder):
        if folder not in floor:
            floor[folder] = 0
            floor[folder] = 1 + max((depth(other) for (source, other) in edges if source == folder), default=-1)
        return floor[folder]
    for folder in folders:
        depth(folder)
    return edges, floor


def house():
    """The picture: a floor a line, each folder with the folders that it includes."""
    lines = []
    for top in ALLOWED:
        edges, floor = floors(top)
        lines.append(f"{top}/")
        for height in sorted(set(floor.values()), reverse=True):
            for folder in sorted(folder for folder in floor if floor[folder] == height):
                targets = sorted((target for (source, target) in edges if source == folder), key=lambda target: (-floor[target], target))
                arrow = f" ──► {' '.join(targets)}" if targets else ""
                lines.append(f"  {height} │ {(folder or '(top)') :<10}{arrow}".rstrip())
    return "\n".join(lines)


BEGIN, END = "<!-- made by make house -->\n```\n", "\n```\n<!-- end of make house -->"


def picture_of(document):
    """The picture that a document holds."""
    return document.partition(BEGIN)[2].partition(END)[0]


def main():
    path = ROOT / "docs/architecture.md"
    document = path.read_text(encoding="utf-8")
    if sys.argv[1:] == ["--house"]:
        before, _, rest = document.partition(BEGIN)
        path.write_text(before + BEGIN + house() + END + rest.partition(END)[2], encoding="utf-8")
        return 0
    faults = list(check())
    if picture_of(document) != house():
        faults.append("docs/architecture.md: the picture of the folders is not that of the code: run make house")
    return report(faults)


if __name__ == "__main__":
    sys.exit(main())
