"""kill -9 at random moments against a real server, at least 30 times a direction: the result is
that of an undisturbed run, and of the bytes only those that were in flight are moved again.
HAUL_TEST_SEED repeats a run's choices.
"""

import hashlib
import os
import random
import shutil
import signal

import pytest

from proxy import Proxy
from queuefile import Recorded, assert_finished

KILLS = 30
MIB = 1 << 20
RATE = 48 * MIB  # a second: a job lasts long enough to be killed in
CONCURRENCY = 4
FILES = {f"small {n}": n * 40_000 for n in range(8)} | {
    "deep/3 parts": 12 * MIB,
    "deep/er/2 parts": 7 * MIB + 1,
    "one part": 5 * MIB,
    "4 parts": 16 * MIB + 12345,
}
TOTAL = sum(FILES.values())
JOB = f"""
version: 1
name: {{job}}
endpoints:
  ceph:
    url: {{url}}
    region: us-east-1
    addressing: path
defaults:
  part_size: 5MiB
  concurrency: {CONCURRENCY}
transfers:
"""
UPLOAD = JOB + "  - {{upload: {folder}/, to: 'ceph://{bucket}/{prefix}'}}\n"
DOWNLOAD = JOB + "  - {{download: 'ceph://{bucket}/{prefix}', to: {folder}/}}\n"


def digest(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def files(tmp_path):
    for name, size in FILES.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
    return tmp_path / "in"


@pytest.fixture
def digests(files):
    return {name: digest((files / name).read_bytes()) for name in FILES}


@pytest.fixture
def proxy(ceph):
    with Proxy(ceph.url, RATE) as proxy:
        yield proxy


class Account:
    """What kills cost. `moves`: how many bytes of objects a request moved. `is_found`: would
    haul find what that answered request did, although the queue does not have it?"""

    def __init__(self, moves, is_found):
        self.moves, self.is_found = moves, is_found
        self.kills = self.jobs = self.moved = self.unanswered = self.unrecorded = 0

    def add(self, requests):
        self.moved += sum(map(self.moves, requests))

    def add_kill(self, requests, recorded):
        self.kills += 1
        lost = [r for r in requests if self.moves(r) and not recorded.has(r)]
        unanswered = [r for r in lost if r["open"]]
        assert len(unanswered) <= CONCURRENCY
        self.unanswered += sum(map(self.moves, unanswered))
        self.unrecorded += sum(
            self.moves(r) for r in lost if not r["open"] and not self.is_found(r))

    def settle(self, capsys):
        again, in_flight = self.moved - self.jobs * TOTAL, self.unanswered + self.unrecorded
        with capsys.disabled():
            print(f"\n{self.kills} kills, {self.jobs} jobs of {TOTAL:,} bytes: {again:,} bytes"
                  f" moved again / {in_flight:,} in flight ({self.unanswered:,} unanswered,"
                  f" {self.unrecorded:,} not recorded) = {again / in_flight:.2f}")
        assert 0 <= again <= in_flight


def run_killed(haul, proxy, env, job, text, prefixes, chance, account, look=lambda: None):
    """Runs a job to its end, killed at moments that `chance` draws. `look` is called after
    each death."""
    command, recorded = ("run", haul.manifest(text)), None
    account.jobs += 1
    while True:
        process = haul.start(*command, env=env)
        what = chance.choice(["bytes", "bytes", "requests", "replies"])
        proxy.arm(what, chance.randint(1, TOTAL // 4 if what == "bytes" else 12), process.kill)
        _, err = process.communicate()
        proxy.drain()
        requests = proxy.take()
        account.add(requests)
        if recorded:
            assert [request for request in requests if recorded.has(request)] == []
        if process.returncode == 0:
            return
        assert process.returncode == -signal.SIGKILL, err
        recorded = Recorded(haul, job, prefixes)
        account.add_kill(requests, recorded)
        look()
        command = ("resume", job)


@pytest.fixture
def chance(capsys):
    seed = int(os.environ.get("HAUL_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
    with capsys.disabled():
        print(f"\nHAUL_TEST_SEED={seed}")
    return random.Random(seed)


def test_uploads_outlive_kills_at_any_moment(
        haul, ceph, proxy, bucket, files, digests, chance, capsys):
    """Case 70."""
    s3, account = ceph.boto(), Account(
        moves=lambda r: r["sent"] if r["method"] == "PUT" else 0,
        is_found=lambda r: r["upload_id"])  # by ListParts
    while account.kills < KILLS:
        job, prefix = f"job-{account.jobs}", f"job-{account.jobs}/"
        text = UPLOAD.format(
            job=job, url=proxy.url, folder=files, bucket=bucket, prefix=prefix)
        run_killed(haul, proxy, ceph.env, job, text, {1: prefix}, chance, account)
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
        assert {key.removeprefix(prefix):
                digest(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
                for key in (entry["Key"] for entry in listed)} == digests
        assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
        assert_finished(haul, job, {1: ""}, FILES)
    account.settle(capsys)


def test_downloads_outlive_kills_at_any_moment(
        haul, ceph, proxy, bucket, files, digests, tmp_path, chance, capsys):
    """Case 70."""
    account = Account(
        moves=lambda r: r["received"] if r["method"] == "GET" and r["key"] else 0,
        is_found=lambda r: False)
    for name in FILES:
        ceph.boto().upload_file(str(files / name), bucket, name)

    while account.kills < KILLS:
        job, out = f"job-{account.jobs}", tmp_path / f"out-{account.jobs}"

        def found():
            return {str(path.relative_to(out)): digest(path.read_bytes())
                    for path in out.rglob("*") if path.is_file()}

        def only_whole_files():
            assert {name for name, sum in found().items()
                    if not name.endswith(".haul-part") and sum != digests[name]} == set()

        text = DOWNLOAD.format(job=job, url=proxy.url, folder=out, bucket=bucket, prefix="")
        run_killed(haul, proxy, ceph.env, job, text, {1: ""}, chance, account, only_whole_files)
        assert found() == digests
        assert_finished(haul, job, {1: ""}, FILES)
        shutil.rmtree(out)
    account.settle(capsys)
