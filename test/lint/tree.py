"""The tracked files of the project, and what of a C file is comment and what is code."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]

_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def tracked(*patterns):
    """Paths relative to the root, of files that git knows or would add."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", *patterns], cwd=ROOT, check=True, capture_output=True,
                            text=True).stdout.splitlines()
    return sorted(path for path in listed if (ROOT / path).is_file())


def text_of(path):
    return (ROOT / path).read_text(encoding="utf-8")


def comments_of(text):
    """(line number, comment) for each comment of a C file; strings are no comments."""
    for match in _TOKEN.finditer(text):
        if match.group().startswith(("/*", "//")):
            yield text.count("\n", 0, match.start()) + 1, match.group()


def code_of(text):
    """A C file without its comments."""
    return _TOKEN.sub(lambda match: " " if match.group().startswith(("/*", "//")) else match.group(), text)


def includes_of(path):
    """What a C file includes by a name in quotes."""
    return re.findall(r'^#include "([^"]+)"', text_of(path), re.MULTILINE)


def report(faults):
    """Prints them, a line each; the status to end with."""
    count = 0
    for count, fault in enumerate(faults, 1):
        print(fault)
    return 1 if count else 0
