"""What the whole-program tests share: the haul program in a home of its own, the scripted
endpoint, and a real Ceph gateway. ctest says in the environment where the programs and the
running cluster are; by hand, `pytest tests/whole` takes build-test/ and starts a cluster itself.
What is missing fails; test_link_local.py alone is skipped, where no network namespace can be
made.
"""

import contextlib
import os
import pathlib
import random
import subprocess
import sys
import uuid

import boto3
import botocore.config
import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/endpoint"))
sys.path.insert(0, str(TOP / "tests/services"))
pytest.register_assert_rewrite("resolve", "queuefile")
from endpoint import Endpoint  # noqa: E402
from liar import Liar  # noqa: E402
from running import Services  # noqa: E402
from scene import Scene, SmallDisk  # noqa: E402

PROGRAMS = {"HAUL": "haul", "HAUL_STEPS": "haul-steps", "HAUL_PLAIN": "haul-plain",
            "HAUL_RECORD": "tests/librecord.so", "HAUL_FAULTS": "haul-faults",
            "S3_ENDPOINT": "s3-endpoint"}
for variable, name in PROGRAMS.items():
    os.environ.setdefault(variable, str(TOP / "build-test" / name))

# What no exit code of haul's is, so that a sanitizer's complaint can't pass for one.
SANITIZED = 99
OPTIONS = f"exitcode={SANITIZED}:"


def pytest_sessionstart():
    for variable in PROGRAMS:
        if not os.access(os.environ[variable], os.X_OK):
            pytest.exit(f"{variable}: no program {os.environ[variable]}; run tests/run", 2)


class Haul:
    """The haul program, with a home folder, queues and an environment that are this test's own."""

    def __init__(self, folder):
        self.home = folder
        self.state = folder / "state"  # the queues: state/haul/NAME/RUN.db
        self.program = os.environ["HAUL"]
        self.steps = os.environ["HAUL_STEPS"]  # the same, which can be killed at named steps
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "HAUL"))}
        self.env |= {
            "HOME": str(folder),
            "XDG_STATE_HOME": str(self.state),
            "AWS_EC2_METADATA_DISABLED": "true",
            "ASAN_OPTIONS": OPTIONS,
            "LSAN_OPTIONS": OPTIONS,
            "UBSAN_OPTIONS": OPTIONS + "print_stacktrace=1",
            "TSAN_OPTIONS": OPTIONS + "halt_on_error=1",
        }

    def start(self, *args, env=None, program=None, **popen):
        """Starts it and returns the process, for tests that signal or kill it."""
        popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                 "stderr": subprocess.PIPE, "cwd": self.home} | popen
        return subprocess.Popen(
            [program or self.program, *map(str, args)], env=self.env | (env or {}),
            text=True, encoding="utf-8", errors="surrogateescape", **popen)

    def run(self, *args, env=None, program=None, timeout=120, **popen):
        """Runs it to its end. The test looks at .returncode, .stdout and .stderr."""
        process = self.start(*args, env=env, program=program, **popen)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            pytest.fail(f"haul {args} took over {timeout} s\n{out}\n{err}")
        assert process.returncode != SANITIZED, err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def manifest(self, text, name="job.yaml"):
        """Writes a manifest and returns its path."""
        path = self.home / name
        path.write_text(text)
        return path


