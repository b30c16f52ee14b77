"""reason-sidecar --witness, by the letter of https://c2sp.org/tlog-witness, asked by a client of others and by requests of our own."""

import base64
import concurrent.futures
import hashlib
import random
import socket
import ssl
import subprocess
import time
import urllib.request

import pytest

from authority import Authority, SERVER
from reason_witness import Witness
from tlog_reference import Log, add_checkpoint, base64_of, checkpoint_text, parse_checkpoint, random_entries, sha256, signatures

SIZE = "text/x.tlog.size"


@pytest.fixture
def log():
    return Log("example.org/log", b"a log", random_entries(1000))


@pytest.fixture
def witness(tmp_path, log):
    other = Log("example.org/other", b"another log")
    running = Witness(tmp_path / "witness", {"one": log.key.vkey, "two": other.key.vkey}).start()
    yield running
    running.stop()


def ask(witness, log, old, size):
    return witness.add_checkpoint(add_checkpoint(old, log.tree.consistency(old, size), log.checkpoint(size)))


def fork(log, at):
    """The same log, whose entries are others from a place on."""
    return Log(log.origin, b"a log", log.tree.leaves[:at] + random_entries(len(log.tree) - at, "fork"))


def test_a_log_grows(witness, log):
    """Each checkpoint that extends the last is cosigned, and served."""
    old = 0
    for size in (1, 1, 2, 256, 257, 1000, 1000):
        status, kind, body = ask(witness, log, old, size)
        assert (status, kind) == (200, "text/plain; charset=utf-8"), body
        note = log.checkpoint(size) + body
        assert len(signatures(note, witness.vkey)) == 1
        assert abs(signatures(note, witness.vkey)[0] - time.time()) < 30
        status, _, served = witness.request("GET", f"/{hashlib.sha256(log.origin.encode()).hexdigest()}/checkpoint")
        assert status == 200 and parse_checkpoint(served)[1] == size
        assert signatures(served, witness.vkey) and signatures(served, log.key.vkey)
        old = size


def test_by_the_client_of_others(witness, feed, libraries, log):
    assert feed(url=witness.url, old=0, note=log.checkpoint(10), hashes=[])["error"] == ""
    answer = feed(url=witness.url, old=10, note=log.checkpoint(700), hashes=[base64_of(node) for node in log.tree.consistency(10, 700)])
    assert answer["error"] == ""
    note = log.checkpoint(700) + answer["cosignatures"]
    assert libraries(do="note", log=log.key.vkey, witnesses=[witness.vkey], note=note) == {"sumdb": "", "formats": "", "torchwood": ""}
    stale = feed(url=witness.url, old=10, note=log.checkpoint(800), hashes=[base64_of(node) for node in log.tree.consistency(10, 800)])
    assert stale["size"] == 700 and stale["error"] == "old size != current"
    assert feed(url=witness.url, old=700, note=log.checkpoint(800), hashes=[])["error"] == "consistency proof invalid"
    assert feed(url=witness.url, old=0, note=Log("example.org/unknown", b"x", [b"x"]).checkpoint(), hashes=[])["error"] == "unknown log"
    assert feed(url=witness.url, old=0, note=Log(log.origin, b"forged", [b"x"]).checkpoint(), hashes=[])["error"] == "no valid signatures"


