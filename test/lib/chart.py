"""The Helm chart as helm renders it."""

import copy
import functools
import json
import subprocess

import yaml

from paths import ROOT

CHART = ROOT / "charts" / "reasoning-graph"
VERSION = "1.30.0"
# What the chart cannot do without
LEAST = {"sidecar": {"config": {"signer": {"id": "s"}, "store": {"url": "s3://bucket/prefix"}}}}


class NoHelm(Exception):
    """There is no helm, and none can be built."""


class Refused(AssertionError):
    """The chart refuses the values."""


@functools.cache
def helm():
    """The path of helm."""
    found = subprocess.run([ROOT / "test/stack/helm.sh"], capture_output=True, text=True, timeout=590, check=False)
    if found.returncode != 0:
        raise NoHelm(f"helm cannot be had: {found.stderr.strip()}")
    return found.stdout.strip()


def render(values, *arguments):
    """The chart's objects with values (a map, or YAML as text)."""
    text = values if isinstance(values, str) else json.dumps(values)
    done = subprocess.run([helm(), "template", "reason", CHART, "--kube-version", VERSION, "--values", "-", *arguments],
                          input=text, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        # the links to gateway/ are meant
        raise Refused("".join(line for line in done.stderr.splitlines(True) if "found symbolic link" not in line))
    # libyaml's loader, where it is: the pure one takes longer than helm does
    return [one for one in yaml.load_all(done.stdout, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if one]


def changed(values, path, value):
    """A copy of values in which the dotted path is value."""
    values = copy.deepcopy(values)
    *above, last = path.split(".")
    place = values
    for name in above:
        place = place.setdefault(name, {})
    place[last] = value
    return values


def merged(*maps):
    """One map of several: what comes later wins, as with helm's --values."""
    result = {}
    for one in maps:
        for key, value in one.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else copy.deepcopy(value)
    return result


def one(objects, kind, name):
    return next(o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name)


def pod(objects, component):
    """The pod template of gateway or sidecar."""
    return one(objects, "Deployment", f"reason-{component}")["spec"]["template"]


def sidecar_settings(objects):
    """(section, key) → value as reason-sidecar reads them."""
    found, section = {}, None
    for line in one(objects, "ConfigMap", "reason-sidecar")["data"]["reason-sidecar.conf"].splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif "=" in line and not line.startswith("#"):
            key, value = (part.strip() for part in line.split("=", 1))
            found[section, key] = value
    return found
