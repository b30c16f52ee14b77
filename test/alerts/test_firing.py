"""Each alert of the chart on a real stack that is hurt: it fires, goes on firing while the cause lasts, and ends with it.

Time passes thirty times as fast in the rules, where not said otherwise (prometheus_server.hastened); Prometheus and the stack are
as they are elsewhere. test/pods/test_alerts.py holds the rules as they are, on series that are made up.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time

import pytest

from client import Refused
from paths import ROOT
from wait import wait_for
from watched_stack import MIRRORED

# How long a cause goes on while its alerts fire: longer than any short window, 15 minutes, is when hastened.
GOES_ON_S = 35
DEADLINE_S = 240


@contextlib.contextmanager
def taken(path):
    """A folder is away, and a file in its place."""
    away = path.with_name(path.name + ".away")
    path.rename(away)
    path.touch()
    try:
        yield
    finally:
        path.unlink()
        away.rename(path)


@contextlib.contextmanager
def other_key(stack, name):
    """A key file holds another key than the registered one."""
    path = stack.run_dir / "keys" / name
    kept = path.read_bytes()
    other = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True, capture_output=True).stdout
    try:
        path.write_bytes(other)
        os.kill(stack.pid("sidecar.pid"), signal.SIGHUP)
        yield
    finally:
        path.write_bytes(kept)
        os.kill(stack.pid("sidecar.pid"), signal.SIGHUP)


@contextlib.contextmanager
def paused(process):
    process.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.signal(signal.SIGCONT)


@contextlib.contextmanager
def repeated(work, pause=0.0):
    """work() again and again, in a thread, until the end."""
    over = threading.Event()

    def run():
        while not over.is_set():
            work()
            over.wait(pause)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


# ---------------------------------------------------------------- causes


@contextlib.contextmanager
def no_database(stack, traffic):
    stack.end("pg/postmaster.pid", signal.SIGQUIT)
    try:
        yield
    finally:
        stack.up()


@contextlib.contextmanager
def no_sidecar(stack, traffic):
    stack.end("sidecar.pid", signal.SIGKILL)
    try:
        yield
    finally:
        stack.up()


@contextlib.contextmanager
def no_gateway(stack, traffic):
    stack.end("gateway/nginx.pid", signal.SIGTERM)
    try:
        yield
    finally:
        stack.up()


@contextlib.contextmanager
def no_signer(stack, traffic):
    with other_key(stack, "signer.pem"):
        yield


@contextlib.contextmanager
def no_store(stack, traffic):
    """Nor the key of checkpoints."""
    with taken(stack.run_dir / "store/snapshots"), other_key(stack, "log.pem"):
        yield


@contextlib.contextmanager
def nobody_outside(stack, traffic):
    """Kafka, mirror, archive, witness."""
    stack.mirror.spoil("reset")
    try:
        with paused(stack.broker), paused(stack.witness), taken(stack.run_dir / "store/audit"):
            yield
    finally:
        stack.mirror.be_sane()
    with stack.database() as database:
        # at once, as the runbook has it, and not in some minutes
        database.execute("SELECT reason.retry_segment(target, division, first_seq) FROM reason.archive_segment WHERE archived_at IS NULL")


@contextlib.contextmanager
def refused_by_the_mirror(stack, traffic):
    """An edge comes whose node somebody has hidden there."""
    client = stack.client()
    first, second = (client.post("/reason/node", {"type": "observation", "author": "tester", "division": MIRRORED, "payload": number})["nodeId"] for number in (1, 2))

    def place():
        with stack.facts.lock:
            return next((record for record in stack.facts.data.values() if record.get("reason.key") == [f"{MIRRORED}/{first}"]), None)
    record = wait_for(place, 30, "the node in the mirror")
    record["reason.key"] = ["hidden"]
    client.post("/reason/edge", {"from": first, "to": second, "type": "causal", "division": MIRRORED})
    try:
        yield
    finally:
        record["reason.key"] = [f"{MIRRORED}/{first}"]
        with stack.database() as database:
            database.execute("SELECT reason.retry_mirrored('graph', %s)", [MIRRORED])


@contextlib.contextmanager
def an_event_spoilt(stack, traffic):
    """As a superuser can, before it is sealed."""
    with stack.database() as database:
        with database.transaction():
            node, = database.execute("SELECT reason.add_node('observation', '{}', 'tester', 'spoilt')").fetchone()
            database.execute("SET LOCAL session_replication_role = replica")
            database.execute("UPDATE reason.audit_event SET payload = (payload::text || ' ')::json WHERE no = (SELECT no FROM reason.node WHERE id = %s AND division = 'spoilt')", [node])
        try:
            yield
        finally:
            database.execute("SELECT reason.mend_chain('spoilt', 'a test')")


@contextlib.contextmanager
def snapshots_given_up(stack, traffic):
    """At the first attempt, for the store is away."""
    stack.configure(snapshot_attempts=1)
    try:
        traffic.pace = 0.5
        with taken(stack.run_dir / "store/snapshots"):
            yield
    finally:
        traffic.pace = 5
        stack.configure()
        with stack.database() as database:
            for retry, in database.execute("SELECT retry FROM reason.parked WHERE duty = 'snapshot'").fetchall():
                database.execute(retry)


@contextlib.contextmanager
def no_memory(stack, traffic):
    """The state file, which says what was signed."""
    state, away = stack.run_dir / "log-state/state", stack.run_dir / "log-state/away"
    state.rename(away)
    try:
        yield
    finally:
        away.rename(state)
    # the sidecar goes on at once; the database ends safe mode with the next comparison
    with stack.database() as database:
        wait_for(lambda: database.execute("SELECT reason.safe_mode_fault()").fetchone()[0] is None, 60, "the end of safe mode")


@contextlib.contextmanager
def a_store_that_forgets(stack, traffic):
    """What was published, every few seconds."""
    log = stack.run_dir / "store/tlog"

    def forget():
        if (log / "default/checkpoint").exists():
            away = stack.run_dir / "store" / f"forgotten-{time.monotonic_ns()}"
            log.rename(away)
            shutil.rmtree(away)
    with repeated(forget, 8):
        yield


@contextlib.contextmanager
def a_certificate_that_ends_soon(stack, traffic):
    """And a policy service that is away."""
    tls = stack.run_dir / "tls"
    certificate, master = tls / "server.crt", stack.pid("gateway/nginx.pid")
    kept = certificate.read_bytes()
    request = subprocess.run(["openssl", "req", "-new", "-key", tls / "server.key", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                             check=True, capture_output=True).stdout
    soon = subprocess.run(["openssl", "x509", "-req", "-CA", tls / "ca.crt", "-CAkey", tls / "ca.key", "-days", "10", "-copy_extensions", "copy"],
                          input=request, check=True, capture_output=True).stdout
    stack.policies.__exit__(None, None, None)
    try:
        certificate.write_bytes(soon)
        os.kill(master, signal.SIGHUP)
        yield
    finally:
        certificate.write_bytes(kept)
        os.kill(master, signal.SIGHUP)
        stack.policies.__enter__()


@contextlib.contextmanager
def a_full_disk(stack, traffic):
    """A tenth less a little of it is free."""
    filler = stack.run_dir / "store/filler"
    disk = os.statvfs(filler.parent)
    try:
        with open(filler, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, int(disk.f_bavail * disk.f_frsize - 0.07 * disk.f_blocks * disk.f_frsize))
        yield
    finally:
        filler.unlink()


@contextlib.contextmanager
def a_lock_on_nodes(stack, traffic):
    """A transaction that was forgotten, and many who want to write."""
    clients = contextlib.ExitStack()

    def write():
        with contextlib.suppress(Exception):
            stack.client().post("/reason/node", {"type": "observation", "author": "tester", "payload": 1})
    with stack.database() as database, clients:
        database.execute("BEGIN; LOCK TABLE reason.node IN EXCLUSIVE MODE")
        for _ in range(150):
            clients.enter_context(repeated(write, 0.1))
        try:
            yield
        finally:
            database.execute("ROLLBACK")


@contextlib.contextmanager
def locks_on_edges(stack, traffic):
    """One after the other, each longer than a trace should take; who asks for the next waits in front of the traces that come meanwhile."""
    start = stack.client().post("/reason/node", {"type": "observation", "author": "tester", "payload": 1})["nodeId"]

    def locks(database):
        def lock():
            with database.transaction():
                database.execute("LOCK TABLE reason.edge IN ACCESS EXCLUSIVE MODE")
                database.execute("SELECT pg_sleep(1)")
        return lock

    def traces(client):
        def trace():
            with contextlib.suppress(Refused):
                client.get(f"/reason/trace/{start}")
        return trace
    with contextlib.ExitStack() as running:
        for _ in range(2):
            running.enter_context(repeated(locks(running.enter_context(stack.database()))))
        for _ in range(10):
            running.enter_context(repeated(traces(stack.client())))
        yield


# What is done to the stack, and what fires then; how many times as fast time passes.
CASES = {
    no_database: (("ReasonDatabaseAway", "ReasonCellAway", "ReasonGatewayErrors", "ReasonWritesFail"), 30),
    no_sidecar: (("ReasonNobodySeals",), 30),
    no_gateway: (("ReasonGatewayGone",), 30),
    no_signer: (("ReasonSigningFails", "ReasonChainLags"), 30),
    no_store: (("ReasonStoreFails", "ReasonCheckpointsLag"), 30),
    # a witness that is away is asked once a minute
    nobody_outside: (("ReasonEmissionLags", "ReasonMirrorLags", "ReasonArchiveLags", "ReasonWitnessFails"), {"ReasonWitnessFails": 5}),
    refused_by_the_mirror: (("ReasonItemParked",), 30),
    an_event_spoilt: (("ReasonChainHalted",), 30),
    snapshots_given_up: (("ReasonSnapshotFailed", "ReasonSnapshotsFail"), 30),
    no_memory: (("ReasonLogStopped", "ReasonSafeMode"), 30),
    a_store_that_forgets: (("ReasonStoreForgot",), 30),
    a_certificate_that_ends_soon: (("ReasonCertificateExpires", "ReasonPolicyUnanswered"), 30),
    a_full_disk: (("ReasonStoreFull",), 30),
    a_lock_on_nodes: (("ReasonGatewayQueue",), 30),
    locks_on_edges: (("ReasonTracesSlow",), 30),
}


def test_each_alert_has_a_cause(prometheus):
    """And a runbook, whose first heading is its name."""
    rules = prometheus.rules()
    assert {rule["name"] for rule in rules} == {name for names, _ in CASES.values() for name in names}
    for rule in rules:
        assert rule["health"] in ("ok", "unknown") and not rule.get("lastError"), rule
        runbook = ROOT / rule["annotations"]["runbook"]
        assert runbook.read_text().splitlines()[0] == f"# {rule['name']}"


def test_nothing_fires_while_all_is_well(prometheus):
    wait_for(lambda: not prometheus.firing(30), DEADLINE_S, "a quiet stack")
    until = time.monotonic() + 45
    while time.monotonic() < until:
        assert prometheus.firing(30) == set()
        time.sleep(1)


@pytest.mark.parametrize("cause", CASES, ids=lambda cause: cause.__name__)
def test_an_alert_lasts_as_long_as_its_cause(prometheus, stack, traffic, cause):
    names, speed = CASES[cause]

    def fires(name):
        return name in prometheus.firing(speed.get(name, 30) if isinstance(speed, dict) else speed)
    wait_for(lambda: not any(map(fires, names)), DEADLINE_S, f"that none of {names} fires before")
    with cause(stack, traffic):
        for name in names:
            wait_for(lambda name=name: fires(name), DEADLINE_S, f"{name}; what fires is {prometheus.firing(30)}")
        until = time.monotonic() + GOES_ON_S
        while time.monotonic() < until:
            for name in names:
                assert fires(name), f"{name} ended before its cause"
            time.sleep(1)
    for name in names:
        wait_for(lambda name=name: not fires(name), DEADLINE_S, f"the end of {name}")
