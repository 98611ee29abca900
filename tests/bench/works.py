"""The works: what is moved, by whom, how often, and what shows that it was done."""

import dataclasses
import json
import math
import os
import pathlib
import re
import sqlite3
import subprocess
import time

import peers
from room import FOLDER, SMALL, Failed

PART = 8 << 20  # haul's, and the floor's
PAGE = 1000  # keys of a listing
TINY = 1024  # bytes, to start with
SAMPLE_S = 0.02
REQUESTS = ("put", "post", "get", "head", "list", "delete")  # as the sink counts them


@dataclasses.dataclass(frozen=True)
class Work:
    name: str
    about: str
    kind: str  # up down puts gets plan start
    amount: int  # bytes, objects or keys; of the full form
    quick: int
    on_disk: bool = False
    tls: bool = False
    sink: tuple = ()  # its options
    times: int = 1  # so many runs instead of one
    floor: bool = True
    haul: tuple = ("",)  # a haul each, by its setting: a payload, or a concurrency
    peers: tuple = tuple(peers.PEERS)

    @property
    def unit(self):
        return {"up": "bytes", "down": "bytes", "plan": "keys"}.get(self.kind, "objects")


PAYLOADS = ("signed", "chunked")
FAR = ("--latency-ms", 30, "--rate", 50_000_000)
WORKS = [
    # The first: what a program needs to get going is not scaled up with its share of the others.
    Work("start", "one object of 1 KiB up", "start", 1, 1, times=4),
    Work("up", "4 GiB up", "up", 4 << 30, 24 << 20, haul=("", "signed", "chunked")),
    Work("down", "4 GiB down to memory", "down", 4 << 30, 24 << 20),
    Work("down-disk", "4 GiB down to a disk", "down", 4 << 30, 24 << 20, on_disk=True, peers=()),
    Work("puts", "50,000 x 4 KiB up", "puts", 50_000, 300),
    Work("gets", "50,000 x 4 KiB down to memory", "gets", 50_000, 300),
    Work("gets-disk", "50,000 x 4 KiB down to a disk", "gets", 50_000, 300, on_disk=True,
         peers=()),
    Work("far-up", "4 GiB up, 30 ms away, 50 MB/s a connection", "up", 4 << 30, 24 << 20,
         sink=FAR, floor=False, haul=("", "64", "128"), peers=()),
    Work("far-down", "4 GiB down, 30 ms away, 50 MB/s a connection", "down", 4 << 30, 24 << 20,
         sink=FAR, floor=False, haul=("", "64", "128"), peers=()),
    Work("far-puts", "50,000 x 4 KiB up, 30 ms away", "puts", 50_000, 300, sink=FAR, floor=False,
         haul=("", "512", "1024"), peers=()),
    Work("plan", "a listing of 1,000,000 keys into the queue", "plan", 1_000_000, 3000,
         sink=("--hold",), floor=False),
    Work("tls-up", "4 GiB up by https", "up", 4 << 30, 24 << 20, tls=True, floor=False,
         peers=("curl",)),
    Work("tls-down", "4 GiB down by https to memory", "down", 4 << 30, 24 << 20, tls=True,
         floor=False, peers=("curl",)),
]


