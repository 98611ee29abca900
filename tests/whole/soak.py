"""The inside of tests/soak: one long job, uploads and downloads at once, while one request in a
hundred goes wrong. What has arrived is compared and deleted meanwhile, so that the job may move
far more than there is room for. At the end: was everything right, and did memory, descriptors or
the queue's log grow?
"""

import argparse
import contextlib
import hashlib
import os
import pathlib
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
import zlib

from conftest import Haul
from endpoint import Endpoint
from queuefile import assert_finished
from scene import BUCKET, Scene, download, upload

PART = 8 << 20
MIB = 1 << 20
TOKEN = "soak"  # haul's session token: faults strike haul alone, not whoever checks
SMALL = 300  # objects a round and direction, of up to 32 KiB
LARGE = {"large/a": 64 * MIB, "large/b": 3 * PART + 1, "large/c": 2 * PART, "large/d": 37 * MIB,
         "one part": PART}
TRANSFERS_MAX = 4096  # of one manifest
BEHIND_MAX, BEHIND_LOW = 3 << 30, 1 << 30  # bytes not yet compared: haul waits, and goes on
SAMPLE_S = 2
FIFTHS = 5
# How much the last fifth's median may be over the second one's. What leaks, leaks more.
SLACK = {"rss": lambda kib: kib * 0.05 + 2048, "fds": lambda count: 8, "threads": lambda count: 0}
WAL_MAX = 64 * MIB

ANY = ["drop-before", "drop-after", "status=500", "status-after=500", "status=502 html",
       "status=503 code=SlowDown", "status=503 early", "status=429", "delay-ms=400"]
DOCUMENT = ["error-200=InternalError", "empty-200", "truncate=60", "extra-bytes=3"]
SOME = {
    "PutObject": ["reset-mid-body=1", "reset-mid-body=9000", "no-etag", "trickle=20000"],
    "UploadPart": ["reset-mid-body=1", "reset-mid-body=5000000", "no-etag", "trickle=4000000"],
    "GetObject": ["reset-mid-body=1", "reset-mid-body=5000000", "truncate=1000",
                  "truncate=8000000", "content-range=bytes 0-4/9", "ignore-range",
                  "extra-bytes=7", "empty-200", "trickle=4000000"],
    "CreateMultipartUpload": DOCUMENT + ["no-upload-id"],
    "CompleteMultipartUpload": DOCUMENT + ["error-200-after=InternalError", "empty-200-after"],
    "ListObjectsV2": DOCUMENT,
    "ListMultipartUploads": DOCUMENT,
    "ListParts": DOCUMENT,
}


def fault_lines(percent, seed):
    """Lines that together strike so many per cent of each operation's requests, all alike."""
    kinds = [("*", action, len(ANY)) for action in ANY] + [
        (op, action, len(actions)) for op, actions in SOME.items() for action in actions]
    return "\n".join(
        f"{op} token={TOKEN} chance={percent / 2 / alike:.4f}% seed={seed + n} {action}"
        for n, (op, action, alike) in enumerate(kinds))


def etag_of(body):
    """What the endpoint makes of the bytes that have come: MD5, or that of the parts' MD5s."""
    parts = [hashlib.md5(body[at:at + PART]) for at in range(0, len(body), PART)]
    if len(body) <= PART:
        return hashlib.md5(body).hexdigest()
    return f"{hashlib.md5(b''.join(p.digest() for p in parts)).hexdigest()}-{len(parts)}"


class Arrivals:
    """Compares what has arrived in one place, counts it and deletes it, until it is told to end.
    `look` yields (round, name, bytes) of what is there and takes care of each."""

    def __init__(self, look):
        self.look = look
        self.seen, self.bytes, self.behind = set(), 0, 0
        self.wrong = None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self):
        try:
            while not self.over.wait(0.2):
                self.turn()
        except Exception as error:  # told by whoever waits for the job
            self.wrong = error

    def turn(self):
        for place, size in self.look(self):
            if place not in self.seen:
                self.seen.add(place)
                self.bytes += size

    def end(self):
        self.over.set()
        self.thread.join()
        if self.wrong:
            raise self.wrong
        self.turn()
        self.turn()  # what was new in the turn before


