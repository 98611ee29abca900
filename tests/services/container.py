"""The credentials of a container: the agents of ECS (/v2/credentials/ID) and EKS
(/v1/credentials).
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html"""
from world import Refusal, Reply, iso, to_json

NAME = "container"
ROLE = "arn:aws:iam::123456789012:role/task-role"


def is_mine(request):
    return request.path.startswith(("/v1/credentials", "/v2/credentials"))


def name_operation(_):
    return "GetContainerKeys"


def answer(world, _, request):
    if request.method != "GET":
        raise Refusal(405, "MethodNotAllowed", "GET alone is allowed")
    wanted = world.get("container.authorization")
    if wanted is not None and request.headers.get("authorization") != wanted:
        raise Refusal(401, "InvalidAuthorization", "the authorization token is not valid")
    wanted, name = world.get("container.id"), request.path.rpartition("/")[2]
    if wanted is not None and name != wanted:
        raise Refusal(400, "InvalidIdInRequest", "CredentialsV2Request: ID not found")
    key = world.give(NAME, "arn:aws:sts::123456789012:assumed-role/task-role/task")
    return Reply(200, "application/json", stamp=iso, render=to_json, keys={
        "RoleArn": ROLE, "AccessKeyId": key.key_id, "SecretAccessKey": key.secret,
        "Token": key.token, "Expiration": iso(key.expires)})


def refuse(refusal):
    return Reply(refusal.status, "application/json", to_json(
        {"code": refusal.code, "message": refusal.message, "HTTPErrorCode": refusal.status}))
