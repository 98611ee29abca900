"""Against a real server, a Ceph gateway, with boto3 as the second opinion on what is stored."""

import hashlib
import os

import pytest

MIB = 1 << 20
FILES = {
    "empty": 0,
    "one byte": 1,
    "a part": 8 * MIB,
    "a part and one byte": 8 * MIB + 1,
    "deep/er/40 MiB": 40 * MIB,
    "odd/plus+and&%25 #?=~'\"": 100,
    "odd/ünï-漢字": 100,
}
JOB = """
version: 1
name: round-trip
endpoints:
  ceph:
    url: {url}
    addressing: path
    {trust}
transfers:
"""
UPLOAD = JOB + "  - upload: {folder}/\n    to: ceph://{bucket}/in/\n"
DOWNLOAD = JOB + "  - download: ceph://{bucket}/in/\n    to: {folder}/\n"


@pytest.fixture(params=["http", "https"])
def server(request, ceph, ceph_tls):
    return {"http": ceph, "https": ceph_tls}[request.param]


@pytest.fixture
def job(haul, server, bucket):
    def run(text, folder):
        trust = f"ca_file: {server.ca_file}" if server.ca_file else ""
        path = haul.manifest(text.format(url=server.url, trust=trust, bucket=bucket, folder=folder))
        env = {k: v for k, v in server.env.items() if k != "AWS_CA_BUNDLE"}
        done = haul.run("run", path, env=env)
        assert done.returncode == 0, done.stderr
    return run


def sums(folder):
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*") if path.is_file()}


def make_files(folder):
    for name, size in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.urandom(size))
    return sums(folder)


def test_boto3_reads_what_haul_uploaded(job, server, bucket, tmp_path):
    made = make_files(tmp_path / "in")
    job(UPLOAD, tmp_path / "in")
    s3 = server.boto()
    stored = {}
    for entry in s3.list_objects_v2(Bucket=bucket, Prefix="in/")["Contents"]:
        body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        stored[entry["Key"].removeprefix("in/")] = hashlib.sha256(body).hexdigest()
    assert stored == made
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_haul_downloads_what_boto3_uploaded(job, server, bucket, tmp_path):
    made = make_files(tmp_path / "in")
    for name in made:
        server.boto().upload_file(str(tmp_path / "in" / name), bucket, f"in/{name}")
    job(DOWNLOAD, tmp_path / "out")
    assert sums(tmp_path / "out") == made


def test_an_upload_and_its_download_give_the_same_files(job, tmp_path):
    made = make_files(tmp_path / "in")
    job(UPLOAD, tmp_path / "in")
    job(DOWNLOAD, tmp_path / "out")
    assert sums(tmp_path / "out") == made


def test_an_unknown_authority_is_refused(haul, ceph_tls, bucket, tmp_path):
    make_files(tmp_path / "in")
    path = haul.manifest(UPLOAD.format(
        url=ceph_tls.url, trust="", bucket=bucket, folder=tmp_path / "in"))
    env = {k: v for k, v in ceph_tls.env.items() if k != "AWS_CA_BUNDLE"}
    done = haul.run("run", path, env=env)
    assert done.returncode == 5, done.stderr
    assert "Contents" not in ceph_tls.boto().list_objects_v2(Bucket=bucket)
