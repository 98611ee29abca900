"""The scripted endpoint's connections, counters and faults: that it goes wrong as it is told."""
import hashlib
import http.client
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from endpoint import ACCESS_KEY, SECRET_KEY, Endpoint
from endpoint_scene import (
    CONTENT, bare, code_in, code_of, complete, complete_document, delete_document, http_call,
    md5_of, signed, start_upload)

# Connections


def test_the_host_may_name_the_bucket(bare):
    for host in "bkt.localhost", "bkt.localhost:1234", "bkt.s3.test":
        assert http_call(bare, "GET", "/obj", headers={"Host": host})[2] == CONTENT
    with Endpoint("--host-suffix", "example.com", keys=None) as endpoint:
        http_call(endpoint, "PUT", "/", headers={"Host": "my.bucket.example.com"})
        assert http_call(endpoint, "HEAD", "/my.bucket")[0] == 200


def test_a_client_that_waits_for_100_gets_it_or_the_refusal(bare):
    def ask(bucket):
        with socket.create_connection(("127.0.0.1", bare.port)) as s:
            s.sendall(b"PUT /%s/k HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                      b"Expect: 100-continue\r\n\r\n" % bucket)
            first = s.recv(1000)
            if b" 100 " in first:
                s.sendall(b"ok")
                first = s.recv(1000)
            return first.split(b"\r\n")[0]
    assert ask(b"bkt") == b"HTTP/1.1 200 OK"
    assert ask(b"none") == b"HTTP/1.1 404 NoSuchBucket"


def test_a_connection_serves_many_requests(bare):
    connection = http.client.HTTPConnection("127.0.0.1", bare.port)
    for method, target, body in [
            ("PUT", "/bkt/k", CONTENT), ("HEAD", "/bkt/k", None), ("GET", "/bkt/none", None),
            ("PUT", "/none/k", CONTENT), ("DELETE", "/bkt/k", None), ("GET", "/bkt?acl", None),
            ("GET", "/bkt/obj", None)]:
        connection.request(method, target, body)
        last = connection.getresponse().read()
    assert last == CONTENT
    assert bare.stats()["connections"] == 1
    assert bare.count("Unknown") == 1


def test_many_connections_are_served_at_once(bare):
    bare.fault("GetObject always gate=all")
    with ThreadPoolExecutor(64) as pool:
        calls = [pool.submit(http_call, bare, "GET", "/bkt/obj") for _ in range(64)]
        bare.wait_at("all", 64)
        bare.open("all")
        assert all(c.result()[2] == CONTENT for c in calls)
    assert bare.stats()["in_flight_max"] == 64


def test_tls_is_spoken(tmp_path):
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-keyout", key, "-out", cert, "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    with Endpoint(tls=(cert, key)) as endpoint:
        client = endpoint.boto()
        client.create_bucket(Bucket="bkt")
        client.put_object(Bucket="bkt", Key="k", Body=CONTENT * 300)
        assert client.get_object(Bucket="bkt", Key="k")["Body"].read() == CONTENT * 300
        assert endpoint.stats()["bytes_out"] == len(CONTENT) * 300


def test_it_ends_cleanly_and_at_once(bare):
    bare.fault("GetObject always gate=never")
    idle = socket.create_connection(("127.0.0.1", bare.port))
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(http_call, bare, "GET", "/bkt/obj")
        bare.wait_at("never")
        assert bare.stop() == 0
        held.exception()
    idle.close()


# Counters


def test_counters_and_log_say_what_happened(bare):
    http_call(bare, "PUT", "/bkt/k", b"12345")
    http_call(bare, "GET", "/bkt/obj", headers={"Range": "bytes=0-9"})
    http_call(bare, "PUT", "/bkt/k?partNumber=3&uploadId=none", b"123")
    stats = bare.stats()
    assert (stats["requests"], stats["connections"]) == (3, 3)
    assert (stats["bytes_in"], stats["bytes_out"]) == (8, 10)
    assert stats["operations"]["PutObject"] == stats["operations"]["UploadPart"] == 1
    fields = "op", "key", "part", "range", "status", "code"
    assert [tuple(e[f] for f in fields) for e in bare.log()] == [
        ("PutObject", "k", None, None, 200, None),
        ("GetObject", "obj", None, "bytes=0-9", 206, None),
        ("UploadPart", "k", 3, None, 404, "NoSuchUpload")]
    bare.reset()
    assert bare.log() == [] and bare.stats()["requests"] == 0
    assert http_call(bare, "GET", "/bkt/k")[2] == b"12345"


def test_the_last_headers_can_be_seen(signed):
    client = signed.boto()
    client.put_object(Bucket="bkt", Key="a b", Body=b"1", ACL="private", RequestPayer="requester")
    url = client.generate_presigned_url("get_object", {"Bucket": "bkt", "Key": "a b"})
    http_call(signed, "GET", url[len(signed.url):], headers={"X-Mine": "1"})
    put, = signed.headers("PutObject")
    get, = signed.headers("GetObject")
    assert (put[":target"], put["x-amz-acl"], put["x-amz-request-payer"]) == (
        "/bkt/a%20b", "private", "requester")
    assert put["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID")
    assert "Signature" not in put["authorization"].replace("SignedHeaders", "")
    assert get["x-mine"] == "1" and "X-Amz-Signature" not in get[":target"]
    assert "X-Amz-Expires=3600" in get[":target"]
    for n in range(300):
        client.head_object(Bucket="bkt", Key="a b")
    assert len(signed.headers()) == len(signed.headers("HeadObject")) == 256
    signed.reset()
    assert signed.headers() == []


def test_a_bucket_has_an_owner(signed):
    client = signed.boto()
    charged = client.put_object(Bucket="bkt", Key="k", Body=b"1", RequestPayer="requester",
                                ExpectedBucketOwner="owner")
    assert charged["RequestCharged"] == "requester"
    assert code_of(client.get_object, Bucket="bkt", Key="k", ExpectedBucketOwner="other") == (
        "AccessDenied", 403)
    assert code_of(client.copy_object, Bucket="bkt", Key="c", CopySource="bkt/k",
                   ExpectedSourceBucketOwner="other") == ("AccessDenied", 403)
    assert code_of(client.put_object, Bucket="bkt", Key="k", ACL="mine") == (
        "InvalidArgument", 400)
    with Endpoint("--owner", "111122223333") as endpoint:
        client = endpoint.boto()
        client.create_bucket(Bucket="bkt")
        client.head_bucket(Bucket="bkt", ExpectedBucketOwner="111122223333")
        assert client.list_buckets()["Owner"]["ID"] == "111122223333"


# Faults


@pytest.mark.parametrize("line, complaint", [
    ("Nonsense always drop-before", 'line 1: "Nonsense" is no operation'),
    ("# fine\n\nPutObject always what", 'line 3: unknown word "what"'),
    ("PutObject drop-before", "line 1: say when: nth=K, every=K, chance=P%, over=N or"),
    ("PutObject always", "line 1: say what happens"),
    ("PutObject always code=X", "line 1: say what happens"),
    ("PutObject nth=0 drop-before", 'line 1: bad value for "nth"'),
    ("PutObject token= always drop-before", 'line 1: bad value for "token"'),
    ("PutObject bucket= always drop-before", 'line 1: bad value for "bucket"'),
    ("PutObject over=0 drop-before", 'line 1: bad value for "over"'),
    ("PutObject chance=1 drop-before", 'line 1: bad value for "chance"'),
    ("PutObject chance=0% drop-before", 'line 1: bad value for "chance"'),
    ("PutObject chance=101% drop-before", 'line 1: bad value for "chance"'),
    ("PutObject always status=abc", 'line 1: bad value for "status"'),
    ("PutObject always drop-before=1", 'line 1: bad value for "drop-before"'),
])
def test_a_line_that_is_not_understood_is_refused(bare, line, complaint):
    with pytest.raises(ValueError) as caught:
        bare.fault(line + "\nGetObject always drop-before")
    assert str(caught.value).startswith(complaint)
    assert http_call(bare, "GET", "/bkt/obj")[0] == 200


def statuses(endpoint, count, target="/bkt/obj", method="GET"):
    return [http_call(endpoint, method, target)[0] for _ in range(count)]


@pytest.mark.parametrize("when, expected", [
    ("nth=2", [200, 503, 200, 200, 200, 200]),
    ("every=2", [200, 503, 200, 503, 200, 503]),
    ("every=2 count=2", [200, 503, 200, 503, 200, 200]),
    ("always", [503] * 6),
    ("always count=1", [503] + [200] * 5),
    ("key=bj always", [503] * 6),
    ("key=o%62j always", [503] * 6),
    ("key=nope always", [200] * 6),
    ("part=2 always", [200] * 6),
    ("bucket=bkt always", [503] * 6),
    ("bucket=bk always", [200] * 6),
    ("chance=100%", [503] * 6),
])
def test_a_line_strikes_when_it_says(bare, when, expected):
    bare.fault(f"GetObject {when} status=503")
    assert statuses(bare, 6) == expected
    bare.clear()
    assert statuses(bare, 1) == [200]


def test_a_chance_is_drawn_alike_for_one_seed_and_comes_out_as_it_says(bare):
    connection = http.client.HTTPConnection("127.0.0.1", bare.port)
    drawn = []
    for seed in 1, 1, 2:
        bare.clear()
        bare.fault(f"HeadObject chance=10% seed={seed} status=500")
        struck = []
        for _ in range(2000):
            connection.request("HEAD", "/bkt/obj")
            reply = connection.getresponse()
            reply.read()
            struck.append(reply.status == 500)
        drawn.append(struck)
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(150 < sum(struck) < 250 for struck in drawn)
    assert bare.stats()["struck"] == sum(map(sum, drawn))


def test_what_is_over_a_rate_is_struck_whatever_is_asked(bare):
    """However fast or slow this test is: so many come in less than twenty seconds."""
    bare.fault("HeadObject bucket=bkt over=20 status=503 code=SlowDown")
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: http_call(bare, "HEAD", "/bkt/obj"), range(400)))
    seconds = time.monotonic() - began
    log = bare.log("HeadObject")
    served = sum(entry["status"] == 200 for entry in log)
    assert 3 <= served <= 3 + 20 * seconds
    assert served < 400 and bare.stats()["struck"] == 400 - served
    assert {entry["code"] for entry in log if entry["status"] == 503} == {"SlowDown"}
    assert all(1 <= entry["in_flight"] <= 8 for entry in log)


