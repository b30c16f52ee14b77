#!/usr/bin/env python3
"""The layout of C: what `make format` makes of it, and whether that would change anything.

    layout.py [FILE…]            prints what would change; fails if anything would, or a line is too long
    layout.py --write [FILE…]    changes it

uncrustify sets spaces, braces and indentation, by the settings of the folder (layout/). What it cannot say is done here:
the column of declared names, as pgindent has it in extension/ and nginx's own code in gateway/module/, and pgindent's tabs.
Lines are broken by hand.
"""
import concurrent.futures
import difflib
import os
import re
import subprocess
import sys

from tree import ROOT, text_of, tracked

NAME_COLUMN = 12                # pgindent's: of a declared name, behind its indentation
TAB = 4
DECLARATION = re.compile(
    r"(?P<indent>(?: {4})*)(?P<type>(?:(?:const|static|extern|volatile|struct|enum|union|unsigned|signed|long|short) +)*(?P<word>[A-Za-z_]\w*))"
    r" +(?P<stars>\**)(?P<rest>(?:const )?[A-Za-z_]\w*(?:\[[^=;]*\])*(?:;| = |,| =$| ?: ?\d).*)")
NO_TYPES = {"return", "goto", "typedef", "case", "else", "do", "const", "static", "extern", "volatile", "struct", "enum", "union"}
COMMENT = re.compile(r" */\*.*?\*/$")
TOKEN = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|  +', re.DOTALL)


def declaration(line):
    """What declares variables or a member, in a line of its own; a list of parameters does not."""
    found = DECLARATION.fullmatch(line)
    if not found or found["word"] in NO_TYPES or found["type"].split()[0] in ("return", "goto", "typedef", "case", "else"):
        return None
    code = COMMENT.sub("", line)
    return None if code.endswith(",") or code.count(")") > code.count("(") else found


def outside_comments(text):
    """(line, whether it begins outside of a comment and a continued macro) of each line."""
    inside = False
    for line in text.splitlines():
        yield line, not inside
        for token in re.finditer(r'"(?:\\.|[^"\\])*"|/\*|\*/', line):
            if token.group() in ("/*", "*/"):
                inside = token.group() == "/*"


def postgresql_names(text):
    for line, is_code in outside_comments(text):
        found = declaration(line) if is_code else None
        if found:
            gap = max(1, NAME_COLUMN - len(found["type"]) - len(found["stars"]))
            line = f"{found['indent']}{found['type']}{' ' * gap}{found['stars']}{found['rest']}"
        yield line


def nginx_names(text):
    """Two spaces between the longest type of a block of declarations and the names, stars between; comments in one column."""
    block = []

    def flush():
        width = max((len(found["type"]) + len(found["stars"]) for found in block), default=0) + 2
        lines = [f"{found['indent']}{found['type']}{' ' * (width - len(found['type']) - len(found['stars']))}{found['stars']}{found['rest']}"
                 for found in block]
        if lines != [found.string for found in block]:
            column = max((len(COMMENT.sub("", line)) for line in lines if COMMENT.search(line)), default=0) // TAB * TAB + TAB
            lines = [COMMENT.sub(lambda match: " " * (column - match.start()) + match.group().lstrip(), line) for line in lines]
        yield from lines
        block.clear()

    for line, is_code in outside_comments(text):
        line = re.sub(r"^( +unsigned +\w+) : (?=\d+;)", r"\1:", line)
        found = declaration(line) if is_code else None
        if not found or (block and block[0]["indent"] != found["indent"]):
            yield from flush()
        if found:
            block.append(found)
        else:
            yield line
    yield from flush()


def with_tabs(lines):
    """Spaces that end at a tab stop as tabs, but for a single one in a line, and for strings and comments."""
    inside = False

    def tabs(match):
        if not match.group().startswith("  "):
            return match.group()
        begin, end = match.span()
        stops = end // TAB - begin // TAB
        if not stops:
            return match.group()
        first = " " if begin % TAB == TAB - 1 and stops == 1 else "\t"
        return first + "\t" * (stops - 1) + " " * (end % TAB)

    for line in lines:
        yield re.sub("^ +", tabs, line) if inside else TOKEN.sub(tabs, line)
        for token in re.finditer(r'"(?:\\.|[^"\\])*"|/\*|\*/', line):
            if token.group() in ("/*", "*/"):
                inside = token.group() == "/*"


def postgresql(text):
    return "\n".join(with_tabs(re.sub(r"\bforeach \(", "foreach(", line) for line in postgresql_names(text))) + "\n"


def nginx(text):
    return "\n".join(nginx_names(text)) + "\n"


# What begins so has settings of uncrustify, what is done afterwards, and a width. Texts may reach over it.
FOLDERS = {
    "extension/": ("extension", postgresql, 140),
    "gateway/": ("gateway", nginx, 140),
    "sidecar/": ("sidecar", str, 160),
    "test/lib/": ("sidecar", str, 160),
    "test/sanitize/gateway": ("gateway", nginx, 140),
    "test/sanitize/": ("sidecar", str, 160),
    "test/": ("extension", postgresql, 140),
}
GENERATED = {"extension/core/canonical_powers.h"}


def folder_of(path):
    return next(FOLDERS[begin] for begin in FOLDERS if path.startswith(begin))


def laid_out(path):
    settings, finish, _ = folder_of(path)
    text = subprocess.run(["uncrustify", "-q", "-l", "C", "-c", f"{settings}.cfg"], cwd=ROOT / "test/lint/layout", input=text_of(path),
                          capture_output=True, text=True, check=True).stdout
    # uncrustify breaks the line there where a compound literal is assigned under an `if` without braces
    return finish(re.sub(r"\}\n[ \t]*;\n", "};\n", text))


def too_long(path):
    width = folder_of(path)[2]
    for number, line in enumerate(text_of(path).splitlines(), 1):
        if len(line.expandtabs(TAB)) > width and '"' not in line:
            yield f"{path}:{number}: longer than {width} columns\n"


def main():
    arguments = sys.argv[1:]
    write = "--write" in arguments
    paths = [path for path in arguments if path != "--write"] or tracked("*.c", "*.h")
    paths = [path for path in paths if path not in GENERATED]
    faults = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, text in zip(paths, pool.map(laid_out, paths)):
            if text != text_of(path) and write:
                (ROOT / path).write_text(text, encoding="utf-8")
            elif text != text_of(path):
                faults += difflib.unified_diff(text_of(path).splitlines(True), text.splitlines(True), path, "as make format has it")
            faults += too_long(path)
    sys.stdout.writelines(faults)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
