"""An endpoint that serves nobody for two minutes, in the middle of a job: it is waited for, by few
requests, whatever `retries` says, and the job goes on when it is back. Time runs SCALE times as
fast for haul.
"""

import contextlib
import os
import pty
import signal
import subprocess
import time

import pytest
from queuefile import (
    INTERRUPTED, PAUSED, assert_files, assert_finished, assert_objects)
from scene import BUCKET, PART, download, refusal, upload, until

SCALE = 30
OUTAGE_S = 120
TRIES = 150  # in all that time, those of the CONCURRENCY under way included
CONCURRENCY = 16
FILES = {f"small/{n:03}": b"%d" % n for n in range(150)} | {
    f"large/{n}": os.urandom(4 * PART + n) for n in range(2)}


@contextlib.contextmanager
def refuses(endpoint):
    endpoint.stop(signal.SIGKILL)
    yield
    endpoint.start()


@contextlib.contextmanager
def is_silent(endpoint):
    endpoint.process.send_signal(signal.SIGSTOP)
    yield
    endpoint.process.send_signal(signal.SIGCONT)
    endpoint.clear()


def struck_by(action):
    @contextlib.contextmanager
    def strikes(endpoint):
        endpoint.fault(f"* always {action}")  # late, as those are that are still served
        yield
        endpoint.clear()
    return strikes


OUTAGES = {"refuses": refuses, "is silent": is_silent, "drops": struck_by("drop-before"),
           "is busy": struck_by("status=503 code=ServiceUnavailable")}
if "HAUL_TEST_LONG" in os.environ:
    OUTAGES["is broken"] = struck_by("status=500")


@pytest.fixture(scope="session")
def fast(preload):
    return preload("fast_clock.c")


class Job:
    """Uploads and downloads, under way with all requests that they may have in flight; it goes on
    for some seconds, in which the test has to begin with its outage."""

    def __init__(self, scene, fast, scale=SCALE, stderr=subprocess.PIPE, **defaults):
        self.scene = scene
        self.connects = scene.folder / "connects"
        scene.objects(FILES, "src/")
        scene.endpoint.reset()
        scene.endpoint.fault("* always delay-ms=200")
        path = scene.manifest(upload(scene.files(FILES), "up/"), download("src/", scene.out),
                              part_size=PART,
                              **{"concurrency": CONCURRENCY, "retries": 6, "patience": "5m"}
                              | defaults)
        self.process = scene.start("run", path, stderr=stderr,
                                   **fast(TIME_SCALE=scale, CONNECTS=self.connects))
        until(lambda: scene.endpoint.stats()["requests"] > 100)
        assert scene.endpoint.stats()["in_flight_max"] >= CONCURRENCY / 2

    def connected(self):
        return self.connects.stat().st_size

    def end(self, exit_code=0):
        return self.scene.end(self.process, exit_code)

    def assert_all_is_right(self):
        scene = self.scene
        assert_objects(scene.s3, BUCKET, FILES, "up/")
        assert_files(scene.out, FILES)
        sizes = {name: len(body) for name, body in FILES.items()}
        assert_finished(scene.haul, "job", {1: "up/", 2: "down/"}, {
            prefix + name: size for name, size in sizes.items() for prefix in ("up/", "down/")})


@pytest.mark.parametrize("kind", OUTAGES)
def test_two_minutes_without_a_server_cost_few_requests_and_no_object(scene, fast, kind, capsys):
    """Case 53."""
    job = Job(scene, fast)
    before = job.connected()
    with OUTAGES[kind](scene.endpoint):
        began_ms = time.monotonic() * 1000
        time.sleep(OUTAGE_S / SCALE)
        connected = job.connected() - before
        ended_ms = time.monotonic() * 1000
        assert job.process.poll() is None
    asked = sum(began_ms < entry["ms"] < ended_ms for entry in scene.endpoint.log())
    with capsys.disabled():
        print(f"\nan endpoint that {kind} for {OUTAGE_S} s: {connected} connections,"
              f" {asked} requests")
    assert 3 <= max(connected, asked) <= TRIES
    log = job.end().stderr
    slowed = kind == "is busy"
    assert log.count("endpoint_silent endpoint=store patience=300s why=") == 1
    assert ("endpoint_slows_us" in log) == slowed
    assert slowed or "endpoint_recovered endpoint=store" in log
    assert len(log.splitlines()) <= 6
    job.assert_all_is_right()


@pytest.mark.parametrize("kind", OUTAGES)
def test_an_outage_that_outlasts_our_patience_pauses_the_job(scene, fast, kind):
    """Case 53."""
    job = Job(scene, fast, patience="30s")
    with OUTAGES[kind](scene.endpoint):
        line = refusal(job.end(PAUSED))
    assert "endpoint store" in line and "haul resume" in line
    assert scene.rows("SELECT name, why FROM object WHERE state = 'failed'") == []
    scene.resume()
    job.assert_all_is_right()


def test_the_line_on_a_terminal_says_whom_it_waits_for(scene, fast):
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as terminal:
        job = Job(scene, fast, stderr=theirs)
        os.close(theirs)
        drawn = b""
        with refuses(scene.endpoint):
            while b"waiting for endpoint store" not in drawn:
                drawn += terminal.read(4096)
        with contextlib.suppress(OSError):  # that is how its end is told
            while terminal.read(4096):
                pass
        job.end()
    job.assert_all_is_right()


def test_a_server_that_is_busy_when_a_job_begins_is_waited_for(scene):
    scene.endpoint.fault("* always count=6 status=503 code=SlowDown")
    scene.run(upload(scene.files({"a": b"1"})), patience="5m")
    assert scene.body("a") == b"1"
    scene.endpoint.fault("* always status=503 code=SlowDown")
    line = refusal(scene.run(download("", scene.out), patience="1s", exit_code=PAUSED))
    assert "endpoint store" in line and "concurrency" in line and "haul resume" in line


@pytest.mark.parametrize("kind", ["refuses", "is busy"])
def test_a_signal_ends_what_waits_for_a_server_at_once(scene, fast, kind):
    """At the pace of the clock on the wall: nothing is in flight that 8 seconds are for."""
    job = Job(scene, fast, scale=1)
    before = job.connected()
    scene.endpoint.reset()

    def tries():
        return (job.connected() - before if kind == "refuses" else
                [entry["status"] for entry in scene.endpoint.log()].count(503))

    with OUTAGES[kind](scene.endpoint):
        until(lambda: tries() > CONCURRENCY)
        job.process.send_signal(signal.SIGINT)
        scene.end(job.process, INTERRUPTED, timeout=6)
    scene.resume()
    job.assert_all_is_right()
