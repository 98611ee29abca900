"""The scripted endpoint itself, with boto3 and bare HTTP as the second opinion."""
import base64
import hashlib
import hmac
import http.client
import signal
import socket
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "endpoint"))
from endpoint import ACCESS_KEY, SECRET_KEY, Endpoint  # noqa: E402

HARD_KEYS = [
    "a", "a/", "a/b", "A", "a b", "a+b", "a%2Fb", "a%b", "?q=1&r#f", "x//y", "tail/",
    "../../etc/passwd", "..", ".", "/absolute", "-/stats", "~*()!'\";:@=,$", "<&>\"'",
    "\u00fc/\u20ac/\U0001f600", "\x01\x1f\r\n\t", "k" * 1024,
]


@pytest.fixture
def signed():
    """An endpoint with keys and a bucket."""
    with Endpoint("--min-part", "1") as endpoint:
        endpoint.boto().create_bucket(Bucket="bkt")
        endpoint.reset()
        yield endpoint


@pytest.fixture
def bare():
    """An endpoint without keys, and a bucket with the object `obj` of 10,000 bytes."""
    with Endpoint("--min-part", "1", keys=None) as endpoint:
        http_call(endpoint, "PUT", "/bkt")
        http_call(endpoint, "PUT", "/bkt/obj", CONTENT)
        endpoint.reset()
        yield endpoint


CONTENT = bytes(range(250)) * 40


def http_call(endpoint, method, target, body=None, headers=None):
    """One bare request on a fresh connection: (status, headers, body)."""
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=30)
    try:
        connection.request(method, target, body, headers or {})
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        connection.close()


def dashed(headers):
    """Keyword arguments as headers: x_amz_acl is x-amz-acl."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def complete_document(parts):
    """parts: (number, ETag, further elements)"""
    inside = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag>{more}</Part>"
                     for n, etag, more in parts)
    return f"<CompleteMultipartUpload>{inside}</CompleteMultipartUpload>"


def code_of(call, *args, **kwargs):
    """The error code and status that S3's client reports for a call."""
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def start_upload(client, key="big", parts=(b"one", b"two", b"three"), **kwargs):
    upload_id = client.create_multipart_upload(Bucket="bkt", Key=key, **kwargs)["UploadId"]
    done = [{"PartNumber": n, "ETag": client.upload_part(
        Bucket="bkt", Key=key, UploadId=upload_id, PartNumber=n, Body=body)["ETag"]}
        for n, body in enumerate(parts, 1)]
    return upload_id, done


def complete(client, upload_id, parts, key="big"):
    return client.complete_multipart_upload(
        Bucket="bkt", Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts})


# Operations


def test_buckets_come_and_go(signed):
    client = signed.boto()
    client.create_bucket(Bucket="another.one")
    assert [b["Name"] for b in client.list_buckets()["Buckets"]] == ["another.one", "bkt"]
    client.head_bucket(Bucket="another.one")
    assert client.get_bucket_location(Bucket="another.one")["LocationConstraint"] is None
    assert code_of(client.create_bucket, Bucket="bkt") == ("BucketAlreadyOwnedByYou", 409)
    client.put_object(Bucket="another.one", Key="k", Body=b"")
    assert code_of(client.delete_bucket, Bucket="another.one") == ("BucketNotEmpty", 409)
    client.delete_object(Bucket="another.one", Key="k")
    client.delete_bucket(Bucket="another.one")
    assert code_of(client.delete_bucket, Bucket="another.one") == ("NoSuchBucket", 404)
    assert code_of(client.head_bucket, Bucket="another.one") == ("404", 404)


def test_a_bucket_may_live_elsewhere(signed):
    client = signed.boto()
    there = {"LocationConstraint": "eu-west-1"}
    client.create_bucket(Bucket="far", CreateBucketConfiguration=there)
    assert code_of(client.create_bucket, Bucket="far", CreateBucketConfiguration=there) == (
        "BucketAlreadyOwnedByYou", 409)
    signed.restart()
    for region, status in ("us-east-1", 301), ("eu-west-3", 400), ("eu-west-1", 200):
        signed.region = region
        for method in "HEAD", "GET":
            target = "/far" if method == "HEAD" else "/far?list-type=2"
            got = http_call(signed, method, target,
                            headers=signed_headers(signed, method, target))
            tells = status != 200 or method == "HEAD"
            assert (got[0], got[1]["x-amz-bucket-region"]) == (
                status, "eu-west-1" if tells else None)
            assert (b"<Error>" in got[2]) == (status != 200 and method == "GET")
    client = signed.boto()
    client.put_object(Bucket="far", Key="k", Body=b"1")
    assert client.get_bucket_location(Bucket="far")["LocationConstraint"] == "eu-west-1"
    assert http_call(signed, "HEAD", "/bkt", headers=signed_headers(
        signed, "HEAD", "/bkt"))[0] == 400
    signed.region = "us-east-1"
    for wrong in "us-east-1", "x" * 64:
        assert code_of(signed.boto().create_bucket, Bucket="new",
                       CreateBucketConfiguration={"LocationConstraint": wrong}) == (
            "InvalidLocationConstraint", 400)
    status, _, body = http_call(signed, "PUT", "/new", b"<Other/>",
                                signed_headers(signed, "PUT", "/new", b"<Other/>"))
    assert status == 400 and b"MalformedXML" in body


def test_a_regional_endpoint_takes_only_its_own_buckets():
    with Endpoint(region="eu-west-1") as endpoint:
        client = endpoint.boto()
        for location, code in ("eu-west-1", None), ("eu-west-3", "IllegalLocation"):
            config = {"LocationConstraint": location}
            if code:
                assert code_of(client.create_bucket, Bucket="new",
                               CreateBucketConfiguration=config)[0].startswith(code)
            else:
                client.create_bucket(Bucket="bkt", CreateBucketConfiguration=config)
        assert code_of(client.create_bucket, Bucket="new")[0].startswith("IllegalLocation")
        head = client.head_bucket(Bucket="bkt")["ResponseMetadata"]["HTTPHeaders"]
        assert head["x-amz-bucket-region"] == "eu-west-1"


def test_an_object_comes_back_with_its_headers(signed):
    client = signed.boto()
    metadata = {"haul": "token", "b": "two words"}
    put = client.put_object(Bucket="bkt", Key="k", Body=CONTENT, ContentType="text/x",
                            CacheControl="no-store", Metadata=metadata)
    assert put["ETag"] == f'"{hashlib.md5(CONTENT).hexdigest()}"'
    for call in client.get_object, client.head_object:
        reply = call(Bucket="bkt", Key="k")
        assert reply["ETag"] == put["ETag"]
        assert reply["ContentLength"] == len(CONTENT)
        assert reply["ContentType"] == "text/x"
        assert reply["CacheControl"] == "no-store"
        assert reply["Metadata"] == metadata
        assert {"x-amz-request-id", "date", "last-modified"} <= set(
            reply["ResponseMetadata"]["HTTPHeaders"])
    assert client.get_object(Bucket="bkt", Key="k")["Body"].read() == CONTENT
    client.delete_object(Bucket="bkt", Key="k")
    client.delete_object(Bucket="bkt", Key="k")
    assert code_of(client.get_object, Bucket="bkt", Key="k") == ("NoSuchKey", 404)
    assert code_of(client.head_object, Bucket="bkt", Key="k") == ("404", 404)


@pytest.mark.parametrize("asked, content_range, body", [
    ("bytes=0-4", "bytes 0-4/10000", CONTENT[:5]),
    ("bytes=9999-20000", "bytes 9999-9999/10000", CONTENT[9999:]),
    ("bytes=9000-", "bytes 9000-9999/10000", CONTENT[9000:]),
    ("bytes=-3", "bytes 9997-9999/10000", CONTENT[-3:]),
    ("bytes=-20000", "bytes 0-9999/10000", CONTENT),
])
def test_a_range_is_served(bare, asked, content_range, body):
    status, headers, got = http_call(bare, "GET", "/bkt/obj", headers={"Range": asked})
    assert (status, headers["Content-Range"], got) == (206, content_range, body)


def test_a_range_outside_is_refused_and_nonsense_is_ignored(bare):
    outside = {"Range": "bytes=10000-"}
    status, headers, body = http_call(bare, "GET", "/bkt/obj", headers=outside)
    assert (status, headers["Content-Range"]) == (416, "bytes */10000")
    assert b"<Code>InvalidRange</Code>" in body
    for nonsense in "bytes=5-4", "bytes=a-b", "lines=1-2", "bytes=0-1,3-4":
        assert http_call(bare, "GET", "/bkt/obj", headers={"Range": nonsense})[0] == 200
    http_call(bare, "PUT", "/bkt/empty", b"")
    assert http_call(bare, "GET", "/bkt/empty")[2] == b""
    assert http_call(bare, "GET", "/bkt/empty", headers={"Range": "bytes=0-"})[0] == 416


