"""Pods reach the ports that values name, and no others."""

import pytest
import yaml

from chart import CHART, LEAST, changed, merged, one

PEER = {"ipBlock": {"cidr": "10.0.0.0/8"}}


def egress(objects, component):
    """[(ports, peers)], DNS first."""
    return [([port["port"] for port in rule["ports"]], rule.get("to")) for rule in one(objects, "NetworkPolicy", f"reason-{component}")["spec"]["egress"]]


def test_what_no_policy_allows_is_denied_to_every_pod_of_the_release(helm):
    spec = one(helm(LEAST), "NetworkPolicy", "reason-default-deny")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"] and "ingress" not in spec and "egress" not in spec
    for o in helm(LEAST):
        if "template" in o.get("spec", {}):
            assert spec["podSelector"]["matchLabels"].items() <= o["spec"]["template"]["metadata"]["labels"].items()


# what is set in sidecar.config, and which ports the sidecar then reaches beside DNS and the database
@pytest.mark.parametrize("config, ports", (
    ({"store": {"url": "file:///var/lib/reason/store"}}, []),
    ({"store": {"url": "s3://b/p"}}, [[443]]),
    ({"store": {"url": "s3://b/p", "endpoint": "https://minio:9000"}}, [[9000]]),
    ({"store": {"url": "s3://b/p", "endpoint": "http://minio"}}, [[80]]),
    ({"store": {"url": "file:///s"}, "archive": {"url": "s3://a"}}, [[443]]),
    ({"store": {"url": "file:///s"}, "signer": {"type": "vault", "url": "https://vault:8200"}}, [[8200]]),
    ({"store": {"url": "file:///s"}, "signer": {"type": "proxy", "url": "https://[2001:db8::1]/sign"}}, [[443]]),
    ({"store": {"url": "file:///s"}, "signer": {"type": "aws-kms", "key_id": "alias/a"}}, [[443]]),
    ({"store": {"url": "file:///s"}, "signer": {"type": "vault", "url": "https://vault:8200"}, "checkpoint": {"signer": "c", "type": "aws-kms"}}, [[443, 8200]]),
    ({"store": {"url": "file:///s"}, "kafka": {"brokers": "a:9093, b:9093,c"}}, [[9092, 9093]]),
    ({"store": {"url": "file:///s"}, "tracing": {"endpoint": "http://collector:4318"}}, [[4318]]),
    ({"store": {"url": "file:///s"}, "mirror a": {"type": "neo4j", "url": "https://g:7473"}, "mirror b": {"type": "janusgraph", "url": "ws://j:8182/gremlin"}}, [[7473, 8182]]),
    ({"store": {"url": "file:///s"}, "witness a": {"url": "https://w", "vkey": "v"}, "witness b": {"url": "https://w:9443/reason", "vkey": "v"}}, [[443, 9443]])))
def test_the_sidecar_reaches_what_its_configuration_names(helm, config, ports):
    found = egress(helm(merged({"sidecar": {"config": {"signer": {"id": "s"}}}}, {"sidecar": {"config": config}})), "sidecar")
    assert [sorted(rule) for rule, _ in found] == [[53, 53], [5432], *ports] and all(to is None for _, to in found)


def test_each_counterpart_can_be_confined_to_where_it_is(helm):
    values = merged(LEAST, {
        "gateway": {"sentinelNet": {"server": "policy:8443", "tlsSecret": "t"}, "tracing": {"collector": "node:4319"}},
        "sidecar": {"lease": {"enabled": True}, "config": {
            "signer": {"type": "vault", "url": "https://vault:8200"}, "kafka": {"brokers": "k:9093"}, "tracing": {"endpoint": "https://otlp:4318"},
            "mirror m": {"type": "neo4j", "url": "https://m:7473"}, "witness w": {"url": "https://w:9443", "vkey": "v"}}},
        "networkPolicy": {name: {"to": [{"ipBlock": {"cidr": f"10.0.{number}.0/24"}}]} for number, name in
                          enumerate(("dns", "database", "sentinelNet", "store", "signer", "brokers", "tracing", "mirrors", "witnesses", "apiServer"))}})
    values["networkPolicy"] |= {"gatewayEgress": [{"port": 8200, "to": [PEER]}], "sidecarEgress": [{"port": 2223, "to": [PEER]}]}

    def peers(component):
        return [(rule[-1], to[0]["ipBlock"]["cidr"]) for rule, to in egress(helm(values), component)]
    assert peers("gateway") == [(53, "10.0.0.0/24"), (5432, "10.0.1.0/24"), (8443, "10.0.2.0/24"), (4319, "10.0.6.0/24"), (8200, "10.0.0.0/8")]
    assert peers("sidecar") == [(53, "10.0.0.0/24"), (5432, "10.0.1.0/24"), (443, "10.0.3.0/24"), (8200, "10.0.4.0/24"), (9093, "10.0.5.0/24"),
                                (4318, "10.0.6.0/24"), (7473, "10.0.7.0/24"), (9443, "10.0.8.0/24"), (443, "10.0.9.0/24"), (2223, "10.0.0.0/8")]


def test_clients_and_monitoring_can_be_confined_to_where_they_are(helm):
    values = changed(changed(LEAST, "networkPolicy.clients", [PEER]), "networkPolicy.monitoring", [{"namespaceSelector": {}}])
    rules = one(helm(values), "NetworkPolicy", "reason-gateway")["spec"]["ingress"]
    assert [rule["ports"][0]["port"] for rule in rules] == ["https", "ops"]
    assert rules[0]["from"] == [PEER]
    # and the chart's own test, which asks whether all is ready
    test = one(helm(values), "Pod", "reason-test")["metadata"]["labels"]
    assert rules[1]["from"] == [{"namespaceSelector": {}}, {"podSelector": {"matchLabels": test}}]


def test_the_migration_reaches_the_database_before_any_other_policy_is_there(helm):
    values = merged(LEAST, {"database": {"conninfo": "host=db port=6432"}, "migration": {"enabled": True, "secret": "owner"}})
    policy, job = one(helm(values), "NetworkPolicy", "reason-migration"), one(helm(values), "Job", "reason-migration")
    assert egress(helm(values), "migration") == [([53, 53], None), ([6432], None)]
    for o in (policy, job):
        assert o["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert int(policy["metadata"]["annotations"]["helm.sh/hook-weight"]) < int(job["metadata"]["annotations"].get("helm.sh/hook-weight", 0))
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= job["spec"]["template"]["metadata"]["labels"].items()


def test_a_network_hsm_is_named_by_hand(helm):
    values = yaml.safe_load((CHART / "examples/mirrors-and-witnesses.yaml").read_text())
    assert [rule for rule, _ in egress(helm(values), "sidecar")][1:] == [[5432], [443], [7473], [443, 9443], [2223]]
