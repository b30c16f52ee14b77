"""reason-verify reads from a server that answers with anything: what it verifies is what was asked for."""
import json
import subprocess

import pytest

from evidence import VERIFIED, make_chain, make_document, write_lines
from hostile import ANSWERS, Hostile
from paths import VERIFY

# These say the same object in other ways, if its signatures are not within; a drip is given up after half a minute
TRUE = {"segment": {"no checksum"}, "snapshot": {"no checksum", "wrong checksum"}}
SLOW = {"drip"}


@pytest.mark.parametrize("kind", ["snapshot", "segment"])
def test_nothing_but_the_object_is_verified(world, kind):
    headers = []
    if kind == "snapshot":
        body = world.snapshot(make_document()).read_bytes()
        metadata = json.loads((world.directory / "snapshot.json.meta.json").read_text())
        headers = [(f"x-amz-meta-{name}", value) for name, value in metadata.items()]
    else:
        body = write_lines(world.directory / "segment", make_chain(world.signer)[0]).read_bytes()
    hostile = Hostile(lambda *request: (200, headers, body))
    try:
        def run():
            return subprocess.run([VERIFY, "--json", "--registry", world.directory / "signers.json", f"{hostile.url}/{kind}.json"],
                                  capture_output=True, text=True, timeout=20, check=False)
        assert run().returncode == VERIFIED
        for answer in set(ANSWERS) - SLOW:
            hostile.spoil(answer)
            ended = run()
            assert (ended.returncode == VERIFIED) == (answer in TRUE[kind]), (answer, ended.stdout)
            assert ended.returncode in (0, 1, 2, 3) and json.loads(ended.stdout)
            if answer in ("compressed", "a compressed page"):
                assert "the answer is compressed" in ended.stdout
        hostile.be_sane()
        assert run().returncode == VERIFIED
    finally:
        hostile.close()
