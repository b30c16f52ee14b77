"""Pods come and go under load, and no request is lost.

Clients find pods as those of a Service do: a pod that was deleted is handed out for a moment still. A connection that the
server closed while it was idle is no lost request: an HTTP client opens another and asks again (RFC 9110, 9.2.2).
"""

import contextlib
import http.client
import threading
import time

import pytest

from load import Load

# How long a Service goes on handing out a pod that is ending, and how long the pods of these tests wait for that.
LATE, DRAIN = 1.0, 2


class SlowRequest(threading.Thread):
    """One that is answered after some seconds: a snapshot that nobody signs is waited for."""

    def __init__(self, connection, node, seconds):
        super().__init__()
        self.connection, self.node, self.seconds, self.status = connection, node, seconds, None
        self.start()

    def run(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.connection.request("POST", "/reason/snapshot", f'{{"rootNodeIds": ["{self.node}"]}}',
                                    {"Content-Type": "application/json", "Prefer": f"wait={self.seconds}"})
            self.status = self.connection.getresponse().status


@pytest.fixture
def pods_of(cluster, helm, values):
    objects = helm({**values, "gateway": {"drainSeconds": DRAIN}})
    return lambda: cluster.start("reason-gateway", objects).ready()


def test_a_rollout_loses_no_request(pods_of, client, database):
    old = [pods_of(), pods_of()]
    load = Load(client, old)
    load.goes_on()
    slow = [SlowRequest(client(pod), load.written[0], DRAIN + 4) for pod in old]
    ending = []
    for pod in old:
        load.pods.append(pods_of())
        ending.append(threading.Thread(target=pod.stop))
        ending[-1].start()
        time.sleep(LATE)
        load.pods.remove(pod)
        load.goes_on()
    for thread in (*ending, *slow):
        thread.join(60)
    load.goes_on()
    load.stop()
    assert load.lost == []
    assert [request.status for request in slow] == [202, 202]
    assert not any(pod.was_killed for pod in old)
    with database.sql() as owner:
        assert owner.execute("SELECT count(*) FROM reason.node WHERE id = ANY(%s::uuid[])", [load.written]).fetchone()[0] == len(load.written)


def test_requests_are_finished_without_preStop_too(pods_of, client):
    pod = pods_of()
    status, answer = client(pod).node({})
    assert status == 201
    slow = SlowRequest(client(pod), answer["nodeId"], 3)
    time.sleep(0.5)
    del pod.container["lifecycle"]
    pod.stop()
    slow.join(30)
    assert slow.status == 202 and not pod.was_killed


def test_the_grace_period_covers_drain_and_the_longest_answer(helm, least):
    for drain in (0, 5, 90):
        objects = helm({**least, "gateway": {"drainSeconds": drain}})
        config = next(one for one in objects if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "reason-gateway")["data"]["nginx.conf"]
        pod = next(one for one in objects if one["kind"] == "Deployment" and one["metadata"]["name"] == "reason-gateway")["spec"]["template"]["spec"]
        shutdown = int(config.split("worker_shutdown_timeout ")[1].split("s;")[0])
        assert pod["terminationGracePeriodSeconds"] > drain + shutdown
        assert f"sleep {drain};" in pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][-1]
