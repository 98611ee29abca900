"""The one-shot commands, against a real Ceph gateway, with boto3 as the second opinion; and what
only the scripted endpoint can do to them.
"""

import contextlib
import hashlib
import json
import os
import pty
import signal
import subprocess

import pytest
from liar import Liar, listing, reply
from scene import tree

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
    """Case 28."""
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
    """Case 40."""
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
    """Case 35."""
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
    """Case 35."""
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
    (("get", "-r", "s3://bucket/p/", ""), "the path is empty"),
    (("get", "s3://bucket/a", ""), "the path is empty"),
    (("put", "-r", "", "s3://bucket/p/"), "the path is empty"),
    (("put", "/", "s3://bucket/"), "/: a folder: -r takes all below it"),
    (("put", "/dev/zero", "s3://bucket/a"), "`put -` sends what comes on standard input"),
    (("put", "./s3://a", "./s3://b"), "an address is wanted"),
    (("rm", "-r", "s3://"), "which bucket?"),
    (("rm", "s3://bucket/a", "s3://bucket/"), "which object?"),
    (("rm", "-r", "s3://bucket/a/", "s3://bucket/b"), "ends in a slash"),
    (("cat", "s3://bucket/a", "other://bucket/b"), "one command, one store"),
    (("ls", "--set", "a=b"), "--set is for"),
    (("ls", "--method", "GET"), "does not take: --method"),
    (("ls", "-rx", "s3://bucket/"), "does not take: -x"),
    (("ls", "s3://bucket/", "-dash"), "does not take: -d"),
    (("ls", "--json=3"), "does not take: --json=3"),
    (("ls", "--region"), "wants a value: --region"),
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


@pytest.mark.parametrize("credentials", [
    "auto", "env", {"profile": "p"}, {"profile": "p", "file": "keys"},
    {"access_key_id": "${env:A}", "secret_access_key": "${env:B}"}], ids=str)
def test_endpoints_of_a_manifest_have_their_credentials(scene, credentials):
    key, secret = scene.endpoint.keys
    keys = scene.haul.home / "keys"
    keys.write_text(f"[p]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    scene.objects({"a": b"abc"})
    env = {"A": key, "B": secret, "AWS_SHARED_CREDENTIALS_FILE": str(keys)}
    if isinstance(credentials, dict):
        env |= {"AWS_ACCESS_KEY_ID": "wrong", "AWS_SECRET_ACCESS_KEY": "wrong"}
    manifest = scene.manifest({"upload": "/tmp/x", "to": "store://bucket/${name}"},
                              store={"credentials": credentials})
    job = json.loads(manifest.read_text()) | {"vars": {"name": "x"}}
    manifest.write_text(json.dumps(job))
    done = scene.command("cat", "--manifest", manifest, "--set", "name=y", "store://bucket/a",
                         env=env)
    assert done.stdout == "abc"


@pytest.mark.parametrize("args, fault, word", [
    (("ls", "s3://bucket/"), "* always status=400 code=ExpiredToken", "get fresh credentials"),
    (("put", "-r", "in", "s3://absent/"), None, "bucket absent: PutObject answered 404"),
    (("cp", "s3://bucket/a", "s3://absent/"), None, "bucket absent: CopyObject answered 404"),
    (("ls", "--endpoint", "http://127.0.0.1:1"), None, "check the endpoint's url"),
    (("ls", "--profile", "nobody"), None, 'there is no profile "nobody"'),
])
def test_what_somebody_has_to_mend_is_exit_code_5_and_says_how(scene, args, fault, word):
    scene.files(["a", "b"])
    scene.objects(["a"])
    if fault:
        scene.endpoint.fault(fault)
    done = scene.command(*args, exit_code=5, cwd=scene.folder)
    assert word in done.stderr and "hidden" not in done.stderr
    assert done.stdout == ""


def test_a_certificate_of_an_unknown_authority_is_refused(shell, ceph_tls):
    tls = ["ls", shell.at, "--endpoint", ceph_tls.url]
    shell.put("a")
    assert "ca_file" in shell(*tls, exit_code=5).stderr
    assert shell(*tls, "--ca-file", ceph_tls.ca_file).stderr == ""
    for _ in range(2):
        assert "certificate is not verified" in shell(*tls, "--insecure").stderr


def test_words_that_begin_with_a_dash_or_look_like_an_address_name_files(scene):
    scene.files({"-dash": b"1", "s3:x": b"2", "s3:/y": b"3", "a b\nc": b"4"})
    for args in [("--", "-dash", "s3://bucket/"), ("s3:x", "s3://bucket/"),
                 ("./s3://y", "s3://bucket/"), ("--region", "us-east-1", "a b\nc", "s3://bucket/")]:
        scene.command("put", *args, cwd=scene.folder / "in")
    assert scene.stored() == {"-dash": b"1", "s3:x": b"2", "y": b"3", "a b\nc": b"4"}


# ---- Streams, terminals, --json


def test_streams_that_are_closed_or_full_are_no_success(scene):
    scene.objects({"a": b"abc"})
    for args, fd in [(("put", "-", "s3://bucket/new"), 0), (("ls", "s3://bucket/"), 1),
                     (("cat", "s3://bucket/a"), 1), (("get", "s3://bucket/a", "-"), 1)]:
        streams = dict.fromkeys([("stdin", "stdout")[fd]])
        done = scene.command(*args, exit_code=1, preexec_fn=lambda: os.close(fd), **streams)
        assert "Bad file descriptor" in done.stderr or "could not be written" in done.stderr
    with open("/dev/full", "w") as full:
        for command in ["ls", "cat", "stat"]:
            scene.command(command, "s3://bucket/a", exit_code=1, stdout=full)
    assert scene.keys() == ["a"]


def test_ls_stops_asking_when_nobody_reads(scene):
    """`ls | head` of a bucket without end."""
    def answer(request):
        token = request.query.get("continuation-token", ["x"])[0] + "x"
        return listing(dict.fromkeys([f"{token}{i:03}" for i in range(1000)], 1), token)

    with Liar(answer) as liar:
        process = scene.start("ls", "-r", "s3://bucket/", "--endpoint", liar.url)
        for _ in range(1500):
            assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=30) == 1
        process.stderr.close()


