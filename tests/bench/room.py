"""Where measuring happens: the data, fresh folders for what comes, sinks, and the stop-watch."""

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import ssl
import subprocess
import time
import urllib.request

BLOCK = 64 << 20  # of random bytes, which the large files repeat
WARMING = 4 << 20  # written at once
FOLDER = 1000  # files in each
SPARE = 3 << 30  # of memory is left to others
SMALL = 4096  # bytes of a small object
LINKS = 50_000  # of one file; ext4 takes 65,000


class Failed(Exception):
    """A command went wrong, or did not do its work."""


def need(path):
    if not os.access(path, os.X_OK):
        raise Failed(f"{path} is missing")
    return str(path)


class Sink:
    """A bench-sink of its own; what it counts is its users' alone."""

    def __init__(self, program, *options, tls=None):
        argv = [program, *map(str, options), *(["--tls", *tls] if tls else [])]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        port = self.process.stdout.readline().strip()
        if not port:
            raise Failed("the sink does not start")
        self.host = f"127.0.0.1:{port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        trusted = ssl.create_default_context(cafile=tls and tls[0])
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted))

    def counters(self, reset=False):
        request = urllib.request.Request(
            f"{self.url}/-/counters", method="POST" if reset else "GET")
        try:
            with self.opener.open(request) as reply:
                return json.load(reply)
        except OSError as error:
            raise Failed(f"the sink is gone: {error}") from None

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Room:
    def __init__(self, build, data, disk, limit_s):
        self.build = pathlib.Path(build)
        self.data, self.disk = pathlib.Path(data), pathlib.Path(disk)
        self.sink_program, self.floor, self.measure = (
            need(self.build / f"bench-{name}") for name in ("sink", "floor", "measure"))
        self.limit_s = limit_s  # of a command
        self.homes = 0
        self.kept = {}  # folders by how much of memory they hold
        self.opened = []

    def __enter__(self):
        for folder in (self.data, self.disk):
            if folder.exists():
                raise Failed(f"{folder} is there: somebody measures, or was killed; remove it")
            folder.mkdir(parents=True)
            self.opened.append(folder)
        self.home = self.disk / "home"
        self.home.mkdir()
        self.env = {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "LC_ALL": "C.UTF-8",
            "no_proxy": "*", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "XDG_STATE_HOME": str(self.disk / "state"), "TMPDIR": str(self.disk),
        } | {name: value for name, value in os.environ.items() if name.startswith("PYENV_")}
        # A pyenv shim looks below the home of who installed it.
        if (root := pathlib.Path(os.environ.get("HOME", "/"), ".pyenv")).is_dir():
            self.env.setdefault("PYENV_ROOT", str(root))
        self.cert, self.key = str(self.disk / "cert.pem"), str(self.disk / "key.pem")
        return self

    def __exit__(self, *_):
        for folder in self.opened:
            shutil.rmtree(folder, ignore_errors=True)

    # ---- What is moved ----

    def free(self):
        """Bytes of memory that may be filled without anybody else's missing them."""
        with open("/proc/meminfo") as lines:
            available = next(line for line in lines if line.startswith("MemAvailable"))
        in_memory = int(available.split()[1]) << 10
        return min(in_memory, shutil.disk_usage(self.data).free) - SPARE

    def reserve(self, size):
        """Fails before memory is short: the kernel would kill whoever comes first."""
        if size > (free := self.free()):
            raise Failed(f"{size} bytes do not fit into the {free} of memory that are free")

    def has_large(self, size):
        return (self.data / f"large-{size}").exists()

    def large(self, size):
        """A file of so many bytes."""
        path = self.data / f"large-{size}"
        if not path.exists():
            self.reserve(size)
            block = random.Random(1).randbytes(min(size, BLOCK))
            with open(path, "wb") as file:
                for at in range(0, size, BLOCK):
                    file.write(block[:size - at])
        return path

    def sparse(self, size):
        """The same, of zeros that take no room."""
        path = self.data / f"sparse-{size}"
        with open(path, "wb") as file:
            file.truncate(size)
        return path

    def small(self, count, size=SMALL):
        """A folder of so many files: 000/000000 and so on."""
        top = self.data / f"small-{count}"
        if not top.exists():
            body = random.Random(1).randbytes(size)
            for n in range(count):
                if n % FOLDER == 0:
                    (top / f"{n // FOLDER:03}").mkdir(parents=True)
                (top / f"{n // FOLDER:03}" / f"{n:06}").write_bytes(body)
        return top

    def links(self, count):
        """The same on the disk, where ten million names of a few files fit."""
        top = self.fresh(on_disk=True)
        for n in range(count):
            path = top / f"{n // FOLDER:03}" / f"{n:06}"
            if n % FOLDER == 0:
                path.parent.mkdir(parents=True)
            if n % LINKS == 0:
                path.write_bytes(bytes(SMALL))
                first = path
            else:
                os.link(first, path)
        return top

    def tls(self):
        """(certificate, key) of 127.0.0.1."""
        if not os.path.exists(self.cert):
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-nodes", "-days", "7", "-subj", "/CN=bench", "-addext",
                 "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out", self.cert],
                check=True, capture_output=True)
        return self.cert, self.key

    def fresh(self, on_disk=False):
        """A name below a folder that nothing was in, nor was deleted from just now: ext4 takes
        five times longer to make a file where it has just forgotten many."""
        self.homes += 1
        top = (self.disk if on_disk else self.data) / f"out-{self.homes}"
        top.mkdir()
        return top / "out"

    # What a virtual machine has not used for a while, it has to get from its host again, which
    # takes five times as long. So what came is deleted only when the next one begins.

    def warm(self, size):
        """Gives so much memory back, which somebody has used until now."""
        folder = self.kept.pop(size, None)
        if folder is None:
            self.reserve(size)
            folder = self.fresh().parent
            with open(folder / "warming", "wb") as file:  # to allocate it would not touch it
                for at in range(0, size, WARMING):
                    file.write(bytes(min(WARMING, size - at)))
        shutil.rmtree(folder)

    def keep(self, folder, size):
        """Keeps a folder of that size instead of deleting it."""
        if self.kept.setdefault(size, folder) != folder:
            shutil.rmtree(folder)

    def drop_kept(self):
        while self.kept:
            shutil.rmtree(self.kept.popitem()[1])

    # ---- Measuring ----

    @contextlib.contextmanager
    def started(self, argv, log="command"):
        """The command, and its stop-watch's file. It is gone afterwards."""
        told = self.disk / f"{log}.json"
        told.unlink(missing_ok=True)
        with open(told.with_suffix(".errors"), "wb") as errors:
            process = subprocess.Popen(
                [self.measure, told, *map(str, argv)], env=self.env,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
                start_new_session=True, cwd=self.home)
            try:
                yield process, told
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def run(self, argv):
        """Its wall, user, sys and peak_kib."""
        with self.started(argv) as (process, told):
            try:
                process.wait(self.limit_s)
            except subprocess.TimeoutExpired:
                raise Failed(f"{argv[0]} takes over {self.limit_s} s") from None
            return self.told(argv, told)

    def interrupt(self, argv, process, told):
        """What it has needed until now; two signals end haul at once."""
        while process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.02)
        return self.told(argv, told, ended=(0, 3, 130))

    def told(self, argv, path, ended=(0,)):
        sample = json.loads(path.read_text()) if path.exists() else {"status": 127}
        status = sample.pop("status")
        if status not in ended:
            errors = path.with_suffix(".errors").read_text(errors="replace").strip().splitlines()
            raise Failed(f"{os.path.basename(str(argv[0]))}: status {status}: "
                         f"{errors[-1][:200] if errors else ''}")
        return sample
