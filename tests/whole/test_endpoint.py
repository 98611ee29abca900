"""The scripted endpoint itself, with boto3 and bare HTTP as the second opinion."""
import base64
import hashlib
import http.client
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from endpoint import Endpoint
from endpoint_scene import (
    CONTENT, HARD_KEYS, bare, code_of, complete, complete_document, dashed, delete_document,
    http_call, md5_of, signed, signed_headers, start_upload)

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
