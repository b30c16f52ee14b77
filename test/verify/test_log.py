"""Logs of tiles: the tree is computed anew, and everything that is known of it compared."""
import gzip
import os
import shutil
import ssl

import pytest

from authority import SERVER, Authority
from evidence import REFUSED, UNCHECKED, VERIFIED, canonical, make_document, make_event, write_lines, wrong
from http_service import Handler, Service
from log_evidence import ORIGIN, Log, LogWorld, NoteKey, base64_of, leaf_hash, root_of, tile_path


def entries(count):
    return [number.to_bytes(32, "big") for number in range(count)]


@pytest.fixture
def world(tmp_path):
    return LogWorld(tmp_path)


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A log of 700 entries, written once: two whole tiles and a part."""
    world = LogWorld(tmp_path_factory.mktemp("big"), 0)
    world.log = Log(entries(700), world.log_key)
    world.log.write(world.directory / "log")
    return world


@pytest.fixture
def log(big, tmp_path):
    """A copy to spoil."""
    shutil.copytree(big.directory / "log", tmp_path / "log")
    return tmp_path / "log"


def details(report, check):
    return [c["detail"] for c in report["checks"] if c["check"] == check]


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 513, 700])
def test_logs_of_every_shape_are_verified(big, tmp_path, size):
    report = big.check(VERIFIED, big.log.write(tmp_path / "log", size))
    assert (report["kind"], report["size"], report["events"], report["origin"]) == ("log", size, size, ORIGIN)
    assert details(report, "tree") == [f"{size} entries give the checkpoint's root"]
    tiles = (size + 255) // 256 + (1 if size >= 256 else 0)
    assert details(report, "tiles") == [f"{tiles} compared: what the entries give"]


def test_a_log_of_three_levels_is_verified(big, tmp_path):
    log = Log(entries(65536 + 300), big.log_key)
    path = log.write(tmp_path / "log")
    assert (path / tile_path(2, 0, 1)).exists()
    report = big.check(VERIFIED, path)
    assert details(report, "tiles") == ["261 compared: what the entries give"]
    third = path / tile_path(2, 0, 1)
    third.write_bytes(bytes(32))
    assert details(big.check(REFUSED, path), "tiles") == ["tile/2/000.p/1 is not what the entries give"]


def test_paths_of_tiles_are_as_the_specification_writes_them(big, tmp_path):
    """Far out in a log, by what the verifier asks for: index 1234067 is x001/x234/067."""
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067" and tile_path("entries", 5, 3) == "tile/entries/005.p/3"
    assert tile_path(1, 1000) == "tile/1/x001/000" and tile_path(0, 273, 112) == "tile/0/273.p/112"


def test_each_published_file_counts(big, log):
    files = sorted(path for path in log.rglob("*") if path.is_file() and path.name != "checkpoint")
    assert len(files) == 7
    for path in files:
        whole = path.read_bytes()
        for place in (0, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1:])
            assert wrong(big.check(REFUSED, log)) & {"tiles", "tree", "entries"}, path
        path.write_bytes(whole[:-1])
        big.check(REFUSED, log)
        path.write_bytes(b"")
        big.check(REFUSED, log)
        path.unlink()
        assert big.run(log).returncode == UNCHECKED, path
        path.write_bytes(whole)
    big.check(VERIFIED, log)


def test_a_part_may_be_gone_where_the_whole_is_there(big, tmp_path):
    """A later state of the log, with an earlier checkpoint: parts that became whole were removed."""
    path = big.log.write(tmp_path / "log", 700, partial=False)
    (path / "checkpoint").write_text(big.log.checkpoint(400))
    report = big.check(UNCHECKED, path)
    # level 1 never became whole
    assert details(report, "tree") == ["400 entries give the checkpoint's root"]
    part = path / tile_path(1, 0, 1)
    part.parent.mkdir(parents=True)
    part.write_bytes(root_of(big.log.leaves[:256]))
    big.check(VERIFIED, path)


def test_a_checkpoint_that_the_entries_do_not_give_is_refused(big, log):
    other = Log(entries(699) + [b"x" * 32], big.log_key)
    (log / "checkpoint").write_text(other.checkpoint())
    assert "tree" in wrong(big.check(REFUSED, log))
    # a log that claims more than it shows could not be checked
    (log / "checkpoint").write_text(Log(entries(1000), big.log_key).checkpoint())
    assert big.run(log).returncode == UNCHECKED


def test_a_log_that_nobody_signed_is_not_read(big, log):
    stranger = NoteKey(log, "stranger", "stranger")
    (log / "checkpoint").write_text(Log(big.log.entries, stranger).checkpoint())
    report = big.check(REFUSED, log)
    assert wrong(report) == {"checkpoint"} and details(report, "tree") == []
    (log / "checkpoint").unlink()
    assert big.run(log).returncode == UNCHECKED
    (log / "checkpoint").write_text("nothing")
    assert big.run(log).returncode == REFUSED


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512, 699, 700])
def test_what_was_noted_at_any_size_is_compared(big, log, size):
    """One command for last year's checkpoint on paper."""
    code, reports, _ = big.reports("--checkpoint", ORIGIN, str(size), base64_of(big.log.root(size)), log)
    assert code == VERIFIED and details(reports[0], "noted") == [f"at {size} events it was the log that what you noted names"]
    code, reports, _ = big.reports("--checkpoint", ORIGIN, str(size), base64_of(b"r" * 32), log)
    assert code == REFUSED and wrong(reports[0]) == {"noted"}


