"""What the machine gives runs out: whatever call of the system, of memory or of SQLite fails,
once or from then on, each job ends right, or says what did not and goes on later (faulty.py).
HAUL_TEST_LONG=1 takes every call with each of its errors; else chance takes one of these, and
some of the calls. HAUL_TEST_SEED repeats its choice.
"""

import contextlib
import os

import pytest
from conftest import Haul
from endpoint import Endpoint
from faulty import FILES, Fault, Stage, carry, carry_once, walk

LONG = bool(os.environ.get("HAUL_TEST_LONG"))
AT_ONCE = 4

# Group -> its calls: (call, errors, every how many-th of them does in a short test).
ONCE = {
    "memory": [
        ("malloc", "ENOMEM", 11),
        ("sqlite3_malloc", "ENOMEM", 211),
    ],
    "files": [
        ("open", "EACCES EMFILE ENFILE", 3),
        ("close", "EIO ENOSPC", 5),
        ("read", "EIO", 1),
        ("pread", "EIO SHORT EINTR", 5),
        ("pwrite", "ENOSPC EIO EDQUOT SHORT EINTR", 67),
        ("fsync", "EIO ENOSPC EDQUOT", 1),
        ("fallocate", "ENOSPC EIO EDQUOT EOPNOTSUPP", 1),
        ("ftruncate", "EIO", 1),
        ("futimens", "EPERM", 1),
        ("rename", "EIO EACCES ENOSPC", 1),
        ("unlink", "EACCES", 1),
        ("mkdir", "EACCES ENOSPC", 3),
        ("stat", "EIO EACCES ENOMEM", 5),
        ("access", "EACCES", 1),
        ("lseek", "EIO", 1),
        ("getdents", "EIO ENOMEM", 1),
        ("opendir", "EACCES EMFILE", 1),
    ],
    "threads": [
        ("pthread_create", "EAGAIN", 1),
        ("eventfd", "EMFILE", 1),
        ("signalfd", "EMFILE", 1),
        ("epoll_create1", "EMFILE", 1),
        ("epoll_ctl", "ENOMEM ENOSPC", 5),
        ("epoll_wait", "EINTR", 11),
        ("poll", "EINTR", 1),
        ("socket", "EMFILE", 2),
        ("getrandom", "EAGAIN", 1),
    ],
    "queue": [
        ("sqlite3_step", "SQLITE_FULL SQLITE_IOERR SQLITE_NOMEM SQLITE_CORRUPT SQLITE_BUSY", 29),
        ("sqlite3_exec", "SQLITE_IOERR SQLITE_NOMEM", 3),
        ("sqlite3_prepare", "SQLITE_NOMEM", 23),
        ("sqlite3_open", "SQLITE_NOMEM SQLITE_CANTOPEN", 2),
        ("queue_open", "EMFILE EIO", 5),
        ("queue_pread", "EIO", 17),
        ("queue_pwrite", "ENOSPC EIO EDQUOT", 29),
        ("queue_sync", "EIO ENOSPC", 5),
        ("queue_ftruncate", "EIO", 1),
        ("queue_unlink", "EIO", 1),
    ],
}
ONWARDS = [
    ("malloc", "ENOMEM", 29),
    ("open", "EMFILE", 5),
    ("pread", "EIO", 7),
    ("pwrite", "ENOSPC EIO", 149),
    ("fsync", "EIO ENOSPC", 3),
    ("fallocate", "ENOSPC", 2),
    ("rename", "EIO ENOSPC", 2),
    ("stat", "EIO", 7),
    ("socket", "EMFILE", 3),
    ("pthread_create", "EAGAIN", 3),
    ("epoll_ctl", "ENOMEM", 11),
    ("sqlite3_step", "SQLITE_FULL SQLITE_IOERR", 29),
    ("queue_pwrite", "ENOSPC EIO EROFS", 41),
    ("queue_sync", "EIO", 7),
]


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    with contextlib.ExitStack() as running:
        stages = []
        for _ in range(AT_ONCE):
            folder = tmp_path_factory.mktemp("stage")
            (folder / "home").mkdir()
            endpoint = running.enter_context(Endpoint(keys=None))
            stages.append(Stage(Haul(folder / "home"), folder, endpoint))
        yield stages


