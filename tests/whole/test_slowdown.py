"""Servers that say SlowDown to whatever is over some rate: haul finds out what they give, asks for
little more, and for all of it when they give more again. The endpoint's log tells.
"""

import hashlib
import json
import statistics
import time

import pytest
from scene import BUCKET, download, tree, upload, until

CONCURRENCY = 32
COUNT = 5000
OTHER = "other"
DELAY = "* always delay-ms=50"  # this, not the machine, is what makes it slow


@pytest.fixture
def crowd():
    """The bodies of some thousand objects."""
    return {f"{n:04}": b"%d" % n for n in range(COUNT)}


def now_ms():
    return time.monotonic() * 1000


def assert_stored(scene, bodies, prefix, bucket=BUCKET):
    """Without asking for each of them."""
    pages = scene.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    assert {entry["Key"]: entry["ETag"].strip('"') for page in pages
            for entry in page["Contents"]} == {
                prefix + name: hashlib.md5(body).hexdigest() for name, body in bodies.items()}


class Traffic:
    """The requests for objects in a bucket, at a time."""

    def __init__(self, log, began_ms, ended_ms=float("inf"), bucket=BUCKET):
        log = [entry for entry in log if entry["bucket"] == bucket and entry["key"]
               and began_ms <= entry["ms"] < ended_ms]
        self.served = [entry for entry in log if entry["status"] == 200]
        self.refused = [entry for entry in log if entry["code"] == "SlowDown"]
        self.seconds = (min(ended_ms, log[-1]["ms"]) - max(began_ms, log[0]["ms"])) / 1000

    def rate(self):
        return len(self.served) / self.seconds

    def in_flight(self, at_the_end=1.0):
        """How many there were as a rule; in the last so much of the time."""
        count = int(len(self.served) * at_the_end)
        return statistics.median(entry["in_flight"] for entry in self.served[-count:])

    def __str__(self):
        return (f"{len(self.served)} served, {len(self.refused)} refused, {self.rate():.0f} a"
                f" second, {self.in_flight():.0f} in flight")


def slow_down(scene, capsys, name, transfer):
    """Runs a job to whose server it becomes too much in the middle, for a time."""
    endpoint = scene.endpoint
    endpoint.reset()
    endpoint.fault(DELAY)
    running = scene.start_run(transfer, name=name, concurrency=CONCURRENCY, patience="5m")
    until(lambda: endpoint.stats()["requests"] > COUNT / 6)
    limited_ms = now_ms()
    before = Traffic(endpoint.log(), 0)
    limit = before.rate() / 4
    endpoint.fault(f"* over={limit:.0f} status=503 code=SlowDown")
    time.sleep(3)  # what haul asks for in a time is what this is about
    free_ms = now_ms()
    endpoint.clear()
    endpoint.fault(DELAY)
    scene.end(running)
    endpoint.clear()
    log = endpoint.log()
    limited, after = Traffic(log, limited_ms + 1000, free_ms), Traffic(log, free_ms)
    with capsys.disabled():
        print(f"\n{name}: {before}\nno more than {limit:.0f} a second: {limited}\nafter: {after},"
              f" at the end {after.in_flight(0.25):.0f}")
    assert len(limited.refused) <= len(limited.served) / 4
    assert limited.rate() >= limit / 3  # it asks for a good part of what there is
    assert limited.in_flight() <= before.in_flight() / 2
    assert after.in_flight(0.25) >= before.in_flight() * 0.7
    assert set(scene.states().values()) == {"done"}


def test_the_rate_falls_to_what_a_server_gives_and_comes_back(scene, crowd, capsys):
    """Case 54."""
    slow_down(scene, capsys, "up", upload(scene.files(crowd), "p/"))
    assert_stored(scene, crowd, "p/")
    slow_down(scene, capsys, "down", download("p/", scene.out))
    assert tree(scene.out) == crowd


def test_another_bucket_does_not_feel_it(scene, crowd):
    """Case 54."""
    few, many = ({name: crowd[name] for name in list(crowd)[:count]} for count in (12, 1000))
    scene.s3.create_bucket(Bucket=OTHER)
    scene.endpoint.reset()
    scene.endpoint.fault(f"{DELAY}\n* bucket={BUCKET} over=2 status=503 code=SlowDown")
    path = scene.manifest(upload(scene.files(few, "few"), "few/"), upload(scene.files(many)),
                          concurrency=CONCURRENCY, patience="5m")
    job = json.loads(path.read_text())
    job["transfers"][1]["to"] = f"store://{OTHER}/many/"
    path.write_text(json.dumps(job))
    scene.command("run", path)
    scene.endpoint.clear()
    log = scene.endpoint.log()
    slowed, other = Traffic(log, 0), Traffic(log, 0, bucket=OTHER)
    assert slowed.refused != [] and other.refused == []
    assert other.served[-1]["ms"] < slowed.served[-1]["ms"]
    assert other.in_flight() >= (CONCURRENCY - len(few)) / 2  # all that are free, but for pauses
    assert_stored(scene, few, "few/")
    assert_stored(scene, many, "many/", OTHER)
