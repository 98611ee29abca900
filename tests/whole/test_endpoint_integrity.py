"""The scripted endpoint's checksums, signatures and signed chunks, against those of botocore,
hashlib and zlib.
"""
import base64
import hashlib
import hmac
import http.client
import socket
import zlib

import pytest
from endpoint import SECRET_KEY
from endpoint_scene import (
    CONTENT, bare, code_in, code_of, complete, complete_document, dashed, http_call, signed,
    signed_headers)

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
