"""The chart on a real Kubernetes API server: installed, tested, upgraded, rolled back, uninstalled; and the Lease that it makes room for.

There are no controllers and no kubelet: Jobs are run here, pods are not. Only in make check-kubernetes.
"""

import os
import urllib.error

import psycopg
import pytest

from chart import CHART, LEAST, changed, merged
from fresh_database import drop_database
from helm_release import KINDS, MERGE, NAME, Release, chart_of_version, run_migration
from kubernetes_api import ADMIN, make_api_server
from wait import wait_for

pytestmark = pytest.mark.skipif(os.environ.get("REASON_KUBERNETES") != "real", reason="needs kube-apiserver: make check-kubernetes")


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    running = make_api_server(tmp_path_factory.mktemp("kubernetes"))
    yield running
    running.stop_all()


@pytest.fixture
def release(api, tmp_path):
    made = Release(api, tmp_path, ADMIN)
    yield made
    made.close()


def template(release, component):
    return release.get("Deployment", f"{NAME}-{component}")["spec"]["template"]


def everything(release):
    """(kind, name) of all that there is but for helm's own records and what the namespace has."""
    return {(kind, name) for kind in KINDS for name in release.names(kind)
            if not name.startswith("sh.helm.release") and name not in ("default", "kube-root-ca.crt")}


def test_it_is_installed_tested_and_uninstalled(release):
    values = merged(LEAST, {"database": {"maxConnections": 500}, "gateway": {"autoscaling": {"enabled": True, "targetQueueDepth": 20}, "serviceAccount": {"create": True}},
                            "sidecar": {"lease": {"enabled": True}}, "dashboards": {"enabled": True}})
    assert "STATUS: deployed" in release.helm("install", NAME, CHART, values=values)
    there = everything(release)
    assert {kind for kind, _ in there} >= set(KINDS) - {"Pod", "Job", "Secret"}
    assert release.helm("test", NAME).count("Phase:          Succeeded") == 1
    release.pods_succeed = False
    assert "failed" in release.helm("test", NAME, fails=True)
    assert "uninstalled" in release.helm("uninstall", NAME)
    # a test's pod stays, for its log to be read
    assert everything(release) == {("Pod", f"{NAME}-test")}


def test_an_upgrade_rolls_what_has_changed_and_a_rollback_brings_it_back(release):
    release.make_secret("reason-gateway-db", {"username": "g", "password": "one"})
    release.helm("install", NAME, CHART, values=LEAST)
    before = {component: template(release, component) for component in ("gateway", "sidecar")}
    # nothing changes: nothing is rolled
    release.helm("upgrade", NAME, CHART, values=LEAST)
    assert before == {component: template(release, component) for component in ("gateway", "sidecar")}
    release.helm("upgrade", NAME, CHART, values=changed(LEAST, "gateway.workers", 1))
    assert template(release, "gateway") != before["gateway"] and template(release, "sidecar") == before["sidecar"]
    release.helm("rollback", NAME, "1")
    assert before == {component: template(release, component) for component in ("gateway", "sidecar")}
    # a password that pods have in their environment
    release.make_secret("reason-gateway-db", {"password": "two"})
    release.helm("upgrade", NAME, CHART, values=LEAST)
    assert template(release, "gateway") != before["gateway"] and template(release, "sidecar") == before["sidecar"]


def test_replicas_do_not_fall_when_the_autoscaler_takes_over(release):
    release.helm("install", NAME, CHART, values=merged(LEAST, {"gateway": {"replicas": 6}, "database": {"maxConnections": 500}}))
    scaling = merged(LEAST, {"database": {"maxConnections": 500}, "gateway": {"autoscaling": {"enabled": True}}})
    release.helm("upgrade", NAME, CHART, values=scaling)
    deployment = release.path("Deployment", f"{NAME}-gateway")
    assert release.api.call("GET", deployment)["spec"]["replicas"] == 6
    # what the autoscaler then makes of it
    release.api.call("PATCH", deployment + "/scale", {"spec": {"replicas": 9}}, MERGE)
    release.helm("upgrade", NAME, CHART, values=changed(scaling, "gateway.workers", 1))
    assert release.api.call("GET", deployment)["spec"]["replicas"] == 9


