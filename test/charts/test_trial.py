"""A release on trial: pods behind the Service of the release that runs, a sidecar that claims, a Job that decides, and nothing that gets in the other's way."""

import pytest

from chart import LEAST, Refused, changed, merged, one, pod, sidecar_settings

# What the release that runs has, and a trial takes
VALUES = merged(LEAST, {
    "database": {"maxConnections": 500}, "gateway": {"replicas": 4, "autoscaling": {"enabled": True}},
    "sidecar": {"lease": {"enabled": True}, "replicas": 3, "secretMounts": [{"name": "s3", "mountPath": "/etc/reason/s3"}], "config": {"store": {"endpoint": "https://minio:9000"}}},
    "networkPolicy": {"clients": [{"namespaceSelector": {}}], "monitoring": [{"namespaceSelector": {}}]},
    "serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}, "dashboards": {"enabled": True}})
TRIAL = merged(VALUES, {"canary": {"of": "stable", "otherImage": "reasoning-graph/sidecar:0.0.9", "registryConfigMap": "signers"}})


def selects(selector, labels):
    return selector.items() <= labels.items()


def job(objects):
    return one(objects, "Job", "reason-trial")["spec"]["template"]


def allowed(objects, component, other):
    """Ports of a component's pods that another component's reach, by the policies that select each."""
    labels = {name: (job(objects) if name == "trial" else pod(objects, name))["metadata"]["labels"] for name in ("gateway", "sidecar", "trial")}
    found = set()
    for policy in (o for o in objects if o["kind"] == "NetworkPolicy" and selects(o["spec"]["podSelector"]["matchLabels"], labels[component])):
        for rule in policy["spec"].get("ingress", ()):
            if any(selects(peer["podSelector"]["matchLabels"], labels[other]) for peer in rule.get("from", ()) if "podSelector" in peer):
                found |= {port["port"] for port in rule["ports"]}
    return found


def test_without_a_trial_there_is_nothing_of_it(helm):
    names = [o["metadata"]["name"] for o in helm(VALUES)]
    assert not [name for name in names if name.endswith(("trial", "peer"))]
    assert ("sidecar", "trial") not in sidecar_settings(helm(VALUES))
    assert pod(helm(VALUES), "gateway")["metadata"]["labels"]["reason/track"] == "stable"


def test_the_service_of_the_release_that_runs_finds_both_and_the_trials_its_own_alone(helm):
    tried, running = pod(helm(TRIAL), "gateway")["metadata"]["labels"], {**pod(helm(VALUES), "gateway")["metadata"]["labels"], "app.kubernetes.io/instance": "stable"}
    service = {**one(helm(VALUES), "Service", "reason-gateway")["spec"]["selector"], "app.kubernetes.io/instance": "stable"}
    assert selects(service, running) and selects(service, tried)
    own, peer = (one(helm(TRIAL), "Service", f"reason-{name}")["spec"]["selector"] for name in ("gateway", "peer"))
    assert selects(own, tried) and not selects(own, running)
    assert selects(peer, running) and not selects(peer, tried)


def test_its_deployments_select_their_own_pods_alone(helm):
    for component in ("gateway", "sidecar"):
        found = one(helm(TRIAL), "Deployment", f"reason-{component}")["spec"]
        assert selects(found["selector"]["matchLabels"], found["template"]["metadata"]["labels"])
        running = {**pod(helm(VALUES), component)["metadata"]["labels"], "app.kubernetes.io/instance": "stable"}
        assert not selects(found["selector"]["matchLabels"], running)


@pytest.mark.parametrize("replicas", (1, 3))
def test_it_has_as_many_pods_as_its_share_takes_and_one_sidecar(helm, replicas):
    objects = helm(changed(TRIAL, "canary.replicas", replicas))
    assert one(objects, "Deployment", "reason-gateway")["spec"]["replicas"] == replicas
    sidecar = one(objects, "Deployment", "reason-sidecar")["spec"]
    assert (sidecar["replicas"], sidecar["strategy"]) == (1, {"type": "Recreate"})
    assert sidecar_settings(objects)["sidecar", "trial"] == "yes" and ("kubernetes", "lease") not in sidecar_settings(objects)
    assert not sidecar["template"]["spec"]["automountServiceAccountToken"]


def test_what_the_release_that_runs_has_is_not_made_twice(helm):
    kinds = {o["kind"] for o in helm(TRIAL)}
    assert not kinds & {"HorizontalPodAutoscaler", "PodDisruptionBudget", "ServiceMonitor", "PrometheusRule", "Role", "RoleBinding", "ServiceAccount"}, kinds
    assert kinds < {o["kind"] for o in helm(VALUES)} | {"Job"}


def test_it_has_the_accounts_of_the_release_that_runs(helm):
    for account, name in (({"create": True}, "stable-sidecar"), ({"create": True, "name": "theirs"}, "theirs"), ({"name": "theirs"}, "theirs")):
        objects = helm(changed(TRIAL, "sidecar.serviceAccount", account))
        assert pod(objects, "sidecar")["spec"]["serviceAccountName"] == job(objects)["spec"]["serviceAccountName"] == name
        assert not [o for o in objects if o["kind"] == "ServiceAccount"]
    assert "serviceAccountName" not in job(helm(TRIAL))["spec"]


def test_the_job_tries_both_and_decides(helm):
    found, spec = one(helm(TRIAL), "Job", "reason-trial"), job(helm(TRIAL))["spec"]
    assert found["metadata"]["annotations"] == {"helm.sh/hook": "post-install,post-upgrade", "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded"}
    assert found["spec"]["backoffLimit"] == 0 and found["spec"]["activeDeadlineSeconds"] > 300 and spec["restartPolicy"] == "Never"
    container, = spec["containers"]
    options = dict(part.removeprefix("--").split("=", 1) for part in container["command"][1:] if not part.startswith("--verifier"))
    assert container["command"][0] == "reason-canary" and [part for part in container["command"] if part.startswith("--verifier")] == ["--verifier=reason-verify", "--verifier=/other/verify"]
    # by the name that certificates have, at the address of each
    assert options["gateway"] == options["peer"] == "https://stable-gateway.default.svc"
    assert (options["connect"], options["peer-connect"]) == ("reason-gateway:443", "reason-peer:443")
    assert options["sidecar"] == "http://reason-sidecar:9464/metrics" and options["division"] == "canary" and options["deadline"] == "300"
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert volumes[mounts["/etc/reason/canary"]]["secret"]["secretName"] == "reason-canary-client"
    assert volumes[mounts["/etc/reason/sidecar"]]["configMap"]["name"] == "reason-sidecar" and options["sidecar-config"] == "/etc/reason/sidecar/reason-sidecar.conf"
    assert volumes[mounts["/etc/reason/registry"]]["configMap"]["name"] == "signers" and options["registry"] == "/etc/reason/registry/signers.json"
    assert volumes[mounts["/etc/reason/s3"]]["secret"]["secretName"] == "s3" and "/tmp" in mounts
    assert spec["initContainers"][0]["image"] == "reasoning-graph/sidecar:0.0.9"
    for each in (container, spec["initContainers"][0]):
        assert each["securityContext"]["readOnlyRootFilesystem"] and each["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    alone = job(helm(merged(TRIAL, {"canary": {"otherImage": "", "registryConfigMap": ""}})))["spec"]
    assert "initContainers" not in alone and not [part for part in alone["containers"][0]["command"] if "other" in part or "registry" in part]


def test_the_job_reaches_what_it_asks_and_nothing_else(helm):
    objects = helm(TRIAL)
    assert allowed(objects, "gateway", "trial") == {"https"} and allowed(objects, "sidecar", "trial") == {"metrics"}
    policy = one(objects, "NetworkPolicy", "reason-trial")["spec"]
    assert [[port["port"] for port in rule["ports"]] for rule in policy["egress"]] == [[53, 53], ["https"], ["metrics"], [9000]]
    peer = one(objects, "NetworkPolicy", "reason-peer")["spec"]
    running = {**pod(helm(VALUES), "gateway")["metadata"]["labels"], "app.kubernetes.io/instance": "stable"}
    assert selects(peer["podSelector"]["matchLabels"], running)
    assert peer["ingress"][0]["from"][0]["podSelector"]["matchLabels"].items() <= job(objects)["metadata"]["labels"].items()
    denied = one(objects, "NetworkPolicy", "reason-default-deny")["spec"]["podSelector"]["matchLabels"]
    assert selects(denied, job(objects)["metadata"]["labels"]) and not selects(denied, running)


# (gateway pods + those on trial) × workers × connections + (sidecar pods + 1) × sessions + 1 + others, and 3 that PostgreSQL keeps
@pytest.mark.parametrize("replicas", (1, 2))
def test_its_sessions_are_reckoned_beside_those_of_the_release_that_runs(helm, replicas):
    least = (2 + replicas) * 16 + 3 * 4 + 1 + 10 + 3
    values = merged(LEAST, {"canary": {"of": "stable", "replicas": replicas}, "database": {"maxConnections": least}})
    helm(values)
    with pytest.raises(Refused, match=f"{least - 3} sessions"):
        helm(changed(values, "database.maxConnections", least - 1))


def test_a_trial_of_itself_is_refused(helm):
    with pytest.raises(Refused, match="canary.of is this release"):
        helm(changed(LEAST, "canary.of", "reason"))
