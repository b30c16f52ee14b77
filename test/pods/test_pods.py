"""The pods start as the chart describes them, answer their probes, do their work and stop within their grace period."""

import re

import pytest
import yaml

from authority import CONFIGURATION
from chart import CHART, merged
from cluster import OUTSIDE
from image import instructions_of, run
from paths import ROOT
from wait import wait_for


@pytest.mark.parametrize("name", ("gateway", "sidecar"))
def test_an_image_runs_as_nobody_special(name):
    instructions, last = instructions_of(f"{name}.Dockerfile")
    assert [rest for word, rest in instructions[last:] if word == "USER"] == ["10001:10001"]


def test_units_make_what_their_programs_write_to():
    """systemd makes these at each start; nothing else does."""
    gateway = (ROOT / "gateway/reason-gateway.service.in").read_text()
    prefixes = set(re.findall(r" -p /run/(\S+)", gateway))
    assert prefixes == set(re.search(r"^RuntimeDirectory=(.*)$", gateway, re.M).group(1).split())
    sidecar = (ROOT / "sidecar/reason-sidecar.service.in").read_text()
    store = re.search(r"^url = file:///var/lib/(\S+)$", (ROOT / "sidecar/reason-sidecar.conf.example").read_text(), re.M).group(1)
    assert store in re.search(r"^StateDirectory=(.*)$", sidecar, re.M).group(1).split()


def test_the_gateway_starts_serves_and_stops(cluster, client, database):
    pod = cluster.start("reason-gateway").ready()
    status, answer = client(pod).node({"text": "x" * 200_000})
    assert status == 201, answer
    with database.sql() as owner:
        assert owner.execute("SELECT author FROM reason.node WHERE id = %s", [answer["nodeId"]]).fetchone()[0] == "pod"
    wait_for(lambda: '"path":"/reason/node"' in pod.log(), 10, "a line in the access log")
    pod.stop()
    assert not pod.was_killed, pod.log()


def nobody_revoked(tls):
    """A list of revoked certificates, without any."""
    for name, text in (("openssl.cnf", CONFIGURATION), ("index", ""), ("crlnumber", "01\n")):
        (tls / name).write_text(text)
    run("openssl", "ca", "-config", "openssl.cnf", "-gencrl", "-cert", "ca.crt", "-keyfile", "ca.key", "-out", "crl.pem", cwd=tls)
    return (tls / "crl.pem").read_bytes()


@pytest.fixture
def started(helm, values, cluster, tls):
    """started(**gateway): a pod of the gateway with more of its settings, and of the database's"""
    def start(database=None, **gateway):
        cluster.secrets["reason-gateway-tls"]["crl.pem"] = nobody_revoked(tls)
        cluster.secrets["asks"] = {name: (tls / file).read_bytes() for name, file in (("tls.crt", "kernel.crt"), ("tls.key", "kernel.key"), ("ca.crt", "ca.crt"))}
        rendered = helm({**values, "database": {**values["database"], **(database or {})}, "gateway": gateway})
        return cluster.start("reason-gateway", rendered).ready()
    return start


ASKS = {"server": f"{OUTSIDE}:9", "name": "localhost", "tlsSecret": "asks"}


@pytest.mark.parametrize("settings", ({"explorer": False}, {"revocationList": True}, {"sentinelNet": ASKS}, {"workers": 1, "connections": 1, "queue": 1},
                                      {"revocationList": True, "sentinelNet": ASKS, "workers": 3, "drainSeconds": 0}), ids=" ".join)
@pytest.mark.parametrize("reads", (False, True), ids=("one database", "standbys"))
def test_the_gateway_starts_with_whatever_is_set(started, values, client, settings, reads):
    pod = started({"readConninfo": values["database"]["conninfo"], "maxConnections": 200} if reads else None, **settings)
    status, answer = client(pod).node({"text": "x"})
    assert status == 201, answer
    pod.stop()
    assert not pod.was_killed, pod.log()
    assert " failed (" not in pod.log() and "[emerg]" not in pod.log()


def test_the_gateway_writes_large_bodies_to_its_volume(cluster, client):
    pod = cluster.start("reason-gateway").ready()
    status, answer = client(pod).node({"text": "x" * 3_000_000})
    assert status in (400, 413), answer
    wait_for(lambda: "is buffered to a temporary file /run/reason/" in pod.log(), 10, "a file for the body")
    assert " failed (" not in pod.log()


def test_the_sidecar_starts_signs_and_stops(cluster, database):
    pod = cluster.start("reason-sidecar").ready()
    with database.sql() as owner:
        owner.execute("SELECT reason.add_node('observation', '{}', 'pod')")

        def signed():
            return owner.execute("SELECT NOT EXISTS (SELECT FROM reason.audit_event e WHERE NOT EXISTS"
                                 " (SELECT FROM reason.audit_signature s JOIN reason.audit_seal l USING (division, seq) WHERE l.event_no = e.no))").fetchone()[0]
        try:
            wait_for(signed, 30, "every event's signature")
        except AssertionError as fault:
            raise AssertionError(f"{fault}\n{pod.log()}") from None
    pod.stop()
    assert not pod.was_killed, pod.log()


def test_helm_test_says_whether_all_is_ready(cluster, database, values):
    """The store of these tests is none, so another sidecar says that it reaches one; this one signs what waits."""
    gateway = cluster.start("reason-gateway").ready()
    cluster.start("reason-sidecar")
    with database.sql() as owner:
        def ready():
            owner.execute("SELECT reason.report_sidecar('another', %s, 'none')", [values["sidecar"]["config"]["signer"]["id"]])
            return owner.execute("SELECT ok FROM reason.readiness()").fetchone()[0]
        wait_for(ready, 30, "readiness")
    assert cluster.run("Pod", "reason-test", 170, {"GATEWAY": gateway.address}) == (0, "ready\n")


def test_a_gateway_that_has_nothing_from_a_secret_serves_and_takes_up_another_password(cluster, helm, values, client, database):
    example = yaml.safe_load((CHART / "examples/csi.yaml").read_text())
    cluster.objects = helm(merged(values, {"database": example["database"], "gateway": example["gateway"]}))
    for name in ("reason-gateway-db", "reason-sidecar-db"):
        del cluster.secrets[name]
    service = "[reason]\nuser=gateway\npassword={}\n"
    cluster.secrets["reason-gateway-database"] = {"pg_service.conf": service.format("gateway-secret")}
    pod = cluster.start("reason-gateway").ready()
    assert client(pod).node({"by": "csi"})[0] == 201
    with database.sql() as owner:
        owner.execute("ALTER ROLE gateway PASSWORD 'another'")
        try:
            pod.volumes_of_class["reason-gateway-database"].write({"pg_service.conf": service.format("another")})
            owner.execute("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'gateway'")
            wait_for(lambda: client(pod).node({"by": "csi"})[0] == 201, 20, "sessions by the new password")
        finally:
            owner.execute("ALTER ROLE gateway PASSWORD 'gateway-secret'")
    pod.stop()
    assert not pod.was_killed, pod.log()
