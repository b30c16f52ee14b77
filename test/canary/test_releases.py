"""A release is tried on the database of the one that runs, under load: what works replaces it, what does not goes again, and no request is lost."""

import os
import re
import signal
import subprocess

import pytest

from client import Refused
from http_service import Handler, Service
from paths import CANARY, ROOT
from signer import make_keys
from stack import stored_file
from trial import DIVISION, canary
from wait import wait_for

PAGE = ROOT / "docs/for-operators/canary.md"
STEPS = ["ready", "lead", "write", "read", "agree", "freeze", "store", "verify", "led"]


def leader(stack, duty="seal"):
    with stack.database() as database:
        row = database.execute("SELECT holder FROM reason.lease WHERE duty = %s AND expires_at > clock_timestamp()", [duty]).fetchone()
    return int(row[0].split("/")[1]) if row else None


def everything_is_there(stack, load):
    """Each write that was acknowledged is recorded once, sealed and signed, and every chain verifies; what is frozen now is stored as it was signed."""
    load.stop()
    assert load.lost == [] and load.written
    with stack.database() as database:
        assert database.execute("SELECT count(*) FROM reason.node WHERE id = ANY (%s::uuid[]) AND division = 'default'", [load.written]).fetchone() == (len(load.written),)
        unsigned = "SELECT (SELECT count(*) FROM reason.audit_event) - (SELECT count(*) FROM reason.audit_signature)"
        wait_for(lambda: database.execute(unsigned).fetchone() == (0,), 90, "sealing and signing")
        for division, in database.execute("SELECT DISTINCT division FROM reason.audit_event").fetchall():
            assert database.execute("SELECT ok, detail FROM reason.verify_audit(%s)", [division]).fetchone()[0], division
    made = stack.client().post("/reason/snapshot", {"rootNodeIds": [load.written[-1]]}, Prefer="wait=30")
    assert made["status"] == "complete"
    assert subprocess.run(["sha256sum", stored_file(stack, made)], capture_output=True, text=True, check=True).stdout.split()[0] == made["hash"]


def test_one_that_works_replaces_the_other_without_a_lost_request(stack, stable, other, gateways, sidecars, load):
    load.goes_on()
    gateway, sidecar = gateways(other), sidecars(other)
    load.pods.append(gateway.endpoint)
    status, said = canary(stack, gateway, sidecar, verifiers=(stable.verify, other.verify))
    assert status == 0 and said["ok"], said
    assert [step["step"] for step in said["steps"]] == STEPS and all(step["ok"] and step["ms"] >= 0 for step in said["steps"])
    assert [(one["version"], one["verified"]) for one in said["verifiers"]] == [(f"reason-verify {stable.version}", True), (f"reason-verify {other.version}", True)]
    assert f"reason-sidecar {other.version} started" in sidecar.log() and str(other.module) in open(f"/proc/{gateway.process.pid}/maps").read()
    # the release that runs is replaced: its gateway while those on trial take requests, its sidecar while the one on trial leads
    load.goes_on()
    load.pods.remove(stack.endpoint)
    load.goes_on()
    for path, number in (("gateway/nginx.pid", signal.SIGQUIT), ("sidecar.pid", signal.SIGTERM)):
        pid = stack.pid(path)
        os.kill(pid, number)
        wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 90, f"the end of {path}")
    stack.shell |= {"GATEWAY_MODULE": str(other.module), "REASON_SIDECAR": str(other.sidecar)}
    stack.up()
    load.pods.append(stack.endpoint)
    load.goes_on()
    load.pods.remove(gateway.endpoint)
    load.goes_on()
    gateway.quit()
    sidecar.stop()
    wait_for(lambda: leader(stack) == stack.pid("sidecar.pid"), 60, "leading")
    assert str(other.module) in open(f"/proc/{stack.pid('gateway/nginx.pid')}/maps").read()
    everything_is_there(stack, load)


# gateways that answer wrongly: what they do, the step that sees it, and what it says
WRONG = {
    "other payloads": ("sub_filter 'is tried' 'is tired'; sub_filter_once off; sub_filter_types application/json;", "read", "payload"),
    "no edges": ("sub_filter '\"incoming\":[{' '\"incoming\":[],\"x\":[{'; sub_filter_once off; sub_filter_types application/json;", "read", "incoming"),
    "finds nothing": ("location = /reason/query { default_type application/json; return 200 '{\"nodes\":[]}'; }", "read", "the search"),
    "accepts and forgets": ("location = /reason/node { default_type application/json; return 201 '{\"nodeId\":\"00000000-0000-4000-8000-000000000000\"}'; }", "write", "nodeId"),
    "says that all is well": ("location ^~ /reason/snapshot/ { default_type application/json; return 200 '{\"status\":\"complete\"}'; }", "freeze", "snapshotId"),
}


