"""What haul says, and how it ends, when it can't do what it was told: one line that names the
thing and the next step, the right exit code, nothing outside its places, and `haul resume` goes
on once the cause is mended.
"""

import json
import os
import socket
import subprocess

import pytest
from queuefile import DONE, PAUSED, QUEUE, SOME_FAILED, USAGE
from scene import BUCKET, PART, Scene, download, refusal, tree, upload


# Root may read and write everything, unless it comes without these rights.
PLAIN_USER = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def without_rights(scene, *args, exit_code):
    done = subprocess.run(
        [*PLAIN_USER, scene.haul.program, *map(str, args)], env=scene.haul.env | scene.env,
        capture_output=True, text=True, cwd=scene.folder)
    assert done.returncode == exit_code, done.stderr
    return done


def started_nothing(scene):
    return not scene.haul.state.exists() and scene.endpoint.stats()["requests"] == 0


# ---- The command line ----


@pytest.mark.parametrize("words, says", [
    ((), "haul --help"),
    (("rnu",), "no command 'rnu'"),
    (("run",), "an operand is missing"),
    (("run", "job.yaml", "--watch"), "--watch"),
    (("run", "job.yaml", "--sett", "a=b"), "--sett"),
    (("run", "job.yaml", "--queue"), "--queue"),
    (("run", "job.yaml", "other.yaml"), "other.yaml"),
    (("run", "job.yaml", "--log", "xml"), "xml"),
    (("run", "job.yaml", "--set", "day"), "NAME=VALUE, not day"),
    (("run", "job.yaml", "--set", "=day"), "NAME=VALUE, not =day"),
    (("run", "job.yaml", "--set", "day=1"), '"day"'),
    (("check", "--json", "job.yaml"), "--json"),
    (("plan", "job.yaml", "--set"), "--set"),
    (("jobs", "job"), "job"),
    (("resume", "job", "--new"), "--new"),
    (("resume", "nightly"), "no run nightly"),
    (("status", "nightly"), "no run nightly"),
    (("status",), "no run"),
    (("resume",), "no unfinished run"),
])
def test_wrong_words_are_named(scene, words, says):
    scene.manifest(upload(scene.files(["a"])))
    done = scene.command(*words, exit_code=USAGE)
    assert done.stdout == ""
    if words:
        assert says in done.stderr.splitlines()[0]
    assert started_nothing(scene)


# ---- Manifests and the places that they name ----


def test_a_manifest_that_is_not_there(scene):
    line = refusal(scene.command("run", "nope.yaml", exit_code=USAGE))
    assert "nope.yaml" in line and "No such file" in line


def test_an_empty_manifest(scene):
    scene.haul.manifest("", "empty.yaml")
    done = scene.command("run", "empty.yaml", exit_code=USAGE)
    assert done.stderr.splitlines()[0] == "empty.yaml:1:1: there is nothing in it"


def test_a_folder_as_manifest(scene):
    assert "Is a directory" in refusal(scene.command("run", scene.folder, exit_code=USAGE))


@pytest.mark.parametrize("source, says", [
    ("gone/", "No such file"),
    ("gone", "No such file"),
    ("in", "final slash"),
    ("in/a/", "Not a directory"),
    ("fifo", "neither a file nor a folder"),
])
def test_a_source_that_is_none(scene, source, says):
    scene.files(["a"])
    os.mkfifo(scene.folder / "fifo")
    to = "k/" if source.endswith("/") else "k"
    line = refusal(scene.run(upload(f"{scene.folder}/{source}", to), exit_code=USAGE))
    assert f"{scene.folder}/{source}" in line and says in line
    assert "job.yaml:1:" in line
    assert started_nothing(scene)


@pytest.mark.parametrize("key, place, says", [
    ("x/", "in/a/", "a file stands where"),
    ("x/", "in/a/b/c/", "Not a directory"),
    ("x/1", "in/a/b", "a file stands where"),
    ("x/1", "in", "final slash"),
])
def test_a_destination_that_is_none(scene, key, place, says):
    scene.files(["a"])
    line = refusal(scene.run(download(key, f"{scene.folder}/{place}"), exit_code=USAGE))
    assert f"{scene.folder}/{place}" in line and says in line
    assert started_nothing(scene)