def terminal_output(scene, *args):
    """What haul draws on a terminal that is its standard error."""
    ours, theirs = pty.openpty()
    process = scene.start(*args, stderr=theirs, stdout=subprocess.DEVNULL, cwd=scene.folder)
    os.close(theirs)
    drawn = b""
    with contextlib.suppress(OSError):  # that is how its end is told
        while more := os.read(ours, 65536):
            drawn += more
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return drawn


def test_progress_is_drawn_on_a_terminal_only_and_taken_away(scene):
    scene.files({"a": b"1", "b": b"2"})
    (scene.folder / "big").write_bytes(bytes(20 * MIB))
    drawn = terminal_output(scene, "put", "big", "s3://bucket/big")
    assert b"20 MiB of 20 MiB" in drawn and drawn.endswith(b"\r\x1b[K")
    drawn = terminal_output(scene, "put", "-r", "in", "s3://bucket/p/")
    assert b"objects, " in drawn and drawn.endswith(b"\r\x1b[Khaul: 2 objects done (2 B)\r\n")
    done = scene.command("get", "s3://bucket/big", f"{scene.folder}/")
    assert done.stderr == ""


def test_json_is_a_line_a_thing_whatever_its_name(scene):
    names = ["plain", "new\nline", 'quote"\\', "esc\x1b[31m", "c1\u009b", "ü"]
    folder = scene.files(names)
    (scene.folder / "big").write_bytes(bytes(20 * MIB))
    for args, row in [
            (("put", folder, "s3://bucket/p/", "-r"), {"from", "bucket", "key", "etag"}),
            (("ls", "s3://bucket/p/"), {"key", "size", "modified", "etag", "storage_class"}),
            (("cp", "s3://bucket/p/", "s3://bucket/q/", "-r"), {"from", "bucket", "key", "etag"}),
            (("get", "s3://bucket/q/", scene.out, "-r"), {"from", "to", "size", "etag"}),
            (("rm", "s3://bucket/q/", "-r"), {"removed", "bucket"}),
            (("put", scene.folder / "big", "s3://bucket/"), {"from", "bucket", "key", "etag"})]:
        lines = scene.command(*args, "--json").stdout.splitlines()
        rows = [json.loads(line) for line in lines]
        assert all(set(found) == row for found in rows)
        assert len(rows) == (1 if "big" in str(args[1]) else len(names))
    assert set(tree(scene.out)) == set(names)
    assert "\x1b" not in scene.command("ls", "s3://bucket/p/").stdout


# ---- Hostile folders and servers


