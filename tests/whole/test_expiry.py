"""Jobs whose keys expire on their way: fresh ones are fetched and nothing is disturbed; and when
there are none the job pauses, says why, and goes on where it was once that is mended.
"""

import json
import os
import re
import signal
import urllib.parse

import pytest
from queuefile import Recorded, assert_finished
from scene import BUCKET, PART, download, refusal, tree, upload

DONE, INTERRUPTED, PAUSED = 0, 3, 5
TOKENS = [f"session/token+{n}//the==test" for n in range(4)]


def document(scene, token):
    """The endpoint's keys as programs and container services give them."""
    key_id, secret = scene.endpoint.keys
    return json.dumps({
        "Version": 1, "AccessKeyId": key_id, "SecretAccessKey": secret, "SessionToken": token,
        "Token": token, "Expiration": "2099-01-31T12:00:00Z"})


class Process:
    """A profile whose program gives keys the first time, and then while there is a `ticket`."""

    credentials = {"profile": "corp"}
    why = ("credential_process", "ended with status 3")

    def __init__(self, scene):
        self.folder = scene.folder / "corp"
        self.folder.mkdir()
        for n, token in enumerate(TOKENS):
            (self.folder / f"keys{n}").write_text(document(scene, token))
        (self.folder / "get-keys").write_text(
            f"#!/bin/sh\ncd {self.folder}\necho x >> asked\nn=$(wc -l < asked)\n"
            "test $n -eq 1 -o -e ticket || exit 3\ncat keys$((n - 1))\n")
        (self.folder / "get-keys").chmod(0o755)
        config = self.folder / "config"
        config.write_text(f"[profile corp]\ncredential_process = {self.folder}/get-keys\n")
        self.env = {"AWS_CONFIG_FILE": str(config)}

    def asked(self):
        return len((self.folder / "asked").read_text().splitlines())

    def mend(self):
        (self.folder / "ticket").touch()


class Container:
    """A container's service that does the same."""

    credentials = "container"
    why = ("NoTicket",)

    def __init__(self, scene, services):
        self.services, self.scene = services, scene
        services.set(f"container.key {' '.join(scene.endpoint.keys)} {TOKENS[0]}")
        services.fault("\n".join(
            f"GetContainerKeys nth={n} status=403 code=NoTicket" for n in range(2, 10)))
        self.env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{services.url}/v1/credentials"}

    def asked(self):
        return self.services.count("GetContainerKeys")

    def mend(self):
        self.services.clear()
        self.services.fault("\n".join(
            f"GetContainerKeys nth={n + 1} text={urllib.parse.quote(document(self.scene, token))}"
            for n, token in enumerate(TOKENS)))


