"""Faults drawn at random, several at a time, while everything is written; and then everything must be there, once and right."""

import contextlib
import os
import random
import time

import pytest

import storm_checks
from hsm import Token
from kafka_broker import Broker
from proxy import Proxy
from s3_server import S3
from storm_faults import faults
from storm_world import Disk, World, Writer

# A longer one, in each of the two worlds: REASON_STORM_FAULTS=250
FAULTS = int(os.environ.get("REASON_STORM_FAULTS", "12"))
AT_ONCE = 4
# After so many faults all is healed, awaited and checked
BETWEEN_CHECKS = 25
SEED = int(os.environ.get("REASON_STORM_SEED", "20261124"))


@pytest.fixture(scope="module")
def counterparts(server, tmp_path_factory):
    """S3 server, Kafka broker, and a proxy before each of what the sidecar reaches over the network."""
    proxies = {name: Proxy() for name in ("database", "store", "broker")}
    s3 = S3(tmp_path_factory.mktemp("s3"))
    broker = Broker(tmp_path_factory.mktemp("kafka"), proxies["broker"])
    proxies["database"].behind = server.port
    proxies["store"].behind = s3.port_behind
    yield s3, broker, proxies
    for proxy in proxies.values():
        proxy.close()
    broker.kill()
    s3.close()


@pytest.fixture
def make_world(counterparts, database, sidecars, tmp_path):
    disk = Disk(tmp_path / "disk")

    def make(snapshots_in_s3):
        s3, broker, proxies = counterparts
        topic = f"storm-{time.monotonic_ns()}"
        broker.make_topic(topic)
        (tmp_path / "hsm").mkdir()
        token = Token(tmp_path / "hsm")
        database.value("SELECT reason.add_signer('hsm-1', %s)", token.public_key())
        world = World(database, s3, broker, topic, token, proxies, disk)
        world.sidecar = sidecars(world.settings(tmp_path, snapshots_in_s3), token.environment).start()
        return world
    yield make
    disk.close()


def strike(world, dice, most):
    """One fault, or several that overlap: of different counterparts, and the sidecar may be killed in the midst of them."""
    struck = []
    with contextlib.ExitStack() as over:
        while len(struck) < min(most, AT_ONCE):
            free = [fault for fault in faults(world) if fault.subject not in [other.subject for other in struck]]
            fault = dice.choices(free, [fault.weight for fault in free])[0]
            over.enter_context(fault.context(world))
            struck.append(fault)
            time.sleep(dice.uniform(0, 0.5))
            if dice.random() < 0.5:
                break
        time.sleep(dice.choice((0, 0.3, 0.3, 1.5)))
    assert world.sidecar.process.poll() is None, "the sidecar ended by itself"
    return [fault.name for fault in struck]


@pytest.mark.parametrize("snapshots_in_s3", [True, False], ids=["snapshots in S3, archive on the disk", "snapshots on the disk, archive in S3"])
def test_after_a_storm_everything_is_there_once_and_right(make_world, tmp_path, snapshots_in_s3):
    dice = random.Random(SEED + snapshots_in_s3)
    world = make_world(snapshots_in_s3)
    struck = []
    began = time.monotonic()
    while len(struck) < FAULTS:
        writer = Writer(world.database, dice.random())
        writer.start()
        until = min(FAULTS, len(struck) + BETWEEN_CHECKS)
        while len(struck) < until:
            struck += strike(world, dice, until - len(struck))
            time.sleep(dice.uniform(0, 0.5))
        writer.end()
        try:
            found = storm_checks.everything(world, writer, tmp_path)
        except AssertionError:
            print(f"seed {SEED}, struck: {struck}\n{world.sidecar.log()[-5000:]}")
            raise
        print(f"{len(struck)} faults, {time.monotonic() - began:.0f} s: {found}")
    print({name: struck.count(name) for name in sorted(set(struck))})
