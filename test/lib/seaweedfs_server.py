"""SeaweedFS, which gives session tokens and checks them. Building it takes a quarter of an hour (make check-sts)."""

import json
import re
import subprocess
import urllib.parse

from paths import ROOT
from ports import free_port
from program import Program
from s3_client import Credentials, Refused, signed_call

OWNER, REGION, BUCKET, ROLE = Credentials("test-access", "test-secret-key"), "us-east-1", "reason-test", "arn:aws:iam::role/Sidecar"


def allow(**statement):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


class SeaweedFS(Program):
    """The server with one owner and one role, which anybody may assume and which may do what it likes with objects."""

    def __init__(self, directory):
        program = subprocess.run([ROOT / "test" / "stack" / "seaweedfs.sh", ROOT / ".build" / "seaweedfs"], check=True, capture_output=True,
                                 text=True, timeout=3600).stdout.strip()
        (directory / "owners.json").write_text(json.dumps({"identities": [
            {"name": "owner", "credentials": [{"accessKey": OWNER.access, "secretKey": OWNER.secret}], "actions": ["Admin"]}]}))
        (directory / "roles.json").write_text(json.dumps({
            "sts": {"tokenDuration": "1h", "maxSessionLength": "12h", "issuer": "test", "signingKey": "dGhlIGtleSB0aGF0IHNpZ25zIHNlc3Npb24gdG9rZW5z"},
            "policy": {"defaultEffect": "Deny", "storeType": "memory"},
            "policies": [{"name": "objects", "document": allow(Action=["s3:*"], Resource=["arn:aws:s3:::*", "arn:aws:s3:::*/*"])}],
            "roles": [{"roleName": "Sidecar", "roleArn": ROLE, "trustPolicy": allow(Principal={"AWS": "*"}, Action=["sts:AssumeRole"]),
                       "attachedPolicies": ["objects"]}]}))
        (directory / "data").mkdir()
        super().__init__(directory / "log")
        self.port = free_port()
        ports = [f"-{name}={free_port()}" for name in ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port",
                                                       "filer.port.grpc", "s3.port.grpc")]
        self.launch(program, "server", f"-dir={directory}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", f"-s3.port={self.port}", *ports,
                    f"-s3.config={directory}/owners.json", f"-s3.iam.config={directory}/roles.json", "-master.volumeSizeLimitMB=64")
        self.wait_until(self.has_bucket, 60)

    def has_bucket(self):
        try:
            return self.call("PUT", f"/{BUCKET}", headers={"x-amz-bucket-object-lock-enabled": "true"})
        except Refused:
            return False

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def call(self, *request, credentials=OWNER, **more):
        return signed_call(self.endpoint, credentials, REGION, *request, **more)

    def assume_role(self):
        body = urllib.parse.urlencode({"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": ROLE, "RoleSessionName": "sidecar"}).encode()
        answer = self.call("POST", "/", body=body, headers={"content-type": "application/x-www-form-urlencoded"}, service="sts")[1].decode()
        return Credentials(*(re.search(f"<{name}>(.*?)</{name}>", answer).group(1) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")))
