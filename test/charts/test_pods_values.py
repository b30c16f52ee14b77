"""What values say of pods, their images and how many there are reaches the objects."""

import json
import re

import pytest
import yaml

from chart import CHART, LEAST, Refused, changed, merged, one, pod, sidecar_settings
from paths import ROOT

COMPONENTS = ("gateway", "sidecar")


@pytest.mark.parametrize("component", COMPONENTS)
def test_what_is_said_of_pods_reaches_them(helm, component):
    said = {
        "podAnnotations": {"example.com/a": "b"}, "podLabels": {"team": "records"},
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "k", "operator": "Exists"}]}]}}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}],
        "priorityClassName": "high", "extraEnv": [{"name": "A", "value": "b"}], "extraVolumes": [{"name": "more", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}], "watch": ["/more"],
        "serviceAccount": {"create": True, "name": "its-own", "annotations": {"eks.amazonaws.com/role-arn": "arn"}}}
    objects = helm(merged(LEAST, {component: said, "imagePullSecrets": [{"name": "registry"}], "nodeSelector": {"disk": "fast"}, "tolerations": [{"operator": "Exists"}]}))
    template = pod(objects, component)
    spec, container = template["spec"], template["spec"]["containers"][0]
    assert said["podAnnotations"].items() <= template["metadata"]["annotations"].items() and template["metadata"]["labels"]["team"] == "records"
    for key in ("affinity", "topologySpreadConstraints", "priorityClassName"):
        assert spec[key] == said[key]
    assert said["extraEnv"][0] in container["env"] and said["extraVolumeMounts"][0] in container["volumeMounts"] and said["extraVolumes"][0] in spec["volumes"]
    assert "/more" in container["command"][:container["command"].index("--")]
    assert spec["imagePullSecrets"] == [{"name": "registry"}] and spec["nodeSelector"] == {"disk": "fast"} and spec["tolerations"] == [{"operator": "Exists"}]
    assert spec["serviceAccountName"] == "its-own"
    assert one(objects, "ServiceAccount", "its-own")["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": "arn"}
    # the other has none of it
    other = pod(objects, *(set(COMPONENTS) - {component}))
    assert "team" not in other["metadata"]["labels"] and "serviceAccountName" not in other["spec"]


