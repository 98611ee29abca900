"""The inside of tests/bench/run --grow: does cost grow in a straight line? haul alone, with ten
times more each time: objects planned, sent and fetched, and the bytes of one object. And what a
large queue weighs, how soon it goes on, and how soon it tells where it stands."""

import itertools
import os
import shutil
import sqlite3
import sys
import time

import works
from room import Failed, Sink

NAME_BYTES = len("00000/sample-000000000-00000000.bin")  # of the sink's keys, below their prefix
OBJECTS = [10_000, 100_000, 1_000_000, 10_000_000]
SIZES = [1 << 30, 10 << 30, 100 << 30]
QUICK = [100, 1000]
LOOKS = 5  # at the status of a run


def work(kind, amount, **more):
    return works.Work(f"grow-{kind}", "", kind, amount, amount, **more)


def queue_bytes(queue):
    """Of the whole queue, once its log is folded in."""
    db = sqlite3.connect(queue)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return os.path.getsize(queue)


def await_first(sink, process):
    """When an object was first asked for, by the monotonic clock in seconds."""
    while process.poll() is None:
        if first_ns := sink.counters()["first_ns"]:
            return first_ns / 1e9
        time.sleep(works.SAMPLE_S)
    raise Failed("haul ended before it moved anything")


def look(room, haul, queue):
    """The slowest of a few looks at a run that is under way."""
    walls = []
    for _ in range(LOOKS):
        with room.started([haul.program, "status", "--queue", queue], log="status") as (p, told):
            p.wait()
            walls.append(room.told(["haul status"], told)["wall"])
    return max(walls)


def plan(room, haul, count):
    """A queue of so many objects: made from a listing, weighed, gone on with."""
    held = Sink(room.sink_program, *works.sink_options(room, work("plan", 0, sink=["--hold"]),
                                                       count))
    task = works.Task(room, work("plan", count), count, held)
    task.target = room.fresh()
    try:
        sample, queue = haul.measure(task), task.queue
    finally:
        held.stop()
    sample["queue_bytes"] = queue_bytes(queue) / count - NAME_BYTES
    port = held.host.rpartition(":")[2]
    sink = Sink(room.sink_program, "--port", port,
                *works.sink_options(room, work("gets", 0), count))
    try:
        began = time.monotonic()
        with room.started([haul.program, "resume", "--queue", queue]) as (process, told):
            sample["resume_s"] = await_first(sink, process) - began
            sample["status_s"] = look(room, haul, queue)
            room.interrupt("haul resume", process, told)
    finally:
        sink.stop()
    shutil.rmtree(queue.parent)
    shutil.rmtree(task.target.parent)
    return sample


def move(room, haul, w, source=None):
    """One run of a work; source: other than its usual one."""
    sink = Sink(room.sink_program, *works.sink_options(room, w, w.amount, source))
    try:
        task = works.Task(room, w, w.amount, sink, source=source)
        task.target = room.fresh(w.on_disk)
        os.sync()
        if w.kind == "down":
            room.warm(w.amount)
        sample = haul.measure(task)
        task.check(sink.counters(), exact=False)
    finally:
        sink.stop()
    shutil.rmtree(task.target.parent)
    return sample


def puts(room, haul, count):
    top = room.links(count)
    sample = move(room, haul, work("puts", count), source=top)
    shutil.rmtree(top)
    return sample


def gets(room, haul, count):
    return move(room, haul, work("gets", count, on_disk=True))


def up(room, haul, size):
    path = room.sparse(size)
    sample = move(room, haul, work("up", size), source=path)
    path.unlink()
    return sample


def down(room, haul, size):
    sample = move(room, haul, work("down", size))
    room.large(size).unlink()
    return sample


SERIES = [
    ("plan", "planned from a listing", "objects", plan, OBJECTS),
    ("puts", "4 KiB up", "objects", puts, OBJECTS),
    ("gets", "4 KiB down to a disk", "objects", gets, OBJECTS[:3]),
    ("up", "one sparse file up", "bytes", up, SIZES),
    ("down", "one object down to memory", "bytes", down, SIZES[:1] + [4 << 30]),
]


def run(room, program, options):
    haul = works.Haul("haul", program, "")
    out = []
    for name, about, unit, measure, amounts in SERIES:
        if options.only and name not in options.only:
            continue
        if options.quick:
            amounts = [amount if unit == "objects" else amount << 15 for amount in QUICK]
        rows = []
        for amount in itertools.takewhile(
                lambda n: unit == "bytes" or n <= options.most, amounts):
            print(f"{name}: {amount} {unit}", file=sys.stderr)
            rows.append({"amount": amount} | measure(room, haul, amount))
        out.append({"name": name, "about": about, "unit": unit, "rows": rows})
    return out