def test_a_reset_tells_what_was(bare):
    http_call(bare, "HEAD", "/bkt/obj")
    stats = bare.stats()
    assert bare.reset() == stats and stats["requests"] == 1
    assert bare.stats()["requests"] == 0 and bare.log() == []


def test_a_line_may_pick_a_part(bare):
    client = bare.boto()
    bare.fault("UploadPart part=2 always status=500")
    upload_id, _ = start_upload(client, parts=(b"1",))
    assert code_of(client.upload_part, Bucket="bkt", Key="big", UploadId=upload_id,
                   PartNumber=2) == ("InternalError", 500)


def test_a_line_may_pick_a_range(bare):
    bare.fault("GetObject range=10 nth=1 status=503\nGetObject range=0 always status=500")
    asked = ["bytes=1-9", "bytes=10-19", "bytes=10-19", "bytes=-10", "bytes=0-", None]
    assert [http_call(bare, "GET", "/bkt/obj", headers={"Range": r} if r else {})[0]
            for r in asked] == [206, 503, 206, 206, 500, 200]


def test_a_line_may_pick_a_session_token(bare):
    bare.fault("GetObject token=old always status=400 code=ExpiredToken")
    assert [http_call(bare, "GET", "/bkt/obj", headers={"x-amz-security-token": t} if t else {})[0]
            for t in ["old", "older", None]] == [400, 200, 200]


