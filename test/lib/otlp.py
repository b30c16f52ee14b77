"""Programs that take spans: the OpenTelemetry Collector, and a receiver of ours that can also misbehave."""

import datetime
import json
import re
import subprocess
import threading
import time

from http_service import Handler, Service
from paths import ROOT
from ports import free_port
from program import Program


def traced_request(database, function, traceparent, body, **more):
    """Calls a function of the HTTP API as the gateway does for client tracer; the answer's body."""
    given = {"client_cn": "tracer", "request_id": "r-1", "traceparent": traceparent, "request_body": json.dumps(body), **more}
    names = database.value("SELECT proargnames[1:pronargs] FROM pg_proc WHERE oid = %s::regproc", f"reason.{function}")
    marks = ", ".join(f"{name} => %s" for name in names)
    return json.loads(database.value(f"SELECT body FROM reason.{function}({marks})", *(given.get(name) for name in names)))


class Collector(Program):
    """The real one; it prints what it has understood."""

    def __init__(self, directory):
        program = subprocess.run([ROOT / "test" / "stack" / "otelcol.sh", ROOT / ".build" / "otelcol"],
                                 check=True, capture_output=True, text=True, timeout=570).stdout.strip()
        super().__init__(directory / "spans.log")
        self.port = free_port()
        (directory / "config.yaml").write_text(
            "receivers: {otlp: {protocols: {http: {endpoint: '127.0.0.1:%d'}}}}\n"
            "exporters: {debug: {verbosity: detailed}}\n"
            "service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}, telemetry: {metrics: {level: none}}}\n" % self.port)
        self.launch(program, f"--config={directory}/config.yaml")
        self.wait_until(lambda: "Everything is ready" in self.log(), 20)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @staticmethod
    def _time(text):
        """Microseconds since 1970 of "2023-11-14 22:13:20.000001 +0000 UTC"."""
        seconds, _, fraction = text.split(" +")[0].partition(".")
        at = datetime.datetime.strptime(seconds, "%Y-%m-%d %H:%M:%S").replace(tzinfo=datetime.timezone.utc)
        return int(at.timestamp()) * 1000000 + int(fraction.ljust(6, "0")[:6])

    def spans(self, trace_id):
        """The spans of a trace, with the resource they came with."""
        found = []
        for batch in self.log().split("ResourceSpans #")[1:]:
            resource = dict(re.findall(r"-> (\S+): Str\((.*)\)", batch.split("ScopeSpans #")[0]))
            for text in batch.split("\nSpan #")[1:]:
                fields = {key.strip(): value.strip() for key, value in re.findall(r"^    ([A-Z][\w ]*?) *: (.*)$", text, re.M)}
                if fields["Trace ID"] == trace_id:
                    attributes = {key: int(value) if kind == "Int" else value for key, kind, value in re.findall(r"-> (\S+): (\w+)\((.*)\)", text)}
                    found.append({"name": fields["Name"], "parent": fields["Parent ID"], "id": fields["ID"], "kind": fields["Kind"],
                                  "began": self._time(fields["Start time"]), "ended": self._time(fields["End time"]),
                                  "status": fields["Status code"], "message": fields.get("Status message", ""),
                                  "attributes": attributes, "resource": resource})
        return found


KINDS = {1: "Internal", 2: "Server", 3: "Client"}
STATUSES = {0: "Unset", 1: "Ok", 2: "Error"}


def identifier(text, size):
    assert text == "" or len(bytes.fromhex(text)) == size, text
    return text


def nanoseconds(text):
    assert isinstance(text, str), "a 64-bit number is a string in JSON"
    return int(text)


def attributes(listed):
    found = {}
    for one in listed:
        (kind, value), = one["value"].items()
        assert kind in ("stringValue", "intValue") and isinstance(value, str) and one["key"] not in found, one
        found[one["key"]] = int(value) if kind == "intValue" else value
    return found


class Taking(Handler):
    def do_POST(self):
        receiver, body = self.server, self.read_body()
        receiver.closing.wait(receiver.delay)
        status = receiver.statuses.pop(0) if receiver.statuses else 200
        receiver.requests.append((time.monotonic(), self.path, dict(self.headers), json.loads(body)))
        self.send(status, [("Content-Type", "application/json")], b"{}")


class Receiver(Service):
    """Takes OTLP over HTTP in JSON; answers with the given statuses first, or only after a while."""

    def __init__(self, statuses=(), delay=0):
        self.statuses = list(statuses)
        self.delay = delay
        self.requests = []      # (when, path, headers, body)
        self.closing = threading.Event()
        super().__init__(Taking)

    def close(self):
        self.closing.set()
        super().close()

    def understood(self, trace_id):
        """The spans of a trace as Collector.spans() has them, by the JSON form of OTLP: 64-bit numbers are strings, ids hexadecimal."""
        return [{"name": span["name"], "parent": identifier(span.get("parentSpanId", ""), 8), "id": identifier(span["spanId"], 8), "kind": KINDS[span["kind"]],
                 "began": nanoseconds(span["startTimeUnixNano"]) // 1000, "ended": nanoseconds(span["endTimeUnixNano"]) // 1000,
                 "status": STATUSES[span.get("status", {}).get("code", 0)], "message": span.get("status", {}).get("message", ""),
                 "attributes": attributes(span["attributes"]), "resource": attributes(resource["resource"]["attributes"])}
                for _, _, _, request in list(self.requests) for resource in request["resourceSpans"]
                for scope in resource["scopeSpans"] for span in scope["spans"] if identifier(span["traceId"], 16) == trace_id]

    def spans(self):
        return [span for _, _, _, request in self.requests for resource in request["resourceSpans"]
                for scope in resource["scopeSpans"] for span in scope["spans"]]
