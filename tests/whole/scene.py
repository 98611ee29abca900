"""A scene for tests of whole runs: the haul program, a scripted endpoint with a bucket on it, a
folder, and manifests in a line or two. The fixture of that name is in conftest.py.
"""

import json
import pathlib
import sqlite3
import subprocess

BUCKET = "bucket"
PART = 5 << 20  # bytes: the smallest part_size that a manifest may name


def upload(local, to="", **fields):
    return {"upload": str(local), "to": f"store://{BUCKET}/{to}"} | fields


def download(key, to, **fields):
    return {"download": f"store://{BUCKET}/{key}", "to": str(to)} | fields


class Scene:
    def __init__(self, haul, endpoint, folder):
        self.haul, self.endpoint, self.folder = haul, endpoint, folder
        self.env = endpoint.env
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
            self.s3.put_object(Bucket=BUCKET, Key=prefix + name, Body=body)

    def manifest(self, *transfers, name="job", store=None, **defaults):
        """Writes the manifest NAME.yaml (JSON is YAML) and returns its path."""
        store = {"url": self.endpoint.url, "addressing": "path"} | (store or {})
        job = {"version": 1, "name": name, "endpoints": {"store": store},
               "defaults": {"retries": 2} | defaults, "transfers": transfers}
        return self.haul.manifest(json.dumps(job, ensure_ascii=False), f"{name}.yaml")

    def start(self, *args, env=None, **popen):
        return self.haul.start(*args, env=self.env | (env or {}), **popen)

    def command(self, *args, env=None, **popen):
        return self.haul.run(*args, env=self.env | (env or {}), **popen)

    def run(self, *transfers, exit_code=0, env=None, args=(), **manifest):
        """`haul run` of a manifest of these transfers."""
        path = self.manifest(*transfers, **manifest)
        done = self.command("run", path, *args, env=env)
        assert done.returncode == exit_code, done.stderr
        return done

    def resume(self, *args, exit_code=0, env=None):
        done = self.command("resume", *args, env=env)
        assert done.returncode == exit_code, done.stderr
        return done

    def end(self, process, timeout=60):
        """Waits for a started process: its exit code, output and messages."""
        out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    # What came of it.

    def queues(self):
        """The queue files, oldest first."""
        return sorted(self.haul.state.glob("haul/*/*.db"), key=lambda path: path.name)

    def rows(self, query, queue=None):
        """What sqlite3 reads in a queue, the latest one unless named."""
        path = queue or self.queues()[-1]
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            return db.execute(query).fetchall()

    def states(self, queue=None):
        """{name: (state, why)} of a run's objects."""
        return {name: (state, why)
                for name, state, why in self.rows("SELECT name, state, why FROM object", queue)}

    def keys(self, prefix=""):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))

    def body(self, key):
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def uploads(self):
        """Multipart uploads that are open on the endpoint."""
        return self.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])


def tree(folder):
    """{relative name: bytes} of all files below a folder, temporary ones included."""
    folder = pathlib.Path(folder)
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}
