"""What came out, as tables: on a terminal, in RESULTS.md, in the README."""

import math
import statistics

MARK = "<!-- tests/bench/run --write wrote this table -->"
HEAD = ["who", "runs", "share", "wall s", "CPU s", "MiB", "requests", "connections", "rate",
        "wall / floor", "CPU / floor"]


# ---- Figures of a result ----

def whole(result, name, measured):
    """As if all the work had been done: the start-up counts once."""
    share, start = result["share"], (result["start"] or {}).get(name, 0)
    return measured if share == 1 else start + max(0, measured - start) / share


def values(result, name):
    """Of each run; wall and CPU of the whole work."""
    runs = result["runs"]
    return {
        "wall": [whole(result, name, run["wall"]) for run in runs],
        "cpu": [whole(result, name, run["user"] + run["sys"]) for run in runs],
        "mib": [run["peak_kib"] / 1024 for run in runs],
        "requests": [run["requests"] for run in runs],
        "connections": [run["connections"] for run in runs],
    }[name]


def middle(result, name):
    return statistics.median(values(result, name))


def rate(work, result):
    """Units a second."""
    return work["amount"] / middle(result, "wall")


def of_role(work, role):
    """The results of the haul, floor, peer or pass that could be measured."""
    return [r for r in work["results"] if r["role"] == role and r["runs"]]


def floor_of(work):
    """The one that the ratios are to."""
    return next(iter(of_role(work, "floor")), None)


# ---- Targets ----

PEAK_MIB = 32


def haul_of(work, setting=""):
    return next(r for r in of_role(work, "haul") if r["setting"] == setting)


def to_floor(name):
    return lambda work: middle(haul_of(work), name) / middle(floor_of(work), name)


def passes(setting):
    """How many passes of SHA-256 signing has cost."""
    return lambda work: (middle(haul_of(work, setting), "cpu") - middle(floor_of(work), "cpu")
                         ) / middle(of_role(work, "pass")[0], "cpu")


def to_best_fixed(work, mib=math.inf):
    """Of those that stay within so much memory."""
    fixed = [middle(r, "wall") for r in of_role(work, "haul")
             if r["setting"].isdigit() and max(values(r, "mib")) <= mib]
    return middle(haul_of(work), "wall") / min(fixed)


def to_best_within(work):
    return to_best_fixed(work, PEAK_MIB)


def haul_rate(work):
    return rate(work, haul_of(work))


def start_ms(work):
    return middle(haul_of(work), "wall") * 1000


def cpu_to_curl(work):
    curl = next(r for r in of_role(work, "peer") if r["who"] == "curl")
    return middle(haul_of(work), "cpu") / middle(curl, "cpu")


# Work, what is asked, how it is found, the limit; a limit below 0 is the least that is asked.
TARGETS = [
    ("up", "unsigned: wall / floor", to_floor("wall"), 1.15),
    ("up", "unsigned: CPU / floor", to_floor("cpu"), 1.25),
    ("up", "with CRC32C a part (always summed and kept): CPU / floor", to_floor("cpu"), 1.5),
    ("up", "signed: (CPU - floor's) / one pass of SHA-256", passes("signed"), 1.1),
    ("up", "signed in chunks: the same", passes("chunked"), 1.1),
    ("down", "wall / floor", to_floor("wall"), 1.15),
    ("down", "CPU / floor", to_floor("cpu"), 1.25),
    ("down-disk", "wall / floor, which syncs nothing", to_floor("wall"), 1.15),
    ("down-disk", "CPU / floor, which syncs nothing", to_floor("cpu"), 1.25),
    ("puts", "objects/s", haul_rate, -20_000),
    ("gets", "objects/s", haul_rate, -10_000),
    ("gets-disk", "objects/s, each durable", haul_rate, -10_000),
    ("far-up", "wall / best fixed concurrency", to_best_fixed, 1.1),
    ("far-down", "wall / best fixed concurrency", to_best_fixed, 1.1),
    ("far-puts", "wall / best fixed concurrency", to_best_fixed, 1.1),
    ("far-puts", f"wall / best of {PEAK_MIB} MiB at most", to_best_within, 1.1),
    ("plan", "keys/s into the queue", haul_rate, -200_000),
    ("start", "ms", start_ms, 20),
    ("tls-up", "CPU / curl's", cpu_to_curl, 1.15),
    ("tls-down", "CPU / curl's", cpu_to_curl, 1.15),
]
# Of --grow: in the longest queue.
QUEUE_TARGETS = [
    ("bytes an object beyond its name", "queue_bytes", 100),
    ("s until `resume` moves its first byte", "resume_s", 1),
    ("s until `status` answers while it runs", "status_s", 0.2),
]


