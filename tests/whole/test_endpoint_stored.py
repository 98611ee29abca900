"""The scripted endpoint's encryption headers and versions, as boto3 sees them."""
import base64
import hashlib
from pathlib import Path

import pytest
from endpoint_scene import (
    CONTENT, bare, code_in, code_of, complete, complete_document, http_call, signed,
    signed_headers, start_upload)

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
