"""Jobs with a role of a real STS whose sessions last two seconds, and so end many times on the
way: nobody notices. When STS gives the role no more the job pauses, and goes on once it does.
"""

import json
import os
import uuid

import boto3
import pytest

from proxy import Proxy
from queuefile import Recorded, assert_finished
from scene import refusal, tree

PAUSED = 5
MIB = 1 << 20
RATE = 5 * MIB  # a second: ten of them, and so five sessions or more
SESSION_S = 2
FILES = {"small": 1000, "deep/er/7 parts": 32 * MIB + 1, "3 parts": 15 * MIB}


def policy(**statement):
    """Without blanks: boto3 sends them as "+", which Ceph takes for itself."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | statement]},
                      separators=(",", ":"))


class Role:
    """A role of its own, which the user may assume until that is revoked."""

    def __init__(self, ceph):
        self.user = ceph.env["AWS_ACCESS_KEY_ID"], ceph.env["AWS_SECRET_ACCESS_KEY"]
        self.iam = boto3.client(
            "iam", endpoint_url=ceph.url, region_name="us-east-1",
            aws_access_key_id=self.user[0], aws_secret_access_key=self.user[1])
        self.name = f"test-{uuid.uuid4().hex}"
        self.arn = f"arn:aws:iam:::role/{self.name}"

    def __enter__(self):
        self.iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=self._trust("tester"))
        self.iam.put_role_policy(RoleName=self.name, PolicyName="s3", PolicyDocument=policy(
            Action="s3:*", Resource="*"))
        return self

    def __exit__(self, *_):
        self.iam.delete_role_policy(RoleName=self.name, PolicyName="s3")
        self.iam.delete_role(RoleName=self.name)

    def _trust(self, user):
        return policy(
            Action="sts:AssumeRole", Principal={"AWS": [f"arn:aws:iam:::user/{user}"]})

    def _change(self, user):
        self.iam.update_assume_role_policy(
            RoleName=self.name, PolicyDocument=self._trust(user))

    def revoke(self):
        """Sessions that there are go on to their end."""
        self._change("nobody")

    def restore(self):
        self._change("tester")


@pytest.fixture
def role(ceph):
    with Role(ceph) as role:
        yield role


@pytest.fixture
def proxy(ceph):
    with Proxy(ceph.url, RATE) as proxy:
        yield proxy


class Job:
    """All FILES one way, by a profile of a file of its own; STS and S3 behind the proxy."""

    def __init__(self, kind, haul, ceph, bucket, role, proxy, folder):
        self.haul, self.proxy, self.s3, self.bucket = haul, proxy, ceph.boto(), bucket
        self.bodies = {name: os.urandom(size) for name, size in FILES.items()}
        self.folder = folder / "files"
        if kind == "upload":
            for name, body in self.bodies.items():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / name).write_bytes(body)
            transfer = {"upload": f"{self.folder}/", "to": f"ceph://{bucket}/"}
        else:
            for name, body in self.bodies.items():
                self.s3.put_object(Bucket=bucket, Key=name, Body=body)
            transfer = {"download": f"ceph://{bucket}/", "to": f"{self.folder}/"}
        profiles = folder / "profiles"
        profiles.write_text(
            f"[user]\naws_access_key_id = {role.user[0]}\naws_secret_access_key = {role.user[1]}\n"
            f"[profile role]\nsource_profile = user\nrole_arn = {role.arn}\n"
            f"duration_seconds = {SESSION_S}\nservices = lab\n"
            f"[services lab]\nsts =\n  endpoint_url = {proxy.url}\n")
        self.manifest = haul.manifest(json.dumps({
            "version": 1, "name": "job",
            "endpoints": {"ceph": {
                "url": proxy.url, "region": "us-east-1", "addressing": "path",
                "credentials": {"profile": "role", "file": str(profiles)}}},
            "defaults": {"part_size": 5 * MIB, "concurrency": 2},
            "transfers": [transfer]}))

    def command(self, *args, exit_code=0):
        done = self.haul.run(*args)
        assert done.returncode == exit_code, done.stderr
        return done

    def result(self):
        """{name: bytes} where the job has put them."""
        if "download" in self.manifest.read_text():
            return tree(self.folder)
        return {entry["Key"]: self.s3.get_object(Bucket=self.bucket, Key=entry["Key"])["Body"].read()
                for entry in self.s3.list_objects_v2(Bucket=self.bucket)["Contents"]}

    def assert_finished(self):
        assert self.result() == self.bodies
        assert_finished(self.haul, "job", {1: ""}, FILES)
        assert "Uploads" not in self.s3.list_multipart_uploads(Bucket=self.bucket)


@pytest.fixture(params=["upload", "download"])
def job(request, haul, ceph, bucket, role, proxy, tmp_path):
    return Job(request.param, haul, ceph, bucket, role, proxy, tmp_path)


def split(requests):
    """The key ids that S3 saw, and how often STS was asked."""
    return ({r["key_id"] for r in requests if r["method"] != "POST" or r["key"]},
            len([r for r in requests if r["method"] == "POST" and not r["key"]]))


def test_a_job_outlives_its_sessions(job):
    """Case 45."""
    done = job.command("run", job.manifest)
    assert [line for line in done.stderr.splitlines() if "haul: info: " not in line] == []
    job.assert_finished()
    key_ids, asked = split(job.proxy.take())
    assert "TESTKEY" not in key_ids
    assert len(key_ids) >= 3  # sessions; that is two expiries
    assert asked >= len(key_ids)


def test_a_job_pauses_when_its_role_is_revoked_and_goes_on_once_it_is_restored(job, role):
    job.proxy.arm("bytes", 20 * MIB, role.revoke)  # some parts, and sessions to come
    line = refusal(job.command("run", job.manifest, exit_code=PAUSED))
    for words in ("endpoint ceph", "there are no fresh ones", f"role {role.arn}",
                  "answered 403 AccessDenied", "haul resume "):
        assert words in line
    recorded = Recorded(job.haul, "job", {1: ""})
    assert recorded.parts or "done" in recorded.states.values()

    line = refusal(job.command("resume", "job", exit_code=PAUSED))
    for words in ("endpoint ceph", f"role {role.arn}", "answered 403 AccessDenied"):
        assert words in line

    role.restore()
    job.proxy.take()
    job.command("resume", "job")
    assert [request for request in job.proxy.take() if recorded.has(request)] == []
    job.assert_finished()
