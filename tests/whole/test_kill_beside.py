"""Who else is there when haul is killed: a half-written queue, others who want it or look into
it, a signal that was there before, a clock that is set meanwhile.
"""

import json
import os
import signal

import pytest
from queuefile import PAUSED, QUEUE, USAGE, Recorded
from scene import PART, download, refusal, upload

NAMES = ["a", "b", "c"]


def kill(process):
    process.kill()
    process.communicate()


def kill_at(scene, fault, count, *transfers, **how):
    """A run, killed while so many requests hang; these have gone on without it."""
    scene.endpoint.fault(f"{fault}=here")
    running = scene.start_run(*transfers, **how)
    scene.endpoint.wait_at("here", count)
    kill(running)
    scene.endpoint.clear()
    scene.endpoint.settle()


def test_a_queue_that_died_as_it_put_the_log_off_is_a_finished_run(scene, shim):
    died = scene.command("run", scene.manifest(upload(scene.files(NAMES))),
                         exit_code=-signal.SIGKILL, **shim(DIE_AT_UNLINK=1))
    assert died.stdout == ""
    runs = json.loads(scene.command("jobs", "--json").stdout)
    assert [run["state"] for run in runs] == ["finished"]
    assert json.loads(scene.command("status", "job", "--json").stdout)["state"] == "finished"
    assert "is finished" in refusal(scene.resume("job", exit_code=USAGE))
    assert scene.endpoint.count("PutObject") == len(NAMES)
    scene.assert_right_end(objects={name: name.encode() for name in NAMES})


def test_a_resume_that_dies_as_it_puts_the_log_on(scene, shim):
    scene.endpoint.fault("PutObject always status=503")
    scene.run(upload(scene.files(NAMES)), exit_code=PAUSED)
    scene.endpoint.clear()
    died = scene.command("resume", exit_code=-signal.SIGKILL, **shim(DIE_AT_UNLINK=1))
    assert died.stdout == ""
    assert json.loads(scene.command("status", "job", "--json").stdout)["state"] == "paused"
    scene.resume()
    scene.assert_right_end(objects={name: name.encode() for name in NAMES})


def test_one_of_those_who_race_for_a_dead_ones_queue_gets_it(scene):
    """Case 66: the others say who holds it."""
    job = upload(scene.files(NAMES))
    kill_at(scene, "PutObject always gate", len(NAMES), job)
    scene.endpoint.fault("PutObject always gate=here")
    racing = [scene.start("resume") for _ in range(2)] + [
        scene.start("run", scene.manifest(job)) for _ in range(2)]
    scene.endpoint.wait_at("here", len(NAMES))
    scene.endpoint.reset()
    holder = json.loads(scene.command("status", "job", "--json").stdout)["pid"]
    [winner] = [process for process in racing if process.pid == holder]
    for process in racing:
        if process is not winner:
            line = refusal(scene.end(process, QUEUE))
            assert f"is held by process {holder}:" in line or "is held by another" in line
    scene.endpoint.open("here")
    scene.end(winner)
    assert len(scene.queues()) == 1
    scene.assert_right_end(objects={name: name.encode() for name in NAMES})


def test_who_watches_sees_the_death_and_does_not_disturb_who_goes_on(scene):
    scene.endpoint.fault("PutObject key=b always gate=here")
    running = scene.start_run(upload(scene.files(NAMES)))
    scene.endpoint.wait_at("here")
    watching = scene.start("status", "--watch", "--json")
    assert json.loads(watching.stdout.readline())["state"] == "running"
    kill(running)
    lines = scene.end(watching).stdout.splitlines()
    assert json.loads(lines[-1])["state"] == "interrupted"

    resuming = scene.start("resume")
    scene.endpoint.wait_at("here", 2)
    watching = scene.start("status", "--watch", "--json")
    assert json.loads(watching.stdout.readline())["pid"] == resuming.pid
    scene.endpoint.clear()
    scene.end(resuming)
    lines = scene.end(watching).stdout.splitlines()
    assert json.loads(lines[-1])["state"] == "finished"
    scene.assert_right_end(objects={name: name.encode() for name in NAMES})


@pytest.mark.parametrize("operation", ["UploadPart", "GetObject"])
def test_killed_while_it_stops(scene, operation):
    body = os.urandom(5 * PART)
    if operation == "UploadPart":
        job, wanted = upload(scene.files({"a": body}) + "a", "a"), {"objects": {"a": body}}
    else:
        job, wanted = download("a", scene.out), {"files": {"a": body}}
        scene.objects({"a": body})
        scene.endpoint.reset()
    scene.endpoint.fault(f"{operation} nth=3 gate=here")
    running = scene.start_run(job, part_size=PART, concurrency=1)
    scene.endpoint.wait_at("here")
    running.send_signal(signal.SIGTERM)
    while "stopping" not in (line := running.stderr.readline()):
        assert line
    kill(running)
    recorded = Recorded(scene.haul, "job", {1: ""})
    scene.endpoint.clear()
    scene.endpoint.reset()
    scene.resume()
    assert [request for request in scene.endpoint.log(operation) if recorded.has(request)] == []
    scene.assert_right_end(**wanted)


@pytest.mark.parametrize("first, then", [(0, -80000), (80000, 0), (-80000, 80000)])
@pytest.mark.parametrize("fault, missing", [
    ("CreateMultipartUpload nth=1 gate-after", 5), ("UploadPart nth=3 gate-after", 2)])
def test_the_clock_is_set_between_two_processes(scene, shim, first, then, fault, missing):
    body = os.urandom(5 * PART)
    scene.endpoint.fault(f"{fault}=here")
    how = shim(CLOCK_OFF_S=first)
    running = scene.start("run", scene.manifest(
        upload(scene.files({"a": body}) + "a", "a"), part_size=PART, concurrency=1), **how)
    scene.endpoint.wait_at("here")
    kill(running)
    scene.endpoint.clear()
    scene.endpoint.reset()
    scene.command("resume", **shim(CLOCK_OFF_S=then))
    assert scene.endpoint.count("UploadPart") == missing
    scene.assert_right_end(objects={"a": body})
