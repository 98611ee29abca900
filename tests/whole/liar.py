"""A server for tests that says what the test wants, byte by byte: what the scripted
endpoint, which keeps to HTTP and S3, can't play.
"""

import socketserver
import threading
import urllib.parse

CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"


class Request:
    def __init__(self, line, headers):
        self.method, target, _ = line.split(" ", 2)
        self.headers = headers
        parts = urllib.parse.urlsplit(target)
        self.path, self.query = parts.path, urllib.parse.parse_qs(parts.query, True)
        self.is_listing = "list-type" in self.query


class Liar:
    """`with Liar(answer) as liar:`; answer(request) returns bytes, or yields them one after another
    until the client has gone. liar.url, .requests and .sent (bytes) tell the rest."""

    def __init__(self, answer):
        liar = self
        self.requests, self.sent = [], 0

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    while request := read_request(self.rfile):
                        liar.requests.append(request)
                        reply = answer(request)
                        for piece in [reply] if isinstance(reply, bytes) else reply:
                            self.request.sendall(piece)
                            liar.sent += len(piece)
                except OSError:
                    pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 512  # haul's connections at once, be this process ever so slow

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def read_request(file):
    """The next one on this connection with its body read, or None."""
    head = list(iter(lambda: file.readline().decode("latin-1").strip(), ""))
    if not head:
        return None
    headers = {name.lower(): value.strip() for name, _, value in
               (line.partition(":") for line in head[1:])}
    file.read(int(headers.get("content-length", 0)))
    return Request(head[0], headers)


def reply(body=b"", status="200 OK", *headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def endless(status="200 OK", *headers):
    """A chunked body that goes on for as long as it is read."""
    yield "\r\n".join(
        [f"HTTP/1.1 {status}", "Transfer-Encoding: chunked", *headers, "", ""]).encode()
    while True:
        yield CHUNK


def error(code, message, status="403 Forbidden"):
    return reply(f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode(), status)


def listing(sizes, token=None):
    """A page of {key: size}, in the keys' order; token: as page()'s."""
    return page("".join(
        f"<Contents><Key>{urllib.parse.quote(key)}</Key><Size>{size}</Size>"
        "<ETag>&quot;e&quot;</ETag><LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>"
        for key, size in sorted(sizes.items(), key=lambda item: item[0].encode())), token)


def page(rows, token=None):
    """A page of a listing; token: of the next one, None if there is none, "" if none is told."""
    token = {None: "", "": "<IsTruncated>true</IsTruncated>"}.get(
        token, "<IsTruncated>true</IsTruncated>"
        f"<NextContinuationToken>{token}</NextContinuationToken>")
    return reply(("<ListBucketResult><EncodingType>url</EncodingType>"
                  f"{token}{rows}</ListBucketResult>").encode())