def test_the_migration_comes_before_the_pods_and_a_refused_one_changes_nothing(release, server, tmp_path):
    name = "migrated"
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name}")
        admin.execute(f"CREATE DATABASE {name}")
    release.run_job = run_migration({"PGUSER": "postgres"})
    values = merged(LEAST, {"migration": {"enabled": True, "secret": "reason-owner-db", "waitSeconds": 30},
                            "database": {"conninfo": f"host=127.0.0.1 port={server.port} dbname={name}"}})
    try:
        release.helm("install", NAME, CHART, values=values)
        assert release.ran == [("reason-migrate", 0)]
        with psycopg.connect(server.conninfo(name, "postgres")) as database:
            assert database.execute("SELECT extversion FROM pg_extension WHERE extname = 'reasoning_graph'").fetchone() == ("0.1.0",)
        before = template(release, "gateway")
        # The server has no files of that version: neither the database nor the pods become newer.
        assert "pre-upgrade hooks failed" in release.helm("upgrade", NAME, chart_of_version(tmp_path, "0.2.0"), values=values, fails=True)
        assert release.ran[-1] == ("reason-migrate", 3) and template(release, "gateway") == before
        release.helm("upgrade", NAME, CHART, values=values)
        # A database that is newer: the older chart is refused.
        assert "pre-upgrade hooks failed" in release.helm("upgrade", NAME, chart_of_version(tmp_path, "0.0.1"), values=values, fails=True)
        assert release.ran[-1] == ("reason-migrate", 3) and template(release, "gateway") == before
    finally:
        drop_database(server.conninfo, name)


def test_a_trial_stands_beside_the_release_and_goes_without_a_trace(release):
    values = merged(LEAST, {"database": {"maxConnections": 500}, "gateway": {"autoscaling": {"enabled": True}}, "sidecar": {"lease": {"enabled": True}}})
    trial = merged(values, {"canary": {"of": NAME}})
    release.helm("install", NAME, CHART, values=values)
    before = {(kind, name): release.get(kind, name)["metadata"].get("resourceVersion") for kind, name in everything(release)}
    release.run_job = lambda command, environment: 1
    assert "job tried-trial failed" in release.helm("install", "tried", CHART, values=trial, fails=True)
    assert release.ran[-1] == ("reason-canary", 1) and set(before) < everything(release)
    release.helm("uninstall", "tried")
    # a Job that failed stays, for what it said
    assert everything(release) == {*before, ("Job", "tried-trial")}
    release.run_job = lambda command, environment: 0
    assert "STATUS: deployed" in release.helm("install", "tried", CHART, values=trial)
    assert release.ran[-1] == ("reason-canary", 0)
    assert {(kind, name): release.get(kind, name)["metadata"].get("resourceVersion") for kind, name in before} == before
    release.helm("upgrade", NAME, CHART, values=changed(values, "gateway.image.tag", "new"))
    release.helm("uninstall", "tried")
    assert everything(release) == set(before)


def test_the_account_of_the_release_may_use_its_lease_and_nothing_else(release, database, sidecars, settings, tmp_path):
    release.helm("install", NAME, CHART, values=merged(LEAST, {"sidecar": {"lease": {"enabled": True}}}))
    account = release.path("ServiceAccount", f"{NAME}-sidecar")
    token = release.api.call("POST", account + "/token", {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}})["status"]["token"]
    (tmp_path / "token").write_text(token)
    one = sidecars({**settings, "kubernetes": {"lease": f"{NAME}-sidecar", "namespace": release.namespace, "token_file": tmp_path / "token", "ca_file": release.api.ca, "lease_s": 3}},
                   {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(release.api.port)}).start()
    wait_for(lambda: one.metric('reason_sidecar_leading{duty="seal"}') == 1, 15, "leading")
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{release.namespace}/leases/{NAME}-sidecar"
    assert release.api.call("GET", lease)["spec"]["holderIdentity"] == database.value("SELECT holder FROM reason.lease WHERE duty = 'seal'")
    for path in (release.path("Secret"), release.path("ConfigMap")):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            release.api.call("GET", path, token=token)