def number(value):
    """Three digits, or a whole number with commas."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def target_row(work, asked, measured, limit):
    met = measured <= limit if limit > 0 else measured >= -limit
    sign = "≤" if limit > 0 else "≥"
    return [work, asked, f"{sign} {number(abs(limit))}", number(measured),
            "yes" if met else "**no**"]


def targets(whole):
    works = {work["name"]: work for work in whole.get("bench", {}).get("works", [])}
    rows = []
    for name, asked, figure, limit in TARGETS:
        try:
            rows.append(target_row(name, asked, figure(works[name]), limit))
        except (KeyError, IndexError, StopIteration, TypeError):
            pass  # not measured this time
    peaks = [max(values(r, "mib")) for work in works.values() for r in of_role(work, "haul")
             if not r["setting"].isdigit()]
    if peaks:
        rows.append(target_row("all of these", "peak MiB, concurrency: auto", max(peaks), PEAK_MIB))
    for series in whole.get("grow", {}).get("works", []):
        if series["name"] == "plan":
            last = series["rows"][-1]
            rows += [target_row(f"queue of {last['amount']:,}", asked, last[name], limit)
                     for asked, name, limit in QUEUE_TARGETS]
    return [["work", "asked", "target", "measured", "met"], *rows] if rows else []


# ---- Rows ----

def spread(result, name):
    seen = values(result, name)
    return f"{middle(result, name):.2f} ({min(seen):.2f}-{max(seen):.2f})"


def result_row(work, result):
    if not result["runs"]:
        return [result["who"], "0"]
    unit = {"bytes": "MB/s"}.get(work["unit"], f"{work['unit']}/s")
    scale = 1e6 if work["unit"] == "bytes" else 1
    floor = floor_of(work)
    ratios = [f"{middle(result, name) / middle(floor, name):.2f}" if floor else ""
              for name in ("wall", "cpu")]
    if result["role"] == "pass":
        return [result["who"], str(len(result["runs"])), "", "", spread(result, "cpu")]
    return [
        result["who"], str(len(result["runs"])),
        "" if result["share"] == 1 else f"{result['share']:.0%}",
        spread(result, "wall"), spread(result, "cpu"), f"{max(values(result, 'mib')):.0f}",
        number(middle(result, "requests")), number(middle(result, "connections")),
        f"{number(rate(work, result) / scale)} {unit}" if work["full_amount"] > 1 else
        f"{middle(result, 'wall') * 1000:.1f} ms", *ratios]


def bench_rows(bench):
    rows = [HEAD]
    for work in bench["works"]:
        less = "" if work["amount"] == work["full_amount"] else \
            f"; here {work['amount']:,} {work['unit']}"
        rows.append([f"{work['name']}: {work['about']}{less}"])
        rows += [result_row(work, result) for result in work["results"]]
    return rows


def grow_rows(grow):
    rows = [["how many", "wall s", "CPU s", "wall / unit", "CPU / unit", "MiB",
             "queue bytes / object", "resume s", "status s"]]
    for series in grow["works"]:
        of_objects = series["unit"] == "objects"
        scale, unit, count = (1e6, "us", 1) if of_objects else (1, "s/GiB", 1 << 30)
        rows.append([f"{series['name']}: {series['about']}"])
        for row in series["rows"]:
            amount, cpu = row["amount"] / count, row["user"] + row["sys"]
            rows.append([
                f"{row['amount']:,}" if count == 1 else f"{amount:.4g} GiB", f"{row['wall']:.2f}",
                f"{cpu:.2f}", f"{row['wall'] / amount * scale:.3g} {unit}",
                f"{cpu / amount * scale:.3g} {unit}", f"{row['peak_kib'] / 1024:.0f}",
                *(f"{row[name]:.3g}" for name in ("queue_bytes", "resume_s", "status_s")
                  if name in row)])
    return rows


# ---- Pages ----

def plain(rows):
    """A row of one cell is a heading."""
    widths = [max((len(row[i]) for row in rows if len(row) > max(i, 1)), default=0)
              for i in range(max(map(len, rows)))]
    return "\n".join(
        f"\n{row[0]}" if len(row) == 1 else
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        for row in rows)


def markdown(rows):
    width = len(rows[0])
    lines = []
    for n, row in enumerate(rows):
        cells = [f"**{row[0]}**"] if len(row) == 1 else row
        lines.append(f"| {' | '.join(cells + [''] * (width - len(row)))} |")
        if n == 0:
            lines.append("| --- " * width + "|")
    return "\n".join(lines)


def useless(form):
    """Who could not be measured, or not all the time, and why."""
    failed = {f"{result['who']} in {work['name']}": result["failed"] for work in form["works"]
              for result in work.get("results", []) if result["failed"]}
    return ", ".join(f"{name} ({why})" for name, why in (form["useless"] | failed).items())


def text(whole):
    parts = []
    if "bench" in whole:
        parts.append(plain(bench_rows(whole["bench"])))
    if "grow" in whole:
        parts.append(plain(grow_rows(whole["grow"])))
    form = next(iter(whole.values()))
    if not form["quick"] and (rows := targets(whole)):
        parts.append(plain(rows))
    if useless(form):
        parts.append(f"not measured: {useless(form)}")
    return "\n\n".join(parts)


def described(form):
    told = form["machine"] | {"peers": "; ".join(form["peers"].values())}
    told["not measured"] = useless(form)
    return "\n".join(f"- {label}: {what}" for label, what in told.items() if what)


def page(whole):
    parts = ["""# Results

