"""Just enough of S3 to see which keys a client signs with: ListBuckets, and objects in memory.
tests/endpoint has a whole one, which knows one pair of keys."""
import hashlib
from xml.sax.saxutils import escape

import sigv4
from world import Refusal, Reply

NAME = "s3"
# What S3 calls the same faults.
CODES = {"InvalidClientTokenId": (403, "InvalidAccessKeyId"),
         "ExpiredToken": (400, "ExpiredToken"),
         "MissingAuthenticationToken": (403, "AccessDenied")}


def name_operation(request):
    bucket, _, key = request.path.strip("/").partition("/")
    place = "Object" if key else "Bucket" if bucket else "Buckets"
    return {"GET": "Get", "HEAD": "Head", "PUT": "Put", "DELETE": "Delete"}.get(
        request.method, request.method.title()) + place


def answer(world, operation, request):
    key = sigv4.check(world, request, "s3", world.get("s3.region"))
    if operation == "GetBuckets":
        return Reply(200, "application/xml", '<?xml version="1.0" encoding="UTF-8"?>\n'
                     '<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                     f"<Owner><ID>{escape(key.arn)}</ID></Owner><Buckets/>"
                     "</ListAllMyBucketsResult>")
    with world.lock:
        if operation == "PutObject":
            world.objects[request.path] = request.body
        body = world.objects.get(request.path)
        if operation == "DeleteObject":
            world.objects.pop(request.path, None)
            return Reply(204, "application/xml")
    if operation not in ("PutObject", "GetObject", "HeadObject"):
        raise Refusal(501, "NotImplemented", "tests/endpoint does more")
    if body is None:
        raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
    etag = {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}
    return Reply(
        200, "application/octet-stream", b"" if operation == "PutObject" else body, etag)


def refuse(refusal):
    status, code = CODES.get(refusal.code, (refusal.status, refusal.code))
    return Reply(status, "application/xml", '<?xml version="1.0" encoding="UTF-8"?>\n<Error>'
                 f"<Code>{escape(code)}</Code><Message>{escape(refusal.message)}</Message>"
                 "<RequestId>1</RequestId></Error>")
