"""reason-verify reads from a server that answers with anything: what it verifies is what was asked for."""
import json
import subprocess

import pytest

from evidence import VERIFIED, make_chain, make_document, write_lines
from hostile import ANSWERS, Hostile
from log_evidence import Log, LogWorld
from paths import VERIFY

# These say the same object in other ways, if its signatures are not within. What trickles is given up after half a minute, what
# does not end at 2 GiB.
TRUE = {"segment": {"no checksum"}, "snapshot": {"no checksum", "wrong checksum"}}
SLOW = {"drip", "endless continue", "endless chunks"}


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


def test_nothing_but_the_log_is_verified(tmp_path):
    """Each answer to every request, and to all but the one for the checkpoint."""
    world = LogWorld(tmp_path, 0)
    folder = Log([number.to_bytes(32, "big") for number in range(300)], world.log_key).write(tmp_path / "log")

    def behind(method, path, headers, body):
        file = folder / path.removeprefix("/log/")
        return (200, [], file.read_bytes()) if file.is_file() else (404, [], b"")

    hostile = Hostile(behind, lambda method, path, query: "checkpoint" if path.endswith("checkpoint") else "tile")
    try:
        def run():
            return subprocess.run([VERIFY, "--json", "--registry", world.directory / "signers.json", f"{hostile.url}/log/"],
                                  capture_output=True, text=True, timeout=60, check=False)
        assert run().returncode == VERIFIED
        for answer in set(ANSWERS) - SLOW:
            for what in ("checkpoint", "tile"):
                hostile.spoil(answer, what)
                ended = run()
                hostile.be_sane()
                # compressed on the way is what a server of tiles may do
                assert (ended.returncode == VERIFIED) == (answer in {"no checksum", "wrong checksum", "compressed"}), (answer, what, ended.stdout)
                assert ended.returncode in (0, 1, 2) and json.loads(ended.stdout)
        assert run().returncode == VERIFIED
    finally:
        hostile.close()
