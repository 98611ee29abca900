"""The inside of tests/bench/run, which tells its options: runs the works, round by round, so that
all who do a work meet the same weather, and prints what came out."""

import argparse
import datetime
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

import draw
import grow
import machine
import peers
import table
import works
from room import Failed, Room, Sink, need

RUNS = 5
LATE_S, LATE_RUNS = 350, 3  # a work that begins later than that, so that ten minutes do
HERE = pathlib.Path(__file__).resolve().parent


def parse_options():
    parser = argparse.ArgumentParser(usage="see the head of tests/bench/run", add_help=False)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--grow", action="store_true")
    parser.add_argument("--only", type=lambda text: text.split(","))
    parser.add_argument("--most", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--haul", action="append", default=[])
    parser.add_argument("--peers", type=lambda text: text.split(","))
    parser.add_argument("--json")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--data", default="/dev/shm/haul-bench")
    parser.add_argument("--disk")
    parser.add_argument("--latency-ms", type=int)
    parser.add_argument("--rate", type=int)
    options = parser.parse_args()
    known = [series[0] for series in grow.SERIES] if options.grow else [
        work.name for work in works.WORKS]
    if wrong := set(options.only or []) - set(known):
        parser.error(f"no such work: {', '.join(wrong)}; there are {', '.join(known)}")
    if options.write and (options.only or options.quick):
        parser.error("--write is for all works, in full")
    return options


def hauls_of(options, build):
    """The programs, by the names of their rows."""
    given = [text.rpartition("=") for text in options.haul]
    return {name or "haul": need(os.path.abspath(path)) for name, _, path in given} or {
        "haul": need(f"{build}/haul")}


def fit(room, amount):
    """So much of a large object as there is room for twice: here, and where it arrives."""
    while (amount * (1 if room.has_large(amount) else 2) > room.free()
           or amount > shutil.disk_usage(room.disk).free):
        amount //= 2
    return amount


class Bench:
    def __init__(self, room, options, hauls, found):
        self.room, self.options, self.hauls, self.found = room, options, hauls, found
        extra = [("--latency-ms", options.latency_ms), ("--rate", options.rate)]
        self.began_s = time.monotonic()
        self.starts = {}  # by program: what it needs for next to nothing
        self.sink_options = [word for name, value in extra if value is not None
                             for word in (name, value)]

    def amount(self, work):
        if self.options.quick:
            return work.quick
        return fit(self.room, work.amount) if work.unit == "bytes" else work.amount

    def run_once(self, who, task):
        """One sample: what the stop-watch and the sink say."""
        task.target = self.room.fresh(task.work.on_disk)
        os.sync()  # what others left is not to be written meanwhile
        if task.kind == "down":
            self.room.warm(task.amount)
        task.sink.counters(reset=True)
        sample = who.measure(task)
        counted = task.sink.counters()
        if not isinstance(who, works.Pass):
            task.check(counted, exact=who.exact and self.options.quick)
            task.check_target(compare=self.options.quick)
        if task.kind == "down":
            self.room.keep(task.target.parent, task.amount)
        elif not (task.work.on_disk and task.kind == "gets"):
            shutil.rmtree(task.target.parent)  # many files on a disk would slow down the next work
        return sample | {
            "requests": sum(counted[kind] for kind in works.REQUESTS),
            "connections": counted["connections"]}

    def run_rounds(self, work, tasks, results):
        late = time.monotonic() - self.began_s > LATE_S
        rounds = self.options.runs or (LATE_RUNS if late else RUNS)
        for n in range(1 if self.options.quick else rounds * work.times):
            random.Random(n).shuffle(tasks)  # nobody always comes after the same one
            for who, task in tasks:
                result = results[who.who]
                spent = sum(sample["wall"] for sample in result["runs"])
                if result["failed"] or n >= who.runs_max or spent > who.seconds_max:
                    continue
                try:
                    result["runs"].append(self.run_once(who, task))
                except Failed as error:
                    if who.exact or self.options.quick:
                        raise Failed(f"{work.name}: {who.who}: {error}") from None
                    result["failed"] = str(error)

    def run(self, work):
        amount = self.amount(work)
        sinks, tasks, results = {}, [], {}
        try:
            for who in works.contestants(work, self.hauls, self.found):
                share = 1 if self.options.quick else who.share
                part = max(1, int(amount * share))
                if part not in sinks:
                    sinks[part] = Sink(
                        self.room.sink_program, *works.sink_options(self.room, work, part),
                        *self.sink_options, tls=self.room.tls() if work.tls else None)
                tasks.append((who, works.Task(self.room, work, part, sinks[part])))
                results[who.who] = {"who": who.who, "role": who.role, "setting": who.setting,
                                    "share": share, "start": self.starts.get(who.who), "runs": [],
                                    "failed": None}
            self.run_rounds(work, tasks, results)
        finally:
            self.room.drop_kept()
            for sink in sinks.values():
                sink.stop()
        out = {"name": work.name, "about": work.about, "unit": work.unit, "amount": amount,
               "full_amount": work.amount, "results": list(results.values())}
        if work.kind == "start":
            self.starts = {
                result["who"]: {name: table.middle(result, name) for name in ("wall", "cpu")}
                for result in out["results"] if result["runs"]}
        return out

    def run_all(self):
        out = []
        for work in works.WORKS:
            if self.options.only and work.name not in self.options.only:
                continue
            began = time.monotonic()
            print(f"{work.name}: {work.about} ...", end="", file=sys.stderr, flush=True)
            out.append(self.run(work))
            print(f" {time.monotonic() - began:.0f} s", file=sys.stderr)
        return out


def write(results):
    """The files that are kept: what was measured last of each form, and what is drawn of it."""
    kept = HERE / "results.json"
    whole = (json.loads(kept.read_text()) if kept.exists() else {}) | results
    kept.write_text(json.dumps(whole, indent=1) + "\n")
    (HERE / "results.svg").write_text(draw.picture(whole))
    (HERE / "RESULTS.md").write_text(table.page(whole))
    table.write_into(HERE.parent.parent / "README.md", whole)


def measure(options, build):
    hauls = hauls_of(options, build)
    with tempfile.TemporaryDirectory() as scratch:
        quick = pathlib.Path(scratch)
        data = quick / "data" if options.quick else options.data
        disk = options.disk or (quick / "disk" if options.quick else f"{build}/disk")
        limit_s = 100 if options.quick else 3600 if options.grow else 300
        with Room(build, data, disk, limit_s) as room:
            found, useless = peers.find(room.env, options.peers)
            if options.grow:
                form, told = "grow", grow.run(
                    room, next(iter(hauls.values())), options)
            else:
                form, told = "bench", Bench(room, options, hauls, found).run_all()
            return {form: {
                "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M"),
                "quick": options.quick, "machine": machine.describe(room), "peers": found,
                "useless": useless, "works": told}}


def main():
    options = parse_options()
    try:
        results = measure(options, os.environ["HAUL_BUILD"])
    except Failed as error:
        sys.exit(f"tests/bench/run: {error}")
    text = json.dumps(results, indent=1)
    if options.json and options.json != "-":
        pathlib.Path(options.json).write_text(text + "\n")
    print(text if options.json == "-" else table.text(results))
    if options.write:
        write(results)
    if options.quick:
        draw.picture(json.loads(text))  # breaks where the results lack something


if __name__ == "__main__":
    main()
