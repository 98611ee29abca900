"""The services that give keys, on one loopback port, for tests: instance metadata, container
credentials, STS, the SSO portal, OIDC, and an S3 that takes those keys. README.md is their
manual.

Prints its URL when it is ready, and ends when its standard input does.
"""
import argparse
import http.server
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse

import container
import instance
import s3
import sso
import sts
from control import Control
from world import Refusal, Reply, World

TRICKLE_S = 0.02


class Request:
    def __init__(self, handler):
        self.method = handler.command
        self.target = handler.path
        path, _, query = handler.path.partition("?")
        self.path, self.raw_path, self.raw_query = urllib.parse.unquote(path), path, query
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.body = handler.rfile.read(int(self.headers.get("content-length", 0)))


def find_service(request):
    """Which service a request is for, by its path alone."""
    for service in (instance, container, sso, sts):
        if service.is_mine(request):
            return service
    return s3


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self):
        request = Request(self)
        if request.path.startswith("/-/"):
            self.send(Reply(*self.server.control.answer(request)))
            return
        service = find_service(request)
        operation = service.name_operation(request)
        fault = self.server.control.begin(service.NAME, operation)
        if "delay-ms" in fault:
            time.sleep(int(fault["delay-ms"]) / 1000)
        if "gate" in fault:
            self.server.control.pass_gate(fault["gate"])
        try:
            if "status" in fault:
                raise Refusal(int(fault["status"]), fault.get("code", "Scripted"),
                              "as scripted")
            reply = service.answer(self.server.world, operation, request)
        except Refusal as refusal:
            reply = service.refuse(refusal)
        self.spoil(reply, fault)
        self.server.control.log(service.NAME, operation, request, reply, fault)
        self.send(reply, fault)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

    def spoil(self, reply, fault):
        """What faults change in a reply itself."""
        if reply.keys is not None:
            if "expires-s" in fault:
                moment = self.server.world.now() + float(fault["expires-s"])
                reply.keys["Expiration"] = reply.stamp(moment)
            if "expires" in fault:
                reply.keys["Expiration"] = fault["expires"]
            for field in fault.get("without", "").split(","):
                reply.keys.pop(field, None)
        reply.finish()
        if "malformed" in fault:
            reply.body = reply.body[:len(reply.body) // 2]
        if "text" in fault:
            reply.body = fault["text"].encode("utf-8", "surrogateescape")
        if "huge" in fault:
            reply.body = b"x" * (10 << 20)
        if "empty" in fault:
            reply.body = b""
        if "content-type" in fault:
            reply.headers["Content-Type"] = fault["content-type"]
        if "location" in fault:
            reply.headers["Location"] = fault["location"]

    def send(self, reply, fault=None):
        fault = fault or {}
        reply.finish()
        if "reset" in fault:
            self.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        moment = self.server.world.now() + float(fault.get("skew-s", 0))
        lines = [f"HTTP/1.1 {reply.status} {self.responses.get(reply.status, ['?'])[0]}",
                 f"Date: {self.date_time_string(moment)}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        lines.append(f"Content-Length: {len(reply.body)}")
        head = "\r\n".join(lines + ["", ""]).encode("latin-1")
        body = b"" if self.command == "HEAD" else reply.body
        if "truncate" in fault:
            body = body[:int(fault["truncate"])]
            self.close_connection = True
        try:
            self.write(head + body, fault)
        except OSError:
            self.close_connection = True  # the client is gone

    def write(self, data, fault):
        if "trickle" not in fault:
            self.wfile.write(data)
            return
        step = max(1, int(float(fault["trickle"]) * TRICKLE_S))
        for at in range(0, len(data), step):
            self.wfile.write(data[at:at + step])
            time.sleep(step / float(fault["trickle"]))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, world, control, tls):
        host, port = address.rsplit(":", 1)
        host = host.strip("[]")
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.world, self.control, self.tls = world, control, tls
        super().__init__((host, int(port)), Handler)

    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def get_request(self):
        connection, peer = super().get_request()
        if self.tls:
            connection = self.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False)
        return connection, peer

    def shutdown_request(self, request):
        """Without the orderly goodbye where a reset was asked for."""
        linger = request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        if struct.unpack("ii", linger)[0]:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # clients come and go
            super().handle_error(request, client_address)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--listen", action="append", metavar="ADDRESS:PORT")
    options.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    options = options.parse_args()
    tls = None
    if options.tls:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*options.tls)
    world = World()
    control = Control(world)
    servers = [Server(address, world, control, tls)
               for address in options.listen or ["127.0.0.1:0"]]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    host, port = servers[0].server_address[:2]
    host = f"[{host}]" if ":" in host else host
    print(f"http{'s' if tls else ''}://{host}:{port}", flush=True)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
