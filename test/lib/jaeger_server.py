"""A real Jaeger, which takes spans (OTLP over HTTP) and shows traces."""

import json
import subprocess
import urllib.error
import urllib.request

from paths import ROOT
from ports import free_port
from program import Program


class Jaeger(Program):
    """All of it in one process, with spans in memory."""

    def __init__(self, directory):
        program = subprocess.run([ROOT / "test/stack/jaeger.sh", ROOT / ".build/jaeger"], check=True, capture_output=True, text=True, timeout=3600).stdout.strip()
        # of itself it tells nothing
        super().__init__(directory / "jaeger.log", {"SPAN_STORAGE_TYPE": "memory", "OTEL_TRACES_SAMPLER": "always_off"})
        names = ("collector.otlp.http.host-port", "collector.otlp.grpc.host-port", "collector.http-server.host-port", "collector.grpc-server.host-port",
                 "query.http-server.host-port", "query.grpc-server.host-port", "admin.http.host-port")
        first = free_port(len(names))
        self.launch(program, *(f"--{name}=127.0.0.1:{first + place}" for place, name in enumerate(names)))
        self.port, self.query_port = first, first + names.index("query.http-server.host-port")
        self.wait_until(lambda: self.get("/api/services") or True, 60)

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.query_port}{path}", timeout=10) as answer:
            return json.load(answer)["data"]

    def spans(self, trace_id):
        """What it shows of a trace: for each span its name, ids, service and tags."""
        try:
            found = self.get(f"/api/traces/{trace_id}")
        except urllib.error.HTTPError as refusal:
            assert refusal.code == 404, refusal
            return []
        return [{"name": span["operationName"], "id": span["spanID"], "parents": [one["spanID"] for one in span["references"] if one["refType"] == "CHILD_OF"],
                 "service": trace["processes"][span["processID"]]["serviceName"], "began": span["startTime"], "took": span["duration"],
                 "tags": {tag["key"]: tag["value"] for tag in span["tags"] + trace["processes"][span["processID"]]["tags"]}}
                for trace in found for span in trace["spans"]]
