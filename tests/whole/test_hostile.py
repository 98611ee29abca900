"""What others may hand to haul to do harm: servers that lie, keys that draw on terminals, queues
from somewhere else; and a process that was started in an unfriendly place.
"""

import contextlib
import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest
from liar import endless, error, listing, reply
from queuefile import DONE, INTERRUPTED, PAUSED, QUEUE, SOME_FAILED
from scene import BUCKET, PART, Scene, SmallDisk, download, refusal, tree, upload

SECONDS = 10 + 10  # the promise for a signal, and a slow machine
TWO_62 = 1 << 62
MIB = 1 << 20


def fetch(scene, liar, exit_code, **manifest):
    return scene.run(download("", scene.out), store={"url": liar.url}, exit_code=exit_code,
                     **manifest)


def assert_no_control_characters(*texts):
    for text in texts:
        raw = text.encode("utf-8", "surrogateescape").decode("utf-8")
        assert re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", raw) == []


# ---- Servers ----


@pytest.mark.parametrize("date", [
    "Sun, 06 Nov 99999 08:49:37 GMT", "Sun, 06 Nov 2044 08:49:37 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"])
@pytest.mark.parametrize("code", ["", "RequestTimeTooSkewed"])
def test_nothing_is_signed_for_another_day_than_today(scene, lie, date, code):
    """Case 43."""
    body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
    liar = lie(lambda _: reply(body, "403 Forbidden", f"Date: {date}"))
    refusal(fetch(scene, liar, PAUSED))
    now = datetime.datetime.utcnow()
    for request in liar.requests:
        signed = datetime.datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        assert abs(signed - now) < datetime.timedelta(hours=25)
    assert scene.command("status").returncode == 0


@pytest.mark.parametrize("sizes", [
    {"b": (1 << 64) - 1}, {"b": (1 << 63) - 1}, {"b": 1 << 63},
    {f"b{n}": TWO_62 for n in range(4)}])
def test_sizes_that_no_object_has_are_failures(scene, lie, sizes):
    liar = lie(lambda request: listing({"a": 2} | sizes) if request.is_listing
               else reply(b"ok", "200 OK", 'ETag: "e"'))
    fetch(scene, liar, SOME_FAILED)
    assert scene.states() == {"a": "done"} | dict.fromkeys(sizes, "failed")
    assert tree(scene.out) == {"a": b"ok"}
    status = json.loads(scene.command("status", "--json", "--failed").stdout)
    assert (status["done"], status["failed"]) == (1, len(sizes))
    assert {row["name"] for row in status["failures"]} == sizes.keys()
    for words in ["status", "jobs"]:
        assert "finished" in scene.command(words).stdout


@pytest.mark.parametrize("size", ["18446744073709551616", "-1", "1e3", "9" * 400, "0x10", ""])
def test_sizes_that_are_no_number_are_refused(scene, lie, size):
    liar = lie(lambda _: listing({"a": size}))
    done = fetch(scene, liar, None)
    assert done.returncode in (SOME_FAILED, PAUSED), done.stderr
    assert tree(scene.out) == {}


def longer(request):
    """90 GB, as the reply says itself."""
    yield b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 90000000000\r\n\r\n'
    while True:
        yield b"x" * 0x10000


def endless_range(request):
    where = request.headers.get("range", "bytes=0-9").removeprefix("bytes=")
    return endless("206 Partial Content", 'ETag: "e"', f"Content-Range: bytes {where}/{3 * PART}")


@pytest.mark.parametrize("size", [0, 10, 3 * PART])
@pytest.mark.parametrize("answer", [
    lambda _: endless("200 OK", 'ETag: "e"'), longer, endless_range])
def test_no_more_is_written_than_was_listed(scene, lie, small_disk, size, answer):
    disk = small_disk("64m")
    liar = lie(lambda request: listing({"a": size}) if request.is_listing
               else reply(b"", "403 Forbidden") if request.method == "HEAD" else answer(request))
    done = scene.run(download("", f"{disk.folder}/"), store={"url": liar.url}, exit_code=None,
                     part_size=PART)
    assert done.returncode in (SOME_FAILED, PAUSED), done.stderr
    assert "done" not in scene.states().values()
    assert all(name.endswith(".haul-part") and len(body) == size
               for name, body in tree(disk.folder).items())
    assert liar.sent < 200 * MIB