def test_every_refusal(witness, log):
    note = log.checkpoint(500)
    assert ask(witness, log, 0, 300)[0] == 200
    for body, status in {
        "": 400,
        "old 300\n": 400,
        "old 300\n\n": 400,
        "old 300\n\nnot a note": 400,
        f"old 0300\n\n{note}": 400,
        f"old -1\n\n{note}": 400,
        f"old 9223372036854775808\n\n{note}": 400,
        f"new 300\n\n{note}": 400,
        f"old 300\nAAAA\n\n{note}": 400,
        f"old 300\r\n\r\n{note}": 400,
        add_checkpoint(300, [b"x" * 32] * 64, note): 400,
        add_checkpoint(501, [], note): 400,
        add_checkpoint(300, [], log.checkpoint(299)): 400,
        add_checkpoint(0, [], Log("example.org/unknown", b"a log", [b"x"]).checkpoint()): 404,
        add_checkpoint(300, log.tree.consistency(300, 500), Log(log.origin, b"other key", log.tree.leaves).checkpoint(500)): 403,
        add_checkpoint(300, log.tree.consistency(300, 500), note[:-6] + ("A" if note[-6] != "A" else "B") + note[-5:]): 403,
        add_checkpoint(299, log.tree.consistency(299, 500), note): 409,
        add_checkpoint(0, [], note): 409,
        add_checkpoint(300, [], note): 422,
        add_checkpoint(300, [b"x" * 32], log.checkpoint(300)): 422,
        add_checkpoint(300, log.tree.consistency(299, 500), note): 422,
        add_checkpoint(300, log.tree.consistency(300, 500)[:-1], note): 422,
        add_checkpoint(300, [*log.tree.consistency(300, 500), b"x" * 32], note): 422,
    }.items():
        answer = witness.add_checkpoint(body)
        assert answer[0] == status, (body, answer)
        if status == 409:
            assert answer[1:] == (SIZE, "300\n")
    assert ask(witness, log, 300, 500)[0] == 200


def test_an_unknown_signature_beside_the_logs_is_nothing_to_it(witness, log):
    stranger = Log("example.org/stranger", b"stranger").key
    note = log.checkpoint(5)
    text = parse_checkpoint(note)[3]
    status, _, line = witness.add_checkpoint(add_checkpoint(0, [], note + stranger.sign(text)))
    assert status == 200 and len(line.splitlines()) == 1
    served = witness.request("GET", f"/{hashlib.sha256(log.origin.encode()).hexdigest()}/checkpoint")[2]
    assert "stranger" not in served


def test_an_empty_tree(witness, log):
    empty = Log(log.origin, b"a log")
    text = checkpoint_text(log.origin, 0, b"x" * 32)
    assert witness.add_checkpoint(add_checkpoint(0, [], text + "\n" + log.key.sign(text)))[0] == 422
    assert ask(witness, empty, 0, 0)[0] == 200
    assert ask(witness, log, 0, 7)[0] == 200


def test_two_histories(witness, log):
    """What was cosigned stays, and the proof of the lie is kept."""
    assert ask(witness, log, 0, 600)[0] == 200
    other = fork(log, 400)
    assert ask(witness, other, 600, 600) == (409, SIZE, "600\n")
    assert ask(witness, other, 600, 800)[0] == 422
    assert ask(witness, other, 400, 800)[1:] == (SIZE, "600\n")
    kept = list(witness.memory.glob("*.fork"))
    assert len(kept) == 1 and kept[0].read_text() == other.checkpoint(600)
    assert "has signed another tree of size 600" in witness.log()
    assert ask(witness, log, 600, 800)[0] == 200


def test_it_remembers(witness, log):
    assert ask(witness, log, 0, 200)[0] == 200
    witness.kill()
    witness.start()
    assert ask(witness, log, 0, 200)[1:] == (SIZE, "200\n")
    assert ask(witness, log, 200, 300)[0] == 200


@pytest.mark.parametrize("damage", ("cut", "empty", "bit", "unreadable"))
def test_what_it_remembers_is_damaged(witness, log, damage):
    """Then it cosigns nothing for this log, rather than anything."""
    assert ask(witness, log, 0, 200)[0] == 200
    note = next(witness.memory.glob("*.note"))
    whole = note.read_bytes()
    if damage == "unreadable":
        note.unlink()
        note.mkdir()
    else:
        at = whole.index(b"\n200\n") + 2
        note.write_bytes({"cut": whole[:100], "empty": b"", "bit": whole[:at] + b"1" + whole[at + 1:]}[damage])
    assert ask(witness, log, 200, 300)[0] == 500
    assert ask(witness, log, 0, 300)[0] == 500
    if damage == "unreadable":
        note.rmdir()
    note.write_bytes(whole)
    assert ask(witness, log, 200, 300)[0] == 200