def faults_of(rows, chance, **more):
    for call, errors, step in rows:
        if LONG:  # the few thousand calls of sqlite3_malloc are much alike
            step = AT_ONCE * (7 if call == "sqlite3_malloc" else 1)
            yield from (Fault(call, how, step, 1 + i * step // AT_ONCE, **more)
                        for how in errors.split() for i in range(AT_ONCE))
        else:
            yield Fault(call, chance.choice(errors.split()), step, chance.randint(1, step), **more)


def assert_all_right(stages, faults, carry_out, capsys):
    faults = list(faults)
    jobs, wrong = walk(stages, faults, carry_out)
    with capsys.disabled():
        calls = "" if LONG else ", one call of " + " ".join(f"{f.call}:{f.step}" for f in faults)
        print(f"\n{jobs} jobs{calls}", end="")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("direction", ["upload", "download"])
@pytest.mark.parametrize("group", ONCE)
def test_a_call_that_fails_once(stages, group, direction, chance, capsys):
    """Cases 60, 61, 62, 65 and 67."""
    assert_all_right(stages, faults_of(ONCE[group], chance),
                     lambda stage, fault, n: carry(stage, direction, fault, n), capsys)


@pytest.mark.parametrize("direction", ["upload", "download"])
def test_a_call_that_fails_from_then_on(stages, direction, chance, capsys):
    assert_all_right(stages, faults_of(ONWARDS, chance, onwards=True),
                     lambda stage, fault, n: carry(stage, direction, fault, n), capsys)


def test_memory_that_fails_where_an_upload_of_nobody_is_looked_for(stages, chance, capsys):
    """The reply of CreateMultipartUpload is lost: the orphan is aborted in the end. Case 1."""
    trouble = "CreateMultipartUpload nth=1 drop-after"
    assert_all_right(
        stages, faults_of([("malloc", "ENOMEM", 17)], chance),
        lambda stage, fault, n: carry(stage, "upload", fault, n, trouble), capsys)


ONE_SHOTS = {
    "put": ("upload", {"big"}, lambda stage: ("put", stage.source / "big", "s3://bucket/big")),
    "put -r": ("upload", FILES.keys(),
               lambda stage: ("put", "-r", stage.source, "s3://bucket/")),
    "get": ("download", {"big"}, lambda stage: ("get", "s3://filled/big", stage.out / "big")),
    "get -r": ("download", FILES.keys(), lambda stage: ("get", "-r", "s3://filled/", stage.out)),
}
ONE_SHOT_FAULTS = [
    ("malloc", "ENOMEM", 23),
    ("open", "EMFILE", 7),
    ("close", "EIO", 7),
    ("pread", "EIO SHORT EINTR", 17),
    ("pwrite", "ENOSPC SHORT EINTR", 97),
    ("fsync", "EIO", 1),
    ("fallocate", "ENOSPC EOPNOTSUPP", 1),
    ("rename", "EIO", 1),
    ("stat", "EIO", 5),
    ("getdents", "EIO", 1),
    ("pthread_create", "EAGAIN", 1),
    ("epoll_ctl", "ENOMEM", 5),
    ("getrandom", "EAGAIN", 1),
]


@pytest.mark.parametrize("command", ONE_SHOTS)
def test_a_call_of_a_one_shot_command_that_fails(stages, command, chance, capsys):
    direction, names, words = ONE_SHOTS[command]
    assert_all_right(
        stages, faults_of(ONE_SHOT_FAULTS, chance),
        lambda stage, fault, n: carry_once(stage, words, direction, names, fault, n), capsys)