def test_an_error_without_end_is_an_error(scene, lie):
    """Case 59."""
    liar = lie(lambda request: listing({"a": 1}) if request.is_listing
               else endless("503 Slow Down"))
    assert "503" in refusal(fetch(scene, liar, PAUSED, retries=3))
    assert len([r for r in liar.requests if r.method == "GET" and not r.is_listing]) == 4
    assert liar.sent < 100 * MIB


@pytest.mark.parametrize("listed", [True, False])
def test_an_error_without_end_does_not_outlive_a_signal(scene, lie, listed):
    liar = lie(lambda request: listing({"a": 1})
               if request.is_listing and (listed or "max-keys" in request.query)
               else endless("503 Slow Down"))
    running = scene.start_run(download("", scene.out), store={"url": liar.url}, retries=100)
    line = running.stderr.readline()
    assert "started" in line
    while len(liar.requests) < 4:
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    scene.end(running, INTERRUPTED, SECONDS)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Moved"])
@pytest.mark.parametrize("body", [b"", b"<Error><Code>TemporaryRedirect</Code>"
                                  b"<Endpoint>{elsewhere}</Endpoint></Error>"])
def test_a_redirect_leads_nobody_elsewhere(scene, lie, status, body):
    """Case 44. Neither requests nor keys."""
    elsewhere = lie(lambda request: listing({}))
    body = body.replace(b"{elsewhere}", elsewhere.url.encode())
    liar = lie(lambda request: reply(body, status, f"Location: {elsewhere.url}{request.path}"))
    refusal(fetch(scene, liar, PAUSED, retries=1))
    assert elsewhere.requests == []
    assert len(liar.requests) > 0


def test_names_can_not_act_on_a_terminal(scene, lie):
    keys = ["../\x1b]0;pwn\x07x", "a\nhaul: info: fake", "a\x1b[31mb", "z\x9b31m", "bell\x07",
            "cr\rx", "tab\tx", "del\x7f"]
    liar = lie(lambda request: listing(dict.fromkeys(keys, 1) | {"huge\x1b[2J": TWO_62})
               if request.is_listing
               else error("AccessDenied", "no") if "31m" in request.path
               else reply(b"x", "200 OK", 'ETag: "e"'))
    job = scene.manifest(download("", scene.out), store={"url": liar.url})
    done = [scene.command("plan", job), scene.command("plan", job, "--json"),
            scene.command("run", job, exit_code=SOME_FAILED),
            scene.command("run", job, "--log", "json", exit_code=SOME_FAILED),
            scene.command("status", "--failed"), scene.command("status", "--json", "--failed")]
    for one in done:
        assert_no_control_characters(one.stdout, one.stderr)
        assert "\nhaul: info: fake" not in one.stdout + one.stderr
    assert "fake" in done[0].stdout and "pwn" in done[2].stderr and "pwn" in done[4].stdout
    assert {row["name"] for row in json.loads(done[5].stdout)["failures"]} >= {
        "a\x1b[31mb", "z\x9b31m", "../\x1b]0;pwn\x07x"}


@pytest.mark.parametrize("answer", [
    error("AccessDenied", "\x9b31mRED\x9b0m &#10;haul: info: fake"),
    error("\x9b31mCode", "text"),
    error("NoSuchBucket", "\x85\x9d0;title\x9c", "404 Not Found"),
    reply(b"", "301 Moved", "x-amz-bucket-region: \x1b[31m"),
    reply(b"", "301 Moved", "x-amz-bucket-region: evil.test/x"),
    reply(b"", "307 Moved", "Location: http://127.0.0.1:1/\x1b[31m"),
    reply(b"", "403 \x1b[31m\x9bForbidden"),
    b"HTTP/1.1 \x1b[31m\r\n\r\n", b"\x1b]0;x\x07", reply(b"", "999 \xff\xff")])