def test_a_log_that_was_rewritten_and_signed_anew_is_refused(big, log):
    """The operator has all keys; last year's note is out of his reach."""
    noted = log.parent / "noted"
    noted.write_text(big.log.checkpoint(300))
    rewritten = Log(entries(100) + [b"x" * 32] + entries(700)[101:], big.log_key)
    shutil.rmtree(log)
    big.check(VERIFIED, rewritten.write(log))
    assert wrong(big.check(REFUSED, "--checkpoint", noted, log)) == {"noted"}


def test_a_log_whose_end_was_cut_off_is_refused(big, log):
    noted = log.parent / "noted"
    noted.write_text(big.log.text(700))
    shutil.rmtree(log)
    report = big.check(REFUSED, "--checkpoint", noted, big.log.write(log, 600))
    assert wrong(report) == {"noted"} and details(report, "noted")[0].startswith("the log had 700 events by")


def test_a_log_under_another_origin_says_nothing_of_what_was_noted(big, log):
    code, reports, _ = big.reports("--checkpoint", "log.example/reason/other", "3", base64_of(big.log.root(3)), log)
    assert code == UNCHECKED and [r["verdict"] for r in reports] == ["verified", "unchecked"]


def test_archive_proofs_and_snapshots_must_be_of_the_log(world, tmp_path):
    log = world.log.write(tmp_path / "log")
    archive = write_lines(tmp_path / "2-6.jsonl", world.chain[2:])
    document = make_document()
    document["payload"]["log"] = {"origin": ORIGIN, "size": 4, "root": base64_of(world.log.root(4))}
    snapshot = world.snapshot(document)
    code, reports, _ = world.reports(log, world.proof(1, 5), archive, snapshot)
    assert code == VERIFIED and reports[-1]["kind"] == "log"
    assert details(reports[-1], "archive") == ["5 events of the archive are the ones in the log"]
    assert sorted(details(reports[-1], "heads")) == [f"at 4 events it was the log that {snapshot} names", f"at 5 events it was the log that {tmp_path}/1.tlog-proof names"]

    # Each is good by itself, and belongs to another history.
    fork = world.chain[:3]
    for number in range(4):
        make_event(world.signer, fork, {"eventType": "test.event", "number": -1 - number})
    other = Log([bytes.fromhex(e["hash"]) for e in fork], world.log_key)
    world.check(VERIFIED, write_lines(archive, fork[2:]))
    code, reports, _ = world.reports(log, archive)
    assert code == REFUSED and wrong(reports[-1]) == {"archive"}
    path = world.write("other.tlog-proof", other.proof(1, canonical(fork[1]), 5))
    world.check(VERIFIED, path)
    code, reports, _ = world.reports(log, path)
    assert code == REFUSED and wrong(reports[-1]) == {"heads"}
    document["payload"]["log"]["root"] = base64_of(other.root(4))
    snapshot = world.snapshot(document)
    world.check(VERIFIED, snapshot)
    code, reports, _ = world.reports(log, snapshot)
    assert code == REFUSED and wrong(reports[-1]) == {"heads"}