def test_a_link_or_fifo_where_get_r_writes_is_replaced_and_not_followed(scene):
    scene.objects(["p/link", "p/fifo", "p/below/x", "p/a", "p/a/b"])
    scene.objects({"p/": b"", "p/marker/": b"", "p/full/": b"full"})
    (scene.folder / "outside").mkdir()
    (scene.folder / "outside/file").write_bytes(b"keep")
    out = scene.folder / "out"
    out.mkdir()
    (out / "link").symlink_to("../outside/file")
    (out / "below").symlink_to("../outside")
    os.mkfifo(out / "fifo")
    done = scene.command("get", "-r", "s3://bucket/p/", out, exit_code=1)
    assert "object=full/" in done.stderr and "object=below/x" in done.stderr
    assert "marker" not in done.stderr
    assert tree(scene.folder / "outside") == {"file": b"keep"}
    assert (out / "link").read_bytes() == b"p/link" and not (out / "link").is_symlink()
    assert (out / "fifo").read_bytes() == b"p/fifo"
    assert (out / "a").is_file() != (out / "a/b").is_file()  # who comes first
    assert list(out.rglob(".haul*")) == []


def test_a_prefix_is_moved_with_its_markers(scene):
    scene.objects({"p/": b"", "p/sub/": b"", "p/sub/a": b"1"})
    scene.command("mv", "-r", "s3://bucket/p/", "s3://bucket/q/")
    assert scene.stored() == {"q/": b"", "q/sub/": b"", "q/sub/a": b"1"}


@pytest.mark.parametrize("key", ["q", "p", "p/../../etc/cron.d/x", "other/a"])
def test_keys_that_were_not_asked_for_end_it(scene, key):
    with Liar(lambda request: listing({key: 3}) if request.is_listing else reply(b"abc")) as liar:
        at = ("--endpoint", liar.url)
        for args in [("get", "-r", "s3://bucket/p/", scene.out),
                     ("cp", "-r", "s3://bucket/p/", "s3://bucket/z/")]:
            if key.startswith("p/") and args[0] == "cp":
                continue
            done = scene.command(*args, *at, exit_code=1 if key.startswith("p/") else 5)
            assert "not asked for" in done.stderr or "`..`" in done.stderr
        assert all(request.is_listing for request in liar.requests)
    assert tree(scene.folder / "out") == {}


def test_files_that_can_not_be_keys_fail_and_what_is_no_file_is_passed_over(scene):
    folder = scene.files(["good", "esc\x1b[31m"])
    with open(os.fsencode(folder) + b"bad\xff", "wb"):
        pass
    os.symlink("good", folder + "link")
    os.mkfifo(folder + "fifo")
    done = scene.command("put", "-r", folder, "s3://bucket/p/", exit_code=1)
    assert scene.keys() == ["p/esc\x1b[31m", "p/good"]
    assert "object_failed" in done.stderr and "the name is not UTF-8" in done.stderr
    assert "object=link why=\"symbolic link\"" in done.stderr
    assert "2 objects done" in done.stderr and "1 failed" in done.stderr
    bad = os.fsencode(folder) + b"bad\xff"
    done = scene.command("put", os.fsdecode(bad), "s3://bucket/", exit_code=1)
    assert "a key is UTF-8" in done.stderr


def test_a_file_that_changes_while_it_is_put_is_no_success(scene):
    path = scene.folder / "big"
    path.write_bytes(bytes(20 * MIB))
    scene.endpoint.fault("UploadPart part=1 nth=1 gate=hang")
    process = scene.start("put", path, "s3://bucket/big")
    scene.endpoint.wait_at("hang")
    with open(path, "ab") as file:
        file.write(b"more")
    scene.endpoint.open("hang")
    assert f"{path} changed while it was read" in scene.end(process, exit_code=1).stderr
    assert scene.uploads() == [] and scene.keys() == []


def test_a_disk_that_is_full_or_read_only_is_named_and_left_as_it_was(scene, small_disk):
    scene.objects({"p/big": bytes(9 * MIB), "p/small": b"x"})
    disk = small_disk("8m")
    for args in [("s3://bucket/p/big", f"{disk.folder}/"), ("-r", "s3://bucket/p/", disk.folder)]:
        done = scene.command("get", *args, exit_code=1)
        assert "big: No space left on device" in done.stderr
    assert tree(disk.folder) == {"small": b"x"}
    disk.remount("ro")
    for args in [("s3://bucket/p/small", f"{disk.folder}/"), ("-r", "s3://bucket/p/", disk.folder)]:
        done = scene.command("get", *args, exit_code=1)
        assert "Read-only file system" in done.stderr


def test_what_mv_r_can_not_delete_or_copy_stays_where_it_was(scene):
    """Case 30."""
    names = [f"p/{i}" for i in range(20)]
    scene.objects(names)
    scene.endpoint.fault("CopyObject key=q/7 always status=409 code=Conflict")
    scene.endpoint.fault("DeleteObject key=p/11 always status=409 code=Conflict")
    done = scene.command("mv", "-r", "s3://bucket/p/", "s3://bucket/q/", exit_code=1)
    assert "18 objects done" in done.stderr and "2 failed" in done.stderr
    assert scene.keys("p/") == ["p/11", "p/7"]
    assert {name: body.decode() for name, body in scene.stored("q/").items()} == {
        name[2:]: name for name in names if name != "p/7"}