@pytest.mark.parametrize("format", ["text", "json"])
def test_a_server_s_words_can_not_act_on_a_terminal(scene, lie, answer, format):
    liar = lie(lambda request: answer)
    job = scene.manifest(download("", scene.out), store={"url": liar.url}, retries=0)
    done = scene.command("run", job, "--log", format, exit_code=PAUSED)
    assert_no_control_characters(done.stdout, done.stderr)
    status = scene.command("status")
    assert "paused" in status.stdout
    assert_no_control_characters(status.stdout)


@pytest.mark.parametrize("document", [
    b"<ListBucketResult " + b" ".join(b'a%d="x"' % n for n in range(400_000)) + b"/>",
    b"<ListBucketResult><" + b"a" * (4 * MIB) + b"/></ListBucketResult>",
    b"<ListBucketResult>" + b"<Contents/>" * (40 * MIB // 11) + b"</ListBucketResult>",
    b"<?a ?>" * (40 * MIB // 6) + b"<ListBucketResult/>",
    b"<a>" * MIB, b"<ListBucketResult>\0</ListBucketResult>"],
    ids=["attributes", "name", "rows", "instructions", "depth", "nul"])
def test_a_monstrous_listing_is_refused_at_once(scene, lie, document):
    """Case 59."""
    liar = lie(lambda _: reply(document))
    done = scene.command(
        "run", scene.manifest(download("", scene.out), store={"url": liar.url}, retries=1),
        exit_code=PAUSED, timeout=SECONDS)
    refusal(done)
    assert liar.sent < 100 * MIB


# ---- Whom to trust ----


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    """Two authorities' certificates, a server's pair that the first one vouches for, and a folder
    as /etc/ssl/certs is, with the first one in it."""
    folder = tmp_path_factory.mktemp("authorities")

    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=folder)

    for name in "ours", "other":
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout",
            "server.key", "-out", "server.csr")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ours.pem", "-CAkey", "ours.key",
            "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem")
    (folder / "certs").mkdir()
    shutil.copy(folder / "ours.pem", folder / "certs")
    shutil.copy(folder / "ours.pem", folder / "certs/ca-certificates.crt")
    openssl("rehash", "certs")
    return folder


def test_a_ca_file_is_trusted_alone(haul, new_endpoint, authorities, tmp_path):
    """haul is started where the system's authorities are ours."""
    server = (str(authorities / "server.pem"), str(authorities / "server.key"))
    scene = Scene.__new__(Scene)
    endpoint = new_endpoint(tls=server)
    endpoint.tls = (str(authorities / "ours.pem"), server[1])  # what its clients are to trust
    Scene.__init__(scene, haul, endpoint, tmp_path)
    scene.env = {k: v for k, v in scene.env.items() if k != "AWS_CA_BUNDLE"}
    inner = f"mount --bind {authorities}/certs /etc/ssl/certs && exec \"$@\""

    def run(name, exit_code, **store):
        job = scene.manifest(upload(scene.files([name]) + name, name), name=name, store=store)
        as_root = [*SmallDisk.AS_ROOT, "--preserve-env"] if SmallDisk.AS_ROOT else []
        done = subprocess.run(
            [*as_root, "unshare", "-m", "sh", "-c", inner, "sh", haul.program, "run", job],
            env=haul.env | scene.env, cwd=haul.home, capture_output=True, text=True, timeout=60)
        assert done.returncode == exit_code, done.stderr
        return done

    run("a", DONE)
    assert "certificate" in run("b", PAUSED, ca_file=str(authorities / "other.pem")).stderr
    run("c", DONE, ca_file=str(authorities / "ours.pem"))
    assert scene.keys() == ["a", "c"]


# ---- Queues ----


@pytest.fixture
def paused(scene):
    """The queue of a run with a large object in the middle of its parts, and one planned."""
    scene.endpoint.fault("UploadPart part=3 always status=400 code=ExpiredToken")
    scene.source = {"a": os.urandom(3 * PART), "b": b"b"}
    scene.run(upload(scene.files(scene.source)), concurrency=1, part_size=PART, exit_code=PAUSED)
    scene.endpoint.clear()
    return scene.queues()[0]