def test_an_archive_that_goes_further_is_said_to(world, tmp_path):
    report = world.reports(world.log.write(tmp_path / "log", 5), write_lines(tmp_path / "0-6.jsonl", world.chain))[1][-1]
    assert details(report, "archive") == ["5 events of the archive are the ones in the log", "2 events of the archive lie behind the checkpoint"]


def test_what_is_no_tile_is_not_waited_for_or_read_whole(big, log):
    part = log / tile_path("entries", 2, 188)
    part.unlink()
    os.mkfifo(part)
    report = big.reports(log)[1][0]
    assert report["verdict"] == "unchecked" and "it is no file" in details(report, "tiles")[0]
    part.unlink()
    with open(part, "wb") as file:
        file.truncate(1 << 40)
    report = big.reports(log)[1][0]
    assert report["verdict"] == "unchecked" and "File too large" in details(report, "tiles")[0]
    part.unlink()
    part.mkdir()
    assert big.run(log).returncode == UNCHECKED


def test_entries_that_are_no_hashes_are_refused(big, tmp_path):
    """Another log's entries may have any length."""
    log = Log(entries(3), big.log_key)
    log.entries[1] = b"short"
    log.leaves = [leaf_hash(e) for e in log.entries]
    path = log.write(tmp_path / "log")
    assert big.run(path).returncode == REFUSED
    bundle = path / tile_path("entries", 0, 3)
    bundle.write_bytes(b"\x00\x21" + b"x" * 33 + b"\x00\x20" + b"y" * 32 + b"\x00\x1f" + b"z" * 31)
    assert details(big.check(REFUSED, path), "entries") == [f"entry 0 of {tile_path('entries', 0, 3)} is not the hash of an event"]


class Server(Service):
    """Files below a folder, and what it was asked for."""

    def __init__(self, directory, compress=False, context=None):
        asked = self.asked = []

        class Asked(Handler):
            def do_GET(self):
                asked.append((self.path, self.connection.getpeercert() if context else None, self.headers["Accept-Encoding"], self.client_address))
                path = directory / self.path.removeprefix("/reason/log/default/")
                body = path.read_bytes() if path.is_file() else b"no such thing"
                if compress:
                    body = gzip.compress(body)
                self.send(200 if path.is_file() else 404, [("Content-Encoding", "gzip")] if compress else [], body)

        super().__init__(Asked, tls=context)

    @property
    def url(self):
        return f"{self.scheme}://localhost:{self.port}/reason/log/default/"


@pytest.mark.parametrize("compress", [False, True])
def test_a_log_on_a_server_is_verified_over_one_connection(big, log, compress):
    with Server(log, compress) as server:
        assert details(big.check(VERIFIED, server.url), "tree") == ["700 entries give the checkpoint's root"]
        assert len({client for *_, client in server.asked}) == 1
        assert {path for path, *_ in server.asked} == {"/reason/log/default/" + str(p.relative_to(log)) for p in log.rglob("*") if p.is_file()}
        (log / tile_path(0, 1)).write_bytes(bytes(8192))
        assert wrong(big.check(REFUSED, server.url)) == {"tiles"}
        # more than a tile, once it is unpacked
        (log / tile_path(0, 1)).write_bytes(bytes(10_000_000))
        report = big.reports(server.url)[1][0]
        assert report["verdict"] == "unchecked" and "larger than it can be" in details(report, "tiles")[0]


def test_a_server_that_wants_a_certificate_is_shown_one(big, log, tmp_path):
    tmp_path = tmp_path / "ca"
    authority = Authority(tmp_path, "tests")
    authority.issue("server", "localhost", SERVER)
    authority.issue("client", "auditor")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tmp_path / "ca.crt")
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    with Server(log, context=context) as server:
        big.check(VERIFIED, "--cacert", tmp_path / "ca.crt", "--cert", tmp_path / "client.crt", "--key", tmp_path / "client.key", server.url)
        assert server.asked[0][1]["subject"] == ((("organizationName", "tests"),), (("commonName", "auditor"),))
        assert big.run("--cacert", tmp_path / "ca.crt", server.url).returncode == UNCHECKED
        assert big.run("--cert", tmp_path / "client.crt", "--key", tmp_path / "client.key", server.url).returncode == UNCHECKED
