"""STS: AssumeRole, AssumeRoleWithWebIdentity, GetCallerIdentity.
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html"""
import re
import urllib.parse
from xml.sax.saxutils import escape

import sigv4
from world import Refusal, Reply, iso

NAME = "sts"
SPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/(?:[!-~]+/)?([\w+=,.@-]{1,64})$", re.A)
SESSION = re.compile(r"[\w+=,.@-]{2,64}$", re.A)
CHAINED_MAX_S = 3600


def is_mine(request):
    return request.path == "/" and request.method == "POST" and request.headers.get(
        "content-type", "").startswith("application/x-www-form-urlencoded")


def parse(request):
    return dict(urllib.parse.parse_qsl(
        request.body.decode("utf-8", "replace"), keep_blank_values=True))


def name_operation(request):
    action = parse(request).get("Action")
    return action if action in ACTIONS else "UnknownAction"


def answer(world, operation, request):
    form = parse(request)
    if operation not in ACTIONS or form.get("Version") != "2011-06-15":
        raise Refusal(400, "InvalidAction", "Could not find operation for version")
    return ACTIONS[operation](world, request, form)


def assume_role(world, request, form):
    caller = sigv4.check(world, request, "sts", world.get("sts.region"))
    arn = check_form(world, form, CHAINED_MAX_S if ":assumed-role/" in caller.arn else None)
    role = world.roles.get(arn, {})
    if "deny" in role or role.get("trust", "") not in caller.arn or role.get(
            "external-id", form.get("ExternalId")) != form.get("ExternalId"):
        raise Refusal(403, "AccessDenied", f"User: {caller.arn} is not authorized to perform: "
                      f"sts:AssumeRole on resource: {arn}")
    return give_keys(world, "AssumeRole", form, {})


def assume_role_with_web_identity(world, _, form):
    arn = check_form(world, form)
    expired = world.identities.get(form.get("WebIdentityToken"))
    if expired is None:
        raise Refusal(400, "InvalidIdentityToken",
                      "No OpenIDConnect provider found in your account for the token")
    if expired:
        raise Refusal(400, "ExpiredTokenException",
                      "Token expired: current date/time must be before the expiration")
    if "deny" in world.roles.get(arn, {}):
        raise Refusal(403, "AccessDenied",
                      "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    return give_keys(world, "AssumeRoleWithWebIdentity", form, {
        "SubjectFromWebIdentityToken": "system:serviceaccount:jobs:haul",
        "Provider": "arn:aws:iam::123456789012:oidc-provider/oidc.test",
        "Audience": "sts.amazonaws.com"})


def get_caller_identity(world, request, _):
    caller = sigv4.check(world, request, "sts", world.get("sts.region"))
    return Reply(200, "text/xml", wrap("GetCallerIdentity", {
        "Arn": caller.arn, "UserId": caller.key_id, "Account": "123456789012"}))


ACTIONS = {"AssumeRole": assume_role, "GetCallerIdentity": get_caller_identity,
           "AssumeRoleWithWebIdentity": assume_role_with_web_identity}


def check_form(world, form, most_s=None):
    """The role's ARN of a form that is in order."""
    arn, session = form.get("RoleArn", ""), form.get("RoleSessionName", "")
    seconds = form.get("DurationSeconds", "3600")
    limit_s = int(world.roles.get(arn, {}).get("max-s", world.settings["sts.max-s"]))
    if not ARN.match(arn):
        raise Refusal(400, "ValidationError", f"{arn} is invalid")
    if not SESSION.match(session):
        raise Refusal(400, "ValidationError", f"1 validation error detected: Value '{session}' "
                      "at 'roleSessionName' failed to satisfy constraint")
    if not seconds.isdecimal() or not 900 <= int(seconds) <= 43200:
        raise Refusal(400, "ValidationError", f"1 validation error detected: Value '{seconds}' "
                      "at 'durationSeconds' failed to satisfy constraint")
    if int(seconds) > limit_s:
        raise Refusal(400, "ValidationError", "The requested DurationSeconds exceeds the "
                      "MaxSessionDuration set for this role.")
    if most_s is not None and int(seconds) > most_s:
        raise Refusal(400, "ValidationError", "The requested DurationSeconds exceeds the 1 "
                      "hour session limit for roles assumed by role chaining")
    return arn


def give_keys(world, action, form, more):
    """Fresh keys; with `sts.fixed yes` always the same for a role."""
    account, name = ARN.match(form["RoleArn"]).groups()
    session = f"arn:aws:sts::{account}:assumed-role/{name}/{form['RoleSessionName']}"
    seconds = float(world.get("sts.lifetime-s") or form.get("DurationSeconds", "3600"))
    number = 0 if world.settings["sts.fixed"] == "yes" else None
    key = world.make_key(name, seconds, session, number)

    def render(keys):
        return wrap(action, {"Credentials": {
            {"Token": "SessionToken"}.get(n, n): keys[n] for n in keys},
            "AssumedRoleUser": {"AssumedRoleId": f"AROA123EXAMPLE:{form['RoleSessionName']}",
                                "Arn": session}} | more)

    return Reply(200, "text/xml", stamp=iso, render=render, keys={
        "AccessKeyId": key.key_id, "SecretAccessKey": key.secret, "Token": key.token,
        "Expiration": iso(key.expires)})


def to_xml(tree):
    if isinstance(tree, dict):
        return "".join(f"<{name}>{to_xml(value)}</{name}>" for name, value in tree.items())
    return escape(tree)


def wrap(action, result):
    return (f'<{action}Response xmlns="{SPACE}">' + to_xml({
        f"{action}Result": result,
        "ResponseMetadata": {"RequestId": "c6104cbe-af31-11e0-8154-cbc7ccf896c7"}})
        + f"</{action}Response>\n")


def refuse(refusal):
    return Reply(refusal.status, "text/xml", f'<ErrorResponse xmlns="{SPACE}">' + to_xml({
        "Error": {"Type": "Sender" if refusal.status < 500 else "Receiver",
                  "Code": refusal.code, "Message": refusal.message},
        "RequestId": "c6104cbe-af31-11e0-8154-cbc7ccf896c7"}) + "</ErrorResponse>\n")