class Soak:
    def __init__(self, folder, minutes, percent, seed, kill):
        self.folder, self.minutes, self.kill = pathlib.Path(folder), minutes, kill
        self.chance = random.Random(seed)
        self.endpoint = Endpoint()
        (self.folder / "home").mkdir()
        self.haul = Haul(self.folder / "home")
        self.scene = Scene(self.haul, self.endpoint, self.folder)
        self.env = self.endpoint.env | {"AWS_SESSION_TOKEN": TOKEN, "ASAN_OPTIONS":
                                        self.haul.env["ASAN_OPTIONS"] + "quarantine_size_mb=16"}
        names = LARGE | {f"small/{n:03}": self.chance.randrange(32 << 10) for n in range(SMALL)}
        self.bodies = {name: self.chance.randbytes(size) for name, size in names.items()}
        self.etags = {name: etag_of(body) for name, body in self.bodies.items()}
        self.scene.files(self.bodies)
        self.scene.objects(self.bodies, "src/")
        self.endpoint.reset()
        if percent > 0:
            self.endpoint.fault(fault_lines(percent, seed))
        self.sums = dict.fromkeys(("requests", "struck", "bytes_in", "bytes_out"), 0)
        self.samples, self.kills, self.waits = [], 0, 0
        self.listed = set()

    # What arrives.

    def uploaded(self, arrivals):
        """An object is taken away in the turn after it was first seen: its reply may be lost."""
        s3, listed, behind, gone = self.scene.s3, set(), 0, []
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="up/"):
            for entry in page.get("Contents", []):
                key, size = entry["Key"], entry["Size"]
                _, place, name = key.split("/", 2)
                want = (len(self.bodies[name]), f'"{self.etags[name]}"')
                assert (size, entry["ETag"]) == want, f"{key} is wrong: {entry}, not {want}"
                if zlib.crc32(key.encode()) % 64 == 0:
                    assert self.scene.body(key) == self.bodies[name], f"{key} holds other bytes"
                listed.add(key)
                behind += size
                if key in self.listed:
                    gone.append({"Key": key})
                yield (place, name), size
        self.listed = listed
        arrivals.behind = behind
        for at in range(0, len(gone), 1000):
            s3.delete_objects(Bucket=BUCKET, Delete={"Objects": gone[at:at + 1000], "Quiet": True})

    def downloaded(self, arrivals):
        out, behind = pathlib.Path(self.scene.out), 0
        for path in out.rglob("*"):
            if path.name.endswith(".haul-part") or path.is_dir():
                continue
            place, name = str(path.relative_to(out)).split("/", 1)
            assert path.read_bytes() == self.bodies[name], f"{path} holds other bytes"
            behind += len(self.bodies[name])
            path.unlink()
            yield (place, name), len(self.bodies[name])
        arrivals.behind = behind

    # The job.

    def job(self, name, rounds):
        """Runs so many rounds to their end, and returns how many seconds that took."""
        places = [f"{name}-{n:04}" for n in range(rounds)]
        manifest = self.scene.manifest(
            *(t for p in places for t in (upload(f"{self.folder}/in/", f"up/{p}/"),
                                          download("src/", f"{self.scene.out}{p}/"))),
            name=name, part_size=PART, retries=10, patience="5m")
        arrivals = [Arrivals(self.uploaded), Arrivals(self.downloaded)]
        began = time.monotonic()
        until = began + 60 + 4 * 60 * self.minutes
        words, self.samples = ("run", manifest), []
        with open(self.folder / f"{name}.log", "a") as log:
            while True:
                end = began + (until - began)
                if self.kill:
                    end = min(until, time.monotonic() + self.chance.uniform(2, 30))
                process = self.haul.start(*words, env=self.env, stdout=log, stderr=log)
                code = self.watch(process, arrivals, began, end)
                if code is not None:
                    break
                process.kill()
                process.wait()
                assert end < until, f"{name} takes too long"
                self.kills += 1
                words = ("resume", name)
        took = time.monotonic() - began
        for a in arrivals:
            a.end()
        if code != 0:
            sys.exit(f"haul's exit code is {code}:\n" +
                     "".join(open(self.folder / f"{name}.log").readlines()[-20:]))
        self.check(name, places, arrivals)
        return took, arrivals

    def watch(self, process, arrivals, began, end):
        """Until it ends: its exit code; or until that moment: None."""
        while time.monotonic() < end:
            self.sample(process.pid, began)
            for a in arrivals:
                if a.wrong:
                    process.kill()
                    raise a.wrong
            if sum(a.behind for a in arrivals) > BEHIND_MAX:
                self.waits += 1
                process.send_signal(signal.SIGSTOP)
                while sum(a.behind for a in arrivals) > BEHIND_LOW:
                    time.sleep(0.05)
                process.send_signal(signal.SIGCONT)
            with contextlib.suppress(Exception):
                return process.wait(min(SAMPLE_S, max(0.01, end - time.monotonic())))
        return None

    def sample(self, pid, began):
        stats = self.endpoint.reset()
        for name in self.sums:
            self.sums[name] += stats[name]
        with contextlib.suppress(OSError, ValueError, IndexError):
            status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status"))
            [queue] = self.scene.queues()[-1:]
            wal = pathlib.Path(f"{queue}-wal")
            server = dict(line.split(":", 1)
                          for line in open(f"/proc/{self.endpoint.process.pid}/status"))
            self.samples.append({
                "at": time.monotonic() - began,
                "rss": int(status["VmRSS"].split()[0]), "hwm": int(status["VmHWM"].split()[0]),
                "fds": len(os.listdir(f"/proc/{pid}/fd")), "threads": int(status["Threads"]),
                "queue": queue.stat().st_size, "wal": wal.stat().st_size if wal.exists() else 0,
                "server": int(server["VmRSS"].split()[0]),
                "requests": stats["requests"], "moved": stats["bytes_in"] + stats["bytes_out"]})

    # What came of it.

    def check(self, name, places, arrivals):
        every = {(place, file) for place in places for file in self.bodies}
        for what, a in zip(("uploaded", "downloaded"), arrivals):
            assert a.seen == every, f"{len(every - a.seen)} are not {what}"
        assert self.scene.keys("up/") == [], "objects appear late"
        assert [p for p in pathlib.Path(self.scene.out).rglob("*") if p.is_file()] == []
        assert self.scene.uploads() == [], "uploads are left open"
        prefixes = {1 + n: f"{'down' if n % 2 else 'up'}/{places[n // 2]}/"
                    for n in range(2 * len(places))}
        sizes = {prefix + file: len(body) for prefix in prefixes.values()
                 for file, body in self.bodies.items()}
        assert_finished(self.haul, name, prefixes, sizes)

    def report(self, took, arrivals):
        """Prints the table, and returns what grew."""
        fifths = [[s for s in self.samples if n <= s["at"] * FIFTHS / took < n + 1]
                  for n in range(FIFTHS)]
        kib = lambda sample: sample / 1024
        rows = {"rss": ("VmRSS MiB", kib), "fds": ("descriptors", float),
                "threads": ("threads", float), "queue": ("queue MiB", lambda b: b / MIB),
                "wal": ("its log MiB", lambda b: b / MIB), "server": ("server MiB", kib)}
        print("\nmin/median/max of a fifth" + "".join(f"{f'{n + 1}/{FIFTHS}':>21}"
                                                      for n in range(FIFTHS)))
        for name, (title, unit) in rows.items():
            print(f"{title:24}", *(
                "{:7.1f}{:7.1f}{:7.1f}".format(*(unit(f([s[name] for s in fifth])) for f in
                                                 (min, statistics.median, max)))
                for fifth in fifths))
        for title, name, unit in ("requests a second", "requests", 1), ("MiB a second", "moved", MIB):
            print(f"{title:24}", *(f"{sum(s[name] for s in fifth) / unit / (took / FIFTHS):21.0f}"
                                   for fifth in fifths))
        print(f"VmHWM {max(s['hwm'] for s in self.samples) / 1024:.1f} MiB")
        print(f"{sum(len(a.seen) for a in arrivals):,} objects,"
              f" {sum(a.bytes for a in arrivals) / (1 << 30):.1f} GiB in {took:.0f} s,"
              f" {self.sums['requests']:,} requests, {self.sums['struck']:,} struck by faults"
              f" ({100 * self.sums['struck'] / self.sums['requests']:.2f} %), {self.kills} kills,"
              f" {self.waits} waits for whoever compares")
        grown = []
        for name, slack in SLACK.items():
            early, late = (statistics.median(s[name] for s in fifths[n]) for n in (1, FIFTHS - 1))
            if late > early + slack(early):
                grown.append(f"{rows[name][0]} grew: {rows[name][1](early):.1f} in the second"
                             f" fifth, {rows[name][1](late):.1f} in the last")
        if (most := max(s["wal"] for s in self.samples)) > WAL_MAX:
            grown.append(f"the queue's log grew to {most / MIB:.0f} MiB")
        return grown


