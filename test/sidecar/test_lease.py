"""A Kubernetes Lease says which sidecar tries to lead; the database says which may."""

import os
import signal
import socket
import threading
import time

import pytest

from kubernetes_api import Double, LEASE, NAMESPACE, make_api_server
from wait import wait_for

LEASE_S = 3
LEADING = 'reason_sidecar_leading{duty="seal"}'


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    running = make_api_server(tmp_path_factory.mktemp("kubernetes"))
    yield running
    running.stop_all() if hasattr(running, "stop_all") else running.stop()


@pytest.fixture
def double(tmp_path):
    """One that can be made to misbehave, whichever the other tests use."""
    (tmp_path / "double").mkdir()
    running = Double(tmp_path / "double")
    yield running
    running.stop()


def lease_settings(settings, api, path):
    """As in a pod: address from the environment, token and authority in files."""
    path.write_text(api.token())
    return {**settings, "kubernetes": {"lease": LEASE, "namespace": NAMESPACE, "token_file": path, "ca_file": api.ca, "lease_s": LEASE_S}}


@pytest.fixture
def candidate(api, sidecars, settings, tmp_path):
    """Makes sidecars that stand for the Lease."""
    api.clear()

    def make(server=api, **more):
        made = sidecars({**lease_settings(settings, server, tmp_path / "token"), **more},
                        {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.port)})
        return made

    return make


def leads(one):
    return one.metric(LEADING) == 1


def holds(one):
    return one.metric("reason_sidecar_kubernetes_lease") == 1


def leads_soon(one, seconds=5):
    wait_for(lambda: leads(one), seconds, "leading")


def database_holder(database):
    return database.value("SELECT holder FROM reason.lease WHERE duty = 'seal' AND expires_at > clock_timestamp()")


def test_the_holder_leads_and_the_other_does_not_try(database, api, candidate):
    first = candidate().start()
    leads_soon(first)
    second = candidate().start()
    time.sleep(LEASE_S + 1)
    assert (leads(first), holds(first), leads(second), holds(second)) == (True, True, False, False)
    spec = api.lease()["spec"]
    assert spec["holderIdentity"] == database_holder(database)
    assert spec["holderIdentity"].split("/")[:2] == [socket.gethostname(), str(first.process.pid)]
    assert (spec["leaseDurationSeconds"], spec.get("leaseTransitions", 0)) == (LEASE_S, 0)
    assert spec["renewTime"] > spec["acquireTime"]
    # who holds no Lease does not even ask the database
    assert database.value("SELECT count(*) FROM reason.lease WHERE holder <> %s", spec["holderIdentity"]) == 0


def test_a_holder_that_dies_is_succeeded_when_its_lease_has_run_out(database, api, candidate):
    first = candidate().start()
    leads_soon(first)
    second = candidate().start()
    time.sleep(1)
    first.kill()
    died = time.monotonic()
    database.nodes(10)
    leads_soon(second, 3 * LEASE_S)
    assert LEASE_S / 2 < time.monotonic() - died < 2 * LEASE_S + 1
    database.settled()
    assert api.holder() == database_holder(database)
    assert api.lease()["spec"]["leaseTransitions"] == 1


def test_a_holder_that_stops_gives_the_lease_up(database, api, candidate):
    first = candidate().start()
    leads_soon(first)
    second = candidate().start()
    time.sleep(1)
    before = api.lease()["spec"]
    assert first.stop() == 0
    stopped = time.monotonic()
    leads_soon(second)
    assert time.monotonic() - stopped < LEASE_S / 2
    after = api.lease()["spec"]
    assert after["holderIdentity"] != before["holderIdentity"] and after["acquireTime"] > before["acquireTime"]
    assert second.stop() == 0
    assert not api.holder()
    assert "could not be renewed" not in first.log() + second.log()


def test_what_others_write_into_the_lease_stays_and_a_conflict_is_no_loss(database, api, candidate):
    one = candidate().start()
    leads_soon(one)
    token = database.value("SELECT token FROM reason.lease WHERE duty = 'seal'")
    holder = api.holder()
    for number in range(20):
        # between its renewals: its resourceVersion is old then
        api.put(lambda lease, n=number: lease["metadata"].setdefault("labels", {}).update(n=str(n)))
        time.sleep(0.1)
    renewed = api.lease()["spec"]["renewTime"]
    wait_for(lambda: api.lease()["spec"]["renewTime"] > renewed, 5, "a renewal")
    assert api.lease()["metadata"]["labels"] == {"n": "19"}
    assert api.holder() == holder
    assert database.value("SELECT token FROM reason.lease WHERE duty = 'seal'") == token
    if isinstance(api, Double):
        assert api.conflicts > 0
    assert "could not be renewed" not in one.log()


