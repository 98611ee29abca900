"""What is moved, where to and when: each shape of transfer, each `when`, names that are hard to
carry, and what `plan`, `status`, `jobs` and the log tell of it.
"""

import json
import os
import pathlib
import signal
import subprocess

import pytest
from scene import BUCKET, PART, Scene, await_line, download, tree, upload

# Bytes that a file name and a key may both have.
ODD_NAMES = [
    "a b", " both ends ", "a+b", "a%2Fb", "100%", "%", "a#b", "a?b=c&d", "~tilde", "it's", 'a"b',
    "a;b", "a:b", "a\\b", "a*b", "[a]", "{a}", "<a>", "a|b", "a,b", "a@b", "a=b", "$HOME", "`a`",
    "-dash", "--new", "...", "..a", ".hidden", "ünï/cödé", "漢字/かな", "😀", "e\u0301", "\u00e9",
    "A", "a", "new\nline", "tab\there", "cr\rhere", "\x01\x1f", "\x7f", "\u2028", "\ufeffbom",
    "x" * 255, "ü" * 127, "deep/" * 30 + "end",
]
odd = {name: f"this is {name}".encode() for name in ODD_NAMES}


def files_of(text):
    """The objects of `haul plan --json`: {key: (action, local, size)}."""
    rows = [json.loads(line) for line in text.splitlines()]
    return {row["key"]: (row["action"], row["local"], row["size"]) for row in rows}


# ---- Shapes ----


@pytest.mark.parametrize("to, key", [
    ("k", "k"), ("deep/er/k", "deep/er/k"), ("p/", "p/a"), ("", "a")])
def test_a_file_goes_to_a_key_or_below_a_prefix(scene, to, key):
    scene.run(upload(scene.files({"a": b"one file"}) + "a", to))
    assert scene.stored() == {key: b"one file"}


@pytest.mark.parametrize("to, name", [("out/f", "f"), ("out/new/f", "new/f"), ("out/", "k")])
def test_an_object_goes_to_a_file_or_into_a_folder(scene, to, name):
    scene.objects({"p/k": b"one object"})
    scene.run(download("p/k", f"{scene.folder}/{to}"))
    assert tree(scene.out) == {name: b"one object"}


@pytest.mark.parametrize("to", ["", "p/", "p/q/"])
def test_a_folder_goes_below_a_prefix(scene, to):
    files = {"a": b"a", "sub/b": b"b", "sub/deep/c": b"", "sub.txt": b"d"}
    scene.run(upload(scene.files(files), to))
    assert scene.stored(to) == files


@pytest.mark.parametrize("prefix", ["", "p/", "p/q/"])
def test_a_prefix_goes_into_a_folder(scene, prefix):
    files = {"a": b"a", "sub/b": b"b", "sub/deep/c": b"", "sub.txt": b"d"}
    scene.objects(files, prefix)
    if prefix:
        scene.objects(["pp", "z"])
    scene.run(download(prefix, scene.out))
    assert tree(scene.out) == files


def test_a_whole_bucket_needs_no_slash(scene):
    scene.run(upload(scene.files(["a", "sub/b"])) | {"to": f"store://{BUCKET}"})
    scene.run({"download": f"store://{BUCKET}", "to": scene.out}, name="back")
    assert tree(scene.out) == {"a": b"a", "sub/b": b"sub/b"}


def test_an_empty_folder_and_an_empty_prefix_are_done_at_once(scene):
    os.makedirs(f"{scene.folder}/in/empty/er")
    assert "0 of 0 objects done" in scene.run(upload(f"{scene.folder}/in/")).stdout
    assert "0 of 0 objects done" in scene.run(download("nothing/", scene.out), name="back").stdout
    assert scene.keys() == []


def test_several_transfers_of_one_job(scene):
    scene.objects({"p/a": b"a"})
    scene.run(upload(scene.files({"b": b"b"}), "q/"), download("p/", scene.out),
              upload(scene.files({"c": b"c"}, below="single") + "c", "r"))
    assert tree(scene.out) == {"a": b"a"}
    assert scene.stored() == {"p/a": b"a", "q/b": b"b", "r": b"c"}


