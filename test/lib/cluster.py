"""Runs the chart's pods on this machine: what the kubelet and a container runtime would do with a pod's spec.

The runtime is a real one (crun): user, capabilities, read-only root, mounts and namespaces are its work. What the kubelet
does is done here: volumes (ConfigMaps and Secrets as ..data links that are swapped at once), environment, probes, preStop,
the stop signal and the grace period. All happens in a mount and a network namespace of the calling process, which vanish
with it; neither this machine's network nor its files are touched. What cannot run pods raises Unable and says why.
"""

import copy
import ctypes
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from image import overlay, run
from wait import wait_for

# The address of what is outside of the pods: the database, a signing proxy, the clients.
OUTSIDE = "10.99.0.1"
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000


class Unable(Exception):
    """This machine cannot run pods."""


def enter_namespaces():
    """Puts this process, and all it starts from now on, into a mount and a network namespace of its own."""
    if os.getuid() != 0:
        raise Unable("pods are run by root alone")
    if not shutil.which("crun"):
        raise Unable("pods are run by crun, which is not installed")
    libc = ctypes.CDLL(None, use_errno=True)
    # what a container ended with is told to this process
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        raise Unable(f"pods need namespaces of their own: {os.strerror(ctypes.get_errno())}")
    try:
        run("mount", "--make-rprivate", "/")
        # crun wants the unified hierarchy; no limit is set, so an empty one will do.
        run("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
        run("ip", "link", "set", "lo", "up")
        run("ip", "address", "add", f"{OUTSIDE}/32", "dev", "lo")
        pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")     # from pod to pod
    except AssertionError as fault:
        raise Unable(str(fault)) from fault


class Volume:
    """A ConfigMap or a Secret in a directory, as the kubelet writes it: a change is seen whole or not at all."""

    def __init__(self, path, mode, group):
        self.path, self.mode, self.group, self.version = path, mode, group, 0
        path.mkdir(parents=True)
        os.chmod(path, 0o777)
        os.chown(path, 0, group)

    def write(self, content):
        old = self.path / f"..{self.version}"
        self.version += 1
        new = self.path / f"..{self.version}"
        new.mkdir()
        for name, text in content.items():
            (new / name).write_bytes(text if isinstance(text, bytes) else text.encode())
            os.chown(new / name, 0, self.group)
            os.chmod(new / name, self.mode)
            if not (self.path / name).is_symlink():
                (self.path / name).symlink_to(f"..data/{name}")
        (self.path / "..tmp").symlink_to(new.name)
        os.rename(self.path / "..tmp", self.path / "..data")
        if old.is_dir():
            shutil.rmtree(old)


class Cluster:
    """Where pods run. objects: what helm rendered; secrets: name → {key: text}; images: repository's last part → Image."""

    def __init__(self, objects, secrets, images):
        self.objects, self.secrets, self.images = objects, secrets, images
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="reason-pods."))
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", self.directory)
        self.pods = []
        self.count = 0

    def object(self, kind, name):
        return next(one for one in self.objects if one["kind"] == kind and one["metadata"]["name"] == name)

    def start(self, deployment, objects=None):
        """A pod of a Deployment, as it is in objects (or in those of the cluster)."""
        if objects:
            self.objects = objects
        self.count += 1
        pod = Pod(self, self.object("Deployment", deployment)["spec"]["template"]["spec"], f"{deployment}-{self.count}", self.count)
        self.pods.append(pod)
        return pod.start()

    def run(self, kind, name, seconds=120, environment=None):
        """A pod, or that of a Job, to its end, init containers first: exit code and output of the last. environment: what it has otherwise than the spec says."""
        spec = self.object(kind, name)["spec"]
        spec = copy.deepcopy(spec["template"]["spec"] if kind == "Job" else spec)
        for variable in spec["containers"][0].get("env", ()):
            if variable["name"] in (environment or {}):
                variable["value"] = environment[variable["name"]]
        volumes = None
        for container in [*spec.get("initContainers", ()), *spec["containers"]]:
            self.count += 1
            pod = Pod(self, {**spec, "containers": [container]}, f"{name}-{self.count}", self.count, volumes)
            self.pods.append(pod)
            code = self.ended(pod.start(), seconds)
            if code != 0:
                break
            volumes = pod.volumes
        # what it wrote last may still be on its way
        pod.reading.join(10)
        return code, pod.log()

    def ended(self, pod, seconds):
        """What a pod ended with, which is waited for."""
        status = []

        def ended():
            number, code = os.waitpid(pod.pid, os.WNOHANG)
            if number:
                status.append(os.waitstatus_to_exitcode(code))
            return number
        wait_for(ended, seconds, f"the end of {pod.name}")
        return status[0]

    def rotate(self, secret, content):
        """A Secret changes: pods that mount it see it, those that have it in their environment do not."""
        self.secrets[secret] = content
        for pod in self.pods:
            for volume in pod.volumes_of_secret.get(secret, ()):
                volume.write(content)

    def close(self):
        for pod in self.pods:
            pod.kill()
        run("umount", "-l", self.directory)
        self.directory.rmdir()