def test_what_rm_r_can_not_delete_is_named_once(scene):
    scene.objects(["p/a", "p/b", "q/c"])
    scene.endpoint.fault("DeleteObjects always deny-key=p/b")
    done = scene.command("rm", "-r", "s3://bucket/p/", "s3://bucket/q/", exit_code=1)
    assert scene.keys() == ["p/b"]
    [line, *counts] = done.stderr.splitlines()
    assert "object=p/b" in line and "AccessDenied" in line
    assert counts == ["haul: 1 objects removed, 1 not", "haul: 1 objects removed"]


# ---- Ctrl-C


@pytest.mark.parametrize("args, operation", [
    (("put", "-r", "in", "s3://bucket/new/"), "PutObject"),
    (("get", "-r", "s3://bucket/p/", "out"), "GetObject"),
    (("cp", "-r", "s3://bucket/p/", "s3://bucket/q/"), "CopyObject"),
    (("mv", "-r", "s3://bucket/p/", "s3://bucket/q/"), "DeleteObject"),
    (("rm", "-r", "s3://bucket/p/"), "DeleteObjects"),
    (("ls", "-r", "s3://bucket/p/"), "ListObjectsV2")])
def test_ctrl_c_ends_what_is_under_way_and_begins_nothing_more(scene, args, operation):
    names = [f"{i:02}" for i in range(40)]
    scene.files(names)
    scene.objects(names, prefix="p/")
    scene.endpoint.fault(f"{operation} nth=1 gate=hang")
    process = scene.start(*args, cwd=scene.folder)
    scene.endpoint.wait_at("hang")
    process.send_signal(signal.SIGINT)
    assert "interrupted" in scene.end(process, exit_code=3).stderr
    scene.endpoint.open("hang")
    assert list(scene.folder.rglob(".haul*")) == [] and scene.uploads() == []
    for name in names:
        assert f"p/{name}" in scene.keys("p/") or args[0] in ("mv", "rm")


def test_ctrl_c_ends_the_wait_for_standard_input(scene):
    scene.endpoint.fault("UploadPart nth=1 gate=hang")
    process = scene.start("put", "-", "s3://bucket/b", stdin=subprocess.PIPE)
    process.stdin.write("x" * (16 * MIB + 1))  # which tells haul that it is no single part
    process.stdin.flush()
    scene.endpoint.wait_at("hang")
    scene.endpoint.open("hang")
    stdin, process.stdin = process.stdin, None  # which stays open
    process.send_signal(signal.SIGTERM)
    scene.end(process, exit_code=3)
    stdin.close()
    assert scene.uploads() == [] and scene.keys() == []


def test_a_second_ctrl_c_ends_it_at_once(scene):
    path = scene.folder / "big"
    path.write_bytes(bytes(20 * MIB))
    scene.endpoint.fault("UploadPart always gate=hang")
    scene.endpoint.fault("AbortMultipartUpload always gate=abort")
    process = scene.start("put", path, "s3://bucket/big")
    scene.endpoint.wait_at("hang")
    process.send_signal(signal.SIGINT)
    scene.endpoint.wait_at("abort")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 3
    process.communicate()
    scene.endpoint.clear()


def test_an_interrupted_put_ends_its_upload(scene):
    """Case 19."""
    path = scene.folder / "big"
    path.write_bytes(bytes(20 << 20))
    scene.endpoint.fault("UploadPart part=2 always gate=hang")
    process = scene.start("put", path, "s3://bucket/big")
    scene.endpoint.wait_at("hang")
    process.send_signal(signal.SIGINT)
    done = scene.end(process, exit_code=3)
    scene.endpoint.open("hang")
    assert "interrupted" in done.stderr
    assert scene.uploads() == [] and scene.keys() == []


def test_an_interrupted_get_leaves_nothing(scene):
    scene.objects({"big": bytes(20 << 20)})
    scene.endpoint.fault("GetObject nth=2 gate=hang")
    process = scene.start("get", "s3://bucket/big", f"{scene.folder}/")
    scene.endpoint.wait_at("hang")
    process.send_signal(signal.SIGINT)
    scene.end(process, exit_code=3)
    scene.endpoint.open("hang")
    assert list(scene.folder.rglob("*part*")) == [] and list(scene.folder.rglob("big")) == []