def test_a_disk_that_takes_nothing(witness, log):
    """A cosignature that could not be remembered is not given."""
    assert ask(witness, log, 0, 200)[0] == 200
    name = next(witness.memory.glob("*.note")).stem
    (witness.memory / f"{name}.new").mkdir()
    assert ask(witness, log, 200, 300)[0] == 500
    assert ask(witness, log, 200, 300)[0] == 500
    (witness.memory / f"{name}.new").rmdir()
    assert ask(witness, log, 200, 300)[0] == 200


def test_its_time_never_goes_back(tmp_path, log):
    """A clock that was set back does not make a later statement an earlier one."""
    witness = Witness(tmp_path / "witness", {"one": log.key.vkey})
    vkey = witness.vkey
    name = hashlib.sha256(log.origin.encode()).hexdigest()
    witness.start()
    assert ask(witness, log, 0, 1)[0] == 200
    witness.stop()
    # as if it had been cosigned in the future, by the same key
    future = int(time.time()) + 100_000
    text = parse_checkpoint(log.checkpoint(10))[3]
    scratch = tmp_path / "message"
    scratch.write_text(f"cosignature/v1\ntime {future}\n{text}")
    raw = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", witness.key, "-in", scratch], check=True, capture_output=True).stdout
    own_name, key_id = vkey.split("+")[:2]
    line = f"\N{EM DASH} {own_name} {base64_of(bytes.fromhex(key_id) + future.to_bytes(8, 'big') + raw)}\n"
    (witness.memory / f"{name}.note").write_text(log.checkpoint(10) + line)
    witness.start()
    status, _, body = ask(witness, log, 10, 20)
    assert status == 200 and signatures(log.checkpoint(20) + body, vkey) == [future]
    witness.stop()


def test_a_race(witness, log):
    """Requests that build on the same state: one of them is cosigned, and nothing is ever rolled back."""
    rng = random.Random(7)
    known = 0
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        while known < 900:
            sizes = sorted(rng.sample(range(known + 1, known + 100), 16))
            forked = fork(log, known)
            asked = [pool.submit(ask, witness, forked if number % 2 else log, known, size) for number, size in enumerate(sizes)]
            answers = [future.result() for future in asked]
            taken = [number for number, answer in enumerate(answers) if answer[0] == 200]
            assert len(taken) == 1, answers
            assert all(answer[0] == 409 and answer[1:] == (SIZE, f"{sizes[taken[0]]}\n") for number, answer in enumerate(answers) if number not in taken)
            known = sizes[taken[0]]
            if taken[0] % 2:
                log = forked


def test_two_keys_of_one_log(tmp_path, log):
    """A log that changes its key: both are taken, until the old one is struck out."""
    new = Log(log.origin, b"new key", log.tree.leaves)
    witness = Witness(tmp_path / "witness", {"old": log.key.vkey, "new": new.key.vkey}).start()
    assert ask(witness, log, 0, 10)[0] == 200
    assert ask(witness, new, 10, 20)[0] == 200
    witness.stop()
    del witness.logs["old"]
    witness.write()
    witness.start()
    assert ask(witness, log, 20, 30)[0] == 403
    assert ask(witness, new, 20, 30)[0] == 200
    witness.stop()


def test_two_witnesses_in_one_folder(witness, tmp_path):
    assert witness.check().returncode == 0
    second = witness.run()
    assert second.returncode == 1 and "another process' already" in second.stderr


