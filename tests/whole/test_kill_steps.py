"""Killed at each named step of the program (runner/step.h), again and again, and resumed: the
result is that of an undisturbed run, and what the queue had recorded is not moved again.
"""

import fcntl
import os
import pathlib
import re
import shutil
import signal

import pytest

from endpoint import Endpoint
from queuefile import (
    SOME_FAILED, Recorded, assert_end, assert_files, assert_finished, assert_objects,
    assert_only_whole, digest, latest_queue, make_old)
from scene import DOWNLOAD, JOB, PREFIXES, UPLOAD

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

# A step -> its first passing, and later ones that every run comes to.
BOTH = {
    "queue.drafting": (1,),
    "queue.drafted": (1,),
    "queue.made": (1,),
    "run.started": (1,),
    "run.connected": (1,),
    "run.ending": (1,),
    "run.ended": (1,),
    "run.sealed": (1,),
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
    "upload.proving": (1,),
    "upload.proved": (1,),
    "upload.resuming": (1,),
    "upload.sweeping": (1,),
    "upload.orphan_aborted": (1,),
}
DOWNLOADS = BOTH | {
    "disk.synced": (1, 2),
    "disk.published": (1, 3),
    "disk.renamed": (1, 2),
    "disk.settled": (1, 2),
    "download.temporary": (1, 4),
    "download.got": (1, 3),
    "download.moving": (1, 3),
    "download.range": (1, 3, 7),
    "download.synced": (1, 2),
    "download.durable": (1, 3),
    "download.publishing": (1, 3),
    "download.resuming": (1,),
    "download.rechecked": (1,),
}
# Passed only by a process that finds an object in motion: where its predecessor has to die.
BEFORE = {
    "upload.proving": "upload.completed",
    "upload.proved": "upload.completed",
    "upload.resuming": "upload.part:3",
    "upload.sweeping": "upload.created",
    "upload.orphan_aborted": "upload.created",
    "download.resuming": "download.range:3",
    "download.rechecked": "download.range:3",
}

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


def die_again_and_again(haul, store, job, case, prefixes=PREFIXES, look=lambda n: None,
                        is_lost=lambda request: False, code=0):
    """Runs the job, by `haul run` and `haul resume` in turn, each process killed at its step of
    `case`, then to its end. `look` is called after the nth death (from 0). What `is_lost` may be
    moved again. Returns how many have died."""
    recorded = None
    for n, step in enumerate([*case, None]):
        store.reset()
        command = ("resume",) if n % 2 and latest_queue(haul) else ("run", job)
        killed = {"HAUL_KILL_AT": step} if step else {}
        program = haul.steps if step else haul.program
        done = haul.run(*command, env=store.env | killed, program=program)
        store.settle()
        if recorded:
            again = [r for r in store.log() if recorded.has(r) and not is_lost(r)]
            assert again == [], f"recorded before process {n} began, and sent again"
        if done.returncode != -signal.SIGKILL:
            assert done.returncode == code, done.stderr
            break
        look(n)
        if latest_queue(haul):
            recorded = Recorded(haul, "job", prefixes)
            if recorded.finished:
                return n + 1
    first = 2 if case[1].split(":")[0] in BEFORE else 1
    assert n >= first, f"{case[n]} was not passed: {done.stderr}"
    return n


def test_every_step_of_the_program_is_died_at():
    there = {name for source in RUNNER.glob("*.c")
             for name in re.findall(r'\bstep\("([^"]*)"\)', source.read_text())}
    assert there == UPLOADS.keys() | DOWNLOADS.keys() | TROUBLED


@pytest.mark.parametrize("case", cases(UPLOADS, UPLOAD_CHAINS), ids=named)
def test_an_upload_outlives_death_at(case, haul, store, files, digests):
    """Cases 1 and 70."""
    s3, bucket = store.boto(), f"b-{digest(named(case).encode())[:16]}"
    s3.create_bucket(Bucket=bucket)
    job = haul.manifest(UPLOAD.format(url=store.url, folder=files, bucket=bucket))
    die_again_and_again(haul, store, job, case)
    assert_objects(s3, bucket, digests)
    assert_finished(haul, "job", PREFIXES, FILES)
    for key in FILES:  # a gigabyte in all
        s3.delete_object(Bucket=bucket, Key=key)


@pytest.mark.parametrize("case", cases(DOWNLOADS, DOWNLOAD_CHAINS), ids=named)
def test_a_download_outlives_death_at(case, haul, store, digests, tmp_path):
    """Cases 28 and 70."""
    out = tmp_path / "out"
    job = haul.manifest(DOWNLOAD.format(url=store.url, folder=out, bucket="filled"))
    die_again_and_again(haul, store, job, case, look=lambda _: assert_only_whole(out, digests))
    assert_files(out, digests)
    assert_finished(haul, "job", PREFIXES, FILES)
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
        assert_finished(haul, "job", {1: ""}, sizes)
    assert {path.name: path.stat().st_size for path in (tmp_path / "out").iterdir()} == sizes


