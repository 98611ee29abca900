"""Starts the scripted S3 endpoint for a test and talks to it; README.md is its manual.

The program's path comes from the environment variable S3_ENDPOINT.
"""
import functools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ACCESS_KEY = "AKIDSCRIPTED"
SECRET_KEY = "scripted/secret+key"

# Straight to 127.0.0.1, whatever proxy the environment names.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@functools.cache
def _session():
    import boto3
    return boto3.session.Session()


class Endpoint:
    """One endpoint with a temporary root. It dies with the thread that started it.

    keys: (id, secret), or None to check no signatures; tls: (certificate, key) files; client:
    the same of whom alone it lets in.
    """

    def __init__(self, *options, keys=(ACCESS_KEY, SECRET_KEY), region="us-east-1", tls=None,
                 client=None):
        self.root = tempfile.mkdtemp(prefix="s3-endpoint-")
        self.keys, self.region, self.tls, self.client = keys, region, tls, client
        self.options = [*options, "--region", region]
        if keys:
            self.options += ["--access-key", keys[0], "--secret-key", keys[1]]
        if tls:
            self.options += ["--tls", *tls]
        if client:
            self.options += ["--client-ca", client[0]]
        self.port, self.process = 0, None
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self.root, ignore_errors=True)
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def start(self):
        """Again after stop(), with the same port and root. The faults are forgotten."""
        self.process = subprocess.Popen(
            [os.environ["S3_ENDPOINT"], "--root", self.root, "--port", str(self.port),
             "--with-parent", *self.options], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"s3-endpoint did not start: exit code {self.process.wait()}")
        self.port = int(line)

    def stop(self, sig=signal.SIGTERM):
        """Ends the program and returns its exit code; the objects stay for start()."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.process.stdout.close()

    def restart(self, sig=signal.SIGTERM):
        """Stops it (SIGKILL: as in a crash) and starts it again."""
        self.stop(sig)
        self.start()

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def env(self):
        """What a client needs in its environment, and nothing that it finds elsewhere."""
        env = {
            "AWS_ENDPOINT_URL_S3": self.url, "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region, "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }
        if self.keys:
            env |= {"AWS_ACCESS_KEY_ID": self.keys[0], "AWS_SECRET_ACCESS_KEY": self.keys[1]}
        if self.tls:
            env["AWS_CA_BUNDLE"] = self.tls[0]
        return env

    def boto(self, **config):
        """A boto3 client that tries once, so that tests see each fault themselves."""
        from botocore import UNSIGNED
        from botocore.config import Config
        os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
        settings = {
            "signature_version": "s3v4" if self.keys else UNSIGNED, "proxies": {},
            "s3": {"addressing_style": "path"}, "retries": {"total_max_attempts": 1},
            "client_cert": self.client,
        } | config
        key, secret = self.keys or (None, None)
        return _session().client(
            "s3", endpoint_url=self.url, region_name=self.region, aws_access_key_id=key,
            aws_secret_access_key=secret, verify=self.tls[0] if self.tls else None,
            config=Config(**settings))

    def control(self, method, path, body=None, timeout=60):
        """One request to /-/: the answer's text, or a ValueError of it when refused."""
        opener = _direct
        if self.tls:
            import ssl
            context = ssl.create_default_context(cafile=self.tls[0])
            if self.client:
                context.load_cert_chain(*self.client)
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        request = urllib.request.Request(
            f"{self.url}/-/{path}", method=method, data=None if body is None else body.encode())
        try:
            with opener.open(request, timeout=timeout) as reply:
                return reply.read().decode()
        except urllib.error.HTTPError as error:
            raise ValueError(error.read().decode()) from None

    def stats(self):
        return json.loads(self.control("GET", "stats"))

    def count(self, operation):
        """How often that operation was asked for."""
        return self.stats()["operations"][operation]

    def log(self, operation=None):
        """One dict a request, oldest first; all operations or one."""
        entries = map(json.loads, self.control("GET", "log").splitlines())
        return [e for e in entries if operation in (None, e["op"])]

    def headers(self, operation=None):
        """One dict a request, oldest first, of the last 256: `:target` and its headers."""
        path = f"headers/{operation}" if operation else "headers"
        requests = self.control("GET", path).split("\n\n")[:-1]
        dicts = []
        for request in requests:
            first, *lines = request.split("\n")
            dicts.append({":target": first.split(" ", 3)[3]}
                         | dict(line.split(": ", 1) for line in lines))
        return dicts

    def fault(self, text):
        self.control("POST", "faults", text)

    def clear(self):
        """Forgets all faults and opens all gates."""
        self.control("DELETE", "faults")

    def settle(self):
        """Waits until nothing is in flight, nor to come from clients that are gone."""
        ours, half_closed = f"0100007F:{self.port:04X}", "08"
        while True:
            with open("/proc/net/tcp") as table:
                states = {row[3] for row in map(str.split, table) if row[1] == ours}
            if half_closed not in states and self.stats()["in_flight"] == 0:
                return
            time.sleep(0.002)

    def reset(self):
        """Clears counters and log, and returns what stats() was."""
        return json.loads(self.control("POST", "reset", ""))

    def wait_at(self, gate, count=1, timeout=60):
        """Blocks until that many requests hang at the gate."""
        self.control("GET", f"waiting/{gate}?n={count}", timeout=timeout)

    def open(self, gate):
        self.control("POST", f"open/{gate}", "")
