"""A Kubernetes API server, as far as Leases go: one of ours that can be made to misbehave, and the real one.

REASON_KUBERNETES=real runs the tests against kube-apiserver and etcd (make check-kubernetes).
"""

import copy
import datetime
import json
import os
import re
import shutil
import ssl
import subprocess
import threading
import urllib.error
import urllib.request

from http_service import Handler, Service
from paths import ROOT
from ports import free_port
from program import Program

NAMESPACE, LEASE = "reason", "reason-sidecar"
COLLECTION = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
ADMIN = "admin-token"


def make_certificate(directory):
    """An authority, and the server's certificate for 127.0.0.1."""
    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=kubernetes-ca",
            "-keyout", directory / "ca.key", "-out", directory / "ca.crt")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=kube-apiserver",
            "-keyout", directory / "server.key", "-out", directory / "server.csr")
    openssl("pkey", "-in", directory / "server.key", "-pubout", "-out", directory / "server.pub")
    (directory / "extensions").write_text("subjectAltName = IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", directory / "server.csr", "-CA", directory / "ca.crt", "-CAkey", directory / "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", directory / "extensions", "-out", directory / "server.crt")


class ApiServer:
    """What both have."""

    def __init__(self, directory):
        self.directory = directory
        self.port = free_port()
        make_certificate(directory)
        self.ca = directory / "ca.crt"

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def call(self, method, path, body=None, content_type="application/json", token=ADMIN):
        """As an administrator, if no other token is given; the answer's JSON."""
        request = urllib.request.Request(self.url + path, method=method, data=body if isinstance(body, bytes) or body is None else json.dumps(body).encode(),
                                         headers={"Authorization": f"Bearer {token}", "Content-Type": content_type})
        with urllib.request.urlopen(request, timeout=10, context=ssl.create_default_context(cafile=self.ca)) as answer:
            return json.loads(answer.read())

    def lease(self):
        try:
            return self.call("GET", f"{COLLECTION}/{LEASE}")
        except urllib.error.HTTPError as refusal:
            assert refusal.code == 404, refusal
            return None

    def holder(self):
        return ((self.lease() or {}).get("spec") or {}).get("holderIdentity")

    def put(self, change):
        """Changes the Lease as another client would, again while others are faster."""
        while True:
            lease = self.lease()
            change(lease)
            try:
                return self.call("PUT", f"{COLLECTION}/{LEASE}", lease)
            except urllib.error.HTTPError as refusal:
                assert refusal.code == 409, refusal

    def create(self, holder, seconds):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self.call("POST", COLLECTION, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": LEASE}, "spec": {
            "holderIdentity": holder, "leaseDurationSeconds": seconds, "acquireTime": now, "renewTime": now, "leaseTransitions": 0}})

    def clear(self):
        if self.lease():
            self.call("DELETE", f"{COLLECTION}/{LEASE}")


class Double(ApiServer):
    """Ours. It refuses what the real one refuses of a Lease: an old or missing resourceVersion, an unknown token, bad fields."""

    def __init__(self, directory):
        super().__init__(directory)
        self.delay = 0
        self.forbidden = False
        self.conflicts = 0
        self.tokens = {"sidecar-token"}
        self.stored = None
        self.version = 1000
        self.lock = threading.Lock()
        self.start()

    def token(self):
        return "sidecar-token"

    def start(self):
        double = self
        stopped = self.stopped = threading.Event()

        class Asked(Handler):
            def answer(self, status, body):
                if not isinstance(body, dict):
                    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": body, "code": status}
                self.send(status, [("Content-Type", "application/json")], json.dumps(body).encode())

            def serve(self):
                body = self.read_body()
                token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
                if token != ADMIN and double.delay:
                    stopped.wait(double.delay)
                if stopped.is_set():
                    raise ConnectionAbortedError    # on a connection from before
                with double.lock:
                    if token != ADMIN and token not in double.tokens:
                        self.answer(401, "Unauthorized")
                    elif token != ADMIN and double.forbidden:
                        self.answer(403, 'leases.coordination.k8s.io "reason-sidecar" is forbidden')
                    else:
                        self.answer(*double.handle(self.command, self.path, json.loads(body) if body else None))

            do_GET = do_POST = do_PUT = do_DELETE = serve

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.directory / "server.crt", self.directory / "server.key")
        self.server = Service(Asked, self.port, tls=context)

    def stop(self):
        self.stopped.set()
        self.server.close()

    def handle(self, method, path, body):
        named = path == f"{COLLECTION}/{LEASE}"
        if method == "POST" and path == COLLECTION:
            if self.stored:
                return 409, f'leases.coordination.k8s.io "{LEASE}" already exists'
            return self.store(201, body)
        if not named or not self.stored:
            return 404, f'leases.coordination.k8s.io "{path.rsplit("/", 1)[1]}" not found'
        if method == "PUT":
            version = body["metadata"].get("resourceVersion")
            if not version:
                return 422, "metadata.resourceVersion: Invalid value: 0x0: must be specified for an update"
            if version != self.stored["metadata"]["resourceVersion"]:
                self.conflicts += 1
                return 409, "the object has been modified; please apply your changes to the latest version and try again"
            return self.store(200, body)
        if method == "DELETE":
            self.stored = None
            return 200, {"kind": "Status", "status": "Success"}
        return 200, self.stored

    def store(self, status, body):
        spec = body.get("spec") or {}
        if (body.get("apiVersion"), body.get("kind"), body["metadata"].get("name")) != ("coordination.k8s.io/v1", "Lease", LEASE):
            return 400, "the object is no Lease of that name"
        if not set(spec) <= {"holderIdentity", "leaseDurationSeconds", "acquireTime", "renewTime", "leaseTransitions"}:
            return 400, "unknown field"
        if not isinstance(spec.get("leaseDurationSeconds"), int) or spec["leaseDurationSeconds"] <= 0:
            return 422, "spec.leaseDurationSeconds: must be greater than 0"
        if spec.get("leaseTransitions", 0) < 0:
            return 422, "spec.leaseTransitions: must be greater than or equal to 0"
        for member in ("acquireTime", "renewTime"):
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", spec.get(member, "")):
                return 400, f"{member} is no MicroTime"
        self.version += 1
        self.stored = copy.deepcopy(body)
        self.stored["metadata"].update(namespace=NAMESPACE, resourceVersion=str(self.version))
        return status, self.stored


