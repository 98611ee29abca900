"""A TCP proxy on loopback that stands in front of a server: counts the bytes of bodies, notes
each request, is as slow as wanted, and calls back when so much has passed. Both sides' bytes
stay as they are, so signatures (which cover the Host header) fit.
"""

import contextlib
import re
import socket
import threading
import time
import urllib.parse

CHUNK = 64 << 10
PATIENCE_S = 60


class Head:
    """Gathers bytes until a request's or reply's head is whole."""

    def __init__(self):
        self.data = b""

    def feed(self, data):
        """Returns (first line, headers, what follows the head), or None: not whole yet."""
        self.data += data
        head, end, rest = self.data.partition(b"\r\n\r\n")
        if not end:
            return None
        self.data = b""
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        return first, {name.lower(): value.strip() for name, value in pairs}, rest


class Proxy:
    """`with Proxy(url, bytes_per_second) as proxy:` then proxy.url is the way to go."""

    def __init__(self, url, bytes_per_second):
        parts = urllib.parse.urlsplit(url)
        self.upstream = (parts.hostname, parts.port)
        self.second_per_byte = 1 / bytes_per_second
        self.lock = threading.Condition()
        self.free_at = 0.0  # when the line is free for the next bytes
        self.live = 0  # connections
        self.latest = None  # the client's port of the one accepted last
        self.requests = []
        self.passed = dict(bytes=0, requests=0, replies=0)
        self.trap = None  # (what, how many, callback)
        self.sprung = False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.drain()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def arm(self, what, count, callback):
        """Calls back, once, when in all so many "bytes" of bodies, "requests" or "replies" have
        come since take(); what comes last is passed on afterwards."""
        with self.lock:
            self.trap = (what, count, callback)

    def spring(self, callback):
        """Calls back at once, as if armed for this very moment."""
        with self.lock:
            self.trap, self.sprung = None, True
            callback()

    def drain(self):
        """Waits until all that a dead client has left behind has gone through."""
        # Ours is accepted after those that it may have left unaccepted.
        with socket.create_connection(self.listener.getsockname()) as ours:
            port = ours.getsockname()[1]
        with self.lock:
            assert self.lock.wait_for(
                lambda: self.latest == port and self.live == 0, PATIENCE_S)

    def take(self):
        """The requests since the last call, as dicts: method key upload_id part range key_id; bytes
        sent; of the reply status (0: none), length and bytes received; open: whether the client
        lacked its reply when the trap was sprung. All counters begin at 0 again."""
        with self.lock:
            taken, self.requests = self.requests, []
            self.passed = dict.fromkeys(self.passed, 0)
            self.trap, self.sprung = None, False
        return taken

    def _count(self, what, count):
        with self.lock:
            self.passed[what] += count
            if self.trap and self.passed[self.trap[0]] >= self.trap[1]:
                (_, _, callback), self.trap, self.sprung = self.trap, None, True
                callback()

    def _wait_for_the_line(self, count):
        with self.lock:
            now = time.monotonic()
            self.free_at = max(self.free_at, now) + count * self.second_per_byte
            wait = self.free_at - now
        time.sleep(wait)

    def _accept(self):
        with contextlib.suppress(OSError):  # the listener was shut down
            while True:
                client, (_, port) = self.listener.accept()
                with self.lock:
                    self.live += 1
                    self.latest = port
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        current = []  # the request under way: no client sends the next before the reply
        try:
            with client, socket.create_connection(self.upstream) as server:
                back = threading.Thread(target=self._replies, args=(server, client, current))
                back.start()
                self._pump(client, server, self._request_reader(current))
                back.join()
        finally:
            with self.lock:
                self.live -= 1
                self.lock.notify_all()

    def _replies(self, server, client, current):
        if not self._pump(server, client, self._reply_reader(current)):
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)  # nobody wants the rest

    def _pump(self, source, target, read):
        """Until the source has ended (True) or the target takes no more (False)."""
        whole = True
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                self._wait_for_the_line(len(data))
                read(data)
                whole = False
                target.sendall(data)
                whole = True
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
        return whole

    def _request_reader(self, current):
        head, left = Head(), 0

        def read(data):
            nonlocal left
            while data:
                if left == 0:
                    found = head.feed(data)
                    if found is None:
                        return
                    line, headers, data = found
                    left = int(headers.get("content-length", 0))
                    current[:] = [self._begin(line, headers)]
                now = min(left, len(data))
                left -= now
                data = data[now:]
                current[0]["sent"] += now
                self._count("bytes", now)
        return read

    def _reply_reader(self, current):
        head = Head()

        def read(data):
            request = current[0]
            if request["status"] == 0:
                found = head.feed(data)
                if found is None:
                    return
                line, headers, data = found
                status = int(line.split()[1])
                if status < 200:
                    return read(data)
                request["status"] = status
                request["length"] = int(headers.get("content-length", 0))
                self._count("replies", 1)
            request["received"] += len(data)
            self._count("bytes", len(data))
            if not self.sprung:
                request["open"] = request["received"] < request["length"]
        return read

    def _begin(self, line, headers):
        method, target, _ = line.split(" ")
        path, _, query = target.partition("?")
        params = dict(urllib.parse.parse_qsl(query))
        key = re.match("/[^/]*/?(.*)", urllib.parse.unquote(path))[1]
        signed = re.search("Credential=([^/]*)/", headers.get("authorization", ""))
        request = {
            "method": method, "key": key or None, "upload_id": params.get("uploadId"),
            "part": int(params["partNumber"]) if "partNumber" in params else None,
            "range": headers.get("range"),
            "key_id": signed[1] if signed else None, "sent": 0, "status": 0, "length": 0, "received": 0,
            "open": True}
        with self.lock:
            self.requests.append(request)
        self._count("requests", 1)
        return request