def test_status_replies_instead_of_doing_it(bare):
    bare.fault("PutObject always status=503 code=SlowDown retry-after=7")
    status, headers, body = http_call(bare, "PUT", "/bkt/new", b"1")
    assert (status, headers["Retry-After"]) == (503, "7") and b"<Code>SlowDown</Code>" in body
    assert http_call(bare, "HEAD", "/bkt/new")[0] == 404
    assert bare.log("PutObject")[0]["fault"].startswith("PutObject always status=503")


def test_a_status_may_come_as_html(bare):
    bare.fault("* always status=502 html header=x-amz-bucket-region:eu-west-1")
    status, headers, body = http_call(bare, "GET", "/bkt/obj")
    assert (status, headers["Content-Type"], headers["x-amz-bucket-region"]) == (
        502, "text/html", "eu-west-1")
    assert body.startswith(b"<html>")


def test_status_may_come_before_the_body_is_read(bare):
    bare.fault("PutObject always status=503 early")
    with socket.create_connection(("127.0.0.1", bare.port)) as s:
        s.sendall(b"PUT /bkt/k HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n1")
        got = b""
        while b"</Error>" not in got:
            got += s.recv(4096)
        assert got.startswith(b"HTTP/1.1 503")
        s.sendall(b"23HEAD /bkt/obj HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("action, status", [
    ("status-after=500 code=InternalError", 500), ("error-200-after=InternalError", 200),
    ("empty-200-after", 200), ("drop-after", 0)])
