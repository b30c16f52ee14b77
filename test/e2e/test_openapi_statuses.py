"""Every status that the OpenAPI document names for an operation is brought about, and its body is compared with the document."""

import contextlib
import http.client
import json
import os
import signal
import time
import ssl
import threading
import uuid

import pytest

from log_client import checkpoint
from openapi import check, resolve
from raw_https import context, port
from wait import wait_for

WITHOUT_CALLER = {("get", "/health"), ("get", "/ready")}


class Met:
    """Calls operations, checks the answers, and remembers which statuses each has given."""

    def __init__(self, stack, document):
        self.stack, self.document, self.statuses, self.trouble = stack, document, {}, []

    def operations(self):
        return [(method, template) for template, operations in self.document["paths"].items() for method in operations]

    def call(self, operation, path, body=None, headers=None, tls=None):
        method, template = operation
        described = self.document["paths"][template][method]["responses"]
        connection = http.client.HTTPSConnection("localhost", port(self.stack), context=tls or context(self.stack), timeout=60)
        with contextlib.closing(connection):
            sent = {"Content-Type": "application/json", **(headers or {})} if method == "post" else dict(headers or {})
            connection.request(method.upper(), path, body if body is None or isinstance(body, bytes) else json.dumps(body), sent)
            response = connection.getresponse()
            text = response.read()
        status = str(response.status)
        assert status in described, (operation, status, text)
        assert response.headers["X-Request-Id"]
        content = resolve(self.document, described[status]).get("content")
        if content:
            kind = response.headers["Content-Type"].split(";")[0]
            assert kind in content, (operation, kind)
            if kind == "application/json":
                text = json.loads(text)
                check(self.document, content[kind]["schema"], text)
            if status in ("429", "503") and template != "/ready":
                assert int(response.headers["Retry-After"]) >= 1
        self.statuses.setdefault(operation, set()).add(status)
        return response.status, text

    def call_all(self, request, expected, **more):
        """Every operation at once, each a valid request; who must answer `expected`, does."""
        def one(operation):
            try:
                status, _ = self.call(operation, *request(operation), **more)
                assert status == expected, (operation, status)
            except BaseException as error:  # noqa: B902: told below
                self.trouble.append((operation, error))

        threads = [threading.Thread(target=one, args=(operation,)) for operation in self.operations()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        trouble, self.trouble = self.trouble, []
        assert not trouble


@pytest.fixture
def met(stack, kernel):
    return Met(stack, kernel.get("/reason/openapi.json"))


@contextlib.contextmanager
def gateway_configured(stack, **replacements):
    path = stack.run_dir / "gateway/nginx.conf"
    text = path.read_text()
    changed = text
    for old, new in replacements.values():
        assert old in changed, old
        changed = changed.replace(old, new)

    def use(content):
        path.write_text(content)
        master = stack.pid("gateway/nginx.pid")
        children = f"/proc/{master}/task/{master}/children"
        old = set(open(children).read().split())
        os.kill(master, signal.SIGHUP)
        wait_for(lambda: (now := set(open(children).read().split())) and not now & old)

    use(changed)
    try:
        yield
    finally:
        use(text)


def gateway_backends(database):
    return [row[0] for row in database.execute("SELECT pid FROM pg_stat_activity WHERE usename = 'gateway'")]


def stop_all(database, stopped):
    """Stops the gateway's sessions, those too that were being let in when the postmaster was stopped, and notes them."""
    quiet_from = time.monotonic()
    while time.monotonic() < quiet_from + 1:
        for pid in set(gateway_backends(database)) - set(stopped):
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)
            quiet_from = time.monotonic()
        time.sleep(0.05)


