#!/usr/bin/env python3
"""Fragments of the changelog: NAME.KIND.md of a kind that docs/changes/towncrier.toml knows, with a text for users."""
import pathlib
import re
import sys
import tomllib

from tree import report, text_of, tracked

FOLDER = "docs/changes"
OURS = {"README.md", "towncrier.toml", "release.md.jinja"}


def check():
    """What is wrong, a line each."""
    kinds = [kind["directory"] for kind in tomllib.loads(text_of(f"{FOLDER}/towncrier.toml"))["tool"]["towncrier"]["type"]]
    for path in map(pathlib.Path, tracked(f"{FOLDER}/*")):
        if path.name in OURS:
            continue
        if not re.fullmatch(rf"[a-z0-9-]*[a-z-][a-z0-9-]*\.({'|'.join(kinds)})\.md", path.name):
            yield f"{path}: is not NAME.KIND.md with a name in lower case and one of the kinds {', '.join(kinds)}"
        elif not text_of(path).strip() or text_of(path).lstrip().startswith(("-", "*", "#")):
            yield f"{path}: is to hold a sentence or two, without a bullet or a heading"


if __name__ == "__main__":
    sys.exit(report(check()))
