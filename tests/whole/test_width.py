"""`concurrency: auto` finds out how many requests in flight help. The endpoint's log tells how
many there were.
"""

import os
import statistics

import pytest
from scene import PART, download, tree, upload

LEAST = 8 * min(os.cpu_count(), 8)  # what it begins with
FAR = "* always delay-ms=400"  # this, not the machine, is what makes it slow


def in_flight(scene, operations=("PutObject", "GetObject", "UploadPart")):
    """At each request's end, in order."""
    return [entry["in_flight"] for entry in scene.endpoint.log()
            if entry["op"] in operations]


@pytest.fixture
def crowd():
    return {f"{n:04}": b"%d" % n for n in range(1500)}


def test_many_are_in_flight_where_answers_take_long(scene, crowd):
    scene.endpoint.fault(FAR)
    scene.run(upload(scene.files(crowd)))
    assert max(in_flight(scene)) > 2 * LEAST + 64
    scene.endpoint.reset()
    scene.endpoint.fault(FAR)
    scene.run(download("", scene.out), name="back")
    assert max(in_flight(scene)) > 2 * LEAST + 64
    assert tree(scene.out) == crowd


def test_few_are_when_there_is_little_to_do(scene):
    scene.endpoint.fault(FAR)
    scene.run(upload(scene.files([str(n) for n in range(LEAST)])))
    assert max(in_flight(scene)) <= LEAST


def test_one_huge_object_and_many_small_ones_move_side_by_side(scene, crowd):
    parts, small = 20, {name: crowd[name] for name in list(crowd)[:400]}
    scene.endpoint.fault(FAR)
    source = scene.files(small | {"0000-huge": b""})
    os.truncate(source + "0000-huge", parts * PART)
    scene.run(upload(source), part_size=PART, concurrency=16, payload="unsigned")
    moved = [entry["op"] for entry in scene.endpoint.log()
             if entry["op"] in ("PutObject", "UploadPart")]
    assert moved.count("UploadPart") == parts and moved.count("PutObject") == len(small)
    first = moved.index("UploadPart")
    assert "PutObject" in moved[:first] and "PutObject" in moved[first + parts:]
    assert statistics.median(in_flight(scene)) >= 12  # of 16