def test_every_documented_status_is_met(stack, kernel, database, met, new_node, new_edge):  # noqa: PLR0915: a list
    cause, effect = new_node(), new_node("decision")
    edge = new_edge(cause, effect)
    snapshot = kernel.post("/reason/snapshot", {"rootNodeIds": [effect]}, Prefer="wait=20")["snapshotId"]
    event = kernel.get(f"/reason/node/{effect}")["node"]["auditEventId"]
    checkpoint(database)
    writes = {
        "/reason/node": lambda: {"type": "score", "author": "a", "payload": 1},
        "/nodes": lambda: {"nodes": [{"type": "score", "actor": "a", "payload": 1}]},
        "/reason/edge": lambda: {"from": cause, "to": effect, "type": "causal"},
        "/edges": lambda: {"edges": [{"from": cause, "to": effect, "type": "causal"}]},
        "/reason/annotate/{id}": lambda: {"note": "n"},
        "/reason/query": lambda: {"filters": {"types": ["decision"]}, "limit": 1},
        "/reason/snapshot": lambda: {"rootNodeIds": [effect]},
    }

    def takes_id(template):
        return "{id}" in template or template == "/reason/diff"

    def path_of(template, identifier=None):
        if template == "/reason/diff":
            return f"{template}?a={identifier or effect}&b={identifier or effect}"
        filled = template.replace("{id}", identifier or (snapshot if "/snapshot/" in template else event if "/event/" in template else effect))
        return filled.replace("{log}", "default").replace("{path}", "0/000.p/1") + "?from=1" * template.endswith("/consistency")

    def good(operation):
        method, template = operation
        return path_of(template), writes[template]() if method == "post" else None

    posts = [operation for operation in met.operations() if operation[0] == "post"]

    # 200, 201, 202, 304
    for operation in met.operations():
        assert met.call(operation, *good(operation))[0] in (200, 201)
    assert met.call(("post", "/reason/snapshot"), "/reason/snapshot", writes["/reason/snapshot"](), {"Prefer": "wait=0"})[0] == 202
    assert met.call(("get", "/reason/snapshot/{id}"), path_of("/reason/snapshot/{id}"), None, {
        "If-None-Match": f'"{kernel.get(path_of("/reason/snapshot/{id}"))["hash"]}-metadata"'})[0] == 304

    for template in ("/reason/log/{log}/checkpoint", "/reason/log/{log}/tile/{path}"):
        kernel.connection.request("GET", path_of(template))
        response = kernel.connection.getresponse()
        response.read()
        assert met.call(("get", template), path_of(template), None, {"If-None-Match": response.headers["ETag"]})[0] == 304

    # 206, 416: parts of a document
    for template in ("/reason/snapshot/{id}", "/reason/export/{id}"):
        document = template.replace("{id}", snapshot) + "?format=canonical"
        assert met.call(("get", template), document, None, {"Range": "bytes=0-9"})[0] == 206
        assert met.call(("get", template), document, None, {"Range": "bytes=100000000-"})[0] == 416

    # 400, 404
    for method, template in met.operations():
        if takes_id(template):
            assert met.call((method, template), path_of(template, "none"), writes[template]() if method == "post" else None)[0] == 400
            assert met.call((method, template), path_of(template, str(uuid.uuid4())), writes[template]() if method == "post" else None)[0] == 404
        elif "{log}" in template:
            assert met.call((method, template), path_of(template).split("?")[0] + "?colour=red")[0] == 400
            assert met.call((method, template), path_of(template).replace("default", "nowhere"))[0] == 404
        elif method == "post":
            assert met.call((method, template), template, [])[0] == 400
    for template in ("/reason/divisions", "/reason/snapshots"):
        assert met.call(("get", template), f"{template}?colour=red")[0] == 400
    absent = str(uuid.uuid4())
    for template, body in {"/reason/edge": {"from": absent, "to": effect, "type": "causal"}, "/edges": {"edges": [{"from": absent, "to": effect, "type": "causal"}]},
                           "/reason/snapshot": {"rootNodeIds": [absent]}}.items():
        assert met.call(("post", template), template, body)[0] == 404

    # 401, 403
    met.call_all(good, 401, tls=ssl.create_default_context(cafile=stack.env["REASON_CA"]))
    stack.certificate("stranger")
    for operation in set(met.operations()) - WITHOUT_CALLER:
        assert met.call(operation, *good(operation), tls=context(stack, "stranger"))[0] == 403

    # 409
    for template, body in {"/reason/node": {**writes["/reason/node"](), "id": cause}, "/nodes": {"nodes": [{"id": cause, "type": "score", "actor": "a", "payload": 1}]},
                           "/reason/edge": {**writes["/reason/edge"](), "id": edge}, "/edges": {"edges": [{**writes["/reason/edge"](), "id": edge}]}}.items():
        assert met.call(("post", template), template, body)[0] == 409
    for template, other in {"/reason/annotate/{id}": {"note": "other"}, "/reason/snapshot": {"rootNodeIds": [cause]}}.items():
        key = {"Idempotency-Key": str(uuid.uuid4())}
        met.call(("post", template), path_of(template), writes[template](), key)
        assert met.call(("post", template), path_of(template), other, key)[0] == 409
    twin = str(uuid.uuid4())
    for division in ("one", "two"):
        kernel.post("/reason/node", {**writes["/reason/node"](), "id": twin, "auditEventId": twin, "division": division})
    checkpoint(database)
    for method, template in met.operations():
        if method == "get" and takes_id(template) and "/snapshot/" not in template:
            status, body = met.call((method, template), path_of(template, twin))
            assert (status, body["details"]["divisions"]) == (409, ["one", "two"])
            assert met.call((method, template), path_of(template, twin) + ("&" if "?" in path_of(template) else "?") + "division=two")[0] == 200
    database.execute("SELECT reason.freeze_division('gone', 'a test')")
    database.execute("SELECT reason.move_division('gone', 'cell_b')")
    for operation, path, body in ((("post", "/reason/query"), "/reason/query", {"filters": {"division": "gone"}}),
                                  (("get", "/reason/snapshots"), "/reason/snapshots?division=gone", None),
                                  (("get", "/reason/snapshot/{id}/verify"), f"/reason/snapshot/{twin}/verify?division=gone", None),
                                  (("get", "/reason/log/{log}/checkpoint"), "/reason/log/gone/checkpoint", None),
                                  (("get", "/reason/log/{log}/tile/{path}"), "/reason/log/gone/tile/0/000", None),
                                  (("get", "/reason/log/{log}/consistency"), "/reason/log/gone/consistency?from=0", None)):
        status, body = met.call(operation, path, body)
        assert (status, body["details"]) == (409, {"division": "gone", "movedTo": "cell_b", "hint": body["details"]["hint"]})
    os.kill(stack.pid("sidecar.pid"), signal.SIGSTOP)
    try:
        pending = kernel.post("/reason/snapshot", writes["/reason/snapshot"](), Prefer="wait=0")["snapshotId"]
        assert met.call(("get", "/reason/snapshot/{id}"), f"/reason/snapshot/{pending}?format=canonical")[0] == 409
        assert met.call(("get", "/reason/export/{id}"), f"/reason/export/{pending}")[0] == 409
        # 502: nobody will complete it
        key = {"Idempotency-Key": str(uuid.uuid4()), "Prefer": "wait=0"}
        _, asked = met.call(("post", "/reason/snapshot"), "/reason/snapshot", writes["/reason/snapshot"](), key)
        database.execute("UPDATE reason.snapshot SET status = 'failed', failure = 'no room' WHERE id = %s", (asked["snapshotId"],))
        status, body = met.call(("post", "/reason/snapshot"), "/reason/snapshot", writes["/reason/snapshot"](), {**key, "Prefer": "wait=30"})
        assert (status, body["details"]["failure"]) == (502, "no room")
    finally:
        os.kill(stack.pid("sidecar.pid"), signal.SIGCONT)

    # A bundle holds the newest snapshot: its completion is to be covered as well.
    wait_for(lambda: met.call(("get", "/reason/snapshot/{id}"), f"/reason/snapshot/{pending}?format=canonical")[0] == 200)
    kernel.post("/reason/edge", {"from": cause, "to": effect, "type": "causal"})
    checkpoint(database)
    assert met.call(("get", "/reason/node/{id}/proof"), f"/reason/node/{effect}/proof?format=bundle&limit=1&depth=0")[0] == 200
    assert met.call(("get", "/reason/node/{id}/proof"), f"/reason/node/{effect}/proof?format=bundle&limit=1")[0] == 413

    # 413, 415: nginx looks at the length that is announced
    for operation in posts:
        path, body = good(operation)
        assert met.call(operation, path, b"{", {"Content-Length": str(40 * 1024 * 1024)})[0] == 413
        assert met.call(operation, path, body, {"Content-Type": "text/plain"})[0] == 415

    # 500: what the functions rest upon is gone
    rests_upon = (("ROUTINE", "http_client"), ("ROUTINE", "rfc3339"), ("TABLE", "client"))
    for kind, name in rests_upon:
        database.execute(f"ALTER {kind} reason.{name} RENAME TO {name}_gone")
    try:
        met.call_all(good, 500)
    finally:
        for kind, name in rests_upon:
            database.execute(f"ALTER {kind} reason.{name}_gone RENAME TO {name}")

    # 503: nobody lets the gateway in
    database.execute("ALTER ROLE gateway NOLOGIN")
    try:
        for pid in gateway_backends(database):
            os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not gateway_backends(database))
        met.call_all(good, 503)
    finally:
        database.execute("ALTER ROLE gateway LOGIN")
    wait_for(lambda: len(gateway_backends(database)) >= 8)

    # 504: PostgreSQL takes longer than the gateway waits
    with gateway_configured(stack, deadline=("query_timeout 35s;", "query_timeout 1s;"), pool=("connections 8;", "connections 30;"),
                            share=("client_connections 4;", "client_connections 30;"), heavy=("client_heavy 1;", "client_heavy 30;"),
                            service=("reserve_service 1;", "reserve_service 4;")):
        wait_for(lambda: len(gateway_backends(database)) >= 30 * os.cpu_count())
        stopped = [stack.pid("pg/postmaster.pid")]
        os.kill(stopped[0], signal.SIGSTOP)
        try:
            stop_all(database, stopped)
            met.call_all(good, 504)
        finally:
            for pid in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    # 429: one request a minute
    with gateway_configured(stack, rate=("rate=20000r/s", "rate=1r/m"), burst=(" burst=20000 nodelay", "")):
        kernel.connection.close()
        met.call(("get", "/health"), "/health")
        for operation in met.operations():
            assert met.call(operation, *good(operation))[0] == 429
    wait_for(lambda: met.call(("get", "/health"), "/health")[0] == 200)

    documented = {operation: set(met.document["paths"][operation[1]][operation[0]]["responses"]) for operation in met.operations()}
    assert met.statuses == documented
