"""No private key lies in a Secret of the cluster unless values say so, and none need be there at all."""

import re

import pytest
import yaml

from chart import CHART, LEAST, Refused, changed, merged, one, pod, sidecar_settings

EXAMPLES = CHART / "examples"


def example(name):
    return yaml.safe_load((EXAMPLES / name).read_text())


def secrets_of(template):
    """Each Secret that a pod gets anything from."""
    spec = template["spec"]
    for container in spec["containers"]:
        yield from (v["valueFrom"]["secretKeyRef"]["name"] for v in container.get("env") or () if "secretKeyRef" in v.get("valueFrom", {}))
    yield from (v["secret"]["secretName"] for v in spec["volumes"] if "secret" in v)


def mounted(template, kind):
    """Volume of a kind by the path where it is mounted."""
    spec = template["spec"]
    volumes = {v["name"]: v for v in spec["volumes"]}
    return {m["mountPath"]: volumes[m["name"]][kind] for m in spec["containers"][0]["volumeMounts"] if kind in volumes[m["name"]]}


def variables(template):
    return {v["name"]: v.get("value") for v in template["spec"]["containers"][0]["env"] or ()}


def watched(template):
    command = template["spec"]["containers"][0]["command"]
    return command[1:command.index("--")]


@pytest.mark.parametrize("section", ("signer", "checkpoint"))
def test_a_key_in_a_file_is_for_development_alone(helm, section):
    local = {"type": "local", "key_file": "/etc/reason/key.pem"} | ({"id": "s"} if section == "signer" else {"signer": "c"})
    values = merged(LEAST, {"sidecar": {"config": {section: local}}})
    with pytest.raises(Refused, match=f"sidecar.config.{section}.type is local.*set development to true"):
        helm(values)
    assert sidecar_settings(helm({**values, "development": True}))[section, "type"] == "local"


def test_each_secret_is_one_that_exists_under_a_name_of_the_operators(helm):
    named = {"database.gatewaySecret": "gateway", "database.sidecarSecret": "sidecar", "gateway.tlsSecret": "gateway",
             "gateway.sentinelNet.tlsSecret": "gateway", "database.caSecret": "both"}
    values = changed(LEAST, "gateway.sentinelNet.server", "policy.example:8443")
    for place in named:
        values = changed(values, place, "its-" + place.replace(".", "-").lower())
    objects = helm(values)
    used = {component: set(secrets_of(pod(objects, component))) for component in ("gateway", "sidecar")}
    for component, found in used.items():
        assert found == {"its-" + place.replace(".", "-").lower() for place, of in named.items() if of in (component, "both")}
    assert not [o for o in objects if o["kind"] == "Secret"]


def test_by_csi_nothing_comes_from_a_secret_but_the_authority_of_the_database(helm):
    objects = helm(example("csi.yaml"))
    classes = {one["metadata"]["name"]: one for one in yaml.safe_load_all((EXAMPLES / "secret-provider-class.yaml").read_text())}
    files = {name: {entry["objectName"] for entry in yaml.safe_load(one["spec"]["parameters"]["objects"])} for name, one in classes.items()}
    used = set()
    for component in ("gateway", "sidecar"):
        template = pod(objects, component)
        assert set(secrets_of(template)) == {"reason-db-ca"}
        assert template["spec"]["serviceAccountName"] == f"reason-{component}"
        volumes = mounted(template, "csi")
        there = {f"{path}/{name}" for path, volume in volumes.items() for name in files[volume["volumeAttributes"]["secretProviderClass"]]}
        used |= {volume["volumeAttributes"]["secretProviderClass"] for volume in volumes.values()}
        assert variables(template)["PGSERVICEFILE"] in there
        if component == "gateway":
            asked = set(re.findall(r"/etc/reason/tls/[a-z.]+", one(objects, "ConfigMap", "reason-gateway")["data"]["nginx.conf"]))
        else:
            asked = {value for (_, key), value in sidecar_settings(objects).items() if key.endswith("_file")}
            assert set(volumes) <= set(watched(template))
        assert asked and asked <= there
    assert used == set(classes)


def test_by_vaults_agent_nothing_comes_from_a_secret_but_the_authority_of_the_database(helm):
    objects = helm(example("vault-agent.yaml"))
    for component in ("gateway", "sidecar"):
        template = pod(objects, component)
        assert set(secrets_of(template)) == {"reason-db-ca"}
        annotations = {key.removeprefix("vault.hashicorp.com/"): value for key, value in template["metadata"]["annotations"].items() if key.startswith("vault.")}
        assert annotations["agent-inject"] == "true" and annotations["role"] == f"reason-{component}"
        directory = annotations["secret-volume-path"]
        names = {key.removeprefix("agent-inject-secret-") for key in annotations if key.startswith("agent-inject-secret-")}
        # helm leaves the agent's own templates as they are
        assert all("{{ with secret" in annotations[f"agent-inject-template-{name}"] for name in names)
        there = {f"{directory}/{name}" for name in names | ({"token"} if annotations.get("agent-inject-token") else set())}
        token = next(v for v in template["spec"]["volumes"] if v["name"] == annotations["agent-service-account-token-volume-name"])
        assert token["projected"]["sources"][0]["serviceAccountToken"]["audience"] == "vault"
        assert variables(template)["PGSERVICEFILE"] in there
        if component == "gateway":
            asked = set(re.findall(r"/etc/reason/tls/[a-z.]+", one(objects, "ConfigMap", "reason-gateway")["data"]["nginx.conf"]))
        else:
            asked = {value for (_, key), value in sidecar_settings(objects).items() if key.endswith("_file")}
        assert asked and asked <= there and directory in watched(template)
        # the agent has the directory to itself
        assert directory not in {m["mountPath"] for m in template["spec"]["containers"][0]["volumeMounts"]}
    egress = one(objects, "NetworkPolicy", "reason-gateway")["spec"]["egress"]
    assert 8200 in {port["port"] for rule in egress for port in rule["ports"]}


def test_the_gateway_lets_libpq_see_whom_it_connects_as(helm):
    """nginx clears its environment but for what it is told."""
    text = one(helm(LEAST), "ConfigMap", "reason-gateway")["data"]["nginx.conf"]
    assert set(re.findall(r"^env (\w+);", text, re.M)) == {"PGUSER", "PGPASSWORD", "PGSERVICE", "PGSERVICEFILE"}
