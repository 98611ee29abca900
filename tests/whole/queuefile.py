"""The oracle of all tests of faults: is a run's end right, whatever happened on the way? It looks
into the queue file from outside, asks `haul status`, and compares files and objects. Also what a
queue had recorded when haul was killed, and whether what was sent afterwards had been recorded.
"""

import collections
import contextlib
import hashlib
import json
import pathlib
import shutil
import sqlite3
import tempfile

DONE, SOME_FAILED, USAGE, INTERRUPTED, QUEUE, PAUSED = range(6)
ENDS = {DONE: "finished", SOME_FAILED: "finished", INTERRUPTED: "interrupted", PAUSED: "paused"}
Part = collections.namedtuple("Part", "key upload_id number first last")

IN_MOTION = "('creating', 'moving', 'completing', 'publishing')"
OVER = "('done', 'failed', 'skipped')"
ROWS = "FROM object AS o JOIN motion AS m ON m.object_id = o.id"
COUNT = "(o.size + m.part_bytes - 1) / m.part_bytes"

# What no queue says at any instant -> the rows that say it.
NEVER = {
    "planned twice": "SELECT transfer_id, name FROM object GROUP BY 1, 2 HAVING count(*) > 1",
    "in motion without a row of that, or not in motion with one":
        "SELECT o.* FROM object AS o LEFT JOIN motion AS m ON m.object_id = o.id"
        f" WHERE (m.object_id IS NULL) = (o.state IN {IN_MOTION})",
    "moves under another generation": f"SELECT o.* {ROWS} WHERE o.generation <> m.generation",
    "neither an upload nor a download":
        f"SELECT m.* {ROWS} WHERE (m.token IS NULL) = (m.temp IS NULL)"
        " OR o.state IN ('creating', 'completing') AND m.token IS NULL"
        " OR o.state = 'publishing' AND m.temp IS NULL",
    "an upload id too early, or none":
        f"SELECT m.* {ROWS} WHERE (m.upload_id IS NULL) <>"
        " (o.state = 'creating' OR m.temp IS NOT NULL)",
    "a part that it can not have":
        f"SELECT p.* {ROWS} JOIN part AS p USING (object_id) WHERE p.number > {COUNT}"
        " OR (p.state = 'sent') <> (m.temp IS NULL) OR o.state = 'creating'",
    "all moved, but not all parts recorded":
        f"SELECT o.* {ROWS} WHERE o.state IN ('completing', 'publishing') AND {COUNT} <>"
        " (SELECT count(*) FROM part WHERE object_id = o.id)",
    "finished, but something is due":
        "SELECT run.* FROM run WHERE finished_at IS NOT NULL AND (paused IS NOT NULL"
        f" OR EXISTS (SELECT * FROM object WHERE state NOT IN {OVER})"
        " OR EXISTS (SELECT * FROM transfer WHERE NOT planned))",
}

# The same, since there is a tally (schema/002_tally.sql).
COUNTED = "SELECT transfer_id, state, count(*), sum(size) FROM object GROUP BY 1, 2"
TALLY = "SELECT * FROM tally WHERE objects <> 0 OR bytes <> 0"
NEVER_SINCE_2 = {
    "rows that are not in the tally": f"{COUNTED} EXCEPT {TALLY}",
    "a tally of rows that are not there": f"{TALLY} EXCEPT {COUNTED}",
}

# What `haul status --json` has to say of the rows.
NUMBERS = {
    "objects": "SELECT count(*) FROM object",
    "bytes": "SELECT coalesce(sum(size), 0) FROM object WHERE state <> 'skipped'",
    "done": "SELECT count(*) FROM object WHERE state = 'done'",
    "done_bytes": "SELECT coalesce(sum(size), 0) FROM object WHERE state = 'done'",
    "failed": "SELECT count(*) FROM object WHERE state = 'failed'",
    "skipped": "SELECT count(*) FROM object WHERE state = 'skipped'",
    "due": f"SELECT count(*) FROM object WHERE state NOT IN {OVER}",
    "moved_bytes":
        "SELECT (SELECT coalesce(sum(size), 0) FROM object WHERE state = 'done')"
        " + (SELECT coalesce(sum(min(m.part_bytes, o.size - (p.number - 1) * m.part_bytes)), 0)"
        f" {ROWS} JOIN part AS p USING (object_id))",
}


def digest(data):
    """What stands for bytes in a comparison whose difference shall be readable."""
    return hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def looking_at(path):
    """A connection to a copy of a queue, so that the file stays as a killed process left it.
    Fails if it is damaged or says what no queue says."""
    with tempfile.TemporaryDirectory() as folder:
        for file in path.parent.glob(path.name + "*"):
            if not file.name.endswith((".lock", "-shm")):
                shutil.copy(file, folder)
        with contextlib.closing(sqlite3.connect(f"{folder}/{path.name}")) as db:
            db.execute("PRAGMA synchronous = OFF")
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert db.execute("PRAGMA foreign_key_check").fetchall() == []
            [(version,)] = db.execute("PRAGMA user_version")
            for wrong, query in (NEVER | (NEVER_SINCE_2 if version > 1 else {})).items():
                assert (wrong, db.execute(query).fetchall()) == (wrong, [])
            yield db


