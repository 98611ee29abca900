"""Two hundred thousand objects take no more memory than fifty thousand, whether they are planned,
moved, resumed or left as they are. (Fewer don't fill SQLite's cache yet.) Measured with haul-plain,
as sanitizers take memory too.
"""

import os
import shutil
import subprocess
import tempfile

import pytest
from scene import Scene, download, upload

FEW, MANY = 50_000, 200_000
GROWTH_KIB, PEAK_KIB = 8 << 10, 64 << 10
PAUSED = 5


@pytest.fixture
def crowd(monkeypatch):
    """A folder with MANY empty files, FEW of them below few/. In memory, as the endpoint's are."""
    if os.access("/dev/shm", os.W_OK):
        monkeypatch.setattr(tempfile, "tempdir", "/dev/shm")
    folder = tempfile.mkdtemp(prefix="haul-crowd-")
    for n in range(MANY):
        below = f"{folder}/{'few' if n < FEW else 'many'}/{n // 1000:03}"
        if n % 1000 == 0:
            os.makedirs(below)
        os.close(os.open(f"{below}/{n:06}", os.O_CREAT | os.O_WRONLY))
    yield folder
    shutil.rmtree(folder)


def peak_kib(scene, *words, exit_code=0):
    """The most memory that haul held. Not its ru_maxrss, in which Python's own counts."""
    with open(scene.folder / "messages", "w+") as messages:
        process = scene.start(*words, program=os.environ["HAUL_PLAIN"],
                              stdout=subprocess.DEVNULL, stderr=messages)
        peak = 0
        while process.poll() is None:
            with open(f"/proc/{process.pid}/status") as status:
                peak = max([peak] + [int(l.split()[1]) for l in status if l.startswith("VmHWM")])
            try:
                process.wait(0.02)
            except subprocess.TimeoutExpired:
                pass
        messages.seek(0)
        assert process.returncode == exit_code, messages.read()[-2000:]
    return peak


def peaks(scene, source, prefix, count):
    """The same for each thing that is done with so many objects."""
    def manifest(name, *transfers):
        return scene.manifest(*transfers, name=f"{name}-{count}")

    def done(state):
        return scene.rows(f"SELECT count(*) FROM object WHERE state = '{state}'") == [(count,)]

    peak = {}
    job = manifest("upload", upload(source, prefix))
    scene.endpoint.fault(f"PutObject nth={count // 2} status=400 code=ExpiredToken")
    peak["run"] = peak_kib(scene, "run", job, exit_code=PAUSED)
    peak["resume"] = peak_kib(scene, "resume")
    assert done("done")
    again = manifest("again", upload(source, prefix, when="missing"))
    peak["compare"] = peak_kib(scene, "run", again)
    assert done("skipped")
    peak["list"] = peak_kib(scene, "plan", manifest("plan", download(prefix, scene.out)), "--json")
    return peak


def test_memory_does_not_grow_with_the_number_of_objects(crowd, haul, new_endpoint, tmp_path):
    scene = Scene(haul, new_endpoint(), tmp_path)
    few = peaks(scene, f"{crowd}/few/", "few/", FEW)
    many = peaks(scene, f"{crowd}/", "many/", MANY)
    for what in few:
        assert many[what] < few[what] + GROWTH_KIB, (what, few, many)
        assert many[what] < PEAK_KIB, (what, few, many)
