"""haul-faults (tests/faults/fault.h) on stages of its own: an endpoint, a home, a source and a
destination each, so that several run at once. carry() is one job, its fault, and its resumes to
a right end.
"""

import concurrent.futures
import http.client
import json
import os
import re
import shutil
import traceback
import urllib.parse

from queuefile import (DONE, INTERRUPTED, PAUSED, QUEUE, SOME_FAILED, USAGE, Recorded, assert_end,
                       assert_files, digests, latest_queue, looking_at)
from scene import refusal

PART = 5 << 20
HANGS = 60  # seconds: so long takes none of these jobs
FILES = {"a": b"a", "deep/b": b"b" * 1000, "big": os.urandom(PART + 1)}

OF_A_FILE = {"EIO", "EACCES"}  # may cost that object; what the machine lacks costs none
HARMLESS = {"SHORT", "EINTR", "EOPNOTSUPP"}


class Fault:
    """The nth call of that name, for n = first, first + step... Onwards: and all after it."""

    def __init__(self, call, how, step=1, first=1, onwards=False):
        self.call, self.how, self.step, self.first, self.onwards = call, how, step, first, onwards

    def at(self, n):
        return f"{self.call}:{n}{'-' * self.onwards}:{self.how}"

    def codes(self):
        """What a process that it struck may end with."""
        if self.how in HARMLESS:
            return {DONE}
        return {DONE, USAGE, INTERRUPTED, QUEUE, PAUSED} | (
            {SOME_FAILED} if self.how in OF_A_FILE else set())


