"""`haul whoami`: where the keys come from, until when they are good, whether the server takes
them; and never the keys themselves.
"""

import http.server
import json
import re
import signal
import threading
import time

import pytest
from scene import upload

KEY, SECRET, TOKEN = "AKIDWHOAMI0000WXYZ", "whoami/secret+key", "whoami/token+of//session=="


@pytest.fixture
def asking(haul, services, tmp_path):
    """The services, whose S3 is asked, and haul with keys in its environment that they know."""
    services.set(f"key {KEY} {SECRET}")
    return Asking(haul, services, tmp_path)


class Asking:
    def __init__(self, haul, services, folder):
        self.haul, self.services, self.folder = haul, services, folder
        self.env = {"AWS_ENDPOINT_URL": services.url, "AWS_ACCESS_KEY_ID": KEY,
                    "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "eu-central-1"}

    def __call__(self, *args, exit_code=0, env=None):
        done = self.haul.run("whoami", *args, env=self.env | (env or {}))
        assert done.returncode == exit_code, done.stderr
        for secret in SECRET, TOKEN:
            assert secret not in done.stdout + done.stderr
        return done

    def facts(self, *args, **more):
        """{label: text} of the lines for people."""
        lines = self(*args, **more).stdout.splitlines()
        return {line[:9].rstrip(): line[10:] for line in lines}

    def json(self, *args, **more):
        return json.loads(self(*args, "--json", **more).stdout)

    def config(self, text):
        path = self.folder / "config"
        path.write_text(text)
        return {"AWS_CONFIG_FILE": str(path), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}


# ---- What it tells ----


def test_facts_are_told_one_a_line(asking):
    assert asking.facts() == {
        "source": "environment", "key id": "…WXYZ", "expires": "does not expire",
        "region": "eu-central-1", "endpoint": asking.services.url, "answer": "accepted"}


def test_json_is_one_object_that_has_them_all(asking):
    assert asking.json() == {
        "source": "environment", "profile": None, "detail": None, "key_id": "WXYZ",
        "expires_at": None, "region": "eu-central-1", "endpoint": asking.services.url,
        "accepted": True, "answer": "accepted"}


def test_a_profile_is_named_with_its_file(asking):
    env = asking.config(f"[profile lab]\naws_access_key_id = {KEY}\n"
                        f"aws_secret_access_key = {SECRET}\nregion = us-west-2\n")
    told = asking.json("--profile", "lab", env=env | {"AWS_REGION": ""})
    assert told["source"] == "profile" and told["profile"] == "lab"
    assert str(asking.folder / "config") in told["detail"]
    assert told["region"] == "us-west-2"


def test_a_program_s_keys_have_an_expiry(asking):
    asking.services.set(f"key ASIAPROCESS9876 {SECRET} {TOKEN} 7000")
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3599))
    keys = {"Version": 1, "AccessKeyId": "ASIAPROCESS9876", "SecretAccessKey": SECRET,
            "SessionToken": TOKEN, "Expiration": at}
    (asking.folder / "keys.json").write_text(json.dumps(keys))
    env = asking.config(
        f"[profile corp]\ncredential_process = cat {asking.folder}/keys.json\n") | {
        "AWS_PROFILE": "corp"}
    facts = asking.facts(env=env)
    assert facts["source"] == "process" and facts["profile"] == "corp"
    assert facts["key id"] == "…9876" and facts["answer"] == "accepted"
    assert re.fullmatch(at + r", in 0:59:\d\d", facts["expires"])
    assert asking.json(env=env)["expires_at"] == at


@pytest.mark.parametrize("operand", ["store", "store://"])
def test_an_endpoint_of_a_manifest_is_named_by_itself_or_its_address(asking, operand):
    store = {"url": asking.services.url, "region": "mars-1", "credentials": {
        "access_key_id": "${env:LAB_ID}", "secret_access_key": "${env:LAB_SECRET}"}}
    manifest = asking.haul.manifest(json.dumps({
        "version": 1, "name": "job", "endpoints": {"store": store},
        "transfers": [upload("/tmp/x", "x")]}))
    env = {"LAB_ID": KEY, "LAB_SECRET": SECRET, "AWS_ACCESS_KEY_ID": "other"}
    told = asking.json(operand, "--manifest", manifest, env=env)
    assert told["source"] == "static" and told["key_id"] == "WXYZ"
    assert told["region"] == "mars-1" and told["accepted"] is True


# ---- The server's word ----


@pytest.mark.parametrize("wrong, code", [
    ({"AWS_ACCESS_KEY_ID": "AKIDUNKNOWN"}, "InvalidAccessKeyId"),
    ({"AWS_SECRET_ACCESS_KEY": "mistyped"}, "SignatureDoesNotMatch"),
])
def test_keys_that_are_refused_are_exit_code_5(asking, wrong, code):
    done = asking(env=wrong, exit_code=5)
    assert f"\nanswer    refused: {code} " in done.stdout
    assert code in done.stderr and "endpoint s3: " in done.stderr
    told = asking.json(env=wrong, exit_code=5)
    assert told["accepted"] is False and told["answer"].startswith(f"refused: {code} ")


# Ceph's gateway says AccessDenied to wrong keys, too, when it is STS as well.
UNKNOWN = ("AccessDenied: these keys may not list {}, or are not known here: name {} bucket that "
           "they may read: haul whoami s3://BUCKET")


