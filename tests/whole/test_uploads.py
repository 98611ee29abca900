"""One upload, and a server that doesn't do as it should: replies that are lost or mean nothing,
parts that come late, twice or never, uploads that end without us. What counts is what stands
there in the end, and what is left open.
"""

import contextlib
import os
import pathlib
import signal
import sqlite3

import pytest
from queuefile import PAUSED, SOME_FAILED
from scene import BUCKET, PART, Scene, refusal, until, upload


def kill(scene, running):
    running.kill()
    running.communicate()


def send(scene, body, **manifest):
    return scene.run(upload(scene.files({"a": body})), part_size=PART, **manifest)


def assert_alone(scene, body):
    """This object is there, done, and nothing is left open."""
    assert scene.stored() == {"a": body}
    assert scene.uploads() == []
    assert scene.states() == {"a": "done"}


def sent_parts(scene):
    return sorted(entry["part"] for entry in scene.endpoint.log("UploadPart"))


# ---- Replies that are lost or mean nothing ----


def send_each(scene, operation, faults, size=2 * PART + 1, **manifest):
    """A run of an object for each fault, which strikes that operation. They all get there."""
    bodies = {f"o{n:02}": os.urandom(size) for n in range(len(faults))}
    scene.endpoint.fault("\n".join(
        f"{operation} key=o{n:02} {fault}" for n, fault in enumerate(faults)))
    scene.run(upload(scene.files(bodies)), part_size=PART, **manifest)
    assert scene.stored() == bodies
    assert scene.uploads() == []


def test_an_upload_without_an_id_is_begun_again(scene):
    """Cases 1 and 2. What was created without our learning its id is aborted."""
    send_each(scene, "CreateMultipartUpload", [
        "every=1 count=2 no-upload-id", "nth=1 empty-200-after", "nth=1 drop-after",
        "nth=1 status-after=500", "nth=1 error-200-after=InternalError", "nth=1 truncate=60"])


def test_an_upload_that_never_has_an_id_is_no_success(scene):
    """Case 2."""
    scene.endpoint.fault("CreateMultipartUpload always no-upload-id")
    assert "no upload id" in refusal(send(scene, os.urandom(2 * PART), exit_code=PAUSED))
    scene.endpoint.clear()
    scene.resume()
    assert scene.uploads() == []
    assert scene.states() == {"a": "done"}


def test_a_part_whose_reply_is_lost_or_void_is_sent_again_from_its_first_byte(scene):
    """Cases 3, 7 and 57."""
    actions = ["drop-after", "status-after=500", "reset-mid-body=3000000", "drop-before", "no-etag",
               "status=500 early", "error-200=InternalError", "empty-200"]
    send_each(scene, "UploadPart part=2", [f"every=1 count=2 {action}" for action in actions])
    assert sent_parts(scene) == sorted([1, 2, 2, 2, 3] * len(actions))


def test_a_completion_counts_when_the_server_says_what_it_made(scene):
    """Cases 8 and 9. Where an earlier try was carried out, the object there proves it."""
    faults = [
        "nth=1 error-200=InternalError", "nth=1 error-200-after=InternalError",
        "nth=1 empty-200", "nth=1 empty-200-after", "nth=1 truncate=30", "nth=1 status=200 html",
        "nth=1 status-after=200 html", "nth=1 status-after=503 html", "nth=1 drop-after",
        "every=1 count=3 empty-200-after"]
    send_each(scene, "CompleteMultipartUpload", faults, retries=4)
    assert sent_parts(scene) == sorted([1, 2, 3] * len(faults))


def test_an_error_under_status_200_is_the_completion_s(scene):
    """Case 8."""
    scene.endpoint.fault("CompleteMultipartUpload always error-200=AccessDenied")
    send(scene, os.urandom(2 * PART), exit_code=SOME_FAILED)
    assert "AccessDenied" in scene.reasons()["a"]
    assert (scene.keys(), scene.uploads()) == ([], [])


@pytest.mark.parametrize("other", ["none", "same size", "other size"])
def test_an_upload_that_is_gone_when_it_completes_is_not_taken_for_done(scene, other):
    """Case 9. Somebody ends it, and puts an object of theirs in its place, as if it were
    haul's."""
    body = os.urandom(2 * PART)
    theirs = {"none": None, "same size": body, "other size": b"theirs"}[other]
    scene.endpoint.fault("CompleteMultipartUpload nth=1 gate=here")
    running = scene.start_run(upload(scene.files({"a": body})), part_size=PART)
    scene.endpoint.wait_at("here")
    [ours] = scene.uploads()
    scene.s3.abort_multipart_upload(Bucket=BUCKET, Key="a", UploadId=ours["UploadId"])
    if theirs:
        scene.s3.put_object(Bucket=BUCKET, Key="a", Body=theirs, Metadata={"haul": "0" * 32})
    scene.endpoint.open("here")
    assert "object_restarted" in scene.end(running).stderr
    assert sent_parts(scene) == [1, 1, 2, 2]
    assert_alone(scene, body)