def test_relative_paths_begin_at_the_manifest(scene):
    scene.files(["a"], below="home/data")
    scene.command("run", scene.manifest(upload("data/", "p/")), cwd="/")
    scene.command("run", scene.manifest(download("p/", "back/")), cwd="/")
    assert tree(scene.haul.home / "back") == {"a": b"a"}


# ---- Sizes ----


@pytest.mark.parametrize("size, parts", [
    (0, 0), (1, 0), (PART - 1, 0), (PART, 0), (PART + 1, 2), (2 * PART, 2), (2 * PART + 1, 3),
    (7 * PART - 1, 7)])
@pytest.mark.parametrize("concurrency", [1, "auto"])
def test_every_size_comes_over_whole(scene, size, parts, concurrency):
    """Cases 14 and 24."""
    body = os.urandom(size)
    settings = {"part_size": PART, "concurrency": concurrency}
    scene.run(upload(scene.files({"a": body})), **settings)
    assert scene.stored() == {"a": body}
    assert scene.endpoint.count("UploadPart") == parts
    assert scene.endpoint.count("PutObject") == (0 if parts else 1)
    scene.run(download("", scene.out), name="back", **settings)
    assert tree(scene.out) == {"a": body}
    assert scene.endpoint.count("GetObject") == (parts or 1) + 1  # one was ours


def test_concurrency_1_has_one_request_in_flight(scene):
    scene.endpoint.fault("* always delay-ms=5")
    files = {f"{n:02}": b"x" for n in range(20)} | {"big": os.urandom(3 * PART)}
    scene.run(upload(scene.files(files)), concurrency=1, part_size=PART)
    assert scene.endpoint.stats()["in_flight_max"] <= 2  # the planner's listing beside it


def test_part_size_auto_is_8_mib(scene):
    body = os.urandom((8 << 20) + 1)
    scene.run(upload(scene.files({"a": body})))
    assert scene.endpoint.count("UploadPart") == 2
    assert scene.endpoint.stats()["bytes_in"] == len(body)
    assert scene.stored() == {"a": body}


def test_a_sparse_file_of_many_parts(scene):
    source = scene.files(["a"])
    os.truncate(source + "a", 40 * PART)
    scene.run(upload(source), part_size=PART)
    assert scene.endpoint.count("UploadPart") == 40
    assert scene.s3.head_object(Bucket=BUCKET, Key="a")["ContentLength"] == 40 * PART


# ---- Selection ----


def test_include_and_exclude_select_in_both_directions(scene):
    names = ["a.csv", "a.txt", "tmp/b.csv", "deep/c.csv", "deep/tmp/d.csv", "e.csv.bak"]
    chosen = {"include": ["**/*.csv"], "exclude": ["tmp/**"]}
    scene.run(upload(scene.files(names), "p/", **chosen))
    assert scene.keys() == ["p/a.csv", "p/deep/c.csv", "p/deep/tmp/d.csv"]
    scene.run(download("p/", scene.out, include=["**/tmp/*", "*.csv"]), name="back")
    assert sorted(tree(scene.out)) == ["a.csv", "deep/tmp/d.csv"]


def test_upload_when_missing_leaves_what_is_there(scene):
    scene.objects({"p/b": b"old", "p/a.z": b"other"})
    source = scene.files({"a": b"a", "b": b"b, longer", "c/d": b"d"})
    done = scene.run(upload(source, "p/", when="missing"))
    assert "1 skipped" in done.stdout
    assert scene.stored("p/") == {"a": b"a", "a.z": b"other", "b": b"old", "c/d": b"d"}
    assert scene.reasons() == {"b": "exists already"}
    scene.endpoint.reset()
    scene.run(upload(source, "p/", when="missing"))
    assert scene.endpoint.count("PutObject") == 0


def test_upload_when_changed_sends_what_is_newer_or_of_another_size(scene):
    source = scene.files({"same": b"same", "newer": b"newer", "longer": b"long", "older": b"old"})
    for name in os.listdir(source):
        os.utime(source + name, (1, 1))
    scene.run(upload(source, when="changed"))
    scene.endpoint.reset()
    scene.run(upload(source, when="changed"))
    assert scene.endpoint.count("PutObject") == 0
    scene.files({"longer": b"longer now"})
    os.utime(source + "longer", (1, 1))
    os.utime(source + "newer", (2 ** 32, 2 ** 32))
    os.utime(source + "older", (0, 0))
    scene.run(upload(source, when="changed"))
    assert sorted(e["key"] for e in scene.endpoint.log("PutObject")) == ["longer", "newer"]
    assert scene.states() == {
        "same": "skipped", "older": "skipped", "newer": "done", "longer": "done"}