@pytest.mark.parametrize("address, op, unknown", [
    ("s3", "ListBuckets", UNKNOWN.format("buckets", "a")),
    ("s3://bucket", "ListObjectsV2", UNKNOWN.format("it", "another")),
])
def test_denied_keys_may_be_wrong_ones(scene, address, op, unknown):
    scene.endpoint.fault(f"{op} always status=403 code=AccessDenied")
    told = json.loads(scene.command("whoami", address, "--json", exit_code=5).stdout)
    assert told["accepted"] is None and told["answer"] == unknown
    done = scene.command("whoami", address, exit_code=5)
    assert "answer" not in done.stdout and done.stderr.endswith(f": {unknown}\n")


class Denier(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"<Error><Code>AccessDenied</Code></Error>"
        self.send_response(403)
        self.send_header("Content-Length", len(body))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def denier():
    with http.server.HTTPServer(("127.0.0.1", 0), Denier) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_aws_denies_only_keys_that_it_knows(scene, denier):
    env = {"http_proxy": denier, "no_proxy": ""}  # which answers for every host
    for host in "s3.eu-central-1.amazonaws.com", "s3.cn-north-1.amazonaws.com.cn:80":
        told = json.loads(scene.command(
            "whoami", "--json", "--endpoint", f"http://{host}", env=env).stdout)
        assert told["accepted"] is True
        assert told["answer"] == "accepted, but may not list buckets (AccessDenied)"
    for host in "s3.amazonaws.com.example", "notamazonaws.com":
        scene.command("whoami", "--endpoint", f"http://{host}", env=env, exit_code=5)


def test_a_bucket_that_is_named_is_the_one_that_is_asked_for(scene):
    for word, bucket in [
            ("accepted", "bucket"),
            ("accepted, but bucket absent can't be listed (NoSuchBucket)", "absent")]:
        done = scene.command("whoami", f"s3://{bucket}")
        assert done.stdout.endswith(f"\nanswer    {word}\n")
    assert [entry["op"] for entry in scene.endpoint.log()] == ["ListObjectsV2"] * 2


def test_an_anonymous_endpoint_says_so_and_asks(scene):
    manifest = scene.manifest(upload("/tmp/x", "x"), store={"credentials": "anonymous"})
    done = scene.command("whoami", "store", "--manifest", manifest, exit_code=5)
    assert done.stdout.startswith("source    anonymous\nkey id    none\n")
    assert ("AccessDenied: without keys nobody may list buckets: name a bucket that all may read: "
            "haul whoami store://BUCKET") in done.stderr
    assert "authorization" not in scene.endpoint.headers("ListBuckets")[-1]


def test_without_a_server_it_still_tells_where_the_keys_come_from(scene):
    scene.endpoint.stop()
    done = scene.command("whoami", exit_code=5)
    assert done.stdout.startswith("source    environment\nkey id    …")
    assert "answer" not in done.stdout
    assert "Connection refused" in done.stderr
    told = json.loads(scene.command("whoami", "--json", exit_code=5).stdout)
    assert told["accepted"] is None and "Connection refused" in told["answer"]
    assert told["source"] == "environment"


@pytest.mark.parametrize("reply", ["status=500", "status=503", "status=403 html"])
def test_a_server_in_trouble_says_nothing_of_keys(scene, reply):
    scene.endpoint.fault(f"ListBuckets always {reply}")
    assert json.loads(scene.command("whoami", "--json", exit_code=5).stdout)["accepted"] is None


# ---- Nothing to ask with ----


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_service_is_asked_for_keys_ends_haul_at_once(asking, number):
    asking.services.fault("GetContainerKeys always gate=shut")
    running = asking.haul.start("ls", env={
        "AWS_ENDPOINT_URL": asking.services.url,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{asking.services.url}/v2/credentials/id"})
    asking.services.wait_at("shut")
    running.send_signal(number)
    out, err = running.communicate(timeout=60)  # the gate stays shut
    assert (running.returncode, out, err) == (3, "", "haul: interrupted\n")
    asking.services.clear()


def test_no_credentials_are_exit_code_5_and_say_what_to_do(asking):
    done = asking(env={"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, exit_code=5)
    assert done.stdout == "" and "endpoint s3: " in done.stderr
    assert done.stderr.endswith("or run `aws configure`\n")


@pytest.mark.parametrize("args, word", [
    (("archive",), "archive:// is nothing without a manifest"),
    (("s3://bucket/key",), "no object is asked for"),
    (("s3", "other"), "does not take other"),
    (("s3", "--recursive"), "--recursive"),
    (("--manifest", "job.yaml", "--fips"), "the endpoint is what that says"),
    (("--fips",), "fips: it chooses among AWS's hosts"),
    (("--dualstack",), "dualstack: it chooses among AWS's hosts"),
    (("--accelerate",), "accelerate: it chooses among AWS's hosts"),
    (("--client-key", "key.pem"), "client_key: there is no client_cert"),
    (("--endpoint", "https://me:hidden@127.0.0.1:1"), "--endpoint: a url has no user"),
])
def test_bad_usage_is_exit_code_2(asking, args, word):
    done = asking(*args, exit_code=2)
    assert word in done.stderr and "hidden" not in done.stderr and done.stdout == ""
    assert asking.services.count("") == 0