def test_a_folder_that_may_not_be_written(scene):
    scene.objects(["x/1"])
    scene.endpoint.reset()
    os.mkdir(scene.out, 0o555)
    path = scene.manifest(download("x/", scene.out))
    line = refusal(without_rights(scene, "run", path, exit_code=USAGE))
    assert scene.out in line and "Permission denied" in line
    assert started_nothing(scene)


def test_a_destination_that_is_read_only(scene, small_disk):
    disk = small_disk("1m")
    scene.objects(["x/1"])
    scene.endpoint.reset()
    disk.remount("ro")
    job = download("x/", f"{disk.folder}/deep/er/")
    line = refusal(scene.run(job, exit_code=USAGE))
    assert f"{disk.folder}/deep/er/" in line and "Read-only file system" in line
    assert started_nothing(scene)
    disk.remount("rw")
    scene.run(job)
    assert tree(disk.folder) == {"deep/er/1": b"x/1"}


@pytest.mark.parametrize("places", ["1", ""])
def test_a_destination_that_has_become_read_only(scene, small_disk, places):
    disk = small_disk("1m")
    scene.objects(["x/1"])
    scene.endpoint.stop()
    scene.run(download(f"x/{places}", f"{disk.folder}/{places}"), exit_code=PAUSED)
    scene.endpoint.restart()
    disk.remount("ro")
    line = refusal(scene.resume(exit_code=PAUSED))
    assert f"{disk.folder}/" in line and "Read-only file system" in line and "haul resume" in line
    disk.remount("rw")
    scene.resume()
    assert tree(disk.folder) == {"1": b"x/1"}


def test_a_source_folder_that_is_gone_when_the_run_is_resumed(scene):
    source = scene.files(["a"])
    scene.endpoint.stop()
    scene.run(upload(source), exit_code=PAUSED)
    scene.endpoint.restart()
    os.rename(scene.folder / "in", scene.folder / "away")
    line = refusal(scene.resume(exit_code=PAUSED))
    assert source in line and "haul resume" in line
    os.rename(scene.folder / "away", scene.folder / "in")
    scene.resume()
    assert scene.keys() == ["a"]


# ---- Endpoints, credentials, buckets ----


def test_an_endpoint_that_is_not_there(scene):
    scene.endpoint.stop()
    done = scene.run(upload(scene.files(["a"])), exit_code=PAUSED)
    line = refusal(done)
    assert scene.endpoint.url in line and "Connection refused" in line and "haul resume" in line
    assert " paused: " in done.stdout
    assert scene.command("jobs").stdout.split()[2] == "paused"
    assert "Connection refused" in scene.command("status").stdout
    scene.endpoint.restart()
    scene.resume()
    assert scene.keys() == ["a"]


def test_an_endpoint_that_goes_away_in_the_middle(scene):
    names = [f"{n:02}" for n in range(20)]
    scene.endpoint.fault("PutObject nth=5 gate=here")
    running = scene.start_run(upload(scene.files(names)), concurrency=1)
    scene.endpoint.wait_at("here")
    scene.endpoint.stop(9)
    line = refusal(scene.end(running, PAUSED))
    assert scene.endpoint.url in line and "haul resume" in line
    before = [name for name, state in scene.states().items() if state == "done"]
    assert before == names[:4]
    scene.endpoint.restart()
    scene.resume()
    assert scene.keys() == names
    assert len(scene.endpoint.log("PutObject")) == len(names) - len(before)


def test_a_resumed_run_goes_where_it_went_whatever_the_environment_says_then(scene):
    job = scene.haul.manifest(json.dumps({
        "version": 1, "name": "job", "defaults": {"retries": 0},
        "transfers": [{"upload": scene.files(["a"]), "to": f"s3://{BUCKET}/"}]}))
    scene.endpoint.stop()
    scene.command("run", job, exit_code=PAUSED)
    scene.endpoint.restart()
    scene.resume(env={"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1", "AWS_REGION": ""})
    assert scene.keys() == ["a"]


