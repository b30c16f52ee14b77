"""A real S3 server with versioning and object lock (Versity S3 Gateway), behind what else AWS refuses (s3_front)."""

import datetime
import re
import shutil
import subprocess

import pytest

from paths import ROOT
from ports import free_port
from program import Program
from s3_client import Credentials, Refused, signed_call
from s3_front import Front

if not (shutil.which("go") or list((ROOT / ".build" / "versitygw").glob("versitygw-v*"))):
    pytest.skip("building the S3 server needs go", allow_module_level=True)

ACCESS, SECRET, REGION, BUCKET = "test-access", "test-secret-key", "eu-central-1", "reason-test"


class S3(Program):
    """The server, and a client of our own that shares nothing with the sidecar's."""

    def __init__(self, directory):
        program = subprocess.run([ROOT / "test" / "stack" / "versitygw.sh", ROOT / ".build" / "versitygw"],
                                 check=True, capture_output=True, text=True, timeout=570).stdout.strip()
        super().__init__(directory / "log", {"ROOT_ACCESS_KEY": ACCESS, "ROOT_SECRET_KEY": SECRET})
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
        self.launch(*self.command)
        self.wait_until(lambda: self.call("GET", "/"), 20)

    def close(self):
        self.kill()
        self.front.close()

    def call(self, method, path, query=None, body=b"", headers=None):
        """Headers and body of the answer."""
        return signed_call(self.endpoint, Credentials(ACCESS, SECRET), REGION, method, path, query, body, headers)

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