@pytest.mark.parametrize("when, body", [("missing", b"old"), ("changed", b"newly made")])
def test_upload_of_a_single_file_by_when(scene, when, body):
    scene.objects({"k": b"old"})
    scene.run(upload(scene.files({"a": b"newly made"}) + "a", "k", when=when))
    assert scene.stored() == {"k": body}
    scene.endpoint.reset()
    scene.run(upload(f"{scene.folder}/in/a", "k", when=when))
    assert scene.endpoint.count("PutObject") == 0


def test_download_when_missing_leaves_what_is_there(scene):
    scene.objects({"p/a": b"a", "p/b": b"b", "p/c/d": b"d"})
    scene.files({"b": b"mine"}, below="out")
    scene.run(download("p/", scene.out, when="missing"))
    assert tree(scene.out) == {"a": b"a", "b": b"mine", "c/d": b"d"}
    assert scene.reasons() == {"b": "exists already"}


def test_download_sets_the_time_so_that_only_changes_come_again(scene):
    scene.objects({"p/a": b"a", "p/b": b"b", "p/big": os.urandom(PART + 1)})
    job = download("p/", scene.out, when="changed")
    scene.run(job, part_size=PART)
    for entry in scene.s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        path = scene.out + entry["Key"].removeprefix("p/")
        assert int(os.stat(path).st_mtime) == int(entry["LastModified"].timestamp())
    scene.endpoint.reset()
    assert "3 skipped" in scene.run(job, part_size=PART).stdout
    assert scene.endpoint.count("GetObject") == 0
    os.utime(scene.out + "a", (1, 1))
    scene.files({"b": b"longer"}, below="out")
    scene.run(job, part_size=PART)
    assert sorted(e["key"] for e in scene.endpoint.log("GetObject")) == ["p/a", "p/b"]
    assert tree(scene.out)["b"] == b"b"


@pytest.mark.parametrize("when, body", [("missing", b"mine"), ("changed", b"theirs"),
                                        ("always", b"theirs")])
def test_download_of_a_single_object_by_when(scene, when, body):
    scene.objects({"k": b"theirs"})
    scene.files({"k": b"mine"}, below="out")
    scene.run(download("k", scene.out, when=when))
    assert tree(scene.out) == {"k": body}


def test_a_downloaded_file_has_the_usual_rights(scene):
    scene.objects({"a": b"a", "b": os.urandom(PART + 1)})
    os.umask(0o027)
    try:
        scene.run(download("", scene.out), part_size=PART)
    finally:
        os.umask(0o022)
    assert [oct(os.stat(scene.out + name).st_mode & 0o777) for name in "ab"] == ["0o640"] * 2


# ---- Names ----


def test_odd_names_go_up_as_they_are(scene):
    """Case 41."""
    done = scene.run(upload(scene.files(odd), "p/"))
    assert scene.stored("p/") == odd
    assert len(done.stderr.splitlines()) == 1


def test_odd_names_come_down_as_they_are(scene):
    """Case 37."""
    scene.objects(odd, "p/")
    scene.run(download("p/", scene.out))
    assert tree(scene.out) == odd


def test_odd_names_come_again_only_when_they_change(scene):
    source = scene.files(odd)
    scene.run(upload(source, "p/", when="missing"))
    scene.run(upload(source, "p/", when="missing"))
    assert set(scene.states().values()) == {"skipped"}


@pytest.mark.parametrize("name", ["a b+c%20#?", "ü\n漢", "x" * 255])
def test_an_odd_name_of_a_single_file(scene, name):
    scene.run(upload(scene.files({name: b"odd"}) + name, "p/"))
    scene.run(download(f"p/{name}", scene.out), name="back")
    assert scene.stored() == {f"p/{name}": b"odd"}
    assert tree(scene.out) == {name: b"odd"}


