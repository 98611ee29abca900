"""One download, and a server that doesn't send what it should: other bytes than were asked for,
too few, too many, another object's, damaged ones. The final name holds the whole object, or what
stood there before.
"""

import base64
import gzip
import os

import pytest
from queuefile import DONE, PAUSED, SOME_FAILED
from scene import BUCKET, PART, download, tree


OLDER = b"an older file"
# Bytes: of one request, of two ranges and of three. Where requests are counted, fewer than eight
# large ranges come: from eight on haul knows how long they take, and replaces the slowest.
ONE, TWO, THREE = 1000, PART + 1, 2 * PART + 1
# What may come instead of a range, or of an object that is asked for at once.
WRONG = ["truncate=500", "reset-mid-body=500", "drop-after", "empty-200", "extra-bytes",
         "error-200=InternalError", "status=502 html", "status=200 html"]
WRONG_RANGE = ["ignore-range", "content-range=bytes 0-4/9", "content-range=nonsense",
               f"content-range=bytes 0-{PART - 1}/{THREE + 1}"]


def fetch(scene, objects, *faults, to=None, **manifest):
    """A run that downloads these objects; an older file `a` is there."""
    scene.objects(objects, "p/")
    scene.files({"a": OLDER}, below="out")
    scene.endpoint.reset()
    scene.endpoint.fault("\n".join(faults))
    return scene.run(to or download("p/", scene.out), part_size=PART, **manifest)


def published(scene):
    """The files that anybody would take for whole."""
    return {name: body for name, body in tree(scene.out).items()
            if not name.endswith(".haul-part")}


# ---- Other bytes than were asked for ----


@pytest.mark.parametrize("size", [ONE, THREE])
def test_what_is_not_what_was_asked_for_is_asked_for_again(scene, size):
    """Cases 22 and 23. An object for each of them."""
    first, actions = ("", WRONG) if size == ONE else ("range=0 ", WRONG + WRONG_RANGE)
    bodies = {f"o{n:02}": os.urandom(size) for n in range(len(actions))}
    fetch(scene, bodies, *(f"GetObject key=o{n:02} {first}nth=1 {action}"
                           for n, action in enumerate(actions)))
    assert tree(scene.out) == {"a": OLDER} | bodies
    assert scene.endpoint.count("GetObject") >= len(actions) * (2 if size == ONE else 4)


@pytest.mark.parametrize("size", [ONE, THREE])
def test_a_server_that_never_sends_it_leaves_the_older_file(scene, size):
    """Cases 22, 23 and 28. Others come meanwhile, so the fault is those objects' own."""
    first, actions = ("", WRONG) if size == ONE else (
        f"range={PART} ", WRONG + WRONG_RANGE)
    actions = [action.replace("=500", "=0") for action in actions]  # else it goes on from there
    bodies = {f"o{n:02}": os.urandom(size) for n in range(len(actions))}
    older = {name: OLDER for name in bodies}
    scene.files(older, below="out")
    good = {f"good{n:03}": b"good" for n in range(300)}
    done = fetch(scene, bodies | good, "GetObject key=good always delay-ms=20", *(
        f"GetObject key=o{n:02} {first}always {action}" for n, action in enumerate(actions)),
        retries=1, exit_code=None)
    assert done.returncode in (SOME_FAILED, PAUSED), done.stderr
    assert {name: published(scene)[name] for name in older} == older
    scene.endpoint.clear()
    scene.command("resume" if done.returncode == PAUSED else "status", exit_code=None)
    found, states = tree(scene.out), scene.states()
    assert found == {"a": OLDER} | {
        name: body if states[name] == "done" else OLDER
        for name, body in (bodies | good).items()}


@pytest.mark.parametrize("etag", ["no-etag", 'etag=W/"weak"'])
def test_what_no_etag_pins_comes_in_one_stream(scene, etag):
    """Case 25."""
    body = os.urandom(THREE)
    one = download("p/a", f"{scene.out}a")
    fetch(scene, {"a": body}, f"HeadObject always {etag}\nGetObject always {etag}", to=one)
    assert tree(scene.out) == {"a": body}
    [request] = scene.endpoint.headers("GetObject")
    assert not {"range", "if-match"} & request.keys()


@pytest.mark.parametrize("size", [ONE, THREE])
def test_stored_bytes_are_written_as_they_are_whatever_their_encoding(scene, size):
    """Case 26."""
    packed = gzip.compress(os.urandom(size))
    scene.s3.put_object(Bucket=BUCKET, Key="p/b", Body=packed, ContentEncoding="gzip")
    fetch(scene, {})
    assert tree(scene.out) == {"a": OLDER, "b": packed}
    for request in scene.endpoint.headers("GetObject"):
        assert request.get("accept-encoding", "identity") == "identity"