@pytest.mark.parametrize("component", COMPONENTS)
def test_replicas_are_on_different_nodes_if_there_are_some(helm, component):
    constraint, = pod(helm(LEAST), component)["spec"]["topologySpreadConstraints"]
    labels = pod(helm(LEAST), component)["metadata"]["labels"]
    assert constraint["topologyKey"] == "kubernetes.io/hostname" and constraint["labelSelector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("component", COMPONENTS)
def test_an_image_is_named_by_its_digest(helm, component):
    digest = "sha256:" + "a" * 64
    values = changed(LEAST, f"{component}.image", {"repository": "registry.example/r", "tag": "ignored", "digest": digest})
    assert pod(helm(values), component)["spec"]["containers"][0]["image"] == f"registry.example/r@{digest}"
    with pytest.raises(Refused, match="digest"):
        helm(changed(LEAST, f"{component}.image.digest", "latest"))


def test_an_account_that_exists_is_used_and_may_use_the_lease(helm):
    objects = helm(merged(LEAST, {"sidecar": {"lease": {"enabled": True}, "serviceAccount": {"name": "theirs"}}}))
    assert pod(objects, "sidecar")["spec"]["serviceAccountName"] == "theirs"
    assert one(objects, "RoleBinding", "reason-sidecar")["subjects"][0]["name"] == "theirs"
    assert not [o for o in objects if o["kind"] == "ServiceAccount"]


def test_the_autoscaler_looks_at_the_processor_and_at_what_waits(helm):
    values = merged(LEAST, {"database": {"maxConnections": 500}, "gateway": {"autoscaling": {"enabled": True}}})

    def metrics(values):
        return one(helm(values), "HorizontalPodAutoscaler", "reason-gateway")["spec"]["metrics"]
    assert [m["type"] for m in metrics(values)] == ["Resource"]
    pods = metrics(changed(values, "gateway.autoscaling.targetQueueDepth", 20))[1]["pods"]
    assert pods == {"metric": {"name": "reason_gateway_queue_depth"}, "target": {"type": "AverageValue", "averageValue": "20"}}
    # as the adapter of the example names it
    rule, = yaml.safe_load((CHART / "examples/prometheus-adapter.yaml").read_text())["rules"]["custom"]
    assert rule["seriesQuery"].startswith("reason_gateway_queue_depth{")


def test_a_rollout_makes_one_pod_more_and_never_one_less(helm):
    for component in COMPONENTS:
        strategy = one(helm(LEAST), "Deployment", f"reason-{component}")["spec"]["strategy"]
        assert strategy == {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


# (gateway pods + 1) × workers × connections + (sidecar pods + 1) × sessions + 1 + others, and 3 that PostgreSQL keeps
@pytest.mark.parametrize("values, least_connections", (
    ({}, 3 * 16 + 3 * 4 + 1 + 10 + 3),
    ({"gateway": {"replicas": 5, "workers": 3, "connections": 4}}, 6 * 12 + 3 * 4 + 1 + 10 + 3),
    ({"gateway": {"autoscaling": {"enabled": True, "maxReplicas": 7}}}, 8 * 16 + 3 * 4 + 1 + 10 + 3),
    ({"database": {"readConninfo": "host=standby"}}, 3 * 32 + 3 * 4 + 1 + 10 + 3),
    ({"database": {"otherConnections": 40}}, 3 * 16 + 3 * 4 + 1 + 40 + 3),
    ({"sidecar": {"replicas": 1, "config": {"kafka": {"brokers": "k"}, "archive": {"url": "s3://a"}, "mirror a": {"type": "neo4j", "url": "https://m"},
                                            "mirror b": {"type": "neo4j", "url": "https://m"}}}}, 3 * 16 + 2 * 8 + 1 + 10 + 3)))
def test_no_more_sessions_can_be_asked_for_than_the_database_gives(helm, values, least_connections):
    helm(merged(LEAST, values, {"database": {"maxConnections": least_connections}}))
    with pytest.raises(Refused, match=f"{least_connections - 3} sessions with PostgreSQL may be asked for.*leaves room for {least_connections - 4}:"):
        helm(merged(LEAST, values, {"database": {"maxConnections": least_connections - 1}}))
    helm(merged(LEAST, values, {"database": {"maxConnections": 0}}))


def test_mirrors_and_witnesses_have_their_sections(helm):
    settings = sidecar_settings(helm(yaml.safe_load((CHART / "examples/mirrors-and-witnesses.yaml").read_text())))
    assert {"witness theirs", "witness ours", "mirror graph"} <= {section for section, _ in settings}
    assert settings["mirror graph", "type"] == "neo4j" and settings["checkpoint", "quorum"] == "1"


def test_each_alert_names_where_its_runbook_is_read(helm):
    values = merged(LEAST, {"prometheusRule": {"enabled": True, "runbookUrl": "https://wiki.example/runbooks/"}})
    rules = [rule for group in one(helm(values), "PrometheusRule", "reason")["spec"]["groups"] for rule in group["rules"]]
    assert len(rules) > 20
    for rule in rules:
        assert rule["annotations"]["runbook_url"] == f"https://wiki.example/runbooks/{rule['alert']}.md"


def test_alerts_and_dashboard_name_metrics_that_exist(helm):
    sources = "".join(path.read_text() for folder in ("gateway/module", "sidecar") for path in (ROOT / folder).rglob("*.c"))
    objects = helm(merged(LEAST, {"prometheusRule": {"enabled": True}, "dashboards": {"enabled": True}}))
    board = json.loads(one(objects, "ConfigMap", "reason-dashboards")["data"]["reasoning-graph.json"])
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(queries) > 14 and len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for text in queries + [json.dumps(one(objects, "PrometheusRule", "reason"))]:
        names = set(re.findall(r"reason_(?:gateway|sidecar)_[a-z_]+", text))
        assert names
        for name in names:
            assert re.sub("_(bucket|count|sum)$", "", name) in sources, name


def test_a_dashboard_is_found_by_its_label(helm):
    values = merged(LEAST, {"dashboards": {"enabled": True, "annotations": {"folder": "Records"}}})
    found = one(helm(values), "ConfigMap", "reason-dashboards")["metadata"]
    assert found["labels"]["grafana_dashboard"] == "1" and found["annotations"] == {"folder": "Records"}
