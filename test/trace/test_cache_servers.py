"""The adjacency cache through the life of a server: restart, crash, standby, promotion, too little room."""

import contextlib
import os
import random
import re
import signal
import time

import psycopg
import pytest

import graphs
from adjacency_cache import compare, random_graph, status, uses_cache, vacuum
from graph_database import build_cache
from postgres import caught_up, servers


def fill(server, rng, size=1500):
    made = random_graph(rng, size)
    with server.connect() as db:
        db.execute("CREATE EXTENSION IF NOT EXISTS reasoning_graph")
        graphs.store(db, [made], rng)
        vacuum(db)
    return made


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_it_is_empty_after_a_restart_and_right_once_built(mode):
    rng = random.Random(mode)
    with servers() as make:
        server = make("alone")
        made = fill(server, rng)
        with server.connect() as db:
            build_cache(db)
            graphs.store(db, [random_graph(rng, 100)], rng)
        server.stop(mode)
        server.start()
        with server.connect() as db:
            assert status(db)["state"] == "empty"
            build_cache(db)
            compare(db, made.nodes, rng)


def test_it_is_empty_after_a_crash_and_right_once_built():
    """The postmaster lives on, and with it the memory that the cache lay in."""
    rng = random.Random(17)
    with servers() as make:
        server = make("crashed", "restart_after_crash = on")
        made = fill(server, rng)
        victim = server.connect()
        build_cache(victim)
        os.kill(victim.info.backend_pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while True:
            # Until the postmaster has heard of it, sessions go on.
            with contextlib.suppress(psycopg.OperationalError), server.connect() as db:
                if status(db)["state"] == "empty":
                    build_cache(db)
                    compare(db, made.nodes, rng)
                    break
            assert time.monotonic() < deadline
            time.sleep(0.05)


def huge_pages_of(backend):
    """Kilobytes of shared memory that its page tables have as huge pages."""
    with open(f"/proc/{backend.info.backend_pid}/smaps", encoding="ascii") as maps:
        return sum(int(line.split()[1]) for line in maps if line.startswith("ShmemPmdMapped:"))


@pytest.mark.skipif(tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) < (6, 1) or
                    not os.path.exists("/sys/kernel/mm/transparent_hugepage"), reason="the system does not know MADV_COLLAPSE")
def test_a_larger_one_is_moved_into_huge_pages():
    rng = random.Random(18)
    with servers() as make:
        server = make("large")
        made = fill(server, rng, 30000)
        with server.connect() as db:
            build_cache(db)
            compare(db, made.nodes, rng, 2)
            assert huge_pages_of(db) >= 2048


def test_a_standby_has_its_own_and_keeps_it_when_promoted():
    rng = random.Random(12)
    with servers() as make:
        primary = make("primary", "wal_level = replica\nmax_wal_senders = 4\nwal_log_hints = on")
        made = fill(primary, rng)
        standby = make("standby", "hot_standby = on", primary=primary)
        caught_up(standby, primary)
        with standby.connect() as db:
            build_cache(db)
            assert status(db)["nodes"] == len(made.nodes)
            compare(db, made.nodes, rng)

        # What the primary does later shows as soon as it is replayed.
        for change in ["DELETE FROM reason.edge WHERE no % 9 = 0", "UPDATE reason.edge SET weight = 0.5 WHERE no % 4 = 0",
                       "VACUUM reason.node, reason.edge"]:
            with primary.connect() as db:
                db.execute("SET session_replication_role = replica")
                db.execute(change)
                graphs.store(db, [random_graph(rng, 60), graphs.Graph([], [
                    graphs.Edge(graphs.uuid.UUID(int=rng.getrandbits(128)), *rng.sample(made.nodes, 2), graphs.EPOCH)
                    for _ in range(100)])], rng)
            caught_up(standby, primary)
            with standby.connect() as db:
                assert uses_cache(db)
                compare(db, made.nodes, rng, 3)

        primary.stop("immediate")
        standby.run("pg_ctl", "-D", standby.data, "-w", "promote")
        with standby.connect() as db:
            assert status(db)["state"] == "ready" and uses_cache(db)
            compare(db, made.nodes, rng, 3)
            graphs.store(db, [random_graph(rng, 200)], rng)
            vacuum(db)
            compare(db, made.nodes, rng, 3)
            build_cache(db)
            compare(db, made.nodes, rng, 3)


def test_a_graph_that_does_not_fit_is_walked():
    rng = random.Random(13)
    with servers() as make:
        server = make("small", "reason.adjacency_cache_size = 1MB")
        made = fill(server, rng, 6000)
        with server.connect() as db:
            with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="does not fit") as caught:
                build_cache(db)
            assert "adjacency_cache_size" in caught.value.diag.message_hint
            found = status(db)
            assert (found["state"], found["last_outcome"]) == ("empty", "too small")
            assert found["free_bytes"] == 1024 * 1024
            compare(db, made.nodes, rng)


def test_the_old_one_goes_first_when_both_do_not_fit():
    rng = random.Random(14)
    with servers() as make:
        server = make("tight", "reason.adjacency_cache_size = 2MB")
        made = fill(server, rng, 5500)
        with server.connect() as db:
            for _ in range(3):
                build_cache(db)
                found = status(db)
                assert found["state"] == "ready" and found["size_bytes"] > 1024 * 1024
                compare(db, made.nodes, rng, 2)


def test_without_shared_memory_there_is_none():
    rng = random.Random(15)
    with servers() as make:
        server = make("none", "reason.adjacency_cache_size = 0")
        made = fill(server, rng, 200)
        with server.connect() as db:
            assert status(db)["state"] == "none"
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="no adjacency cache"):
                db.execute("SELECT reason.build_adjacency_cache()")
            compare(db, made.nodes, rng)


def test_a_builder_that_is_killed_blocks_nobody():
    """Terminated in the middle of a build, the room is given back."""
    rng = random.Random(16)
    with servers() as make:
        server = make("alone")
        made = fill(server, rng, 30000)
        with server.connect() as db, server.connect() as killer:
            for delay in [0.005, 0.02, 0.05]:
                victim = server.connect()
                thread_pid = victim.info.backend_pid
                victim.pgconn.send_query(b"SELECT reason.build_adjacency_cache()")
                time.sleep(delay)
                killer.execute("SELECT pg_terminate_backend(%s, 10000)", [thread_pid])
                victim.close()
            build_cache(db)
            assert status(db)["state"] == "ready"
            compare(db, made.nodes, rng, 2)
