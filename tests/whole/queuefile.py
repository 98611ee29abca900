"""Looks into a run's queue file from outside: what it had recorded when haul was killed, and
whether what was sent afterwards had been recorded already.
"""

import collections
import json
import shutil
import sqlite3
import tempfile

Part = collections.namedtuple("Part", "key upload_id number first last")


class Recorded:
    """What the queue of a job's only run holds, read from a copy, so that the file stays as the
    killed process left it. `prefixes`: a transfer's id -> what its names stand behind in keys.
    durable: of the parts only those that outlive a loss of power, if their row has.
    """

    def __init__(self, haul, job, prefixes, durable=False):
        [path] = haul.state.glob(f"haul/{job}/*.db")
        with tempfile.TemporaryDirectory() as folder:
            for file in path.parent.glob(path.name + "*"):
                if not file.name.endswith((".lock", "-shm")):
                    shutil.copy(file, folder)
            db = sqlite3.connect(f"{folder}/{path.name}")
            db.execute("PRAGMA synchronous = OFF")
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert db.execute("PRAGMA foreign_key_check").fetchall() == []
            rows = db.execute("SELECT transfer_id, name, state FROM object").fetchall()
            self.states = {prefixes[t] + name: state for t, name, state in rows}
            assert len(self.states) == len(rows), "planned twice"
            self.parts = [
                Part(prefixes[t] + name, upload_id, number, (number - 1) * part_bytes,
                     min(number * part_bytes, size) - 1)
                for t, name, size, upload_id, part_bytes, number in db.execute(
                    "SELECT transfer_id, name, size, upload_id, part_bytes, number"
                    " FROM part JOIN motion USING (object_id) JOIN object ON id = object_id"
                    " WHERE NOT ? OR part.state <> 'written'", (durable,))]
            self.motions = db.execute("SELECT count(*) FROM motion").fetchone()[0]
            self.upload_ids = {row[0] for row in db.execute("SELECT upload_id FROM motion")}
            [(self.finished,)] = db.execute("SELECT finished_at IS NOT NULL FROM run").fetchall()
            db.close()

    def has(self, request):
        """Is it about an object that is done, or a part that is there? Takes lines of the
        scripted endpoint's log and of the proxy's."""
        key, upload_id = request["key"], request["upload_id"]
        return self.states.get(key) == "done" or any(
            key == part.key and (
                (upload_id, request["part"]) == (part.upload_id, part.number) if part.upload_id
                else request["range"] == f"bytes={part.first}-{part.last}")
            for part in self.parts)


def assert_finished(haul, job, prefixes, sizes):
    """All that there was to do (`sizes`: key -> bytes) is done, and nothing else is left."""
    queue = Recorded(haul, job, prefixes)
    assert queue.states == dict.fromkeys(sizes, "done")
    assert (queue.parts, queue.motions) == ([], 0)
    status = json.loads(haul.run("status", job, "--json").stdout)
    count, total = len(sizes), sum(sizes.values())
    assert status | {
        "state": "finished", "planned": True, "objects": count, "done": count, "failed": 0,
        "skipped": 0, "due": 0, "bytes": total, "done_bytes": total,
        "moved_bytes": total} == status