def test_reading_may_depend_on_etag_and_date(bare):
    etag, now = (http_call(bare, "HEAD", "/bkt/obj")[1][h] for h in ("ETag", "Last-Modified"))
    past, future = "Sat, 01 Jan 2000 00:00:00 GMT", "Sat, 01 Jan 2050 00:00:00 GMT"
    for headers, status in [
            ({"If-Match": etag}, 200), ({"If-Match": f'"x", {etag}'}, 200),
            ({"If-Match": "*"}, 200), ({"If-Match": '"x"'}, 412),
            ({"If-None-Match": '"x"'}, 200), ({"If-None-Match": etag}, 304),
            ({"If-Modified-Since": past}, 200), ({"If-Modified-Since": now}, 304),
            ({"If-Modified-Since": "nonsense"}, 200),
            ({"If-Unmodified-Since": now}, 200), ({"If-Unmodified-Since": past}, 412),
            ({"If-Match": etag, "If-Unmodified-Since": past}, 200),
            ({"If-None-Match": '"x"', "If-Modified-Since": future}, 200)]:
        for method in "GET", "HEAD":
            got = http_call(bare, method, "/bkt/obj", headers=headers)
            assert got[0] == status, headers
            assert (got[1]["ETag"] == etag) == (status != 412) and (status != 304 or not got[2])
            assert status == 200 or b"<Code>PreconditionFailed" in got[2] or method == "HEAD" \
                or status == 304


def test_writing_may_depend_on_what_is_there(bare):
    etag = http_call(bare, "HEAD", "/bkt/obj")[1]["ETag"]

    def put(key, **conditions):
        return http_call(bare, "PUT", f"/bkt/{key}", CONTENT, dashed(conditions))[0]

    def completed(key, **conditions):
        client = bare.boto()
        upload_id, parts = start_upload(client, key=key, parts=(CONTENT,))
        body = complete_document([(1, parts[0]["ETag"], "")])
        status = http_call(bare, "POST", f"/bkt/{key}?uploadId={upload_id}", body,
                           dashed(conditions))[0]
        still = "Uploads" in client.list_multipart_uploads(Bucket="bkt", Prefix=key)
        assert still == (status != 200)
        if still:
            client.abort_multipart_upload(Bucket="bkt", Key=key, UploadId=upload_id)
        return status

    def copied(key, **conditions):
        return put(key, x_amz_copy_source="/bkt/obj", x_amz_metadata_directive="REPLACE",
                   **conditions)

    for write in put, completed, copied:
        assert write("obj", If_Match='"x"') == write("obj", If_None_Match="*") == 412
        assert write("new", If_Match=etag) == 404
        assert write("new", If_None_Match=etag) == 501
        assert write("new", If_None_Match="*") == 200
        assert write("new", If_None_Match="*") == 412
        bare.boto().delete_object(Bucket="bkt", Key="new")
    assert put("obj", If_Match=etag) == 200
    assert http_call(bare, "DELETE", "/bkt/obj", headers={"If-Match": '"x"'})[0] == 412
    assert http_call(bare, "DELETE", "/bkt/obj", headers={"If-Match": etag})[0] == 204


def delete_document(keys, quiet=""):
    inside = "".join(f"<Object><Key>{k}</Key></Object>" for k in keys)
    return f"<Delete>{quiet}{inside}</Delete>".encode()


def md5_of(body):
    return {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}


def test_many_are_deleted_at_once(signed):
    client = signed.boto()
    keys = ["a", "<&>\"'", "\u00fc/\u20ac", "k" * 1024]
    for key in keys:
        client.put_object(Bucket="bkt", Key=key, Body=b"1")
    asked = [{"Key": k} for k in [*keys, "never was"]]
    reply = client.delete_objects(Bucket="bkt", Delete={"Objects": asked})
    assert reply["Deleted"] == asked and "Errors" not in reply
    assert client.list_objects_v2(Bucket="bkt")["KeyCount"] == 0
    reply = client.delete_objects(Bucket="bkt", Delete={"Objects": asked, "Quiet": True})
    assert "Deleted" not in reply
    assert code_of(client.delete_objects, Bucket="none", Delete={"Objects": asked})[1] == 404
    many = [{"Key": f"{n}"} for n in range(1001)]
    client.delete_objects(Bucket="bkt", Delete={"Objects": many[1:]})
    assert code_of(client.delete_objects, Bucket="bkt", Delete={"Objects": many}) == (
        "MalformedXML", 400)


def test_single_keys_may_be_denied(signed):
    client = signed.boto()
    for n in range(10):
        client.put_object(Bucket="bkt", Key=f"k {n}", Body=b"1")
    asked = {"Objects": [{"Key": f"k {n}"} for n in range(10)]}
    signed.fault("DeleteObjects nth=1 deny-key=k%203\n"
                 "DeleteObjects nth=2 deny-key=k%203 code=InternalError")
    reply = client.delete_objects(Bucket="bkt", Delete=asked)
    assert len(reply["Deleted"]) == 9
    assert reply["Errors"] == [{"Key": "k 3", "Code": "AccessDenied", "Message": "Access Denied"}]
    assert [o["Key"] for o in client.list_objects_v2(Bucket="bkt")["Contents"]] == ["k 3"]
    reply = client.delete_objects(Bucket="bkt", Delete=asked | {"Quiet": True})
    assert [e["Code"] for e in reply["Errors"]] == ["InternalError"] and "Deleted" not in reply
    assert len(client.delete_objects(Bucket="bkt", Delete=asked)["Deleted"]) == 10


def test_deleting_many_needs_a_sum_and_a_document(bare):
    body = delete_document(["obj"])
    target = "/bkt?delete"
    refused = http_call(bare, "POST", target, body)
    assert refused[0] == 400 and b"<Code>InvalidRequest</Code>" in refused[2]
    assert b"<Code>BadDigest</Code>" in http_call(bare, "POST", target, body, md5_of(b"x"))[2]
    assert b"<Code>InvalidDigest</Code>" in http_call(
        bare, "POST", target, body, {"Content-MD5": "x"})[2]
    for wrong in b"<Delete>", b"<Other/>", b"<Delete/>", delete_document(["k" * 1025]):
        assert b"<Code>MalformedXML</Code>" in http_call(
            bare, "POST", target, wrong, md5_of(wrong))[2]
    assert http_call(bare, "HEAD", "/bkt/obj")[0] == 200
    sha256 = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert http_call(bare, "POST", target, body, {"x-amz-checksum-sha256": sha256})[0] == 200
    assert http_call(bare, "HEAD", "/bkt/obj")[0] == 404


def test_a_wrong_md5_is_refused(signed):
    client = signed.boto()
    assert code_of(client.put_object, Bucket="bkt", Key="k", Body=b"1",
                   ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==") == ("BadDigest", 400)
    assert code_of(client.head_object, Bucket="bkt", Key="k")[1] == 404


def test_hard_keys_stay_what_they_are(signed):
    client = signed.boto()
    for key in HARD_KEYS:
        client.put_object(Bucket="bkt", Key=key, Body=key.encode())
    for key in HARD_KEYS:
        assert client.get_object(Bucket="bkt", Key=key)["Body"].read() == key.encode(), key
    listed = [o["Key"] for o in client.list_objects_v2(Bucket="bkt")["Contents"]]
    assert listed == sorted(HARD_KEYS, key=str.encode)
    assert code_of(client.put_object, Bucket="bkt", Key="k" * 1025)[0] == "KeyTooLongError"
    signed.restart()
    assert [o["Key"] for o in client.list_objects_v2(Bucket="bkt")["Contents"]] == listed
    for key in HARD_KEYS:
        client.delete_object(Bucket="bkt", Key=key)
    assert client.list_objects_v2(Bucket="bkt")["KeyCount"] == 0


def test_keys_may_be_any_bytes(bare):
    for name in "%00", "%FF%FE", "a%00b":
        assert http_call(bare, "PUT", f"/bkt/{name}", name.encode())[0] == 200
    for name in "%00", "%FF%FE", "a%00b":
        assert http_call(bare, "GET", f"/bkt/{name}")[2] == name.encode()
    listing = http_call(bare, "GET", "/bkt?list-type=2&encoding-type=url")[2]
    order = [listing.index(b"<Key>%s</Key>" % k) for k in (b"%00", b"a%00b", b"obj", b"%FF%FE")]
    assert order == sorted(order)
    assert b"&#x0;" in http_call(bare, "GET", "/bkt?list-type=2")[2]
    assert bare.log("PutObject")[1]["key"].encode(errors="surrogateescape") == b"\xff\xfe"


def test_a_listing_is_ordered_and_paged(bare):
    client = bare.boto()
    keys = [f"n/{n:05}" for n in range(2500)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda k: client.put_object(Bucket="bkt", Key=k), reversed(keys)))
    pages = list(client.get_paginator("list_objects_v2").paginate(Bucket="bkt", Prefix="n/"))
    assert [p["KeyCount"] for p in pages] == [1000, 1000, 500]
    assert [o["Key"] for p in pages for o in p["Contents"]] == keys
    page = client.list_objects_v2(Bucket="bkt", Prefix="n/", StartAfter="n/00009", MaxKeys=2)
    assert [o["Key"] for o in page["Contents"]] == keys[10:12] and page["IsTruncated"]
    assert client.list_objects_v2(Bucket="bkt", MaxKeys=0)["KeyCount"] == 0
    assert not client.list_objects_v2(Bucket="bkt", Prefix="zzz")["IsTruncated"]
    assert code_of(client.list_objects_v2, Bucket="none") == ("NoSuchBucket", 404)


