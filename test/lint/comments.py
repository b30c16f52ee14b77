#!/usr/bin/env python3
"""No comment names a file or a function that does not exist, and no document a file; no sentence begins with "Of".

A file is looked for among the project's own (by the end of its path; what is made from a template counts), the headers
that are installed, and names in foreign_names.txt: of other projects' sources, or of files that only a running system
has. A function is a name followed by "()": it must stand in code of the project, in an installed header, or in
foreign_names.txt. Documents are docs/, each README.md and the changelog: names stand in backticks there, a folder is a name
that ends in a slash, and links lead to what is there.
"""
import functools
import pathlib
import re
import sys

from tree import ROOT, code_of, comments_of, report, text_of, tracked

FOREIGN = pathlib.Path(__file__).with_name("foreign_names.txt")
HEADERS = ["/usr/include/postgresql", "/usr/include/librdkafka", "/usr/include/nginx", "/usr/share/nginx/src", "/usr/include/p11-kit-1"]
SINGLE_HEADERS = ["curl/*.h", "sodium/*.h", "openssl/evp.h", "openssl/sha.h", "openssl/ssl.h", "microhttpd.h", "jansson.h", "*.h",
                  "x86_64-linux-gnu/curl/*.h", "x86_64-linux-gnu/sys/*.h", "x86_64-linux-gnu/bits/*.h"]

FILE = re.compile(r"(?<![\w./*<-])((?:[\w-]+/)*[\w.-]*\w\.(?:c|h|sql|sh|py|spec|md|yaml|conf|in))(?![\w/.-]*\w)")
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)[^)]*\)")
IN_DOCUMENT = re.compile(r"(?<![\w./*<>{}$-])((?:[\w-]+/)*[\w.-]*\w\.(?:c|h|sql|sh|py|spec|md|yaml|json|conf|in|mjs|service)|(?:[\w.-]+/)+)(?![\w/.*<{$-])")
OF = re.compile(r"(?:^|[.:;|] )Of [a-z]")
FUNCTION = re.compile(r"(?<![\w.:>%-])([A-Za-z_][\w.]*)\(\)")


@functools.cache
def foreign():
    return {line.split("#")[0].strip() for line in FOREIGN.read_text(encoding="utf-8").splitlines()} - {""}


@functools.cache
def headers():
    """Paths of the headers that are installed."""
    found = [path for folder in HEADERS for path in pathlib.Path(folder).rglob("*.[ch]")]
    found += [path for pattern in SINGLE_HEADERS for path in pathlib.Path("/usr/include").glob(pattern)]
    return found


@functools.cache
def header_names():
    return {path.name for path in headers()}


@functools.cache
def header_words():
    words = set()
    for path in headers():
        words.update(re.findall(r"[A-Za-z_]\w+", path.read_text(encoding="utf-8", errors="replace")))
    return words


@functools.cache
def own_words():
    """Words of the project's code: comments do not count."""
    words = set()
    for path in tracked("*.c", "*.h"):
        words.update(re.findall(r"[A-Za-z_]\w+", code_of(text_of(path))))
    for path in tracked("*.sql"):
        words.update(re.findall(r"[A-Za-z_]\w+", re.sub(r"--[^\n]*", "", text_of(path))))
    for path in tracked("*.py", "*.sh", "*Makefile"):
        words.update(re.findall(r"[A-Za-z_]\w+", re.sub(r"(^|\s)#[^\n]*", "", text_of(path))))
    return words


@functools.cache
def own_paths():
    return ["/" + path for path in tracked()]


def file_exists(name):
    ends = ("/" + name, f"/{name}.in")
    return name in foreign() or any(path.endswith(ends) for path in own_paths()) or pathlib.PurePath(name).name in header_names()


def folder_exists(name):
    return name in foreign() or any("/" + name in path for path in own_paths())


def function_exists(name):
    last = name.split(".")[-1]
    return name in foreign() or last in own_words() or last in header_words()


def script_comments(text, mark):
    """Lines of a script that are comments, without the mark."""
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(rf"\s*{mark}(?!!)(.*)", line)
        if match:
            yield number, match.group(1)


def all_comments():
    for path in tracked("extension/*.[ch]", "sidecar/*.[ch]", "gateway/*.[ch]", "test/*.[ch]"):
        for number, comment in comments_of(text_of(path)):
            yield path, number, comment
    for path in tracked("sql/*.sql"):
        for number, comment in script_comments(text_of(path), "--"):
            yield path, number, comment
    for path in tracked("*.sh", "*Makefile", "test/*.py"):
        for number, comment in script_comments(text_of(path), "#"):
            yield path, number, comment


def documents():
    """(path, line number, what stands in backticks), for each document; blocks of commands are left out."""
    for path in tracked("docs/*.md", "*README.md", "CHANGELOG.md"):
        block = False
        for number, line in enumerate(text_of(path).splitlines(), 1):
            if line.lstrip().startswith("```"):
                block = not block
            elif not block:
                for span in SPAN.findall(line):
                    yield path, number, span


def broken_links():
    for path in tracked("docs/*.md", "*README.md", "CHANGELOG.md"):
        for number, line in enumerate(text_of(path).splitlines(), 1):
            for target in LINK.findall(line):
                if not (ROOT / path).parent.joinpath(target).exists():
                    yield f"{path}:{number}: the link leads nowhere: {target}"


def sentences_with_of():
    """The subject comes first: no sentence begins with "Of"."""
    lines = [(path, number + offset, line) for path, number, comment in all_comments() for offset, line in enumerate(comment.split("\n"))]
    lines += [(path, number, line) for path in tracked("docs/*.md", "*README.md") for number, line in enumerate(text_of(path).splitlines(), 1)]
    for path, number, line in lines:
        if OF.search(line.strip(" \t/*-#")):
            yield f"{path}:{number}: a sentence begins with \"Of\""


def main():
    faults = list(broken_links()) + list(sentences_with_of())
    for path, number, span in documents():
        for name in IN_DOCUMENT.findall(span):
            if not (folder_exists(name) if name.endswith("/") else file_exists(name)):
                faults.append(f"{path}:{number}: there is no {'folder' if name.endswith('/') else 'file'} {name}")
    for path, number, comment in all_comments():
        # The head of a file names the file itself.
        body = comment.replace(f" * {pathlib.PurePath(path).name}\n", "\n", 1)
        for offset, line in enumerate(body.split("\n")):
            for name in FILE.findall(line):
                if not file_exists(name):
                    faults.append(f"{path}:{number + offset}: there is no file {name}")
            for name in FUNCTION.findall(line):
                if not function_exists(name):
                    faults.append(f"{path}:{number + offset}: there is no function {name}()")
    for name in sorted(foreign()):
        if not any(name in text for _, _, text in (*all_comments(), *documents())):
            faults.append(f"{FOREIGN.relative_to(ROOT)}: nothing names {name}")
    return report(faults)


if __name__ == "__main__":
    sys.exit(main())
