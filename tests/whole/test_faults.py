"""What breaks underneath a run, one thing at a time: the server, the disk, the clock, a limit of
the system. What was done stays done, nothing half done is published, and the exit code is true.
"""

import errno
import json
import os
import pathlib
import resource

import pytest
from queuefile import DONE, PAUSED, SOME_FAILED, USAGE
from scene import BUCKET, PART, download, refusal, tree, until, upload



def sent_parts(scene):
    return sorted(entry["part"] for entry in scene.endpoint.log("UploadPart"))


def fetched_ranges(scene):
    return sorted(entry["range"] for entry in scene.endpoint.log("GetObject"))


def kill_after_parts(scene, count, *transfers, operation):
    """A run, killed when that many parts are recorded and the next one hangs."""
    scene.endpoint.fault(f"{operation} nth={count + 1} gate=dead")
    running = scene.start_run(*transfers, part_size=PART, concurrency=1)
    scene.endpoint.wait_at("dead")
    until(lambda: len(scene.parts()) == count)
    running.kill()
    running.communicate()
    scene.endpoint.clear()
    scene.endpoint.settle()
    scene.endpoint.reset()


# ---- Two of one name ----


@pytest.mark.parametrize("first, second", [("p/f", "q/f"), ("q/f", "p/f")])
@pytest.mark.parametrize("parts", [1, 3])
def test_two_downloads_of_one_file_never_mix(scene, first, second, parts):
    """Both have received some when the first one ends, and the second."""
    bodies = {key: key.encode() * (parts * PART // 3) for key in ("p/f", "q/f")}
    scene.objects(bodies)
    scene.endpoint.reset()
    for key in bodies:
        scene.endpoint.fault(f"GetObject key={key} nth={parts} gate={key[0]}")
    os.mkdir(scene.out)
    os.symlink(scene.out, f"{scene.folder}/link")
    running = scene.start_run(download("p/", scene.out), download("q/f", f"{scene.folder}/link/f"),
                              part_size=PART)
    place = pathlib.Path(scene.out) / "f"
    for key in first, second:
        scene.endpoint.wait_at(key[0])
        assert not place.exists() or place.read_bytes() == bodies[first]
        scene.endpoint.open(key[0])
        until(lambda: place.exists() and place.read_bytes() == bodies[key])
    scene.end(running)
    assert tree(scene.out) == {"f": bodies[second]}


# ---- Servers ----


def test_one_endpoint_s_outage_is_no_failure_of_objects_though_another_one_works(
        scene, new_endpoint):
    other = new_endpoint()
    other.boto().create_bucket(Bucket=BUCKET)
    other.fault("PutObject always status=503 code=ServiceUnavailable delay-ms=200")
    scene.endpoint.fault("PutObject always delay-ms=20")
    path = scene.manifest(upload(scene.files([f"{n}" for n in range(5)], "few"), "few/"),
                          upload(scene.files([f"{n}" for n in range(500)]), "many/"),
                          concurrency=8)
    job = json.loads(path.read_text())
    job["endpoints"]["other"] = {"url": other.url, "addressing": "path"}
    job["transfers"][0]["to"] = f"other://{BUCKET}/few/"
    path.write_text(json.dumps(job))

    line = refusal(scene.command("run", path, exit_code=PAUSED))
    assert "endpoint other" in line and "503" in line
    states = dict(scene.rows("SELECT state, count(*) FROM object GROUP BY state"))
    assert states.keys() == {"planned", "done"}
    assert scene.rows("SELECT 1 FROM object WHERE transfer_id = 2 AND state = 'done'") != []
    other.clear()
    scene.resume()
    assert set(scene.states().values()) == {"done"}
    assert len(scene.keys("many/")) == scene.endpoint.count("PutObject") == 500
    assert other.boto().list_objects_v2(Bucket=BUCKET)["KeyCount"] == 5


@pytest.mark.parametrize("count", [3, 5])
def test_parts_that_may_not_be_listed_are_not_sent_again(scene, count):
    body = os.urandom(6 * PART)
    kill_after_parts(scene, count, upload(scene.files({"a": body})), operation="UploadPart")
    scene.endpoint.fault("ListParts always status=403 code=AccessDenied")
    done = scene.resume()
    assert "parts_not_listed" in done.stderr
    assert sent_parts(scene) == list(range(count + 1, 7))
    assert scene.stored() == {"a": body}


def test_an_abort_that_fails_for_now_is_made_up_for(scene):
    source = scene.files({"a": os.urandom(3 * PART)}) + "a"
    scene.endpoint.fault("UploadPart part=2 nth=1 gate=here\n"
                         "AbortMultipartUpload always status=500")
    running = scene.start_run(upload(source, "a"), part_size=PART)
    scene.endpoint.wait_at("here")
    body = os.urandom(3 * PART + 1)
    pathlib.Path(source).write_bytes(body)
    scene.endpoint.open("here")
    assert "AbortMultipartUpload" in refusal(scene.end(running, PAUSED))
    [[known]] = scene.rows("SELECT upload_id FROM motion")
    assert [u["UploadId"] for u in scene.uploads()] == [known]
    scene.endpoint.clear()
    scene.resume()
    assert scene.uploads() == []
    assert scene.stored() == {"a": body}


def test_an_upload_that_may_not_be_aborted_is_named(scene):
    scene.endpoint.fault("UploadPart part=2 always status=403 code=AccessDenied\n"
                         "AbortMultipartUpload always status=403 code=AccessDenied")
    scene.run(upload(scene.files({"a": os.urandom(3 * PART)})), part_size=PART,
              exit_code=SOME_FAILED)
    [left] = scene.uploads()
    why = scene.reasons()["a"]
    assert "UploadPart" in why and left["UploadId"] in why
    assert left["UploadId"] in scene.command("status", "--failed").stdout


@pytest.mark.parametrize("action", ["error-200=InvalidPart", "status=400 code=InvalidPart"])
def test_parts_are_not_sent_again_because_a_completion_was_refused_for_them(scene, action):
    """Case 12."""
    body = os.urandom(4 * PART)
    scene.endpoint.fault(f"CompleteMultipartUpload nth=1 {action}")
    scene.run(upload(scene.files({"a": body})), part_size=PART)
    assert sent_parts(scene) == [1, 2, 3, 4]
    assert scene.stored() == {"a": body}


@pytest.mark.parametrize("killed", [False, True])
def test_only_the_part_that_was_lost_is_sent_again(scene, killed):
    """Cases 6 and 12. Somebody has put another part in its place."""
    body = os.urandom(4 * PART)
    scene.endpoint.fault("CompleteMultipartUpload nth=1 gate=here")
    running = scene.start_run(upload(scene.files({"a": body})), part_size=PART)
    scene.endpoint.wait_at("here")
    scene.s3.upload_part(Bucket=BUCKET, Key="a", PartNumber=3, Body=os.urandom(PART),
                         UploadId=scene.uploads()[0]["UploadId"])
    scene.endpoint.reset()
    if killed:
        running.kill()
        running.communicate()
        scene.endpoint.clear()
        scene.resume()
    else:
        scene.endpoint.open("here")
        scene.end(running)
    assert sent_parts(scene) == [3]
    scene.assert_right_end(objects={"a": body})


def test_a_part_that_stays_lost_is_a_failure_in_the_end(scene):
    """Case 12."""
    scene.endpoint.fault("CompleteMultipartUpload always status=400 code=InvalidPart")
    scene.run(upload(scene.files({"a": os.urandom(2 * PART)})), part_size=PART,
              exit_code=SOME_FAILED)
    assert "InvalidPart" in scene.reasons()["a"]
    assert scene.uploads() == []


@pytest.mark.parametrize("head", ["403", "404", "500"])
def test_a_completion_whose_reply_was_lost_is_no_failure(scene, head):
    """Case 9."""
    body = os.urandom(3 * PART)
    scene.endpoint.fault("CompleteMultipartUpload nth=1 drop-after\n"
                         f"HeadObject always status={head}")
    done = scene.run(upload(scene.files({"a": body})), part_size=PART, exit_code=None)
    if done.returncode == PAUSED:
        assert scene.states() == {"a": "completing"}
        scene.endpoint.clear()
        scene.resume()
    else:
        assert done.returncode == DONE, done.stderr
    scene.assert_right_end(objects={"a": body})


@pytest.mark.parametrize("operation", [
    "ListMultipartUploads", "ListParts", "AbortMultipartUpload"])
def test_an_upload_that_nobody_knows_of_is_not_forgotten_while_keys_are_expired(scene, operation):
    """Cases 1 and 45."""
    body = os.urandom(2 * PART)
    scene.endpoint.fault("CreateMultipartUpload nth=1 drop-after\n"
                         f"{operation} always status=400 code=ExpiredToken")
    done = scene.run(upload(scene.files({"a": body})), part_size=PART, exit_code=PAUSED)
    assert "ExpiredToken" in refusal(done)
    scene.endpoint.clear()
    assert scene.uploads() != []
    scene.resume()
    scene.assert_right_end(objects={"a": body})


def test_an_upload_is_not_forgotten_while_its_bucket_is_away(scene):
    """Case 18."""
    scene.endpoint.fault("UploadPart always status=403 code=AccessDenied\n"
                         "AbortMultipartUpload always status=404 code=NoSuchBucket\n"
                         "ListParts always status=404 code=NoSuchBucket")
    body = os.urandom(2 * PART)
    done = scene.run(upload(scene.files({"a": body})), part_size=PART, exit_code=PAUSED)
    assert "NoSuchBucket" in refusal(done)
    scene.endpoint.clear()
    scene.resume()
    scene.assert_right_end(objects={"a": body})


@pytest.mark.parametrize("named", [True, False])
def test_keys_that_expire_before_a_HEAD_pause_the_run(scene, named):
    """Case 45: its reply has no body to say so, when it is planned and when all begins again."""
    scene.objects(["a"])
    refused = "status=400 code=ExpiredToken"
    scene.endpoint.fault(f"HeadObject always {refused}\nGetObject nth=2 {refused}\n" + (
        f"GetObject nth=1 {refused}" if named else "GetObject nth=1 replace-object"))
    job = download("a", scene.out + "a") if named else download("", scene.out)
    assert "ExpiredToken" in refusal(scene.run(job, exit_code=PAUSED))
    scene.endpoint.clear()
    scene.resume()
    scene.assert_right_end(files=scene.stored())


@pytest.mark.parametrize("may_get", [True, False])
def test_a_named_object_that_may_not_be_looked_at_is_no_matter_of_the_others(scene, may_get):
    bodies = {"a": b"first", "b": b"second"}
    scene.objects(bodies)
    scene.endpoint.fault("HeadObject key=a always status=403" + (
        "" if may_get else "\nGetObject key=a always status=403 code=AccessDenied"))
    scene.run(download("a", scene.out + "a"), download("b", scene.out + "b"),
              exit_code=DONE if may_get else SOME_FAILED)
    failed = [] if may_get else ["a"]
    scene.assert_right_end(SOME_FAILED if failed else DONE, failed=failed, files={
        name: body for name, body in bodies.items() if name not in failed})
    assert all("AccessDenied" in why for why in scene.reasons().values())


def test_an_empty_object_that_may_be_looked_at_again_is_no_failure(scene):
    scene.objects({"a": b""})
    scene.endpoint.fault("HeadObject nth=1 status=403")
    scene.run(download("a", scene.out + "a"))
    scene.assert_right_end(files={"a": b""})


@pytest.mark.parametrize("size", [1, PART, PART + 1])
def test_an_object_that_came_with_too_many_bytes_is_fetched_again(scene, size):
    """Case 23."""
    body = os.urandom(size)
    scene.objects({"a": body})
    scene.endpoint.fault("GetObject nth=1 extra-bytes=3")
    scene.run(download("", scene.out), part_size=PART)
    scene.assert_right_end(files={"a": body})


# ---- Clocks, disks and limits: a shim fails what the test names ----


def make_older(scene, ms):
    """All open uploads were begun that much earlier."""
    for path in pathlib.Path(scene.endpoint.root).glob("uploads/*/*"):
        began, *rest = path.read_bytes().split(b" ", 1)
        if rest and began.isdigit() and len(began) == 13:
            path.write_bytes(b"%d %s" % (int(began) - ms, rest[0]))
    scene.endpoint.restart()


@pytest.mark.parametrize("off_s", [-30, 0, 30])
def test_only_our_own_lost_upload_is_aborted_whatever_the_clock_says(scene, shim, off_s):
    """Case 1."""
    body = os.urandom(2 * PART)
    older = scene.s3.create_multipart_upload(Bucket=BUCKET, Key="a")["UploadId"]
    make_older(scene, 10_000)
    scene.endpoint.fault("CreateMultipartUpload nth=1 drop-after")
    job = scene.manifest(upload(scene.files({"a": body}) + "a", "a"), part_size=PART)
    scene.command("run", job, **shim(CLOCK_OFF_S=off_s))
    assert scene.endpoint.count("CreateMultipartUpload") == 2
    assert [u["UploadId"] for u in scene.uploads()] == [older]
    assert scene.stored() == {"a": body}


def fetch(scene, shim, objects, exit_code, **variables):
    scene.objects(objects, "p/")
    scene.endpoint.reset()
    job = scene.manifest(download("p/", scene.out), part_size=PART)
    return scene.command("run", job, exit_code=exit_code, **shim(**variables))


@pytest.mark.parametrize("size", [1, 2 * PART])
def test_a_time_that_can_not_be_set_is_a_warning(scene, shim, size):
    body = os.urandom(size)
    done = fetch(scene, shim, {"a": body}, DONE, FAIL_FUTIMENS=errno.EPERM)
    assert "time_not_set" in done.stderr and os.strerror(errno.EPERM) in done.stderr
    assert tree(scene.out) == {"a": body}


@pytest.mark.parametrize("size, parts", [(PART, 1), (PART + 1, 2)])
def test_a_disk_that_can_not_keep_a_file_is_tried_a_few_times(scene, shim, size, parts):
    """Case 61. Six large ranges: of more haul would replace the slowest."""
    fetch(scene, shim, {"a": os.urandom(size)}, SOME_FAILED, FAIL_FSYNC=errno.EIO)
    assert os.strerror(errno.EIO) in scene.reasons()["a"]
    assert scene.endpoint.count("GetObject") == 6 * parts
    assert tree(scene.out) == {}


@pytest.mark.parametrize("parts", [1, 2])
def test_a_file_that_was_not_kept_once_is_fetched_again(scene, shim, parts):
    """Case 61."""
    body = os.urandom(parts * PART)
    fetch(scene, shim, {"a": body}, DONE, FAIL_FSYNC=f"{errno.EIO}:1")
    assert scene.endpoint.count("GetObject") == 2 * parts
    assert tree(scene.out) == {"a": body}


@pytest.mark.parametrize("parts", [1, 2])
def test_a_file_that_can_not_be_closed_is_fetched_again(scene, shim, parts):
    """Case 62."""
    body = os.urandom(parts * PART)
    fetch(scene, shim, {"a": body}, DONE, FAIL_CLOSE=f"{errno.EIO}:1")
    assert scene.endpoint.count("GetObject") == 2 * parts
    assert tree(scene.out) == {"a": body}


@pytest.mark.parametrize("parts", [1, 2])
def test_a_folder_that_can_not_keep_a_name_makes_nothing_done(scene, shim, parts):
    """Case 63. The folder's sync fails after each rename; before any range is asked for."""
    body = os.urandom(parts * PART)
    fetch(scene, shim, {"a": body}, SOME_FAILED, FAIL_FOLDER=errno.EIO)
    assert os.strerror(errno.EIO) in scene.reasons()["a"]
    assert scene.endpoint.count("GetObject") == (6 if parts == 1 else 0)
    assert tree(scene.out) in ({}, {"a": body})


def test_files_that_were_not_kept_together_are_fetched_again(scene, shim):
    """Case 61."""
    files = {f"{n:03}": b"%d" % n for n in range(200)}
    fetch(scene, shim, files, DONE, FAIL_SYNCFS=f"{errno.EIO}:1")
    assert scene.endpoint.count("GetObject") > 200
    assert tree(scene.out) == files


@pytest.mark.parametrize("cause", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("parts", [1, 3])
def test_a_disk_that_is_full_when_it_syncs_pauses_the_run(scene, shim, parts, cause):
    """Case 60."""
    body = os.urandom(parts * PART)
    done = fetch(scene, shim, {"a": body}, PAUSED, FAIL_FSYNC=cause)
    line = refusal(done)
    assert os.strerror(cause) in line and scene.out in line and "haul resume" in line
    assert [p for p in tree(scene.out) if not p.endswith(".haul-part")] == []
    scene.assert_right_end(PAUSED)
    scene.endpoint.reset()
    scene.resume()
    scene.assert_right_end(files={"a": body})
    assert scene.endpoint.count("GetObject") == parts  # nobody knows what that file holds


@pytest.mark.parametrize("single", [False, True])
def test_what_lies_on_a_disk_that_is_gone_is_used_when_it_is_back(scene, single):
    body = os.urandom(5 * PART)
    scene.objects({"p/a": body})
    disk, away = scene.folder / "disk", scene.folder / "away"
    disk.mkdir()
    job = download("p/a", f"{disk}/out/a") if single else download("p/", f"{disk}/out/")
    kill_after_parts(scene, 3, job, operation="GetObject")
    disk.rename(away)
    for _ in range(2):
        assert f"{disk}/out/" in refusal(scene.resume(exit_code=PAUSED))
        if not disk.exists():
            disk.mkdir()  # the place where it would be mounted
    assert tree(disk) == {}
    disk.rmdir()
    away.rename(disk)
    scene.resume()
    assert tree(disk) == {"out/a": body}
    assert fetched_ranges(scene) == [f"bytes={n * PART}-{(n + 1) * PART - 1}" for n in (3, 4)]


def limited(files):
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))}


@pytest.mark.parametrize("files", [32, 64, 96])
def test_too_few_open_files_are_named(scene, files):
    job = scene.manifest(upload(scene.files(["a"])), concurrency=64)
    line = refusal(scene.command("run", job, exit_code=USAGE, **limited(files)))
    assert f"{files} open files" in line and "ulimit -n" in line
    scene.command("run", job)
    assert scene.keys() == ["a"]


@pytest.mark.parametrize("files, concurrency", [(128, 16), (256, 64), (1024, 256)])
def test_few_open_files_are_enough(scene, files, concurrency):
    names = [f"{n:03}" for n in range(500)]
    scene.endpoint.fault("* always delay-ms=5")
    for name, transfer in [("up", upload(scene.files(names))), ("down", download("", scene.out))]:
        job = scene.manifest(transfer, name=name, concurrency=concurrency)
        scene.command("run", job, **limited(files))
    assert tree(scene.out) == {name: name.encode() for name in names}
