"""Certificates and secrets that are replaced while pods run."""

import socket
import ssl

from image import run
from load import Load
from paths import ROOT
from wait import wait_for


def presented(pod, context):
    """The server's certificate, as it shows it now."""
    with socket.create_connection((pod.address, pod.port("https")), 10) as raw, context.wrap_socket(raw, server_hostname="localhost") as tls:
        return tls.getpeercert(binary_form=True)


def test_a_rotated_certificate_is_taken_up_and_no_request_is_lost(cluster, client, tls, tmp_path):
    pod = cluster.start("reason-gateway").ready()
    context = ssl.create_default_context(cafile=tls / "ca.crt")
    context.load_cert_chain(tls / "kernel.crt", tls / "kernel.key")
    old = presented(pod, context)
    load = Load(client, [pod])
    load.goes_on()
    for name in ("ca.crt", "ca.key"):
        (tmp_path / name).write_bytes((tls / name).read_bytes())
    for _ in range(2):
        for name in ("server.crt", "server.key"):
            (tmp_path / name).unlink(missing_ok=True)
        run(ROOT / "test/stack/certificates.sh", tmp_path)
        cluster.rotate("reason-gateway-tls", {"ca.crt": (tls / "ca.crt").read_bytes(), "tls.crt": (tmp_path / "server.crt").read_bytes(),
                                              "tls.key": (tmp_path / "server.key").read_bytes()})
        new = ssl.PEM_cert_to_DER_cert((tmp_path / "server.crt").read_text())
        assert new != old
        wait_for(lambda: presented(pod, context) == new, 30, "the new certificate")
        load.goes_on()
        old = new
    load.stop()
    assert load.lost == []
    pod.stop()
    assert not pod.was_killed


def test_the_sidecar_takes_up_rotated_secrets(cluster, signing_proxy, database):
    pod = cluster.start("reason-sidecar").ready()
    assert "reloaded" not in pod.log()
    cluster.rotate("proxy", {**cluster.secrets["proxy"], "more": "changed"})
    wait_for(lambda: "reloaded" in pod.log(), 30, "the sidecar's reload")
    assert pod.alive()
    pod.stop()
    assert not pod.was_killed
