"""Downloads over links that break or crawl: what has come is not fetched again, and what lies in
the file is right.
"""
import pathlib
import random

import pytest
from scene import PART, download, until

BIG = random.Random(1).randbytes(3 * PART + 1234)


def fetched(scene):
    """[(first, last)] of the ranges that were asked for, in their order on the wire."""
    return [tuple(map(int, entry["range"].removeprefix("bytes=").split("-")))
            for entry in scene.endpoint.log("GetObject") if entry["range"]]


def put(scene, body=BIG):
    scene.objects({"big": body})
    scene.endpoint.reset()


def downloaded(scene):
    return (pathlib.Path(scene.out) / "big").read_bytes()


@pytest.mark.parametrize("fault", ["truncate=1500000", "reset-mid-body=1500000"])
@pytest.mark.parametrize("part_size", [PART, 8 * PART])
def test_what_broke_off_goes_on_where_it_stood(scene, fault, part_size):
    """Case 23. In ranges, and as one small object."""
    put(scene)
    scene.endpoint.fault(f"GetObject always {fault}")
    scene.run(download("big", scene.out), part_size=part_size, concurrency=2)
    assert downloaded(scene) == BIG
    if fault.startswith("truncate"):
        assert scene.endpoint.stats()["bytes_out"] == len(BIG)
    firsts = sorted(first for first, _ in fetched(scene))
    assert len(set(firsts)) == len(firsts), "a range was asked for twice"
    assert scene.states() == {"big": "done"}


def test_the_sum_of_a_range_goes_on_with_it(scene):
    """Case 70. What a killed run wrote is read again and compared; a sum that is not of all bytes
    of a range would have them fetched again.
    """
    put(scene)
    scene.endpoint.fault("GetObject range=0 nth=1 truncate=1500000\n"
                         f"GetObject range={PART} nth=1 reset-mid-body=3000000\n"
                         f"GetObject range={2 * PART} nth=1 gate=dead")
    running = scene.start_run(download("big", scene.out), part_size=PART, concurrency=1)
    scene.endpoint.wait_at("dead")
    until(lambda: scene.parts() == [1, 2])
    running.kill()
    running.communicate()
    scene.endpoint.clear()
    scene.endpoint.settle()
    scene.endpoint.reset()
    scene.resume()
    assert downloaded(scene) == BIG
    assert sorted(fetched(scene)) == [(2 * PART, 3 * PART - 1), (3 * PART, len(BIG) - 1)]


def test_an_object_that_was_replaced_while_a_range_was_on_its_way_begins_anew(scene):
    """Case 21."""
    put(scene)
    scene.endpoint.fault("GetObject nth=2 truncate=1500000\nGetObject nth=3 replace-object")
    scene.run(download("big", scene.out), part_size=PART, concurrency=1)
    scene.endpoint.clear()
    assert downloaded(scene) == scene.body("big") != BIG


def test_the_slowest_range_goes_on_over_a_fresh_connection(scene):
    """Case 56. It would take an hour and a half."""
    body = random.Random(2).randbytes(12 * PART)
    put(scene, body)
    scene.endpoint.fault(f"GetObject range={3 * PART} trickle=1000 nth=1")
    scene.run(download("big", scene.out), part_size=PART, concurrency=4)
    assert downloaded(scene) == body
    rests = [(first, last) for first, last in fetched(scene) if last == 4 * PART - 1]
    assert len(rests) >= 2 and rests[0][0] == 3 * PART < rests[1][0]
