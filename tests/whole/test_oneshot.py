"""The one-shot commands, against a real Ceph gateway, with boto3 as the second opinion; and what
only the scripted endpoint can do to them.
"""

import hashlib
import json
import os
import signal
import subprocess

import pytest

MIB = 1 << 20


class Shell:
    """haul's one-shot commands in a folder of their own, on the real server."""

    def __init__(self, haul, server, bucket, folder):
        self.haul, self.server, self.bucket, self.folder = haul, server, bucket, folder
        self.s3 = server.boto()
        self.at = f"s3://{bucket}/"

    def __call__(self, *args, exit_code=0, **popen):
        done = self.haul.run(*args, env=self.server.env, **({"cwd": self.folder} | popen))
        assert done.returncode == exit_code, done.stderr
        return done

    def rows(self, *args):
        return [json.loads(line) for line in self(*args, "--json").stdout.splitlines()]

    def put(self, key, body=b"x", **more):
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **more)

    def body(self, key):
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def keys(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


@pytest.fixture
def shell(haul, ceph, bucket, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    return Shell(haul, ceph, bucket, folder)


def write(shell, name, data):
    path = shell.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# ---- put, get, cat


@pytest.mark.parametrize("size", [0, 1, 8 * MIB, 8 * MIB + 1, 20 * MIB])
def test_a_file_that_is_put_is_read_by_boto3_and_got_back(shell, size):
    data = os.urandom(size)
    write(shell, "file", data)
    shell("put", "file", shell.at + "deep/name")
    assert shell.body("deep/name") == data
    shell("get", shell.at + "deep/name", "back")
    assert (shell.folder / "back").read_bytes() == data
    assert sorted(os.listdir(shell.folder)) == ["back", "file"]


def test_put_into_a_prefix_keeps_the_files_name_and_get_takes_the_keys(shell):
    write(shell, "a file", b"abc")
    shell("put", "a file", shell.at + "below/")
    assert shell.keys() == ["below/a file"]
    (shell.folder / "sub").mkdir()
    shell("get", shell.at + "below/a file", "sub")
    assert (shell.folder / "sub/a file").read_bytes() == b"abc"
    (shell.folder / "a file").unlink()
    shell("get", shell.at + "below/a file")
    assert (shell.folder / "a file").read_bytes() == b"abc"


@pytest.mark.parametrize("size", [0, 1, 16 * MIB, 16 * MIB + 1, 40 * MIB])
def test_standard_input_of_any_length_becomes_an_object_and_cat_prints_it(shell, size):
    data = os.urandom(size)
    write(shell, "data", data)
    command = f"cat data | {shell.haul.program} put - {shell.at}pipe"
    env = shell.haul.env | shell.server.env
    subprocess.run(command, shell=True, check=True, env=env, cwd=shell.folder)
    assert shell.body("pipe") == data
    assert "Uploads" not in shell.s3.list_multipart_uploads(Bucket=shell.bucket)
    out = subprocess.run([shell.haul.program, "cat", shell.at + "pipe"], check=True, env=env,
                         stdout=subprocess.PIPE).stdout
    assert hashlib.sha256(out).digest() == hashlib.sha256(data).digest()


def test_cat_prints_several_objects_in_a_row_and_names_the_missing_one(shell):
    shell.put("a", b"one")
    shell.put("b", b"two")
    done = shell("cat", shell.at + "a", shell.at + "gone", shell.at + "b", exit_code=1)
    assert done.stdout == "onetwo"
    assert f"s3://{shell.bucket}/gone: there is no such object" in done.stderr


def test_a_get_that_fails_leaves_the_older_file_and_nothing_beside_it(shell):
    write(shell, "old", b"old")
    done = shell("get", shell.at + "gone", "old", exit_code=1)
    assert "there is no such object" in done.stderr
    assert os.listdir(shell.folder) == ["old"]
    assert (shell.folder / "old").read_bytes() == b"old"


def test_a_content_type_is_guessed_from_the_key(shell):
    write(shell, "page", b"<p>")
    shell("put", "page", shell.at + "index.html")
    assert shell.s3.head_object(Bucket=shell.bucket, Key="index.html")["ContentType"] == "text/html"


# ---- -r


NAMES = ["top", "sub/one", "sub/two.bin", "sub/deeper/ünï 漢字", "odd/plus+and&%25 #?=~'\""]


def test_a_folder_goes_to_a_prefix_and_comes_back_the_same(shell):
    for name in NAMES:
        write(shell, "in/" + name, name.encode())
    done = shell("put", "-r", "in", shell.at + "p/")
    assert "5 objects done" in done.stderr
    assert shell.keys() == sorted("p/" + name for name in NAMES)
    done = shell("get", "-r", shell.at + "p/", "out")
    assert "5 objects done" in done.stderr
    for name in NAMES:
        assert (shell.folder / "out" / name).read_bytes() == name.encode()


def test_keys_that_would_leave_the_folder_are_refused_by_name_and_the_rest_comes(shell):
    shell.put("p/good")
    shell.put("p/x/../../../evil")
    shell.put("p//root")
    (shell.folder / "out").mkdir()
    outside = shell.folder / "outside"
    outside.mkdir()
    (shell.folder / "out/link").symlink_to(outside)
    shell.put("p/link/planted")
    done = shell("get", "-r", shell.at + "p/", "out", exit_code=1)
    assert "1 objects done" in done.stderr and "3 failed" in done.stderr
    assert os.listdir(outside) == []
    assert sorted(os.listdir(shell.folder / "out")) == ["good", "link"]
    assert sorted(os.listdir(shell.folder)) == ["out", "outside"]


def test_a_prefix_is_copied_and_moved(shell):
    for name in NAMES:
        shell.put("p/" + name, name.encode(), Metadata={"owner": "me"})
    shell("cp", "-r", shell.at + "p/", shell.at + "q/")
    shell("mv", "-r", shell.at + "q/", shell.at + "r/")
    assert shell.keys() == sorted([*("p/" + n for n in NAMES), *("r/" + n for n in NAMES)])
    for name in NAMES:
        assert shell.body("r/" + name) == name.encode()
    head = shell.s3.head_object(Bucket=shell.bucket, Key="r/top")
    assert head["Metadata"] == {"owner": "me"}


def test_a_prefix_is_not_copied_into_itself(shell):
    shell.put("p/a")
    done = shell("cp", "-r", shell.at + "p/", shell.at + "p/q/", exit_code=2)
    assert "lies in what is to be copied" in done.stderr
    assert shell.keys() == ["p/a"]


def test_rm_r_removes_a_prefix_of_more_than_a_thousand_keys_and_nothing_beside_it(shell):
    for name in ["p", "pp", "q/a"]:
        shell.put(name)
    folder = shell.folder / "in"
    folder.mkdir()
    for i in range(1100):
        (folder / f"{i}").write_bytes(b"")
    shell("put", "-r", "in", shell.at + "p/")
    assert len(shell.keys()) == 1103
    rows = shell.rows("rm", "-r", shell.at + "p/")
    assert {row["removed"] for row in rows} == {f"p/{i}" for i in range(1100)}
    assert shell.keys() == ["p", "pp", "q/a"]


# ---- cp, mv, rm, stat


def test_an_object_is_copied_with_its_metadata_and_moved(shell):
    shell.put("a", b"abc", ContentType="text/x-a", Metadata={"owner": "me"})
    shell("cp", shell.at + "a", shell.at + "b")
    shell("mv", shell.at + "b", shell.at + "sub/")
    assert shell.keys() == ["a", "sub/b"]
    head = shell.s3.head_object(Bucket=shell.bucket, Key="sub/b")
    assert (head["ContentType"], head["Metadata"]) == ("text/x-a", {"owner": "me"})


@pytest.mark.parametrize("command", ["cp", "mv"])
def test_a_copy_onto_itself_is_refused_and_the_object_stays(shell, command):
    shell.put("a", b"abc")
    shell(command, shell.at + "a", shell.at + "a", exit_code=2)
    assert shell.body("a") == b"abc"


def test_cp_with_a_path_on_one_side_is_put_or_get(shell):
    write(shell, "file", b"abc")
    shell("cp", "file", shell.at)
    shell("cp", shell.at + "file", "back")
    assert (shell.folder / "back").read_bytes() == b"abc"


def test_rm_removes_what_is_there_and_says_what_is_not(shell):
    shell.put("a")
    shell.put("b")
    done = shell("rm", shell.at + "a", shell.at + "gone", shell.at + "b", exit_code=1)
    assert "gone: there is no such object" in done.stderr
    assert shell.keys() == []


def test_stat_tells_what_boto3_tells(shell):
    shell.put("a", b"abc", ContentType="text/x-a", CacheControl="no-store",
              Metadata={"owner": "me"})
    [row] = shell.rows("stat", shell.at + "a")
    head = shell.s3.head_object(Bucket=shell.bucket, Key="a")
    assert (row["size"], row["etag"]) == (3, head["ETag"])
    assert row["modified"] == head["LastModified"].strftime("%Y-%m-%dT%H:%M:%SZ")
    assert row["headers"]["content-type"] == "text/x-a"
    assert row["headers"]["cache-control"] == "no-store"
    assert row["headers"]["x-amz-meta-owner"] == "me"
    text = shell("stat", shell.at + "a").stdout
    assert "\n  size: 3\n" in text and "\n  x-amz-meta-owner: me\n" in text


# ---- ls, mb, rb, uploads, presign


def test_ls_shows_a_level_or_all_of_it_and_buckets(shell):
    for name in ["a", "sub/b", "sub/c", "sub/deeper/d"]:
        shell.put(name, b"xy")
    rows = shell.rows("ls", shell.at)
    assert [(row["key"], row.get("prefix", False)) for row in rows] == [
        ("a", False), ("sub/", True)]
    assert [row["key"] for row in shell.rows("ls", "-r", shell.at)] == [
        "a", "sub/b", "sub/c", "sub/deeper/d"]
    assert [row["key"] for row in shell.rows("ls", shell.at + "sub/")] == [
        "sub/b", "sub/c", "sub/deeper/"]
    lines = shell("ls", shell.at).stdout.splitlines()
    assert lines[0].endswith(" 2 a") and lines[1].endswith(" prefix sub/")
    assert shell.bucket in [row["bucket"] for row in shell.rows("ls")]


def test_a_bucket_is_made_and_removed_and_a_full_one_is_kept(shell):
    name = shell.bucket + "-more"
    shell("mb", f"s3://{name}")
    shell.s3.put_object(Bucket=name, Key="a", Body=b"")
    done = shell("rb", f"s3://{name}", exit_code=1)
    assert "BucketNotEmpty" in done.stderr
    shell("rm", f"s3://{name}/a")
    shell("rb", f"s3://{name}")
    assert name not in [b["Name"] for b in shell.s3.list_buckets()["Buckets"]]


def test_uploads_are_shown_and_ended(shell):
    ids = {shell.s3.create_multipart_upload(Bucket=shell.bucket, Key=key)["UploadId"]
           for key in ["p/a", "p/a", "p/b"]}
    shell.s3.create_multipart_upload(Bucket=shell.bucket, Key="q")
    assert {row["upload_id"] for row in shell.rows("uploads", shell.at + "p/")} == ids
    shell("uploads", "--abort", shell.at + "p/")
    left = shell.s3.list_multipart_uploads(Bucket=shell.bucket)["Uploads"]
    assert [upload["Key"] for upload in left] == ["q"]


def test_presigned_urls_are_carried_out_by_curl(shell):
    shell.put("a b+c", b"abc")
    url = shell("presign", shell.at + "a b+c").stdout.strip()
    got = subprocess.run(["curl", "-sSf", url], capture_output=True, check=True)
    assert got.stdout == b"abc"
    url = shell("presign", "--method", "PUT", "--expires", "5m", shell.at + "new").stdout.strip()
    write(shell, "file", b"by curl")
    subprocess.run(["curl", "-sSf", "-T", shell.folder / "file", url], check=True)
    assert shell.body("new") == b"by curl"


# ---- Words and exit codes


@pytest.mark.parametrize("args, word", [
    (("ls", "nowhere://bucket/"), "s3://, or --manifest"),
    (("cat", "s3://bucket/"), "which object?"),
    (("put", "x"), "an operand is missing"),
    (("put", "s3://bucket/a", "s3://bucket/b"), "haul cp"),
    (("get", "file"), "an address is wanted"),
    (("mv", "file", "s3://bucket/a"), "mv works inside a store"),
    (("rm", "-r", "s3://bucket/part"), "ends in a slash"),
    (("presign", "s3://bucket/a", "--expires", "8d"), "1s to 7d"),
    (("presign", "s3://bucket/a", "--expires", "0"), "1s to 7d"),
    (("mb", "s3://bucket/key"), "s3://BUCKET"),
    (("uploads", "s3://"), "which bucket?"),
    (("ls", "s3://bucket/", "--addressing", "odd"), "--addressing takes"),
    (("ls", "s3://b"), "at least 3 characters"),
])
def test_bad_usage_says_what_to_type(scene, args, word):
    done = scene.command(*args, exit_code=2)
    assert word in done.stderr
    assert scene.endpoint.stats()["requests"] == 0


def test_a_wrong_key_is_exit_code_5_and_no_secret_is_printed(scene):
    wrong = "wrong-secret-wrong-secret"
    done = scene.command("ls", "s3://bucket/", exit_code=5, env={"AWS_SECRET_ACCESS_KEY": wrong})
    assert "SignatureDoesNotMatch" in done.stderr and "check the secret key" in done.stderr
    assert wrong not in done.stderr
    done = scene.command("ls", "s3://absent/", exit_code=5)
    assert "NoSuchBucket" in done.stderr


def test_endpoints_of_a_manifest_can_be_named(scene):
    scene.objects({"a": b"abc"})
    manifest = scene.manifest({"upload": "/tmp/x", "to": "store://bucket/x"})
    assert scene.command("cat", "store://bucket/a", "--manifest", manifest).stdout == "abc"
    done = scene.command("cat", "other://bucket/a", "--manifest", manifest, exit_code=2)
    assert "there is no endpoint other" in done.stderr


def test_an_endpoints_path_is_kept_before_the_bucket(scene):
    scene.objects({"a": b"abc"})
    based = scene.manifest({"upload": "/tmp/x", "to": "store://bucket/x"},
                           store={"url": scene.endpoint.url + "/base/"})
    scene.command("cat", "store://bucket/a", "--manifest", based, exit_code=5)
    assert {entry["bucket"] for entry in scene.endpoint.log("GetObject")} == {"base"}


def test_an_interrupted_put_ends_its_upload(scene):
    path = scene.folder / "big"
    path.write_bytes(bytes(20 << 20))
    scene.endpoint.fault("UploadPart part=2 always gate=hang")
    process = scene.start("put", path, "s3://bucket/big")
    scene.endpoint.wait_at("hang")
    process.send_signal(signal.SIGINT)
    scene.endpoint.open("hang")
    done = scene.end(process, exit_code=3)
    assert "interrupted" in done.stderr
    assert scene.uploads() == [] and scene.keys() == []


def test_an_interrupted_get_leaves_nothing(scene):
    scene.objects({"big": bytes(20 << 20)})
    scene.endpoint.fault("GetObject nth=2 gate=hang")
    process = scene.start("get", "s3://bucket/big", f"{scene.folder}/")
    scene.endpoint.wait_at("hang")
    process.send_signal(signal.SIGINT)
    scene.endpoint.open("hang")
    scene.end(process, exit_code=3)
    assert list(scene.folder.rglob("*part*")) == [] and list(scene.folder.rglob("big")) == []