def test_an_etag_that_is_no_md5_is_only_a_name(scene):
    """Case 16. As of parts, and of what a key of the server's encrypts."""
    bodies = {"parts": os.urandom(ONE), "one": os.urandom(ONE), "three": os.urandom(THREE)}
    key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key"}
    for name in "one", "three":
        scene.s3.put_object(Bucket=BUCKET, Key=f"p/{name}", Body=bodies[name], **key)
    where = {"Bucket": BUCKET, "Key": "p/parts"}
    where["UploadId"] = scene.s3.create_multipart_upload(**where)["UploadId"]
    part = scene.s3.upload_part(**where, PartNumber=1, Body=bodies["parts"])
    scene.s3.complete_multipart_upload(
        **where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    fetch(scene, {})
    assert tree(scene.out) == {"a": OLDER} | bodies
    assert scene.endpoint.count("GetObject") == 5


# ---- Damaged bytes ----


def crc32c(data):
    """botocore has none of its own."""
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
        table.append(crc)
    crc = 0xffffffff
    for byte in data:
        crc = table[(crc ^ byte) & 0xff] ^ crc >> 8
    return base64.b64encode((crc ^ 0xffffffff).to_bytes(4, "big")).decode()


def checksummed(scene, kind, size):
    """An object p/KIND. with its checksum, for {"KIND.": its body}."""
    body = os.urandom(size)
    scene.s3.put_object(Bucket=BUCKET, Key=f"p/{kind}.", Body=body, **(
        {"ChecksumCRC32C": crc32c(body)} if kind == "CRC32C" else {"ChecksumAlgorithm": kind}))
    return {f"{kind}.": body}


@pytest.mark.parametrize("kind", ["CRC32C", "CRC32", "SHA1", "SHA256"])
@pytest.mark.parametrize("size, again", [(ONE, 1), (THREE, 3)])
def test_damaged_bytes_are_fetched_again(scene, kind, size, again):
    """Case 27. The server tells a checksum of the whole, of one kind or another."""
    bodies = checksummed(scene, kind, size)
    first = "range=0 " if size == THREE else ""
    fetch(scene, {}, f"GetObject {first}nth=1 flip-bit=77")
    assert tree(scene.out) == {"a": OLDER} | bodies
    assert scene.endpoint.count("GetObject") == 2 * again


@pytest.mark.parametrize("size", [ONE, TWO])
def test_bytes_that_are_always_damaged_are_never_published(scene, size):
    """Cases 27 and 28. They are fetched a bounded number of times."""
    scene.s3.put_object(
        Bucket=BUCKET, Key="p/a", Body=os.urandom(size), ChecksumAlgorithm="CRC32")
    done = fetch(scene, {}, "GetObject always flip-bit=77", exit_code=SOME_FAILED)
    assert "another checksum" in done.stderr
    assert published(scene) == {"a": OLDER}
    assert scene.endpoint.count("GetObject") <= 6 * 2


@pytest.mark.parametrize("kind, exit_code", [("CRC32C", DONE), ("CRC32", SOME_FAILED)])
def test_the_file_is_read_again_only_for_a_checksum_of_another_kind(scene, kind, exit_code):
    """Case 27. Here no file can be read: only the other kind's comparison notices."""
    bodies = checksummed(scene, kind, THREE)
    scene.files({"a": OLDER}, below="out")
    scene.command("run", scene.manifest(download("p/", scene.out), part_size=PART),
                  program=os.environ["HAUL_FAULTS"], env={"HAUL_FAIL": "pread:1-:EIO"},
                  exit_code=exit_code)
    assert published(scene) == {"a": OLDER} | (bodies if exit_code == DONE else {})


def test_a_composite_checksum_says_nothing_of_the_whole(scene):
    """Case 17. It is told with its type, and not held against the bytes."""
    body = os.urandom(THREE)
    where = {"Bucket": BUCKET, "Key": "p/b"}
    where["UploadId"] = scene.s3.create_multipart_upload(
        **where, ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for number, piece in enumerate([body[:PART], body[PART:2 * PART], body[2 * PART:]], 1):
        part = scene.s3.upload_part(
            **where, PartNumber=number, Body=piece, ChecksumAlgorithm="SHA256")
        parts.append({"PartNumber": number, "ETag": part["ETag"],
                      "ChecksumSHA256": part["ChecksumSHA256"]})
    scene.s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    fetch(scene, {})
    assert tree(scene.out) == {"a": OLDER, "b": body}


# ---- What can't be had ----


@pytest.mark.parametrize("fault, word", [
    ("GetObject key=c always status=403 code=InvalidObjectState", "InvalidObjectState"),
    ("GetObject key=c always status=404 code=NoSuchKey header=x-amz-delete-marker:true",
     "NoSuchKey"),
    ("GetObject key=c always status=405 code=MethodNotAllowed", "MethodNotAllowed")])
def test_what_is_archived_or_deleted_is_one_failure_with_its_name(scene, fault, word):
    """Case 29."""
    fetch(scene, {"b": b"b", "c": os.urandom(THREE)}, fault, exit_code=SOME_FAILED)
    assert word in scene.reasons()["c"]
    assert tree(scene.out) == {"a": OLDER, "b": b"b"}


def test_an_object_below_a_delete_marker_is_named(scene):
    """Case 29."""
    scene.s3.put_bucket_versioning(
        Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    scene.objects(["x"])
    scene.s3.delete_object(Bucket=BUCKET, Key="x")
    scene.run(download("x", f"{scene.out}x"), exit_code=SOME_FAILED)
    [why] = scene.reasons().values()
    assert "no object x" in why
    assert not os.path.exists(scene.out + "x")
