#!/usr/bin/env python3
"""Tests share what is in test/lib, and nothing else: no test file knows another, and a conftest.py has only fixtures."""
import ast
import pathlib
import sys

from tree import report, text_of, tracked


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


def is_fixture_or_hook(definition):
    return definition.name.startswith("pytest_") or any("pytest.fixture" in ast.unparse(decorator) for decorator in definition.decorator_list)


def check():
    """What is wrong, a line each."""
    paths = [pathlib.Path(path) for path in tracked("test/*.py")]
    suites = {path.parent.name for path in paths if path.name.startswith("test_")}
    for path in paths:
        tree = ast.parse(text_of(path))
        for line, name in imported(tree):
            if name == "conftest" or name.startswith("test_"):
                yield f"{path}:{line}: imports {name}; what tests share belongs into test/lib"
        if path.parts[1] != "lint" and "sys.path" in ast.unparse(tree):
            yield f"{path}: changes sys.path; test/pytest.ini names test/lib, and scripts set PYTHONPATH"
        if path.name == "conftest.py":
            for definition in tree.body:
                if isinstance(definition, (ast.FunctionDef, ast.ClassDef)) and not is_fixture_or_hook(definition):
                    yield f"{path}:{definition.lineno}: {definition.name} is no fixture; it belongs into test/lib"
        elif path.parent.name in suites and not path.name.startswith("test_"):
            yield f"{path}: is no test; it belongs into test/lib"
        if path.parent.name == "lib" and (path.stem in suites or path.stem in sys.stdlib_module_names):
            yield f"{path}: has the name of a suite or of a module of Python"


if __name__ == "__main__":
    sys.exit(report(check()))
