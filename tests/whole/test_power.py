"""Power that goes off at any moment: of what haul and SQLite wrote, renamed and removed only what
had been synced is left, and an arbitrary subset of the rest (power.py says how nasty the disk is).
Then no file has its final name without all of its bytes, the queue is whole and knows of
nothing that is not there, and `haul resume` comes to a right end.

One recorded run gives all cuts of a download; an upload is run anew for each, since the server
goes on from what it was told. HAUL_TEST_LONG=1 takes all cuts instead of a sample, and
HAUL_TEST_SEED repeats a run's choices.
"""

import contextlib
import itertools
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import tempfile
import time
import types

import power
import pytest
from endpoint import Endpoint
from queuefile import Recorded, assert_finished, assert_objects, digest
from scene import DOWNLOAD, JOB, PREFIXES, UPLOAD

LONG = os.environ.get("HAUL_TEST_LONG") == "1"
MIB = 1 << 20
FILES = {f"in/small {n}": n * 7000 for n in range(7)} | {
    "in/three parts": 11 * MIB,
    "in/deep/two parts": 5 * MIB + 1,
    "in/deep/er/small": 70_000,
    "alone": 6 * MIB,
}
DEEPER = DOWNLOAD.replace("{folder}/alone", "{folder}/new/er/alone")
MULTIPART = {key for key, size in FILES.items() if size > 5 * MIB}
LOCAL = {key: "out/" + key.replace("alone", "new/er/alone") for key in FILES}
KEYS = {path: key for key, path in LOCAL.items()}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name, size in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.urandom(size))
    return folder


@pytest.fixture(scope="module")
def store(files):
    """An endpoint that has all files in the bucket "filled"."""
    with Endpoint() as endpoint:
        endpoint.boto().create_bucket(Bucket="filled")
        for name in FILES:  # a connection each: botocore gets out of step after an empty body
            endpoint.boto().put_object(
                Bucket="filled", Key=name, Body=(files / name).read_bytes())
        yield endpoint


class Machine:
    """A machine whose power goes off: haul, and the disk with its queue and destination."""

    def __init__(self, haul, store, folder):
        self.haul, self.store = haul, store
        self.disk, self.held, self.log = folder / "disk", folder / "held", folder / "log"
        self.disk.mkdir()
        self.held.mkdir()
        haul.program, haul.state = os.environ["HAUL_PLAIN"], self.disk / "state"
        haul.env |= {
            "XDG_STATE_HOME": str(haul.state), "LD_PRELOAD": os.environ["HAUL_RECORD"],
            "RECORD_DISK": str(self.disk), "RECORD_HELD": str(self.held),
            "RECORD_LOG": str(self.log)}
        self.known = set()  # inodes that a cut to come may want
        self.cuts = self.resumes = 0

    def run(self, *command, kill=0, lie=False, exit_code=0):
        """Runs haul, killed at an operation or not. Returns what came of it, the disk before
        that, and what was done to the disk."""
        before = power.Disk(self.disk)
        self.log.unlink(missing_ok=True)
        self.store.reset()
        env = {"RECORD_KILL": str(kill)} if kill else {}
        env |= {"RECORD_LIE": "1"} if lie else {}
        done = self.haul.run(*command, env=self.store.env | env)
        self.store.settle()
        ops = power.read_log(self.log)
        assert done.returncode in {exit_code, -signal.SIGKILL if kill else exit_code}, done.stderr
        return done, before, ops

    def lay(self, left):
        power.lay(left, self.disk, self.held, self.known | {
            file.inode for file in left.values() if file})
        self.cuts += 1


def recorded_in(left):
    """What the queue holds that a loss of power left; None: there is none."""
    with tempfile.TemporaryDirectory() as folder:
        for path, file in left.items():
            if path.startswith("state/") and file:
                path = pathlib.Path(folder, path)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.data)
        state = pathlib.Path(folder, "state")
        if not list(state.glob("haul/job/*.db")):
            return None
        return Recorded(types.SimpleNamespace(state=state), "job", PREFIXES, durable=True)


