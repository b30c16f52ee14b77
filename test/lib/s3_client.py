"""A client of S3 and STS of the tests' own, which shares nothing with the sidecar's."""

import datetime
import hashlib
import hmac
import typing
import urllib.error
import urllib.parse
import urllib.request


class Refused(Exception):
    """The server's status and its error."""

    def __init__(self, status, body):
        super().__init__(f"{status} {body}")
        self.status = status


class Credentials(typing.NamedTuple):
    access: str
    secret: str
    token: typing.Optional[str] = None


def signed_call(endpoint, credentials, region, method, path, query=None, body=b"", headers=None, service="s3"):
    """Headers and body of the answer to a request that is signed with SigV4."""
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    payload = hashlib.sha256(body).hexdigest()
    query = "&".join(f"{urllib.parse.quote(key, safe='')}={urllib.parse.quote(value, safe='')}" for key, value in sorted((query or {}).items()))
    signed = {"host": urllib.parse.urlsplit(endpoint).netloc, "x-amz-date": stamp, "x-amz-content-sha256": payload, **(headers or {})}
    if credentials.token:
        signed["x-amz-security-token"] = credentials.token
    names = ";".join(sorted(signed))
    request = "\n".join([method, urllib.parse.quote(path), query, *(f"{name}:{signed[name]}" for name in sorted(signed)), "", names, payload])
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = ("AWS4" + credentials.secret).encode()
    for part in (*scope.split("/"), to_sign):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signed["authorization"] = f"AWS4-HMAC-SHA256 Credential={credentials.access}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    url = f"{endpoint}{urllib.parse.quote(path)}{'?' + query if query else ''}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body or None, method=method, headers=signed), timeout=30) as answer:
            return answer.headers, answer.read()
    except urllib.error.HTTPError as refusal:
        raise Refused(refusal.code, refusal.read().decode()) from None