def test_a_strangers_lease_is_waited_for_by_our_own_clock(database, api, candidate):
    """Its times may say what they like: it runs out when it has not been changed for as long as it says."""
    api.create("a-stranger", 4)
    api.put(lambda lease: lease["spec"].update(renewTime="2001-01-01T00:00:00.000000Z"))
    one = candidate().start()
    for _ in range(5):
        time.sleep(1)
        assert not leads(one) and api.holder() == "a-stranger"
        api.put(lambda lease: lease["metadata"].setdefault("annotations", {}).update(alive=str(time.time())))
    leads_soon(one, 8)
    assert api.lease()["spec"]["leaseTransitions"] == 1


def test_a_lease_that_is_deleted_is_made_again(api, candidate):
    one = candidate().start()
    leads_soon(one)
    holder = api.holder()
    api.clear()
    wait_for(lambda: api.holder() == holder, 5, "the Lease")
    assert leads(one)


def test_a_token_is_read_anew_and_a_refused_one_costs_the_lease(database, api, candidate, sidecars, settings, tmp_path):
    first = candidate().start()
    leads_soon(first)
    second = sidecars(lease_settings(settings, api, tmp_path / "other-token"), {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port)})
    second.start()
    (tmp_path / "token").write_text("expired")
    wait_for(lambda: leads(second), 4 * LEASE_S, "succession")
    assert "with status 401" in first.log()
    assert first.metric('reason_sidecar_failures_total{kind="kubernetes"}') > 0
    assert api.holder() == database_holder(database)
    (tmp_path / "token").write_text(api.token())
    second.kill()
    leads_soon(first, 4 * LEASE_S)
    wait_for(lambda: holds(first), 5, "the Lease")
    assert api.token() not in first.log()


def test_without_an_api_server_the_database_alone_decides(database, api, candidate):
    """Gone for long: nobody seals for a moment, then one does, and never two. Back again: as before."""
    first, second = candidate().start(), candidate().start()
    wait_for(lambda: leads(first) or leads(second), 5, "a leader")
    api.stop()
    wait_for(lambda: not holds(first) and not holds(second), 2 * LEASE_S, "loss of the Lease")
    for one in (first, second):
        wait_for(lambda: "the database alone decides who leads" in one.log(), 4 * LEASE_S, "the fallback")     # pylint: disable=cell-var-from-loop
    wait_for(lambda: leads(first) != leads(second), 5, "one leader")
    database.nodes(100)
    database.settled()
    api.start()
    wait_for(lambda: holds(first) != holds(second), 10, "the Lease")
    holder, other = (first, second) if holds(first) else (second, first)
    leads_soon(holder)
    wait_for(lambda: not leads(other), 5)
    assert database.verified()


def test_a_slow_api_server_delays_nothing(database, double, candidate):
    one = candidate(double).start()
    leads_soon(one)
    double.delay = 60
    until = time.monotonic() + 4 * LEASE_S
    while time.monotonic() < until:
        database.node()
        time.sleep(0.2)
    database.settled(5)
    assert "does not answer" in one.log()
    began = time.monotonic()
    assert one.stop() == 0
    assert time.monotonic() - began < 5


def test_a_forbidden_lease_is_told_and_work_goes_on(database, double, candidate):
    double.forbidden = True
    one = candidate(double)
    assert "kubernetes failed" in one.check().stdout
    one.start()
    leads_soon(one, 4 * LEASE_S)
    assert "with status 403: leases.coordination.k8s.io" in one.log()
    database.node()
    database.settled()


def test_a_paused_holder_does_no_harm_when_it_wakes(database, api, candidate):
    first = candidate().start()
    leads_soon(first)
    second = candidate().start()
    database.nodes(50)
    first.signal(signal.SIGSTOP)
    database.nodes(50)
    leads_soon(second, 4 * LEASE_S)
    database.settled()
    first.signal(signal.SIGCONT)
    time.sleep(1)
    database.nodes(50)
    database.settled()
    assert not leads(first) and not holds(first) and leads(second)
    assert database.verified()


class Forwarder:
    """A way to the database that can be cut."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.target, self.open = self.listener.getsockname()[1], port, []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            self.open += [near, far]
            for source, drain in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, drain), daemon=True).start()

    @staticmethod
    def _copy(source, drain):
        try:
            while data := source.recv(65536):
                drain.sendall(data)
        except OSError:
            pass
        for end in (source, drain):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.listener.close()
        for end in self.open:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def test_a_holder_that_loses_its_database_gives_the_lease_up(database, api, candidate):
    way = Forwarder(database.server.port)
    conninfo = database.server.conninfo(database.name, "sidecar")
    first = candidate(database={"conninfo": conninfo.replace(f"port={database.server.port}", f"port={way.port}")}).start()
    leads_soon(first)
    second = candidate().start()
    way.cut()
    database.node()
    leads_soon(second, 4 * LEASE_S)
    database.settled()
    assert holds(second) and not holds(first)


def test_outside_a_pod_it_says_so(sidecars, settings):
    environment = {name: "" for name in os.environ if name.startswith("KUBERNETES_")}
    answer = sidecars({**settings, "kubernetes": {"lease": LEASE}}, environment).check()
    assert answer.returncode == 1
    assert "this is no pod" in answer.stderr
    assert "kubernetes failed" in answer.stdout