@pytest.fixture
def haul(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return Haul(home)


@pytest.fixture
def new_endpoint():
    """Starts scripted endpoints, for tests that want options or several."""
    with contextlib.ExitStack() as running:
        yield lambda *args, **kw: running.enter_context(Endpoint(*args, **kw))


@pytest.fixture
def endpoint(new_endpoint):
    """The scripted endpoint of tests/endpoint/: .url .env .boto() .stats() .fault(text)..."""
    return new_endpoint()


@pytest.fixture
def new_services():
    """Starts the services of tests/services/, for tests that want options or several."""
    with contextlib.ExitStack() as running:
        yield lambda *options: running.enter_context(Services(*options))


@pytest.fixture
def services(new_services):
    """The services that give keys: .url .set(text) .fault(text) .log() .key(id)..."""
    return new_services()


@pytest.fixture
def scene(haul, endpoint, tmp_path):
    """The haul program, the scripted endpoint and a bucket on it, a folder, short manifests."""
    return Scene(haul, endpoint, tmp_path)


@pytest.fixture
def chance(capsys):
    """What a test draws from; its seed is printed, and HAUL_TEST_SEED repeats it."""
    seed = int(os.environ.get("HAUL_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
    with capsys.disabled():
        print(f"\nHAUL_TEST_SEED={seed}", end="")
    return random.Random(seed)


@pytest.fixture(scope="session")
def preload(tmp_path_factory):
    """preload(source)(**variables): arguments for Scene.start() and command(): haul without a
    sanitizer, that library of this folder beneath it, and what the variables tell it."""
    def build(source):
        library = tmp_path_factory.mktemp("preload") / "library.so"
        subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library,
                        pathlib.Path(__file__).with_name(source)], check=True)
        return lambda **variables: {
            "program": os.environ["HAUL_PLAIN"],
            "env": {"LD_PRELOAD": str(library)} | {k: str(v) for k, v in variables.items()}}
    return build


@pytest.fixture
def lie():
    """lie(answer): starts a server that says what the test wants."""
    with contextlib.ExitStack() as running:
        yield lambda answer: running.enter_context(Liar(answer))


@pytest.fixture
def small_disk(tmp_path):
    """Mounts file systems of a given size, which takes root; .resize(size) and .remount(option)."""
    with contextlib.ExitStack() as mounted:
        yield lambda size, name="disk": mounted.enter_context(SmallDisk(tmp_path / name, size))


@pytest.fixture(scope="session")
def shim(preload):
    return preload("shim.c")


class Server:
    """A real server, with the scripted endpoint's face as far as it goes."""

    def __init__(self, url, key_id, secret, ca_file=None):
        self.url, self.ca_file = url, ca_file
        self.env = {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": key_id,
                    "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": "us-east-1"}
        if ca_file:
            self.env["AWS_CA_BUNDLE"] = ca_file

    def boto(self):
        return boto3.client(
            "s3", endpoint_url=self.url, verify=self.ca_file, region_name="us-east-1",
            aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"],
            config=botocore.config.Config(s3={"addressing_style": "path"}))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """The environment that tests/real/cluster printed: ctest's cluster, or one of our own."""
    script = TOP / "tests/real/cluster"
    own = None if "CEPH" in os.environ else tmp_path_factory.mktemp("ceph")
    try:
        if own:
            done = subprocess.run([script, "start", own, "--tls"], capture_output=True, text=True)
            if done.returncode != 0:
                pytest.fail(done.stderr)
        file = (own or pathlib.Path(os.environ["CEPH"])) / "environment"
        if not file.exists():
            pytest.fail(f"no running cluster: {file} is missing")
        yield dict(line.split("=", 1) for line in file.read_text().splitlines())
    finally:
        if own:
            subprocess.run([script, "stop", own], check=True)


@pytest.fixture(scope="session")
def ceph(cluster):
    return Server(cluster["AWS_ENDPOINT_URL"], cluster["AWS_ACCESS_KEY_ID"],
                  cluster["AWS_SECRET_ACCESS_KEY"])


@pytest.fixture(scope="session")
def ceph_tls(cluster):
    """The same server and buckets over https, with a certificate of .ca_file's."""
    return Server(cluster["TLS_ENDPOINT_URL"], cluster["AWS_ACCESS_KEY_ID"],
                  cluster["AWS_SECRET_ACCESS_KEY"], cluster["TLS_CA_BUNDLE"])


@pytest.fixture
def bucket(ceph):
    """The name of a new bucket on the real server, removed afterwards with all that is in it."""
    s3, name = ceph.boto(), f"test-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    yield name
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=name):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
        for entry in page.get("Contents", []):
            s3.delete_object(Bucket=name, Key=entry["Key"])
    s3.delete_bucket(Bucket=name)
