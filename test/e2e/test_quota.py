"""Quotas over HTTPS: exact with many writers at once, and refused with 429."""

import concurrent.futures
import json
import uuid

from client import Refused


def node(division, **members):
    return {"type": "observation", "author": "test", "payload": {"n": 1}, "division": division, **members}


def set_quota(database, division, nodes=None, edges=None):
    database.execute("SELECT reason.set_quota('kernel', %s, %s, %s)", [division, nodes, edges])


def stored(database, division):
    return database.execute("SELECT count(*) FROM reason.node WHERE division = %s", [division]).fetchone()[0]


def test_many_writers_at_once_get_exactly_the_quota(stack, database):
    division = f"quota-{uuid.uuid4().hex[:8]}"
    set_quota(database, division, nodes=100)
    try:
        def write(_):
            client = stack.client("kernel")
            written = 0
            for i in range(20):
                try:
                    if i % 4 == 3:
                        written += client.post("/nodes", {"nodes": [node(division) for _ in range(3)]})["count"]
                    else:
                        client.post("/reason/node", node(division))
                        written += 1
                except Refused as refusal:
                    assert refusal.status == 429
            return written

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            written = sum(pool.map(write, range(8)))
        # 240 were asked for. Whoever wanted one after a batch did not fit took what was left.
        assert written == stored(database, division) == 100
        used = database.execute("SELECT nodes FROM reason.quota_today('kernel') WHERE division = %s", [division]).fetchone()[0]
        assert used == stored(database, division)
    finally:
        set_quota(database, division)


def test_the_refusal_says_when_to_come_back(kernel, database):
    division = f"quota-{uuid.uuid4().hex[:8]}"
    set_quota(database, division, nodes=0)
    try:
        kernel.connection.request("POST", "/reason/node", json.dumps(node(division)), {"Content-Type": "application/json"})
        answer = kernel.connection.getresponse()
        body = json.loads(answer.read())
        assert answer.status == 429
        assert body["code"] == "REASONING_GRAPH_QUOTA"
        assert body["details"]["division"] == division and body["details"]["limit"] == 0
        assert answer.headers["Retry-After"] == str(body["details"]["retryAfter"])
        assert 1 <= int(answer.headers["Retry-After"]) <= 86400
        assert stored(database, division) == 0
    finally:
        set_quota(database, division)