def test_a_delimiter_makes_folders(signed):
    client = signed.boto()
    for key in "a", "a/1", "a/2", "a/b/1", "b/1", "b+c/1", "c":
        client.put_object(Bucket="bkt", Key=key, Body=b"")
    one = client.list_objects_v2(Bucket="bkt", Delimiter="/")
    assert [o["Key"] for o in one["Contents"]] == ["a", "c"]
    assert [p["Prefix"] for p in one["CommonPrefixes"]] == ["a/", "b+c/", "b/"]
    seen = []
    for page in client.get_paginator("list_objects_v2").paginate(
            Bucket="bkt", Delimiter="/", PaginationConfig={"PageSize": 1}):
        assert page["KeyCount"] == 1
        seen += [o["Key"] for o in page.get("Contents", [])]
        seen += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
    assert seen == ["a", "a/", "b+c/", "b/", "c"]
    inner = client.list_objects_v2(Bucket="bkt", Delimiter="/", Prefix="a/")
    assert [p["Prefix"] for p in inner["CommonPrefixes"]] == ["a/b/"]


def test_objects_are_copied(signed):
    client = signed.boto()
    key = "s p+%/\u00fc?#"
    etag = client.put_object(Bucket="bkt", Key=key, Body=CONTENT, Metadata={"m": "1"})["ETag"]
    source = {"Bucket": "bkt", "Key": key}
    copy = client.copy_object(Bucket="bkt", Key="copy", CopySource=source)
    assert copy["CopyObjectResult"]["ETag"] == etag
    got = client.get_object(Bucket="bkt", Key="copy")
    assert (got["Body"].read(), got["Metadata"]) == (CONTENT, {"m": "1"})
    client.copy_object(Bucket="bkt", Key="copy", CopySource="bkt/copy", Metadata={"m": "2"},
                       MetadataDirective="REPLACE")
    assert client.head_object(Bucket="bkt", Key="copy")["Metadata"] == {"m": "2"}
    assert code_of(client.copy_object, Bucket="bkt", Key="c", CopySource="bkt/copy",
                   CopySourceIfMatch='"x"') == ("PreconditionFailed", 412)
    assert code_of(client.copy_object, Bucket="bkt", Key="c",
                   CopySource="bkt/no") == ("NoSuchKey", 404)


def test_all_that_an_object_is_stored_with_comes_back(signed):
    from datetime import datetime, timezone
    client = signed.boto()
    expires = datetime(2030, 1, 2, tzinfo=timezone.utc)
    given = {
        "CacheControl": "no-store", "ContentDisposition": 'attachment; filename="a b"',
        "ContentEncoding": "gzip", "ContentLanguage": "de", "ContentType": "text/x",
        "Expires": expires, "Metadata": {"a": "1", "b-c": "two words"},
        "StorageClass": "STANDARD_IA"}
    client.put_object(Bucket="bkt", Key="put", Body=b"1", Tagging="a=1&b+c=%2F", **given)
    upload_id, parts = start_upload(client, key="parts", Tagging="a=1&b+c=%2F", **given)
    complete(client, upload_id, parts, key="parts")
    client.copy_object(Bucket="bkt", Key="copy", CopySource="bkt/put",
                       StorageClass="STANDARD_IA")
    signed.restart()
    for key in "put", "parts", "copy":
        for call in client.get_object, client.head_object:
            reply = call(Bucket="bkt", Key=key)
            assert {k: reply.get(k) for k in given} == given, key
        assert client.get_object(Bucket="bkt", Key=key)["TagCount"] == 2
        assert client.get_object_tagging(Bucket="bkt", Key=key)["TagSet"] == [
            {"Key": "a", "Value": "1"}, {"Key": "b c", "Value": "/"}]
    classes = [o["StorageClass"] for o in client.list_objects_v2(Bucket="bkt")["Contents"]]
    assert classes == ["STANDARD_IA"] * 3
    client.put_object(Bucket="bkt", Key="put", Body=b"2", StorageClass="STANDARD")
    after = client.get_object(Bucket="bkt", Key="put")
    assert (after["Metadata"], after["ContentType"]) == ({}, "binary/octet-stream")
    assert "StorageClass" not in after and "TagCount" not in after
    assert code_of(client.put_object, Bucket="bkt", Key="k", StorageClass="NONE") == (
        "InvalidStorageClass", 400)


def test_tags_are_replaced_and_deleted(signed):
    client = signed.boto()
    etag = client.put_object(Bucket="bkt", Key="k", Body=b"1", Metadata={"m": "1"})["ETag"]
    assert client.get_object_tagging(Bucket="bkt", Key="k")["TagSet"] == []
    tags = [{"Key": "k\u00fc&=+", "Value": "<a> \u20ac"}, {"Key": "empty", "Value": ""}]
    client.put_object_tagging(Bucket="bkt", Key="k", Tagging={"TagSet": tags})
    signed.restart()
    assert client.get_object_tagging(Bucket="bkt", Key="k")["TagSet"] == tags
    head = client.head_object(Bucket="bkt", Key="k")
    assert (head["ETag"], head["Metadata"]) == (etag, {"m": "1"})
    client.delete_object_tagging(Bucket="bkt", Key="k")
    assert client.get_object_tagging(Bucket="bkt", Key="k")["TagSet"] == []
    eleven = [{"Key": str(n), "Value": ""} for n in range(11)]
    for call, wrong, code in [
            ("put_object_tagging", eleven, "BadRequest"),
            ("put_object_tagging", tags[:1] * 2, "InvalidTag"),
            ("put_object_tagging", [{"Key": "k" * 129, "Value": ""}], "InvalidTag")]:
        assert code_of(getattr(client, call), Bucket="bkt", Key="k",
                       Tagging={"TagSet": wrong}) == (code, 400)
    assert code_of(client.put_object, Bucket="bkt", Key="k", Tagging="a=1&a=2")[0] == "InvalidTag"
    assert code_of(client.get_object_tagging, Bucket="bkt", Key="no") == ("NoSuchKey", 404)
    assert signed.count("PutObjectTagging") == 3 and signed.count("DeleteObjectTagging") == 1


def test_a_copy_keeps_or_replaces(signed):
    client = signed.boto()
    client.put_object(Bucket="bkt", Key="src", Body=b"1", Metadata={"m": "1"}, Tagging="t=1",
                      ContentType="text/x", StorageClass="GLACIER")

    def copied(**kwargs):
        client.copy_object(Bucket="bkt", Key="dst", CopySource="bkt/src", **kwargs)
        head = client.head_object(Bucket="bkt", Key="dst")
        tags = client.get_object_tagging(Bucket="bkt", Key="dst")["TagSet"]
        return (head["Metadata"], head["ContentType"], head.get("StorageClass"),
                [t["Value"] for t in tags])

    assert copied(Metadata={"m": "2"}, Tagging="t=2") == ({"m": "1"}, "text/x", None, ["1"])
    assert copied(MetadataDirective="REPLACE", Metadata={"m": "2"}) == (
        {"m": "2"}, "binary/octet-stream", None, ["1"])
    assert copied(TaggingDirective="REPLACE", Tagging="t=2", StorageClass="STANDARD_IA") == (
        {"m": "1"}, "text/x", "STANDARD_IA", ["2"])
    itself = {"Bucket": "bkt", "Key": "src", "CopySource": "bkt/src"}
    assert code_of(client.copy_object, **itself) == ("InvalidRequest", 400)
    assert code_of(client.copy_object, **itself, TaggingDirective="REPLACE")[1] == 400
    client.copy_object(**itself, StorageClass="STANDARD")
    client.copy_object(**itself, MetadataDirective="REPLACE")
    assert client.head_object(Bucket="bkt", Key="src")["Metadata"] == {}


def test_a_copy_has_conditions_on_its_source(signed):
    from datetime import datetime
    client = signed.boto()
    etag = client.put_object(Bucket="bkt", Key="src", Body=CONTENT)["ETag"]
    upload_id = client.create_multipart_upload(Bucket="bkt", Key="big")["UploadId"]
    object_copy = {"Bucket": "bkt", "Key": "dst", "CopySource": "bkt/src"}
    part_copy = {"Bucket": "bkt", "Key": "big", "CopySource": "bkt/src", "PartNumber": 1,
                 "UploadId": upload_id}
    for call, args in ((client.copy_object, object_copy), (client.upload_part_copy, part_copy)):
        call(**args, CopySourceIfMatch=etag)
        call(**args, CopySourceIfUnmodifiedSince=datetime(2090, 1, 1))
        for wrong in ({"CopySourceIfMatch": '"x"'}, {"CopySourceIfNoneMatch": etag},
                      {"CopySourceIfModifiedSince": datetime(2090, 1, 1)},
                      {"CopySourceIfUnmodifiedSince": datetime(2000, 1, 1)}):
            assert code_of(call, **args, **wrong) == ("PreconditionFailed", 412)
        assert code_of(call, **args | {"CopySource": "bkt/no"}) == ("NoSuchKey", 404)
    for wrong in "bytes=0-10000", "bytes=5-", "bytes=-5", "0-5":
        assert code_of(client.upload_part_copy, **part_copy, CopySourceRange=wrong) == (
            "InvalidArgument", 400)


