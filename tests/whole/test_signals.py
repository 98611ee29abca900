"""SIGINT and SIGTERM, wherever haul is just then: exit 3, what was in flight is recorded, and
`haul resume` goes on. How long that may take is what end() waits at most.
"""

import contextlib
import json
import os
import signal
import sqlite3

import pytest
from queuefile import INTERRUPTED
from scene import PART, await_line, download, refusal, tree, until, upload

SECONDS = 10 + 10  # the promise, and a slow machine

both = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


def read_bytes(process):
    """So many did it read from wherever."""
    with open(f"/proc/{process.pid}/io") as io:
        return int(io.readline().split()[1])


def interrupt(scene, process, number=signal.SIGTERM):
    """One signal; returns the ended process's output."""
    process.send_signal(number)
    done = scene.end(process, INTERRUPTED, SECONDS)
    assert "interrupted: `haul resume` goes on" in refusal(done)
    return done


@both
def test_what_is_in_flight_is_finished_and_recorded(scene, number):
    names = [f"{n:03}" for n in range(100)]
    scene.endpoint.fault("PutObject nth=10 gate-after=here")
    running = scene.start_run(upload(scene.files(names)), concurrency=1)
    scene.endpoint.wait_at("here")
    running.send_signal(number)
    await_line(running, "stopping")
    scene.endpoint.clear()
    done = scene.end(running, INTERRUPTED, SECONDS)
    assert " interrupted: 10 of 100 objects done" in done.stdout
    assert list(scene.states().values()).count("done") == 10
    assert scene.command("jobs").stdout.split()[2] == "interrupted"
    scene.resume()
    assert scene.keys() == names
    assert scene.endpoint.count("PutObject") == 100


def test_parts_in_flight_are_finished_and_recorded(scene):
    body = os.urandom(6 * PART)
    scene.endpoint.fault("UploadPart nth=3 gate-after=here")
    running = scene.start_run(upload(scene.files({"a": body})), part_size=PART, concurrency=1)
    scene.endpoint.wait_at("here")
    running.send_signal(signal.SIGINT)
    await_line(running, "stopping")
    scene.endpoint.clear()
    scene.end(running, INTERRUPTED, SECONDS)
    assert scene.rows("SELECT number FROM part ORDER BY number") == [(1,), (2,), (3,)]
    scene.resume()
    assert scene.stored() == {"a": body}
    assert scene.endpoint.count("UploadPart") == 6
    assert scene.endpoint.count("CreateMultipartUpload") == 1


def test_a_file_that_is_read_again_after_a_crash(scene):
    """Not synced was all of it; and it has holes of a TiB, which take minutes to read."""
    scene.objects({"a": bytes(2 * PART)})
    scene.endpoint.fault("GetObject nth=2 gate=here")
    running = scene.start_run(download("", scene.out), part_size=PART, concurrency=1)
    scene.endpoint.wait_at("here")
    until(lambda: scene.rows("SELECT count(*) FROM part") == [(1,)])
    running.kill()
    running.communicate()
    [name] = os.listdir(scene.out)
    os.truncate(scene.out + name, 1 << 40)
    with contextlib.closing(sqlite3.connect(scene.queues()[0])) as db, db:
        db.execute("UPDATE object SET size = 1 << 40")
        db.execute("UPDATE motion SET part_bytes = 1 << 27")
        db.executemany("INSERT OR REPLACE INTO part VALUES (1, ?, 'written', NULL, 0)",
                       [(number,) for number in range(1, 8193)])
    resumed = scene.start("resume")
    until(lambda: (1 << 28) < read_bytes(resumed))
    interrupt(scene, resumed)


@both
def test_an_upload_that_hangs(scene, number):
    scene.endpoint.fault("PutObject key=b always gate=here")
    running = scene.start_run(upload(scene.files(["a", "b", "c"])))
    scene.endpoint.wait_at("here")
    until(lambda: list(scene.states().values()).count("done") == 2)
    interrupt(scene, running, number)
    assert scene.states() == {"a": "done", "b": "planned", "c": "done"}
    scene.endpoint.clear()
    scene.resume()
    assert scene.keys() == ["a", "b", "c"]


