"""Thousands of keys that want out of the destination, and names that want to be keys: each is
where it belongs or refused by name, and nothing around the destination is touched.
HAUL_TEST_SEED repeats a run's keys; HAUL_TEST_LONG=1 makes ten times as many.
"""

import contextlib
import json
import os
import shutil
import urllib.parse

import pytest
from liar import Liar, reply
from queuefile import DONE, PAUSED, SOME_FAILED
from scene import BUCKET, PART, download, refusal, upload

COUNT = 50_000 if os.environ.get("HAUL_TEST_LONG") else 5_000
PAGE = 1000

# Segments: faulty ones, traps that plant() makes, what other programs take for more, and plain
# ones, which meet one another as files and folders.
FAULTY = [b"..", b".", b"", b"n" * 256, b"\xff", b"\xc0\xaf", b"\xc0\xae\xc0\xae", b"\xed\xa0\x80",
          b"cut\xe2\x82", b".x.haul-part", b".a.20260131T235959Z-1f2e-1.haul-part"]
TRAPS = [b"up", b"out", b"absolute", b"dangling", b"loop", b"victim", b"fifo"]
ODD = [b"..\\..\\outside", b"\x01\x1b[2J\r\n", b"\x7f", b"...", b".. ", b" ", b"-rf", b"~", b"~root",
       b"$HOME", b"`id`", b"%2e%2e%2f", b"%00", b"*", b"C:", b"CON", b"a.haul-part", b".haul-part",
       b".haul-0123456789abcdef", b"\xe2\x80\xae\xe6\x97\xa5", b"\xef\xbc\x8f", b"m" * 255,
       b"\xc3\xa9", b"e\xcc\x81", b"A", b"\xc2\x85", b"a+b", b"?q#f", b"&amp;", b"q.db", b"x.lock"]
PLAIN = [b"a", b"b", b"c", b"folder", b"d"]
BY_HAND = [b"/etc/passwd", b"//x", b"a/", b"a//", b"../outside/victim", b"folder/../../x", b"..",
           b".", b"/", b"k" * 1025, b"/".join([b"d" * 100] * 10), b"/".join([b"x"] * 512),
           b"../" * 300 + b"etc/passwd", b"A", b"a", b"a/b", b"a/b/c", b"\xc3\xa9", b"e\xcc\x81"]


def make_keys(chance, count):
    """{key: body}; half of them might well be files."""
    keys = set(BY_HAND)
    while len(keys) <= count:
        kinds = [ODD, PLAIN] if chance.random() < 0.5 else [FAULTY, TRAPS, ODD, PLAIN]
        segments = [chance.choice(chance.choice(kinds)) for _ in range(chance.randint(1, 5))]
        if chance.random() < 0.6:
            segments[-1] += b"-%d" % len(keys)
        keys.add(b"/".join(segments) + (b"/" if chance.random() < 0.05 else b""))
    keys.discard(b"")
    return {key: b"" if chance.random() < 0.3 else b"of " + key for key in keys}


def is_utf_8(name):
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_temporary(name):
    return name.startswith(b".") and name.endswith(b".haul-part") and name != b".haul-part"


def is_fault(key):
    return len(key) > 1024 or not is_utf_8(key) or any(
        s in (b"", b".", b"..") or len(s) > 255 or is_temporary(s) for s in key.split(b"/"))


def folders_of(key):
    at = key.split(b"/")
    return {b"/".join(at[:n]) for n in range(1, len(at))}


class Around:
    """A folder with a destination in it, and what must stay as it is beside that."""

    def __init__(self, folder):
        self.folder = os.fsencode(folder / "around")
        self.out = self.folder + b"/out/"
        os.makedirs(self.folder + b"/outside/folder")
        for name in b"victim", b"outside/victim", b"outside/folder/a":
            with open(self.folder + b"/" + name, "wb") as file:
                file.write(b"precious")
        self.before = None

    def plant(self, *below):
        """Traps, in the destination and in these folders below it; then looks around."""
        for folder in (b"", *below):
            at = self.out + folder + b"/"
            os.makedirs(at)
            up = b"../" * len([s for s in folder.split(b"/") if s])
            for name, target in [(b"up", b".."), (b"out", up + b"../outside"),
                                 (b"absolute", self.folder + b"/outside"), (b"loop", b"loop"),
                                 (b"dangling", up + b"../outside/new"),
                                 (b"victim", up + b"../outside/victim")]:
                os.symlink(target, at + name)
            os.mkfifo(at + b"fifo")
        self.before = self.look()

    def look(self):
        """{path: what it is} of all but the destination."""
        found = {}
        for at, folders, files in os.walk(self.folder):
            if at == self.folder:
                folders.remove(b"out")
            for path in [at, *(at + b"/" + name for name in files)]:
                st = os.lstat(path)
                found[path] = (st.st_mode, st.st_ino, st.st_size, st.st_mtime_ns)
        return found

    def files(self):
        """{key: bytes} of the files in the destination, by way of no link."""
        found = {}
        for at, _, files in os.walk(self.out):
            for name in files:
                path = os.path.join(at, name)
                if not os.path.islink(path) and os.path.isfile(path):
                    with open(path, "rb") as file:
                        found[os.path.relpath(path, self.out)] = file.read()
        return found

    def assert_untouched(self):
        assert self.look() == self.before


