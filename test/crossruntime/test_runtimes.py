"""The same bytes and the same hash everywhere: our canonical form against independent implementations.

    /usr/bin/python3 -m pytest test/crossruntime            (CROSSRUNTIME_DOCUMENTS=, CROSSRUNTIME_SEED=)

Random documents with characters of all planes, hard numbers and awkward names go through ours and
through one implementation each for Node, Python, Go, Java and Rust. A toolchain or package that is not to be
had here is skipped, and says so. The extension's SQL functions are held against them too.
"""
import hashlib
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys

import psycopg
import pytest

from shared_server import conninfo

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("CROSSRUNTIME_BUILD", ROOT / ".build/crossruntime"))
DOCUMENTS = int(os.environ.get("CROSSRUNTIME_DOCUMENTS", "3000"))
SEED = int(os.environ.get("CROSSRUNTIME_SEED", "20261123"))
CORE = "buffer canonical canonical_number name_order json_document json_internal json_number json_pointer json_reader json_string sha256".split()

# ---------------------------------------------------------------- documents

RANGES = [(0x20, 0x7E), (0x20, 0x7E), (0x01, 0x1F), (0x7F, 0xFF), (0x100, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xFFFF),
          (0x10000, 0x1FFFF), (0x20000, 0x10FFFF)]
HARD_NUMBERS = ["0", "-0", "-0.0", "1e21", "999999999999999900000", "1e-6", "9.999999999999999e-7", "1e-7", "5e-324",
                "2.2250738585072011e-308", "2.2250738585072014e-308", "1.7976931348623157e308", "1e23", "9007199254740993",
                "9007199254740991", "4.35", "0.1", "0.30000000000000004", "1.00", "100", "1E2", "123456789012345680000",
                "0.000001", "0.0000001", "333333333.33333329", "4503599627370495.5", "4503599627370497.5", "2e-3",
                "6.02214076e23", "1.2345678901234567e+20", "1e-400", "0.5e-400", "295147905179352825856"]


def escaped(rng, character):
    """The character as it stands, or in one of the ways in which JSON can write it."""
    code = ord(character)
    short = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    if character in short and (rng.random() < 0.7 or code < 0x20):
        return short[character]
    if code < 0x20 or character in '"\\' or rng.random() < 0.1:
        units = struct.unpack(f">{len(character.encode('utf-16-be')) // 2}H", character.encode("utf-16-be"))
        return "".join(rng.choice(["\\u%04x", "\\u%04X"]) % unit for unit in units)
    return character


def random_text(rng):
    return "".join(chr(rng.randint(*rng.choice(RANGES))) for _ in range(rng.choice([0, 1, 2, 3, 8, 20, 40])))


def write_text(rng, text):
    return '"' + "".join(escaped(rng, character) for character in text) + '"'


def random_number(rng):
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(HARD_NUMBERS)
    if kind == 1:
        return str(rng.randint(-10 ** rng.randrange(1, 25), 10 ** rng.randrange(1, 25)))
    if kind == 2:
        value = struct.unpack("<d", rng.randbytes(8))[0]
        return repr(value) if value - value == 0 else "1"
    if kind == 3:
        return f"{rng.uniform(-1000, 1000):.{rng.randrange(0, 20)}f}"
    if kind == 4:
        text = f"{rng.randrange(10 ** 18)}.{rng.randrange(10 ** 9)}e{rng.randrange(-340, 285)}"
        return text
    return f"{rng.random():.17g}"


def random_value(rng, depth):
    kind = rng.randrange(10 if depth else 6)
    if kind == 0:
        return rng.choice(["null", "true", "false"])
    if kind <= 2:
        return random_number(rng)
    if kind <= 5:
        return write_text(rng, random_text(rng))
    space = rng.choice(["", "", " ", "\t"])
    if kind <= 7:
        return "[" + space + ("," + space).join(random_value(rng, depth - 1) for _ in range(rng.randrange(6))) + space + "]"
    names = {rng.choice([random_text(rng), rng.choice(["__proto__", "a", "b", "", "constructor", "10", "9", "é", "z"])])
             for _ in range(rng.randrange(8))}
    names = sorted(names)
    rng.shuffle(names)
    members = (write_text(rng, name) + space + ":" + space + random_value(rng, depth - 1) for name in names)
    return "{" + space + ("," + space).join(members) + space + "}"


@pytest.fixture(scope="session")
def documents():
    rng = random.Random(SEED)
    lines = [random_value(rng, 4) for _ in range(DOCUMENTS)]
    assert len(set(lines)) > DOCUMENTS / 2
    return ("\n".join(lines) + "\n").encode()


# ---------------------------------------------------------------- implementations