def test_a_conflict_at_the_completion_is_a_new_upload(scene):
    """Case 10."""
    body = os.urandom(2 * PART)
    scene.endpoint.fault(
        "CompleteMultipartUpload nth=1 status=409 code=ConditionalRequestConflict")
    send(scene, body)
    assert scene.endpoint.count("CreateMultipartUpload") == 2
    assert_alone(scene, body)


def test_parts_that_are_too_small_for_the_server_are_called_our_fault(scene):
    """Case 12."""
    scene.endpoint.fault("CompleteMultipartUpload always status=400 code=EntityTooSmall")
    send(scene, os.urandom(2 * PART), exit_code=SOME_FAILED)
    why = scene.reasons()["a"]
    assert "EntityTooSmall" in why and "part_size" in why
    assert scene.uploads() == []


# ---- Late parts, many parts ----


@pytest.mark.parametrize("changed", [False, True])
def test_a_part_that_lands_late_harms_nothing(scene, changed):
    """Case 4. A killed process has sent it; it lands when the next one is about to complete. It is
    so small that it has left haul whole, and lies unread at the server."""
    body = os.urandom(2 * PART + 1000)
    source = scene.files({"a": body})
    scene.endpoint.fault("UploadPart part=3 nth=1 gate=late")
    running = scene.start_run(upload(source), part_size=PART)
    scene.endpoint.wait_at("late")
    kill(scene, running)
    [first] = scene.uploads()
    if changed:
        body = os.urandom(2 * PART + 1000)
        scene.files({"a": body})
    scene.endpoint.fault("CompleteMultipartUpload nth=1 gate=end")
    running = scene.start("resume")
    scene.endpoint.wait_at("end")
    [second] = scene.uploads()
    assert (first["UploadId"] == second["UploadId"]) == (not changed)
    scene.endpoint.open("late")
    until(lambda: scene.endpoint.stats()["in_flight"] == 1)
    assert [entry["status"] for entry in scene.endpoint.log("UploadPart")
            if (entry["part"], entry["upload_id"]) == (3, first["UploadId"])] == (
                [404] if changed else [200, 200])
    scene.endpoint.open("end")
    scene.end(running)
    assert_alone(scene, body)