@pytest.fixture(params=["process", "container"])
def source(request, scene):
    scene.env = scene.env | {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    if request.param == "process":
        return Process(scene)
    return Container(scene, request.getfixturevalue("services"))


def run(scene, source, *transfers, **more):
    return scene.run(*transfers, env=source.env, store={"credentials": source.credentials}, **more)


def test_keys_that_a_server_calls_expired_are_fetched_again_and_nobody_notices(scene, source):
    """Case 45."""
    source.mend()
    names = {f"{n:02}": os.urandom(1000) for n in range(40)}
    scene.endpoint.fault("PutObject nth=7 status=400 code=ExpiredToken")
    done = run(scene, source, upload(scene.files(names)))
    assert scene.stored() == names
    assert [line for line in done.stderr.splitlines() if "haul: info: " not in line] == []
    assert source.asked() == 2
    [refused] = [entry["key"] for entry in scene.endpoint.log("PutObject") if entry["code"]]
    tokens = [(request[":target"], request["x-amz-security-token"])
              for request in scene.endpoint.headers("PutObject")]
    assert [token for target, token in tokens if target == f"/{BUCKET}/{refused}"] == TOKENS[:2]
    assert {token for _, token in tokens} == set(TOKENS[:2])


@pytest.mark.parametrize("operation", ["UploadPart", "GetObject"])
def test_a_job_without_fresh_keys_pauses_and_goes_on_where_it_was(scene, source, operation):
    """Case 45."""
    bodies = {"big": os.urandom(9 * PART + 1), "small": b"small"}
    if operation == "UploadPart":
        job, prefix = upload(scene.files(bodies), "up/"), "up/"
        fault = "UploadPart part=5"
    else:
        scene.objects(bodies, "down/")
        job, prefix = download("down/", scene.out), "down/"
        fault = f"GetObject range={4 * PART}"
    scene.endpoint.fault(fault + " always status=400 code=ExpiredToken")
    done = run(scene, source, job, part_size=PART, concurrency=1, exit_code=PAUSED)
    line = refusal(done)
    for words in ("endpoint store, bucket bucket: ", "expired", *source.why, "haul resume "):
        assert words in line
    assert not any(token in done.stderr for token in TOKENS)
    recorded = Recorded(scene.haul, "job", {1: prefix})
    assert len(recorded.parts) == 4

    again = refusal(scene.resume(exit_code=PAUSED, env=source.env))
    for words in (*source.why, "haul resume "):
        assert words in again

    source.mend()
    scene.endpoint.clear()
    scene.endpoint.reset()
    run_id = re.search(r"haul resume (\S+)`", line)[1]
    scene.resume(run_id, env=source.env)
    assert [entry for entry in scene.endpoint.log(operation) if recorded.has(entry)] == []
    assert_finished(scene.haul, "job", {1: prefix}, {prefix + k: len(v) for k, v in bodies.items()})
    assert (scene.stored(prefix) if operation == "UploadPart" else tree(scene.out)) == bodies


def test_requests_under_way_are_not_disturbed_by_fresh_keys(scene, source):
    source.mend()
    bodies = {"big": os.urandom(4 * PART), "other": b"other"}
    scene.endpoint.fault("UploadPart part=2 always gate-after=there\n"
                         "PutObject nth=1 gate=first status=400 code=ExpiredToken\n"
                         "PutObject nth=2 gate=again")
    running = scene.start_run(
        upload(scene.files(bodies)), env=source.env, store={"credentials": source.credentials},
        part_size=PART)
    scene.endpoint.wait_at("there")
    scene.endpoint.open("first")
    scene.endpoint.wait_at("again")
    scene.endpoint.open("there")
    scene.endpoint.open("again")
    scene.end(running)
    assert scene.stored() == bodies
    assert source.asked() == 2
    assert len(scene.endpoint.log("UploadPart")) == 4


def test_keys_in_variables_that_expire_can_be_given_anew(scene):
    env = {"LAB_ID": "AKIDEXPIRED", "LAB_SECRET": "no longer", "LAB_TOKEN": TOKENS[0]}
    credentials = {"access_key_id": "${env:LAB_ID}", "secret_access_key": "${env:LAB_SECRET}",
                   "session_token": "${env:LAB_TOKEN}"}
    scene.endpoint.fault("* always status=400 code=ExpiredToken")
    line = refusal(scene.run(upload(scene.files(["a"])), store={"credentials": credentials},
                             env=env, exit_code=PAUSED))
    assert "expired" in line.lower() and "haul resume" in line
    scene.endpoint.clear()
    scene.resume(env=dict(zip(("LAB_ID", "LAB_SECRET"), scene.endpoint.keys)) | {"LAB_TOKEN": "t"})
    assert scene.keys() == ["a"]


@pytest.mark.parametrize("command", ["ls", "run"])
def test_ctrl_c_ends_the_wait_for_a_service(scene, services, command):
    source = Container(scene, services)
    services.fault("GetContainerKeys always gate=here")
    job = scene.manifest(upload(scene.files(["a"])), store={"credentials": source.credentials})
    words = ["run", job] if command == "run" else ["ls", "store://", "--manifest", job]
    running = scene.start(*words, env=source.env)
    services.wait_at("here")
    running.send_signal(signal.SIGINT)
    assert "interrupted" in refusal(scene.end(running, INTERRUPTED))
