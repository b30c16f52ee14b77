"""What a file of the extension may include: a folder only the folders below it, and no file one that includes it.

    python3 test/includes.py [FOLDER]      default: extension
"""

import collections
import pathlib
import re
import sys

# Each folder may include these, and what they may; init.c may include all.
BELOW = {
    "core": "",
    "port": "",
    "canonical": "core port",
    "record": "canonical",
    "graph": "record",
    "write": "record",
    "chain": "record",
    "cache": "graph",
    "trace": "cache",
    "snapshot": "graph chain",
}


def allowed(folder):
    """The folder itself and all below it."""
    return {folder}.union(*(allowed(below) for below in BELOW[folder].split()))


def read_includes(root):
    """File → files of ours that it includes."""
    files = {str(path.relative_to(root)): path for path in sorted(root.rglob("*.[ch]"))}
    return {
        name: [included for included in re.findall(r'^#include "([^"]+)"', path.read_text(), re.M) if included in files]
        for name, path in files.items()
    }


def against_the_arrows(includes):
    """What includes a folder that it must not know."""
    for name, included in includes.items():
        folder = str(pathlib.PurePath(name).parent)
        if folder == ".":
            continue
        if folder not in BELOW:
            yield f"{name}: test/includes.py does not say what {folder}/ may include"
            continue
        for other in included:
            if str(pathlib.PurePath(other).parent) not in allowed(folder):
                yield f"{name} includes {other}: {folder}/ may include {', '.join(sorted(allowed(folder)))} only"


def circles(includes):
    """What includes itself by way of others: a .c file and its header count as one."""
    families = collections.defaultdict(set)
    for name, included in includes.items():
        families[name[:-2]] |= {other[:-2] for other in included} - {name[:-2]}
    done = set()

    def visit(family, path):
        if family in path:
            yield " → ".join([*path[path.index(family):], family]) + ": a circle of includes"
        elif family not in done:
            for other in sorted(families[family]):
                yield from visit(other, [*path, family])
            done.add(family)

    for family in sorted(families):
        yield from visit(family, [])


def beyond_core(root):
    """core/ knows nothing of PostgreSQL, and the verifier nothing of the extension but core/."""
    verifier = root.parent / "sidecar" / "verify"
    for path in [*sorted((root / "core").glob("*.[ch]")), *sorted(verifier.glob("*.[ch]"))]:
        for included in re.findall(r'^#include "([^"]+)"', path.read_text(), re.M):
            if not (included.startswith("core/") and (root / included).exists()) and not (path.parent / included).exists():
                yield f"{path.relative_to(root.parent)} includes {included}, which is not in {root.name}/core/"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[1] / "extension")
    includes = read_includes(root)
    if not includes:
        sys.exit(f"{root}: nothing to check")
    faults = [*against_the_arrows(includes), *circles(includes), *beyond_core(root)]
    print("\n".join(faults) or f"{len(includes)} files, no include against the arrows, no circle")
    sys.exit(1 if faults else 0)


main()
