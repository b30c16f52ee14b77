"""Helpers' assertions say as much as those of tests do."""

import pathlib

import pytest

pytest.register_assert_rewrite(*(path.stem for path in (pathlib.Path(__file__).parent / "lib").glob("*.py")))

pytest_plugins = ["claimed_files"]
