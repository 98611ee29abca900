"""The services of tests/services/ do what the real ones do, as botocore's own providers and
clients see it, and go wrong as a script says."""

import concurrent.futures
import datetime
import http.client
import json
import socket
import time
import urllib.parse

import boto3
import botocore.client
import botocore.exceptions
import botocore.utils
import pytest

ROLE = "arn:aws:iam::123456789012:role/team/reader"
KEY = ("AKIDEXAMPLE", "a/secret+key")


class Raw:
    """One kept connection."""

    def __init__(self, services):
        self.connection = http.client.HTTPConnection(
            urllib.parse.urlsplit(services.url).netloc, timeout=60)

    def __call__(self, method, path, headers=None, body=None):
        self.connection.request(method, path, body, headers or {})
        reply = self.connection.getresponse()
        return reply.status, reply.headers, reply.read()


@pytest.fixture
def ask(services):
    raw = Raw(services)
    yield raw
    raw.connection.close()


def client(services, name, keys=KEY, **config):
    unsigned = {} if keys else {"signature_version": botocore.UNSIGNED}
    keys = keys or (None, None)
    return boto3.client(
        name, endpoint_url=services.url, region_name="us-east-1", aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1], aws_session_token=(*keys, None)[2],
        config=botocore.client.Config(
            retries={"total_max_attempts": 1}, proxies={}, **unsigned, **config))


