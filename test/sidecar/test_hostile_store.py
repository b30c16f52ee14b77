"""Each kind of request to S3 gets each kind of wrong answer: nothing counts as done that is not, and nothing hangs.

The calls are those of the sidecar's own store, one by one (counterpart.c), to a real S3 server behind a hostile one. Which
kinds of request a call makes is learnt from the call itself.
"""
import os
import subprocess
import threading
import time
import uuid

import pytest

from counterpart import build_counterpart
from hostile import ANSWERS, Hostile, UNENDING, s3_kind, says
from s3_server import ACCESS, BUCKET, REGION, S3, SECRET

# A request's time limit: while no answer comes to an end, and while all do, for then a busy machine is to be waited for.
HASTE_MS, PATIENCE_MS = 400, 5000
# The longest a call may take: its requests, each with its time limit, and a listing
LONGEST = 12
BYTES = b'{"a":"document"}' * 100
DAY = 86400


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    running = S3(tmp_path_factory.mktemp("s3"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def hostile(s3):
    running = Hostile(s3.port_behind, s3_kind)
    yield running
    running.close()


@pytest.fixture(scope="module")
def program():
    return build_counterpart()


class Store:
    """One object's name in the bucket, and the calls to it."""

    def __init__(self, program, hostile, s3, directory, **settings):
        self.s3, self.hostile, self.directory = s3, hostile, directory
        self.program = program
        self.prefix = uuid.uuid4().hex
        self.key = "snapshots/default/one.json"
        (directory / "bytes").write_bytes(BYTES)
        credentials = directory / "credentials"
        credentials.write_text(f"aws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n")
        store = {"url": f"s3://{BUCKET}/{self.prefix}", "endpoint": hostile.url, "region": REGION, "path_style": "yes",
                 "credentials_file": credentials, "lock_mode": "governance", "lock_days": 1, **settings}
        for timeout in (HASTE_MS, PATIENCE_MS):
            lines = "".join(f"{key} = {value}\n" for key, value in {"timeout_ms": timeout, **store}.items())
            self.path(timeout).write_text("[database]\nconninfo = none\n[signer]\nid = none\n[store]\n" + lines)

    def path(self, timeout):
        return self.directory / f"{self.prefix}.{timeout}.conf"

    def call(self, *arguments, parts=False):
        began = time.monotonic()
        ended = subprocess.run([self.program, self.path(HASTE_MS if self.hostile.answer in UNENDING else PATIENCE_MS), *arguments], capture_output=True, timeout=60, check=False,
                               env={"REASON_PART_BYTES": "10", "ASAN_OPTIONS": "detect_leaks=0"} if parts else {"ASAN_OPTIONS": "detect_leaks=0"})
        assert ended.returncode == 0, ended.stderr.decode()
        assert time.monotonic() - began < LONGEST
        return ended.stdout

    def put(self, parts=False):
        """done, retry or refused, the version, and why not."""
        return self.call("put", self.key, self.directory / "bytes", parts=parts).decode().split("\n")[:3]

    def replace(self, text):
        """As put(), of other bytes."""
        (self.directory / "other").write_bytes(text)
        return self.call("replace", self.key, self.directory / "other").decode().split("\n")[:3]

    def versions(self):
        """What the real server has."""
        text = self.s3.call("GET", f"/{BUCKET}", {"versions": "", "prefix": self.prefix})[1].decode()
        return [part.split("</VersionId>")[0] for part in text.split("<VersionId>")[1:]]

    def bytes(self, version):
        return self.s3.object(f"s3://{BUCKET}/{self.prefix}/{self.key}", version)[1]


@pytest.fixture
def store(program, hostile, s3, tmp_path):
    hostile.be_sane()
    yield Store(program, hostile, s3, tmp_path)
    hostile.be_sane()


def kinds_of(hostile, call):
    hostile.be_sane()
    hostile.seen.clear()
    call()
    return sorted(set(hostile.seen))


@pytest.mark.parametrize("parts,if_none_match,lock_mode", [(False, "yes", "none"), (False, "no", "governance"), (True, "yes", "none")])
def test_an_object_is_stored_only_if_it_is_and_in_the_end_once(program, hostile, s3, tmp_path, parts, if_none_match, lock_mode):
    def fresh():
        return Store(program, hostile, s3, tmp_path, if_none_match=if_none_match, lock_mode=lock_mode)

    kinds = kinds_of(hostile, lambda: fresh().put(parts))
    assert set(kinds) >= ({"create", "part", "complete"} if parts else {"put"})
    wrong = []
    for kind in kinds:
        # those by which the object comes to be there in every way, the others in some: REASON_HOSTILE=long for all
        every = kind in ("put", "complete") or os.environ.get("REASON_HOSTILE") == "long"
        for answer in ANSWERS if every else list(ANSWERS)[::4]:
            one = fresh()
            hostile.spoil(answer, kind)
            result, version, reason = one.put(parts)
            hostile.be_sane()
            there = one.versions()
            if result == "refused" or (result == "done" and (version not in there or one.bytes(version) != BYTES)):
                wrong.append((kind, answer, result, version, reason, there))
            if answer == "no checksum" and result != "done":
                wrong.append((kind, answer, result, version, reason, there))
            again, version, reason = one.put(parts)
            if again != "done" or one.versions() != [version] or one.bytes(version) != BYTES:
                wrong.append((kind, answer, "then", again, version, reason, one.versions()))
    assert wrong == []


def test_what_replaces_an_object_is_the_newest_version_or_was_not_stored(program, hostile, s3, tmp_path):
    """As the newest checkpoint of a log, in a store that is opened without lock."""
    wrong = []
    one = Store(program, hostile, s3, tmp_path, lock_mode="none")
    hostile.be_sane()
    assert one.replace(b"the first")[0] == "done"
    for number, answer in enumerate(ANSWERS):
        text = b"checkpoint %d" % number
        hostile.spoil(answer, "put")
        result, version, reason = one.replace(text)
        hostile.be_sane()
        newest = one.versions()[0]
        if result == "refused" or (result == "done" and (version != newest or one.bytes(version) != text)):
            wrong.append((answer, result, version, reason, one.versions()))
        again, version, reason = one.replace(text)
        if again != "done" or one.versions()[0] != version or one.bytes(version) != text:
            wrong.append((answer, "then", again, version, reason))
    assert wrong == []


def test_a_server_that_knows_no_checksum_is_read_back(store, hostile):
    hostile.spoil("no checksum", "put")
    hostile.seen.clear()
    assert store.put()[:2] == ["done", store.versions()[0]]
    # And then whether it is locked
    assert hostile.seen[:2] == ["put", "get"]


def test_a_store_that_answers_everything_with_a_page_refuses_nothing_for_good(store, hostile):
    """It would fail the snapshot: what is there is not known."""
    for answer in ANSWERS:
        hostile.spoil(answer)
        result, version, reason = store.put()
        hostile.be_sane()
        assert result == "retry" or (result == "done" and store.versions() == [version]), (answer, result, reason)
    assert store.put()[0] == "done" and len(store.versions()) == 1


def test_what_is_read_is_what_is_there_or_an_error(store, hostile):
    version = store.put()[1]
    assert store.call("read", store.key, version) == BYTES + b"ok\n"
    for answer in ANSWERS:
        hostile.spoil(answer, "get")
        said = store.call("read", store.key, version)
        assert said == BYTES + b"ok\n" or said.endswith(b"failed\n"), (answer, said[:200])
        hostile.be_sane()


def test_a_listing_is_the_true_one_or_an_error(store, hostile):
    version = store.put()[1]
    true = f"{store.key} {version}\nok\n".encode()
    assert store.call("list", "snapshots/") == true
    wrong = []
    for answer in ANSWERS:
        hostile.spoil(answer, "list")
        said = store.call("list", "snapshots/")
        if said != true and not said.endswith(b"failed\n"):
            wrong.append((answer, said[:200]))
        hostile.be_sane()
    assert wrong == []
    assert store.call("list", "nothing/") == b"ok\n"


RETENTION = b"<Retention><Mode>%s</Mode><RetainUntilDate>%s</RetainUntilDate></Retention>"
# What a server says that passed over the headers which ask for a lock, or made less of them.
UNLOCKED = {
    "no lock": says(404, [], b"<Error><Code>NoSuchObjectLockConfiguration</Code></Error>"),
    "no such thing": says(501, [], b"<Error><Code>NotImplemented</Code></Error>"),
    "not allowed to say": says(403, [], b"<Error><Code>AccessDenied</Code></Error>"),
    "another mode": says(200, [], RETENTION % (b"COMPLIANCE", b"2099-01-01T00:00:00Z")),
    "a lock that has ended": says(200, [], RETENTION % (b"GOVERNANCE", b"2020-01-01T00:00:00Z")),
    "a lock of an hour": says(200, [], RETENTION % (b"GOVERNANCE", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600)).encode())),
}


