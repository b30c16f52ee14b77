"""A release of the chart on a Kubernetes API server: helm, and what controllers and kubelets would do with Jobs and test pods."""

import base64
import json
import os
import re
import shutil
import subprocess
import threading
import uuid
import urllib.error

from chart import CHART, helm
from paths import ROOT

NAME = "reason"
# Each kind that the chart makes, by the path of its collection
KINDS = {"ConfigMap": "/api/v1/namespaces/{}/configmaps", "Service": "/api/v1/namespaces/{}/services", "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
         "Pod": "/api/v1/namespaces/{}/pods", "Secret": "/api/v1/namespaces/{}/secrets", "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
         "Job": "/apis/batch/v1/namespaces/{}/jobs", "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
         "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets", "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
         "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
         "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers"}
MERGE = "application/merge-patch+json"


def chart_of_version(directory, version):
    """A copy of the chart that says it is of another version."""
    copy = directory / f"chart-{version}"
    shutil.copytree(CHART, copy)        # what links lead to
    text = (copy / "Chart.yaml").read_text()
    (copy / "Chart.yaml").write_text(re.sub(r"^(version|appVersion): .*", rf'\1: "{version}"', text, flags=re.M))
    return copy


class Release:
    """In a namespace of its own. run_job: what a Job's pod would do, its command → exit code; pods end as pods_succeed says."""

    def __init__(self, api, directory, token, run_job=lambda command, environment: 0):
        self.api, self.directory, self.run_job = api, directory, run_job
        self.namespace = f"t{uuid.uuid4().hex[:10]}"
        self.pods_succeed = True
        self.ran = []
        self.kubeconfig = directory / "kubeconfig"
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": api.url, "certificate-authority": str(api.ca)}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": self.namespace}}]}))
        api.call("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        api.call("POST", self.path("ServiceAccount"), {"metadata": {"name": "default"}})      # a controller's work
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.control, daemon=True)
        self.thread.start()

    def path(self, kind, name=None):
        return KINDS[kind].format(self.namespace) + (f"/{name}" if name else "")

    def get(self, kind, name):
        return self.api.call("GET", self.path(kind, name))

    def names(self, kind):
        return {one["metadata"]["name"] for one in self.api.call("GET", self.path(kind))["items"]}

    def make_secret(self, name, content):
        data = {key: base64.b64encode(text.encode()).decode() for key, text in content.items()}
        if name in self.names("Secret"):
            self.api.call("PATCH", self.path("Secret", name), {"data": data}, MERGE)
        else:
            self.api.call("POST", self.path("Secret"), {"metadata": {"name": name}, "data": data})

    def helm(self, *arguments, values=None, fails=False):
        """helm's output; fails: it must."""
        if values is not None:
            (self.directory / "values.json").write_text(json.dumps(values))
            arguments = (*arguments, "--values", self.directory / "values.json")
        done = subprocess.run([helm(), *map(str, arguments), "--timeout", "90s"], capture_output=True, text=True, timeout=240, check=False,
                              env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "HELM_NAMESPACE": self.namespace})
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def control(self):
        """Jobs run, and pods end."""
        while not self.stopped.wait(0.2):
            try:
                for job in self.api.call("GET", self.path("Job"))["items"]:
                    if not job.get("status", {}).get("conditions"):
                        self.end_job(job)
                for pod in self.api.call("GET", self.path("Pod"))["items"]:
                    if pod["status"].get("phase") == "Pending":
                        self.api.call("PATCH", self.path("Pod", pod["metadata"]["name"]) + "/status",
                                      {"status": {"phase": "Succeeded" if self.pods_succeed else "Failed"}}, MERGE)
            except urllib.error.HTTPError as refusal:
                # helm deletes and makes anew meanwhile
                if refusal.code not in (404, 409):
                    self.ran.append(("refused", refusal.read().decode()))

    def end_job(self, job):
        container = job["spec"]["template"]["spec"]["containers"][0]
        code = self.run_job(container["command"], container.get("env", []))
        self.ran.append((container["command"][0], code))
        now = job["metadata"]["creationTimestamp"]

        def condition(kind):
            return {"type": kind, "status": "True", "lastTransitionTime": now, "lastProbeTime": now, "reason": "EndOfPods", "message": f"exit code {code}"}
        if code == 0:
            status = {"startTime": now, "completionTime": now, "succeeded": 1, "conditions": [condition("SuccessCriteriaMet"), condition("Complete")]}
        else:
            status = {"startTime": now, "failed": 1, "conditions": [condition("FailureTarget"), condition("Failed")]}
        self.api.call("PATCH", self.path("Job", job["metadata"]["name"]) + "/status", {"status": status}, MERGE)

    def close(self):
        self.stopped.set()
        self.thread.join(20)


def run_migration(environment):
    """Does on this machine what the migration's pod does, with an environment of the test's."""
    def run(command, _):
        assert command[0] == "reason-migrate", command
        done = subprocess.run([ROOT / "sidecar" / command[0], *command[1:]], capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **environment})
        return done.returncode
    return run