def test_a_host_that_has_no_address(scene):
    line = refusal(scene.run(upload(scene.files(["a"])), exit_code=PAUSED,
                             store={"url": "http://no-such-host.invalid"}))
    assert "http://no-such-host.invalid" in line and "resolve" in line and "url" in line


@pytest.mark.parametrize("status, says", [
    (404, ["404"]), (200, [f"ListObjectsV2 of {BUCKET}", "XML", "endpoint's url"])])
def test_a_server_that_speaks_no_s3(scene, status, says):
    scene.endpoint.fault(f"* always status={status} html")
    line = refusal(scene.run(upload(scene.files(["a"])), exit_code=PAUSED))
    for words in ("endpoint store", "haul resume", *says):
        assert words in line
    scene.endpoint.clear()
    scene.resume()
    assert scene.keys() == ["a"]


@pytest.mark.parametrize("wrong, says", [
    ({"AWS_ACCESS_KEY_ID": "AKIDUNKNOWN"}, ("InvalidAccessKeyId", "credentials")),
    ({"AWS_SECRET_ACCESS_KEY": "mistyped"}, ("SignatureDoesNotMatch", "secret key")),
    ({"AWS_ACCESS_KEY_ID": ""}, ("AWS_ACCESS_KEY_ID",)),
    ({"AWS_SECRET_ACCESS_KEY": ""}, ("AWS_SECRET_ACCESS_KEY",)),
    ({"AWS_PROFILE": "nightly", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
     ('"nightly"',)),
])
def test_credentials_that_do_not_do(scene, wrong, says):
    line = refusal(scene.run(upload(scene.files(["a"])), env=wrong, exit_code=PAUSED))
    for words in ("endpoint store", "haul resume", *says):
        assert words in line
    scene.resume()
    assert scene.keys() == ["a"]


def test_a_variable_that_the_manifest_names_and_nobody_set(scene):
    keys = {"access_key_id": "${env:LAB_ID}", "secret_access_key": "${env:LAB_SECRET}"}
    done = scene.run(
        upload(scene.files(["a"])), store={"credentials": keys}, exit_code=USAGE)
    assert '"LAB_ID"' in done.stderr and '"LAB_SECRET"' in done.stderr
    assert started_nothing(scene)


def test_credentials_that_expire_in_the_middle(scene):
    names = ["a", "b", "c"]
    scene.endpoint.fault("PutObject key=b always status=400 code=ExpiredToken")
    line = refusal(scene.run(upload(scene.files(names)), concurrency=1, exit_code=PAUSED))
    assert "ExpiredToken" in line and "fresh credentials" in line and "haul resume" in line
    scene.endpoint.clear()
    scene.resume()
    assert scene.keys() == names


@pytest.mark.parametrize("job", [
    lambda scene: {"upload": scene.files(["a"]), "to": "store://elsewhere/"},
    lambda scene: {"download": "store://elsewhere/", "to": scene.out},
    lambda scene: {"download": "store://elsewhere/a", "to": scene.out},
])
def test_a_bucket_that_is_not_there(scene, job):
    line = refusal(scene.run(job(scene), exit_code=PAUSED))
    for words in ("bucket elsewhere", "NoSuchBucket", "create the bucket", "haul resume"):
        assert words in line
    scene.s3.create_bucket(Bucket="elsewhere")
    scene.s3.put_object(Bucket="elsewhere", Key="a", Body=b"a")
    scene.resume()


def test_an_object_that_is_not_there_is_one_failure(scene):
    done = scene.run(download("models/llm.bin", scene.out), exit_code=SOME_FAILED)
    assert "models/llm.bin" in done.stderr
    assert "models/llm.bin" in scene.command("status", "--failed").stdout


def test_what_credentials_may_not_write_fails_object_by_object(scene):
    scene.endpoint.fault("PutObject key=b always status=403 code=AccessDenied")
    scene.run(upload(scene.files(["a", "b", "c"])), exit_code=SOME_FAILED)
    assert scene.states() == {"a": "done", "b": "failed", "c": "done"}
    assert "AccessDenied" in scene.reasons()["b"]


# ---- TLS ----


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate and its key; nobody but itself vouches for it."""
    folder = tmp_path_factory.mktemp("tls")
    pair = (str(folder / "cert.pem"), str(folder / "key.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-out", pair[0],
         "-keyout", pair[1], "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True)
    return pair


@pytest.fixture
def tls(haul, new_endpoint, certificate, tmp_path):
    scene = Scene(haul, new_endpoint(tls=certificate), tmp_path)
    scene.env = {k: v for k, v in scene.env.items() if k != "AWS_CA_BUNDLE"}
    return scene


def test_an_authority_that_nobody_knows(tls, certificate):
    line = refusal(tls.run(upload(tls.files(["a"])), exit_code=PAUSED))
    assert tls.endpoint.url in line and "certificate" in line and "ca_file" in line
    assert tls.keys() == []
    tls.run(upload(tls.files(["a"])), store={"ca_file": certificate[0]})
    assert tls.keys() == ["a"]


def test_a_ca_file_that_is_not_there(tls, certificate):
    missing = tls.folder / "ca.pem"
    line = refusal(
        tls.run(upload(tls.files(["a"])), store={"ca_file": str(missing)}, exit_code=PAUSED))
    assert str(missing) in line
    missing.write_bytes(open(certificate[0], "rb").read())
    tls.resume()
    assert tls.keys() == ["a"]


def test_an_authority_that_the_environment_or_the_profile_names(tls, certificate):
    source = tls.files(["a"])
    config = tls.folder / "config"
    config.write_text(f"[profile lab]\nca_bundle = {certificate[0]}\n")
    tls.run(upload(source), env={"AWS_CA_BUNDLE": certificate[0]})
    tls.run(upload(source), env={"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "lab"})
    tls.command("ls", "s3://", env={"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "lab"})


def test_a_server_that_asks_for_a_certificate_of_ours(haul, new_endpoint, certificate, tmp_path):
    scene = Scene(haul, new_endpoint(tls=certificate, client=certificate), tmp_path)
    source, (cert, key) = scene.files(["a"]), certificate
    line = refusal(scene.run(upload(source), exit_code=PAUSED))
    assert scene.endpoint.url in line and "certificate" in line
    scene.run(upload(source), store={"client_cert": cert, "client_key": key})
    assert scene.keys() == ["a"]
    line = refusal(scene.run(
        upload(source), store={"client_cert": cert, "client_key": f"{key}.gone"}, exit_code=PAUSED))
    assert f"{key}.gone" in line
    scene.command("ls", "s3://", exit_code=PAUSED)
    done = scene.command("ls", "s3://", "--client-cert", cert, "--client-key", key)
    assert BUCKET in done.stdout


def assert_insecure(done, endpoint):
    [line] = [line for line in done.stderr.splitlines() if "insecure_endpoint" in line]
    assert f"endpoint={endpoint} " in line and "certificate is not verified" in line


def test_an_insecure_endpoint_is_warned_of_in_each_run(tls):
    job = tls.manifest(upload(tls.files(["a"])), store={"insecure": True})
    for words, works, exit_code in [
            (("plan", job), True, DONE), (("run", job), True, DONE), (("run", job), True, DONE),
            (("run", job), False, PAUSED), (("resume",), False, PAUSED), (("resume",), True, DONE),
            (("plan", job, "--json"), True, DONE)]:
        if works:
            tls.endpoint.restart()
        else:
            tls.endpoint.stop()
        assert_insecure(tls.command(*words, exit_code=exit_code), "store")
    assert '"event":"insecure_endpoint"' in tls.command("run", job, "--log", "json").stderr


@pytest.mark.parametrize("by_manifest", [False, True])
@pytest.mark.parametrize("words", [
    "ls {all}", "ls {one}", "stat {one}/a", "cat {one}/a", "get {one}/a -", "put in/a {one}/b",
    "cp {one}/a {one}/b", "mv {one}/a {one}/b", "rm {one}/a", "presign {one}/a", "uploads {one}",
    "mb {one}-2", "rb {one}-2", "whoami {all}"])
def test_an_insecure_endpoint_is_warned_of_in_each_command(tls, words, by_manifest):
    tls.files(["a"])
    tls.objects(["a"])
    job = tls.manifest(upload("/tmp/x", "x"), store={"insecure": True})
    if words.startswith("rb"):
        tls.s3.create_bucket(Bucket=f"{BUCKET}-2")
    name, *options = ("store", "--manifest", job) if by_manifest else ("s3", "--insecure")
    words = words.format(all=f"{name}://", one=f"{name}://{BUCKET}").split()
    assert_insecure(tls.command(*words, *options, cwd=tls.folder), name)


# ---- Full disks ----


def test_a_full_destination(scene, small_disk):
    """Case 60."""
    bodies = {name: os.urandom(400_000) for name in "abcd"}
    disk = small_disk("1m")
    scene.objects(bodies, "x/")
    line = refusal(scene.run(download("x/", f"{disk.folder}/"), exit_code=PAUSED))
    for words in (f"{disk.folder}/", "No space left", "make room", "haul resume"):
        assert words in line
    for name in set(bodies) & set(tree(disk.folder)):
        assert (disk.folder / name).read_bytes() == bodies[name]
    disk.remount("size=8m")
    scene.resume()
    assert tree(disk.folder) == bodies


def test_a_large_object_on_a_full_destination(scene, small_disk):
    """Case 60."""
    body = os.urandom(2 * PART)
    disk = small_disk("8m")
    scene.objects({"x": body})
    job = download("x", f"{disk.folder}/x")
    assert "No space left" in refusal(scene.run(job, part_size=PART, exit_code=PAUSED))
    assert scene.endpoint.count("GetObject") == 0
    disk.remount("size=16m")
    scene.resume()
    assert tree(disk.folder) == {"x": body}


def test_a_full_disk_under_the_queue(scene, small_disk):
    """Case 67."""
    names = [f"{n:04}-{'x' * 150}" for n in range(1500)]
    disk = small_disk("256k")
    state = {"XDG_STATE_HOME": str(disk.folder)}
    line = refusal(scene.run(upload(scene.files(names)), env=state, exit_code=QUEUE))
    for words in (f"queue {disk.folder}/haul/job/", "full", "make room", "haul resume"):
        assert words in line
    disk.remount("size=16m")
    queue, = disk.folder.glob("haul/job/*.db")
    done = [name for name, s in scene.states(queue).items() if s == "done"]
    scene.endpoint.reset()
    scene.resume(env=state)
    assert scene.keys() == names
    assert not {entry["key"] for entry in scene.endpoint.log("PutObject")} & set(done)


def test_no_room_for_any_queue(scene, small_disk):
    """Case 67."""
    disk = small_disk("16k")
    line = refusal(scene.run(upload(scene.files(["a"])), exit_code=QUEUE,
                             env={"XDG_STATE_HOME": str(disk.folder)}))
    assert str(disk.folder) in line and "make room" in line
    assert list(disk.folder.glob("haul/job/*.db")) == []
    assert scene.endpoint.stats()["requests"] == 0


def test_no_home_for_queues(scene):
    line = refusal(scene.run(upload(scene.files(["a"])), exit_code=QUEUE,
                             env={"XDG_STATE_HOME": "", "HOME": ""}))
    assert "XDG_STATE_HOME" in line and "--queue" in line


# ---- Two at once ----


def test_a_second_runner_is_told_who_has_the_queue(scene):
    """Case 66."""
    scene.endpoint.fault("PutObject always gate=here")
    path = scene.manifest(upload(scene.files(["a"])))
    first = scene.start("run", path)
    scene.endpoint.wait_at("here")
    for words in (["run", path], ["resume"], ["resume", "job"],
                  ["run", path, "--queue", scene.queues()[0]]):
        line = refusal(scene.command(*words, exit_code=QUEUE))
        assert str(scene.queues()[0]) in line and f"process {first.pid}" in line
    assert f"running (process {first.pid})" in scene.command("status").stdout
    scene.endpoint.clear()
    scene.end(first)
    assert scene.endpoint.count("PutObject") == 1


# ---- Single files and objects ----


def test_files_that_can_not_be_read_are_one_failure_each(scene):
    """Case 65."""
    source = scene.files(["a", "b", "closed/c", "d"])
    os.chmod(source + "b", 0)
    os.chmod(source + "closed", 0)
    try:
        done = without_rights(scene, "run", scene.manifest(upload(source)), exit_code=SOME_FAILED)
    finally:
        os.chmod(source + "closed", 0o755)
    assert scene.states() == {"a": "done", "b": "failed", "closed/": "failed", "d": "done"}
    assert scene.reasons() == {"b": "Permission denied", "closed/": "Permission denied"}
    assert "object=b" in done.stderr and "object=closed/" in done.stderr
    assert "2 of 4 objects done" in done.stdout and "2 failed" in done.stdout


def test_files_that_vanish_are_one_failure_each(scene):
    """Case 65."""
    source = scene.files(["a", "b", "c"])
    scene.endpoint.fault("PutObject nth=1 gate=here")
    running = scene.start_run(upload(source), concurrency=1)
    scene.endpoint.wait_at("here")
    os.unlink(source + "b")
    scene.endpoint.clear()
    scene.end(running, SOME_FAILED)
    assert scene.keys() == ["a", "c"]
    assert scene.reasons() == {"b": "No such file or directory"}


def test_a_file_that_changes_while_it_is_sent_is_sent_again(scene):
    """Case 15."""
    source = scene.files({"a": b"first"})
    scene.endpoint.fault("PutObject nth=1 gate=here")
    running = scene.start_run(upload(source))
    scene.endpoint.wait_at("here")
    scene.files({"a": b"second, and longer"})
    scene.endpoint.clear()
    assert "object_restarted" in scene.end(running).stderr
    assert scene.stored() == {"a": b"second, and longer"}


@pytest.mark.parametrize("size", [2 * PART, 3 * PART + 1, 100])
def test_a_file_that_changes_while_its_parts_are_sent_is_sent_again(scene, size):
    """Case 15."""
    source = scene.files({"a": os.urandom(2 * PART)})
    scene.endpoint.fault("UploadPart part=2 nth=1 gate=here")
    running = scene.start_run(upload(source), part_size=PART)
    scene.endpoint.wait_at("here")
    body = os.urandom(size)
    scene.files({"a": body})
    scene.endpoint.clear()
    assert "object_restarted" in scene.end(running).stderr
    assert scene.stored() == {"a": body}
    assert scene.uploads() == []


@pytest.mark.parametrize("size", [3 * PART, PART + 1, 100, 0])
def test_an_object_that_is_replaced_while_it_is_read_is_read_again(scene, size):
    """Case 21."""
    scene.objects({"x": os.urandom(3 * PART)})
    scene.endpoint.fault("GetObject nth=2 gate=here")
    running = scene.start_run(download("x", scene.out), part_size=PART)
    scene.endpoint.wait_at("here")
    body = os.urandom(size)
    scene.objects({"x": body})
    scene.endpoint.clear()
    assert "object_restarted" in scene.end(running).stderr
    assert tree(scene.out) == {"x": body}


def test_an_object_that_vanishes_while_it_is_read_is_a_failure(scene):
    scene.objects({"x/a": os.urandom(3 * PART), "x/b": b"b"})
    scene.endpoint.fault("GetObject key=a nth=2 gate=here")
    running = scene.start_run(download("x/", scene.out), part_size=PART)
    scene.endpoint.wait_at("here")
    scene.s3.delete_object(Bucket=BUCKET, Key="x/a")
    scene.endpoint.clear()
    scene.end(running, SOME_FAILED)
    assert tree(scene.out) == {"b": b"b"}
    assert scene.states() == {"a": "failed", "b": "done"}


# ---- Names that lead elsewhere ----


def test_keys_can_not_leave_the_destination(scene):
    """Case 40."""
    bad = ["../up", "..", ".", "/absolute", "a//b", "deep/../../up", "deep/./x", "deep/..",
           "x" * 256, "deep/" + "x" * 256, ".a.run.haul-part"]
    good = ["a/b", "..a", "a..", "...", ".hidden", "x" * 255]
    scene.objects([*bad, *good], "p/")
    before = tree(scene.folder).keys()
    done = scene.run(download("p/", scene.out + "below/"), exit_code=SOME_FAILED)
    states = scene.states()
    assert {name for name, state in states.items() if state == "failed"} == set(bad)
    assert tree(scene.out) == {f"below/{name}": f"{name}".encode() for name in good}
    new = {name for name in tree(scene.folder).keys() - before if not name.startswith("home/")}
    assert new == {f"out/below/{name}" for name in good}
    for name in bad:
        assert f"object={name}" in done.stderr


def test_a_folder_s_marker_is_skipped(scene):
    """Case 40."""
    scene.objects({"p/": b"", "p/sub/": b"", "p/sub/a": b"a"})
    scene.run(download("p/", scene.out))
    assert tree(scene.out) == {"sub/a": b"a"}
    assert scene.states() == {"": "skipped", "sub/": "skipped", "sub/a": "done"}


def test_a_name_that_is_a_file_and_a_folder(scene):
    """Case 40."""
    scene.objects(["p/a", "p/a/b", "p/c"])
    scene.run(download("p/", scene.out), exit_code=SOME_FAILED)
    states = scene.states()
    assert sorted(states.values()) == ["done", "done", "failed"] and states["c"] == "done"
    done = {name for name, state in states.items() if state == "done"}
    assert tree(scene.out) == {name: f"p/{name}".encode() for name in done}


def test_links_pipes_and_sockets_in_a_source_are_skipped_by_name(scene, monkeypatch):
    """Case 64."""
    source = scene.files(["a", "sub/b"])
    outside = scene.files(["secret"], below="outside")
    os.symlink(outside + "secret", source + "link")
    os.symlink(outside, source + "linked")
    os.mkfifo(source + "pipe")
    with socket.socket(socket.AF_UNIX) as s:
        monkeypatch.chdir(source)  # a socket's path must be short
        s.bind("socket")
    done = scene.run(upload(source))
    assert scene.keys() == ["a", "sub/b"]
    assert scene.reasons() == {"link": "symbolic link", "linked": "symbolic link",
                               "pipe": "named pipe", "socket": "socket"}
    assert "4 skipped" in done.stdout


def test_a_link_planted_for_a_folder_is_not_followed(scene):
    """Cases 40 and 64."""
    outside = scene.files([], below="outside")
    os.mkdir(scene.out)
    os.symlink(outside, scene.out + "sub")
    scene.objects(["p/sub/a", "p/b"])
    scene.run(download("p/", scene.out), exit_code=SOME_FAILED)
    assert scene.states() == {"b": "done", "sub/a": "failed"}
    assert tree(outside) == {}


def test_a_link_planted_for_a_file_is_replaced(scene):
    """Case 64."""
    outside = scene.files({"a": b"precious"}, below="outside")
    os.mkdir(scene.out)
    os.symlink(outside + "a", scene.out + "a")
    scene.objects(["p/a"])
    scene.run(download("p/", scene.out))
    assert tree(outside) == {"a": b"precious"}
    assert tree(scene.out) == {"a": b"p/a"}
    assert not os.path.islink(scene.out + "a")


@pytest.mark.parametrize("size", [10, 2 * PART])
def test_a_link_planted_for_a_temporary_file_is_not_followed(scene, size):
    """Case 64."""
    body = os.urandom(size)
    outside = scene.files({"a": b"precious"}, below="outside")
    scene.objects({"p/a": body})
    scene.endpoint.stop()
    scene.run(download("p/", scene.out), part_size=PART, exit_code=PAUSED)
    scene.endpoint.restart()
    os.mkdir(scene.out)
    run = scene.rows("SELECT id FROM run")[0][0]
    os.symlink(outside + "a", f"{scene.out}.a.{run}.haul-part")
    scene.resume()
    assert tree(outside) == {"a": b"precious"}
    assert tree(scene.out)["a"] == body and not os.path.islink(scene.out + "a")


def test_who_named_the_queue_is_told_to_resume_that(scene):
    queue = scene.folder / "here.db"
    scene.endpoint.fault("ListObjectsV2 always status=403 code=InvalidAccessKeyId")
    done = scene.run(upload(scene.files(["a"])), args=("--queue", queue), exit_code=PAUSED)
    shown = scene.command("status", "--queue", queue).stdout
    assert f": `haul resume --queue {queue}` goes on\n" in done.stderr
    assert f"  next       haul resume --queue {queue}\n" in shown
    scene.endpoint.clear()
    scene.resume("--queue", queue)
    assert scene.keys() == ["a"]
