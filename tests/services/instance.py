"""Instance metadata, version 2 alone.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html"""
import secrets

from world import Refusal, Reply, iso, to_json

NAME = "imds"
TTL = "x-aws-ec2-metadata-token-ttl-seconds"
ROLES = "meta-data/iam/security-credentials"
PLACES = {"meta-data/placement/region": "", "meta-data/placement/availability-zone": "a"}


def is_mine(request):
    return request.path == "/latest" or request.path.startswith("/latest/")


def name_operation(request):
    path = request.path.removeprefix("/latest/")
    if path == "api/token":
        return "GetMetadataToken"
    if path.rstrip("/") == ROLES:
        return "GetInstanceRole"
    return "GetInstanceKeys" if path.startswith(ROLES + "/") else "GetMetadata"


def answer(world, operation, request):
    if operation == "GetMetadataToken":
        return make_token(world, request)
    with world.lock:
        end = world.metadata_tokens.get(request.headers.get("x-aws-ec2-metadata-token"), 0)
    if end <= world.now():
        raise Refusal(401, "Unauthorized", "")
    if request.method not in ("GET", "HEAD"):
        raise Refusal(405, "Method Not Allowed", "")
    path, role = request.path.removeprefix("/latest/").rstrip("/"), world.get("imds.role")
    if role and path == ROLES:
        return Reply(200, "text/plain", role)
    if role and path == f"{ROLES}/{role}":
        return give_keys(world, role)
    if path in PLACES and world.get("imds.region"):
        return Reply(200, "text/plain", world.get("imds.region") + PLACES[path])
    raise Refusal(404, "Not Found", "")


def make_token(world, request):
    if request.method != "PUT":
        raise Refusal(405, "Method Not Allowed", "")
    if "x-forwarded-for" in request.headers:
        raise Refusal(403, "Forbidden", "")
    ttl = request.headers.get(TTL, "")
    if not ttl.isdecimal() or not 1 <= int(ttl) <= 21600:
        raise Refusal(400, "Bad Request", "")
    token = secrets.token_urlsafe(40) + "=="
    with world.lock:
        world.metadata_tokens[token] = world.now() + int(ttl)
    return Reply(200, "text/plain", token, {TTL: ttl})


def give_keys(world, role):
    now = iso(world.now())
    if world.settings["imds.code"] != "Success":
        return Reply(200, "text/plain", to_json(
            {"Code": world.settings["imds.code"], "LastUpdated": now,
             "Message": f"EC2 cannot assume the role {role}."}, indent=2))
    key = world.give(NAME, f"arn:aws:sts::123456789012:assumed-role/{role}/i-0123456789abcdef0")
    return Reply(200, "text/plain", stamp=iso, render=lambda keys: to_json(keys, indent=2),
                 keys={"Code": "Success", "LastUpdated": now, "Type": "AWS-HMAC",
                       "AccessKeyId": key.key_id, "SecretAccessKey": key.secret,
                       "Token": key.token, "Expiration": iso(key.expires)})


def refuse(refusal):
    title = f"{refusal.status} - {refusal.code}"
    return Reply(refusal.status, "text/html", f"""<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
	"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{title}</title>
 </head>
 <body>
  <h1>{title}</h1>
 </body>
</html>
""")
