"""Each operation, each fault, each occurrence (matrix.py): the end is that of an undisturbed run, or
the one that the table says, nothing is left over, and the queue is consistent.

HAUL_TEST_LONG=1 plays all occurrences of all operations, and pairs of faults that HAUL_TEST_SEED
draws. HAUL_TEST_ONE="WORDS" plays those combinations alone that have all of these words.
"""

import concurrent.futures
import json
import os
import queue
import random
import shutil
import signal
import threading
import time
import traceback

import matrix
import pytest
from conftest import Haul
from endpoint import Endpoint
from matrix import ENDS, FAILS, HEALS, PAUSES, SETTINGS, VICTIM
from queuefile import DONE, PAUSED, SOME_FAILED, Recorded
from scene import BUCKET, PART, Scene, download, upload

ONE = os.environ.get("HAUL_TEST_ONE", "").split()
LONG = bool(ONE or os.environ.get("HAUL_TEST_LONG"))
AT_ONCE = 8  # combinations: they mostly wait
PROCESSES_MAX = 6
RETRIES = 6
MAKING = threading.Lock()  # boto's session makes one client at a time
EXPECTED = {HEALS: [DONE], PAUSES: [PAUSED, DONE], FAILS: [SOME_FAILED]}


@pytest.fixture(scope="module")
def bodies():
    """{setting: {name: bytes}}"""
    return {name: {key: random.randbytes(size) for key, size in setting.sizes.items()}
            for name, setting in SETTINGS.items()}


@pytest.fixture(scope="module")
def sources(bodies, tmp_path_factory):
    """A folder for each setting, with its files."""
    top = tmp_path_factory.mktemp("sources")
    for setting, files in bodies.items():
        (top / setting).mkdir()
        for name, body in files.items():
            (top / setting / name).write_bytes(body)
    yield top
    shutil.rmtree(top)


class Player(Scene):
    """A scene whose endpoint is used for one combination after the other."""

    def __init__(self, endpoint, folder, bodies, sources):
        self.top, self.bodies, self.sources, self.number = folder, bodies, sources, 0
        self.there = None  # the setting whose objects are in the bucket
        with MAKING:
            super().__init__(None, endpoint, folder)

    def begin(self, c):
        """A fresh folder and home, and in the bucket what the setting wants there."""
        self.setting, self.files = SETTINGS[c.setting], self.bodies[c.setting]
        self.number += 1
        self.folder = self.top / f"{self.number}"
        (self.folder / "home").mkdir(parents=True)
        self.haul, self.out = Haul(self.folder / "home"), f"{self.folder}/out/"
        self.env = self.endpoint.env | (self.fresh_keys() if self.setting.fresh else {})
        self.endpoint.clear()
        if self.setting.upload or self.there != c.setting:
            self.empty()
            self.objects({} if self.setting.upload else self.files)
        self.there = None if "replace" in c.lines + self.setting.base else c.setting

    def empty(self):
        for key in self.keys():
            self.s3.delete_object(Bucket=BUCKET, Key=key)
        for left in self.uploads():
            self.s3.abort_multipart_upload(
                Bucket=BUCKET, Key=left["Key"], UploadId=left["UploadId"])

    def fresh_keys(self):
        """The environment of a profile whose program gives other keys each time."""
        key_id, secret = self.endpoint.keys
        keys = json.dumps({"Version": 1, "AccessKeyId": key_id, "SecretAccessKey": secret,
                           "SessionToken": "@", "Expiration": "2099-01-31T12:00:00Z"})
        program = self.folder / "keys"
        program.write_text(f"#!/bin/sh\necho '{keys}' | sed s/@/$$/\n")
        program.chmod(0o755)
        (self.folder / "config").write_text(
            f"[profile fresh]\ncredential_process = {program}\n")
        return {"AWS_CONFIG_FILE": str(self.folder / "config")}

    def job(self, c):
        fields = dict(self.setting.fields)
        if self.setting.upload:
            transfers = [upload(f"{self.sources}/{c.setting}/", **fields)]
        elif fields.pop("named", False):
            transfers = [download(name, self.out + name) for name in self.files]
        else:
            transfers = [download("", self.out)]
        store = {"credentials": {"profile": "fresh"}} if self.setting.fresh else None
        return self.manifest(*transfers, store=store, part_size=PART, retries=RETRIES,
                             patience="1m", concurrency=1 if self.setting.kill else 4)

    def play(self, c):
        self.begin(c)
        command, codes, log = ("run", self.job(c)), [], []
        if self.setting.base:
            self.endpoint.fault(self.setting.base)
        if self.setting.kill:
            self.command(*command, exit_code=-signal.SIGKILL, program=self.haul.steps,
                         env={"HAUL_KILL_AT": self.setting.kill})
            self.endpoint.settle()
            command = ("resume",)
        self.endpoint.reset()
        self.endpoint.fault(c.lines)
        while codes[-1:] not in ([DONE], [SOME_FAILED]) and len(codes) < PROCESSES_MAX:
            recorded = command == ("resume",) and Recorded(self.haul, "job", self.prefixes())
            done = self.command(*command, exit_code=None)
            codes.append(done.returncode)
            self.said = done.stderr
            self.endpoint.settle()
            requests = self.endpoint.log()[len(log):]
            log += requests
            if recorded and not c.again:
                assert [r for r in requests if recorded.has(r)] == []
            command = ("resume",)
        self.endpoint.clear()
        self.judge(c, codes, log)

    def prefixes(self):
        return dict.fromkeys(range(1, len(self.files) + 1), "")

    def judge(self, c, codes, log):
        struck = {line for request in log for line in (request["fault"] or "").split("; ")}
        assert c.ends == ENDS or c.lines in struck, "nothing went wrong"
        if c.ends == ENDS:
            assert codes[-1] == DONE and set(codes[:-1]) <= {PAUSED}
        else:
            assert codes == EXPECTED[c.ends]
        failed = [VICTIM] if c.ends == FAILS else []
        others = [u["UploadId"] for u in self.uploads()] if c.leaves else []
        wanted = self.files if self.setting.upload else self.stored()
        wanted = {name: body for name, body in wanted.items() if name not in failed}
        side = {"objects" if self.setting.upload else "files": wanted}
        self.haul.program = os.environ["HAUL_PLAIN"]  # to look at it, which is quicker
        self.assert_right_end(codes[-1], failed=failed, others=others, **side)