def refused(call, **parameters):
    """(status, code) of what a client's call raises."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**parameters)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def assume(sts, **more):
    asked = {"RoleArn": ROLE, "RoleSessionName": "tests"} | more
    return sts.assume_role(**asked)["Credentials"]


def keys_of(credentials):
    return tuple(credentials[n] for n in ("AccessKeyId", "SecretAccessKey", "SessionToken"))


@pytest.fixture
def sts(services):
    services.set("key " + " ".join(KEY))
    return client(services, "sts")


# ---- Instance metadata ----

def imds(services):
    return botocore.utils.InstanceMetadataFetcher(
        timeout=60, env={}, config={"ec2_metadata_service_endpoint": services.url}
    ).retrieve_iam_role_credentials()


def metadata_token(ask, ttl="60"):
    return ask("PUT", "/latest/api/token", {"x-aws-ec2-metadata-token-ttl-seconds": ttl})


def role_status(ask, token):
    return ask("GET", "/latest/meta-data/iam/security-credentials/",
               {"x-aws-ec2-metadata-token": token})[0]


def test_an_instance_gives_its_roles_keys_as_botocore_wants_them(services):
    got = imds(services)
    key = services.key(got["access_key"])
    assert (got["role_name"], got["secret_key"], got["token"]) == (
        "job-role", key["secret"], key["token"])
    assert [e["op"] for e in services.log()] == [
        "GetMetadataToken", "GetInstanceRole", "GetInstanceKeys"]


def test_an_instance_never_answers_without_a_token(services, ask):
    for token in ({}, {"x-aws-ec2-metadata-token": "made-up"}):
        for path in ("", "meta-data/iam/security-credentials/",
                     "meta-data/iam/security-credentials/job-role", "meta-data/nothing"):
            assert ask("GET", f"/latest/{path}", token)[0] == 401


@pytest.mark.parametrize("ttl", ["", "0", "21601", "-1", "soon", "1.5"])
def test_a_metadata_token_lives_between_a_second_and_six_hours(ask, ttl):
    assert metadata_token(ask, ttl)[0] == 400


def test_a_metadata_token_ends_with_its_time_or_when_told(services, ask):
    status, headers, token = metadata_token(ask)
    assert (status, headers["x-aws-ec2-metadata-token-ttl-seconds"]) == (200, "60")
    assert role_status(ask, token) == 200
    services.set("clock.skew-s 61")
    assert role_status(ask, token) == 401
    token = metadata_token(ask)[2]
    assert role_status(ask, token) == 200
    services.expire("metadata-tokens")
    assert role_status(ask, token) == 401


def test_a_metadata_token_is_not_for_proxies(ask):
    assert ask("PUT", "/latest/api/token", {"x-aws-ec2-metadata-token-ttl-seconds": "60",
                                            "X-Forwarded-For": "10.0.0.1"})[0] == 403


def test_an_instance_without_a_role_has_none(services, ask):
    services.set("imds.role -")
    assert role_status(ask, metadata_token(ask)[2]) == 404
    assert imds(services) == {}


def test_a_role_that_is_not_trusted_is_a_200_without_keys(services):
    services.set("imds.code AssumeRoleUnauthorizedAccess")
    assert imds(services) == {}


def test_an_instance_gives_the_same_keys_until_they_expire_or_are_rotated(services):
    first = imds(services)["access_key"]
    assert imds(services)["access_key"] == first
    services.rotate("imds")
    second = imds(services)["access_key"]
    services.set("clock.skew-s 21601")
    third = imds(services)["access_key"]
    assert len({first, second, third}) == 3


# ---- Containers ----

def container(services, path="/v2/credentials/id", authorization=None):
    headers = {"Authorization": authorization} if authorization else None
    fetcher = botocore.utils.ContainerMetadataFetcher(sleep=lambda _: None)
    return fetcher.retrieve_full_uri(services.url + path, headers)


@pytest.mark.parametrize("path", ["/v2/credentials/id?id=1", "/v1/credentials"])
def test_a_container_gets_its_tasks_keys(services, path):
    got = container(services, path)
    key = services.key(got["AccessKeyId"])
    assert (got["SecretAccessKey"], got["Token"]) == (key["secret"], key["token"])
    assert "Expiration" in got and got["RoleArn"].endswith("role/task-role")


def test_a_container_service_wants_the_token_of_the_day(services, ask):
    services.set("container.authorization Basic abc==")
    assert container(services, authorization="Basic abc==")
    services.set("container.authorization Basic def==")
    assert ask("GET", "/v2/credentials/id", {"Authorization": "Basic abc=="})[0] == 401
    assert ask("GET", "/v2/credentials/id")[0] == 401
    with pytest.raises(botocore.exceptions.MetadataRetrievalError):
        container(services, authorization="Basic abc==")


def test_a_container_service_knows_its_tasks(services, ask):
    services.set("container.id one")
    assert ask("GET", "/v2/credentials/one")[0] == 200
    assert ask("GET", "/v2/credentials/two")[0] == 400


# ---- STS ----

def test_roles_are_assumed_with_keys_that_sts_knows_and_fresh_ones_given(services, sts):
    first, second = assume(sts), assume(sts)
    assert len({*keys_of(first), *keys_of(second)}) == 6
    left = first["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(minutes=50) < left <= datetime.timedelta(hours=1)


def test_a_role_leads_to_the_next_until_its_keys_expire(services, sts):
    keys = keys_of(assume(sts))
    middle = client(services, "sts", keys)
    arn = middle.get_caller_identity()["Arn"]
    assert arn == "arn:aws:sts::123456789012:assumed-role/reader/tests"
    assume(client(services, "sts", keys_of(assume(middle))))
    assert refused(assume, sts=middle, DurationSeconds=7200) == (400, "ValidationError")
    services.expire(keys[0])
    assert refused(assume, sts=middle) == (403, "ExpiredToken")


@pytest.mark.parametrize("keys, code", [
    (("AKIDUNKNOWN", "x"), "InvalidClientTokenId"),
    ((KEY[0], "wrong"), "SignatureDoesNotMatch"),
    ((*KEY, "token"), "InvalidClientTokenId"),
    (None, "MissingAuthenticationToken"),
])
def test_sts_checks_who_asks(services, sts, keys, code):
    assert refused(client(services, "sts", keys).get_caller_identity) == (403, code)


def test_sts_checks_when_it_was_asked(services, sts):
    services.set("clock.skew-s 1000")
    assert refused(sts.get_caller_identity) == (403, "SignatureDoesNotMatch")


def test_sts_checks_for_which_region_it_was_asked(services, sts):
    services.set("sts.region eu-central-1")
    assert refused(sts.get_caller_identity) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("line, more, fits", [
    ("external-id=x-1", {"ExternalId": "x-1"}, True),
    ("external-id=x-1", {"ExternalId": "x-2"}, False),
    ("external-id=x-1", {}, False),
    ("trust=user/AKIDEXAMPLE", {}, True),
    ("trust=user/OTHER", {}, False),
    ("deny", {}, False),
])
def test_a_role_says_who_may_assume_it(services, sts, line, more, fits):
    services.set(f"role {ROLE} {line}")
    if fits:
        assume(sts, **more)
    else:
        assert refused(assume, sts=sts, **more) == (403, "AccessDenied")


@pytest.mark.parametrize("more, fits", [
    ({"DurationSeconds": 900}, True),
    ({"DurationSeconds": 7200}, True),
    ({"DurationSeconds": 7201}, False),
    ({"RoleArn": "arn:aws:iam::12:role/reader"}, False),
    ({"RoleArn": "arn:aws-cn:iam::123456789012:role/reader"}, True),
    ({"RoleSessionName": "a b"}, False),
])
def test_sts_checks_what_is_asked(services, sts, more, fits):
    services.set(f"role {ROLE} max-s=7200")
    if fits:
        assume(sts, **more)
    else:
        assert refused(assume, sts=sts, **more) == (400, "ValidationError")


def test_sts_limits_durations_to_those_of_its_interface(ask):
    for seconds in ("899", "43201", "soon", ""):
        status, _, body = ask(
            "POST", "/", {"Content-Type": "application/x-www-form-urlencoded"},
            urllib.parse.urlencode({
                "Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15",
                "RoleArn": ROLE, "RoleSessionName": "tests", "DurationSeconds": seconds}))
        assert status == 400 and b"<Code>ValidationError</Code>" in body


def test_a_role_can_be_made_to_give_the_same_keys(services, sts):
    services.set("sts.fixed yes")
    assert keys_of(assume(sts)) == keys_of(assume(sts))


def test_a_web_identity_is_one_that_sts_knows(services):
    services.set("identity good.token\nidentity-expired old.token")
    sts = client(services, "sts", None)

    def assume_as(token):
        return sts.assume_role_with_web_identity(
            RoleArn=ROLE, RoleSessionName="tests", WebIdentityToken=token)

    keys = keys_of(assume_as("good.token")["Credentials"])
    assert client(services, "sts", keys).get_caller_identity()["Arn"].endswith("/reader/tests")
    assert refused(assume_as, token="other.token") == (400, "InvalidIdentityToken")
    assert refused(assume_as, token="old.token") == (400, "ExpiredTokenException")


# ---- SSO ----

def portal(services, token="sso-access-token", account="123456789012", role="Reader"):
    return client(services, "sso").get_role_credentials(
        roleName=role, accountId=account, accessToken=token)["roleCredentials"]


def test_the_portal_gives_the_keys_of_a_role(services):
    got = portal(services)
    key = services.key(got["accessKeyId"])
    assert (got["secretAccessKey"], got["sessionToken"]) == (key["secret"], key["token"])
    assert got["expiration"] == int(key["expires"] * 1000)


def test_the_portal_refuses_strangers(services):
    services.set("sso.account 123456789012\nsso.role Reader")
    assert refused(portal, services=services, token="other") == (401, "UnauthorizedException")
    for other in ({"account": "210987654321"}, {"role": "Writer"}):
        assert refused(portal, services=services, **other) == (403, "ForbiddenException")


def test_a_refresh_token_gives_a_token_once(services):
    def create(refresh="sso-refresh-token", **more):
        return client(services, "sso-oidc").create_token(**{
            "clientId": "id", "clientSecret": "secret", "grantType": "refresh_token",
            "refreshToken": refresh} | more)

    assert refused(create, grantType="authorization_code") == (
        400, "UnsupportedGrantTypeException")
    got = create()
    assert portal(services, got["accessToken"])
    assert refused(portal, services=services) == (401, "UnauthorizedException")
    assert refused(create) == (400, "InvalidGrantException")
    services.set("oidc.expired yes")
    assert refused(create, refresh=got["refreshToken"]) == (400, "ExpiredTokenException")
    services.set("oidc.client-secret other")
    assert refused(create) == (401, "InvalidClientException")


# ---- S3 ----

def test_s3_takes_the_keys_that_were_given_as_long_as_they_live(services):
    got = imds(services)
    keys = got["access_key"], got["secret_key"], got["token"]
    s3 = client(services, "s3", keys, signature_version="s3v4")
    s3.list_buckets()
    s3.put_object(Bucket="bucket", Key="a b+c", Body=b"text")
    url = s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "a b+c"})
    assert Raw(services)("GET", url.removeprefix(services.url))[2] == b"text"
    services.expire(keys[0])
    assert refused(s3.list_buckets) == (400, "ExpiredToken")
    assert refused(client(services, "s3", ("AKID", "x")).list_buckets) == (
        403, "InvalidAccessKeyId")
    assert refused(client(services, "s3", None).list_buckets) == (403, "AccessDenied")


# ---- Scripts ----

def keys_raw(ask):
    return ask("GET", "/v2/credentials/id")


@pytest.mark.parametrize("when, struck", [
    ("nth=2", [0, 1, 0, 0]), ("every=2", [0, 1, 0, 1]), ("always", [1, 1, 1, 1]),
    ("always count=2", [1, 1, 0, 0]), ("every=2 count=1", [0, 1, 0, 0]),
])
def test_a_fault_strikes_when_its_line_says(services, ask, when, struck):
    services.fault(f"GetContainerKeys {when} status=500")
    assert [keys_raw(ask)[0] == 500 for _ in struck] == struck


def test_a_fault_strikes_those_it_names(services, ask):
    services.fault("# nobody else\nimds always status=503\nCreateToken always status=400\n")
    assert metadata_token(ask)[0] == 503
    assert keys_raw(ask)[0] == 200
    services.clear()
    assert metadata_token(ask)[0] == 200


@pytest.mark.parametrize("lines", [
    "imds", "imds always", "imds always nth=1 empty", "imds always typo", "imds nth=0 empty",
    "imds always empty=1", "imds nth=x empty"])
def test_a_fault_that_makes_no_sense_is_refused(services, lines):
    with pytest.raises(ValueError):
        services.fault(lines)


def test_a_setting_that_makes_no_sense_is_refused(services):
    with pytest.raises(ValueError):
        services.set("imds.rolle x")


def test_bodies_go_wrong_as_told(services, ask):
    whole = keys_raw(ask)[2]
    services.fault("container nth=1 malformed\ncontainer nth=2 text=a%20b\n"
                   "container nth=3 empty\ncontainer nth=4 huge\n"
                   "container nth=5 content-type=text/html")
    assert keys_raw(ask)[2] == whole[:len(whole) // 2]
    assert keys_raw(ask)[2] == b"a b"
    assert keys_raw(ask)[2] == b""
    assert len(keys_raw(ask)[2]) == 10 << 20
    status, headers, body = keys_raw(ask)
    assert (status, headers["content-type"], body) == (200, "text/html", whole)


def test_replies_end_early_as_told(services, ask):
    services.fault("container nth=1 truncate=10\ncontainer nth=2 reset")
    with pytest.raises(http.client.IncompleteRead) as caught:
        keys_raw(ask)
    assert len(caught.value.partial) == 10
    ask.connection.close()
    with pytest.raises(ConnectionResetError):
        keys_raw(ask)
    ask.connection.close()
    assert keys_raw(ask)[0] == 200
    assert [e["status"] for e in services.log()] == [200, 0, 200]


def test_replies_are_late_and_slow_as_told(services, ask):
    services.fault("container nth=1 delay-ms=200\ncontainer nth=2 trickle=2000")
    start = time.monotonic()
    assert keys_raw(ask)[0] == 200
    assert time.monotonic() - start >= 0.2
    start = time.monotonic()
    assert json.loads(keys_raw(ask)[2])
    assert time.monotonic() - start >= 0.1


def test_expirations_and_clocks_go_wrong_as_told(services, ask):
    services.fault("container nth=1 expires-s=-60\ncontainer nth=2 without=Expiration,Token\n"
                   "container nth=3 expires=next%20week\ncontainer nth=4 skew-s=86400")
    now = datetime.datetime.utcnow()
    past = json.loads(keys_raw(ask)[2])["Expiration"]
    assert datetime.datetime.strptime(past, "%Y-%m-%dT%H:%M:%SZ") < now
    assert set(json.loads(keys_raw(ask)[2])) == {"RoleArn", "AccessKeyId", "SecretAccessKey"}
    assert json.loads(keys_raw(ask)[2])["Expiration"] == "next week"
    date = keys_raw(ask)[1]["date"]
    assert datetime.datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT") > now


def test_errors_are_written_as_each_service_writes_them(services, sts):
    services.fault("sts always status=400 code=Throttling\nsso always status=429 "
                   "code=TooManyRequestsException\ns3 always status=503 code=SlowDown")
    assert refused(sts.get_caller_identity) == (400, "Throttling")
    assert refused(portal, services=services) == (429, "TooManyRequestsException")
    assert refused(client(services, "s3").list_buckets) == (503, "SlowDown")


def test_requests_hang_at_a_gate_until_it_is_opened(services):
    services.fault("container always gate=here")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        hanging = [pool.submit(lambda: keys_raw(Raw(services))) for _ in range(2)]
        services.wait_at("here", 2)
        assert services.count("GetContainerKeys") == 0
        services.open("here")
        assert [h.result()[0] for h in hanging] == [200, 200]


def test_the_log_holds_each_request_until_it_is_reset(services, ask):
    keys_raw(ask)
    metadata_token(ask, "60")
    assert services.count("imds", 1) == services.count("container", 1) == 1
    entry, = services.log("GetMetadataToken")
    assert (entry["seq"], entry["service"], entry["method"], entry["target"], entry["status"],
            entry["headers"]["x-aws-ec2-metadata-token-ttl-seconds"]) == (
        2, "imds", "PUT", "/latest/api/token", 200, "60")
    services.reset()
    assert services.log() == []


def test_the_services_listen_where_they_are_told_and_end_with_their_input(new_services):
    services = new_services("--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0")
    assert keys_raw(Raw(services))[0] == 200
    services.process.stdin.close()
    assert services.process.wait(timeout=20) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urllib.parse.urlsplit(services.url).port))
