"""A release on trial beside a running stack: its gateway and its sidecar, on the stack's database, certificates and store."""

import json
import os
import re
import shutil
import subprocess
import urllib.request

from paths import CANARY, ROOT, VERIFY
from ports import free_port
from reason_sidecar import Sidecar
from wait import wait_for

# What lies in a checkout may be out of reach for the user that the stack's programs run as (test/stack/lib.sh).
AS_SERVICE = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--securebits=+no_setuid_fixup", "--inh-caps=+dac_override",
              "--ambient-caps=+dac_override"] if os.getuid() == 0 else []
DIVISION = "canary"


class Release:
    """Programs of a release."""

    def __init__(self, tree):
        self.module = tree / "gateway/build/ngx_http_reason_module.so"
        self.sidecar = tree / "sidecar/reason-sidecar"
        self.verify = tree / "sidecar/verify/reason-verify"
        self.version = re.search(r"^default_version = '(.*)'", (tree / "extension/reasoning_graph.control").read_text(), re.M).group(1)


def build_release(directory, version, tag=""):
    """Another release than the one of these sources."""
    subprocess.run([ROOT / "test/stack/release.sh", directory, version, tag], check=True, timeout=590)
    return Release(directory)


class Endpoint:
    """Where clients find a gateway, as load.Connection asks a pod."""

    def __init__(self, port):
        self.address, self.number = "127.0.0.1", port

    def port(self, _):
        return self.number


class Gateway:
    """The gateway of a release beside the stack's: configured as that one, on ports of its own. more: what stands in its server for a fault."""

    def __init__(self, stack, release, more=""):
        self.port, self.ops_port = free_port(), free_port()
        self.directory = stack.run_dir / f"trial-{self.port}"
        self.endpoint = Endpoint(self.port)
        old = stack.run_dir / "gateway"
        shutil.copytree(old, self.directory, ignore=shutil.ignore_patterns("*.pid", "*_temp"))
        own = {str(old): self.directory, f"127.0.0.1:{stack.env['REASON_URL'].rsplit(':', 1)[1]}": f"127.0.0.1:{self.port}",
               f"127.0.0.1:{stack.env['REASON_OPS_URL'].rsplit(':', 1)[1]}": f"127.0.0.1:{self.ops_port}",
               "gateway.log": "trial.log", "access.log": "trial-access.log"}
        for path in [*self.directory.rglob("*.conf")]:
            text = path.read_text()
            for name, value in own.items():
                text = text.replace(name, str(value))
            path.write_text(re.sub(r"^load_module .*;", f"load_module {release.module};", text, flags=re.M))
        routes = self.directory / "conf.d/routes.conf"
        text = routes.read_text()
        # a location of more stands in the place of the module's
        for place in re.findall(r"location (= \S+) {", more):
            assert f"location {place} {{" in text, place
            text = text.replace(f"location {place} {{", f"location {place}-away {{")
        routes.write_text(f"{more}\n{text}")
        if AS_SERVICE:
            subprocess.run(["chown", "-R", "postgres:", self.directory], check=True)
        with open(stack.run_dir / "log/trial.out", "ab") as log:
            self.process = subprocess.Popen([*AS_SERVICE, "/usr/sbin/nginx", "-p", self.directory, "-c", self.directory / "nginx.conf", "-e", stack.run_dir / "log/trial.log",
                                             "-g", "daemon off;"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self.healthy, 60, lambda: (stack.run_dir / "log/trial.out").read_text()[-2000:])

    @property
    def url(self):
        return f"https://localhost:{self.port}"

    def healthy(self):
        assert self.process.poll() is None, self.process.returncode
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ops_port}/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def quit(self):
        """Finishes what is on its way, takes no more."""
        if self.process.poll() is None:
            subprocess.run(["kill", "-QUIT", str(self.process.pid)], check=True)
            self.process.wait(90)


def settings_of(path):
    """A sidecar's configuration: section → key → value."""
    found, section = {}, None
    for line in path.read_text().splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            section[key.strip()] = value.strip()
    return found


def trial_sidecar(stack, release, environment=None, **changes):
    """The sidecar of a release, on trial; changes: of sections."""
    directory = stack.run_dir / f"trial-sidecar-{free_port()}"
    directory.mkdir()
    settings = settings_of(stack.run_dir / "reason-sidecar.conf")
    del settings["metrics"]
    settings["checkpoint"]["state_file"] = directory / "state"
    settings["sidecar"] = {"trial": "yes"}
    for section, keys in changes.items():
        settings[section] = {**settings.get(section, {}), **keys}
    one = Sidecar(directory, settings, environment)
    one.program, one.prefix = release.sidecar, AS_SERVICE
    if AS_SERVICE:
        subprocess.run(["chown", "-R", "postgres:", directory], check=True)
    return one


def canary(stack, gateway, sidecar, store=None, peer=None, environment=None, verifiers=(VERIFY,), deadline=120):
    """reason-canary to its end: exit status, and what it said. store: options that say where snapshots are, if not in the stack's
    directory. peer: a URL, of another gateway than the stack's."""
    tls = stack.run_dir / "tls"
    command = [CANARY, "--gateway", gateway.url, "--peer", peer or stack.env["REASON_URL"], "--cert", tls / "canary.crt", "--key", tls / "canary.key",
               "--cacert", stack.env["REASON_CA"], "--sidecar", f"http://127.0.0.1:{sidecar.port}/metrics", "--registry", stack.env["REASON_SIGNERS"],
               "--deadline", str(deadline), *(store or ("--store", stack.env["REASON_STORE"]))]
    for verifier in verifiers:
        command += ["--verifier", verifier]
    done = subprocess.run(command, env={**os.environ, **(environment or {})}, capture_output=True, text=True, timeout=deadline + 60, check=False)
    assert done.stdout.count("\n") == 1, done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)
