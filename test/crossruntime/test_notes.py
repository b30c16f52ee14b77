"""Signed notes as golang.org/x/mod reads and writes them, and as ours does: good ones, and good ones altered.

    /usr/bin/python3 -m pytest test/crossruntime/test_notes.py       (CROSSRUNTIME_NOTES=, CROSSRUNTIME_SEED=)

What one verifies the other must, but where ours is stricter, which is counted: Base 64 in another than its one form (bits
left over that are not zero), a second line of the same key that does not verify, which Go does not look at, and capitals
in the hexadecimal of a key's id. Why a note is refused may differ: Go says "forged" before it reads the lines behind.
"""
import base64
import os
import pathlib
import random
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("CROSSRUNTIME_BUILD", ROOT / ".build/crossruntime"))
NOTES = int(os.environ.get("CROSSRUNTIME_NOTES", "4000"))
SEED = int(os.environ.get("CROSSRUNTIME_SEED", "20261123"))
CORE = ("base64", "buffer", "characters", "cosignature", "decimal", "sha256", "signed_note")
MARK = "\u2014 ".encode()
NAMES = ["log.example/reason/default", "a", "log.example/reason/default;2", "\u00fcber.example", "witness.example/w1"]
LINES = [b"", b"log.example/reason/default", b"5", b"x" * 200, "\u00e8 subito sera".encode(), b"\xe2\x80\x94 a AAAAAAA=", b"\x7f"]
# What alterations write: characters that are special somewhere
BYTES = [b"\n", b" ", b"+", b"=", b"/", b"A", b"\x00", b"\r", b"\t", b"\x7f", b"\x80", b"\xff", MARK, "\u00a0".encode(), "\u0085".encode(), "\u3000".encode(),
         "\u200b".encode(), b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"\n\n"]


def encoded(data):
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def ours():
    BUILD.mkdir(parents=True, exist_ok=True)
    program = BUILD / "note_lines"
    subprocess.run(["gcc", "-O1", "-g", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "-I", ROOT / "extension",
                    "-o", program, HERE / "note_lines.c", *(ROOT / f"extension/core/{part}.c" for part in CORE), "-lsodium", "-lcrypto"], check=True)
    return lambda lines: run([program], lines)


@pytest.fixture(scope="module")
def go():
    if not shutil.which("go"):
        pytest.skip("Go is not installed")
    target = BUILD / "go-note"
    shutil.copytree(HERE / "go-note", target, dirs_exist_ok=True)
    built = subprocess.run(["go", "build", "-o", "notes"], cwd=target, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, check=False)
    if built.returncode != 0:
        pytest.skip("golang.org/x/mod is not to be had: " + built.stdout.strip()[-300:])
    return lambda lines: run([target / "notes"], lines)


def run(command, lines):
    ended = subprocess.run(command, input="".join(line + "\n" for line in lines), capture_output=True, text=True, timeout=300, check=True)
    answers = ended.stdout.splitlines()
    assert len(answers) == len(lines)
    return answers


def texts(rng, count):
    return [b"".join(rng.choice(LINES) + b"\n" for _ in range(rng.randrange(1, 6))) for _ in range(count)]


def without_control(text):
    return not any(c < 0x20 and c != 0x0A for c in text)


@pytest.fixture(scope="module")
def signed(go):
    """[(vkey, note)] as Go signs."""
    rng = random.Random(SEED)
    calls = [f"sign {rng.choice(NAMES)} {rng.randbytes(32).hex()} {encoded(text)}" for text in texts(rng, 200) if without_control(text)]
    return calls, [(answer.split()[0], base64.b64decode(answer.split()[1])) for answer in go(calls)]


def test_notes_are_written_alike(ours, signed):
    calls, notes = signed
    assert [(a.split()[0], base64.b64decode(a.split()[1])) for a in ours(calls)] == notes
    assert len(notes) > 100


def altered(rng, note, vkey, others):
    kind = rng.randrange(9)
    at = rng.randrange(len(note) + 1)
    if kind == 0:
        return note[:at] + rng.choice(BYTES) + note[at:], vkey
    if kind == 1:
        return note[:at] + note[at + 1:], vkey
    if kind == 2:
        return note[:at] + bytes([rng.randrange(256)]) + note[at + 1:], vkey
    if kind == 3:
        return note[:at], vkey
    if kind == 4:  # somebody else's signature after it, perhaps before
        lines = rng.choice(others)[1].split(b"\n\n")[-1]
        return (note + lines, vkey) if rng.randrange(2) else (note[:note.rindex(b"\n\n") + 2] + lines + note[note.rindex(b"\n\n") + 2:], vkey)
    if kind == 5:  # the key's line twice, perhaps altered
        line = note[note.rindex(b"\n\n") + 2:]
        place = rng.randrange(len(line))
        return note + (line[:place] + bytes([line[place] ^ 1]) + line[place + 1:] if rng.randrange(2) else line), vkey
    if kind == 6:
        return note, rng.choice(others)[0]
    if kind == 7:
        place = rng.randrange(len(vkey))
        return note, vkey[:place] + rng.choice("+=/Ab0 \u00a0") + vkey[place + rng.randrange(2):]
    return note, vkey


def has_other_form(note):
    """Whether some signature is not in the one form of Base 64."""
    for line in note[note.rfind(b"\n\n") + 2:].split(b"\n"):
        text = line.split(b" ")[-1]
        try:
            if base64.b64encode(base64.b64decode(text)) != text:
                return True
        except ValueError:
            pass
    return False


def test_notes_are_read_alike(ours, go, signed):
    rng = random.Random(SEED + 1)
    cases = []
    for _ in range(NOTES):
        vkey, note = rng.choice(signed[1])
        cases.append(altered(rng, note, vkey, signed[1]))
    lines = [f"open {encoded(note)} {encoded(vkey.encode())}" for note, vkey in cases]
    stricter = 0
    said = list(zip(cases, ours(lines), go(lines)))
    for (note, vkey), own, theirs in said:
        if own == theirs or not (own.startswith("verified") or theirs.startswith("verified")):
            continue
        stricter += 1
        # never the other way round
        assert not own.startswith("verified"), (note, vkey, own, theirs)
        assert (own == "no note" and has_other_form(note)) or own == "forged" \
            or (own == "no key" and vkey.split("+")[1] != vkey.split("+")[1].lower()) \
            or (own == "no key" and vkey.split("+")[2] != encoded(base64.b64decode(vkey.split("+")[2]))), (note, vkey, own, theirs)
    answers = {own.split(" ")[0] + own.split(" ")[1] if own.startswith("no") else own.split(" ")[0] for _, own, _ in said}
    assert answers == {"verified", "forged", "nonote", "nokey", "notsigned"}
    assert stricter < NOTES / 10
