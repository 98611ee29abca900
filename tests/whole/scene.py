"""A scene for tests of whole runs: the haul program, a scripted endpoint with a bucket on it, a
folder, and manifests in a line or two. Its fixtures are in conftest.py.
"""

import contextlib
import json
import os
import pathlib
import sqlite3
import subprocess
import time

import queuefile

BUCKET = "bucket"
PART = 5 << 20  # bytes: the smallest part_size that a manifest may name

# A folder and a file, in YAML.
PREFIXES = {1: "in/", 2: ""}  # of the keys of both transfers
JOB = """
version: 1
name: job
endpoints:
  s3:
    url: {url}
    region: us-east-1
defaults:
  part_size: 5MiB
transfers:
"""
UPLOAD = JOB + """
  - upload: {folder}/in/
    to: s3://{bucket}/in/
  - upload: {folder}/alone
    to: s3://{bucket}/alone
"""
DOWNLOAD = JOB + """
  - download: s3://{bucket}/in/
    to: {folder}/in/
  - download: s3://{bucket}/alone
    to: {folder}/alone
"""


def upload(local, to="", **fields):
    return {"upload": str(local), "to": f"store://{BUCKET}/{to}"} | fields


def download(key, to, **fields):
    return {"download": f"store://{BUCKET}/{key}", "to": str(to)} | fields


def until(condition, seconds=30):
    """Waits until that is true, and returns it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)
    return found


def await_line(process, words):
    """Reads what it logs, as far as the line that has these words, and returns it."""
    said = ""
    while line := process.stderr.readline():
        said += line
        if words in line:
            return said
    raise AssertionError(f"it ended without having said {words}:\n{said}")


class Scene:
    def __init__(self, haul, endpoint, folder):
        self.haul, self.endpoint, self.folder = haul, endpoint, folder
        self.env = endpoint.env
        self.out = f"{folder}/out/"
        self.s3 = endpoint.boto()
        self.s3.create_bucket(Bucket=BUCKET)
        endpoint.reset()

    def files(self, names, below="in"):
        """Writes files, {name: bytes} or names alone, and returns their folder with a slash."""
        folder = self.folder / below
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(names[name] if isinstance(names, dict) else name.encode())
        return f"{folder}/"

    def objects(self, names, prefix=""):
        """Puts objects, {name: bytes} or names alone."""
        for name in names:
            body = names[name] if isinstance(names, dict) else name.encode()
            body = {"Body": body} if body else {}
            self.s3.put_object(Bucket=BUCKET, Key=prefix + name, **body)

    def manifest(self, *transfers, name="job", store=None, **defaults):
        """Writes the manifest NAME.yaml (JSON is YAML) and returns its path."""
        store = {"url": self.endpoint.url, "addressing": "path"} | (store or {})
        job = {"version": 1, "name": name, "endpoints": {"store": store},
               "defaults": {"retries": 2, "patience": 0} | defaults, "transfers": transfers}
        return self.haul.manifest(json.dumps(job, ensure_ascii=False), f"{name}.yaml")

    def start(self, *args, env=None, **popen):
        return self.haul.start(*args, env=self.env | (env or {}), **popen)

    def command(self, *args, exit_code=0, env=None, **popen):
        """Runs haul, whose exit code must be that one (None: any)."""
        done = self.haul.run(*args, env=self.env | (env or {}), **popen)
        assert exit_code in (None, done.returncode), done.stderr
        return done

    def run(self, *transfers, args=(), exit_code=0, env=None, **manifest):
        """`haul run` of a manifest of these transfers."""
        return self.command(
            "run", self.manifest(*transfers, **manifest), *args, exit_code=exit_code, env=env)

    def resume(self, *args, exit_code=0, env=None):
        return self.command("resume", *args, exit_code=exit_code, env=env)

    def start_run(self, *transfers, env=None, **manifest):
        """`haul run` in the background, for end()."""
        return self.start("run", self.manifest(*transfers, **manifest), env=env)

    def end(self, process, exit_code=0, timeout=60):
        out, err = process.communicate(timeout=timeout)
        assert exit_code in (None, process.returncode), err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    # What came of it.

    def queues(self):
        """The queue files, oldest first."""
        return sorted(self.haul.state.glob("haul/*/*.db"), key=lambda path: path.name)

    def rows(self, query, queue=None):
        """What SQL reads in a queue, the latest one unless named."""
        path = queue or self.queues()[-1]
        with contextlib.closing(sqlite3.connect(path)) as db:
            return db.execute(query).fetchall()

    def states(self, queue=None):
        """{name: state} of a run's objects."""
        return dict(self.rows("SELECT name, state FROM object", queue))

    def reasons(self, queue=None):
        """{name: why} of a run's objects that failed or were skipped."""
        return dict(self.rows("SELECT name, why FROM object WHERE why IS NOT NULL", queue))

    def parts(self):
        """The numbers of the parts that the queue has recorded."""
        return [number for number, in self.rows("SELECT number FROM part ORDER BY number")]

    def keys(self, prefix=""):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))

    def body(self, key):
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def stored(self, prefix=""):
        """{key behind the prefix: bytes} of all objects."""
        return {key.removeprefix(prefix): self.body(key) for key in self.keys(prefix)}

    def uploads(self):
        """Multipart uploads that are open on the endpoint."""
        return self.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])

    def assert_right_end(self, exit_code=0, *, files=None, objects=None, failed=(), others=(),
                         queue=None):
        """The latest run, or the one of that queue, is where that exit code says, and so are the
        `files` below self.out and the `objects` of the bucket, if given ({name: bytes or
        digest()}). If it is over, nothing that haul had begun is left. queuefile.py says more."""
        queuefile.assert_end(self.haul, exit_code, queue=queue, failed=failed, env=self.env)
        if exit_code in (queuefile.DONE, queuefile.SOME_FAILED):
            assert sorted(self.folder.rglob("*.haul-part")) == []
            assert {upload["UploadId"] for upload in self.uploads()} == set(others)
        if files is not None:
            queuefile.assert_files(self.out, files)
        if objects is not None:
            queuefile.assert_objects(self.s3, BUCKET, objects, others=others)


class SmallDisk:
    """A file system of its own, mounted in a folder while this context lasts."""

    AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]

    def __init__(self, folder, size):
        self.folder, self.size = folder, size

    def __enter__(self):
        self.folder.mkdir()
        self._mount("-t", "tmpfs", "-o", f"size={self.size}", "tmpfs")
        return self

    def __exit__(self, *_):
        subprocess.run([*self.AS_ROOT, "umount", "-l", self.folder], check=True)

    def remount(self, option):
        self._mount("-o", f"remount,{option}")

    def _mount(self, *args):
        done = subprocess.run([*self.AS_ROOT, "mount", *args, self.folder],
                              capture_output=True, text=True)
        assert done.returncode == 0, f"this test takes root's right to mount: {done.stderr}"


def tree(folder):
    """{relative name: bytes} of all files below a folder, temporary ones included."""
    folder = pathlib.Path(folder)
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def refusal(done):
    """The one line in which a command says why it ended, and nothing beside the log."""
    lines = [line for line in done.stderr.splitlines()
             if not line.startswith(("haul: info: ", "haul: warn: "))]
    assert len(lines) == 1, done.stderr
    return lines[0]