@pytest.mark.parametrize("parts", [False, True])
def test_what_is_not_locked_as_asked_is_not_stored(program, hostile, s3, tmp_path, monkeypatch, parts):
    """A server without object lock takes the headers that ask for it, and says that all is well."""
    for name, answer in UNLOCKED.items():
        monkeypatch.setitem(ANSWERS, name, answer)
    wrong = []
    every = not parts or os.environ.get("REASON_HOSTILE") == "long"
    for answer in ANSWERS if every else UNLOCKED:
        one = Store(program, hostile, s3, tmp_path)
        hostile.spoil(answer, "GET retention")
        result, version, reason = one.put(parts)
        if result != ("done" if answer in ("no checksum", "wrong checksum") else "retry"):
            wrong.append((answer, result, reason))
        hostile.be_sane()
        # It is there, and counts once the store says so.
        result, version, reason = one.put(parts)
        if result != "done" or one.versions() != [version] or s3.lock(f"s3://{BUCKET}/{one.prefix}/{one.key}", version)[1] < 0.9:
            wrong.append((answer, "then", result, reason))
    assert wrong == []


@pytest.mark.parametrize("kind", ["PUT retention", "GET retention", "PUT legal-hold", "GET legal-hold"])
def test_a_lock_counts_only_if_it_holds(program, hostile, s3, tmp_path, kind):
    wrong = []
    one = Store(program, hostile, s3, tmp_path)
    hostile.be_sane()
    version = one.put()[1]
    uri = f"s3://{BUCKET}/{one.prefix}/{one.key}"
    for days, answer in enumerate(ANSWERS, 2):
        hostile.spoil(answer, kind)
        result = one.call("protect", one.key, version, str(days * DAY)).decode().split("\n")[0]
        hostile.be_sane()
        if result == "done" and not (s3.lock(uri, version)[1] > days - 0.1 and s3.held(uri, version)):
            wrong.append((answer, s3.lock(uri, version), s3.held(uri, version)))
    assert wrong == []
    assert one.call("protect", one.key, version, str(90 * DAY)).decode().split("\n") == ["done", "", "", ""]
    assert s3.lock(uri, version)[1] > 89 and s3.held(uri, version)