@pytest.fixture
def small_parts(scene, new_endpoint):
    """small_parts(bytes, parts): a scene with a run that was killed before its first part, and
    whose parts are as small as no manifest may have them: its queue says so."""
    scene = Scene(scene.haul, new_endpoint("--min-part", "1"), scene.folder)

    def begun(body, count):
        job = scene.manifest(upload(scene.files({"a": body})), part_size=PART)
        scene.command("run", job, exit_code=-signal.SIGKILL, program=scene.haul.steps,
                      env={"HAUL_KILL_AT": "upload.moving"})
        with contextlib.closing(sqlite3.connect(scene.queues()[0])) as db:
            db.execute("UPDATE motion SET part_bytes = ?", [len(body) // count])
            db.commit()
        return scene

    return begun


def test_of_ten_thousand_parts_only_those_that_are_missing_or_strange_are_sent_again(small_parts):
    """Cases 5, 6 and 14. Two never came, others have replaced four. Of some, two of these among
    them, there is no record: there the bytes decide."""
    body = os.urandom(10_000 * 1024)
    scene = small_parts(body, 10_000)
    scene.endpoint.fault("UploadPart part=700 always gate=a\nUploadPart part=9999 always gate=b")
    running = scene.start("resume")
    for gate in "ab":
        scene.endpoint.wait_at(gate, timeout=300)
    until(lambda: scene.rows("SELECT count(*) FROM part") == [(9998,)])
    kill(scene, running)
    scene.endpoint.restart(signal.SIGKILL)  # with what hung there
    [ours] = scene.uploads()
    for number, strange in [(300, os.urandom(1024)), (5000, b"x"),
                            (1001, b"x"), (5001, os.urandom(1024))]:
        scene.s3.upload_part(Bucket=BUCKET, Key="a", UploadId=ours["UploadId"],
                             PartNumber=number, Body=strange)
    with contextlib.closing(sqlite3.connect(scene.queues()[0])) as db:
        db.execute("DELETE FROM part WHERE number % 1000 = 1")
        db.commit()
    scene.endpoint.reset()
    scene.resume()
    assert sent_parts(scene) == [300, 700, 1001, 5000, 5001, 9999]
    assert scene.endpoint.count("ListParts") == 10
    assert_alone(scene, body)


# ---- Uploads that end badly ----


@pytest.mark.parametrize("aborts", [1, 3])
def test_an_upload_is_aborted_until_it_is_gone(scene, aborts):
    """Case 18. A part that was still being stored outlives an abort."""
    scene.endpoint.fault("UploadPart part=2 always status=403 code=AccessDenied\n"
                         f"AbortMultipartUpload every=1 count={aborts} status=204")
    send(scene, os.urandom(3 * PART), exit_code=SOME_FAILED)
    assert scene.uploads() == []
    assert scene.endpoint.count("AbortMultipartUpload") == aborts + 1
    assert "still open" not in scene.reasons()["a"]


def test_nothing_is_aborted_before_its_parts_have_ended(scene):
    """Case 18."""
    scene.endpoint.fault("UploadPart part=2 always status=403 code=AccessDenied\n"
                         "UploadPart part=1 always gate=here")
    running = scene.start_run(upload(scene.files({"a": os.urandom(3 * PART)})), part_size=PART)
    scene.endpoint.wait_at("here")
    until(lambda: any(entry["part"] == 2 for entry in scene.endpoint.log("UploadPart")))
    until(lambda: scene.endpoint.stats()["in_flight"] == 1)
    assert scene.endpoint.count("AbortMultipartUpload") == 0
    scene.endpoint.open("here")
    scene.end(running, SOME_FAILED)
    order = [entry["op"] for entry in scene.endpoint.log()]
    assert order.index("AbortMultipartUpload") > max(
        n for n, op in enumerate(order) if op == "UploadPart")
    assert scene.uploads() == []


def test_an_upload_that_can_not_be_got_rid_of_is_named(scene):
    """Case 18."""
    scene.endpoint.fault("UploadPart part=2 always status=403 code=AccessDenied\n"
                         "AbortMultipartUpload always status=204")
    send(scene, os.urandom(3 * PART), exit_code=SOME_FAILED)
    [left] = scene.uploads()
    assert left["UploadId"] in scene.reasons()["a"]


@pytest.mark.parametrize("operation", ["UploadPart", "CompleteMultipartUpload"])
def test_a_failure_ends_our_upload_and_nobody_else_s(scene, operation):
    """Case 19. Theirs is of the same key, and younger than ours."""
    scene.endpoint.fault(f"{operation} always gate=here\n"
                         f"{operation} always status=403 code=AccessDenied")
    theirs = [scene.s3.create_multipart_upload(Bucket=BUCKET, Key="a")["UploadId"]]
    running = scene.start_run(upload(scene.files({"a": os.urandom(2 * PART)})), part_size=PART)
    scene.endpoint.wait_at("here")
    theirs += [scene.s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
               for key in ("a", "ab")]
    scene.endpoint.open("here")
    scene.end(running, SOME_FAILED)
    assert sorted(u["UploadId"] for u in scene.uploads()) == sorted(theirs)
    assert scene.keys() == []


# ---- Sources ----


@pytest.mark.parametrize("size", [3 * PART, PART + 1, 0])
def test_a_file_that_shrinks_or_grows_while_it_is_sent_is_sent_under_another_id(scene, size):
    """Case 15. It is the same file all the time, cut or lengthened in its place while the body
    of a part is on its way."""
    source = scene.files({"a": os.urandom(2 * PART)})
    scene.endpoint.fault("UploadPart part=2 nth=1 trickle=4000000 gate=here")
    running = scene.start_run(upload(source), part_size=PART)
    until(lambda: any(entry["part"] == 1 for entry in scene.endpoint.log("UploadPart")))
    os.truncate(source + "a", size)
    scene.endpoint.clear()
    assert "object_restarted" in scene.end(running).stderr
    assert_alone(scene, pathlib.Path(source + "a").read_bytes())
    assert scene.endpoint.count("CreateMultipartUpload") == (2 if size > PART else 1)


def test_an_object_has_a_largest_size(scene, small_disk):
    """Case 13."""
    disk = small_disk("1m")
    (disk.folder / "a").touch()
    os.truncate(disk.folder / "a", (10_000 * 5 << 30) + 1)
    scene.run(upload(f"{disk.folder}/"), exit_code=SOME_FAILED)
    for words in ("48.8 TiB", "10,000 parts", "5 GiB"):
        assert words in scene.reasons()["a"]
    assert scene.endpoint.log("CreateMultipartUpload") == []
