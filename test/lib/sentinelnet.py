"""A policy service of our own: HTTPS with client certificates, that answers as it is told to."""

import contextlib
import json
import socket
import ssl
import time

from http_service import Handler, Service

ANSWER = {"decision": "allow", "reason": "fine", "rationale": None, "policy_id": "limits", "policy_version": "3"}


class SentinelNet:
    """Listens while it is entered. `behave` gets the handler and the question, and answers."""

    def __init__(self, port, authority, certificate, key):
        self.port = port
        self.questions = []
        self.connections = 0
        self.clients = set()
        self.open = set()
        self.behave = self.answering(**ANSWER)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.load_verify_locations(authority)
        self.context.verify_mode = ssl.CERT_REQUIRED

    def __enter__(self):
        service = self

        class Asked(Handler):
            timeout = 30

            def setup(self):
                self.request = service.context.wrap_socket(self.request, server_side=True)
                service.connections += 1
                service.clients.add(dict(pair for part in self.request.getpeercert()["subject"] for pair in part)["commonName"])
                service.open.add(self.request)
                super().setup()

            def finish(self):
                super().finish()
                service.open.discard(self.request)
                self.request.close()  # the server knows only the socket below TLS, which is detached

            def do_POST(self):  # noqa: N802
                service.questions.append({"path": self.path, "headers": dict(self.headers), "body": json.loads(self.read_body())})
                service.behave(self, service.questions[-1]["body"])

        self.server = Service(Asked, self.port)
        return self

    def __exit__(self, *error):
        self.server.close()
        # Connections that were kept must not be served by who is gone.
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    # ------------------------------------------------------------ behaviours

    @staticmethod
    def send(handler, body, status=200, length=None):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send(status, [("Content-Type", "application/json")], body, length)

    @classmethod
    def answering(cls, **members):
        return lambda handler, question: cls.send(handler, {**ANSWER, **members})

    @classmethod
    def saying(cls, body, status=200):
        return lambda handler, question: cls.send(handler, body, status)

    @classmethod
    def sleeping(cls, seconds):
        def behave(handler, question):
            time.sleep(seconds)
            cls.send(handler, ANSWER)
        return behave

    @classmethod
    def trickling(cls, seconds):
        """Always another byte in time, and never the whole."""
        def behave(handler, question):
            text = json.dumps(ANSWER).encode()
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(text)))
            handler.end_headers()
            for i in range(len(text)):
                handler.wfile.write(text[i:i + 1])
                handler.wfile.flush()
                time.sleep(seconds)
        return behave

    @classmethod
    def breaking_off(cls):
        """What arrives reads like a whole answer, but more was announced."""
        def behave(handler, question):
            text = json.dumps(ANSWER).encode()
            cls.send(handler, text, length=len(text) + 20)
            handler.close_connection = True
        return behave

    @staticmethod
    def chunked(last=True):
        """In chunks; without the last one it breaks off."""
        def behave(handler, question):
            text = json.dumps(ANSWER).encode()
            handler.send_response(200)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            for piece in (text[:30], text[30:]):
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                handler.wfile.flush()
                time.sleep(0.05)
            if last:
                handler.wfile.write(b"0\r\n\r\n")
            else:
                handler.close_connection = True
        return behave

    @staticmethod
    def without_length():
        """Only the end of the connection says that it was all."""
        def behave(handler, question):
            handler.send_response(200)
            handler.send_header("Connection", "close")
            handler.end_headers()
            handler.wfile.write(json.dumps(ANSWER).encode())
            handler.close_connection = True
        return behave

    @staticmethod
    def hanging_up():
        def behave(handler, question):
            handler.close_connection = True
        return behave

    @staticmethod
    def closing_between():
        """Answers, says that the connection stays, and closes it."""
        def behave(handler, question):
            SentinelNet.send(handler, ANSWER)
            handler.close_connection = True
        return behave