def words(c):
    return f"{c.setting}: {c.lines}".replace("\n", " ")


def play_all(combinations, folder, bodies, sources):
    """What a thread does. Returns what went wrong, a text each."""
    wrong = []
    folder.mkdir()
    with Endpoint() as endpoint:
        player = Player(endpoint, folder, bodies, sources)
        while True:
            try:
                c = combinations.get_nowait()
            except queue.Empty:
                return wrong
            try:
                player.said = ""
                player.play(c)
            except BaseException:
                wrong.append(f"---- HAUL_TEST_ONE='{words(c)}' ({c.ends})\n"
                             f"{traceback.format_exc(limit=-4)}{player.said}")
                player.there = None
            shutil.rmtree(player.folder)


@pytest.fixture
def play(tmp_path, bodies, sources, capsys):
    """Plays combinations, or those of them that HAUL_TEST_ONE names."""
    def play_at_once(combinations, what):
        todo, began, wrong = queue.SimpleQueue(), time.monotonic(), []
        for c in combinations:
            if all(word in words(c).split() for word in ONE):
                todo.put(c)
        count = todo.qsize()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for thread in [pool.submit(play_all, todo, tmp_path / f"{n}", bodies, sources)
                           for n in range(min(AT_ONCE, count))]:
                wrong += thread.result()
        with capsys.disabled():
            print(f"\n{what}: {count} combinations, {len(wrong)} wrong,"
                  f" {time.monotonic() - began:.0f} s")
        if wrong:
            pytest.fail("\n".join(wrong), pytrace=False)
    return play_at_once


def test_there_are_500_combinations():
    combinations = [c for op in matrix.OPERATIONS for c in matrix.of_operation(op)]
    assert len(combinations) == len(set(combinations)) >= 500


@pytest.mark.parametrize("operation", matrix.OPERATIONS)
def test_the_end_is_right_whatever_happens_to(operation, play):
    play(matrix.of_operation(operation, LONG), operation)


def test_the_end_is_right_whatever_happens_to_any_request(play):
    play(matrix.of_all(LONG), "any request")


@pytest.mark.skipif(not LONG, reason="HAUL_TEST_LONG=1 plays these")
def test_the_end_is_right_though_two_things_happen(play, chance):
    play(matrix.pairs(500, chance), "pairs")
