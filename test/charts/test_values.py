"""The chart's values: numbers, misspelt keys, replicas, ports, pools, and when pods are replaced."""

import copy
import json
import re
import subprocess

import pytest

from chart import CHART, changed, one, sidecar_settings
from paths import ROOT

# What the chart itself sets in the sidecar's configuration
SET_BY_CHART = {("database", "conninfo"), ("sidecar", "trial"), ("kubernetes", "lease"), ("kubernetes", "lease_s"), ("metrics", "address"), ("metrics", "port")}


def keys_of_the_sidecar():
    """As the compiler reads them: some are macros."""
    text = subprocess.run(["gcc", "-E", "-P", "-D_GNU_SOURCE", "-Isidecar", "-Iextension", "sidecar/base/config.c"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = re.findall(r'\{"(\w+)", "(\w+)", CONFIG_(?:TEXT|NUMBER|FLAG),', text)
    assert len(found) > 50
    return set(found)


@pytest.mark.parametrize("path, value, expected", (
    ("database.timeout_ms", 1_200_000, "1200000"), ("store.timeout_ms", 3_600_000, "3600000"), ("kafka.queue.buffering.max.messages", 12_345_678, "12345678"),
    ("kafka.message.max.bytes", 1_000_000_000, "1000000000"), ("tracing.sampler_arg", 0.25, "0.25"), ("store.path_style", True, "true"),
    ("archive.events", 100_000, "100000")))
def test_numbers_are_written_as_programs_read_them(helm, least, path, value, expected):
    section, key = path.split(".", 1)
    values = copy.deepcopy(least)
    values["sidecar"]["config"].setdefault(section, {})[key] = value
    assert sidecar_settings(helm(values))[section, key] == expected


@pytest.mark.parametrize("number", ("1000000", "1e6", "1e+06", "1.0e6"))
def test_a_large_number_is_the_same_however_it_is_written(helm, number):
    objects = helm(f"""
        gateway: {{queue: {number}}}
        sidecar: {{config: {{signer: {{id: s}}, store: {{url: s3://b/p}}, database: {{timeout_ms: {number}}}, kafka: {{message.max.bytes: {number}}}}}}}
        """)
    settings = sidecar_settings(objects)
    assert settings["database", "timeout_ms"] == settings["kafka", "message.max.bytes"] == "1000000"
    assert "queue 1000000;" in one(objects, "ConfigMap", "reason-gateway")["data"]["nginx.conf"]


def test_no_number_has_an_exponent(helm, least):
    values = changed(changed(least, "gateway.queue", 1_000_000), "sidecar.config.database.timeout_ms", 3_600_000)
    assert not re.findall(r"\b\d(?:\.\d+)?e\+\d+", json.dumps(helm(values)))


def test_the_schema_knows_each_setting_of_the_sidecar():
    schema = json.loads((CHART / "values.schema.json").read_text())["definitions"]["sidecarConfig"]
    # A section for each witness and each mirror, by its name.
    named = {pattern.split()[0].lstrip("^"): section for pattern, section in schema["patternProperties"].items()}
    sections = {**schema["properties"], **named}
    assert {(section, key) for section, of in sections.items() for key in of["properties"]} == keys_of_the_sidecar() - SET_BY_CHART


def leaves(values, path=""):
    for key, value in values.items():
        yield f"{path}{key}"
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{key}.")


# Maps whose keys are not the chart's: they go on as they are.
OPEN = ("global", "gateway.service.annotations", "gateway.resources", "sidecar.resources", "migration.resources", "canary.resources", "sidecar.config.kafka", "serviceMonitor.labels",
        "prometheusRule.labels", "dashboards.labels", "dashboards.annotations", "nodeSelector",
        *(f"{component}.{place}" for component in ("gateway", "sidecar") for place in ("podAnnotations", "podLabels", "affinity", "serviceAccount.annotations")))


def test_a_misspelt_key_is_refused_wherever_it_is(helm, least):
    import yaml
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    places = [path for path in leaves(defaults) if not path.startswith(OPEN)]
    assert len(places) > 40
    maps = {path.rpartition(".")[0] for path in places}
    for place in sorted(maps):
        with pytest.raises(AssertionError, match="Additional property mispelt"):
            helm(changed(least, f"{place}.mispelt" if place else "mispelt", "x"))
    for section in ("database", "signer", "store", "archive", "tracing", "kubernetes", "sidecar"):
        with pytest.raises(AssertionError, match="Additional property mispelt"):
            helm(changed(least, f"sidecar.config.{section}.mispelt", "x"))


def test_what_is_passed_through_is_open(helm, least):
    values = least
    for place in OPEN:
        values = changed(values, f"{place}.anything", "x")
    helm(values)


@pytest.mark.parametrize("replicas, least_pods, most, expected", ((2, 2, 10, 2), (2, 5, 10, 5), (6, 2, 10, 6), (20, 2, 10, 10), (1, 3, 3, 3)))
def test_an_autoscaler_takes_over_from_as_many_pods_as_there_were(helm, least, replicas, least_pods, most, expected):
    values = {**least, "database": {"maxConnections": 500}, "gateway": {"replicas": replicas, "autoscaling": {"enabled": True, "minReplicas": least_pods, "maxReplicas": most}}}
    assert one(helm(values), "Deployment", "reason-gateway")["spec"]["replicas"] == expected
    values["gateway"]["autoscaling"]["enabled"] = False
    assert one(helm(values), "Deployment", "reason-gateway")["spec"]["replicas"] == replicas


@pytest.mark.parametrize("conninfo, ports", (
    ("host=db dbname=reason", {5432}), ("host=db port=6432 dbname=reason", {6432}), ("host=a,b port=6432,7432", {6432, 7432}),
    ("port = '6432' host=db", {6432}), ("host=db.port dbname=port", {5432})))
def test_the_network_policy_lets_pods_reach_the_database(helm, least, conninfo, ports):
    def database_ports(component, values):
        rules = one(helm(values), "NetworkPolicy", f"reason-{component}")["spec"]["egress"]
        return {port["port"] for port in rules[1]["ports"]}
    values = changed(least, "database.conninfo", conninfo)
    assert database_ports("gateway", values) == database_ports("sidecar", values) == ports
    values = changed(changed(values, "database.readConninfo", "host=standby port=9999"), "database.maxConnections", 0)
    assert database_ports("gateway", values) == ports | {9999}
    assert database_ports("sidecar", values) == ports


def test_workers_and_pools_are_values(helm, least):
    values = changed(changed(least, "database.readConninfo", "host=standby"), "database.maxConnections", 0)
    values["gateway"] = {"workers": 3, "connections": 5, "queue": 77}
    data = one(helm(values), "ConfigMap", "reason-gateway")["data"]
    assert re.findall(r"worker_processes (\S+);", data["nginx.conf"]) == ["3"]
    for text in (data["nginx.conf"], data["reads-upstream.conf"]):
        assert re.findall(r"^ *connections (\S+);", text, re.M) == ["5"] and re.findall(r"^ *queue (\S+);", text, re.M) == ["77"]
    assert re.findall(r"worker_connections (\d+);", data["nginx.conf"]) != ["5"]
    # what no value says does not depend on the machine
    assert re.findall(r"worker_processes (\d+);", one(helm(least), "ConfigMap", "reason-gateway")["data"]["nginx.conf"])


@pytest.mark.parametrize("path, value", (
    ("database.conninfo", "host=other"), ("database.readConninfo", "host=standby"), ("sidecar.config.signer.id", "other"), ("sidecar.config.store.lock_days", 7),
    ("sidecar.config.kafka.brokers", "k:9093"), ("sidecar.config.database.timeout_ms", 5000), ("sidecar.lease.enabled", True), ("gateway.workers", 7),
    ("gateway.queue", 9), ("gateway.revocationList", True), ("gateway.sentinelNet", {"server": "p:1", "tlsSecret": "t"}),
    ("gateway.tracing.collector", "c:4318")))
def test_pods_are_made_anew_when_their_configuration_changes(helm, least, path, value):
    least = changed(least, "database.maxConnections", 0)
    before, after = helm(least), helm(changed(least, path, value))
    rolled = 0
    for name in ("reason-gateway", "reason-sidecar"):
        if one(before, "ConfigMap", name)["data"] != one(after, "ConfigMap", name)["data"]:
            rolled += 1
            assert one(before, "Deployment", name)["spec"]["template"]["metadata"] != one(after, "Deployment", name)["spec"]["template"]["metadata"]
    assert rolled == (2 if path == "database.conninfo" else 1)