def main():
    options = argparse.ArgumentParser(prog="tests/soak", description="A long run under faults.")
    options.add_argument("minutes", nargs="?", type=float, default=30)
    options.add_argument("--kill", action="store_true", help="SIGKILL and resume now and then")
    options.add_argument("--faults", type=float, default=1, metavar="PERCENT")
    options.add_argument("--seed", type=int, default=int(os.environ.get("HAUL_TEST_SEED") or 1))
    options = options.parse_args()
    if "TMPDIR" not in os.environ and os.access("/dev/shm", os.W_OK):
        tempfile.tempdir = "/dev/shm"
    folder = tempfile.mkdtemp(prefix="haul-soak-")
    print(f"{options.minutes:g} minutes, {options.faults:g} % faults, seed {options.seed},"
          f" {'with' if options.kill else 'without'} kills, in {folder}", flush=True)
    soak = Soak(folder, options.minutes, options.faults, options.seed, options.kill)
    try:
        rounds = 4
        took, _ = soak.job("first", rounds)
        rounds = min(TRANSFERS_MAX // 2, max(1, round(options.minutes * 60 * rounds / took)))
        print(f"{rounds} rounds of {2 * len(soak.bodies)} objects and"
              f" {2 * sum(map(len, soak.bodies.values())) / MIB:.0f} MiB follow", flush=True)
        took, arrivals = soak.job("soak", rounds)
        grown = soak.report(took, arrivals)
    finally:  # what is left of a failure: the queue and haul's words
        soak.endpoint.__exit__()
        for data in "in", "out":
            shutil.rmtree(f"{folder}/{data}", ignore_errors=True)
    shutil.rmtree(folder)
    print("\n".join(grown) or "flat, and everything is right")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
