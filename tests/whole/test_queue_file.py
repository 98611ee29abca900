"""The queue's file: which run a command means, what a damaged or foreign file comes to, and that
no secret is in it.
"""

import contextlib
import json
import os
import signal
import sqlite3

import pytest
from queuefile import PAUSED, QUEUE, USAGE, make_old
from scene import PART, refusal, upload

SECRET = "scripted/secret+key"


def sql(path, *statements):
    with contextlib.closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


@pytest.fixture
def paused(scene):
    """A run that has done half of its work, and its queue's path."""
    scene.endpoint.fault("PutObject key=b always status=400 code=ExpiredToken")
    scene.run(upload(scene.files(["a", "b"])), concurrency=1, exit_code=PAUSED)
    scene.endpoint.clear()
    scene.endpoint.reset()
    return scene.queues()[0]


# ---- Files that are no queue ----


def flip(data):
    start = len(data) // 2 // 4096 * 4096
    end = start + 4096
    return data[:start] + bytes(b ^ 0xff for b in data[start:end]) + data[end:]


def foreign(data, folder):
    path = folder / "foreign.db"
    sql(path, "CREATE TABLE run (id)", "INSERT INTO run VALUES ('1')")
    return path.read_bytes()


def newer(data, folder):
    path = folder / "newer.db"
    path.write_bytes(data)
    sql(path, "PRAGMA user_version = 99")
    return path.read_bytes()