class Pod:
    """One container of one pod, which is all that the chart has."""

    def __init__(self, cluster, spec, name, number, volumes=None):
        """volumes: those of the init container before, which are this one's too."""
        self.cluster, self.spec, self.name, self.volumes = cluster, spec, name, volumes
        self.container = spec["containers"][0]
        assert len(spec["containers"]) == 1
        self.address, self.gateway, self.link = f"10.88.{number}.2", f"10.88.{number}.1", f"pod{number}"
        self.directory = cluster.directory / name
        self.directory.mkdir()
        self.volumes_of_secret = {}
        self.volumes_of_class = {}
        self.image = cluster.images[self.container["image"].split("/")[-1].split(":")[0]]
        self.running = False
        self.output = b""
        self.was_killed = False

    # ------------------------------------------------------------ what the kubelet prepares

    def environment(self):
        values = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": self.name}
        for variable in self.container.get("env", ()):
            value = variable.get("value")
            if "valueFrom" in variable:
                reference = variable["valueFrom"]["secretKeyRef"]
                value = self.cluster.secrets[reference["name"]][reference["key"]]
            values[variable["name"]] = value
        return [f"{name}={value}" for name, value in values.items()]

    def volume(self, spec):
        path = self.directory / "volumes" / spec["name"]
        group = self.spec["securityContext"].get("fsGroup", 0)
        if "emptyDir" in spec:
            path.mkdir(parents=True)
            size = spec["emptyDir"].get("sizeLimit", "64Mi").rstrip("i")
            run("mount", "-t", "tmpfs", "-o", f"size={size},mode=2777,gid={group}", "tmpfs", path)
            return path
        if "persistentVolumeClaim" in spec:
            path = self.cluster.directory / "claims" / spec["persistentVolumeClaim"]["claimName"]
            path.mkdir(parents=True, exist_ok=True)
            os.chown(path, 0, group)
            os.chmod(path, 0o2775)
            return path
        if "configMap" in spec:
            volume = Volume(path, spec["configMap"].get("defaultMode", 0o644), group)
            volume.write(self.cluster.object("ConfigMap", spec["configMap"]["name"])["data"])
        elif "csi" in spec:
            # what a driver for secret stores mounts: files of a class, in place of a Secret
            volume = Volume(path, 0o644, group)
            volume.write(self.cluster.secrets[spec["csi"]["volumeAttributes"]["secretProviderClass"]])
            self.volumes_of_class[spec["csi"]["volumeAttributes"]["secretProviderClass"]] = volume
        else:
            volume = Volume(path, spec["secret"].get("defaultMode", 0o644), group)
            volume.write(self.cluster.secrets[spec["secret"]["secretName"]])
            self.volumes_of_secret.setdefault(spec["secret"]["secretName"], []).append(volume)
        return path

    def bundle(self):
        """What the OCI runtime is told."""
        security = {**self.spec["securityContext"], **self.container["securityContext"]}
        run("crun", "spec", cwd=self.directory)
        config = json.loads((self.directory / "config.json").read_text())
        dropped = "ALL" in security.get("capabilities", {}).get("drop", ())
        capabilities = [] if dropped else config["process"]["capabilities"]["bounding"]
        image_user, image_group = map(int, self.image.user.split(":"))
        config["process"].update({
            "terminal": False,
            "user": {"uid": security.get("runAsUser", image_user), "gid": security.get("runAsGroup", image_group),
                     "additionalGids": [security["fsGroup"]] if "fsGroup" in security else []},
            "args": [*self.container.get("command", json.loads(self.image.command)), *self.container.get("args", ())],
            "env": self.environment(), "cwd": "/",
            "noNewPrivileges": not security.get("allowPrivilegeEscalation", True),
            "capabilities": {kind: capabilities for kind in ("bounding", "effective", "permitted", "inheritable", "ambient")}})
        config["process"].pop("rlimits", None)      # those of this machine, as container runtimes leave them
        assert not security.get("runAsNonRoot") or config["process"]["user"]["uid"] != 0
        overlay(self.directory / "rootfs", self.image.layers, self.directory / "layer")
        config["root"] = {"path": "rootfs", "readonly": security.get("readOnlyRootFilesystem", False)}
        config["hostname"] = self.name
        self.volumes = self.volumes or {spec["name"]: self.volume(spec) for spec in self.spec.get("volumes", ())}
        for mount in self.container.get("volumeMounts", ()):
            options = ["rbind", "nosuid", "nodev", "ro" if mount.get("readOnly") else "rw"]
            config["mounts"].append({"destination": mount["mountPath"], "type": "bind", "source": str(self.volumes[mount["name"]]), "options": options})
        config["linux"].pop("resources", None)
        (self.directory / "config.json").write_text(json.dumps(config))

    def crun(self, *arguments, **options):
        return run("crun", "--root", self.cluster.directory / "crun", "--cgroup-manager=disabled", *arguments, **options)

    def start(self):
        self.bundle()
        reader, writer = os.pipe()
        with open(self.directory / "runtime.log", "wb") as log:
            created = subprocess.run(["crun", "--root", str(self.cluster.directory / "crun"), "--cgroup-manager=disabled", "create",
                                      "--bundle", str(self.directory), self.name], stdin=subprocess.DEVNULL, stdout=writer, stderr=writer,
                                     timeout=60)
        os.close(writer)
        self.reading = threading.Thread(target=self.read, args=(reader,), daemon=True)
        self.reading.start()
        assert created.returncode == 0, self.log()
        self.running = True
        self.pid = json.loads(self.crun("state", self.name))["pid"]
        run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.pid)
        run("ip", "address", "add", f"{self.gateway}/30", "dev", self.link)
        run("ip", "link", "set", self.link, "up")
        for command in ("ip link set lo up", f"ip address add {self.address}/30 dev eth0", "ip link set eth0 up",
                        f"ip route add default via {self.gateway}"):
            run("nsenter", "-t", self.pid, "-n", *command.split())
        self.crun("start", self.name)
        return self

    def read(self, descriptor):
        with os.fdopen(descriptor, "rb") as pipe:
            for line in pipe:
                self.output += line

    def log(self):
        return self.output.decode(errors="replace")

    # ------------------------------------------------------------ what the kubelet does then

    def alive(self):
        """Whether the container's first process is there (an ended one is a zombie until crun's parent takes it)."""
        try:
            state = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (OSError, IndexError):
            return False
        return self.running and state != "Z"

    def port(self, name):
        return next(port["containerPort"] for port in self.container["ports"] if name in (port["name"], port["containerPort"]))

    def probe(self, kind):
        """One try of livenessProbe or readinessProbe."""
        spec = self.container.get(kind)
        if spec is None:
            return self.alive()
        seconds = spec.get("timeoutSeconds", 1)
        try:
            if "tcpSocket" in spec:
                socket.create_connection((self.address, self.port(spec["tcpSocket"]["port"])), timeout=seconds).close()
                return True
            connection = http.client.HTTPConnection(self.address, self.port(spec["httpGet"]["port"]), timeout=seconds)
            connection.request("GET", spec["httpGet"]["path"])
            return 200 <= connection.getresponse().status < 400
        except OSError:
            return False

    def ready(self, seconds=30):
        def probes_pass():
            assert self.alive(), f"{self.name} has ended:\n{self.log()}"
            return self.probe("livenessProbe") and self.probe("readinessProbe")
        try:
            wait_for(probes_pass, seconds, f"{self.name}'s probes")
        except AssertionError as fault:
            raise AssertionError(f"{fault}\n{self.log()[-3000:]}") from None
        return self

    def exec(self, *command, timeout=60):
        return subprocess.run(["crun", "--root", str(self.cluster.directory / "crun"), "--cgroup-manager=disabled", "exec", self.name, *command],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False)

    def stop(self):
        """What happens to a pod that is deleted: preStop, the stop signal, and SIGKILL when the grace period is over."""
        until = time.monotonic() + self.spec.get("terminationGracePeriodSeconds", 30)
        hook = self.container.get("lifecycle", {}).get("preStop")
        if hook and "exec" in hook:
            try:
                self.exec(*hook["exec"]["command"], timeout=until - time.monotonic())
            except subprocess.TimeoutExpired:
                pass
        if self.alive():
            os.kill(self.pid, signal.Signals[self.image.stop_signal])
        while self.alive() and time.monotonic() < until:
            time.sleep(0.05)
        self.kill()

    def kill(self):
        if self.alive():
            self.was_killed = True
        if self.running:
            subprocess.run(["crun", "--root", str(self.cluster.directory / "crun"), "--cgroup-manager=disabled", "delete", "--force", self.name],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)
        self.running = False
