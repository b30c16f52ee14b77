"""The chart's gateway and sidecar in pods, before a PostgreSQL with TLS and passwords."""

import os
import ssl

import psycopg
import pytest

from chart import LEAST, NoHelm, helm as find_helm, render
from cluster import Cluster, OUTSIDE, Unable, enter_namespaces
from image import base_of, image, run
from load import Connection
from paths import ROOT
from postgres import servers
from signing_proxy import SigningProxy

SIGNER = "pods-1"
IMAGES = ("gateway", "sidecar")


def pytest_collection_modifyitems(items):
    """Names why nothing runs here, for each test that would run a pod."""
    try:
        # What wants a network comes first.
        try:
            find_helm()
        except NoHelm:
            pass
        for name in IMAGES:
            base_of(f"{name}.Dockerfile")
        enter_namespaces()
    except Unable as reason:
        for item in items:
            if "cluster" in item.fixturenames:
                item.add_marker(pytest.mark.skip(reason=str(reason)))


@pytest.fixture(scope="session")
def helm():
    """Renders the chart with values: a function of them, as a list of objects."""
    try:
        find_helm()
    except NoHelm as fault:
        pytest.skip(str(fault))
    return render


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    run(ROOT / "test/stack/certificates.sh", directory / "one", "kernel")
    return directory / "one"


@pytest.fixture(scope="session")
def database(tls):
    """A primary that asks pods for passwords, over TLS."""
    with servers() as make:
        server = make("primary", f"listen_addresses = '127.0.0.1,{OUTSIDE}'\nmax_connections = 100\n")
        for name in ("server.crt", "server.key"):
            target = server.data / name
            target.write_bytes((tls / name).read_bytes())
            os.chmod(target, 0o600)
            run("chown", "postgres:", target)
        with open(server.data / "postgresql.conf", "a", encoding="utf-8") as settings:
            settings.write("ssl = on\n")
        with open(server.data / "pg_hba.conf", "a", encoding="utf-8") as rules:
            rules.write("hostssl all all 10.88.0.0/16 scram-sha-256\n")
        server.stop()
        server.start()
        with server.connect() as admin:
            admin.execute("CREATE DATABASE reason")
        server.sql = lambda: psycopg.connect(host="127.0.0.1", port=server.port, user="postgres", dbname="reason", autocommit=True)
        with server.sql() as owner:
            owner.execute("CREATE EXTENSION reasoning_graph")
            owner.execute("CREATE ROLE gateway LOGIN PASSWORD 'gateway-secret' IN ROLE reason_gateway")
            owner.execute("CREATE ROLE sidecar LOGIN PASSWORD 'sidecar-secret' IN ROLE reason_sidecar")
            owner.execute("SELECT reason.set_client('kernel', 'writer', '{*}', pii => true)")
        yield server


@pytest.fixture(scope="session")
def signing_proxy(tmp_path_factory, database):
    proxy = SigningProxy(tmp_path_factory.mktemp("proxy"), OUTSIDE, SIGNER)
    with database.sql() as owner:
        owner.execute("SELECT reason.add_signer(%s, %s)", [SIGNER, proxy.public_key])
    yield proxy
    proxy.close()


@pytest.fixture(scope="session")
def least():
    """Values that the chart cannot do without."""
    return LEAST


@pytest.fixture(scope="session")
def values(database):
    """Of an installation that does not say more than it must."""
    return {
        "database": {"conninfo": f"host=localhost hostaddr={OUTSIDE} port={database.port} dbname=reason sslmode=verify-full "
                                 "sslrootcert=/etc/reason/database/ca.crt"},
        "sidecar": {
            "config": {"signer": {"id": SIGNER, "type": "proxy", "url": f"http://{OUTSIDE}:8200", "token_file": "/etc/reason/proxy/token", "plaintext": True},
                       "store": {"url": "s3://bucket/prefix", "endpoint": f"http://{OUTSIDE}:9", "credentials_file": "/etc/reason/proxy/s3"}},
            "secretMounts": [{"name": "proxy", "mountPath": "/etc/reason/proxy"}]}}


@pytest.fixture
def cluster(helm, values, database, signing_proxy, tls, images):
    text = {name: (tls / name).read_bytes() for name in ("ca.crt", "server.crt", "server.key")}
    secrets = {
        "reason-gateway-db": {"username": "gateway", "password": "gateway-secret"},
        "reason-sidecar-db": {"username": "sidecar", "password": "sidecar-secret"},
        "reason-db-ca": {"ca.crt": text["ca.crt"]},
        "reason-gateway-tls": {"ca.crt": text["ca.crt"], "tls.crt": text["server.crt"], "tls.key": text["server.key"]},
        "proxy": {"token": signing_proxy.token, "s3": "aws_access_key_id = a\naws_secret_access_key = s\n"}}
    made = Cluster(helm(values), secrets, images)
    yield made
    made.close()


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    scratch = tmp_path_factory.mktemp("images")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", scratch)
    made = {}
    for name in IMAGES:
        (scratch / name).mkdir()
        made[name] = image(name, scratch / name)
    yield made
    run("umount", "-l", scratch)


@pytest.fixture(scope="session")
def client(tls):
    """Connects to a pod as a client that may write."""
    context = ssl.create_default_context(cafile=tls / "ca.crt")
    context.load_cert_chain(tls / "kernel.crt", tls / "kernel.key")
    return lambda pod: Connection(pod, context)