def test_a_download_that_drips(scene):
    body = os.urandom(3 * PART)
    scene.objects({"a": body})
    scene.endpoint.fault("GetObject nth=3 trickle=100")
    running = scene.start_run(download("a", scene.out), part_size=PART, concurrency=1)
    while scene.endpoint.count("GetObject") < 3:
        assert running.poll() is None
    interrupt(scene, running)
    assert list(tree(scene.out)) != ["a"]
    assert scene.rows("SELECT number FROM part ORDER BY number") == [(1,), (2,)]
    scene.endpoint.clear()
    scene.resume()
    assert tree(scene.out) == {"a": body}
    assert scene.endpoint.count("GetObject") == 4


@pytest.mark.parametrize("operation, status", [
    ("PutObject", "503 code=SlowDown"), ("ListObjectsV2", "503 code=SlowDown")])
def test_a_server_that_asks_to_wait(scene, operation, status):
    scene.endpoint.fault(f"{operation} always status={status} retry-after=600")
    running = scene.start_run(upload(scene.files(["a"])), retries=20)
    while scene.endpoint.count(operation) == 0:
        assert running.poll() is None
    interrupt(scene, running)
    scene.endpoint.clear()
    scene.resume()
    assert scene.keys() == ["a"]


@both
def test_an_endpoint_that_hangs_from_the_beginning(scene, number):
    scene.endpoint.fault("ListObjectsV2 always gate=here")
    running = scene.start_run(upload(scene.files(["a"])))
    scene.endpoint.wait_at("here")
    interrupt(scene, running, number)
    scene.endpoint.clear()
    scene.resume()
    assert scene.keys() == ["a"]


def test_a_listing_that_hangs(scene):
    scene.objects(["p/a", "p/b"])
    scene.endpoint.fault("ListObjectsV2 nth=2 gate=here")  # the first one asked for the bucket
    running = scene.start_run(download("p/", scene.out))
    scene.endpoint.wait_at("here")
    interrupt(scene, running)
    scene.endpoint.clear()
    scene.resume()
    assert tree(scene.out) == {"a": b"p/a", "b": b"p/b"}


def test_a_second_signal_ends_it_at_once(scene):
    scene.haul.env["TSAN_OPTIONS"] += ":report_thread_leaks=0"  # at once: it joins no thread
    scene.endpoint.fault("PutObject key=b always gate=here")
    running = scene.start_run(upload(scene.files(["a", "b"])))
    scene.endpoint.wait_at("here")
    running.send_signal(signal.SIGINT)
    await_line(running, "stopping")
    running.send_signal(signal.SIGTERM)
    ended = scene.end(running, INTERRUPTED, SECONDS)
    assert (ended.stdout, ended.stderr) == ("", "")  # who has waited has a last word
    scene.endpoint.clear()
    scene.resume()
    assert scene.keys() == ["a", "b"]


def test_signals_again_and_again_lose_nothing(scene):
    """Case 70."""
    bodies = {f"{n:03}": os.urandom(100) for n in range(300)} | {"big": os.urandom(4 * PART)}
    path = scene.manifest(upload(scene.files(bodies)), part_size=PART, concurrency=4)
    for nth in range(1, 30, 4):
        scene.endpoint.fault(f"* nth={nth} gate-after=g{nth}")
        running = scene.start("run", path)
        scene.endpoint.wait_at(f"g{nth}")
        running.send_signal(signal.SIGINT)
        scene.endpoint.clear()
        scene.end(running, INTERRUPTED, SECONDS)
    scene.command("run", path)
    assert len(scene.queues()) == 1
    assert scene.stored() == bodies
    assert scene.endpoint.count("PutObject") == 300
    assert scene.uploads() == []


def test_a_hangup_of_the_reader_of_its_output_is_no_end(scene):
    read, write = os.pipe()
    os.close(read)
    path = scene.manifest(upload(scene.files(["a", "b"])))
    running = scene.start("run", path, stdout=write, stderr=write)
    os.close(write)
    running.wait(timeout=60)
    assert scene.keys() == ["a", "b"]
    assert [job["state"] for job in json.loads(scene.command("jobs", "--json").stdout)] == \
        ["finished"]