def test_what_comes_after_does_it_first(bare, action, status):
    bare.fault(f"PutObject always {action}")
    try:
        got = http_call(bare, "PUT", "/bkt/new", b"1")
    except http.client.RemoteDisconnected:
        got = (0, {}, b"")
    assert got[0] == status and "ETag" not in got[1]
    assert http_call(bare, "GET", "/bkt/new")[2] == b"1"
    assert bare.log("PutObject")[0]["status"] == status


def test_drop_before_closes_without_doing_it(bare):
    bare.fault("PutObject always drop-before")
    with pytest.raises(http.client.RemoteDisconnected):
        http_call(bare, "PUT", "/bkt/new", b"1")
    assert http_call(bare, "HEAD", "/bkt/new")[0] == 404
    assert bare.log("PutObject")[0]["status"] == 0


def test_reset_mid_body_strikes_what_is_sent(bare):
    bare.fault("PutObject always reset-mid-body=1000")
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        http_call(bare, "PUT", "/bkt/new", CONTENT * 1000)
    assert bare.stats()["bytes_in"] == 1000
    assert http_call(bare, "HEAD", "/bkt/new")[0] == 404


def test_reset_mid_body_strikes_what_is_received(bare):
    bare.fault("GetObject always reset-mid-body=1000")
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        http_call(bare, "GET", "/bkt/obj")


def test_truncate_sends_less_than_promised(bare):
    bare.fault("GetObject always truncate=1000")
    with pytest.raises(http.client.IncompleteRead) as caught:
        http_call(bare, "GET", "/bkt/obj")
    assert caught.value.partial == CONTENT[:1000]
    assert bare.stats()["bytes_out"] == 1000


def test_delay_and_trickle_take_their_time(bare):
    bare.fault("HeadObject always delay-ms=200\n"
               "GetObject always trickle=50000\nPutObject always trickle=50000")
    for method, body in ("HEAD", None), ("GET", None), ("PUT", CONTENT):
        start = time.monotonic()
        assert http_call(bare, method, "/bkt/obj", body)[0] == 200
        assert time.monotonic() - start >= 0.15


@pytest.mark.parametrize("action, code", [
    ("error-200=InternalError", "InternalError"), ("empty-200", None)])
def test_a_200_may_be_no_success(bare, action, code):
    client = bare.boto()
    upload_id, parts = start_upload(client)
    bare.fault(f"CompleteMultipartUpload always {action}")
    body = complete_document([(p["PartNumber"], p["ETag"], "") for p in parts])
    status, _, got = http_call(bare, "POST", f"/bkt/big?uploadId={upload_id}", body)
    assert status == 200
    assert (f"<Error><Code>{code}</Code>".encode() in got) if code else got == b""
    assert len(client.list_parts(Bucket="bkt", Key="big", UploadId=upload_id)["Parts"]) == 3
    bare.clear()
    assert b"<ETag>" in http_call(bare, "POST", f"/bkt/big?uploadId={upload_id}", body)[2]


