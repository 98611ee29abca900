"""Every example in jobs/ runs, as it stands, with its variables set to this test's places."""

import datetime
import pathlib

import pytest
from resolve_cases import PATIENT

JOBS = pathlib.Path(__file__).resolve().parents[2] / "jobs"
BUCKET = "examples"


@pytest.fixture
def store(endpoint):
    s3 = endpoint.boto()
    s3.create_bucket(Bucket=BUCKET)
    return s3


def fill(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"this is {name}\n")
    return folder


def names_below(folder):
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())


def keys(s3):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))


def run(haul, endpoint, job, env=None, **values):
    values = {"bucket": BUCKET} | values
    if env is None:
        values["url"] = endpoint.url
    settings = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    done = haul.run("run", JOBS / f"{job}.yaml", *settings, env=endpoint.env | (env or {}))
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("job", sorted(p.stem for p in JOBS.glob("*.yaml")))
def test_an_example_has_no_fault(haul, job):
    done = haul.run("check", JOBS / f"{job}.yaml")
    assert (done.returncode, done.stderr) == (0, "")


def test_upload_folder_takes_all_files(haul, endpoint, store, tmp_path):
    folder = fill(tmp_path / "in", "a.txt", "sub/b c.txt")
    run(haul, endpoint, "upload-folder", folder=folder, prefix="p")
    assert keys(store) == ["p/a.txt", "p/sub/b c.txt"]


def test_upload_folder_sends_only_what_changed_since(haul, endpoint, store, tmp_path):
    folder = fill(tmp_path / "in", "a.txt", "b.txt")
    run(haul, endpoint, "upload-folder", folder=folder)
    (folder / "b.txt").write_text("longer than it was before\n")
    endpoint.reset()
    run(haul, endpoint, "upload-folder", folder=folder)
    assert [entry["key"] for entry in endpoint.log("PutObject")] == ["incoming/b.txt"]
    body = store.get_object(Bucket=BUCKET, Key="incoming/b.txt")["Body"].read()
    assert body == b"longer than it was before\n"


def test_download_prefix_takes_what_is_below_the_prefix(haul, endpoint, store, tmp_path):
    for key in ("day/a.txt", "day/sub/b.txt", "daylight.txt", "other/c.txt"):
        store.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    run(haul, endpoint, "download-prefix", folder=tmp_path / "out", prefix="day")
    assert names_below(tmp_path / "out") == ["a.txt", "sub/b.txt"]
    assert (tmp_path / "out/sub/b.txt").read_bytes() == b"day/sub/b.txt"


def test_nightly_archive_selects_and_dates(haul, endpoint, store, tmp_path):
    tables = fill(tmp_path / "tables", "t.parquet", "deep/er/u.csv", "tmp/v.csv",
                  "deep/w.partial.csv", "notes.txt")
    models = fill(tmp_path / "models", "m.bin", "x/.cache/y")
    days = {datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")}
    run(haul, endpoint, "nightly-archive", tables=tables, models=models)
    days.add(datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"))
    assert keys(store) in [
        ["models/m.bin", f"tables/{day}/deep/er/u.csv", f"tables/{day}/t.parquet"]
        for day in days]


@pytest.mark.parametrize("place", ["laptop", "container", "instance"])
def test_anywhere_runs_in_each_place_with_what_is_there(
        haul, endpoint, store, services, tmp_path, place):
    key_id, secret = endpoint.keys
    config = tmp_path / "config"
    config.write_text(f"[default]\naws_access_key_id = {key_id}\naws_secret_access_key = {secret}\n"
                      f"region = us-east-1\nendpoint_url = {endpoint.url}\n")
    services.set(f"container.key {key_id} {secret} t\nimds.key {key_id} {secret} t")
    container = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{services.url}/v1/credentials"}
    instance = PATIENT | {
        "AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": services.url}
    env = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""} | {
        "laptop": {"AWS_CONFIG_FILE": str(config), "AWS_ENDPOINT_URL_S3": ""},
        "container": container, "instance": instance}[place]
    run(haul, endpoint, "anywhere", env, folder=fill(tmp_path / "in", "a.txt", "sub/b.txt"))
    assert keys(store) == ["results/a.txt", "results/sub/b.txt"]


def test_the_demo_s_jobs_bring_back_what_they_took(haul, endpoint, store, tmp_path):
    folder = fill(tmp_path / "in", "a b.txt", "sub/c+d%20#.txt", "ü/é.txt")
    run(haul, endpoint, "demo", folder=folder)
    run(haul, endpoint, "demo-download", folder=tmp_path / "out")
    assert names_below(tmp_path / "out") == names_below(folder)
    assert (tmp_path / "out/sub/c+d%20#.txt").read_text() == "this is sub/c+d%20#.txt\n"
