"""Queue files as bad disks, bad copies and strangers leave them: bits flipped, cut off, pages of
zeros, and values that no haul writes. A right end, or a refusal (exit code 4) that names the file
and leaves it as it is; never a crash, never a wrong byte under a final name. HAUL_TEST_SEED repeats
a run's damages; HAUL_TEST_LONG=1 makes many more.
"""

import collections
import contextlib
import os
import shutil
import sqlite3
import time

import pytest
from queuefile import DONE, PAUSED, QUEUE, SOME_FAILED, USAGE
from scene import PART, download, tree, upload

COUNT = 300 if os.environ.get("HAUL_TEST_LONG") else 12
FILES = {"large": 2 * PART + 1, "small": 9, "sub/empty": 0, "sub/tiny": 1}


class Killed:
    """A job that was killed with parts of a large object recorded, and all that it left: its
    queue's file and log, its files, and what the endpoint has."""

    def __init__(self, scene, kind):
        self.scene, self.kind, endpoint = scene, kind, scene.endpoint
        self.files = {name: os.urandom(size) for name, size in FILES.items()}
        if kind == "upload":
            job, fault = upload(scene.files(self.files), "p/"), "UploadPart part=3"
        else:
            scene.objects(self.files, "p/")
            job, fault = download("p/", scene.out), f"GetObject range={2 * PART}"
        endpoint.fault(f"{fault} always gate=here")
        process = scene.start_run(job, part_size=PART, concurrency=1)
        endpoint.wait_at("here")
        while scene.rows("SELECT count(*) FROM part") != [(2,)]:
            time.sleep(0.01)
        process.kill()
        process.communicate()
        endpoint.stop()
        [self.queue] = scene.queues()
        self.left = scene.folder / "left"
        shutil.copytree(scene.haul.state, self.left / "state")
        shutil.copytree(endpoint.root, self.left / "root")
        shutil.copytree(scene.out, self.left / "out") if kind == "download" else None
        endpoint.restart()

    def restore(self):
        """All as it was, its log merged or not: returns the queue's files."""
        scene, endpoint = self.scene, self.scene.endpoint
        endpoint.stop()
        for name, place in [("state", scene.haul.state), ("root", endpoint.root),
                            ("out", scene.out)]:
            shutil.rmtree(place, ignore_errors=True)
            if (self.left / name).exists():
                shutil.copytree(self.left / name, place)
        endpoint.restart()
        self.mend_identities()
        return [path for path in self.queue.parent.iterdir() if path.name.endswith((".db", "-wal"))]

    def mend_identities(self):
        """A copied temporary file is another one, which the queue would not trust."""
        for st in map(os.stat, (self.scene.folder / "out").glob(".large.*.haul-part")):
            self.sql(f"UPDATE motion SET temp = '{st.st_dev:x}:{st.st_ino}'")

    def sql(self, statement):
        with contextlib.closing(sqlite3.connect(self.queue)) as db:
            db.executescript(statement)

    def found(self):
        """{name: bytes} under final names."""
        if self.kind == "upload":
            return self.scene.stored("p/")
        return {name: body for name, body in tree(self.scene.out).items()
                if not name.endswith(".haul-part")}

    def judge(self, damaged):
        """What came of it; the files as they were damaged are {path: bytes}."""
        scene, path = self.scene, self.queue
        looks = [scene.command(*words, exit_code=None) for words in (
            ["status", "--queue", path], ["status", "--queue", path, "--json", "--failed"],
            ["jobs", "--json"])]
        assert {look.returncode for look in looks} <= {DONE, QUEUE}
        assert {file: file.read_bytes() for file in damaged} == damaged
        done = scene.command("resume", "--queue", path, exit_code=None)
        # A name that a flipped bit has changed is the name of something else, or of nothing.
        found = self.found()
        assert {name: body for name, body in found.items()
                if body != self.files.get(name, None)} == {}
        if done.returncode == QUEUE:
            assert str(path) in done.stderr, done.stderr
            if "haul: info: started" not in done.stderr:
                assert {file: file.read_bytes() for file in damaged} == damaged
                return "refused"
            return "given up"
        assert done.returncode in (DONE, SOME_FAILED, USAGE, PAUSED), done.stderr
        if done.returncode == DONE:
            assert found == self.files
            assert self.kind == "upload" or tree(scene.out) == self.files
        return {DONE: "right", SOME_FAILED: "some failed", USAGE: "refused", PAUSED: "paused"}[
            done.returncode]


def assert_goes_on(killed):
    """What is restored is what was left: without damage no part of it is moved again. (The last
    one of an upload may have come to the endpoint when haul was dead.)"""
    assert killed.judge({file: file.read_bytes() for file in killed.restore()}) == "right"
    last = (3, None) if killed.kind == "upload" else (None, f"bytes={2 * PART}-{2 * PART}")
    operation = "UploadPart" if killed.kind == "upload" else "GetObject"
    assert {(entry["part"], entry["range"]) for entry in killed.scene.endpoint.log(operation)
            if entry["key"] == "p/large"} <= {last}


