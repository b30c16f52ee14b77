"""A real S3 server with versioning and object lock (Versity S3 Gateway), behind what else AWS refuses (s3_front)."""

import datetime
import hashlib
import hmac
import http.client
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from conftest import ROOT, free_port, wait_for
from s3_front import Front

if not (shutil.which("go") or list((ROOT / ".build" / "versitygw").glob("versitygw-v*"))):
    pytest.skip("building the S3 server needs go", allow_module_level=True)

ACCESS, SECRET, REGION, BUCKET = "test-access", "test-secret-key", "eu-central-1", "reason-test"


class Refused(Exception):
    """The server's status and its error."""

    def __init__(self, status, body):
        super().__init__(f"{status} {body}")
        self.status = status


class S3:
    """The server, and a client of our own that shares nothing with the sidecar's."""

    def __init__(self, directory):
        program = subprocess.run([ROOT / "test" / "stack" / "versitygw.sh", ROOT / ".build" / "versitygw"],
                                 check=True, capture_output=True, text=True, timeout=570).stdout.strip()
        self.port, self.port_behind = free_port(), free_port()
        (directory / "data").mkdir()
        (directory / "versions").mkdir()
        self.front = Front(self.port, self.port_behind)
        self.command = [program, "--port", f"127.0.0.1:{self.port_behind}", "--region", REGION, "--quiet", "--virtual-domain", "s3.localhost",
                        "posix", "--versioning-dir", directory / "versions", directory / "data"]
        self.start()
        self.call("PUT", f"/{BUCKET}", headers={"x-amz-bucket-object-lock-enabled": "true"})

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen(self.command, env={**os.environ, "ROOT_ACCESS_KEY": ACCESS, "ROOT_SECRET_KEY": SECRET},
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def answers():
            try:
                self.call("GET", "/")
                return True
            except (OSError, http.client.HTTPException):
                return False
        wait_for(answers, 20, "the S3 server's start")

    def stop(self):
        self.process.kill()
        self.process.wait(10)

    def close(self):
        self.stop()
        self.front.shutdown()
        self.front.server_close()

    def call(self, method, path, query=None, body=b"", headers=None):
        """Headers and body of the answer."""
        now = datetime.datetime.now(datetime.timezone.utc)
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        payload = hashlib.sha256(body).hexdigest()
        query = "&".join(f"{urllib.parse.quote(key, safe='')}={urllib.parse.quote(value, safe='')}" for key, value in sorted((query or {}).items()))
        signed = {"host": f"127.0.0.1:{self.port}", "x-amz-date": stamp, "x-amz-content-sha256": payload, **(headers or {})}
        names = ";".join(sorted(signed))
        request = "\n".join([method, urllib.parse.quote(path), query, *(f"{name}:{signed[name]}" for name in sorted(signed)), "", names, payload])
        scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
        key = ("AWS4" + SECRET).encode()
        for part in (*scope.split("/"), to_sign):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signed["authorization"] = f"AWS4-HMAC-SHA256 Credential={ACCESS}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
        url = f"{self.endpoint}{urllib.parse.quote(path)}{'?' + query if query else ''}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data=body or None, method=method, headers=signed), timeout=30) as answer:
                return answer.headers, answer.read()
        except urllib.error.HTTPError as refusal:
            raise Refused(refusal.code, refusal.read().decode()) from None

    def object(self, uri, version=None):
        return self.call("GET", "/" + uri.removeprefix("s3://"), {"versionId": version} if version else None)

    def lock(self, uri, version):
        """Mode, and for how many days from now."""
        path = "/" + uri.removeprefix("s3://")
        text = self.call("GET", path, {"retention": "", "versionId": version})[1].decode()
        until = datetime.datetime.fromisoformat(re.search("<RetainUntilDate>(.*?)</RetainUntilDate>", text).group(1).replace("Z", "+00:00"))
        return re.search("<Mode>(.*?)</Mode>", text).group(1), (until - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 86400

    def held(self, uri, version):
        """Whether the version is under legal hold."""
        try:
            return b"<Status>ON</Status>" in self.call("GET", "/" + uri.removeprefix("s3://"), {"legal-hold": "", "versionId": version})[1]
        except Refused as refusal:
            assert "NoSuchObjectLockConfiguration" in str(refusal), refusal
            return False