def test_it_knows_nothing_else(witness, log):
    assert witness.request("GET", "/add-checkpoint")[0] == 405
    assert witness.request("POST", "/sign-subtree", b"x")[0] == 404
    assert witness.request("GET", "/" + "0" * 64 + "/checkpoint")[0] == 404
    assert witness.request("GET", f"/{hashlib.sha256(log.origin.encode()).hexdigest()}/checkpoint")[0] == 404
    assert witness.request("GET", "/../../etc/passwd")[0] == 404
    assert witness.request("POST", "/add-checkpoint", b"x" * 300_000)[0] == 413
    assert 'reason_witness_answers_total{status="413"} 1' in witness.request("GET", "/metrics")[2]


def test_a_body_without_end(witness, log):
    with socket.create_connection(("127.0.0.1", witness.port), timeout=10) as connection:
        connection.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(OSError):
            for _ in range(100):
                connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                time.sleep(0.01)
            assert connection.recv(1) == b""
            raise OSError
    assert ask(witness, log, 0, 10)[0] == 200


def test_where_it_listens(tmp_path, log):
    """Unencrypted on the loopback alone, unless its operator says that a proxy encrypts."""
    refused = Witness(tmp_path / "open", {"one": log.key.vkey}, address="0.0.0.0").start(ready=False)
    assert refused.process.wait(20) == 1 and "is no loopback" in refused.log()
    behind = Witness(tmp_path / "behind", {"one": log.key.vkey}, address="0.0.0.0", plaintext="yes").start()
    assert ask(behind, log, 0, 10)[0] == 200
    behind.stop()
    authority = Authority(tmp_path / "ca", "tests")
    certificate, key = authority.issue("witness", "localhost", SERVER)
    encrypted = Witness(tmp_path / "tls", {"one": log.key.vkey}, cert_file=certificate, cert_key_file=key).start(ready=False)
    context = ssl.create_default_context(cafile=authority.directory / "ca.crt")
    deadline = time.monotonic() + 15
    while True:
        try:
            with urllib.request.urlopen(f"https://127.0.0.1:{encrypted.port}/health", context=context, timeout=5) as answer:
                assert answer.status == 200
            break
        except OSError:
            assert time.monotonic() < deadline, encrypted.log()
            time.sleep(0.05)
    encrypted.stop()


@pytest.mark.parametrize("change, said", (
    ({"name": "with a space"}, "witness.name"),
    ({"name": "plus+plus"}, "witness.name"),
    ({"port": "99999"}, "witness.port"),
    ({"directory": "/nonexistent/witness"}, "cannot open the witness' directory"),
    ({"unknown": "x"}, 'unknown setting "unknown" in section [witness]'),
))
def test_settings_that_cannot_be(tmp_path, log, change, said):
    witness = Witness(tmp_path / "witness", {"one": log.key.vkey}, **change)
    checked = witness.check()
    assert checked.returncode == 1 and said in checked.stderr, checked.stderr


@pytest.mark.parametrize("vkey", ("nonsense", "example.org/log+00000000+" + base64_of(b"\x01" + b"x" * 32),
                                  Log("example.org/x", b"y").key.vkey[:-4]))
def test_a_key_of_a_log_that_cannot_be(tmp_path, vkey):
    checked = Witness(tmp_path / "witness", {"one": vkey}).check()
    assert checked.returncode == 1 and "log \"one\"" in checked.stderr


def test_without_logs(tmp_path):
    checked = Witness(tmp_path / "witness", {}).check()
    assert checked.returncode == 1 and "no log" in checked.stderr


def test_the_key_that_it_shows(tmp_path, log):
    checked = Witness(tmp_path / "witness", {"one": log.key.vkey}).check()
    assert checked.returncode == 0
    vkey, known = checked.stdout.splitlines()
    name, key_id, key = vkey.removeprefix("vkey ").split("+", 2)
    assert name == "witness.example/ours" and known == f"log {log.key.vkey}"

    assert sha256(name.encode() + b"\n" + base64.b64decode(key))[:4].hex() == key_id and base64.b64decode(key)[0] == 4