@pytest.fixture
def around(tmp_path):
    return Around(tmp_path)


def store(objects):
    """What a Liar answers that has these objects, whatever their keys."""
    names = sorted(objects)

    def page(start):
        rows = b"".join(
            b"<Contents><Key>%s</Key><Size>%d</Size><ETag>&quot;e&quot;</ETag></Contents>"
            % (urllib.parse.quote_from_bytes(key).encode(), len(objects[key]))
            for key in names[start:start + PAGE])
        more = start + PAGE < len(names)
        return reply(b"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>%s"
                     b"</IsTruncated><NextContinuationToken>%d</NextContinuationToken>%s"
                     b"</ListBucketResult>" % (b"true" if more else b"false", start + PAGE, rows))

    def answer(request):
        if request.is_listing:
            return page(int(request.query.get("continuation-token", ["0"])[0]))
        key = urllib.parse.unquote_to_bytes(request.path.removeprefix(f"/{BUCKET}/"))
        if key not in objects:
            return reply(b"", "404 Not Found")
        whole = reply(objects[key], "200 OK", 'ETag: "e"')
        head = whole.removesuffix(objects[key])
        return head if request.method == "HEAD" else whole
    return answer


@pytest.fixture
def lie():
    with contextlib.ExitStack() as running:
        yield lambda answer: running.enter_context(Liar(answer))


def expected(objects, traps):
    """{key: states that it may end in}."""
    files = {key for key in objects if not is_fault(key)}
    folders = set().union(*map(folders_of, files))
    allowed = {}
    for key, body in objects.items():
        if key.endswith(b"/") and not body:
            allowed[key] = {"skipped"}
        elif key not in files:
            allowed[key] = {"failed"}
        elif folders_of(key) & traps:
            allowed[key] = {"failed"}
        elif key in folders or folders_of(key) & files:
            allowed[key] = {"done", "failed"}  # `a` and `a/b`: the faster one
        else:
            allowed[key] = {"done"}
    return allowed


BELOW = [b"folder", b"a", b"d/folder"]
PLANTED = {folder + slash + name for folder, slash in [(b"", b""), *((f, b"/") for f in BELOW)]
           for name in TRAPS}


def test_no_key_leads_out_of_the_destination(scene, lie, around, chance, capsys):
    """Cases 40 and 64."""
    objects = make_keys(chance, COUNT)
    around.plant(*BELOW)
    liar = lie(store(objects))
    scene.run(download("", os.fsdecode(around.out)), store={"url": liar.url},
              exit_code=SOME_FAILED)
    around.assert_untouched()
    rows = scene.rows("SELECT CAST(name AS BLOB), state, why FROM object")
    states = {name: state for name, state, _ in rows}
    allowed = expected(objects, PLANTED)
    allowed |= {folder: {"failed"} for folder in BELOW if folder in allowed}
    assert len(rows) == len(objects)
    assert {key: state for key, state in states.items() if state not in allowed[key]} == {}
    assert [name for name, state, why in rows if state != "done" and not why] == []
    done = {key: body for key, body in objects.items() if states[key] == "done"}
    assert around.files() == done
    status = scene.command("status", "--json", "--failed").stdout
    failures = json.loads(status.encode("utf-8", "surrogateescape"))["failures"]
    failed = [name for name, state in states.items() if state == "failed"]
    told = {name.decode() for name in failed if is_utf_8(name)}
    assert told <= {failure["name"] for failure in failures}
    assert len(failures) == len(failed)
    assert min(len(done), len(failed)) > len(objects) // 5
    with capsys.disabled():
        print(f"{len(objects)} keys: {len(done)} files, {len(failed)} refused by name,"
              f" {len(objects) - len(done) - len(failed)} folders' markers")