@pytest.mark.parametrize("how", WRONG)
def test_a_gateway_that_answers_wrongly_is_refused(stack, other, gateways, sidecars, load, how):
    more, step, says = WRONG[how]
    gateway, sidecar = gateways(other, more), sidecars(other)
    status, said = canary(stack, gateway, sidecar)
    assert (status, said["ok"], said["failed"]) == (1, False, step), said
    assert says in said["failure"], said
    gateway.quit()
    sidecar.stop()
    wait_for(lambda: leader(stack) == stack.pid("sidecar.pid"), 60, "leading again")
    everything_is_there(stack, load)


def test_a_gateway_that_does_not_answer_is_refused(stack, other, gateways, sidecars, load):
    gateway, sidecar = gateways(other), sidecars(other)
    gateway.quit()
    status, said = canary(stack, gateway, sidecar, deadline=10)
    assert (status, said["failed"]) == (1, "ready") and "no answer" in said["failure"], said
    everything_is_there(stack, load)


@pytest.mark.parametrize("how, step, says", (("bytes", "store", "other bytes than were signed"), ("never", "freeze", "not complete in time")))
def test_a_sidecar_that_stores_wrongly_is_refused(stack, other, gateways, sidecars, load, broken_store, how, step, says):
    gateway, sidecar = gateways(other), sidecars(other, environment={"LD_PRELOAD": str(broken_store), "BROKEN_STORE": how})
    load.pods.append(gateway.endpoint)
    status, said = canary(stack, gateway, sidecar, deadline=60)
    assert (status, said["ok"], said["failed"]) == (1, False, step), said
    assert says in said["failure"], said
    load.pods.remove(gateway.endpoint)
    load.goes_on()
    gateway.quit()
    sidecar.end()
    wait_for(lambda: leader(stack) == stack.pid("sidecar.pid"), 60, "leading again")
    if how == "bytes":
        # as the page says: which snapshots are concerned, and what becomes of their objects
        query, = re.findall(r"```sql\n(SELECT division, .*?);\n```", PAGE.read_text(), re.DOTALL)
        with stack.database() as database:
            (division, snapshot), = database.execute(re.sub(r"BETWEEN .*", "> now() - interval '1 hour'", query)).fetchall()
        assert (division, snapshot) == (DIVISION, said["snapshot"]["id"])
        refusal = subprocess.run([other.verify, "--registry", stack.env["REASON_SIGNERS"], stored_file(stack, {"snapshotId": snapshot}, DIVISION)],
                                 capture_output=True, text=True, timeout=60, check=False)
        assert refusal.returncode == 1, refusal.stdout
    else:
        # what it never finished is finished
        with stack.database() as database:
            wait_for(lambda: database.execute("SELECT status FROM reason.snapshot WHERE division = %s", [DIVISION]).fetchone() == ("complete",), 60, "completion")
    everything_is_there(stack, load)


def test_a_sidecar_that_signs_with_another_key_is_refused(stack, other, gateways, sidecars, load, tmp_path):
    tmp_path.chmod(0o755)
    key, _ = make_keys(tmp_path)
    if os.getuid() == 0:
        subprocess.run(["chown", "postgres:", key], check=True)
    gateway, sidecar = gateways(other), sidecars(other, signer={"key_file": key})
    status, said = canary(stack, gateway, sidecar, deadline=30)
    assert (status, said["ok"], said["failed"]) == (1, False, "lead"), said
    # it let go of what it cannot do, while it was there
    wait_for(lambda: leader(stack) == stack.pid("sidecar.pid"), 60, "leading again")
    gateway.quit()
    sidecar.stop()
    everything_is_there(stack, load)


def test_a_sidecar_that_dies_in_the_trial_is_refused(stack, other, gateways, sidecars, load):
    gateway, sidecar = gateways(other), sidecars(other)
    wait_for(lambda: leader(stack, "snapshot") == sidecar.process.pid and leader(stack) == sidecar.process.pid, 60, "handing over")
    sidecar.kill()
    status, said = canary(stack, gateway, sidecar, deadline=15)
    assert (status, said["failed"]) == (1, "lead"), said
    everything_is_there(stack, load)


class Boaster(Handler):
    """Metrics of a sidecar that leads all, and has stored nothing."""

    def do_GET(self):
        self.send(200, body=b'reason_sidecar_ready 1\nreason_sidecar_leading{duty="seal"} 1\nreason_sidecar_leading{duty="snapshot"} 1\nreason_sidecar_snapshots_stored_total 7\n')


