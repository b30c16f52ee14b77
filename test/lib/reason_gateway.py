"""The gateway alone: real nginx, TLS and PostgreSQL, with SQL functions of the test's own behind it."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import urllib.request

import psycopg

from paths import GATEWAY_MODULE, ROOT
from ports import free_port
from postgres import Server
from wait import wait_for

AS_SERVICE = 'root=$1; run=$2; shift 2; . "$root/test/stack/lib.sh"; prepare_service_user "$run"; as_service "$@"'


class Gateway:
    """PostgreSQL with the functions of functions.sql, and the gateway with the routes of routes.conf in front; both in directory."""

    # The product's nginx.conf with small limits, so that tests reach them; one client may have all there is.
    LIMITS = {"worker_processes auto;": "worker_processes 1;", "connections 8;": "connections 4;", "pipeline 16;": "pipeline 4;",
              "spread 2;": "spread 1;", "queue 1024;": "queue 8;", "connect_timeout 5s;": "connect_timeout 2s;",
              "query_timeout 35s;": "query_timeout 3s;", "client_max_body_size 32m;": "client_max_body_size 1m;",
              "reserve_service 1;": "reserve_service 0;", "reserve_write 1;": "reserve_write 0;",
              "client_heavy 1;": "client_heavy 4;"}

    def __init__(self, run, directory, limits=None, clients=("kernel",)):
        self.directory = directory
        self.limits = {**self.LIMITS, **(limits or {})}
        self.run, self.port, self.ops_port = run, free_port(), free_port()
        self.postgres = Server(run, "postgres")
        (run / "gateway" / "conf.d").mkdir(parents=True)
        (run / "log").mkdir()
        subprocess.run([ROOT / "test/stack/certificates.sh", run / "tls", *clients], check=True, timeout=60)
        shutil.copy(GATEWAY_MODULE, run / "module.so")
        self.configure()
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", "postgres:", run], check=True)
        with self.database() as database:
            database.execute((self.directory / "functions.sql").read_text())
        self.start_gateway()

    def service(self, *command):
        with open(self.run / "log/service.log", "a") as log:
            subprocess.run(["sh", "-c", AS_SERVICE, "sh", ROOT, self.run, *command], check=True, timeout=60, stdout=log, stderr=log,
                           stdin=subprocess.DEVNULL)

    def configure(self):
        text = (ROOT / "gateway/nginx.conf.in").read_text()
        for old, new in self.limits.items():
            assert len(re.findall(rf"\b{re.escape(old)}", text)) == 1, old
            text = re.sub(rf"\b{re.escape(old)}", new, text)
        (self.run / "gateway/nginx.conf").write_text(self.filled(text))
        shutil.copy(self.directory / "routes.conf", self.run / "gateway/conf.d/routes.conf")

    def filled(self, text):
        for name, value in {"RUN_DIR": self.run, "LISTEN": "127.0.0.1", "PORT": self.port, "OPS_PORT": self.ops_port, "PG_HOST": self.postgres.directory, "PG_PORT": self.postgres.port,
                            "READS": "reason", "PG_DATABASE": "postgres", "PG_USER": "postgres", "MODULE": self.run / "module.so",
                            "CONF_DIR": self.run / "gateway", "OPENAPI": ROOT / "gateway/openapi.json"}.items():
            text = text.replace(f"@{name}@", str(value))
        return text

    def template(self, path):
        """A file of gateway/ with its placeholders filled in."""
        return self.filled((ROOT / "gateway" / path).read_text())

    def reload(self):
        """Reads the configuration again, and waits until nobody works by the old one."""
        old = self.worker()
        os.kill(self.master(), signal.SIGHUP)
        wait_for(lambda: not os.path.exists(f"/proc/{old}"))

    def tested(self, configuration, prefix):
        """What nginx -t says; under a prefix of its own, for it gives the temporary directories to another user."""
        (prefix / "temp").mkdir(exist_ok=True)
        return subprocess.run(["/usr/sbin/nginx", "-t", "-p", prefix, "-c", configuration, "-e", "stderr"], capture_output=True, text=True,
                              env={**os.environ, "LD_PRELOAD": os.environ.get("GATEWAY_PRELOAD", "")}, check=False)

    def start_gateway(self):
        # GATEWAY_PRELOAD: a sanitizer's library, for a module that was built with it
        self.service("env", f"LD_PRELOAD={os.environ.get('GATEWAY_PRELOAD', '')}", "/usr/sbin/nginx", "-p", self.run / "gateway", "-c", self.run / "gateway/nginx.conf",
                     "-e", self.run / "log/gateway.log")
        wait_for(self.healthy)

    @property
    def address(self):
        """Of PostgreSQL, as the gateway's configuration has it."""
        return f"host={self.postgres.directory} port={self.postgres.port}"

    def database(self):
        return psycopg.connect(f"{self.address} user=postgres dbname=postgres", autocommit=True)

    def healthy(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ops_port}/health", timeout=5) as response:
                return response.status == 200
        except OSError:
            return False

    def metric(self, name, labels=""):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ops_port}/metrics", timeout=5) as response:
            found = re.search(rf"^{name}{re.escape(labels)} (\S+)$", response.read().decode(), re.M)
        return float(found.group(1)) if found else 0.0

    def connect(self, timeout=20, client="kernel"):
        context = ssl.create_default_context(cafile=self.run / "tls/ca.crt")
        if client:
            context.load_cert_chain(self.run / f"tls/{client}.crt", self.run / f"tls/{client}.key")
        return http.client.HTTPSConnection("localhost", self.port, context=context, timeout=timeout)

    def call(self, method, path, body=None, headers=None, client="kernel"):
        """Status, headers and body of one request on a connection of its own."""
        connection = self.connect(client=client)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def json(self, method, path, body=None, headers=None):
        status, _, text = self.call(method, path, body, headers)
        return status, json.loads(text)

    def master(self):
        return int((self.run / "gateway/nginx.pid").read_text())

    def worker(self):
        return int(pathlib.Path(f"/proc/{self.master()}/task/{self.master()}/children").read_text().split()[0])

    def backends(self):
        with self.database() as database:
            return [row[0] for row in database.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'reason-gateway'")]

    def down(self):
        os.kill(self.master(), signal.SIGTERM)
        self.postgres.stop("immediate")


@contextlib.contextmanager
def configured(stack, old, new):
    """The gateway reloaded with another configuration, and afterwards with its own."""
    path = stack.run / "gateway/nginx.conf"
    text = path.read_text()
    assert old in text
    try:
        path.write_text(text.replace(old, new))
        stack.reload()
        yield
    finally:
        path.write_text(text)
        stack.reload()
        wait_for(lambda: stack.metric("reason_gateway_connections") == 4)