def test_no_key_leads_get_r_out_of_its_folder(scene, lie, around, chance):
    """Cases 40 and 64. The one-shot command."""
    objects = make_keys(chance, COUNT // 5)
    around.plant(*BELOW)
    liar = lie(store(objects))
    done = scene.haul.run("get", "-r", f"s3://{BUCKET}/", os.fsdecode(around.out), "--json",
                          env=scene.env | {"AWS_ENDPOINT_URL_S3": liar.url})
    assert done.returncode == SOME_FAILED, done.stderr
    around.assert_untouched()
    allowed, found = expected(objects, PLANTED), around.files()
    assert [key for key in found if found[key] != objects[key] or "done" not in allowed[key]] == []
    assert [key for key in objects if allowed[key] == {"done"} and key not in found
            and key not in BELOW] == []


@pytest.mark.parametrize("key", [b"a\0b", b"\0"])
def test_a_key_with_a_nul_is_never_cut_there(scene, lie, around, key):
    """Case 40."""
    around.plant()
    liar = lie(store({key: b"x", b"a": b"y"}))
    done = scene.run(download("", os.fsdecode(around.out)), store={"url": liar.url},
                     exit_code=PAUSED)
    assert "Key" in refusal(done)
    assert around.files() == {}
    around.assert_untouched()


# ---- While it runs ----


def swap(around, folder):
    """A folder becomes a link out of the destination."""
    os.rename(around.out + folder, around.out + b"away")
    os.symlink(b"../outside", around.out + folder)


@pytest.mark.parametrize("size", [3, 2 * PART])
@pytest.mark.parametrize("command", ["run", "get"])
def test_a_link_that_appears_while_bytes_come_is_not_followed(scene, around, size, command):
    """Case 64."""
    around.plant()
    body = os.urandom(size)
    scene.objects({"sub/x": body, "sub/y": body})
    scene.endpoint.fault("GetObject always gate=here")
    if command == "run":
        words = ["run", scene.manifest(download("", os.fsdecode(around.out)), part_size=PART,
                                       concurrency=1)]
    else:
        words = ["get", "-r", f"s3://{BUCKET}/", os.fsdecode(around.out)]
    process = scene.start(*words)
    scene.endpoint.wait_at("here")
    swap(around, b"sub")
    scene.endpoint.clear()
    process.communicate(timeout=60)
    assert process.returncode in (DONE, SOME_FAILED)
    around.assert_untouched()
    assert set(around.files()) <= {b"away/x", b"away/y"}
    assert set(around.files().values()) <= {body}


def test_a_link_that_appears_between_two_processes_is_not_followed(scene, around):
    """Cases 40, 64 and 70. Once it is gone the job goes on."""
    around.plant()
    body = os.urandom(3 * PART)
    scene.objects({"sub/x": body})
    scene.endpoint.fault(f"GetObject range={2 * PART} always gate=here")
    process = scene.start_run(download("", os.fsdecode(around.out)), part_size=PART, concurrency=1)
    scene.endpoint.wait_at("here")
    process.kill()
    process.communicate()
    scene.endpoint.clear()
    swap(around, b"sub")
    scene.resume(exit_code=PAUSED)
    around.assert_untouched()
    os.unlink(around.out + b"sub")
    os.rename(around.out + b"away", around.out + b"sub")
    scene.resume()
    around.assert_untouched()
    assert around.files() == {b"sub/x": body}


# ---- The other way ----


def test_files_of_any_name_become_keys_or_are_refused_by_name(scene, around, chance):
    """Cases 34, 41 and 65. What is stored is the name, byte for byte."""
    shutil.rmtree(around.folder + b"/outside")
    source = around.folder + b"/in/"
    names = {}
    for key, body in make_keys(chance, 1500).items():
        path = source + key
        if b"/../" in b"/" + key + b"/" or key.startswith(b"/") or key.endswith(b"/"):
            continue
        with contextlib.suppress(OSError):  # too long, a file where a folder should be...
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "xb") as file:
                file.write(body)
            names[os.path.relpath(path, source)] = body
    done = scene.run(upload(os.fsdecode(source), "p/"), exit_code=SOME_FAILED)
    good = {name: body for name, body in names.items() if is_utf_8(name)
            and len(name) + 2 <= 1024 and not is_temporary(os.path.basename(name))}
    assert {key.encode(): body for key, body in scene.stored("p/").items()} == good
    rows = dict(scene.rows("SELECT CAST(name AS BLOB), state FROM object"))
    assert {name for name, state in rows.items() if state == "done"} == set(good)
    for name in set(names) - set(good):
        assert is_temporary(os.path.basename(name)) or any(
            rows.get(n) == "failed" for n in [name, *(f + b"/" for f in folders_of(name))]), name
    assert "failed" in done.stdout and len(good) > 300
