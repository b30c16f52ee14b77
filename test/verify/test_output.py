"""Output: a terminal is given nothing that steers it, and --json always gives JSON."""
import json
import os
import subprocess
import unicodedata

import pytest

from evidence import UNCHECKED, make_chain, make_document, write_lines
from paths import VERIFY

STEERING = ["\x1b[2J\x1b[1;1Hverified: all", "\r", "\x08\x08", "\x07", "\x7f", "\x9b2J", "\x85", "\u061c", "\u200b", "\u200e", "\u202e", "\u2066", "\u2028", "\ufeff",
            "\u00ad", "\U000e0041"]


def is_safe(text):
    return all(c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp", "Cs", "Cn") for c in text)


def places(world, text):
    """Objects that hold the text where the verifier repeats it, and options that do."""
    yield [world.snapshot(make_document(), **{"signer-id": text})]
    yield [world.snapshot(make_document(), **{"snapshot-id": text})]
    yield [world.snapshot(make_document(), hash=text)]
    yield [world.snapshot(make_document(), ts="1999-01-01T00:00:00Z" + text)]
    yield [world.snapshot(dict(make_document(), id=text))]
    yield [world.snapshot(dict(make_document(), **{text: 1}))]
    document = make_document()
    document["payload"]["nodes"][1]["id"] = text
    yield [world.snapshot(document)]
    chain, _ = make_chain(world.signer)
    for event in chain:
        event["division"] = event["payload"]["division"] = "d" + text
    yield [write_lines(world.directory / "0-6.jsonl", chain)]
    path = world.directory / "broken.json"
    path.write_text('{"%s": {"a": }}' % text.replace("\x1b", "").replace("\r", "").replace("\x08", "").replace("\x07", ""))
    yield [path]
    yield [world.directory / ("no such file" + text)]
    yield ["--type", text, path]
    yield ["--" + text, path]
    yield ["--registry", world.directory / ("none" + text), path]
    registry = world.directory / "odd.json"
    registry.write_text(json.dumps({"signers": [world.signer.entry(signerId="k" + text)] * 2}))
    yield ["--registry", registry, path]


@pytest.mark.parametrize("text", STEERING, ids=ascii)
def test_a_terminal_is_not_steered(world, text):
    for arguments in places(world, text):
        for more in ([], ["--json"], ["--quiet"]):
            ended = subprocess.run([VERIFY, "--registry", world.directory / "signers.json", *more, *arguments], capture_output=True, check=False)
            assert ended.returncode in (1, 2), arguments
            assert is_safe(ended.stdout.decode()), (arguments, ended.stdout)
            assert is_safe(ended.stderr.decode()), (arguments, ended.stderr)
            for line in ended.stdout.splitlines() if more == ["--json"] else ():
                json.loads(line)


def test_what_can_be_seen_is_printed_as_it_is(world):
    path = world.directory / "Gutachten – 判定 ✓ é.json"
    ended = world.run(path)
    assert str(path) in ended.stdout
    ended = world.run(world.directory / "back\\slash")
    assert "back\\\\slash" in ended.stdout


@pytest.mark.parametrize("name", [b"caf\xe9", b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"cut \xe2\x82", b"\xf8\x88\x80\x80\x80"])
def test_json_is_valid_whatever_a_file_is_called(world, name):
    path = os.fsencode(world.directory) + b"/" + name
    for more in ([], ["--json"]):
        ended = subprocess.run([VERIFY, "--registry", world.directory / "signers.json", *more, path], capture_output=True, check=False)
        assert ended.returncode == UNCHECKED
        assert is_safe(ended.stdout.decode("utf-8", "strict"))
        assert json.loads(ended.stdout)["object"] if more else b"\\x" in ended.stdout


def test_json_keeps_what_was_said(world):
    text = 'a"b\\c\u202e\U000e0041\U0001f600\x1f/'
    report = world.check(1, world.snapshot(dict(make_document(), **{text: 1})))
    assert f'has the unknown member "{text}"' in [c["detail"] for c in report["checks"]]


def test_a_name_that_is_cut_stays_valid(world):
    for length in range(30, 70):
        world.check(1, world.snapshot(dict(make_document(), id="x" + "€" * length, **{"y" * (length % 4) + "€" * length: 1})))
