"""TLS in front of a server that speaks none: bytes in, bytes out."""

import contextlib
import select
import socket
import socketserver
import ssl
import threading

from ports import free_port


class TlsFront(socketserver.ThreadingTCPServer):
    """Listens on a port of its own with the certificate of a directory that certificates.sh made."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, certificates, port_behind):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificates / "server.crt", certificates / "server.key")
        self.behind = ("127.0.0.1", port_behind)
        self.port = free_port()
        super().__init__(("127.0.0.1", self.port), Tunnel)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class Tunnel(socketserver.BaseRequestHandler):
    """One connection."""

    def handle(self):
        with contextlib.suppress(OSError), self.server.context.wrap_socket(self.request, server_side=True) as client, \
                socket.create_connection(self.server.behind) as server:
            while self.pass_on(client, server):
                pass
            client.settimeout(1)
            client.unwrap()

    @staticmethod
    def pass_on(client, server):
        """What has come from either side; false once one has ended."""
        readable = [client] if client.pending() else select.select([client, server], [], [])[0]
        for source in readable:
            data = source.recv(65536)
            if not data:
                return False
            (server if source is client else client).sendall(data)
        return True
