"""Backups by pgBackRest into S3, as the page for operators has them: full, incremental, to a point in time, and after everything is gone."""

import os
import re
import shlex
import shutil
import subprocess
import threading
import time

import psycopg
import pytest

from database import Database, SIGNER_ID
from measures import measured
from paths import ROOT
from postgres import servers
from reason_sidecar import Sidecar
from restored import chain, settle
from tls_front import TlsFront
from wait import wait_for

s3_server = pytest.importorskip("s3_server")
if not shutil.which("pgbackrest"):
    pytest.skip("there is no pgbackrest: test/stack/packages-operators", allow_module_level=True)

PAGE = (ROOT / "docs/for-operators/backups.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
POINT = "before"


class World:
    """A server whose log is archived, a database with a sidecar, and the page's commands."""

    def __init__(self, make, front, directory, keys):
        configuration, settings = re.findall(r"```ini\n(.*?)```", PAGE, re.S)
        self.settings = settings.replace("archive_timeout = 60s", "archive_timeout = 2s")
        self.server = make("backed-up", self.settings)
        place = directory / "pgbackrest"
        for word, value in {"repo1-s3-bucket": s3_server.BUCKET, "repo1-s3-endpoint": "localhost", "repo1-s3-region": s3_server.REGION,
                            "repo1-s3-key": s3_server.ACCESS, "repo1-s3-key-secret": s3_server.SECRET, "pg1-path": self.server.data}.items():
            configuration = re.sub(rf"(?m)^{word}=.*$", f"{word}={value}", configuration)
        shutil.copy(directory / "tls/ca.crt", place / "ca.crt")
        (place / "pgbackrest.conf").write_text(configuration.replace("[global]\n", f"[global]\nrepo1-storage-port={front.port}\nrepo1-storage-ca-file={place}/ca.crt\n"
                                               f"log-path={place}\nlock-path={place}\nspool-path={place}\nlog-level-console=warn\n")
                                               + f"pg1-port={self.server.port}\npg1-socket-path={self.server.directory}\n")
        owner = self.server.data.stat()
        for path in (place, *place.iterdir()):
            os.chown(path, owner.st_uid, owner.st_gid)
        self.run_commands = []
        self.database = Database(self.server, "reason", keys[1])
        for name in ("archive", "store"):
            (directory / name).mkdir()
        self.sidecar_settings = {"database": {"conninfo": self.server.conninfo("reason", "sidecar")}, "signer": {"id": SIGNER_ID, "type": "local", "key_file": keys[0]},
                                 "store": {"url": f"file://{directory}/store"}, "archive": {"url": f"file://{directory}/archive", "interval_s": 1}}
        self.sidecar = Sidecar(directory, self.sidecar_settings)

    def page(self, command):
        """A command of the page, run as it stands."""
        assert command in COMMANDS
        self.server.command(*shlex.split(command))
        self.run_commands.append(command)

    def connect_again(self):
        """Once recovery has ended."""
        def writable():
            try:
                with psycopg.connect(self.server.conninfo("reason", "postgres"), autocommit=True) as session:
                    return not session.execute("SELECT pg_is_in_recovery()").fetchone()[0]
            except psycopg.OperationalError:
                return False
        wait_for(writable, 60, "the end of recovery")
        self.database.connection.close()
        self.database.connection = self.database.connect()

    def recover(self):
        """What the archive has and the backup has not."""
        command, = [line for line in COMMANDS if line.startswith("reason-sidecar")]
        self.sidecar.run(*shlex.split(command)[1:-1]).check_returncode()
        self.run_commands.append(command)
        wait_for(lambda: self.database.value("SELECT reason.compared()") == "here", 60, f"the end of safe mode: {self.sidecar.log()[-1500:]}")

    def verified(self):
        assert self.database.rows("SELECT * FROM reason.verify_all() WHERE NOT ok") == []


@pytest.fixture(scope="module")
def world(tmp_path_factory, keys):
    directory = tmp_path_factory.mktemp("backups")
    subprocess.run([ROOT / "test/stack/certificates.sh", directory / "tls"], check=True)
    (directory / "s3").mkdir()
    s3 = s3_server.S3(directory / "s3")
    front = TlsFront(directory / "tls", s3.port_behind)
    with servers() as make:
        # the archive_command of the page is run by the server, which inherits it
        os.environ["PGBACKREST_CONFIG"] = str(directory / "pgbackrest/pgbackrest.conf")
        (directory / "pgbackrest").mkdir()
        made = World(make, front, directory, keys)
        yield made
        made.sidecar.stop()
        made.database.connection.close()
        del os.environ["PGBACKREST_CONFIG"]
    front.close()
    s3.close()


def test_a_full_and_an_incremental_backup_are_made(world):
    world.page("pgbackrest --stanza=reason stanza-create")
    world.page("pgbackrest --stanza=reason check")
    world.sidecar.start()
    world.database.nodes(50)
    world.page("pgbackrest --stanza=reason --type=full backup")
    world.database.completed(world.database.snapshot(world.database.node("a decision")))
    settle(world.database, world.sidecar_settings)
    world.page("pgbackrest --stanza=reason --type=incr backup")


def test_a_point_in_time_is_gone_back_to_and_what_was_signed_since_comes_back(world):
    world.database.nodes(20)
    settle(world.database, world.sidecar_settings)
    world.database.value("SELECT pg_create_restore_point(%s)", POINT)
    world.database.nodes(30, "later")
    settle(world.database, world.sidecar_settings)
    known = chain(world.database)
    world.database.value("SELECT pg_switch_wal()")
    assert world.sidecar.stop() == 0
    world.server.stop()
    world.page(f"pgbackrest --stanza=reason --delta --type=name --target={POINT} --target-action=promote restore")
    world.server.start()
    world.connect_again()
    assert world.database.value("SELECT count(*) FROM reason.node WHERE division = 'later'") == 0
    world.sidecar.start(ready=False)
    wait_for(lambda: world.database.value("SELECT reason.compared()") == "safe mode", 60, "safe mode")
    with pytest.raises(psycopg.errors.CannotConnectNow):
        world.database.node("too early")
    world.recover()
    now = chain(world.database)
    assert {place: now.get(place) for place in known} == known
    world.verified()


def write_all_the_time(world, acknowledged, over):
    with psycopg.connect(world.server.conninfo("reason", "postgres"), autocommit=True) as session:
        number = 0
        while not over.is_set():
            number += 1
            try:
                session.execute("SELECT reason.add_node('observation', to_jsonb(%s::int), 'writer', 'busy')", [number])
            except psycopg.OperationalError:
                return
            acknowledged.append((number, time.monotonic()))


def test_the_disk_is_gone_and_the_latest_moment_comes_back(world):
    world.page("pgbackrest --stanza=reason --type=incr backup")
    acknowledged, over = [], threading.Event()
    writer = threading.Thread(target=write_all_the_time, args=(world, acknowledged, over))
    writer.start()
    archived = world.database.value("SELECT archived_count FROM pg_stat_archiver")
    # Several segments of the log reach the repository while it is written.
    wait_for(lambda: world.database.value("SELECT archived_count FROM pg_stat_archiver") >= archived + 3, 60, "archiving of the log")
    world.sidecar.kill()
    world.server.stop("immediate")
    killed = time.monotonic()
    over.set()
    writer.join()
    shutil.rmtree(world.server.data)
    world.server.command("mkdir", "-m", "700", world.server.data)

    began = time.monotonic()
    world.page("pgbackrest --stanza=reason --delta restore")
    world.server.start()
    world.connect_again()
    restored = {number for number, in world.database.rows("SELECT payload::int FROM reason.node WHERE division = 'busy'")}
    copied = time.monotonic() - began
    world.sidecar.start(ready=False)
    wait_for(lambda: world.database.value("SELECT reason.compared()") in ("here", "safe mode"), 60, f"a comparison: {world.sidecar.log()[-1500:]}")
    if world.database.value("SELECT reason.compared()") == "safe mode":
        world.recover()
    world.database.node("the first one after")
    measured("RTO, restore and recovery of the log", round(copied, 1), "s")
    measured("RTO, to the first write", round(time.monotonic() - began, 1), "s")
    back = {number for number, in world.database.rows("SELECT payload::int FROM reason.node WHERE division = 'busy'")}
    # What comes back of the log is a beginning without gaps, and the audit archive adds to it.
    assert restored == set(range(1, max(restored) + 1)) and restored <= back and back == set(range(1, max(back) + 1))
    for name, numbers in (("RPO, by the backup", restored), ("RPO, with the audit archive", back)):
        lost = [at for number, at in acknowledged if number not in numbers]
        measured(name, round(killed - min(lost), 2) if lost else 0, "s")
        measured(f"{name}, writes lost", len(lost), f"of {len(acknowledged)}")
    world.verified()


def test_every_command_of_the_page_was_run(world):
    assert set(COMMANDS) == set(world.run_commands)
