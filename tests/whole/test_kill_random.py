"""kill -9 at random moments, against a real server at least 30 times a direction, against the
scripted endpoint 75 times (HAUL_TEST_LONG: 750) with small files and as often with parts: the
result is that of an undisturbed run, and of the bytes only those that were in flight are moved
again. Who resumes is killed as well. HAUL_TEST_SEED repeats a run's choices.
"""

import contextlib
import os
import shutil
import signal
import threading
import time

import pytest

from proxy import Proxy
from queuefile import (
    Recorded, assert_files, assert_finished, assert_objects, assert_only_whole, digest,
    latest_queue)

MIB = 1 << 20
CONCURRENCY = 4
MIXES = {
    "mixed": {f"small {n}": n * 40_000 for n in range(8)} | {
        "deep/3 parts": 12 * MIB,
        "deep/er/2 parts": 7 * MIB + 1,
        "one part": 5 * MIB,
        "4 parts": 16 * MIB + 12345,
    },
    "small": {f"{n % 7}/small {n}": n * 997 for n in range(40)},
    "parts": {"deep/3 parts": 10 * MIB + 1, "deep/er/2 parts": 5 * MIB + 1, "2 parts": 10 * MIB},
}
TIMES = 10 if os.environ.get("HAUL_TEST_LONG") else 1
# A server, what is moved, kills, and bytes a second, so that a job lasts long enough for them.
PLACES = [("ceph", "mixed", 30, 48 * MIB), ("endpoint", "small", 75 * TIMES, 1024 * MIB),
          ("endpoint", "parts", 75 * TIMES, 1024 * MIB)]
# The moment of a kill: so much has passed, so many commits, so much time; or none comes.
START_S = 0.02  # to load the program, to read the manifest, to make the queue
WAYS = ["bytes", "bytes", "requests", "replies", "commits", "time", "time", "never"]
JOB = f"""
version: 1
name: {{job}}
endpoints:
  store:
    url: {{url}}
    region: us-east-1
    addressing: path
defaults:
  part_size: 5MiB
  concurrency: {CONCURRENCY}
transfers:
"""
UPLOAD = JOB + "  - {{upload: {folder}/, to: 'store://{bucket}/{prefix}'}}\n"
DOWNLOAD = JOB + "  - {{download: 'store://{bucket}/{prefix}', to: {folder}/}}\n"


class Place:
    """A server, its proxy and a bucket; files to move and what is known of them."""

    def __init__(self, server, bucket, proxy, mix, kills, folder):
        self.server, self.bucket, self.proxy, self.kills = server, bucket, proxy, kills
        self.s3, self.sizes, self.folder = server.boto(), MIXES[mix], folder
        self.total = sum(self.sizes.values())
        self.digests = {}
        for name, size in self.sizes.items():
            body = os.urandom(size)
            self.digests[name] = digest(body)
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(body)

    def job(self, text, **words):
        return text.format(url=self.proxy.url, bucket=self.bucket, **words)


@pytest.fixture(params=PLACES, ids=lambda place: f"{place[0]}-{place[1]}")
def place(request, tmp_path):
    name, mix, kills, rate = request.param
    server = request.getfixturevalue(name)
    if name == "ceph":
        bucket = request.getfixturevalue("bucket")
    else:
        bucket = "bucket"
        server.boto().create_bucket(Bucket=bucket)
    with Proxy(server.url, rate) as proxy:
        yield Place(server, bucket, proxy, mix, kills, tmp_path / "in")


class Account:
    """What kills cost. `moves`: how many bytes of objects a request moved. `is_found`: would
    haul find what that answered request did, although the queue does not have it?"""

    def __init__(self, place, moves, is_found):
        self.place, self.moves, self.is_found = place, moves, is_found
        self.kills = self.early = self.late = self.jobs = 0
        self.moved = self.unanswered = self.unrecorded = 0
        self.lasts_s = 0.2  # who is not killed

    def add(self, requests):
        self.moved += sum(map(self.moves, requests))

    def add_kill(self, requests, recorded):
        lost = [r for r in requests if self.moves(r) and not recorded.has(r)]
        unanswered = [r for r in lost if r["open"]]
        assert len(unanswered) <= CONCURRENCY
        self.unanswered += sum(map(self.moves, unanswered))
        self.unrecorded += sum(
            self.moves(r) for r in lost if not r["open"] and not self.is_found(r))

    def settle(self, capsys):
        again, in_flight = self.moved - self.jobs * self.place.total, (
            self.unanswered + self.unrecorded)
        with capsys.disabled():
            print(f"\n{self.kills} kills ({self.early} before there was a queue, {self.late} after"
                  f" the end), {self.jobs} jobs of {self.place.total:,} bytes: {again:,} bytes"
                  f" moved again / {in_flight:,} in flight ({self.unanswered:,} unanswered,"
                  f" {self.unrecorded:,} not recorded) = {again / max(in_flight, 1):.2f}")
        assert 0 <= again <= in_flight


