"""Starts the services for a test and talks to them; README.md is their manual."""
import json
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request

PROGRAM = pathlib.Path(__file__).with_name("services.py")

# Straight to loopback, whatever proxy the environment names.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Services:
    """`with Services() as services:` then services.url is where they are."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            [sys.executable, "-B", PROGRAM, *options], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError(f"the services did not start: {self.process.wait()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.process.stdout.close()

    def control(self, method, path, body=None, timeout=60):
        """One request to /-/: the answer's text, or a ValueError of it when refused."""
        request = urllib.request.Request(
            f"{self.url}/-/{path}", method=method, data=None if body is None else body.encode())
        try:
            with _direct.open(request, timeout=timeout) as reply:
                return reply.read().decode()
        except urllib.error.HTTPError as error:
            raise ValueError(error.read().decode()) from None

    def set(self, text):
        self.control("POST", "set", text)

    def fault(self, text):
        self.control("POST", "faults", text)

    def clear(self):
        """Forgets all faults and opens all gates."""
        self.control("DELETE", "faults")

    def reset(self):
        """Clears the log."""
        self.control("POST", "reset", "")

    def rotate(self, service):
        """The next answer of imds, container or sso holds fresh keys."""
        self.control("POST", f"rotate/{service}", "")

    def expire(self, name):
        """Keys by their id, or "metadata-tokens"."""
        self.control("POST", f"expire/{name}", "")

    def key(self, key_id):
        """key_id secret token expires arn: of keys that the services know."""
        return json.loads(self.control("GET", f"key/{key_id}"))

    def log(self, operation=""):
        """One dict a request, oldest first; all operations or one."""
        return [json.loads(line)
                for line in self.control("GET", f"log/{operation}").splitlines()]

    def count(self, name, at_least=0):
        """Requests of an operation or a service ("": all); waits until there are so many."""
        return int(self.control("GET", f"count/{name}?n={at_least}"))

    def wait_at(self, gate, count=1, timeout=60):
        """Blocks until that many requests hang at the gate."""
        self.control("GET", f"waiting/{gate}?n={count}", timeout=timeout)

    def open(self, gate):
        self.control("POST", f"open/{gate}", "")