def test_a_file_that_replaces_another_is_whole_at_every_instant_and_leaves_nothing_behind(program, tmp_path):
    (tmp_path / "objects").mkdir()
    path = tmp_path / "sidecar.conf"
    path.write_text(f"[database]\nconninfo = none\n[signer]\nid = none\n[store]\nurl = file://{tmp_path}/objects\n")
    stop = threading.Event()
    seen = set()

    def look():
        while not stop.is_set():
            try:
                seen.add((tmp_path / "objects" / "tlog" / "default" / "checkpoint").read_bytes())
            except FileNotFoundError:
                seen.add(None)
    texts = [b"%d" % number * 100000 for number in range(1, 6)]
    reader = threading.Thread(target=look)
    for number, text in enumerate(texts):
        (tmp_path / "bytes").write_bytes(text)
        said = subprocess.run([program, path, "replace", "tlog/default/checkpoint", tmp_path / "bytes"], capture_output=True, text=True, check=True,
                              env={"ASAN_OPTIONS": "detect_leaks=0"}).stdout
        assert said.startswith("done\n"), said
        if number == 0:
            reader.start()
    stop.set()
    reader.join()
    assert seen <= set(texts)
    assert [name.name for name in (tmp_path / "objects" / "tlog" / "default").iterdir()] == ["checkpoint"]


def test_what_is_no_bucket_passes_no_check(store, hostile):
    assert store.call("check") == b"ok\n"
    for answer in set(ANSWERS) - {"no checksum", "wrong checksum"}:
        hostile.spoil(answer, "check")
        assert store.call("check") == b"failed\n", answer
        hostile.be_sane()