@contextlib.contextmanager
def killing(way, process, account, chance, left):
    """Sees to it that the process is killed, or not. `left`: so many objects are due."""
    place = account.place
    if way == "time":
        end = chance.choice([START_S, account.lasts_s])
        timer = threading.Timer(chance.uniform(0, end), place.proxy.spring, [process.kill])
        timer.start()
        yield
        timer.cancel()
        timer.join()
        return
    most = {"bytes": 1 + place.total * left // len(place.sizes) // 3,
            "requests": left + 6, "replies": left + 6}
    if way in most:
        place.proxy.arm(way, chance.randint(1, most[way]), process.kill)
    yield


def run_once(haul, command, account, chance, left):
    """A process, which may be killed. Returns its exit code, and its requests."""
    way, env = chance.choice(WAYS), account.place.server.env
    program = {"commits": haul.steps, "never": haul.program}.get(way, os.environ["HAUL_PLAIN"])
    if way == "commits":
        side, n = chance.choice(["before", "after"]), chance.randint(1, 5)
        env = env | {"HAUL_KILL_AT": f"journal.{side}_commit:{n}"}
    began = time.monotonic()
    process = haul.start(*command, env=env, program=program)
    with killing(way, process, account, chance, left):
        _, err = process.communicate()
    account.place.proxy.drain()
    assert process.returncode in (0, -signal.SIGKILL), err
    if process.returncode == 0:
        account.lasts_s = time.monotonic() - began
    return process.returncode, account.place.proxy.take()


def run_killed(haul, job, text, prefix, account, chance, look=lambda: None):
    """Runs a job to its end, killed at moments that `chance` draws. `look` is called after
    each death."""
    manifest, recorded, left = haul.manifest(text), None, len(account.place.sizes)
    account.jobs += 1
    while True:
        command = chance.choice([("run", manifest), ("resume", job)])
        code, requests = run_once(
            haul, command if recorded else ("run", manifest), account, chance, left)
        account.add(requests)
        if recorded:
            assert [request for request in requests if recorded.has(request)] == []
        if code == 0:
            return
        account.kills += 1
        look()
        if latest_queue(haul, job) is None:
            account.early += 1
            continue
        recorded = Recorded(haul, job, {1: prefix})
        account.add_kill(requests, recorded)
        left = len(account.place.sizes) - list(recorded.states.values()).count("done")
        if recorded.finished:
            account.late += 1
            return


def test_uploads_outlive_kills_at_any_moment(haul, place, chance, capsys):
    """Case 70."""
    account = Account(
        place,
        moves=lambda r: r["sent"] if r["method"] == "PUT" else 0,
        is_found=lambda r: r["upload_id"])  # by ListParts
    while account.kills < place.kills:
        job, prefix = f"job-{account.jobs}", f"job-{account.jobs}/"
        text = place.job(UPLOAD, job=job, folder=place.folder, prefix=prefix)
        run_killed(haul, job, text, prefix, account, chance)
        assert_objects(place.s3, place.bucket, place.digests, prefix)
        assert_finished(haul, job, {1: ""}, place.sizes)
    account.settle(capsys)


def test_downloads_outlive_kills_at_any_moment(haul, place, tmp_path, chance, capsys):
    """Case 70."""
    account = Account(
        place,
        moves=lambda r: r["received"] if r["method"] == "GET" and r["key"] else 0,
        is_found=lambda r: False)
    for name in place.sizes:  # a connection each: botocore gets out of step after an empty body
        place.server.boto().put_object(
            Bucket=place.bucket, Key=name, Body=(place.folder / name).read_bytes())
    while account.kills < place.kills:
        job, out = f"job-{account.jobs}", tmp_path / f"out-{account.jobs}"
        text = place.job(DOWNLOAD, job=job, folder=out, prefix="")
        run_killed(haul, job, text, "", account, chance,
                   lambda: assert_only_whole(out, place.digests))
        assert_files(out, place.digests)
        assert_finished(haul, job, {1: ""}, place.sizes)
        shutil.rmtree(out)
    account.settle(capsys)
