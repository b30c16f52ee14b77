"""What AWS refuses and other S3 servers take: stands in front of the server that the tests use.

"The Content-MD5 or x-amz-sdk-checksum-algorithm header is required for any request to upload an object with a retention
period configured using Amazon S3 Object Lock" (API reference, PutObject), for parts: "This parameter is required if
object lock parameters are specified" (UploadPart, Content-MD5). Likewise "Missing required header" for
PutObjectRetention and PutObjectLegalHold. Such a request without one is answered as AWS answers it; everything else is passed
on as it is. Whether a checksum is that of the bytes, the server behind decides.
"""

import http.client
import re
import threading
import urllib.parse

from http_service import Handler, Service

LOCK_HEADERS = ("x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold")
CHECKSUM = re.compile(r"content-md5|x-amz-checksum-(crc32|crc32c|crc64nvme|sha1|sha256)")
HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "keep-alive")


class Front(Service):
    def __init__(self, port, behind, tls=None):
        self.behind = behind
        self.locked_uploads = set()     # ids of multipart uploads that were begun with a lock
        self.uploads = []               # (kind, names of the headers) of what was taken under a lock
        self.most_uploads = None        # what comes after so many is held, and lost once released
        self.released = threading.Event()
        self.refused = 0
        self.last_headers = {}
        super().__init__(PassingOn, port, tls=tls)


class PassingOn(Handler):
    def kind(self, query):
        """What of a locked object this request sends: object, part, retention, legal-hold, or nothing."""
        if self.command != "PUT":
            return None
        for lock in query.keys() & {"retention", "legal-hold"}:
            return lock
        if "uploadId" in query:
            return "part" if query["uploadId"][0] in self.server.locked_uploads else None
        return "object" if any(name in self.headers for name in LOCK_HEADERS) else None

    def serve(self):
        body = self.read_body()
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query, keep_blank_values=True)
        kind = self.kind(query)
        names = {name.lower() for name in self.headers}
        self.server.last_headers = dict(self.headers)
        if kind:
            if not any(CHECKSUM.fullmatch(name) for name in names):
                self.server.refused += 1
                self.send(400, [("Content-Type", "application/xml")],
                          b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP '
                          b"header is required for Put Object requests with Object Lock parameters</Message></Error>")
                return
            self.server.uploads.append((kind, names))
            if self.server.most_uploads is not None and len(self.server.uploads) > self.server.most_uploads:
                self.server.released.wait(60)
                self.close_connection = True
                return
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=60)
            # the host that was signed is that of the one in front
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "connection":
                    connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            text = answer.read()
        except OSError:
            # as if there were nobody in front
            self.close_connection = True
            return
        if self.command == "POST" and "uploads" in query and answer.status == 200 and any(name in names for name in LOCK_HEADERS):
            self.server.locked_uploads.add(re.search(rb"<UploadId>(.*?)</UploadId>", text).group(1).decode())
        self.send(answer.status, [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP], text,
                  answer.getheader("Content-Length") if self.command == "HEAD" else None)
        connection.close()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = serve
