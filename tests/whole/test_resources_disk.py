"""Disks that are full, read-only or broken, and descriptors that run out, in the middle of a run:
what was done stays done, the last line names the place and what helps, and once that was done
`haul resume` comes to the right end.
"""

import os
import resource
import signal

import pytest
from queuefile import DONE, PAUSED, QUEUE, SOME_FAILED
from scene import PART, download, refusal, tree, upload

EIO = os.strerror(5)


def faulty(scene, *args, fail, exit_code=None, **env):
    """A run with a call that fails (tests/faults/fault.h)."""
    return scene.command(*args, exit_code=exit_code, program=os.environ["HAUL_FAULTS"],
                         env={"HAUL_FAIL": fail} | env)


def queues_on(scene, disk):
    scene.haul.state = disk.folder
    scene.haul.env["XDG_STATE_HOME"] = str(disk.folder)


def sent(scene, *operations):
    return [r for r in scene.endpoint.log() if r["op"] in operations]


def assert_moved(scene, kind, bodies):
    scene.assert_right_end(files=bodies if kind == "download" else None)
    assert kind == "download" or scene.stored("y/") == bodies


# ---- Full disks: case 60 of the destination, 67 of the queue ----


@pytest.mark.parametrize("size", ["256k", "1m", "6m", "12m"])
def test_a_destination_that_fills_up_in_the_middle(scene, small_disk, size):
    bodies = {f"small/{n:02}": os.urandom(50_000) for n in range(40)} | {
        "large": os.urandom(PART + 1), "larger": os.urandom(2 * PART)}
    disk = small_disk(size)
    scene.objects(bodies, "x/")
    done = scene.run(download("x/", f"{disk.folder}/out/"), part_size=PART, exit_code=PAUSED)
    line = refusal(done)
    for words in (f"{disk.folder}/out/", "No space left", "make room", "haul resume"):
        assert words in line
    for name, body in tree(f"{disk.folder}/out").items():
        assert name.endswith(".haul-part") or body == bodies[name]
    scene.assert_right_end(PAUSED)
    disk.remount("size=64m")
    before = scene.states()
    scene.endpoint.reset()
    scene.resume()
    assert tree(disk.folder) == {f"out/{name}": body for name, body in bodies.items()}
    again = {r["key"].removeprefix("x/") for r in sent(scene, "GetObject")}
    assert not {name for name in again if before.get(name) == "done"}
    scene.assert_right_end()


@pytest.mark.parametrize("size", ["96k", "160k", "224k", "288k"])
@pytest.mark.parametrize("kind", ["upload", "download"])
def test_a_queue_s_disk_that_fills_up_in_the_middle(scene, small_disk, kind, size):
    bodies = {f"{n:03}-{'x' * 120}": b"%d" % n for n in range(200)} | {"large": bytes(PART + 1)}
    if kind == "download":
        scene.objects(bodies, "x/")
        job = download("x/", scene.out)
    else:
        job = upload(scene.files(bodies), "y/")
    disk = small_disk(size)
    queues_on(scene, disk)
    done = scene.run(job, part_size=PART, exit_code=None)
    assert done.returncode in (DONE, QUEUE), done.stderr
    if done.returncode == QUEUE:
        line = refusal(done)
        assert f"queue {disk.folder}/haul/job/" in line and "make room" in line
        disk.remount("size=16m")
        before = scene.states() if scene.queues() else {}
        scene.endpoint.reset()
        scene.command(*(("resume",) if before else ("run", scene.haul.home / "job.yaml")))
        again = {r["key"][2:] for r in sent(scene, "PutObject", "GetObject", "UploadPart")}
        assert not {name for name in again if before.get(name) == "done"}
    assert_moved(scene, kind, bodies)


def test_a_quota_is_named(scene):
    """As a full disk is."""
    scene.objects({"x/a": os.urandom(PART + 1)})
    job = scene.manifest(download("x/", scene.out), part_size=PART)
    for call in ("fallocate", "pwrite"):
        words = ("resume",) if scene.queues() else ("run", job)
        nth = "1-" if call == "fallocate" else "2-"  # the first one is the queue's lock's
        line = refusal(faulty(scene, *words, fail=f"{call}:{nth}:EDQUOT", exit_code=PAUSED))
        assert scene.out in line and os.strerror(122) in line and "make room" in line
    scene.resume()
    scene.assert_right_end(files={"a": scene.body("x/a")})


# ---- Disks that break ----


