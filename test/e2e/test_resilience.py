"""The stack keeps its promises when its parts die."""

import os
import signal
import urllib.request

import pytest

from stack import processes
from wait import wait_for


def test_the_chain_of_everything_written_verifies(kernel, database, new_node):
    for _ in range(20):
        last = new_node()
    event, = database.execute("SELECT audit_event_id FROM reason.node WHERE id = %s", (last,)).fetchone()
    wait_for(lambda: database.execute("SELECT 1 FROM reason.audit_events WHERE id = %s", (event,)).fetchone())
    ok, checked, detail = database.execute("SELECT ok, checked, detail FROM reason.verify_audit('default')").fetchone()
    assert ok, detail
    assert checked == database.execute("SELECT max(seq) + 1 FROM reason.audit_events WHERE division = 'default'").fetchone()[0]
    assert database.execute("SELECT count(*), max(seq) - min(seq) + 1 FROM reason.audit_events WHERE division = 'default'"
                            " HAVING count(*) = max(seq) - min(seq) + 1").fetchone()


def test_a_sidecar_killed_in_the_middle_loses_nothing(stack, kernel, database, new_node):
    node = new_node()
    os.kill(stack.pid("sidecar.pid"), signal.SIGKILL)
    waiting = kernel.post("/reason/snapshot", {"rootNodeIds": [node]}, Prefer="wait=0")
    assert waiting["status"] == "pending"
    stack.up()
    wait_for(lambda: kernel.get(f"/reason/snapshot/{waiting['snapshotId']}")["status"] == "complete")
    assert kernel.get(f"/reason/snapshot/{waiting['snapshotId']}/verify")["ok"] is True
    assert database.execute("SELECT ok FROM reason.verify_audit('default')").fetchone() == (True,)


def test_a_killed_database_comes_back_and_what_was_acknowledged_is_there(stack, kernel, refused):
    written = kernel.post("/reason/node", {"type": "score", "author": "a", "payload": "durable"})["nodeId"]
    killed = processes(stack)
    os.kill(killed[0], signal.SIGKILL)
    # Until its backends notice, they answer.
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in killed))
    status, error = refused(kernel.get, f"/reason/node/{written}")
    assert status in (502, 503, 504), error
    stack.up()
    assert wait_for(lambda: answer_or_none(stack, written))["node"]["payload"] == "durable"


def answer_or_none(stack, node):
    try:
        return stack.client().get(f"/reason/node/{node}")
    except Exception:  # pylint: disable=broad-except  # not yet
        return None


def test_up_again_leaves_a_running_stack_alone(stack):
    before = [stack.pid(path) for path in ("pg/postmaster.pid", "gateway/nginx.pid", "sidecar.pid")]
    stack.up()
    assert [stack.pid(path) for path in ("pg/postmaster.pid", "gateway/nginx.pid", "sidecar.pid")] == before


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
def test_the_operations_port_answers_without_a_certificate(stack, path):
    with urllib.request.urlopen(stack.env["REASON_OPS_URL"] + path, timeout=10) as response:
        assert response.status == 200
        assert response.read()


def test_the_sidecar_tells_its_metrics(stack):
    with urllib.request.urlopen(stack.env["REASON_SIDECAR_METRICS"], timeout=10) as response:
        assert b"reason_sidecar_" in response.read()


def test_keys_and_configuration_are_for_the_owner_alone(stack):
    for path in ("keys/signer.pem", "tls/kernel.key", "tls/reader.key", "tls/server.key", "tls/ca.key"):
        assert (stack.run_dir / path).stat().st_mode & 0o777 == 0o600, path