def make_old(path):
    """The queue becomes one of the first schema, without a tally."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript("BEGIN; DROP TABLE tally; DROP TRIGGER object_added;"
                         " DROP TRIGGER object_removed; DROP TRIGGER object_changed;"
                         " PRAGMA user_version = 1; COMMIT")


def latest_queue(haul, job="*"):
    """The path of a job's latest queue; None: it has none."""
    return max(haul.state.glob(f"haul/{job}/*.db"), key=lambda path: path.name, default=None)


class Recorded:
    """What the queue of a job's latest run holds. `prefixes`: a transfer's id -> what its names
    stand behind in keys. durable: of the parts only those that outlive a loss of power, if
    their row has."""

    def __init__(self, haul, job, prefixes, durable=False):
        with looking_at(latest_queue(haul, job)) as db:
            [(self.finished,)] = db.execute("SELECT finished_at IS NOT NULL FROM run")
            self.upload_ids = {row[0] for row in db.execute("SELECT upload_id FROM motion")}
            self.states = {prefixes[t] + name: state for t, name, state in db.execute(
                "SELECT transfer_id, name, state FROM object")}
            self.parts = [
                Part(prefixes[t] + name, upload_id, number, (number - 1) * part_bytes,
                     min(number * part_bytes, size) - 1)
                for t, name, size, upload_id, part_bytes, number in db.execute(
                    "SELECT transfer_id, name, size, upload_id, part_bytes, number"
                    " FROM part JOIN motion USING (object_id) JOIN object ON id = object_id"
                    " WHERE NOT ? OR part.state <> 'written'", (durable,))]

    def has(self, request):
        """Is it about an object that is done, or a part that is there? Takes lines of the
        scripted endpoint's log and of the proxy's."""
        key, upload_id = request["key"], request["upload_id"]
        return self.states.get(key) == "done" or any(
            key == part.key and (
                (upload_id, request["part"]) == (part.upload_id, part.number) if part.upload_id
                else request["range"] == f"bytes={part.first}-{part.last}")
            for part in self.parts)


# ---- The end ----


def assert_end(haul, exit_code=DONE, *, job="*", queue=None, failed=(), env=None):
    """The queue (the job's latest) is sound and says what that exit code says, no more and no
    less; `haul status` says the same. `failed`: the names that must have failed, once it is
    over. An exit code that is no end (a signal's, 4) leaves open what the run's row says."""
    path = pathlib.Path(queue) if queue else latest_queue(haul, job)
    with looking_at(path) as db:
        rows = {name: db.execute(query).fetchone()[0] for name, query in NUMBERS.items()}
        why = dict(db.execute("SELECT name, why FROM object WHERE state = 'failed'"))
        motions = db.execute("SELECT * FROM motion").fetchall()
        [state] = db.execute("SELECT iif(finished_at IS NOT NULL, 'finished',"
                             " iif(paused IS NOT NULL, 'paused', 'interrupted')) FROM run")
    rows["state"] = state[0]
    assert list(path.parent.glob("*.new*")) == [], "half a queue is left"
    assert rows["state"] == ENDS.get(exit_code, rows["state"])
    if rows["state"] == "finished":
        assert (motions, rows["moved_bytes"]) == ([], rows["done_bytes"])
        assert set(why) == set(failed)
        assert exit_code not in ENDS or exit_code == (SOME_FAILED if why else DONE)

    which = ["--queue", path] if queue else [path.stem]
    done = haul.run("status", *which, "--json", "--failed", env=env)
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    assert status | rows | {"pid": None} == status
    assert {row["name"]: row["why"] for row in status["failures"]} == why


def assert_files(folder, wanted):
    """Just these files are below the folder, {name: bytes or their digest()}, and nothing that
    haul had begun."""
    found = {str(path.relative_to(folder)): digest(path.read_bytes())
             for path in pathlib.Path(folder).rglob("*") if path.is_file()}
    assert found == digests(wanted)


def assert_only_whole(folder, wanted):
    """No file below the folder is anything but whole, if not all are there yet."""
    found = {str(path.relative_to(folder)): digest(path.read_bytes())
             for path in pathlib.Path(folder).rglob("*")
             if path.is_file() and not path.name.endswith(".haul-part")}
    assert found.items() <= digests(wanted).items()


def assert_objects(s3, bucket, wanted, prefix="", others=()):
    """Just these objects are below the prefix, {name: bytes or their digest()}, and no multipart
    upload is open but the `others`, by id."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    found = {key.removeprefix(prefix): digest(
        s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys}
    assert found == digests(wanted)
    open_ = s3.list_multipart_uploads(Bucket=bucket, Prefix=prefix).get("Uploads", [])
    assert {upload["UploadId"] for upload in open_} == set(others)


def digests(wanted):
    return {name: body if isinstance(body, str) else digest(body)
            for name, body in wanted.items()}


def assert_finished(haul, job, prefixes, sizes):
    """All that there was to do (`sizes`: key -> bytes) is done, and nothing else is left."""
    assert_end(haul, job=job)
    assert Recorded(haul, job, prefixes).states == dict.fromkeys(sizes, "done")
    with looking_at(latest_queue(haul, job)) as db:
        assert db.execute("SELECT sum(size) FROM object").fetchall() == [(sum(sizes.values()),)]
