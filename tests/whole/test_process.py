"""Jobs whose keys a program prints, time and again: it is asked in time, told to nobody, and
never left behind.
"""

import pathlib
import signal
import time

import pytest
from scene import await_line, upload

INTERRUPTED = 3
LIFETIME_S = 3
SECONDS = 60  # no promise: when a test gives up


class Program:
    """A profile whose program prints the endpoint's keys with another token each time."""

    def __init__(self, scene):
        self.scene = scene
        self.folder = scene.folder / "corp"
        self.folder.mkdir()
        self.key_id, self.secret = scene.endpoint.keys
        (self.folder / "config").write_text(
            f"[profile corp]\ncredential_process = '{self.folder}/get keys' --as me\n")
        scene.env |= {"AWS_CONFIG_FILE": f"{self.folder}/config", "AWS_ACCESS_KEY_ID": "",
                      "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "corp"}
        self.does("")

    def does(self, first):
        """What it does before it prints: n is how often it has been asked."""
        path = self.folder / "get keys"
        path.write_text(f"""#!/bin/sh
cd '{self.folder}' || exit
echo $$ >> asked
n=$(wc -l < asked)
{first}
until=$(date -u -d '{LIFETIME_S} seconds' +%Y-%m-%dT%H:%M:%S.%3NZ)
echo '{{ "Version": 1, "AccessKeyId": "{self.key_id}", "SecretAccessKey": "{self.secret}",'
echo '"SessionToken": "{self.token("'$n'")}", "Expiration": "'$until'" }}'
""")
        path.chmod(0o755)

    def token(self, n):
        return f"corp/token+{n}//{'t' * 20}=="

    def asked(self, at_least=0):
        """The process ids of all askings; waits until there are so many."""
        path, until = self.folder / "asked", time.monotonic() + SECONDS
        while True:
            pids = path.read_text().splitlines() if path.exists() else []
            if len(pids) >= at_least:
                return pids
            assert time.monotonic() < until, f"asked {len(pids)} times only"
            time.sleep(0.01)


@pytest.fixture
def program(scene):
    return Program(scene)


def await_death(pid):
    """Whoever buries it may take a while."""
    status, until = pathlib.Path(f"/proc/{pid}/status"), time.monotonic() + SECONDS
    while status.exists() and "State:\tZ" not in status.read_text():
        assert time.monotonic() < until, f"{pid} was left behind"
        time.sleep(0.01)


def commands():
    """What `ps` shows of all processes, and more: a line each."""
    lines = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            pass  # it is gone
    return "\n".join(lines)


def tokens(scene):
    return [int(headers["x-amz-security-token"].partition("+")[2].partition("/")[0])
            for headers in scene.endpoint.headers("PutObject")]


def run(scene, names):
    return scene.start_run(
        upload(scene.files(names)), store={"credentials": {"profile": "corp"}}, concurrency=1)


def test_a_job_crosses_several_expiries_and_its_secrets_stay_where_they_are(scene, program):
    names = [f"{n:02}" for n in range(30)]
    scene.endpoint.fault("\n".join(f"PutObject nth={n} gate=g{n}" for n in (10, 20)))
    running = run(scene, names)
    shown = ""
    for n in 10, 20:
        scene.endpoint.wait_at(f"g{n}")
        program.asked(len(program.asked()) + 2)
        shown += commands()
        scene.endpoint.open(f"g{n}")
    done = scene.end(running)
    assert scene.keys() == names
    used = tokens(scene)
    assert len(used) == len(names) and used == sorted(used)
    assert used[9] < used[10] < used[20]
    assert used[20] >= 4  # two at each gate, the last of which may just have been asked for

    assert "haul run" in shown and "corp/token" not in shown
    left = done.stdout + done.stderr
    for path in scene.haul.home.rglob("*"):
        if path.is_file():
            left += path.read_bytes().decode(errors="replace")
    assert "corp" in left  # the profile is told
    for secret in [program.secret, "corp/token", "--as me"]:
        assert secret not in left


@pytest.mark.parametrize("command", ["ls", "run"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_program_that_hangs_ends_with_haul(scene, program, command, number):
    program.does("sleep 1000")
    running = run(scene, ["a"]) if command == "run" else scene.start("ls", "s3://bucket/")
    pid = program.asked(1)[0]
    running.send_signal(number)
    done = scene.end(running, INTERRUPTED)
    assert "interrupted" in done.stderr
    await_death(pid)


def test_a_program_that_hangs_while_a_job_runs_ends_with_it(scene, program):
    program.does("test $n -gt 1 && exec sleep 1000")
    scene.endpoint.fault("PutObject nth=3 gate=here")
    running = run(scene, [f"{n:02}" for n in range(10)])
    scene.endpoint.wait_at("here")
    pid = program.asked(2)[1]
    running.send_signal(signal.SIGINT)
    await_line(running, "stopping")
    scene.endpoint.clear()
    scene.end(running, INTERRUPTED)
    await_death(pid)
    program.does("")
    scene.resume()
    assert len(scene.keys()) == 10


def test_a_program_that_fails_is_told_with_its_name_alone(scene, program):
    program.does(f"echo {program.secret}; exit 7")
    done = scene.command("ls", "s3://bucket/", exit_code=5)
    assert f"credential_process {program.folder}/get keys: ended with status 7" in done.stderr
    assert program.secret not in done.stderr and "--as" not in done.stderr


def test_what_it_says_on_standard_error_is_seen(scene, program):
    program.does("echo 'opening your browser' >&2")
    done = scene.command("ls", "s3://bucket/")
    assert "opening your browser" in done.stderr
