"""Killed at each named step of the program (runner/step.h), again and again, and resumed: the
result is that of an undisturbed run, and what the queue had recorded is not moved again.
"""

import hashlib
import os
import pathlib
import re
import shutil
import signal
import time

import pytest

from endpoint import Endpoint
from queuefile import Recorded, assert_finished

RUNNER = pathlib.Path(__file__).resolve().parents[2] / "runner"
MIB = 1 << 20
FILES = {
    "in/empty": 0,
    "in/one byte": 1,
    "in/small": MIB,
    "in/three parts": 10 * MIB + 1,
    "in/deep/er/three": 12 * MIB,
    "alone": 17 * MIB,
}
PREFIXES = {1: "in/", 2: ""}  # of the keys of both transfers
JOB = """
version: 1
name: kill
endpoints:
  s3:
    url: {url}
    region: us-east-1
defaults:
  part_size: 5MiB
transfers:
"""
UPLOAD = JOB + """
  - upload: {folder}/in/
    to: s3://{bucket}/in/
  - upload: {folder}/alone
    to: s3://{bucket}/alone
"""
DOWNLOAD = JOB + """
  - download: s3://{bucket}/in/
    to: {folder}/in/
  - download: s3://{bucket}/alone
    to: {folder}/alone
"""

# A step -> its first passing, and later ones that every run comes to.
BOTH = {
    "plan.listed": (1, 2),
    "plan.committed": (1, 2),
    "journal.before_commit": (1, 2, 3, 4),
    "journal.after_commit": (1, 2, 3, 4),
}
UPLOADS = BOTH | {
    "upload.put": (1, 3),
    "upload.creating": (1, 3),
    "upload.created": (1, 3),
    "upload.moving": (1, 3),
    "upload.part": (1, 3, 7),
    "upload.completing": (1, 3),
    "upload.completed": (1, 3),
    "upload.resuming": (1,),
}
DOWNLOADS = BOTH | {
    "disk.synced": (1, 2),
    "disk.renamed": (1, 2),
    "download.temporary": (1, 4),
    "download.got": (1, 3),
    "download.moving": (1, 3),
    "download.range": (1, 3, 7),
    "download.durable": (1, 3),
    "download.publishing": (1, 3),
    "download.resuming": (1,),
}
# Passed only by a process that finds an object in motion: where its predecessor has to die.
BEFORE = {"upload.resuming": "upload.part:3", "download.resuming": "download.range:3"}

# Deaths that undo one another's repairs: each process dies at its own step.
UPLOAD_CHAINS = [
    ("upload.created", "upload.moving"),
    ("upload.created", "upload.created", "upload.moving", "upload.resuming"),
    ("upload.part:2", "upload.resuming", "upload.part", "upload.completing",
     "upload.completed"),
    ("upload.completed", "upload.completed", "journal.before_commit:2"),
    ("journal.after_commit:3", "journal.before_commit:2", "journal.after_commit:2"),
]
DOWNLOAD_CHAINS = [
    ("download.temporary", "download.moving", "download.resuming", "download.range"),
    ("download.range:4", "download.resuming", "download.range:2", "download.durable"),
    ("download.publishing", "disk.renamed", "journal.before_commit"),
    ("disk.renamed:2", "disk.synced:2", "download.durable:2", "download.publishing"),
    ("journal.after_commit:3", "journal.before_commit:2", "journal.after_commit:2"),
]


def cases(steps, chains):
    """Each passing of each step, then twice at its first if who resumes comes there; chains."""
    for name, passings in steps.items():
        for n in passings:
            yield [*([BEFORE[name]] if name in BEFORE else []), f"{name}:{n}", name, name]
    yield from map(list, chains)


def named(case):
    return " ".join(case)


def digest(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name, size in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.urandom(size))
    return folder


@pytest.fixture(scope="module")
def digests(files):
    return {name: digest((files / name).read_bytes()) for name in FILES}


@pytest.fixture(scope="module")
def store(files):
    """An endpoint that has all files in the bucket "filled"."""
    with Endpoint() as endpoint:
        endpoint.boto().create_bucket(Bucket="filled")
        for name in FILES:  # a connection each: botocore gets out of step after an empty body
            endpoint.boto().put_object(
                Bucket="filled", Key=name, Body=(files / name).read_bytes())
        yield endpoint