def test_a_sidecar_that_leaves_the_work_to_another_is_refused(stack, other, gateways):
    with Service(Boaster) as boaster:
        status, said = canary(stack, gateways(other), boaster, verifiers=(other.verify,))
    assert (status, said["failed"]) == (1, "led") and "was not stored by the sidecar on trial" in said["failure"], said


def test_gateways_that_do_not_agree_end_the_trial(stack, other, gateways, sidecars):
    gateway, sidecar, peer = gateways(other), sidecars(other), gateways(other, WRONG["other payloads"][0])
    status, said = canary(stack, gateway, sidecar, peer=peer.url)
    assert (status, said["failed"]) == (1, "agree") and "payload" in said["failure"], said


def test_a_verifier_that_refuses_ends_the_trial(stack, other, gateways, sidecars, tmp_path):
    gateway, sidecar = gateways(other), sidecars(other)
    for name, text, says in (("refuses", "#!/bin/sh\n[ $1 = --version ] && echo reason-verify 9.9.9 || exit 1\n", "reason-verify 9.9.9"),
                             ("says_nothing", "#!/bin/sh\n[ $1 != --version ] || echo reason-verify 9.9.9\n", "says_nothing"),
                             ("speaks_no_text", "#!/bin/sh\n[ $1 = --version ] && echo reason-verify 9.9.9 || { printf '\\377\\n'; exit 1; }\n", "does not verify"),
                             ("hangs", "#!/bin/sh\nexec sleep 600\n", "did not end in time"),
                             ("closes_and_hangs", "#!/bin/sh\nexec sleep 600 >/dev/null\n", "did not end in time")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
        status, said = canary(stack, gateway, sidecar, verifiers=(other.verify, tmp_path / name), deadline=25 if "hangs" in name else 120)
        assert (status, said["failed"]) == (1, "verify") and says in said["failure"], said
        assert said["verifiers"][0]["verified"] and not said["verifiers"][-1]["verified"]


def test_marked_records_are_shown_to_nobody_who_is_not_given_their_division(stack, other, gateways, sidecars):
    pattern, = re.findall(r"`division_pattern => '(.*)'`", PAGE.read_text())
    with stack.database() as owner:
        owner.execute("SELECT reason.set_policy_rule('all but trials', '{node.create,edge.create}', division_pattern => %s)", [pattern])
        with pytest.raises(Refused, match="503"):
            stack.client("kernel").post("/reason/node", {"type": "score", "author": "a", "payload": 1})
        gateway, sidecar = gateways(other), sidecars(other)
        status, said = canary(stack, gateway, sidecar, verifiers=(other.verify,))
        assert status == 0, said
        owner.execute("SELECT reason.set_policy_rule('all but trials', '{node.create,edge.create}', division_pattern => %s, enabled => false)", [pattern])
    search = {"filters": {"text": said["marker"]}}
    reader, kernel = stack.client("reader"), stack.client("kernel")
    assert reader.post("/reason/query", search)["nodes"] == [] and DIVISION not in [one["division"] for one in reader.get("/reason/divisions")["divisions"]]
    for path in (f"/reason/node/{said['effect']}", f"/reason/trace/{said['effect']}", f"/reason/snapshot/{said['snapshot']['id']}"):
        with pytest.raises(Refused, match="404"):
            reader.get(path)
    # who has every division sees them, and finds all of them by their tag
    found = kernel.post("/reason/query", {"filters": {"tags": ["canary"]}})["nodes"]
    assert [node["id"] for node in found] == [said["effect"], said["cause"]] and all(node["metadata"]["canary"] and node["division"] == DIVISION for node in found)
    # the client that tries releases sees nothing else
    with pytest.raises(Refused, match="404"):
        stack.client("canary").get(f"/reason/node/{kernel.post('/reason/node', {'type': 'score', 'author': 'a', 'payload': 1})['nodeId']}")


def test_what_cannot_be_tried_says_so(stack, tmp_path):
    tls = stack.run_dir / "tls"
    good = {"--gateway": stack.env["REASON_URL"], "--cert": tls / "canary.crt", "--key": tls / "canary.key", "--store": stack.env["REASON_STORE"], "--verifier": "true"}
    for change, says in (({"--gateway": None}, "--gateway"), ({"--verifier": None}, "--verifier"), ({"--store": None}, "--store"),
                         ({"--division": "a/b"}, "--division"), ({"--deadline": "soon"}, "--deadline"), ({"--strange": "x"}, "no such option"),
                         ({"--store": "http://x"}, "neither file:///directory nor s3://bucket"), ({"--store": None, "--sidecar-config": tmp_path / "none"}, "none")):
        arguments = [part for name, value in {**good, **change}.items() if value for part in (name, value)]
        done = subprocess.run([CANARY, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2 and says in done.stderr and not done.stdout, (change, done.stdout, done.stderr)