def test_what_a_dead_process_left_of_a_new_queue_is_removed_but_not_a_living_ones(haul, store):
    job = haul.manifest((JOB + "  - {{download: 's3://filled/alone', to: {folder}/}}").format(
        url=store.url, folder=haul.home))
    folder = haul.state / "haul/job"
    folder.mkdir(parents=True)
    (folder / "20260131T235959Z-1f2e.db.new").write_bytes(b"a draft")
    with open(folder / "20260131T235959Z-1f2e.db.lock", "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        assert haul.run("run", job, env=store.env).returncode == 0
        assert len(list(folder.glob("20260131T235959Z-1f2e.*"))) == 2
    assert haul.run("run", job, env=store.env).returncode == 0
    assert list(folder.glob("20260131T235959Z-1f2e.*")) == []
    assert len(list(folder.glob("*.db"))) == 2


# ---- What changes between two deaths ----

ONE = JOB + "  - {{{transfer}}}\n"
TROUBLED = {"upload.aborting", "upload.aborted", "upload.parts_lost", "download.discarded",
            "download.identified", "queue.upgrading"}


def one_after_another(haul, store, job, before, after, change, **how):
    """Dies at all steps of `before` and of `after`, and in between there is a change."""
    def look(n):
        if n == len(before) - 1:
            change()

    case = [*before, *after]
    deaths = die_again_and_again(haul, store, job, case, {1: ""}, look=look, **how)
    assert deaths == len(case), f"{case[deaths]} was not passed"


@pytest.mark.parametrize("size", [11 * MIB, MIB, None])
@pytest.mark.parametrize("before, after", [
    (["upload.created"], ["upload.sweeping", "upload.orphan_aborted"]),
    (["upload.created", "upload.moving"],
     ["upload.sweeping", "upload.orphan_aborted", "upload.aborting", "upload.aborted"]),
    (["upload.part:2"], ["upload.aborting", "upload.aborted"]),
])
def test_an_upload_whose_file_has_changed_since_a_death_is_aborted(
        before, after, size, haul, store, tmp_path):
    """Cases 1, 15 and 70."""
    bucket, file = f"b-{digest(f'{before} {size}'.encode())[:16]}", tmp_path / "a file"
    s3 = store.boto()
    s3.create_bucket(Bucket=bucket)
    file.write_bytes(os.urandom(12 * MIB))

    def change():
        file.unlink()
        if size:
            file.write_bytes(os.urandom(size))

    ends = ["journal.before_commit", "journal.after_commit"]
    job = haul.manifest(ONE.format(
        url=store.url, transfer=f"upload: {file}, to: 's3://{bucket}/key'"))
    code = 0 if size else SOME_FAILED
    one_after_another(haul, store, job, before, [*after, *ends], change, code=code)
    assert_objects(s3, bucket, {"key": file.read_bytes()} if size else {})
    assert_end(haul, code, failed=[] if size else ["a file"])


def test_a_part_that_was_lost_is_sent_again_whoever_dies(haul, store, tmp_path):
    """Cases 12 and 70. Somebody has put another part in its place."""
    s3, file = store.boto(), tmp_path / "a file"
    s3.create_bucket(Bucket="lost")
    file.write_bytes(os.urandom(12 * MIB))

    def change():
        [upload] = s3.list_multipart_uploads(Bucket="lost")["Uploads"]
        s3.upload_part(Bucket="lost", Key="key", UploadId=upload["UploadId"], PartNumber=2,
                       Body=bytes(5 * MIB))

    job = haul.manifest(ONE.format(url=store.url, transfer=f"upload: {file}, to: 's3://lost/key'"))
    after = ["upload.parts_lost", "upload.parts_lost", "upload.resuming", "upload.resuming",
             "upload.part", "upload.completing", "upload.completed"]
    one_after_another(haul, store, job, ["upload.completing"], after, change,
                      is_lost=lambda request: request["part"] == 2)
    assert_objects(s3, "lost", {"key": file.read_bytes()})
    assert_end(haul)


def test_a_download_begins_again_whoever_dies_when_its_object_was_replaced(
        haul, store, tmp_path):
    """Cases 21 and 70."""
    s3, out, bodies = store.boto(), tmp_path / "out", [os.urandom(12 * MIB), os.urandom(11 * MIB)]
    s3.create_bucket(Bucket="replaced")

    def change():
        s3.put_object(Bucket="replaced", Key="key", Body=bodies.pop(0))

    change()
    job = haul.manifest(ONE.format(
        url=store.url, transfer=f"download: 's3://replaced/key', to: {out}/key"))
    after = ["download.discarded", "download.discarded", "download.identified",
             "download.identified", "journal.after_commit", "download.temporary",
             "download.range", "download.durable", "download.publishing", "disk.renamed"]
    expected = {"key": bodies[0]}
    one_after_another(haul, store, job, ["download.range:3"], after, change,
                      is_lost=lambda request: True)
    assert_files(out, expected)
    assert_end(haul)


def test_a_queue_of_an_older_haul_is_upgraded_whoever_dies(haul, store, tmp_path):
    s3, file = store.boto(), tmp_path / "a file"
    s3.create_bucket(Bucket="older")
    file.write_bytes(os.urandom(12 * MIB))

    def change():
        make_old(latest_queue(haul))

    job = haul.manifest(ONE.format(
        url=store.url, transfer=f"upload: {file}, to: 's3://older/key'"))
    one_after_another(haul, store, job, ["upload.part:2"],
                      ["queue.upgrading", "queue.upgrading", "upload.completing"], change)
    assert_objects(s3, "older", {"key": file.read_bytes()})
    assert_end(haul)