def die_again_and_again(haul, store, job, case, prefixes=PREFIXES, look=lambda: None):
    """Runs the job, each process killed at its step of `case`, then to its end. `look` is
    called after each death."""
    command, recorded = ("run", job), None
    for n, step in enumerate([*case, None]):
        store.reset()
        killed = {"HAUL_KILL_AT": step} if step else {}
        program = haul.steps if step else haul.program
        done = haul.run(*command, env=store.env | killed, program=program)
        while store.stats()["in_flight"] > 0:
            time.sleep(0.001)
        if recorded:
            again = [request for request in store.log() if recorded.has(request)]
            assert again == [], f"recorded before process {n} began, and sent again"
        if done.returncode == 0:  # later processes may have nothing left on which to die
            first = 2 if case[1].split(":")[0] in BEFORE else 1
            assert n >= first, f"{step} was not passed: {done.stderr}"
            return
        assert done.returncode == -signal.SIGKILL, done.stderr
        look()
        recorded = Recorded(haul, "kill", prefixes)
        command = ("resume",)


def test_every_step_of_the_program_is_died_at():
    there = {name for source in RUNNER.glob("*.c")
             for name in re.findall(r'\bstep\("([^"]*)"\)', source.read_text())}
    assert there == UPLOADS.keys() | DOWNLOADS.keys()


@pytest.mark.parametrize("case", cases(UPLOADS, UPLOAD_CHAINS), ids=named)
def test_an_upload_outlives_death_at(case, haul, store, files, digests):
    """Case 70."""
    s3, bucket = store.boto(), f"b-{digest(named(case).encode())[:16]}"
    s3.create_bucket(Bucket=bucket)
    job = haul.manifest(UPLOAD.format(url=store.url, folder=files, bucket=bucket))
    die_again_and_again(haul, store, job, case)
    listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    assert {key: digest(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            for key in listed} == digests
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert_finished(haul, "kill", PREFIXES, FILES)
    for key in listed:  # a gigabyte in all
        s3.delete_object(Bucket=bucket, Key=key)


@pytest.mark.parametrize("case", cases(DOWNLOADS, DOWNLOAD_CHAINS), ids=named)
def test_a_download_outlives_death_at(case, haul, store, digests, tmp_path):
    """Cases 28 and 70."""
    out = tmp_path / "out"

    def found():
        return {str(path.relative_to(out)): digest(path.read_bytes())
                for path in out.rglob("*") if path.is_file()}

    def only_whole_files():
        wrong = {name for name, sum in found().items()
                 if not name.endswith(".haul-part") and sum != digests[name]}
        assert wrong == set()

    job = haul.manifest(DOWNLOAD.format(url=store.url, folder=out, bucket="filled"))
    die_again_and_again(haul, store, job, case, look=only_whole_files)
    assert found() == digests
    assert_finished(haul, "kill", PREFIXES, FILES)
    shutil.rmtree(out)


def test_what_was_planned_before_death_is_not_planned_again(haul, store, tmp_path):
    """Case 39. Three batches of rows, and a listing of three pages."""
    sizes = {f"{n:04}": 1 for n in range(2500)}
    case = ["plan.committed:1", "plan.committed:1", "plan.listed"]
    (tmp_path / "in").mkdir()
    for name in sizes:
        (tmp_path / "in" / name).write_bytes(b"x")
    store.boto().create_bucket(Bucket="many")
    for name, transfer in [("in", "upload: {folder}/in/, to: 's3://many/'"),
                           ("out", "download: 's3://many/', to: {folder}/out/")]:
        haul.state = haul.home / name
        haul.env["XDG_STATE_HOME"] = str(haul.state)
        job = haul.manifest((JOB + "  - {{" + transfer + "}}").format(
            url=store.url, folder=tmp_path))
        die_again_and_again(haul, store, job, case, {1: ""})
        assert_finished(haul, "kill", {1: ""}, sizes)
    assert {path.name: path.stat().st_size for path in (tmp_path / "out").iterdir()} == sizes


@pytest.mark.parametrize("size, code", [(11 * MIB, 0), (MIB, 0), (None, 1)])
def test_an_upload_that_nobody_knows_of_is_aborted_though_its_file_has_changed(
        size, code, haul, store, tmp_path):
    """Case 1."""
    bucket, file = f"changed-to-{size}".lower(), tmp_path / "a file"
    s3 = store.boto()
    s3.create_bucket(Bucket=bucket)
    file.write_bytes(os.urandom(12 * MIB))
    job = haul.manifest((JOB + "  - {{upload: {file}, to: 's3://{bucket}/key'}}").format(
        url=store.url, file=file, bucket=bucket))
    killed = haul.run("run", job, env=store.env | {"HAUL_KILL_AT": "upload.created"},
                      program=haul.steps)
    assert killed.returncode == -signal.SIGKILL
    assert len(s3.list_multipart_uploads(Bucket=bucket)["Uploads"]) == 1
    file.unlink()
    if size:
        file.write_bytes(os.urandom(size))
    done = haul.run("resume", env=store.env)
    assert done.returncode == code, done.stderr
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    if size:
        assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == file.read_bytes()