def sql(path, *statements):
    with contextlib.closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


def loosen(path):
    """The same tables, without what the schema says that must be true."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        nested = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
        tables = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall()
        db.execute("PRAGMA writable_schema = ON")
        for name, text in tables:
            for strict, loose in [("CHECK " + nested, "CHECK (1)"), ("NOT NULL", ""),
                                  (r"\) STRICT, WITHOUT", ") WITHOUT"), (r"\) STRICT", ")")]:
                text = re.sub(strict, loose, text)
            db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (text, name))
        db.execute("DELETE FROM sqlite_schema WHERE type = 'trigger'")
        db.commit()


REFUSED, CARRIED_OUT = (QUEUE,), (DONE, SOME_FAILED)


@pytest.mark.parametrize("statement, ends", [
    ("UPDATE object SET transfer_id = 2", REFUSED),
    ("UPDATE object SET transfer_id = 0", REFUSED),
    ("UPDATE object SET transfer_id = -1", REFUSED),
    ("UPDATE object SET transfer_id = NULL", REFUSED),
    ("UPDATE object SET state = 'gone'", REFUSED),
    ("UPDATE object SET state = NULL", REFUSED),
    ("UPDATE object SET name = NULL", REFUSED),
    ("UPDATE object SET size = -1", REFUSED),
    ("UPDATE object SET size = 'x', generation = x'00'", REFUSED),
    ("DELETE FROM motion", REFUSED),
    ("UPDATE motion SET part_bytes = 0", REFUSED),
    ("UPDATE motion SET part_bytes = -1", REFUSED),
    ("UPDATE motion SET part_bytes = 1", REFUSED),
    ("UPDATE motion SET part_bytes = 6291456", CARRIED_OUT),
    ("UPDATE motion SET source = NULL", REFUSED),
    ("UPDATE motion SET temp = '1:2'", REFUSED),
    ("UPDATE motion SET generation = 2", REFUSED),
    ("UPDATE object SET size = size - 1", CARRIED_OUT),
    ("UPDATE object SET state = 'completing' WHERE name = 'a'", CARRIED_OUT),
    ("UPDATE object SET state = 'publishing' WHERE name = 'a'", REFUSED),
    ("UPDATE object SET state = 'planned'", REFUSED),
    ("UPDATE object SET name = '../in/' || name", CARRIED_OUT),
    ("UPDATE object SET name = '/in/' || name", CARRIED_OUT),
    ("UPDATE object SET generation = 4294967297", REFUSED),
    ("UPDATE motion SET upload_id = NULL", CARRIED_OUT),
    ("UPDATE motion SET token = NULL", CARRIED_OUT),
    ("UPDATE motion SET began_ms = 'x'", CARRIED_OUT),
    ("UPDATE part SET number = number * 70000", CARRIED_OUT),
    ("UPDATE part SET number = number - 1", CARRIED_OUT),
    ("UPDATE part SET number = -number", CARRIED_OUT),
    ("UPDATE part SET number = number + 4294967296", CARRIED_OUT),
    ("UPDATE part SET etag = NULL", CARRIED_OUT),
    ("UPDATE part SET state = 'written', etag = NULL", CARRIED_OUT),
    ("UPDATE part SET state = 'gone'", CARRIED_OUT),
    ("UPDATE part SET state = NULL", CARRIED_OUT),
    ("UPDATE part SET object_id = 99", REFUSED),
    ("DELETE FROM transfer", REFUSED),
    ("DELETE FROM run", REFUSED),
    ("UPDATE run SET manifest = '{}'", REFUSED),
    ("UPDATE run SET manifest = NULL", REFUSED),
    ("UPDATE run SET id = '../../x'", REFUSED),
    ("DROP TABLE part", REFUSED)])
def test_a_queue_that_was_tampered_with_harms_nobody(scene, paused, statement, ends):
    """It is refused, or what it says is carried out as far as it can be; nothing else happens."""
    loosen(paused)
    sql(paused, statement)
    done = scene.command("resume", "--queue", paused, exit_code=None)
    assert done.returncode in ends, done.stderr
    assert scene.stored().items() <= scene.source.items()
    for words in [("status",), ("status", "--failed", "--json")]:
        assert scene.command(*words, "--queue", paused, exit_code=None).returncode in (DONE, QUEUE)


@pytest.mark.parametrize("place", ["${env:SECRET}", f"store://{BUCKET}/${{env:SECRET}}/"])
def test_a_queue_s_manifest_can_not_ask_the_environment(scene, paused, place):
    secret = "0123456789secret"
    old = f"store://{BUCKET}/"
    sql(paused, f"UPDATE run SET manifest = replace(manifest, '{old}', '{place}')")
    assert place in scene.rows("SELECT manifest FROM run")[0][0]
    scene.endpoint.reset()
    done = scene.resume(exit_code=QUEUE, env={"SECRET": secret})
    assert "damaged" in refusal(done) and secret not in done.stdout + done.stderr
    assert scene.endpoint.log() == []


def test_failures_of_names_that_are_not_utf_8_are_json(scene):
    source = scene.files(["good"])
    for name in (b"bad\xff", b"\xed\xa0\x80", b"cut\xe2\x82"):
        pathlib.Path(os.fsdecode(source.encode() + name)).write_bytes(b"x")
    scene.run(upload(source), exit_code=SOME_FAILED)
    out = scene.command("status", "--json", "--failed").stdout
    assert len(json.loads(out.encode("utf-8", "surrogateescape").decode("utf-8"))["failures"]) == 3
    text = scene.command("status", "--failed").stdout
    text.encode("utf-8")  # a terminal's, too


@pytest.mark.parametrize("umask", [0, 0o22, 0o277])
def test_queues_are_for_their_owner_alone_whatever_the_umask(scene, umask):
    scene.endpoint.fault("PutObject always gate=here")
    places = {"my.db*": ["--queue", scene.folder / "my.db"], "home/state/**/*.db*": []}
    for hanging, (place, options) in enumerate(places.items(), 1):  # also who was killed
        job = scene.manifest(upload(scene.files(["a"])))
        running = scene.start("run", job, *options, preexec_fn=lambda: os.umask(umask))
        scene.endpoint.wait_at("here", hanging)
        files = list(scene.folder.glob(place))
        assert len(files) >= 2
        assert {file.name: file.stat().st_mode & 0o177 for file in files} == {
            file.name: 0 for file in files}
        running.kill()
        running.communicate()


# ---- Where it is started ----


@pytest.mark.parametrize("closed", [(2,), (1,), (0,), (1, 2), (0, 1, 2)])
def test_a_closed_stream_s_number_is_no_file_of_ours(scene, closed):
    """What haul would print there must not get into what it writes."""
    scene.endpoint.fault("PutObject key=b always status=403 code=AccessDenied")
    job = scene.manifest(upload(scene.files(["a", "b"])), store={"insecure": True})

    def close():
        for number in closed:
            os.close(number)

    streams = dict.fromkeys(["stdin", "stdout", "stderr"])
    scene.command("run", job, exit_code=None, preexec_fn=close, **streams)
    [queue] = scene.queues()
    assert scene.states() == {"a": "done", "b": "failed"}
    assert scene.rows("PRAGMA integrity_check") == [("ok",)]
    for file in queue.parent.iterdir():
        assert b"insecure" not in file.read_bytes()[:20] and b"haul:" not in file.read_bytes()
    assert scene.stored() == {"a": b"a"}


@pytest.mark.parametrize("words", [
    ("plan", "{job}"), ("plan", "{job}", "--json"), ("status",), ("status", "--json"), ("jobs",),
    ("jobs", "--json"), ("run", "{job}"), ("--help",), ("--version",)], ids=" ".join)
def test_results_that_can_not_be_written_are_no_success(scene, words):
    job = scene.manifest(upload(scene.files(["a"])))
    scene.command("run", job)
    with open("/dev/full", "w") as full:
        done = scene.command(*(w.format(job=job) for w in words), exit_code=None, stdout=full)
    assert done.returncode == SOME_FAILED
    assert "could not be written" in refusal(done)