class Task:
    """A work's part for one program: its sink, its source, and in each run a fresh target."""

    def __init__(self, room, work, amount, sink, source=None):
        self.room, self.work, self.kind, self.amount = room, work, work.kind, amount
        self.sink, self.url, self.host = sink, sink.url, sink.host
        self.ca = room.tls()[0] if work.tls else None
        self.source, self.target, self.queue = source, None, None
        if source is not None:
            return
        if self.kind in ("up", "start"):
            self.source = room.large(amount if self.kind == "up" else TINY)
        elif self.kind == "puts":
            self.source = room.small(amount)

    def names(self):
        return [f"{n // FOLDER:03}/{n:06}" for n in range(self.amount)]

    def files(self):
        return [(name, self.source / name) for name in self.names()]

    def note(self, text):
        """A file with that text, for the command alone."""
        path = self.room.home / "note"
        path.write_text(text + "\n")
        return path

    def check(self, counted, exact):
        """Was all the work done? exact: by just as many requests as it needs."""
        parts = -(-self.amount // PART)
        moved = {"puts": self.amount * SMALL, "gets": self.amount * SMALL, "start": TINY}.get(
            self.kind, self.amount)
        least = {
            "up": {"put": parts if exact else 1, "bytes_in": moved},
            "down": {"get": parts if exact else 1, "bytes_out": moved},
            "puts": {"put": self.amount, "bytes_in": moved},
            "gets": {"get": self.amount, "bytes_out": moved},
            "start": {"put": 1, "bytes_in": moved},
            "plan": {"list": -(-self.amount // PAGE)},
        }[self.kind]
        for name, want in least.items():
            if counted[name] < want or (exact and name in ("put", "get") and counted[name] > want):
                raise Failed(f"the sink counts {name} {counted[name]} instead of {want}")

    def check_target(self, compare):
        """Has everything come? compare: and is it right?"""
        if self.kind not in ("down", "gets"):
            return
        files = [pathlib.Path(top, name) for top, _, names in os.walk(self.target.parent)
                 for name in names]
        count, size = (1, self.amount) if self.kind == "down" else (self.amount, SMALL)
        if len(files) != count or any(file.stat().st_size != size for file in files):
            raise Failed(f"{len(files)} files came instead of {count} of {size} bytes")
        body = self.room.large(size).read_bytes() if compare else None
        if compare and any(file.read_bytes() != body for file in files):
            raise Failed("a file that came is not right")


def sink_options(room, work, amount, source=None):
    """How a sink has to be for so much of that work. Some clients look at what they have sent."""
    if work.kind == "plan":
        return ["--keys", amount, *work.sink]
    if work.unit == "bytes":
        return ["--file", source or room.large(amount), *work.sink]
    if work.kind == "start":
        return ["--file", room.large(TINY), *work.sink]
    return ["--file", room.large(SMALL), "--keys", amount, "--key-bytes", SMALL, *work.sink]


# ---- Who carries them out ----

class Contestant:
    exact = False  # it must not fail, and what the sink counts is known to the request
    setting, share = "", 1
    # Who has run so often in a work, or used so many seconds, gets no further run of it.
    runs_max, seconds_max = math.inf, math.inf


class Floor(Contestant):
    """bench-floor."""

    exact = True
    who = role = "floor"

    def measure(self, task):
        many = task.kind in ("puts", "gets", "start")
        mode = {"start": "up"}.get(task.kind, task.kind)
        where = {"up": "in/object", "down": "large", "puts": "in", "gets": "small"}[mode]
        argv = [task.room.floor, mode, f"{task.url}/bkt/{where}", task.source or task.target,
                *(["--ca", task.ca] if task.ca else [])]
        if many:
            argv += ["--count", task.amount, "--buffer-bytes", 16384]
        if mode == "down":
            argv += ["--bytes", task.amount]
        return task.room.run(argv)


class Haul(Contestant):
    """A build of haul, with a manifest of that work."""

    exact = True
    role = "haul"

    def __init__(self, name, program, setting):
        self.program, self.setting = program, setting
        words = f"concurrency {setting}" if setting.isdigit() else setting
        self.who = ", ".join(filter(None, [name, words]))
        if setting.isdigit():
            self.runs_max = 3

    def manifest(self, task):
        small, above = task.kind in ("puts", "gets", "plan"), {
            "up": "in/object", "start": "in/object", "down": "large", "puts": "in/"}
        there = f"sink://bkt/{above.get(task.kind, 'small/')}"
        here = f"{task.source or task.target}{'/' if small else ''}"
        sends = task.kind in ("up", "start", "puts")
        defaults = {"payload": self.setting if self.setting in PAYLOADS else "unsigned"}
        if self.setting.isdigit():
            defaults["concurrency"] = int(self.setting)
        endpoint = {"url": task.url, "region": "us-east-1", "addressing": "path",
                    "credentials": "env"}
        if task.ca:
            endpoint["ca_file"] = task.ca
        transfer = {"upload": here, "to": there} if sends else {"download": there, "to": here}
        return json.dumps({"version": 1, "name": "bench", "endpoints": {"sink": endpoint},
                           "defaults": defaults, "transfers": [transfer]})  # YAML's subset

    def measure(self, task):
        queue = task.queue = task.room.fresh(on_disk=True)
        argv = [self.program, "run", task.note(self.manifest(task)), "--queue", queue]
        if task.kind != "plan":
            return task.room.run(argv)
        with task.room.started(argv) as (process, told):
            wall = await_planned(queue, process)
            return task.room.interrupt(argv, process, told) | {"wall": wall}


def await_planned(queue, process):
    """Seconds until every key is in the queue. Nothing moves meanwhile: the sink holds it."""
    began = time.monotonic()
    while process.poll() is None:
        try:
            reader = sqlite3.connect(f"file:{queue}?mode=ro", uri=True)
            try:
                if reader.execute("SELECT min(planned) FROM transfer").fetchone() == (1,):
                    return time.monotonic() - began
            finally:
                reader.close()
        except sqlite3.OperationalError:
            pass  # not there yet, or busy
        time.sleep(SAMPLE_S)
    raise Failed("haul ended while it planned")


class Peer(Contestant):
    role = "peer"

    def __init__(self, name, work):
        self.who = name
        self.command, self.share = peers.PEERS[name][0], peers.share(name, work.kind)
        if work.tls:  # curl is what haul is held against
            self.share = 1
        else:
            self.seconds_max = 4

    def measure(self, task):
        return task.room.run(self.command(task))


class Pass(Contestant):
    """One pass of SHA-256 over the bytes, as `openssl speed` would need for it."""

    who, role = "openssl's SHA-256", "pass"

    def measure(self, task):
        said = subprocess.run(
            ["openssl", "speed", "-seconds", "1", "-bytes", "1048576", "-evp", "sha256"],
            text=True, capture_output=True, check=True).stdout
        kilobytes_per_s = float(re.search(r"([\d.]+)k\s*$", said).group(1))
        seconds = task.amount / (kilobytes_per_s * 1000)
        return {"wall": seconds, "user": seconds, "sys": 0, "peak_kib": 0}


def contestants(work, hauls, found):
    """Who does this work. hauls: programs by name; found: the peers that are there."""
    everybody = [Floor()] if work.floor else []
    everybody += [Haul(name, program, setting)
                  for setting in work.haul for name, program in hauls.items()]
    if "signed" in work.haul:
        everybody.append(Pass())
    everybody += [peer for name in work.peers if name in found
                  if (peer := Peer(name, work)).share > 0]
    return everybody