def test_names_that_xml_can_not_hold_move_in_parts_and_fail_with_a_reason(scene):
    body = os.urandom(PART + 1)
    source = scene.files({"\x01\x1f": body, "\x02": b"small"})
    scene.endpoint.fault("PutObject always status=400 code=Odd")
    scene.run(upload(source), part_size=PART, exit_code=1)
    assert "Odd" in scene.reasons()["\x02"]
    assert scene.stored() == {"\x01\x1f": body}
    assert scene.endpoint.count("CreateMultipartUpload") == 1
    scene.run(download("", scene.out), part_size=PART, name="back")
    assert tree(scene.out) == {"\x01\x1f": body}


def test_a_file_name_that_is_not_utf_8_is_refused_by_name(scene):
    source = scene.files(["a"])
    with open(source.encode() + b"b\xff", "w"):
        pass
    done = scene.run(upload(source), exit_code=1)
    assert scene.keys() == ["a"]
    assert "UTF-8" in done.stderr and "1 failed" in done.stdout
    for args in (["jobs", "--json"], ["status", "--json", "--failed"]):
        json.loads(scene.command(*args).stdout)


def test_a_key_that_would_be_too_long_is_refused_by_name(scene):
    name = "/".join(["d" * 200] * 5)
    scene.run(upload(scene.files({name: b"a", "b": b"b"}), "p" * 100 + "/"), exit_code=1)
    assert scene.states() == {name: "failed", "b": "done"}
    assert "1,024" in scene.reasons()[name]


# ---- Endpoints ----


@pytest.mark.parametrize("payload", ["auto", "signed", "unsigned", "chunked"])
def test_payloads_signed_and_not(scene, payload):
    body = os.urandom(PART + 1)
    scene.run(upload(scene.files({"a": body, "b": b"b"})), payload=payload, part_size=PART)
    assert scene.stored() == {"a": body, "b": b"b"}