class Stage:
    """Where one job after the other is carried out, by a Haul of this stage alone."""

    def __init__(self, haul, folder, endpoint):
        self.haul, self.folder, self.endpoint = haul, folder, endpoint
        self.haul.env |= endpoint.env | {
            "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
        self.source, self.out = folder / "in", folder / "out"
        self.http = http.client.HTTPConnection("127.0.0.1", endpoint.port)
        self.call("PUT", "")
        self.call("PUT", "", bucket="filled")
        for name, body in FILES.items():
            (self.source / name).parent.mkdir(parents=True, exist_ok=True)
            (self.source / name).write_bytes(body)
            self.call("PUT", name, body, bucket="filled")

    def call(self, method, target, body=None, bucket="bucket"):
        self.http.request(method, f"/{bucket}/{target}", body)
        reply = self.http.getresponse()
        text = reply.read()
        assert reply.status < 300, text
        return text

    def uploads(self):
        return re.findall("<Key>([^<]*)</Key><UploadId>([^<]*)</UploadId>",
                          self.call("GET", "?uploads").decode())

    def stored(self):
        keys = re.findall("<Key>([^<]*)</Key>", self.call("GET", "?list-type=2").decode())
        return {key: self.call("GET", urllib.parse.quote(key)) for key in keys}

    def clear(self):
        shutil.rmtree(self.haul.state, ignore_errors=True)
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        for key in self.stored():
            self.call("DELETE", urllib.parse.quote(key))
        for key, upload in self.uploads():
            self.call("DELETE", f"{key}?uploadId={upload}")
        self.endpoint.clear()

    def manifest(self, direction, **defaults):
        transfer = ({"upload": f"{self.source}/", "to": "store://bucket/"}
                    if direction == "upload" else
                    {"download": "store://filled/", "to": f"{self.out}/"})
        return self.haul.manifest(json.dumps({
            "version": 1, "name": "job", "transfers": [transfer],
            "endpoints": {"store": {"url": self.endpoint.url, "addressing": "path"}},
            "defaults": {"part_size": PART, "payload": "unsigned", "retries": 1} | defaults}))

    def run(self, *args, fault=None):
        """haul-faults under HAUL_FAIL=fault: how it ended, and whether the fault struck."""
        report = self.folder / "report"
        report.unlink(missing_ok=True)
        env = {"HAUL_FAIL": fault, "HAUL_FAIL_REPORT": str(report)} if fault else {}
        done = self.haul.run(*args, env=env, program=os.environ["HAUL_FAULTS"], timeout=HANGS)
        assert done.returncode >= 0, f"a crash: {done.stderr}"
        return done, bool(fault) and report.read_text().split()[1] != "0"

    def assert_right(self, direction, failed=()):
        """What failed is not there, or is right: its last step was what nobody could confirm."""
        if direction == "upload":
            found = self.stored()
            assert digests(found) == digests(
                {n: b for n, b in FILES.items() if n in found or n not in failed})
            assert self.uploads() == []
        else:
            assert_files(self.out, {n: b for n, b in FILES.items()
                                    if (self.out / n).exists() or n not in failed})


def last_word(done):
    """One clear line; a manifest that can't be read has one for each of its problems."""
    if done.returncode == USAGE:
        assert done.stderr, "not a word"
        return done.stderr
    return refusal(done) if done.returncode > SOME_FAILED else None


def carry(stage, direction, fault, n, trouble=""):
    """A job whose nth call fails, and that of the next process if the first one does not come to
    an end, and then goes on without. `trouble`: of the endpoint. Whether the fault struck."""
    stage.clear()
    stage.endpoint.fault(trouble)
    job, struck = stage.manifest(direction), None
    for attempt in range(4):
        path, given = latest_queue(stage.haul), fault.at(n) if attempt < 2 else None
        before = Recorded(stage.haul, "job", {1: ""}) if path else None
        stage.endpoint.reset()
        done, strikes = stage.run(*(("resume",) if path else ("run", job)), fault=given)
        struck = strikes if struck is None else struck
        if path and "no unfinished run" in done.stderr:
            break  # the end had been written, though not synced: done it is
        assert done.returncode in (fault.codes() if given else {DONE, SOME_FAILED}), done.stderr
        last_word(done)
        log = stage.endpoint.log()
        assert done.returncode != USAGE or {r["op"] for r in log} <= {"ListObjectsV2"}
        assert all("if-match" in r for r in stage.endpoint.headers("GetObject"))
        if before and not given and fault.call not in {"fsync", "syncfs", "close"}:
            assert [r for r in log if before.has(r)] == [], "was recorded, and moved again"
        if done.returncode in (DONE, SOME_FAILED):
            break
        if path := latest_queue(stage.haul):
            with looking_at(path):
                pass
    assert_over(stage, direction, None if done.returncode == USAGE else done.returncode)
    return struck


def assert_over(stage, direction, exit_code):
    """What has not failed is there; a folder that could not be read failed with all in it. An
    exit_code of None: nobody was there to tell."""
    with looking_at(latest_queue(stage.haul)) as db:
        failed = {name for name, in db.execute("SELECT name FROM object WHERE state = 'failed'")}
    stage.assert_right(direction, {name for name in FILES if name in failed or any(
        f.endswith("/") and name.startswith(f) for f in failed)})
    if exit_code is None:
        exit_code = SOME_FAILED if failed else DONE
    assert_end(stage.haul, exit_code, failed=failed)
    drafts = [path.name for path in stage.haul.state.rglob("*.new")]
    assert drafts == []


def carry_once(stage, words, direction, names, fault, n):
    """A one-shot command whose nth call fails: it says so, no name has anything but its file, and
    nothing that was begun is left; without the fault it comes to its end."""
    stage.clear()
    for given in fault.at(n), None:
        done, strikes = stage.run(*words(stage), fault=given)
        struck = strikes if given else struck
        assert done.returncode in (range(PAUSED + 1) if given else {DONE}), done.stderr
        assert done.returncode == DONE or done.stderr, "not a word"
        stage.assert_right(
            direction, failed=FILES if done.returncode != DONE else FILES.keys() - names)
    return struck


def walk(stages, faults, carry_out):
    """Each fault at each of its n, until carry_out(stage, fault, n) says that it did not strike
    any more. Returns how many that were, and what went wrong."""
    free, jobs, wrong = list(stages), [], []

    def walk_one(fault):
        stage, n, strikes = free.pop(), fault.first, True
        while strikes:
            jobs.append(n)
            try:
                strikes = carry_out(stage, fault, n)
            except Exception as error:  # the other ones go on
                at = traceback.extract_tb(error.__traceback__)[-1]
                wrong.append(f"HAUL_FAIL={fault.at(n)}: {at.name}:{at.lineno}: {error}")
                strikes = len(wrong) < 20
            n += fault.step
        free.append(stage)

    with concurrent.futures.ThreadPoolExecutor(len(stages)) as pool:
        for done in [pool.submit(walk_one, fault) for fault in faults]:
            done.result()
    return len(jobs), wrong
