"""Clients that write without a pause, while what they write to comes and goes."""

import http.client
import json
import random
import socket
import ssl
import threading
import uuid

from wait import wait_for

CLOSED_WHILE_IDLE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)


class Connection(http.client.HTTPSConnection):
    """To a pod's address, whose certificate names localhost."""

    def __init__(self, pod, context):
        super().__init__("localhost", pod.port("https"), context=context, timeout=60)
        self.address = pod.address

    def connect(self):
        raw = socket.create_connection((self.address, self.port), self.timeout)
        self.sock = self._context.wrap_socket(raw, server_hostname="localhost")

    def node(self, payload, **headers):
        self.request("POST", "/reason/node", json.dumps({"type": "observation", "author": "pod", "payload": payload}),
                     {"Content-Type": "application/json", **headers})
        response = self.getresponse()
        return response.status, json.loads(response.read())


class Load:
    """Clients that write, some on a new connection each time, some on one that they keep."""

    def __init__(self, connect, pods, clients=4):
        self.connect, self.pods = connect, list(pods)
        self.written, self.lost = [], []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.loop, args=(number % 2 == 0,)) for number in range(clients)]
        for thread in self.threads:
            thread.start()

    def loop(self, keeps):
        connection, used = None, False
        while not self.over.is_set():
            key = str(uuid.uuid4())
            for attempt in (1, 2):
                if connection is None:
                    connection, used = self.connect(random.choice(self.pods)), False
                try:
                    status, answer = connection.node({"key": key}, **{"Idempotency-Key": key})
                except (OSError, http.client.HTTPException) as fault:
                    connection.close()
                    connection = None
                    if used and attempt == 1 and isinstance(fault, CLOSED_WHILE_IDLE):
                        continue
                    self.lost.append(repr(fault))
                    break
                used = True
                if status == 201:
                    self.written.append(answer["nodeId"])
                else:
                    self.lost.append((status, answer))
                break
            if connection and (not keeps or connection.sock is None):
                connection.close()
                connection = None

    def goes_on(self, count=20):
        until = len(self.written) + count
        wait_for(lambda: self.lost or len(self.written) >= until, 30, "more answers")

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