class Unavailable(Exception):
    pass


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Unavailable(f"{program} is not installed")


def fetch(command, directory):
    """Builds, or gets a package; what fails here is not to be had, rather than wrong."""
    result = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    if result.returncode != 0:
        raise Unavailable(f"{command[0]}: {result.stdout.strip()[-300:]}")


def copy_of(name):
    target = BUILD / name
    shutil.copytree(HERE / name, target, dirs_exist_ok=True)
    return target


def ours():
    BUILD.mkdir(parents=True, exist_ok=True)
    program = BUILD / "canonical_lines"
    subprocess.run(["gcc", "-O1", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-I", ROOT / "extension", "-o", program,
                    HERE / "canonical_lines.c", *(ROOT / f"extension/core/{part}.c" for part in CORE), "-lcrypto", "-lm"],
                   check=True)
    return [program]


def node():
    need("node", "npm")
    directory = copy_of("node")
    fetch(["npm", "install", "--silent", "--no-audit", "--no-fund"], directory)
    return ["node", directory / "canonical.js"]


def python():
    directory = copy_of("python")
    packages = BUILD / "python/packages"
    if not packages.exists():
        fetch([sys.executable, "-m", "pip", "install", "--quiet", "--target", packages, "rfc8785==0.1.4"], directory)
    return ["env", f"PYTHONPATH={packages}", sys.executable, directory / "canonical.py"]


def go():
    need("go")
    directory = copy_of("go")
    fetch(["go", "build", "-o", "canonical", "."], directory)
    return [directory / "canonical"]


def java():
    need("java", "javac", "mvn")
    directory = copy_of("java")
    fetch(["mvn", "-q", "-B", "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get",
           "-Dartifact=io.github.erdtman:java-json-canonicalization:1.1"], directory)
    fetch(["mvn", "-q", "-B", "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy",
           "-Dartifact=io.github.erdtman:java-json-canonicalization:1.1", f"-DoutputDirectory={directory}"], directory)
    jar = directory / "java-json-canonicalization-1.1.jar"
    fetch(["javac", "-cp", jar, "-d", directory, directory / "Canonical.java"], directory)
    return ["java", "-cp", f"{jar}:{directory}", "Canonical"]


def rust():
    need("cargo")
    directory = copy_of("rust")
    fetch(["cargo", "build", "--quiet", "--release"], directory)
    return [directory / "target/release/crossruntime"]


def run(command, documents):
    return subprocess.run(command, input=documents, stdout=subprocess.PIPE, check=True).stdout.split(b"\n")


@pytest.fixture(scope="session")
def our_lines(documents):
    lines = run(ours(), documents)
    assert len(lines) == DOCUMENTS + 1
    return lines


def differences(documents, expected, got):
    return [f"{text.decode()}\n  ours   {ours_line.decode()}\n  theirs {their_line.decode()}"
            for text, ours_line, their_line in zip(documents.split(b"\n"), expected, got) if ours_line != their_line]


# ---------------------------------------------------------------- tests

@pytest.mark.parametrize("implementation", [node, python, go, java, rust], ids=lambda f: f.__name__)
def test_the_same_bytes_and_hash(implementation, documents, our_lines):
    try:
        command = implementation()
    except Unavailable as reason:
        pytest.skip(f"not compared with {implementation.__name__}: {reason}")
    lines = run(command, documents)
    assert len(lines) == len(our_lines)
    different = differences(documents, our_lines, lines)
    assert not different, f"{len(different)} of {DOCUMENTS}, the first:\n{different[0]}"


def test_hashes_are_of_the_lines(our_lines):
    for line in our_lines[:-1]:
        digest, form = line.split(b" ", 1)
        assert hashlib.sha256(form).hexdigest().encode() == digest
        json.loads(form)


@pytest.mark.parametrize("type_", ["json", "jsonb"])
def test_sql_gives_the_same(type_, on_shared_server, documents, our_lines):
    with psycopg.connect(conninfo(), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS crossruntime")
        connection.execute("CREATE DATABASE crossruntime")
    with psycopg.connect(conninfo("crossruntime")) as connection:
        connection.execute("CREATE EXTENSION reasoning_graph")
        rows = connection.execute(
            f"SELECT encode(reason.digest(t::jsonb), 'hex') || ' ' || reason.canonical_json(t::{type_}) "
            "FROM unnest(%s::text[]) WITH ORDINALITY AS u (t, n) ORDER BY n",
            [documents.decode().split("\n")[:-1]]).fetchall()
    different = differences(documents, our_lines, [row[0].encode() for row in rows])
    assert len(rows) == DOCUMENTS and not different, different[0]
