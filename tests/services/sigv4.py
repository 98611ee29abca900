"""Checks Signature Version 4, in the Authorization header or a presigned query. Its own few
lines, so that a wrong signer can't agree with itself.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"""
import calendar
import hashlib
import hmac
import re
import time
import urllib.parse

from world import Refusal

CLOCK_S = 900
TIME = "%Y%m%dT%H%M%SZ"
HEADER = re.compile(
    "AWS4-HMAC-SHA256 Credential=([^, ]+), ?SignedHeaders=([^, ]+), ?Signature=([0-9a-f]{64})$")


def check(world, request, service, region=None):
    """Returns the Key that signed it, or raises what S3 or STS would say."""
    query = "X-Amz-Signature" in request.query
    scope, signed, signature, stamp, token = (_of_query if query else _of_header)(request)
    if len(scope) != 5 or scope[3] != service or scope[4] != "aws4_request":
        raise Refusal(403, "SignatureDoesNotMatch",
                      f"Credential should be scoped to correct service: '{service}'.")
    if region is not None and scope[2] != region:
        raise Refusal(403, "SignatureDoesNotMatch",
                      "Credential should be scoped to a valid region.")
    with world.lock:
        key = world.known.get(scope[0])
    if key is None or (key.token or None) != token:
        raise Refusal(403, "InvalidClientTokenId",
                      "The security token included in the request is invalid.")
    expected = _sign(key.secret, scope[1:], stamp, _canonical(request, signed, query))
    if not hmac.compare_digest(expected, signature):
        raise Refusal(403, "SignatureDoesNotMatch", "The request signature we calculated does "
                      "not match the signature you provided.")
    if key.expires is not None and key.expires <= world.now():
        raise Refusal(403, "ExpiredToken",
                      "The security token included in the request is expired")
    moment = calendar.timegm(time.strptime(stamp, TIME))
    life_s = int(request.query["X-Amz-Expires"]) if query else CLOCK_S
    if not moment - CLOCK_S <= world.now() <= moment + life_s:
        raise Refusal(403, "SignatureDoesNotMatch", f"Signature expired: {stamp}")
    return key


def _of_header(request):
    found = HEADER.match(request.headers.get("authorization", ""))
    if found is None:
        raise Refusal(403, "MissingAuthenticationToken",
                      "Request is missing Authentication Token")
    return (found[1].split("/"), found[2].split(";"), found[3],
            request.headers.get("x-amz-date", ""), request.headers.get("x-amz-security-token"))


def _of_query(request):
    q = request.query
    return (q["X-Amz-Credential"].split("/"), q["X-Amz-SignedHeaders"].split(";"),
            q["X-Amz-Signature"], q["X-Amz-Date"], q.get("X-Amz-Security-Token"))


def _quote(text):
    return urllib.parse.quote(text, safe="-_.~")


def _canonical(request, signed, query):
    pairs = urllib.parse.parse_qsl(request.raw_query, keep_blank_values=True)
    pairs = sorted((_quote(n), _quote(v)) for n, v in pairs if n != "X-Amz-Signature")
    body = hashlib.sha256(request.body).hexdigest()
    told = request.headers.get("x-amz-content-sha256", body)
    if told not in (body, "UNSIGNED-PAYLOAD"):
        raise Refusal(400, "XAmzContentSHA256Mismatch", "The body is not what was signed")
    headers = [f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in signed]
    return "\n".join([
        request.method, urllib.parse.quote(request.path, safe="/-_.~"),
        "&".join(f"{n}={v}" for n, v in pairs), "".join(headers), ";".join(signed),
        "UNSIGNED-PAYLOAD" if query else told])


def _sign(secret, scope, stamp, canonical):
    key = b"AWS4" + secret.encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, "/".join(scope),
                      hashlib.sha256(canonical.encode()).hexdigest()])
    return hmac.new(key, text.encode(), "sha256").hexdigest()