@pytest.mark.parametrize("make, says", [
    (lambda data, _: flip(data), "damaged"),
    (lambda data, _: data[:len(data) // 2], "damaged"),
    (lambda data, _: data[:100], "damaged"),
    (lambda data, _: b"X" * 100 + data[100:], "no haul queue"),
    (lambda data, _: os.urandom(len(data)), "no haul queue"),
    (lambda data, _: b"", "no haul queue"),
    (foreign, "no haul queue"),
    (newer, "newer haul (schema 99"),
], ids=["flipped", "half", "stub", "header", "random", "empty", "foreign", "newer"])
def test_what_is_no_queue_is_named_and_left_alone(scene, paused, make, says):
    """Case 68."""
    path = scene.folder / "q.db"
    data = make(paused.read_bytes(), scene.folder)
    path.write_bytes(data)
    for words in (["resume", "--queue", path],
                  ["run", scene.haul.home / "job.yaml", "--queue", path]):
        line = refusal(scene.command(*words, exit_code=QUEUE))
        assert str(path) in line and says in line
        assert path.read_bytes() == data
    assert scene.endpoint.stats()["requests"] == 0
    if says != "damaged": # which only a whole look at it finds out
        assert says in refusal(scene.command("status", "--queue", path, exit_code=QUEUE))
    assert path.read_bytes() == data


def test_a_folder_is_no_queue(scene, paused):
    for words in (["resume"], ["status"], ["run", scene.haul.home / "job.yaml"]):
        line = refusal(scene.command(*words, "--queue", scene.folder, exit_code=QUEUE))
        assert str(scene.folder) in line


@pytest.mark.parametrize("words", [["resume"], ["status"]])
def test_a_queue_that_is_not_there(scene, words):
    path = scene.folder / "nope.db"
    line = refusal(scene.command(*words, "--queue", path, exit_code=QUEUE))
    assert str(path) in line
    assert not path.exists()


def test_a_damaged_run_is_told_of_and_hides_no_other(scene, paused):
    paused.write_bytes(b"X" * 4096)
    for words in (["resume"], ["resume", "job"], ["status"]):
        assert str(paused) in refusal(scene.command(*words, exit_code=QUEUE))
    jobs = scene.command("jobs", "--json")
    assert str(paused) in jobs.stderr and json.loads(jobs.stdout) == []
    scene.run(upload(scene.files(["c"])), name="other")
    assert str(paused) in scene.command("resume", exit_code=QUEUE).stderr
    done = scene.command("run", scene.haul.home / "job.yaml")
    assert str(paused) in done.stderr
    assert scene.keys() == ["a", "b", "c"]
    assert paused.read_bytes() == b"X" * 4096


# ---- Which run is meant ----


def test_run_goes_on_with_this_manifest_s_unfinished_run(scene, paused):
    scene.command("run", scene.haul.home / "job.yaml")
    assert scene.queues() == [paused]
    assert [entry["key"] for entry in scene.endpoint.log("PutObject")] == ["b"]


@pytest.mark.parametrize("which", ["nothing", "name", "id", "path"])
def test_resume_goes_on_with_the_run_that_is_meant(scene, paused, which):
    words = {"nothing": [], "name": ["job"], "id": [paused.stem], "path": ["--queue", paused]}
    scene.resume(*words[which])
    assert scene.keys() == ["a", "b"]
    assert [entry["key"] for entry in scene.endpoint.log("PutObject")] == ["b"]


def test_a_manifest_that_is_written_otherwise_and_means_the_same_is_the_same(scene, paused):
    path = scene.haul.home / "job.yaml"
    path.write_text("# a comment\n" + path.read_text().replace(", ", ",\n  "))
    scene.command("run", path)
    assert scene.queues() == [paused]


def test_a_finished_run_is_not_resumed(scene, paused):
    scene.resume()
    assert "no unfinished run" in refusal(scene.resume(exit_code=USAGE))
    for words in (["job"], [paused.stem], ["--queue", paused]):
        assert f"{paused.stem} is finished" in refusal(scene.resume(*words, exit_code=USAGE))


def test_a_manifest_that_has_finished_is_run_anew(scene):
    source = scene.files(["a"])
    for count in (1, 2, 3):
        scene.run(upload(source))
        assert len(scene.queues()) == count
        assert scene.endpoint.count("PutObject") == count


def test_new_begins_a_new_run_and_the_old_one_can_still_go_on(scene, paused):
    scene.command("run", scene.haul.home / "job.yaml", "--new")
    assert len(scene.queues()) == 2
    assert len(scene.endpoint.log("PutObject")) == 2
    scene.resume(paused.stem)
    assert scene.states(paused) == {"a": "done", "b": "done"}


def test_an_edited_manifest_is_a_new_run_and_the_old_one_can_still_go_on(scene, paused):
    """Case 69."""
    scene.files(["c"])
    done = scene.run(upload(scene.files([]), "elsewhere/"))
    assert f"run={paused.stem}" in done.stderr and "another version" in done.stderr
    assert len(scene.queues()) == 2
    scene.resume()
    assert scene.keys() == ["a", "b", "elsewhere/a", "elsewhere/b", "elsewhere/c"]


def test_several_unfinished_runs_are_all_named(scene, paused):
    scene.endpoint.stop()
    scene.run(upload(scene.files(["a"])), name="other", exit_code=PAUSED)
    line = refusal(scene.resume(exit_code=USAGE))
    for path in scene.queues():
        assert f"{path.stem} ({path.parent.name})" in line
    scene.endpoint.restart()
    scene.resume("job")
    scene.resume()
    assert [job["state"] for job in json.loads(scene.command("jobs", "--json").stdout)] == \
        ["finished", "finished"]


def test_a_queue_may_be_anywhere(scene):
    path = scene.folder / "far/away.db"
    source = scene.files(["a"])
    scene.endpoint.stop()
    scene.run(upload(source), args=("--queue", path), exit_code=PAUSED)
    assert "paused" in scene.command("status", "--queue", path).stdout
    scene.endpoint.restart()
    line = refusal(scene.run(upload(source, "p/"), args=("--queue", path), exit_code=USAGE))
    assert str(path) in line and "another manifest" in line
    scene.run(upload(source), args=("--queue", path))
    assert scene.keys() == ["a"]
    line = refusal(scene.run(upload(source), args=("--queue", path), exit_code=USAGE))
    assert str(path) in line and "finished" in line
    line = refusal(scene.run(upload(source), args=("--queue", path, "--new"), exit_code=QUEUE))
    assert str(path) in line and "exists" in line
    assert not scene.haul.state.exists()


def test_a_run_s_file_can_be_copied_and_goes_on_elsewhere(scene, paused):
    copy = scene.folder / "copy.db"
    copy.write_bytes(paused.read_bytes())
    scene.resume("--queue", copy)
    assert scene.keys() == ["a", "b"]
    assert scene.states(paused) == {"a": "done", "b": "planned"}


def test_a_queue_of_an_older_haul_is_looked_at_and_goes_on(scene, paused):
    now = scene.command("status", "--json").stdout
    make_old(paused)
    old = paused.read_bytes()
    assert scene.command("status", "--json").stdout == now
    assert json.loads(scene.command("jobs", "--json").stdout) == [json.loads(now)]
    assert paused.read_bytes() == old
    scene.resume()
    assert scene.states(paused) == {"a": "done", "b": "done"}
    assert scene.rows("SELECT state, objects FROM tally WHERE objects > 0") == [("done", 2)]


# ---- Secrets ----


def test_no_secret_is_in_queues_logs_and_processes(scene):
    """Case 51."""
    source = scene.files({"a": b"a", "b": b"b", "big": os.urandom(2 * PART)})
    store = {"credentials": {"access_key_id": "${env:LAB_ID}",
                             "secret_access_key": "${env:LAB_SECRET}"}}
    texts = []
    for env in ({"LAB_ID": scene.endpoint.keys[0], "LAB_SECRET": SECRET},
                {"LAB_ID": "AKIDUNKNOWN", "LAB_SECRET": SECRET}):
        for log in ("text", "json"):
            scene.endpoint.fault("UploadPart part=2 nth=1 gate=here")
            process = scene.start_run(
                upload(source), store=store, env=env, part_size=PART, concurrency=2)
            if env["LAB_ID"] == scene.endpoint.keys[0]:
                scene.endpoint.wait_at("here")
                texts += [open(f"/proc/{process.pid}/cmdline", "rb").read().decode()]
                texts += [path.read_bytes().decode("latin-1")  # the log too, while it is there
                          for path in scene.haul.state.rglob("*") if path.is_file()]
                process.send_signal(signal.SIGTERM)
            scene.endpoint.clear()
            out, err = process.communicate(timeout=60)
            texts += [out, err]
            done = scene.haul.run("resume", "--log", log, env=scene.env | env)
            texts += [done.stdout, done.stderr]
    for words in (["jobs", "--json"], ["status", "--json", "--failed"],
                  ["plan", scene.haul.home / "job.yaml", "--json"]):
        done = scene.command(*words, exit_code=None, env={"LAB_ID": "x", "LAB_SECRET": SECRET})
        texts += [done.stdout, done.stderr]
    texts += [path.read_bytes().decode("latin-1")
              for path in scene.haul.state.rglob("*") if path.is_file()]
    assert not [text for text in texts if SECRET in text or "secret+key" in text]


def test_state_is_for_its_owner_alone(scene, paused):
    for folder in (scene.haul.state, scene.haul.state / "haul", paused.parent):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_queue_shows_what_was_done_in_plain_words(scene, paused):
    scene.resume()
    events = [row[0] for row in scene.rows("SELECT event FROM event ORDER BY id")]
    assert events == ["started", "paused", "started", "finished"]
    manifest = json.loads(scene.rows("SELECT manifest FROM run")[0][0])
    assert manifest["transfers"][0]["upload"] == f"{scene.folder}/in/"