def test_etags_may_be_missing_or_wrong(bare):
    bare.fault('PutObject always no-etag\nGetObject always etag="x"\n'
               'HeadObject always etag=W/"w"')
    assert "ETag" not in http_call(bare, "PUT", "/bkt/k", b"1")[1]
    assert http_call(bare, "GET", "/bkt/k")[1]["ETag"] == '"x"'
    assert http_call(bare, "HEAD", "/bkt/k")[1]["ETag"] == 'W/"w"'
    client = bare.boto()
    upload_id, parts = start_upload(client)
    bare.fault("CompleteMultipartUpload always no-etag")
    assert "ETag" not in complete(client, upload_id, parts)


@pytest.mark.parametrize("action, status, code", [
    ("duplicate", 404, "NoSuchUpload"), ("duplicate-after", 200, None)])
def test_a_request_may_arrive_twice(bare, action, status, code):
    client = bare.boto()
    bare.fault(f"* always {action}")
    upload_id, parts = start_upload(client)
    assert len(client.list_multipart_uploads(Bucket="bkt")["Uploads"]) == 2
    body = complete_document([(p["PartNumber"], p["ETag"], "") for p in parts])
    reply = http_call(bare, "POST", f"/bkt/big?uploadId={upload_id}", body)
    assert code_in(reply) == (status, code)
    assert http_call(bare, "GET", "/bkt/big")[2] == b"onetwothree"
    assert http_call(bare, "PUT", "/bkt/k", CONTENT)[0] == 200
    bare.settle()
    assert [e["received"] for e in bare.log("PutObject")] == [len(CONTENT)] * 2
    assert sorted(e["status"] for e in bare.log("CompleteMultipartUpload")) == [0, status]
    assert http_call(bare, "GET", "/bkt/k")[2] == CONTENT


def test_an_upload_may_be_without_id(bare):
    bare.fault("CreateMultipartUpload always no-upload-id")
    status, _, body = http_call(bare, "POST", "/bkt/k?uploads=")
    assert status == 200 and b"UploadId" not in body and b"<Key>k</Key>" in body


def test_ranges_may_be_answered_wrongly(bare):
    asked = {"Range": "bytes=0-9"}
    bare.fault("GetObject nth=1 content-range=bytes 0-4/9\nGetObject nth=2 ignore-range\n"
               "GetObject nth=3 extra-bytes=5")
    status, headers, body = http_call(bare, "GET", "/bkt/obj", headers=asked)
    assert (status, headers["Content-Range"], body) == (206, "bytes 0-4/9", CONTENT[:10])
    status, headers, body = http_call(bare, "GET", "/bkt/obj", headers=asked)
    assert (status, headers["Content-Range"], body) == (200, None, CONTENT)
    status, headers, body = http_call(bare, "GET", "/bkt/obj", headers=asked)
    assert (status, headers["Content-Range"]) == (206, "bytes 0-9/10000")
    assert body == CONTENT[:10] + b"xxxxx"


