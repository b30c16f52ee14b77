"""A counterpart that answers with whatever is asked: Hostile.

It stands in front of a sane one, an HTTP port or a function, and passes on what it is not asked to spoil. ANSWERS names
the ways to spoil. Some never let the request come to the sane one; others let it be carried out and spoil what is said of it.
"""
import gzip
import http.client
import os
import re
import socket
import struct
import threading
import urllib.parse

from http_service import Handler, Service

HTML = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body>Please log in</body></html>"
ERROR = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>'
NAMESPACED = b'<s3:Error xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/"><s3:Code>InternalError</s3:Code></s3:Error>'
JSON_ERROR = b'{"errors": ["internal error"], "error": "internal error", "message": "internal error"}'
LISTING = b"<ListVersionsResult><Name>bucket</Name>%s<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListVersionsResult>"
PAGE = ('<?xml version="1.0"?><ListVersionsResult><EncodingType>url</EncodingType><Prefix>{prefix}</Prefix><IsTruncated>true</IsTruncated>{marker}{version}</ListVersionsResult>')
HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "keep-alive", "date", "server")
DRIP_SECONDS = 0.1


def says(status, headers, body):
    return lambda handler: handler.send(status, headers, body)


def truncated(handler):
    """Half of what is true, as if it were the whole."""
    status, headers, body = handler.sane()
    handler.send(status, headers, body[:len(body) // 2])


def cut(handler):
    """The true length, and not all of it."""
    status, headers, body = handler.sane()
    handler.send(status, headers, body[:len(body) // 2], length=len(body) + 10)
    handler.close_connection = True


def compressed(handler):
    status, headers, body = handler.sane()
    handler.send(status, [*headers, ("Content-Encoding", "gzip")], gzip.compress(body))


def reset(handler):
    """Nothing, and the request came nowhere."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def lost(handler):
    """The request is carried out, and nobody hears of it."""
    handler.sane()
    reset(handler)


def drip(handler):
    """A byte now and then, for longer than anybody should wait."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(600):
        if handler.server.closing.wait(DRIP_SECONDS):
            break
        handler.wfile.write(b"<")


def wrong_checksum(handler):
    """Every SHA-256 and every signature that is said is another."""
    status, headers, body = handler.sane()
    other = b"A" * 42 + b"A="
    headers = [(name, other.decode()) if name.lower() == "x-amz-checksum-sha256" else (name, value) for name, value in headers]
    body = re.sub(rb"<ChecksumSHA256>.*?</ChecksumSHA256>", b"<ChecksumSHA256>" + other + b"</ChecksumSHA256>", body)
    body = re.sub(rb'("[sS]ignature": ?"(vault:v\d+:)?)[A-Za-z0-9+/=]{80,}"', lambda match: match.group(1) + b"A" * 86 + b'=="', body)
    handler.send(status, headers, body)


def no_checksum(handler):
    """As servers answer that do not know x-amz-checksum-sha256: nothing is wrong with it."""
    status, headers, body = handler.sane()
    headers = [(name, value) for name, value in headers if not name.lower().startswith("x-amz-checksum")]
    handler.send(status, headers, re.sub(rb"<ChecksumSHA256>.*?</ChecksumSHA256>|<ChecksumType>.*?</ChecksumType>", b"", body))


def echo(handler):
    """What came, headers and all, as a server does that is there to show them."""
    handler.send(200, [(name, value) for name, value in handler.headers.items() if name.lower() not in (*HOP_BY_HOP, "host")], handler.body)


def asked_prefix(handler):
    return urllib.parse.parse_qs(urllib.parse.urlsplit(handler.path).query).get("prefix", [""])[0]


def endless(handler):
    """There is always more, and it always begins at the same place."""
    page = PAGE.format(prefix=urllib.parse.quote(asked_prefix(handler)), marker="<NextKeyMarker>same</NextKeyMarker>", version="")
    handler.send(200, [("Content-Type", "application/xml")], page.encode())


def endless_ahead(handler):
    """There is always more, a little further on."""
    handler.server.pages += 1
    prefix = asked_prefix(handler)
    key = f"{prefix}{handler.server.pages:08d}"
    page = PAGE.format(prefix=urllib.parse.quote(prefix), marker=f"<NextKeyMarker>{key}</NextKeyMarker>",
                       version=f"<Version><Key>{key}</Key><VersionId>v</VersionId></Version>")
    handler.send(200, [("Content-Type", "application/xml")], page.encode())


def endless_headers(handler):
    """Header lines without end, until the caller has had enough."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(200_000):
        if handler.server.closing.is_set():
            break
        handler.wfile.write(b"X-Line-%d: %s\r\n" % (number, b"x" * 1000))
    handler.close_connection = True


def endless_continue(handler):
    """Go on, go on, go on."""
    for _ in range(600):
        if handler.server.closing.wait(DRIP_SECONDS):
            break
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 10)
    handler.close_connection = True


def endless_chunks(handler):
    """A body without a length and without an end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(100_000):
        if handler.server.closing.is_set():
            break
        handler.wfile.write(b"10000\r\n" + b"<" * 0x10000 + b"\r\n")
    handler.close_connection = True


def two_lengths(handler):
    """The beginning of what is true, by the second of two lengths."""
    status, headers, body = handler.sane()
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    handler.wfile.write(f"HTTP/1.1 {status} OK\r\n{lines}Content-Length: {len(body)}\r\nContent-Length: {len(body) // 2}\r\n\r\n".encode() + body)
    handler.close_connection = True


def in_utf16(handler):
    status, headers, body = handler.sane()
    handler.send(status, headers, body.decode("utf-8", "replace").encode("utf-16"))


def with_status(given):
    """What is true, under a status that says that something is left to be done, or nothing was."""
    def answer(handler):
        _, headers, body = handler.sane()
        handler.send(given, headers, body)
    return answer


def not_done(given):
    """A status of success for what was never carried out, with all that a client might look for."""
    return says(given, [("Content-Type", "application/xml"), ("ETag", '"0123456789abcdef0123456789abcdef"'), ("x-amz-version-id", "made-up"),
                        ("x-amz-checksum-sha256", "A" * 42 + "A=")], b"")


def expanding(handler):
    """A document that would be a thousand million times as long."""
    entities = "".join(f'<!ENTITY e{n} "{"&e%d;" % (n - 1) * 10}">' for n in range(1, 10))
    handler.send(200, [("Content-Type", "application/xml")], f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY e0 "x">{entities}]><ListVersionsResult><Prefix>&e9;</Prefix></ListVersionsResult>'.encode())


ANSWERS = {
    "html": says(200, [("Content-Type", "text/html")], HTML),
    "html with a tag": says(200, [("Content-Type", "text/html"), ("ETag", '"page"')], HTML),
    "html and no such page": says(404, [("Content-Type", "text/html")], HTML),
    "nothing": says(200, [], b""),
    "no content": says(204, [], b""),
    "an error": says(200, [("Content-Type", "application/xml")], ERROR),
    "an error in a namespace": says(200, [("Content-Type", "application/xml")], NAMESPACED),
    "an error in JSON": says(200, [("Content-Type", "application/json")], JSON_ERROR),
    "an empty object": says(200, [("Content-Type", "application/json")], b"{}"),
    "a list": says(200, [("Content-Type", "application/json")], b"[]"),
    "an empty document": says(200, [("Content-Type", "application/xml")], b"<ListVersionsResult/>"),
    "a listing of something else": says(200, [("Content-Type", "application/xml")], LISTING % b"<Prefix>elsewhere/</Prefix>"),
    "a listing of nothing in particular": says(200, [("Content-Type", "application/xml")], LISTING % b""),
    "another document": says(200, [("Content-Type", "application/xml")], b"<Anything><Versions>none</Versions></Anything>"),
    "a redirect": says(307, [("Location", "http://127.0.0.1:9/elsewhere")], b""),
    "a compressed page": says(200, [("Content-Type", "text/html"), ("Content-Encoding", "gzip")], gzip.compress(HTML)),
    "too much": says(200, [("Content-Type", "application/json")], b"[" * (5 * 1024 * 1024)),
    "no HTTP": lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n" * 10) and setattr(handler, "close_connection", True),
    "truncated": truncated,
    "cut": cut,
    "compressed": compressed,
    "reset": reset,
    "lost": lost,
    "drip": drip,
    "wrong checksum": wrong_checksum,
    "no checksum": no_checksum,
    "echo": echo,
    "endless": endless,
    "endless ahead": endless_ahead,
    "endless headers": endless_headers,
    "endless chunks": endless_chunks,
    "two lengths": two_lengths,
    "in UTF-16": in_utf16,
    "accepted": not_done(202),
    "a part of it": with_status(206),
    "expanding": expanding,
    "an empty completion": says(200, [("Content-Type", "application/xml")], b"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>"),
}

# Those that keep a client waiting until its patience ends.
UNENDING = {"drip", "endless", "endless ahead", "endless headers", "endless chunks", "endless continue"}

# What is answered besides in the long form, for each answer takes a client's patience.
if os.environ.get("REASON_HOSTILE") == "long":
    ANSWERS |= {
        "endless continue": endless_continue,
        "created elsewhere": not_done(201),
        "not modified": with_status(304),
        "nested": says(200, [("Content-Type", "application/xml")], b"<ListVersionsResult>" + b"<a>" * 100_000),
        "null": says(200, [("Content-Type", "application/json")], b"null"),
        "a redirect to nowhere": says(301, [], b""),
        "a redirect to a file": says(302, [("Location", "file:///etc/passwd")], b""),
        "slow down": says(503, [("Retry-After", "1000000")], ERROR),
    }


class Hostile(Service):
    """behind: a port, or a function of method, path, headers and body that gives status, headers and body.

    kind_of(method, path, query) names a request; of the kinds in self.kinds (None: all) every one is answered by
    ANSWERS[self.answer]; self.count says how many were.
    """

    def __init__(self, behind, kind_of=lambda method, path, query: method, port=0, tls=None):
        self.behind, self.kind_of = behind, kind_of
        self.answer, self.kinds, self.count, self.pages = None, None, 0, 0
        self.seen = []              # kinds of all requests
        self.closing = threading.Event()
        super().__init__(Answering, port, tls=tls)

    def spoil(self, answer, *kinds):
        self.kinds, self.count, self.pages = kinds or None, 0, 0
        self.answer = answer

    def be_sane(self):
        self.answer = None

    def close(self):
        self.closing.set()
        super().close()

    def handle_error(self, request, client_address):
        """Whoever is treated so ends the connection."""


class Answering(Handler):
    def serve(self):
        self.body = self.read_body()
        split = urllib.parse.urlsplit(self.path)
        kind = self.server.kind_of(self.command, split.path, urllib.parse.parse_qs(split.query, keep_blank_values=True))
        self.server.seen.append(kind)
        answer = self.server.answer
        if answer and (self.server.kinds is None or kind in self.server.kinds):
            self.server.count += 1
            ANSWERS[answer](self)
        else:
            status, headers, body = self.sane()
            self.send(status, headers, body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = serve

    def sane(self):
        if callable(self.server.behind):
            return self.server.behind(self.command, self.path, self.headers, self.body)
        connection = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() != "connection":
                connection.putheader(name, value)
        connection.endheaders(self.body or None)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP], body


def s3_kind(method, path, query):
    """What a request asks of S3."""
    for name in ("retention", "legal-hold"):
        if name in query:
            return f"{method} {name}"
    if "versions" in query:
        return "list"
    if "uploads" in query:
        return "create" if method == "POST" else "list uploads"
    if "uploadId" in query:
        return {"PUT": "part", "POST": "complete", "DELETE": "abort"}[method]
    return "check" if "list-type" in query else {"PUT": "put", "GET": "get"}.get(method, method)