class Downloads:
    """What must be true of a destination whenever the power went off."""

    def __init__(self, machine, files):
        self.haul, self.digests = machine.haul, {
            name: digest((files / name).read_bytes()) for name in FILES}
        s3 = machine.store.boto()
        self.modified = {name: int(s3.head_object(Bucket="filled", Key=name)["LastModified"]
                                   .timestamp()) for name in FILES}
        self.umask = os.umask(0)
        os.umask(self.umask)

    def look(self, left, queue):
        out = {path: file for path, file in left.items() if path.startswith("out") and file}
        assert queue or not out, "begun before the queue was durable"
        done = {key for key, state in queue.states.items() if state == "done"} if queue else set()
        named = {KEYS[path]: file for path, file in out.items()
                 if not path.endswith(".haul-part")}
        assert done <= named.keys(), "done, and not there"
        assert {key: file.digest() for key, file in named.items()} == {
            key: self.digests[key] for key in named}
        assert {key: (file.mode, (file.mtime_ns or 0) // 10**9) for key, file in named.items()} == {
            key: (0o666 & ~self.umask, self.modified[key]) for key in named}

    def look_at_the_end(self, machine):
        left = power.Disk(machine.disk).left(power.everything)
        assert {path for path, file in left.items()
                if path.startswith("out") and file} == KEYS.keys()
        self.look(left, recorded_in(left))


class Uploads:
    """What must be true of a bucket whenever the power went off."""

    def __init__(self, machine, files, bucket):
        self.s3, self.bucket = machine.store.boto(), bucket
        self.digests = {name: digest((files / name).read_bytes()) for name in FILES}

    def stored(self):
        listed = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {entry["Key"]: digest(
            self.s3.get_object(Bucket=self.bucket, Key=entry["Key"])["Body"].read())
            for entry in listed}

    def look(self, left, queue):
        """Nothing is on the server of which the queue might not know what it is."""
        stored = self.stored()
        uploads = self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
        assert queue or not stored and not uploads, "begun before the queue was durable"
        states = queue.states if queue else {}
        assert stored == {key: self.digests[key] for key in stored}
        assert {key for key, state in states.items() if state == "done"} <= stored.keys()
        assert {states.get(key) for key in stored.keys() & MULTIPART} <= {"completing", "done"}
        for upload in uploads:
            key, upload_id = upload["Key"], upload["UploadId"]
            parts = self.s3.list_parts(Bucket=self.bucket, Key=key, UploadId=upload_id)
            assert states.get(key) in {"creating", "moving", "completing"}
            assert upload_id in queue.upload_ids or "Parts" not in parts

    def look_at_the_end(self, machine):
        assert_objects(self.s3, self.bucket, self.digests)


def come_back(machine, job, left, oracle, chance, again):
    """Power comes back and haul resumes, losing it once more if `again`."""
    queue = recorded_in(left)
    oracle.look(left, queue)
    machine.lay(left)
    if not (queue and queue.finished):
        machine.resumes += 1
        command = ("resume",) if queue else ("run", job)
        done, disk, ops = machine.run(*command, kill=chance.randint(1, 150) if again else 0)
        sent_again = [entry for entry in machine.store.log() if queue and queue.has(entry)]
        assert sent_again == []
        if done.returncode != 0:
            for op in ops:
                disk.do(op)
            left = disk.left(power.some(chance))
            come_back(machine, job, left, oracle, chance, False)
            return
    oracle.look_at_the_end(machine)
    assert_finished(machine.haul, "job", PREFIXES, FILES)


POLICIES = [
    lambda chance: power.nothing,
    lambda chance: power.everything,
    lambda chance: power.only("state"),  # the queue is ahead of its files
    lambda chance: power.only("out"),  # and behind them
    power.some, power.some, power.some, power.some,
]


@pytest.fixture
def machine(haul, store, tmp_path):
    machine = Machine(haul, store, tmp_path)
    yield machine
    shutil.rmtree(machine.disk)
    shutil.rmtree(machine.held)


def recorded_download(machine, **options):
    """The manifest, the disk before it was run, and what was done to that."""
    job = machine.haul.manifest(DEEPER.format(
        url=machine.store.url, folder=machine.disk / "out", bucket="filled"))
    return job, *machine.run("run", job, **options)[1:]


def test_a_disk_that_syncs_nothing_is_found_out(machine, files):
    """What these tests are worth."""
    _, disk, ops = recorded_download(machine, lie=True)
    for op in ops:
        disk.do(op)
    left = disk.left(power.only("state"))
    with pytest.raises(AssertionError, match="done, and not there"):
        Downloads(machine, files).look(left, recorded_in(left))


def test_the_recorder_misses_nothing(machine):
    """What it wrote down leads to the disk as it is."""
    _, disk, ops = recorded_download(machine)
    for op in ops:
        disk.do(op)
    left = disk.left(power.everything)
    assert {path: file and (file.inode, bytes(file.data), file.mode)
            for path, file in left.items()} == power.seen(machine.disk)


def test_who_only_looks_may_be_the_first_after_the_power_came_back(machine):
    """SQLite has to undo what it was about to write when it left its log."""
    _, disk, ops = recorded_download(machine)
    machine.known = {op[1] for op in ops}
    looks = []
    for op in ops:
        if op[0] == "unlink" and op[3].endswith(".db-journal"):
            machine.lay(disk.left(power.everything))
            status = json.loads(machine.haul.run("status", "job", "--json").stdout)
            looks.append(status["done"])
        disk.do(op)
    assert looks == [len(FILES)]


def test_the_temporary_file_of_what_failed_does_not_come_back(machine):
    machine.store.fault("GetObject key=in/ always status=404 code=NoSuchKey")
    _, disk, ops = recorded_download(machine, exit_code=1)
    machine.store.clear()
    for op in [*ops, None]:
        if op is None or op[0] != "write":
            left = disk.left(power.only("state"))
            queue = recorded_in(left)
            failed = {os.path.basename(key) for key, state in queue.states.items()
                      if state == "failed"} if queue else set()
            assert {name for name in failed for path in left
                    if os.path.basename(path).startswith(f".{name}.")} == set()
        if op:
            disk.do(op)
    assert len(failed) == len(FILES) - 1


def test_what_was_synced_on_the_way_is_trusted(machine):
    """Of 256 MiB and a little more, while that little is still to come."""
    body = os.urandom(MIB) * 256 + b"the end"
    s3, disk = machine.store.boto(), power.Disk(machine.disk)
    s3.put_object(Bucket="filled", Key="in/huge", Body=body)
    machine.store.fault(f"GetObject range={256 * MIB} always gate=end")
    job = machine.haul.manifest(
        JOB.format(url=machine.store.url).replace("5MiB", "128MiB") +
        f"  - {{download: s3://filled/in/huge, to: {machine.disk}/out/huge}}")
    process = machine.haul.start("run", job, env=machine.store.env)
    machine.store.wait_at("end")
    [queue] = machine.haul.state.glob("haul/job/*.db")
    with contextlib.closing(sqlite3.connect(queue)) as db:
        while not db.execute("SELECT 1 FROM part WHERE state = 'synced'").fetchone():
            time.sleep(0.01)
    process.kill()
    process.communicate()
    machine.store.clear()
    for op in power.read_log(machine.log):
        disk.do(op)
    left = disk.left(power.only("state"))
    queue = recorded_in(left)
    assert any(map(queue.has, machine.store.log()))
    machine.lay(left)
    machine.run("resume")
    assert [entry for entry in machine.store.log() if queue.has(entry)] == []
    assert (machine.disk / "out/huge").read_bytes() == body
    s3.delete_object(Bucket="filled", Key="in/huge")


def test_a_download_outlives_a_loss_of_power_at_any_moment(
        machine, files, chance, capsys):
    """Cases 63 and 70."""
    job, disk, ops = recorded_download(machine)
    oracle = Downloads(machine, files)
    chosen = set(range(len(ops) + 1) if LONG else chance.sample(range(len(ops) + 1), 60))
    policies, looks = itertools.cycle(POLICIES), 0
    machine.known = {op[1] for op in ops}
    for n, op in enumerate([*ops, None]):
        for policy in POLICIES[:5] if op is None or op[0] != "write" else []:
            left = disk.left(policy(chance))
            oracle.look(left, recorded_in(left))
            looks += 1
        if n in chosen:
            left = disk.left(next(policies)(chance))
            come_back(machine, job, left, oracle, chance, chance.random() < 0.3)
        if op and op[0] == "rename" and op[3] in KEYS:
            assert disk.files[op[1]].pending == [], "published before it was synced"
        if op:
            disk.do(op)
    with capsys.disabled():
        print(f"{len(ops)} operations, {looks} disks looked at, {machine.cuts} laid,"
              f" {machine.resumes} resumed from")


def test_an_upload_outlives_a_loss_of_power_at_any_moment(machine, files, chance, capsys):
    """Case 70."""
    s3, policies = machine.store.boto(), itertools.cycle(POLICIES)

    def lose_power(kill, bucket):
        """Runs a job until that operation, and on. Returns how many operations it did."""
        s3.create_bucket(Bucket=bucket)
        job = machine.haul.manifest(UPLOAD.format(
            url=machine.store.url, folder=files, bucket=bucket))
        _, disk, ops = machine.run("run", job, kill=kill)
        for op in ops:
            disk.do(op)
        left = disk.left(next(policies)(chance))
        oracle = Uploads(machine, files, bucket)
        come_back(machine, job, left, oracle, chance, chance.random() < 0.3)
        for key in FILES:  # gigabytes in all
            s3.delete_object(Bucket=bucket, Key=key)
        power.lay({}, machine.disk, machine.held, set())
        return len(ops)

    count = lose_power(0, "power-0")
    kills = [*range(1, count)] * 4 if LONG else chance.sample(range(1, count), 40)
    for n, kill in enumerate(kills, 1):
        lose_power(kill, f"power-{n}")
    with capsys.disabled():
        print(f"{count} operations, {machine.cuts} disks laid, {machine.resumes} resumed from")