# Multipart uploads


def test_parts_become_an_object(signed):
    client = signed.boto()
    upload_id, parts = start_upload(client, Metadata={"haul": "token"}, ContentType="text/x")
    result = complete(client, upload_id, parts)
    sums = b"".join(hashlib.md5(p).digest() for p in (b"one", b"two", b"three"))
    assert result["ETag"] == f'"{hashlib.md5(sums).hexdigest()}-3"'
    got = client.get_object(Bucket="bkt", Key="big")
    assert got["Body"].read() == b"onetwothree"
    assert (got["ETag"], got["Metadata"], got["ContentType"]) == (
        result["ETag"], {"haul": "token"}, "text/x")
    assert code_of(complete, client, upload_id, parts) == ("NoSuchUpload", 404)
    assert code_of(client.list_parts, Bucket="bkt", Key="big", UploadId=upload_id)[1] == 404


def test_a_wrong_list_of_parts_is_refused(signed):
    client = signed.boto()
    upload_id, parts = start_upload(client)
    wrong = [parts[0], {"PartNumber": 2, "ETag": parts[0]["ETag"]}]
    missing = [parts[0], {"PartNumber": 7, "ETag": parts[0]["ETag"]}]
    assert code_of(complete, client, upload_id, parts[::-1]) == ("InvalidPartOrder", 400)
    assert code_of(complete, client, upload_id, parts[:1] * 2) == ("InvalidPartOrder", 400)
    assert code_of(complete, client, upload_id, wrong) == ("InvalidPart", 400)
    assert code_of(complete, client, upload_id, missing) == ("InvalidPart", 400)
    assert code_of(complete, client, upload_id, []) == ("MalformedXML", 400)
    assert code_of(client.upload_part, Bucket="bkt", Key="big", UploadId=upload_id,
                   PartNumber=10001) == ("InvalidArgument", 400)
    complete(client, upload_id, [parts[0], parts[2]])
    assert client.get_object(Bucket="bkt", Key="big")["Body"].read() == b"onethree"


def test_small_parts_are_refused():
    with Endpoint("--min-part", "4") as endpoint:
        client = endpoint.boto()
        client.create_bucket(Bucket="bkt")
        upload_id, parts = start_upload(client, parts=(b"four", b"3"))
        complete(client, upload_id, parts)
        upload_id, parts = start_upload(client, parts=(b"333", b"four"))
        assert code_of(complete, client, upload_id, parts) == ("EntityTooSmall", 400)


def test_a_part_sent_again_replaces_the_first(signed):
    client = signed.boto()
    upload_id, parts = start_upload(client, parts=(b"old", b"end"))
    new = client.upload_part(
        Bucket="bkt", Key="big", UploadId=upload_id, PartNumber=1, Body=b"new!")
    assert code_of(complete, client, upload_id, parts) == ("InvalidPart", 400)
    parts[0]["ETag"] = new["ETag"]
    complete(client, upload_id, parts)
    assert client.get_object(Bucket="bkt", Key="big")["Body"].read() == b"new!end"


def test_ten_thousand_parts_are_listed_by_pages(bare):
    client = bare.boto()
    upload_id = client.create_multipart_upload(Bucket="bkt", Key="big")["UploadId"]
    target = f"/bkt/big?uploadId={upload_id}&partNumber="

    def send(first):
        connection = http.client.HTTPConnection("127.0.0.1", bare.port)
        for n in range(first, 10001, 4):
            connection.request("PUT", target + str(n), b"%05d" % n)
            assert connection.getresponse().read() == b""
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, [1, 2, 3, 4]))
    pages = list(client.get_paginator("list_parts").paginate(
        Bucket="bkt", Key="big", UploadId=upload_id))
    listed = [p for page in pages for p in page["Parts"]]
    assert len(pages) == 10 and [p["PartNumber"] for p in listed] == list(range(1, 10001))
    two = client.list_parts(
        Bucket="bkt", Key="big", UploadId=upload_id, PartNumberMarker=5, MaxParts=2)
    assert [p["PartNumber"] for p in two["Parts"]] == [6, 7]
    complete(client, upload_id, [{k: p[k] for k in ("PartNumber", "ETag")} for p in listed])
    assert client.get_object(Bucket="bkt", Key="big")["Body"].read() == b"".join(
        b"%05d" % n for n in range(1, 10001))


def test_open_uploads_are_listed_by_pages(signed):
    client = signed.boto()
    keys = ["a", "a", "a", "b/1", "b/\u00fc +", "c"]
    made = [(k, client.create_multipart_upload(Bucket="bkt", Key=k)["UploadId"]) for k in keys]
    pages = list(client.get_paginator("list_multipart_uploads").paginate(
        Bucket="bkt", PaginationConfig={"PageSize": 2}))
    assert len(pages) == 3
    assert [(u["Key"], u["UploadId"]) for p in pages for u in p["Uploads"]] == made
    prefixed = client.list_multipart_uploads(Bucket="bkt", Prefix="b/", EncodingType="url")
    assert [u["Key"] for u in prefixed["Uploads"]] == ["b/1", "b/%C3%BC+%2B"]
    behind = client.list_multipart_uploads(Bucket="bkt", KeyMarker="a")
    assert [u["Key"] for u in behind["Uploads"]] == keys[3:]