@pytest.mark.parametrize("payload", ["signed", "unsigned"])
def test_https_with_a_ca_file(haul, new_endpoint, tmp_path, payload):
    pair = (str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-out", pair[0],
         "-keyout", pair[1], "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True)
    scene = Scene(haul, new_endpoint(tls=pair), tmp_path)
    del scene.env["AWS_CA_BUNDLE"]
    settings = {"store": {"ca_file": pair[0]}, "payload": payload, "part_size": PART}
    body = os.urandom(3 * PART + 1)
    scene.run(upload(scene.files({"a": body})), **settings)
    assert scene.stored() == {"a": body}
    scene.run(download("", scene.out), name="back", **settings)
    assert tree(scene.out) == {"a": body}


def test_virtual_addressing_puts_the_bucket_into_the_host(haul, new_endpoint, tmp_path):
    scene = Scene(haul, new_endpoint("--host-suffix", "s3.localhost"), tmp_path)
    store = {"url": f"http://s3.localhost:{scene.endpoint.port}", "addressing": "virtual"}
    scene.run(upload(scene.files(odd), "p/"), store=store)
    assert scene.stored("p/") == odd
    scene.run(download("p/", scene.out), store=store, name="back")
    assert tree(scene.out) == odd


def test_an_endpoint_without_keys(haul, new_endpoint, tmp_path):
    scene = Scene(haul, new_endpoint(keys=None), tmp_path)
    store = {"credentials": "anonymous"}
    scene.run(upload(scene.files(["a"])), store=store)
    scene.run(download("", scene.out), store=store, name="back")
    assert tree(scene.out) == {"a": b"a"}


def test_a_profile_of_a_file(scene):
    path = scene.folder / "credentials"
    key, secret = scene.endpoint.keys
    path.write_text(f"[nightly]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    del scene.env["AWS_ACCESS_KEY_ID"], scene.env["AWS_SECRET_ACCESS_KEY"]
    credentials = {"profile": "nightly", "file": str(path)}
    scene.run(upload(scene.files(["a"])), store={"credentials": credentials})
    assert scene.keys() == ["a"]


def test_two_endpoints_of_one_job(scene, new_endpoint):
    other = new_endpoint()
    other.boto().create_bucket(Bucket="elsewhere")
    scene.objects(["p/a"])
    path = scene.manifest(download("p/", scene.out))
    job = json.loads(path.read_text())
    job["endpoints"]["other"] = {"url": other.url, "addressing": "path"}
    job["transfers"].append({"upload": scene.files(["b"]), "to": "other://elsewhere/"})
    path.write_text(json.dumps(job))
    scene.command("run", path)
    assert tree(scene.out) == {"a": b"p/a"}
    assert [e["Key"] for e in other.boto().list_objects_v2(Bucket="elsewhere")["Contents"]] == ["b"]


def test_listings_of_several_pages(scene):
    names = {f"{n // 100:02}/{n:04}": b"%d" % n for n in range(2500)}
    source = scene.files(names)
    scene.run(upload(source, "p/"))
    scene.endpoint.reset()
    scene.run(download("p/", scene.out))
    assert tree(scene.out) == names
    assert scene.endpoint.count("ListObjectsV2") == 1 + 3  # one asks for the bucket
    scene.endpoint.reset()
    scene.run(upload(source, "p/", when="missing"))
    assert scene.endpoint.count("PutObject") == 0
    assert scene.rows("SELECT count(*) FROM object WHERE state = 'skipped'") == [(2500,)]


# ---- Plan ----


@pytest.fixture
def mixed(scene):
    """The transfers of a job that moves, skips and refuses."""
    scene.objects({"p/a": b"a", "p/a//b": b"b", "p/sub/c": b"c", "p/sub/": b"", "u/same": b"1"})
    os.symlink("nowhere", scene.files({"same": b"2", "new": b"new"}) + "link")
    return [upload(f"{scene.folder}/in/", "u/", when="missing"), download("p/", scene.out),
            upload(f"{scene.folder}/in/new", "single"), download("p/a", f"{scene.folder}/one/a")]


def test_plan_touches_nothing(scene, mixed):
    scene.endpoint.reset()
    path = scene.manifest(*mixed)
    before = tree(scene.folder)
    for args in ([], ["--json"]):
        scene.command("plan", path, *args)
    assert tree(scene.folder) == before
    assert not scene.haul.state.exists() and not os.path.exists(scene.out)
    assert {entry["op"] for entry in scene.endpoint.log()} <= {"ListObjectsV2", "HeadObject"}


def test_plan_tells_what_run_then_does(scene, mixed):
    path = scene.manifest(*mixed)
    rows = [json.loads(line) for line in scene.command("plan", path, "--json").stdout.splitlines()]
    text = scene.command("plan", path).stdout
    assert len(text.splitlines()) == len(rows) + 1
    for row in rows:
        assert row["endpoint"] == "store" and row["bucket"] == BUCKET
    scene.command("run", path, exit_code=1)
    states = {"skip": "skipped", "refuse": "failed", "upload": "done", "download": "done"}
    planned = sorted((states[row["action"]], row["size"], row.get("why")) for row in rows)
    carried = sorted(scene.rows("SELECT state, size, why FROM object"), key=str)
    assert sorted(planned, key=str) == carried
    for row in rows:
        if row["action"] == "upload":
            assert scene.body(row["key"]) == open(row["local"], "rb").read()
        if row["action"] == "download":
            assert open(row["local"], "rb").read() == scene.body(row["key"])
    assert text.splitlines()[-1] == "5 objects, 9 B to move; 3 to skip, 1 refused"


def test_plan_of_odd_names_is_json(scene):
    plan = files_of(scene.command(
        "plan", scene.manifest(upload(scene.files(odd), "p/")), "--json").stdout)
    assert plan == {f"p/{name}": ("upload", f"{scene.folder}/in/{name}", len(body))
                    for name, body in odd.items()}


# ---- Status, jobs, log ----


def test_status_and_jobs_tell_of_a_run_from_beginning_to_end(scene):
    scene.endpoint.fault("PutObject key=b always gate=here")
    running = scene.start_run(upload(scene.files({"a": b"aaa", "b": b"bb"})))
    scene.endpoint.wait_at("here")
    while scene.states()["a"] != "done":
        assert running.poll() is None
    status = json.loads(scene.command("status", "--json").stdout)
    assert status | {"id": 0, "created_at": 0} == {
        "id": 0, "created_at": 0, "name": "job", "state": "running", "pid": running.pid,
        "manifest_file": str(scene.haul.home / "job.yaml"), "finished_at": None, "paused": None,
        "planned": True, "objects": 2, "bytes": 5, "done": 1, "done_bytes": 3, "failed": 0,
        "skipped": 0, "due": 1, "moved_bytes": 3}
    assert json.loads(scene.command("jobs", "--json").stdout) == [status]
    text = scene.command("status").stdout
    for words in (f"running (process {running.pid})", "1 of 2 done", "3 B of 5 B"):
        assert words in text
    scene.endpoint.clear()
    scene.end(running)
    status = json.loads(scene.command("status", "job", "--json").stdout)
    assert (status["state"], status["pid"], status["done"], status["due"]) == \
        ("finished", None, 2, 0)
    assert "finished" in scene.command("status", status["id"]).stdout
    assert "2 of 2 objects" in scene.command("jobs").stdout


def test_status_lists_what_failed(scene):
    scene.endpoint.fault("PutObject key=b always status=403 code=AccessDenied")
    scene.run(upload(scene.files(["a", "b"])), exit_code=1)
    status = json.loads(scene.command("status", "--json", "--failed").stdout)
    assert status["failed"] == 1
    failure, = status["failures"]
    assert failure["name"] == "b" and "AccessDenied" in failure["why"]
    assert "b: " + failure["why"] in scene.command("status", "--failed").stdout
    assert "with failures" in scene.command("jobs").stdout


def test_names_can_not_draw_on_a_terminal(scene):
    scene.objects({"p/\x1b[31mred\n//x": b""})
    path = scene.manifest(download("p/", scene.out))
    for words in (["plan", path], ["run", path], ["status", "--failed"]):
        done = scene.command(*words, exit_code=None)
        assert "\x1b" not in done.stdout + done.stderr
        assert "red" in done.stdout + done.stderr


def test_no_runs_yet(scene):
    assert "haul run" in scene.command("jobs").stdout
    assert json.loads(scene.command("jobs", "--json").stdout) == []


def test_watch_ends_with_the_run(scene):
    scene.endpoint.fault("PutObject always gate=here")
    running = scene.start_run(upload(scene.files(["a"])))
    scene.endpoint.wait_at("here")
    watching = scene.start("status", "--watch", "--json")
    first = json.loads(watching.stdout.readline())
    scene.endpoint.clear()
    scene.end(running)
    rest = scene.end(watching).stdout.splitlines()
    assert (first["state"], json.loads(rest[-1])["state"]) == ("running", "finished")


def test_a_run_without_a_terminal_draws_nothing(scene):
    done = scene.run(upload(scene.files(["a"])))
    assert "\r" not in done.stderr and "\x1b" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("end", [0, 1, 3, 5])
def test_every_line_of_a_json_log_is_json(scene, end):
    source = scene.files([*ODD_NAMES, "b"])
    os.symlink("x", source + "li\nnk")
    faults = {0: "PutObject nth=3 status=503",
              1: "PutObject key=ü always status=400 code=Odd",
              3: "PutObject nth=3 gate-after=here",
              5: "PutObject nth=3 status=403 code=InvalidToken"}
    scene.endpoint.fault(faults[end])
    running, said = scene.start("run", scene.manifest(upload(source)), "--log", "json"), ""
    if end == 3:
        scene.endpoint.wait_at("here")
        running.send_signal(signal.SIGINT)
        said = await_line(running, "stopping")
        scene.endpoint.clear()
    said += scene.end(running, end).stderr
    lines = [json.loads(line) for line in said.splitlines()]
    assert lines[0]["event"] == "started" and lines[0]["run"] == scene.queues()[0].stem
    assert all({"at", "level", "event"} <= line.keys() for line in lines)
    assert (lines[-1]["event"] == "ended") == (end in (3, 5))


def test_help_and_version(scene):
    assert "haul run" in scene.command("--help").stdout
    assert "--set" in scene.command("run", "--help").stdout
    assert scene.command("--version").stdout.startswith("haul ")
    path = scene.manifest(upload(scene.files(["a"])))
    assert f"{path}: job job is right" in scene.command("check", path).stdout
    assert pathlib.Path(path).exists() and not scene.haul.state.exists()