class Real(ApiServer):
    """kube-apiserver on etcd, with the chart's own Role for the sidecar's service account."""

    def __init__(self, directory):
        super().__init__(directory)
        programs = ROOT / ".build" / "kube"
        subprocess.run([ROOT / "test" / "stack" / "kube.sh", programs], check=True, timeout=3000)
        self.etcd_port, peer_port = free_port(), free_port()
        self.etcd, self.server = Program(directory / "etcd.log"), Program(directory / "kube.log")
        self.etcd.launch(programs / "etcd", "--data-dir", directory / "etcd", "--unsafe-no-fsync", "--log-level", "error",
                         "--listen-client-urls", f"http://127.0.0.1:{self.etcd_port}", "--advertise-client-urls",
                         f"http://127.0.0.1:{self.etcd_port}", "--listen-peer-urls", f"http://127.0.0.1:{peer_port}")
        (directory / "tokens.csv").write_text(f"{ADMIN},admin,admin,system:masters\n")
        self.command = [programs / "kube-apiserver", "--etcd-servers", f"http://127.0.0.1:{self.etcd_port}", "--bind-address", "127.0.0.1",
                        "--advertise-address", "127.0.0.1", "--secure-port", str(self.port), "--authorization-mode", "RBAC",
                        "--token-auth-file", directory / "tokens.csv", "--service-cluster-ip-range", "10.0.0.0/24",
                        "--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", directory / "server.pub",
                        "--service-account-signing-key-file", directory / "server.key", "--tls-cert-file", directory / "server.crt",
                        "--tls-private-key-file", directory / "server.key", "--cert-dir", directory]
        try:
            self.start()
            self.set_up()
        except Exception:
            self.stop_all()
            raise

    def set_up(self):
        self.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        for document in self.chart():
            kind = re.search(r"^kind: (\w+)", document, re.M).group(1)
            group = "/api/v1" if kind == "ServiceAccount" else "/apis/rbac.authorization.k8s.io/v1"
            self.call("POST", f"{group}/namespaces/{NAMESPACE}/{kind.lower()}s", document.encode(), "application/yaml")

    @staticmethod
    def chart():
        """The chart's service account, Role and RoleBinding."""
        helm = shutil.which("helm") or ROOT / ".build" / "go" / "bin" / "helm"
        rendered = subprocess.run([helm, "template", "reason", ROOT / "charts" / "reasoning-graph", "--namespace", NAMESPACE, "--kube-version", "1.34.4",
                                   "--show-only", "templates/accounts.yaml", "--show-only", "templates/sidecar-lease.yaml", "--set", "sidecar.config.signer.id=s,sidecar.config.store.url=s3://b",
                                   "--set", "sidecar.lease.enabled=true"], check=True, capture_output=True, text=True).stdout
        return [document for document in rendered.split("\n---\n") if "kind:" in document]

    def start(self):
        self.server.launch(*self.command)
        self.server.wait_until(lambda: self.call("GET", "/apis/coordination.k8s.io/v1")
                               and self.call("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/view"), 90)

    def stop(self):
        self.server.kill()

    def stop_all(self):
        self.stop()
        self.etcd.kill()

    def token(self):
        answer = self.call("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/reason-sidecar/token",
                           {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}})
        return answer["status"]["token"]


def make_api_server(directory):
    return Real(directory) if os.environ.get("REASON_KUBERNETES") == "real" else Double(directory)