@pytest.mark.parametrize("at", ["1-", "40-", "70-"])
def test_a_source_that_can_not_be_read_is_one_failure(scene, at):
    """Case 65. Each part is read twice, to be signed first, in pieces of 256 KiB or less."""
    bodies = {"a": b"a", "large": os.urandom(2 * PART), "z": b"z"}
    source = scene.files(bodies)
    os.truncate(source + "a", 0)
    os.truncate(source + "z", 0)  # these two are never read
    done = faulty(scene, "run", scene.manifest(upload(source), part_size=PART, concurrency=1),
                  fail=f"pread:{at}:EIO", exit_code=SOME_FAILED)
    assert f"object=large why=\"{EIO}\"" in done.stderr
    assert scene.reasons() == {"large": EIO}
    scene.assert_right_end(SOME_FAILED, objects={"a": b"", "z": b""}, failed={"large"})
    assert scene.endpoint.count("CreateMultipartUpload") == 1
    assert scene.endpoint.count("AbortMultipartUpload") == 1


@pytest.mark.parametrize("kind", ["upload", "download"])
@pytest.mark.parametrize("fault", ["queue_pwrite:1-:EIO", "queue_pwrite:1-:ENOSPC",
                                   "queue_sync:1-:EIO", "sqlite3_step:1-:SQLITE_READONLY"])
def test_nothing_is_sent_any_more_when_the_queue_s_disk_fails(scene, kind, fault):
    """Case 67. The process stops as it is told of the fault; what follows was in flight, or on
    its way to a worker that had not heard of it. A process that stops amidst a body would leave its
    request open: uploads have none."""
    bodies = {f"{n:03}": b"%d" % n if kind == "download" else b"" for n in range(100)}
    disk_fails = scene.folder / "disk fails"
    scene.objects(bodies, "x/")
    job = scene.manifest(download("x/", scene.out) if kind == "download"
                         else upload(scene.files(bodies), "y/"), concurrency=1)
    scene.endpoint.reset()
    scene.endpoint.fault("PutObject nth=30 gate=here\nGetObject nth=30 gate=here\n"
                         "* always delay-ms=2")
    running = scene.start("run", job, program=os.environ["HAUL_FAULTS"], env={
        "HAUL_FAIL": fault, "HAUL_FAIL_AFTER": str(disk_fails), "HAUL_FAIL_STOPS": "1"})
    scene.endpoint.wait_at("here")
    disk_fails.touch()
    scene.endpoint.open("here")
    assert os.waitid(os.P_PID, running.pid, os.WSTOPPED | os.WEXITED).si_code == os.CLD_STOPPED
    scene.endpoint.settle()
    before = len(sent(scene, "PutObject", "GetObject"))
    running.send_signal(signal.SIGCONT)
    line = refusal(scene.end(running, QUEUE))
    assert str(scene.queues()[-1]) in line
    assert 30 <= before <= len(sent(scene, "PutObject", "GetObject")) <= before + 2 < 100
    done = {name for name, state in scene.states().items() if state == "done"}
    scene.endpoint.clear()
    scene.endpoint.reset()
    scene.resume()
    assert not done & {r["key"][2:] for r in sent(scene, "PutObject", "GetObject")}
    assert_moved(scene, kind, bodies)


def test_a_queue_that_has_become_read_only(scene, small_disk):
    """`status` still tells; nothing is sent. Case 67."""
    disk = small_disk("8m")
    queues_on(scene, disk)
    scene.endpoint.stop()
    scene.run(upload(scene.files(["a"])), exit_code=PAUSED)
    scene.endpoint.restart()
    [queue] = scene.queues()
    disk.remount("ro")
    for words in (["resume"], ["resume", "job"], ["run", scene.haul.home / "job.yaml"]):
        line = refusal(scene.command(*words, exit_code=QUEUE))
        assert str(queue) in line and ("Read-only" in line or "be written" in line)
    assert scene.endpoint.stats()["requests"] == 0
    assert "paused" in scene.command("status").stdout
    disk.remount("rw")
    scene.resume()
    assert scene.stored() == {"a": b"a"}


# ---- Descriptors ----


@pytest.mark.parametrize("kind", ["upload", "download"])
@pytest.mark.parametrize("left", [-20, -6, 0, 6])
def test_descriptors_that_run_out_in_the_middle(scene, kind, left):
    bodies = {f"{n:03}": os.urandom(1000) for n in range(100)}
    scene.objects(bodies, "x/")
    scene.endpoint.reset()
    scene.endpoint.fault("PutObject always gate=here\nGetObject always gate=here")
    job = upload(scene.files(bodies), "y/") if kind == "upload" else download("x/", scene.out)
    running = scene.start_run(job, concurrency=16)
    scene.endpoint.wait_at("here", 16)
    limit = resource.prlimit(running.pid, resource.RLIMIT_NOFILE)
    used = len(os.listdir(f"/proc/{running.pid}/fd"))
    resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (used + left, limit[1]))
    scene.endpoint.open("here")
    done = scene.end(running, None)
    if done.returncode != DONE:
        assert done.returncode == PAUSED, done.stderr
        line = refusal(done)
        assert "Too many open files" in line and "raise the limit" in line and "haul resume" in line
        scene.assert_right_end(PAUSED)
        scene.endpoint.clear()
        scene.resume()
    assert_moved(scene, kind, bodies)