Written by `tests/bench/run --write`; not by hand. How it was measured: `NOTES.md`. Median, and
in brackets the least and the most. A peer with a share has done only that part of the work, and
its times are scaled up, all but its start-up, that is, the work `start` (which aria2c can't do);
all run with their default settings. MiB: the highest peak of all runs.

![haul, the floor and peers](results.svg)
"""]
    if rows := targets(whole):
        parts.append(f"## Targets\n\n{markdown(rows)}\n\nCopies between two endpoints are not "
                     "there yet.\n")
    for form, title, rows in (("bench", "All works", bench_rows), ("grow", "Growth", grow_rows)):
        if form in whole:
            parts.append(f"## {title}\n\n{whole[form]['date']} UTC\n\n{described(whole[form])}\n\n"
                         f"{markdown(rows(whole[form]))}\n")
    return "\n".join(parts)


# ---- The README ----

SHOWN = ["up", "down", "puts", "gets", "gets-disk", "plan", "start", "tls-up"]


def brief(result):
    if result is None or not result["runs"]:
        return ""
    return (f"{number(middle(result, 'wall'))} / {number(middle(result, 'cpu'))} / "
            f"{max(values(result, 'mib')):.0f}")


def main_table(bench):
    peers = [name for name in bench["peers"]
             if any(r["who"] == name for work in bench["works"] for r in of_role(work, "peer"))]
    rows = [["wall s / CPU s / MiB", "haul", "floor", *peers]]
    by_name = {work["name"]: work for work in bench["works"]}
    for work in (by_name[name] for name in SHOWN):
        by_who = {result["who"]: result for result in work["results"]}
        rows.append([work["about"], brief(haul_of(work)), brief(floor_of(work)),
                     *(brief(by_who.get(name)) for name in peers)])
    return markdown(rows)


def write_into(path, whole):
    """Replaces what stands between the marks; nothing where there are none."""
    before, *rest = path.read_text().split(MARK)
    if len(rest) == 2 and "bench" in whole:
        path.write_text(f"{before}{MARK}\n{main_table(whole['bench'])}\n{MARK}{rest[1]}")