def test_an_object_may_be_replaced(bare):
    first = http_call(bare, "HEAD", "/bkt/obj")[1]["ETag"]
    bare.fault("GetObject nth=2 replace-object")
    asked = {"Range": "bytes=0-9", "If-Match": first}
    answers = [http_call(bare, "GET", "/bkt/obj", headers=asked)[0] for _ in range(3)]
    assert answers == [206, 412, 412]
    status, headers, body = http_call(bare, "GET", "/bkt/obj")
    assert len(body) == len(CONTENT) and body != CONTENT
    assert headers["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'


def test_a_gate_holds_until_it_is_opened(bare):
    bare.fault("PutObject nth=1 gate=door\nPutObject nth=2 gate-after=exit")
    with ThreadPoolExecutor(2) as pool:
        for gate, before in ("door", 404), ("exit", 200):
            held = pool.submit(http_call, bare, "PUT", f"/bkt/{gate}", b"1")
            bare.wait_at(gate)
            assert http_call(bare, "HEAD", f"/bkt/{gate}")[0] == before
            assert not held.done()
            bare.open(gate)
            assert held.result()[0] == 200


def test_an_open_gate_stays_open_until_a_line_names_it_again(bare):
    bare.fault("GetObject always gate=door")
    bare.open("door")
    assert http_call(bare, "GET", "/bkt/obj")[0] == 200
    bare.clear()
    bare.fault("GetObject always gate=door")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(http_call, bare, "GET", "/bkt/obj")
        bare.wait_at("door")
        bare.clear()
        assert held.result()[0] == 200


def test_the_clock_in_the_reply_may_be_wrong(bare):
    from email.utils import parsedate_to_datetime
    right = parsedate_to_datetime(http_call(bare, "HEAD", "/bkt/obj")[1]["Date"])
    bare.fault("HeadObject always skew-s=-86400")
    wrong = parsedate_to_datetime(http_call(bare, "HEAD", "/bkt/obj")[1]["Date"])
    assert 86000 < (right - wrong).total_seconds() < 86500


DELETION = delete_document(["obj"])
NEWER = {  # operation: method, target, body, headers, what its document holds
    "CopyObject": ("PUT", "/bkt/copy", None, {"x-amz-copy-source": "bkt/obj"}, b"<ETag>"),
    "DeleteObjects": ("POST", "/bkt?delete", DELETION, md5_of(DELETION), b"<Deleted>"),
    "GetObjectTagging": ("GET", "/bkt/obj?tagging", None, {}, b"<TagSet>"),
    "PutObjectTagging": (
        "PUT", "/bkt/obj?tagging", b"<Tagging><TagSet/></Tagging>", {}, b""),
    "ListObjectVersions": ("GET", "/bkt?versions", None, {}, b"<Version>"),
    "ListMultipartUploads": ("GET", "/bkt?uploads&delimiter=/", None, {}, b"<IsTruncated>"),
    "GetBucketVersioning": ("GET", "/bkt?versioning", None, {}, b"<Versioning"),
    "ListBuckets": ("GET", "/", None, {}, b"<Bucket>"),
}


@pytest.mark.parametrize("operation", NEWER)
def test_every_document_may_go_wrong(bare, operation):
    *call, inside = NEWER[operation]
    bare.fault(f"{operation} nth=1 error-200=InternalError\n{operation} nth=2 empty-200\n"
               f"{operation} nth=3 status=503 code=SlowDown\n{operation} nth=4 drop-after\n"
               f"{operation} nth=5 extra-bytes=3")
    assert code_in(http_call(bare, *call)) == (200, "InternalError")
    assert http_call(bare, *call)[::2] == (200, b"")
    assert http_call(bare, "HEAD", "/bkt/obj")[0] == 200
    assert code_in(http_call(bare, *call)) == (503, "SlowDown")
    with pytest.raises(http.client.RemoteDisconnected):
        http_call(bare, *call)
    done = {"CopyObject": ("/bkt/copy", 200), "DeleteObjects": ("/bkt/obj", 404)}
    target, status = done.get(operation, ("/bkt/obj", 200))
    assert http_call(bare, "HEAD", target)[0] == status
    status, _, body = http_call(bare, *call)
    assert status == 200 and inside in body and body.endswith(b">xxx" if inside else b"")
    whole = http_call(bare, *call)[2]
    if inside:
        bare.fault(f"{operation} always truncate=60")
        with pytest.raises(http.client.IncompleteRead) as caught:
            http_call(bare, *call)
        assert len(caught.value.partial) == 60 < len(whole)


def test_curl_signs_as_we_check(signed):
    def curl(*args, secret=SECRET_KEY, body=b""):
        done = subprocess.run(
            ["curl", "-sS", "--noproxy", "*", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user",
             f"{ACCESS_KEY}:{secret}", *args, f"{signed.url}/bkt/k", "-H",
             f"x-amz-content-sha256: {hashlib.sha256(body).hexdigest()}"],
            capture_output=True, check=True, timeout=30)
        return done.stdout

    assert curl("-X", "PUT", "--data-binary", "body", body=b"body") == b""
    assert curl() == b"body"
    assert b"SignatureDoesNotMatch" in curl(secret="wrong")


def test_an_error_names_request_and_host(bare):
    _, headers, body = http_call(bare, "GET", "/bkt/none")
    assert f"<RequestId>{headers['x-amz-request-id']}</RequestId>".encode() in body
    assert f"<HostId>{headers['x-amz-id-2']}</HostId>".encode() in body