def flip_a_bit(chance, data):
    at = chance.randrange(len(data) * 8)
    data[at // 8] ^= 1 << at % 8


def flip_bits(chance, data):
    for _ in range(chance.randint(2, 40)):
        flip_a_bit(chance, data)


def cut_off(chance, data):
    del data[chance.randrange(len(data)):]


def zero_a_page(chance, data):
    at = chance.randrange(len(data)) // 4096 * 4096
    data[at:at + 4096] = bytes(len(data[at:at + 4096]))


def repeat_a_page(chance, data):
    here, there = (chance.randrange(len(data) // 4096 or 1) * 4096 for _ in range(2))
    data[here:here + 4096] = data[there:there + 4096]


def scribble(chance, data):
    at = chance.randrange(len(data))
    data[at:at + 64] = chance.randbytes(len(data[at:at + 64]))


DAMAGES = [flip_a_bit, flip_a_bit, flip_bits, cut_off, zero_a_page, repeat_a_page, scribble]


@pytest.mark.parametrize("kind", ["upload", "download"])
def test_a_damaged_queue_comes_to_a_right_end_or_is_refused(scene, chance, kind, capsys):
    """Case 68."""
    killed, ends = Killed(scene, kind), collections.Counter()
    assert_goes_on(killed)
    for _ in range(COUNT):
        files = killed.restore()
        victim = chance.choice([file for file in files if file.stat().st_size])
        data = bytearray(victim.read_bytes())
        chance.choice(DAMAGES)(chance, data)
        victim.write_bytes(data)
        ends[killed.judge({file: file.read_bytes() for file in files})] += 1
    with capsys.disabled():
        print(f"{COUNT} damaged queues: {dict(ends)}")


LARGE = "WHERE id = (SELECT object_id FROM motion)"


@pytest.mark.parametrize("kind, statement", [
    ("upload", f"UPDATE object SET size = {2 * PART} {LARGE}"),
    ("upload", f"UPDATE object SET size = {2 * PART}, state = 'completing' {LARGE}"),
    ("upload", f"UPDATE object SET state = 'completing' {LARGE}"),
    ("upload", f"UPDATE object SET state = 'creating' {LARGE}"),
    ("upload", "UPDATE motion SET part_bytes = part_bytes + 1048576"),
    ("upload", "UPDATE motion SET token = 'another', upload_id = 'another'"),
    ("upload", "UPDATE part SET number = 5 - number"),
    ("upload", "UPDATE part SET etag = (SELECT max(etag) FROM part)"),
    ("upload", "UPDATE object SET state = 'planned', name = '../secret' WHERE name = 'small'"),
    ("upload", "UPDATE object SET state = 'planned', name = 'sub/../../secret' WHERE size = 9"),
    ("download", f"UPDATE object SET size = {2 * PART} {LARGE}"),
    ("download", f"UPDATE object SET state = 'publishing' {LARGE}"),
    ("download", "UPDATE motion SET part_bytes = part_bytes + 1048576;"
                 " UPDATE part SET state = 'synced'"),
    ("download", "UPDATE part SET number = 3 WHERE number = 2"),
    ("download", "UPDATE part SET crc32c = 1"),
    ("download", "UPDATE motion SET source = '\"another\"'"),
    ("download", "UPDATE motion SET temp = '1:2'"),
    ("download", "UPDATE object SET state = 'planned', name = '../secret' WHERE name = 'small'"),
    ("download", "UPDATE object SET state = 'planned', name = '/secret' WHERE name = 'small'"),
    ("download", "UPDATE object SET state = 'planned', name = 'a/../../../secret' WHERE size = 1"),
    ("download", "UPDATE object SET state = 'planned', size = 9223372036854775807 WHERE size = 9"),
    ("download", "UPDATE object SET state = 'planned', etag = '\"another\"' WHERE name = 'small'"),
    ("download", "UPDATE run SET id = '../../x'")])
def test_a_stranger_s_values_publish_nothing_wrong(scene, kind, statement):
    """Cases 40 and 68. Nor is anything read or written outside of the folders."""
    killed = Killed(scene, kind)
    secret = scene.folder / "secret"
    secret.write_bytes(b"precious")
    killed.restore()
    killed.sql(statement)
    assert killed.judge({}) in ("right", "some failed", "refused")
    assert secret.read_bytes() == b"precious"
    assert b"precious" not in killed.found().values()
    assert not list(scene.folder.glob("secret?*")) and not (scene.folder.parent / "secret").exists()