def test_a_delimiter_rolls_uploads_up(signed):
    client = signed.boto()
    for key in "a", "a/1", "a/1", "a/2/3", "b", "c/1", "c/2", "d":
        client.create_multipart_upload(Bucket="bkt", Key=key)
    for size in 1, 2, 3, 1000:
        seen, marker, count = [], {}, 0
        while marker is not None and count < 6:
            page = client.list_multipart_uploads(
                Bucket="bkt", Delimiter="/", MaxUploads=size, **marker)
            rows = [u["Key"] for u in page.get("Uploads", [])]
            rows += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
            assert len(rows) <= size
            seen, count = seen + rows, count + 1
            marker = {"KeyMarker": page["NextKeyMarker"],
                      "UploadIdMarker": page.get("NextUploadIdMarker", "")
                      } if page["IsTruncated"] else None
        assert sorted(seen) == ["a", "a/", "b", "c/", "d"], size
        assert count == -(-5 // size)
    inner = client.list_multipart_uploads(Bucket="bkt", Delimiter="/", Prefix="a/")
    assert [u["Key"] for u in inner["Uploads"]] == ["a/1", "a/1"]
    assert [p["Prefix"] for p in inner["CommonPrefixes"]] == ["a/2/"]


def test_an_aborted_upload_is_gone(signed):
    client = signed.boto()
    upload_id, parts = start_upload(client)
    client.abort_multipart_upload(Bucket="bkt", Key="big", UploadId=upload_id)
    for call in client.abort_multipart_upload, client.list_parts:
        assert code_of(call, Bucket="bkt", Key="big", UploadId=upload_id) == (
            "NoSuchUpload", 404)
    assert code_of(complete, client, upload_id, parts)[0] == "NoSuchUpload"
    assert "Uploads" not in client.list_multipart_uploads(Bucket="bkt")
    assert not [p for p in Path(signed.root).rglob("*") if p.is_file()]


def test_parts_are_copied_from_objects(signed):
    client = signed.boto()
    client.put_object(Bucket="bkt", Key="src", Body=CONTENT)
    upload_id = client.create_multipart_upload(Bucket="bkt", Key="big")["UploadId"]
    parts = []
    for n, span in (1, "bytes=0-99"), (2, "bytes=100-9999"):
        copied = client.upload_part_copy(
            Bucket="bkt", Key="big", UploadId=upload_id, PartNumber=n, CopySource="bkt/src",
            CopySourceRange=span)
        parts.append({"PartNumber": n, "ETag": copied["CopyPartResult"]["ETag"]})
    complete(client, upload_id, parts)
    assert client.get_object(Bucket="bkt", Key="big")["Body"].read() == CONTENT


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_loses_nothing(signed, sig):
    client = signed.boto()
    client.put_object(Bucket="bkt", Key="k\u00fc/", Body=CONTENT, Metadata={"m": "1"})
    upload_id, parts = start_upload(client, Metadata={"haul": "token"})
    before = client.head_object(Bucket="bkt", Key="k\u00fc/")
    signed.restart(sig)
    client = signed.boto()
    after = client.head_object(Bucket="bkt", Key="k\u00fc/")
    for field in "ETag", "Metadata", "LastModified", "ContentLength", "ContentType":
        assert before[field] == after[field]
    assert client.get_object(Bucket="bkt", Key="k\u00fc/")["Body"].read() == CONTENT
    listed = client.list_parts(Bucket="bkt", Key="big", UploadId=upload_id)["Parts"]
    assert [p["Size"] for p in listed] == [3, 3, 5]
    complete(client, upload_id, parts)
    assert client.get_object(Bucket="bkt", Key="big")["Metadata"] == {"haul": "token"}


def test_a_half_sent_body_leaves_no_trace(bare):
    files = sum(p.is_file() for p in Path(bare.root).rglob("*"))
    with socket.create_connection(("127.0.0.1", bare.port)) as half:
        half.sendall(b"PUT /bkt/half HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n12345")
        half.shutdown(socket.SHUT_WR)
        assert half.recv(1) == b""
    assert http_call(bare, "HEAD", "/bkt/half")[0] == 404
    assert bare.stats()["bytes_in"] == 5
    assert [(e["status"], e["received"]) for e in bare.log("PutObject")] == [(0, 5)]
    assert sum(p.is_file() for p in Path(bare.root).rglob("*")) == files


# Checksums


def reflected_crc(data, polynomial, bits):
    crc = ones = (1 << bits) - 1
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (polynomial if crc & 1 else 0)
    return (crc ^ ones).to_bytes(bits // 8, "big")


RAW_SUMS = {
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "crc32c": lambda data: reflected_crc(data, 0x82f63b78, 32),
    "crc64nvme": lambda data: reflected_crc(data, 0x9a6c9329ac4bc9b5, 64),
    "sha1": lambda data: hashlib.sha1(data).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
}


def sum_of(kind, data, parts=""):
    return base64.b64encode(RAW_SUMS[kind](data)).decode() + parts


def code_in(reply):
    """(status, S3's code) of a bare reply."""
    return reply[0], reply[2].decode().partition("<Code>")[2].partition("</Code>")[0] or None


def create_upload(endpoint, key="big", **headers):
    reply = http_call(endpoint, "POST", f"/bkt/{key}?uploads",
                      headers=dashed(headers))
    return reply, reply[2].decode().partition("<UploadId>")[2].partition("</UploadId>")[0]


ASKED = {"x-amz-checksum-mode": "ENABLED"}


def test_the_checks_of_the_checks():
    check = b"123456789"
    assert RAW_SUMS["crc32c"](check).hex() == "e3069283"
    assert RAW_SUMS["crc64nvme"](check).hex() == "ae8b14860a799888"


@pytest.mark.parametrize("kind", RAW_SUMS)
def test_a_checksum_is_verified_kept_and_told(bare, kind):
    header, right = f"x-amz-checksum-{kind}", sum_of(kind, CONTENT)
    told = {header: right, "x-amz-checksum-type": "FULL_OBJECT"}

    def put(**headers):
        return http_call(bare, "PUT", "/bkt/k", CONTENT,
                         dashed(headers))

    assert code_in(put(**{header: sum_of(kind, b"x")})) == (400, "BadDigest")
    for nonsense in "x", right[4:], "*" + right[1:]:
        assert code_in(put(**{header: nonsense})) == (400, "InvalidRequest")
    assert code_in(put(**{header: right}, x_amz_checksum_md5=right))[0] == 200
    assert code_in(put(x_amz_sdk_checksum_algorithm=kind)) == (400, "InvalidRequest")
    reply = put(**{header: right}, x_amz_sdk_checksum_algorithm=kind.upper())
    assert told.items() <= dict(reply[1]).items()
    for method in "GET", "HEAD":
        assert told.items() <= dict(http_call(bare, method, "/bkt/k", headers=ASKED)[1]).items()
        assert header not in http_call(bare, method, "/bkt/k")[1]
        assert header not in http_call(
            bare, method, "/bkt/k", headers=ASKED | {"Range": "bytes=0-9"})[1]
    listing = http_call(bare, "GET", "/bkt?list-type=2&prefix=k")[2].decode()
    assert (f"<ChecksumAlgorithm>{kind.upper()}</ChecksumAlgorithm>"
            "<ChecksumType>FULL_OBJECT</ChecksumType>") in listing
    copy = http_call(bare, "PUT", "/bkt/copy", headers={"x-amz-copy-source": "bkt/k"})[2].decode()
    assert f"<Checksum{kind.upper()}>{right}</Checksum{kind.upper()}>" in copy
    asked = {"x-amz-copy-source": "bkt/k", "x-amz-checksum-algorithm": "SHA256"}
    copy = http_call(bare, "PUT", "/bkt/copy", headers=asked)[2].decode()
    assert f"<ChecksumSHA256>{sum_of('sha256', CONTENT)}</ChecksumSHA256>" in copy


def test_only_one_checksum_is_taken(bare):
    two = {f"x-amz-checksum-{k}": sum_of(k, b"1") for k in ("crc32", "sha1")}
    assert code_in(http_call(bare, "PUT", "/bkt/k", b"1", two)) == (400, "InvalidRequest")


@pytest.mark.parametrize("kind, whole", [
    ("crc32", False), ("crc32", True), ("crc32c", False), ("crc32c", True),
    ("crc64nvme", True), ("sha1", False), ("sha256", False)])
def test_the_checksums_of_parts_become_the_objects(bare, kind, whole):
    header, element = f"x-amz-checksum-{kind}", f"Checksum{kind.upper()}"
    type_ = "FULL_OBJECT" if whole else "COMPOSITE"
    pieces = [CONTENT[:4000], CONTENT[4000:8000], CONTENT[8000:]]
    reply, upload_id = create_upload(bare, x_amz_checksum_algorithm=kind.upper(),
                                     x_amz_checksum_type=type_)
    assert reply[1]["x-amz-checksum-algorithm"] == kind.upper()
    assert reply[1]["x-amz-checksum-type"] == type_
    target = f"/bkt/big?uploadId={upload_id}"
    listed = []
    for n, piece in enumerate(pieces, 1):
        value = sum_of(kind, piece)
        if n == 2:  # this one from an object
            http_call(bare, "PUT", "/bkt/src", CONTENT)
            got = http_call(bare, "PUT", f"{target}&partNumber={n}", headers={
                "x-amz-copy-source": "bkt/src", "x-amz-copy-source-range": "bytes=4000-7999"})
            assert f"<{element}>{value}</{element}>" in got[2].decode()
            etag = f'"{hashlib.md5(piece).hexdigest()}"'
        else:
            got = http_call(bare, "PUT", f"{target}&partNumber={n}", piece, {header: value})
            assert got[1][header] == value
            etag = got[1]["ETag"]
        listed.append((n, etag, f"<{element}>{value}</{element}>"))
    for wrong in {}, {"x-amz-checksum-" + ("sha1" if kind != "sha1" else "crc32"): sum_of(
            "sha1" if kind != "sha1" else "crc32", b"1")}:
        assert code_in(http_call(bare, "PUT", f"{target}&partNumber=4", b"1", wrong)) == (
            400, "InvalidRequest")
    assert code_in(http_call(bare, "PUT", f"{target}&partNumber=4", b"1",
                             {header: sum_of(kind, b"2")})) == (400, "BadDigest")
    bare.restart()
    parts = http_call(bare, "GET", target)[2].decode()
    assert f"<ChecksumType>{type_}</ChecksumType>" in parts
    assert all(more in parts for _, _, more in listed)

    if whole:
        right = sum_of(kind, CONTENT)
    else:
        right = sum_of(kind, b"".join(RAW_SUMS[kind](p) for p in pieces), "-3")

    def done(rows, **headers):
        return http_call(bare, "POST", target, complete_document(rows),
                         dashed(headers))

    other = f"<{element}>{sum_of(kind, b'x')}</{element}>"
    assert code_in(done([*listed[:2], (*listed[2][:2], other)])) == (400, "InvalidPart")
    if not whole:
        assert code_in(done([*listed[:2], (*listed[2][:2], "")])) == (400, "InvalidRequest")
    assert code_in(done(listed, **{header: sum_of(kind, b"x")})) == (400, "BadDigest")
    assert code_in(done(listed, x_amz_checksum_type="x")) == (400, "InvalidRequest")
    assert code_in(done(listed, x_amz_mp_object_size="9999")) == (400, "InvalidRequest")
    if whole:
        listed = [(n, etag, "") for n, etag, _ in listed]
    got = done(listed, x_amz_checksum_type=type_, x_amz_mp_object_size="10000",
               **{header: right})[2].decode()
    assert f"<{element}>{right}</{element}><ChecksumType>{type_}</ChecksumType>" in got
    head = http_call(bare, "HEAD", "/bkt/big", headers=ASKED)[1]
    assert (head[header], head["x-amz-checksum-type"]) == (right, type_)


@pytest.mark.parametrize("headers", [
    {"x_amz_checksum_algorithm": "MD5"}, {"x_amz_checksum_type": "COMPOSITE"},
    {"x_amz_checksum_algorithm": "CRC64NVME", "x_amz_checksum_type": "COMPOSITE"},
    {"x_amz_checksum_algorithm": "SHA256", "x_amz_checksum_type": "FULL_OBJECT"},
    {"x_amz_checksum_algorithm": "CRC32", "x_amz_checksum_type": "HALF"}])
def test_an_announcement_must_make_sense(bare, headers):
    assert code_in(create_upload(bare, **headers)[0]) == (400, "InvalidRequest")


def test_a_type_follows_from_the_algorithm(bare):
    for algorithm, type_ in ("CRC64NVME", "FULL_OBJECT"), ("crc32c", "COMPOSITE"):
        reply, upload_id = create_upload(bare, x_amz_checksum_algorithm=algorithm)
        assert reply[1]["x-amz-checksum-type"] == type_
    _, upload_id = create_upload(bare, "plain")
    assert code_in(http_call(
        bare, "PUT", f"/bkt/plain?uploadId={upload_id}&partNumber=1", b"1",
        {"x-amz-checksum-crc32": sum_of("crc32", b"1")})) == (400, "InvalidRequest")


def test_boto_agrees_about_checksums(signed):
    client = signed.boto()
    put = client.put_object(Bucket="bkt", Key="k", Body=CONTENT, ChecksumAlgorithm="SHA256")
    got = client.get_object(Bucket="bkt", Key="k", ChecksumMode="ENABLED")
    assert put["ChecksumSHA256"] == got["ChecksumSHA256"] == sum_of("sha256", CONTENT)
    assert got["Body"].read() == CONTENT
    upload_id = client.create_multipart_upload(
        Bucket="bkt", Key="big", ChecksumAlgorithm="CRC32")["UploadId"]
    parts = []
    for n, body in (1, b"one"), (2, b"two"):
        sent = client.upload_part(Bucket="bkt", Key="big", UploadId=upload_id, PartNumber=n,
                                  Body=body, ChecksumAlgorithm="CRC32")
        parts.append({"PartNumber": n, "ETag": sent["ETag"],
                      "ChecksumCRC32": sent["ChecksumCRC32"]})
    right = sum_of("crc32", RAW_SUMS["crc32"](b"one") + RAW_SUMS["crc32"](b"two"), "-2")
    assert complete(client, upload_id, parts)["ChecksumCRC32"] == right


def test_a_told_checksum_may_be_wrong(bare):
    right, header = sum_of("crc32c", CONTENT), "x-amz-checksum-crc32c"
    http_call(bare, "PUT", "/bkt/k", CONTENT, {header: right})
    bare.fault("* nth=1 wrong-checksum\nHeadObject always wrong-checksum")
    status, headers, body = http_call(bare, "GET", "/bkt/k", headers=ASKED)
    assert (status, body) == (200, CONTENT)
    assert headers[header] != right and len(headers[header]) == len(right)
    assert http_call(bare, "GET", "/bkt/k", headers=ASKED)[1][header] == right
    assert http_call(bare, "HEAD", "/bkt/k", headers=ASKED)[1][header] != right


@pytest.mark.parametrize("action, asked, differs", [
    ("flip-bit", {}, 0), ("flip-bit=9999", {}, 9999), ("flip-bit=10000", {}, None),
    ("flip-bit=3 truncate=10 ", {}, 3), ("flip-bit=3", {"Range": "bytes=100-199"}, 103)])
def test_a_bit_may_flip(bare, action, asked, differs):
    bare.fault(f"GetObject always {action}")
    try:
        _, headers, body = http_call(bare, "GET", "/bkt/obj", headers=asked)
        assert headers["ETag"] == f'"{hashlib.md5(CONTENT).hexdigest()}"'
    except http.client.IncompleteRead as error:
        body = error.partial
    start = 100 if asked else 0
    wrong = [start + n for n, byte in enumerate(body) if byte != CONTENT[start + n]]
    assert wrong == ([] if differs is None else [differs])
    assert all(body[n - start] == CONTENT[n] ^ 1 for n in wrong)


def test_a_replaced_object_has_a_checksum_of_its_own(bare):
    http_call(bare, "PUT", "/bkt/k", b"1234", {"x-amz-checksum-sha1": sum_of("sha1", b"1234")})
    bare.fault("GetObject nth=1 replace-object")
    _, headers, body = http_call(bare, "GET", "/bkt/k", headers=ASKED)
    assert body != b"1234" and headers["x-amz-checksum-sha1"] == sum_of("sha1", body)


# Encryption


def customer_key(key, prefix=""):
    encoded = base64.b64encode(key).decode()
    md5 = base64.b64encode(hashlib.md5(key).digest()).decode()
    prefix += "x-amz-server-side-encryption-customer-"
    return {prefix + "algorithm": "AES256", prefix + "key": encoded, prefix + "key-MD5": md5}


def source_key(key):
    return {"x-amz-copy-source-" + name[len("x-amz-"):]: value
            for name, value in customer_key(key).items()}


KEY, OTHER_KEY = customer_key(b"k" * 32), customer_key(b"o" * 32)
ENCRYPTED = "x-amz-server-side-encryption"


def test_an_object_opens_with_its_customers_key_alone(bare):
    md5 = f'"{hashlib.md5(CONTENT).hexdigest()}"'
    reply = http_call(bare, "PUT", "/bkt/k", CONTENT, KEY)
    told = {name: value for name, value in KEY.items() if not name.endswith("-key")}
    assert reply[0] == 200 and reply[1]["ETag"] != md5
    bare.restart()
    for method in "GET", "HEAD":
        reply = http_call(bare, method, "/bkt/k", headers=KEY)
        assert reply[0] == 200 and reply[1]["ETag"] != md5
        assert told.items() <= dict(reply[1]).items()
        assert f"{ENCRYPTED}-customer-key" not in reply[1]
        assert http_call(bare, method, "/bkt/k")[0] == 400
        assert http_call(bare, method, "/bkt/k", headers=OTHER_KEY)[0] == 403
        assert http_call(bare, method, "/bkt/obj", headers=KEY)[0] == 400
    assert code_in(http_call(bare, "GET", "/bkt/k")) == (400, "InvalidRequest")
    assert code_in(http_call(bare, "GET", "/bkt/k", headers=OTHER_KEY)) == (403, "AccessDenied")
    stored = b"".join(p.read_bytes() for p in Path(bare.root).rglob("*") if p.is_file())
    assert KEY[f"{ENCRYPTED}-customer-key"].encode() not in stored
    copy = {"x-amz-copy-source": "bkt/k"}
    assert code_in(http_call(bare, "PUT", "/bkt/copy", headers=copy)) == (400, "InvalidRequest")
    opened = copy | source_key(b"k" * 32)
    assert http_call(bare, "PUT", "/bkt/copy", headers=opened)[0] == 200
    assert http_call(bare, "GET", "/bkt/copy")[1]["ETag"] == md5
    assert http_call(bare, "PUT", "/bkt/copy", headers=opened | OTHER_KEY)[0] == 200
    assert http_call(bare, "GET", "/bkt/copy", headers=OTHER_KEY)[2] == CONTENT


def test_parts_need_their_uploads_key(bare):
    reply = http_call(bare, "POST", "/bkt/big?uploads", headers=KEY)
    upload_id = reply[2].decode().partition("<UploadId>")[2].partition("</UploadId>")[0]
    target = f"/bkt/big?partNumber=1&uploadId={upload_id}"
    assert reply[1][f"{ENCRYPTED}-customer-algorithm"] == "AES256"
    assert code_in(http_call(bare, "PUT", target, b"1")) == (400, "InvalidRequest")
    assert code_in(http_call(bare, "PUT", target, b"1", OTHER_KEY)) == (403, "AccessDenied")
    sent = http_call(bare, "PUT", target, b"1", KEY)
    assert sent[0] == 200 and sent[1][f"{ENCRYPTED}-customer-algorithm"] == "AES256"
    assert sent[1]["ETag"] != f'"{hashlib.md5(b"1").hexdigest()}"'
    done = http_call(bare, "POST", f"/bkt/big?uploadId={upload_id}",
                     complete_document([(1, sent[1]["ETag"], "")]))
    assert done[0] == 200
    assert http_call(bare, "GET", "/bkt/big")[0] == 400
    assert http_call(bare, "GET", "/bkt/big", headers=KEY)[2] == b"1"


@pytest.mark.parametrize("change, code", [
    ({f"{ENCRYPTED}-customer-algorithm": "DES"}, "InvalidEncryptionAlgorithmError"),
    ({f"{ENCRYPTED}-customer-key-MD5": OTHER_KEY[f"{ENCRYPTED}-customer-key-MD5"]},
     "InvalidArgument"),
    ({f"{ENCRYPTED}-customer-key": "short"}, "InvalidArgument"),
    (customer_key(b"k" * 31), "InvalidArgument"),
    ({ENCRYPTED: "AES256"}, "InvalidArgument")])
def test_a_key_must_be_whole(bare, change, code):
    assert code_in(http_call(bare, "PUT", "/bkt/k", b"1", KEY | change)) == (400, code)
    for name in KEY:
        some = {k: v for k, v in KEY.items() if k != name}
        assert code_in(http_call(bare, "PUT", "/bkt/k", b"1", some)) == (400, "InvalidArgument")


def test_the_servers_own_encryption_is_told(signed):
    client = signed.boto()
    md5 = f'"{hashlib.md5(b"1").hexdigest()}"'
    for asked in ({"ServerSideEncryption": "AES256"},
                  {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key/1"}):
        kms = "SSEKMSKeyId" in asked
        put = client.put_object(Bucket="bkt", Key="k", Body=b"1", **asked)
        upload_id, parts = start_upload(client, parts=(b"1",), **asked)
        for reply in (put, complete(client, upload_id, parts),
                      client.head_object(Bucket="bkt", Key="k"),
                      client.get_object(Bucket="bkt", Key="big"),
                      client.copy_object(Bucket="bkt", Key="c", CopySource="bkt/k", **asked)):
            assert asked.items() <= reply.items()
        assert (put["ETag"] == md5) != kms
        assert "ServerSideEncryption" not in client.copy_object(
            Bucket="bkt", Key="c", CopySource="bkt/k")
    assert code_of(client.put_object, Bucket="bkt", Key="k",
                   ServerSideEncryption="rot13") == ("InvalidArgument", 400)
    assert code_of(client.put_object, Bucket="bkt", Key="k", SSEKMSKeyId="x") == (
        "InvalidArgument", 400)


# Versions


@pytest.fixture
def versioned(signed):
    client = signed.boto()
    client.put_object(Bucket="bkt", Key="old", Body=b"0")
    assert "Status" not in client.get_bucket_versioning(Bucket="bkt")
    client.put_bucket_versioning(Bucket="bkt", VersioningConfiguration={"Status": "Enabled"})
    assert client.get_bucket_versioning(Bucket="bkt")["Status"] == "Enabled"
    yield signed


def listed_versions(client, **kwargs):
    """(key, version, is a marker, is the latest) in the order of the listing."""
    page = client.list_object_versions(Bucket="bkt", **kwargs)
    rows = [(v["Key"], v["VersionId"], marker, v["IsLatest"])
            for name, marker in (("Versions", False), ("DeleteMarkers", True))
            for v in page.get(name, [])]
    return sorted(rows, key=lambda row: row[0])


def test_every_version_can_be_read(versioned):
    client = versioned.boto()
    ids = [client.put_object(Bucket="bkt", Key="k", Body=b"%d" % n)["VersionId"]
           for n in range(3)]
    new = client.put_object(Bucket="bkt", Key="old", Body=b"1")["VersionId"]
    versioned.restart()
    assert len({*ids, new}) == 4
    for n, version in enumerate(ids):
        for call in client.get_object, client.head_object:
            assert call(Bucket="bkt", Key="k", VersionId=version)["VersionId"] == version
        got = client.get_object(Bucket="bkt", Key="k", VersionId=version)
        assert got["Body"].read() == b"%d" % n
    assert client.get_object(Bucket="bkt", Key="k")["VersionId"] == ids[2]
    assert client.get_object(Bucket="bkt", Key="old", VersionId="null")["Body"].read() == b"0"
    assert code_of(client.get_object, Bucket="bkt", Key="k", VersionId="no") == (
        "NoSuchVersion", 404)
    copied = client.copy_object(Bucket="bkt", Key="k", CopySource={
        "Bucket": "bkt", "Key": "k", "VersionId": ids[0]})
    assert copied["CopySourceVersionId"] == ids[0] and copied["VersionId"] not in ids
    assert client.get_object(Bucket="bkt", Key="k")["Body"].read() == b"0"
    client.put_object_tagging(Bucket="bkt", Key="k", VersionId=ids[1], Tagging={
        "TagSet": [{"Key": "t", "Value": "1"}]})
    assert client.get_object_tagging(Bucket="bkt", Key="k")["TagSet"] == []
    tags = client.get_object_tagging(Bucket="bkt", Key="k", VersionId=ids[1])
    assert (tags["VersionId"], len(tags["TagSet"])) == (ids[1], 1)
    upload_id, parts = start_upload(client, key="k")
    assert complete(client, upload_id, parts, key="k")["VersionId"] not in ids


def test_a_deletion_is_a_marker_that_can_go_again(versioned):
    client = versioned.boto()
    first = client.put_object(Bucket="bkt", Key="k", Body=b"1")["VersionId"]
    gone = client.delete_object(Bucket="bkt", Key="k")
    assert gone["DeleteMarker"] and gone["VersionId"] != first
    status, headers, _ = http_call(versioned, "GET", "/bkt/k",
                                   headers=signed_headers(versioned, "GET", "/bkt/k"))
    assert (status, headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == (
        404, "true", gone["VersionId"])
    versioned.restart()
    assert code_of(client.get_object, Bucket="bkt", Key="k", VersionId=gone["VersionId"]) == (
        "MethodNotAllowed", 405)
    assert [o["Key"] for o in client.list_objects_v2(Bucket="bkt")["Contents"]] == ["old"]
    assert listed_versions(client) == [
        ("k", first, False, False), ("k", gone["VersionId"], True, True),
        ("old", "null", False, True)]
    back = client.delete_object(Bucket="bkt", Key="k", VersionId=gone["VersionId"])
    assert back["DeleteMarker"] and back["VersionId"] == gone["VersionId"]
    assert client.get_object(Bucket="bkt", Key="k")["Body"].read() == b"1"
    client.delete_object(Bucket="bkt", Key="k", VersionId=first)
    reply = client.delete_objects(Bucket="bkt", Delete={"Objects": [
        {"Key": "old", "VersionId": "null"}, {"Key": "never"}]})["Deleted"]
    assert reply[0] == {"Key": "old", "VersionId": "null"}
    assert reply[1]["DeleteMarker"] and reply[1]["DeleteMarkerVersionId"]
    assert code_of(client.delete_bucket, Bucket="bkt") == ("BucketNotEmpty", 409)
    client.delete_object(Bucket="bkt", Key="never", VersionId=reply[1]["DeleteMarkerVersionId"])
    assert listed_versions(client) == []
    client.delete_bucket(Bucket="bkt")
    assert not [p for p in Path(versioned.root).rglob("*") if p.is_file()]


def test_versions_are_listed_by_pages(versioned):
    client = versioned.boto()
    rows = []
    for key in "a", "b/1", "b/2", "c":
        ids = [client.put_object(Bucket="bkt", Key=key, Body=b"1")["VersionId"]
               for _ in range(3)]
        rows += [(key, version) for version in reversed(ids)]
    rows += [("old", "null")]
    for size in 1, 2, 5, 1000:
        pages = list(client.get_paginator("list_object_versions").paginate(
            Bucket="bkt", PaginationConfig={"PageSize": size}))
        assert [(v["Key"], v["VersionId"]) for p in pages for v in p["Versions"]] == rows
        assert len(pages) == -(-len(rows) // size)
        pages = list(client.get_paginator("list_object_versions").paginate(
            Bucket="bkt", Delimiter="/", PaginationConfig={"PageSize": size}))
        assert [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])] == ["b/"]
        assert [v["Key"] for p in pages for v in p.get("Versions", [])] == [
            "a", "a", "a", "c", "c", "c", "old"]
    page = client.list_object_versions(Bucket="bkt", KeyMarker="b/2", Prefix="")
    assert [v["Key"] for v in page["Versions"]] == ["c", "c", "c", "old"]


def test_suspended_versions_have_one_without_name(versioned):
    client = versioned.boto()
    kept = client.put_object(Bucket="bkt", Key="k", Body=b"1")["VersionId"]
    client.put_bucket_versioning(Bucket="bkt", VersioningConfiguration={"Status": "Suspended"})
    for body in b"2", b"3":
        assert client.put_object(Bucket="bkt", Key="k", Body=body)["VersionId"] == "null"
    assert listed_versions(client, Prefix="k") == [
        ("k", "null", False, True), ("k", kept, False, False)]
    assert client.delete_object(Bucket="bkt", Key="k")["VersionId"] == "null"
    assert listed_versions(client, Prefix="k") == [
        ("k", kept, False, False), ("k", "null", True, True)]
    assert code_of(client.put_bucket_versioning, Bucket="bkt",
                   VersioningConfiguration={"Status": "Maybe"}) == ("MalformedXML", 400)


# Signatures


def test_unsigned_and_wrongly_signed_requests_are_refused(signed):
    status, headers, body = http_call(signed, "GET", "/bkt")
    assert status == 403 and b"<Code>AccessDenied</Code>" in body
    assert headers["x-amz-request-id"] and headers["Date"]
    secret, name = signed.keys[1], signed.keys[0]
    signed.keys = (name, "wrong")
    assert code_of(signed.boto().list_buckets) == ("SignatureDoesNotMatch", 403)
    signed.keys = ("WRONG", secret)
    assert code_of(signed.boto().list_buckets) == ("InvalidAccessKeyId", 403)
    signed.keys, signed.region = (name, secret), "eu-west-1"
    assert code_of(signed.boto().list_buckets) == ("AuthorizationHeaderMalformed", 400)


@pytest.mark.parametrize("skew, code", [
    (-1000, "RequestTimeTooSkewed"), (1000, "RequestTimeTooSkewed"), (800, None), (-800, None)])
def test_a_clock_may_be_off_by_a_quarter_of_an_hour(signed, skew, code):
    client = signed.boto()
    signed.fault(f"* always skew-s={skew}")
    if code:
        assert code_of(client.list_buckets) == (code, 403)
    else:
        client.list_buckets()


def signed_headers(endpoint, method, target, body=b"", **headers):
    request = AWSRequest(method, endpoint.url + target, headers=headers, data=body)
    if "x-amz-content-sha256" not in headers:
        request.headers["x-amz-content-sha256"] = hashlib.sha256(body).hexdigest()
    auth = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", endpoint.region)
    auth.add_auth(request)
    return dict(request.headers)


def test_the_signature_covers_headers_query_and_body(signed):
    headers = signed_headers(signed, "PUT", "/bkt/k?x=1", b"body", **{"x-amz-meta-a": "1  2"})
    assert http_call(signed, "PUT", "/bkt/k?x=1", b"body", headers)[0] == 200

    def code(target="/bkt/k?x=1", body=b"body", **more):
        return http_call(signed, "PUT", target, body, headers | more)[2].split(b"Code>")[1][:-2]

    assert code("/bkt/k?x=2") == b"SignatureDoesNotMatch"
    assert code("/bkt/other?x=1") == b"SignatureDoesNotMatch"
    assert code(**{"x-amz-meta-a": "1 3"}) == b"SignatureDoesNotMatch"
    assert code(**{"x-amz-meta-b": "unsigned"}) == b"AccessDenied"
    assert code(body=b"bodY") == b"XAmzContentSHA256Mismatch"
    assert code(body=b"") == b"XAmzContentSHA256Mismatch"
    assert signed.boto().get_object(Bucket="bkt", Key="k")["Body"].read() == b"body"


def test_an_unsigned_payload_is_free(signed):
    free = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    headers = signed_headers(signed, "PUT", "/bkt/k", b"", **free)
    assert http_call(signed, "PUT", "/bkt/k", b"anything", headers)[0] == 200


def test_a_presigned_url_works_until_it_expires(signed):
    client = signed.boto()
    client.put_object(Bucket="bkt", Key="a b", Body=b"1")
    url = client.generate_presigned_url(
        "get_object", {"Bucket": "bkt", "Key": "a b"}, ExpiresIn=600)
    target = url[len(signed.url):]
    assert http_call(signed, "GET", target)[2] == b"1"
    assert b"SignatureDoesNotMatch" in http_call(signed, "GET", target.replace("a%20b", "c"))[2]
    signed.fault("GetObject always skew-s=601")
    assert http_call(signed, "GET", target)[0] == 403


# Bodies in chunks


SIGNED, UNSIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def chunked(endpoint, target, pieces, trailer=None, wrong=None, length=None, form=SIGNED,
            **more):
    """Headers and body of a PUT whose body is signed piece by piece by a second opinion. `wrong`
    is the chunk whose signature isn't right, or "trailer"."""
    if trailer and form == SIGNED:
        form += "-TRAILER"
    size = sum(map(len, pieces)) if length is None else length
    headers = {"x-amz-content-sha256": form, "content-encoding": "aws-chunked",
               "x-amz-decoded-content-length": str(size), **more}
    if trailer:
        headers["x-amz-trailer"] = trailer[0]
    headers = signed_headers(endpoint, "PUT", target, **headers)
    stamp, last = headers["X-Amz-Date"], headers["Authorization"].rpartition("=")[2]
    scope = f"{stamp[:8]}/{endpoint.region}/s3/aws4_request"
    key = ("AWS4" + SECRET_KEY).encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")

    def sign(kind, *lines):
        nonlocal last
        text = "\n".join([f"AWS4-HMAC-SHA256-{kind}", stamp, scope, last, *lines])
        last = hmac.new(key, text.encode(), "sha256").hexdigest()
        return last

    empty, body = hashlib.sha256(b"").hexdigest(), b""
    for n, piece in enumerate([*pieces, b""]):
        body += b"%x" % len(piece)
        if form != UNSIGNED:
            signature = sign("PAYLOAD", empty, hashlib.sha256(piece).hexdigest())
            body += b";chunk-signature=" + (empty if n == wrong else signature).encode()
        body += b"\r\n" + (piece + b"\r\n" if piece else b"")
    if trailer:
        line = f"{trailer[0]}:{trailer[1]}"
        body += f"{line}\r\n".encode()
        if form != UNSIGNED:
            signature = sign("TRAILER", hashlib.sha256(f"{line}\n".encode()).hexdigest())
            body += b"x-amz-trailer-signature:%s\r\n" % (
                empty if wrong == "trailer" else signature).encode()
    return headers, body + b"\r\n"


LONG = CONTENT * 3
PIECES = [LONG[:8192], LONG[8192:20000], LONG[20000:]]


def test_a_body_signed_by_chunks_is_taken_apart(signed):
    for pieces in [], [b"short"], [LONG], PIECES:
        headers, body = chunked(signed, "/bkt/k", pieces, **{
            "x-amz-meta-m": "1", "content-encoding": "aws-chunked,gzip"})
        assert http_call(signed, "PUT", "/bkt/k", body, headers)[0] == 200
        got = signed.boto().get_object(Bucket="bkt", Key="k")
        assert got["Body"].read() == b"".join(pieces)
        assert (got["Metadata"], got["ContentEncoding"]) == ({"m": "1"}, "gzip")
    headers, body = chunked(signed, "/bkt/k", [b"1"])
    assert http_call(signed, "PUT", "/bkt/k", body, headers)[0] == 200
    assert "ContentEncoding" not in signed.boto().head_object(Bucket="bkt", Key="k")


def test_chunks_may_be_torn_anywhere(signed):
    headers, body = chunked(signed, "/bkt/k", [b"s" * 10])
    head = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    with socket.create_connection(("127.0.0.1", signed.port)) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.sendall(f"PUT /bkt/k HTTP/1.1\r\nHost: 127.0.0.1:{signed.port}\r\n"
                  f"Content-Length: {len(body)}\r\n{head}\r\n".encode())
        for byte in body:
            s.send(bytes([byte]))
        assert s.recv(1000).startswith(b"HTTP/1.1 200")
    assert signed.boto().get_object(Bucket="bkt", Key="k")["Body"].read() == b"s" * 10


def test_wrong_chunks_are_refused(signed):
    def code(*args, cut=None, **kwargs):
        headers, body = chunked(signed, "/bkt/k", *args, **kwargs)
        return code_in(http_call(signed, "PUT", "/bkt/k", body[:cut], headers))

    for wrong in range(len(PIECES) + 1):
        assert code(PIECES, wrong=wrong) == (403, "SignatureDoesNotMatch")
    assert code([b"1" * 8191, b"2"]) == (403, "InvalidChunkSizeError")
    assert code(PIECES, length=len(LONG) + 1) == (400, "IncompleteBody")
    assert code(PIECES, length=len(LONG) - 1) == (400, "IncompleteBody")
    assert code(PIECES, cut=-2) == (400, "IncompleteBody")
    assert code(PIECES, cut=-90) == (400, "IncompleteBody")
    headers, body = chunked(signed, "/bkt/k", PIECES)
    for broken in (body.replace(b"\r\n", b"\n"), b"x" + body, body + b"more\r\n",
                   body.replace(PIECES[0], PIECES[0][1:])):
        assert http_call(signed, "PUT", "/bkt/k", broken, headers)[0] in (400, 403)
    altered = body.replace(PIECES[1], PIECES[1][::-1])
    assert code_in(http_call(signed, "PUT", "/bkt/k", altered, headers)) == (
        403, "SignatureDoesNotMatch")
    assert code_of(signed.boto().head_object, Bucket="bkt", Key="k")[1] == 404
    assert code([b"1"], form="STREAMING-OTHER") == (501, "NotImplemented")


@pytest.mark.parametrize("form", [SIGNED, UNSIGNED])
def test_a_checksum_may_come_behind(signed, form):
    right = ("x-amz-checksum-crc32c", sum_of("crc32c", LONG))

    def put(trailer, **kwargs):
        headers, body = chunked(signed, "/bkt/k", PIECES, trailer, form=form, **kwargs)
        return http_call(signed, "PUT", "/bkt/k", body, headers)

    assert code_in(put((right[0], sum_of("crc32c", b"x")))) == (400, "BadDigest")
    if form == SIGNED:
        assert code_in(put(right, wrong="trailer")) == (403, "SignatureDoesNotMatch")
    reply = put(right)
    assert (reply[0], reply[1][right[0]]) == (200, right[1])
    head = signed.boto().head_object(Bucket="bkt", Key="k", ChecksumMode="ENABLED")
    assert (head["ContentLength"], head["ChecksumCRC32C"]) == (len(LONG), right[1])


def test_parts_may_come_in_chunks(signed):
    client = signed.boto()
    upload_id = client.create_multipart_upload(Bucket="bkt", Key="big")["UploadId"]
    target = f"/bkt/big?partNumber=1&uploadId={upload_id}"
    headers, body = chunked(signed, target, PIECES)
    reply = http_call(signed, "PUT", target, body, headers)
    assert reply[1]["ETag"] == f'"{hashlib.md5(LONG).hexdigest()}"'


def test_without_keys_chunks_are_not_verified(signed, bare):
    headers, body = chunked(signed, "/bkt/k", PIECES, wrong=1)
    assert http_call(bare, "PUT", "/bkt/k", body, headers)[0] == 200
    assert http_call(bare, "GET", "/bkt/k")[2] == LONG


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
    ("PutObject drop-before", "line 1: say when: nth=K, every=K or always"),
    ("PutObject always", "line 1: say what happens"),
    ("PutObject always code=X", "line 1: say what happens"),
    ("PutObject nth=0 drop-before", 'line 1: bad value for "nth"'),
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
])
def test_a_line_strikes_when_it_says(bare, when, expected):
    bare.fault(f"GetObject {when} status=503")
    assert statuses(bare, 6) == expected
    bare.clear()
    assert statuses(bare, 1) == [200]


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
