"""IAM Identity Center: the portal's GetRoleCredentials, and CreateToken of OIDC.
https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html
https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html"""
import json

from world import Refusal, Reply, to_json

NAME = "sso"
OPERATIONS = {"/federation/credentials": "GetRoleCredentials", "/token": "CreateToken"}
OIDC_ERRORS = {
    "InvalidClientException": "invalid_client", "InvalidGrantException": "invalid_grant",
    "ExpiredTokenException": "expired_token",
    "UnsupportedGrantTypeException": "unsupported_grant_type",
}


def is_mine(request):
    return request.path in OPERATIONS


def name_operation(request):
    return OPERATIONS[request.path]


def answer(world, operation, request):
    return give_keys(world, request) if operation == "GetRoleCredentials" else make_token(
        world, request)


def give_keys(world, request):
    if request.method != "GET":
        raise Refusal(405, "MethodNotAllowedException", "GET alone is allowed")
    account, role = request.query.get("account_id"), request.query.get("role_name")
    if not account or not role:
        raise Refusal(400, "InvalidRequestException", "account_id and role_name are required")
    if request.headers.get("x-amz-sso_bearer_token") != world.get("sso.token"):
        raise Refusal(401, "UnauthorizedException", "Session token not found or invalid")
    if account != (world.get("sso.account") or account) or role != (
            world.get("sso.role") or role):
        raise Refusal(403, "ForbiddenException", "No access")
    key = world.give(
        NAME, f"arn:aws:sts::{account}:assumed-role/AWSReservedSSO_{role}_0123456789abcdef/me")

    def render(keys):
        names = {"AccessKeyId": "accessKeyId", "SecretAccessKey": "secretAccessKey",
                 "Token": "sessionToken", "Expiration": "expiration"}
        return to_json({"roleCredentials": {names[name]: keys[name] for name in keys}})

    def stamp(moment):
        return int(moment * 1000)

    return Reply(200, "application/json", stamp=stamp, render=render, keys={
        "AccessKeyId": key.key_id, "SecretAccessKey": key.secret, "Token": key.token,
        "Expiration": stamp(key.expires)})


def make_token(world, request):
    try:
        asked = json.loads(request.body)
        client, grant = (asked["clientId"], asked["clientSecret"]), asked["grantType"]
        refresh = asked["refreshToken"]
    except (ValueError, TypeError, KeyError):
        raise Refusal(400, "InvalidRequestException", "Invalid request") from None
    if request.method != "POST":
        raise Refusal(400, "InvalidRequestException", "Invalid request")
    for got, name in zip(client, ("oidc.client-id", "oidc.client-secret")):
        if got != (world.get(name) or got):
            raise Refusal(401, "InvalidClientException", "Invalid client provided")
    if grant != "refresh_token":
        raise Refusal(400, "UnsupportedGrantTypeException", "Unsupported grant type")
    if refresh != world.get("oidc.refresh-token"):
        raise Refusal(400, "InvalidGrantException", "Invalid grant provided")
    if world.settings["oidc.expired"] == "yes":
        raise Refusal(400, "ExpiredTokenException", "Expired token provided")
    with world.lock:
        world.made += 1
        access, refresh = (f"oidc/{kind}+{world.made}" for kind in ("access", "refresh"))
        world.settings |= {"sso.token": access, "oidc.refresh-token": refresh}
    return Reply(200, "application/json", to_json(
        {"accessToken": access, "tokenType": "Bearer", "refreshToken": refresh,
         "expiresIn": int(world.settings["oidc.lifetime-s"])}))


def refuse(refusal):
    if refusal.code in OIDC_ERRORS:
        body = {"error": OIDC_ERRORS[refusal.code], "error_description": refusal.message}
    else:
        body = {"message": refusal.message,
                "__type": f"com.amazonaws.switchboard.portal#{refusal.code}"}
    return Reply(refusal.status, "application/json", to_json(body),
                 {"x-amzn-ErrorType": refusal.code})
