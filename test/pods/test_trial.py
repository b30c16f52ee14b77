"""A release on trial: its gateway, its sidecar and the Job that decides, in pods beside the gateway of the release that runs."""

import json

import pytest

from chart import merged, one

CLAIM = {"extraVolumes": [{"name": "snapshots", "persistentVolumeClaim": {"claimName": "snapshots"}}], "extraVolumeMounts": [{"name": "snapshots", "mountPath": "/snapshots"}],
         "config": {"store": {"url": "file:///snapshots", "lock_mode": "none"}}}


@pytest.fixture
def trial(helm, values, cluster, tls, database):
    """Starts gateway and sidecar on trial, and gives a function that runs the Job: exit code and what it said."""
    cluster.secrets["reason-canary-client"] = {"tls.crt": (tls / "kernel.crt").read_bytes(), "tls.key": (tls / "kernel.key").read_bytes(),
                                               "ca.crt": (tls / "ca.crt").read_bytes()}
    running = cluster.start("reason-gateway").ready()
    mine = merged(values, {"sidecar": CLAIM, "canary": {"of": "stable", "serverName": "localhost", "otherImage": "reasoning-graph/sidecar:other", "deadlineSeconds": 60}})
    cluster.objects = helm(mine)
    gateway, sidecar = cluster.start("reason-gateway").ready(), cluster.start("reason-sidecar").ready(60)
    command = one(cluster.objects, "Job", "reason-trial")["spec"]["template"]["spec"]["containers"][0]["command"]
    # there are no Services here: where they would lead to
    places = {"--connect=reason-gateway:443": f"--connect={gateway.address}:8443", "--peer-connect=reason-peer:443": f"--peer-connect={running.address}:8443",
              "--sidecar=http://reason-sidecar:9464/metrics": f"--sidecar=http://{sidecar.address}:9464/metrics"}
    assert set(places) < set(command)
    command[:] = [places.get(part, part) for part in command]

    def run():
        code, said = cluster.run("Job", "reason-trial", 180)
        return code, json.loads(said.splitlines()[-1]) if said else said
    run.gateway, run.sidecar = gateway, sidecar
    return run


def test_the_job_lets_a_release_pass_that_works_and_no_other(trial):
    code, said = trial()
    assert code == 0 and said["ok"], said
    assert [(one["program"], one["verified"]) for one in said["verifiers"]] == [("reason-verify", True), ("/other/verify", True)]
    trial.sidecar.stop()
    code, said = trial()
    assert code == 1 and said["failed"] in ("ready", "lead"), said
