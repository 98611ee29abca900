"""What the tests of the scripted endpoint share: two endpoints as fixtures, bare requests,
documents. conftest.py says where endpoint.py is.
"""
import base64
import hashlib
import http.client

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from endpoint import ACCESS_KEY, SECRET_KEY, Endpoint

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


def delete_document(keys, quiet=""):
    inside = "".join(f"<Object><Key>{k}</Key></Object>" for k in keys)
    return f"<Delete>{quiet}{inside}</Delete>".encode()


def md5_of(body):
    return {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}


def signed_headers(endpoint, method, target, body=b"", **headers):
    request = AWSRequest(method, endpoint.url + target, headers=headers, data=body)
    if "x-amz-content-sha256" not in headers:
        request.headers["x-amz-content-sha256"] = hashlib.sha256(body).hexdigest()
    auth = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", endpoint.region)
    auth.add_auth(request)
    return dict(request.headers)


def code_in(reply):
    """(status, S3's code) of a bare reply."""
    return reply[0], reply[2].decode().partition("<Code>")[2].partition("</Code>")[0] or None
