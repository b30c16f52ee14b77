"""HTTP servers that the tests write themselves: Service, and Handler for what answers."""

import http.server
import sys
import threading


class Service(http.server.ThreadingHTTPServer):
    """Serves on the loopback from when it is made until close(), or the end of a with. What a handler needs must be there before."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler, port=0, address="127.0.0.1", tls=None):
        super().__init__((address, port), handler)
        self.scheme = "https" if tls else "http"
        if tls:
            # by the thread of the connection, so that a client that says nothing keeps nobody waiting
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    @property
    def port(self):
        return self.server_address[1]

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def close(self):
        self.shutdown()
        self.server_close()
        self.thread.join()

    def __exit__(self, *_):
        self.close()

    def handle_error(self, request, client_address):
        """Clients that go away, or are not let in, are what is tested."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    """Says nothing of itself; a subclass has a method for each verb."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def read_body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def send(self, status, headers=(), body=b"", length=None):
        """Status and the headers given, no others but the length: of the body, or another one."""
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
