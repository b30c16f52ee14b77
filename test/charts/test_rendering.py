"""The chart renders, least and full, and what it makes is safe and whole."""

import re
import subprocess

import pytest

from chart import CHART, LEAST, Refused, changed, helm as helm_program, merged, one, pod
from paths import ROOT

FULL = merged(LEAST, {
    "database": {"readConninfo": "host=reason-db-ro dbname=reason", "maxConnections": 500},
    "gateway": {"autoscaling": {"enabled": True}, "revocationList": True, "sentinelNet": {"server": "policy.example:8443", "tlsSecret": "policy"},
                "tracing": {"collector": "collector.example:4318"}},
    "sidecar": {"lease": {"enabled": True}, "secretMounts": [{"name": "hsm", "mountPath": "/etc/reason/hsm"}]},
    "migration": {"enabled": True, "secret": "reason-owner-db"}, "networkPolicy": {"sidecarEgress": [{"port": 443}]}, "serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}})


def pods(objects):
    return [o["spec"]["template"]["spec"] for o in objects if "template" in o.get("spec", {})] + [o["spec"] for o in objects if o["kind"] == "Pod"]


def test_lint(helm, tmp_path):
    helm(LEAST)
    (tmp_path / "values.yaml").write_text(re.sub(r"'", '"', str(FULL)).replace("True", "true"))
    done = subprocess.run([helm_program(), "lint", "--strict", CHART, "--values", tmp_path / "values.yaml"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values", (LEAST, FULL), ids=("least", "full"))
def test_no_placeholder_is_left(helm, values):
    assert not re.findall(r"@[A-Z_]+@", str(helm(values)))


@pytest.mark.parametrize("values", (LEAST, FULL), ids=("least", "full"))
def test_every_container_runs_without_root_capabilities_or_a_writable_root(helm, values):
    found = pods(helm(values))
    assert len(found) >= 2
    for spec in found:
        assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"] and security["capabilities"] == {"drop": ["ALL"]}


def test_every_password_is_a_reference_to_a_secret(helm):
    for spec in pods(helm(FULL)):
        for variable in (v for container in spec["containers"] for v in container.get("env", ()) if "PASSWORD" in v["name"]):
            assert set(variable["valueFrom"]) == {"secretKeyRef"}, variable
    assert not [o for o in helm(FULL) if o["kind"] == "Secret"]


def test_reads_go_to_standbys_that_are_named(helm):
    """Each route that the files of gateway/ send to @READS@, and the upstream itself."""
    routes = sum((ROOT / "gateway" / name).read_text().count("reason_pass @READS@;") for name in ("conf.d/routes.conf.in", "nginx.conf.in"))
    text = {name: "".join(one(helm(values), "ConfigMap", "reason-gateway")["data"].values()) for name, values in (("least", LEAST), ("full", FULL))}
    assert routes > 5 and text["full"].count("reason_pass reads;") == routes and "reason_pass reads;" not in text["least"]
    assert 'server "host=reason-db-ro dbname=reason target_session_attrs=prefer-standby' in text["full"]


def test_revoked_certificates_are_looked_up(helm):
    assert "ssl_crl /etc/reason/tls/crl.pem;" in one(helm(FULL), "ConfigMap", "reason-gateway")["data"]["revocation-crl.conf"]


def test_the_policy_service_is_asked_under_the_name_it_was_given(helm):
    assert "proxy_ssl_name policy.example;" in one(helm(FULL), "ConfigMap", "reason-gateway")["data"]["sentinelnet-location.conf"]


def test_spans_go_to_the_collector_that_is_named(helm):
    assert "reason_tracing http://collector.example:4318 reason-gateway;" in one(helm(FULL), "ConfigMap", "reason-gateway")["data"]["tracing-tracing.conf"]
    assert "tracing-tracing.conf" not in one(helm(LEAST), "ConfigMap", "reason-gateway")["data"]
    for wrong in ("http://collector:4318", "collector", "a b:1", "a:1; daemon off"):
        with pytest.raises(Refused):
            helm(changed(LEAST, "gateway.tracing.collector", wrong))


def test_with_a_lease_comes_the_token_of_an_account_that_may_only_use_it(helm):
    spec = pod(helm(FULL), "sidecar")["spec"]
    assert spec["automountServiceAccountToken"] and spec["serviceAccountName"] == "reason-sidecar"
    rules = one(helm(FULL), "Role", "reason-sidecar")["rules"]
    assert [rule["verbs"] for rule in rules] == [["create"], ["get", "update"]] and all(rule["resources"] == ["leases"] for rule in rules)


def test_without_a_lease_no_pod_has_a_token(helm):
    assert not any(spec["automountServiceAccountToken"] for spec in pods(helm(LEAST)))
    assert not [o for o in helm(LEAST) if o["kind"] in ("Role", "RoleBinding")]


def test_each_witness_has_its_section(helm):
    values = changed(LEAST, "sidecar.config", {**LEAST["sidecar"]["config"], "witness theirs": {"url": "https://w.example", "vkey": "w.example+00000000+AAAA"}})
    assert "[witness theirs]" in one(helm(values), "ConfigMap", "reason-sidecar")["data"]["reason-sidecar.conf"]


@pytest.mark.parametrize("values, says", (
    ({"sidecar": {"config": {"store": {"url": "s3://b/p"}}}}, "signer.id"),
    (changed(LEAST, "gateway.sentinelNet.server", "policy.example:8443"), "sentinelNet.tlsSecret"),
    (changed(LEAST, "database.conninfo", "host=db password=x"), "conninfo"),
    (merged(LEAST, {"sidecar": {"config": {"witness theirs": {"url": "https://w.example"}}}}), "vkey")), ids=("signer", "policy", "password", "witness"))
def test_what_cannot_work_is_refused(helm, values, says):
    helm(LEAST)
    with pytest.raises(Refused, match=says):
        helm(values)
