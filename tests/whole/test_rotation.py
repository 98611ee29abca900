"""What orchestrators and other tools replace while a job runs: files with tokens for the services
that give keys, and files with keys. The stale ones are worth nothing from then on, and the job does
not notice.
"""

import os

import pytest
from scene import Scene, upload

ROLE = "arn:aws:iam::123456789012:role/nightly"


class Container:
    """The service beside a container; its token is a mounted file."""

    credentials, operation = "container", "GetContainerKeys"

    def __init__(self, folder, services):
        self.services, self.file = services, folder / "token"
        self.env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{services.url}/v1/credentials",
                    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(self.file)}
        self.give("first")

    def give(self, token):
        replace(self.file, token)
        self.services.set(f"container.authorization {token}")
        self.services.rotate("container")

    def shown(self):
        return [entry["headers"]["authorization"] for entry in self.services.log(self.operation)]


class WebIdentity:
    """A service account's token, which STS takes."""

    credentials, operation = "web_identity", "AssumeRoleWithWebIdentity"

    def __init__(self, folder, services):
        self.services, self.file = services, folder / "token"
        self.env = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(self.file), "AWS_ROLE_ARN": ROLE,
                    "AWS_ENDPOINT_URL_STS": services.url}
        self.given = None
        self.give("first")

    def give(self, token):
        stale = f"identity-expired {self.given}\n" if self.given else ""
        self.given = token
        replace(self.file, token)
        self.services.set(f"{stale}identity {token}")

    def shown(self):
        return [word.partition("=")[2] for entry in self.services.log(self.operation)
                for word in entry["body"].split("&") if word.startswith("WebIdentityToken=")]


class File:
    """Keys of a session in the credentials file, which another tool keeps fresh."""

    credentials = {"profile": "corp"}

    def __init__(self, folder, services):
        self.file = folder / "credentials"
        self.env = {"AWS_SHARED_CREDENTIALS_FILE": str(self.file)}
        self.give("first")

    def give(self, token):
        replace(self.file, f"[corp]\naws_access_key_id = ASIA{token.upper()}\n"
                           f"aws_secret_access_key = hush\naws_session_token = {token}\n")

    def shown(self):
        return None


def replace(path, text):
    """As orchestrators do it: there is always a whole file."""
    new = path.with_suffix(".new")
    new.write_text(text + "\n")
    new.rename(path)


@pytest.mark.parametrize("kind", [Container, WebIdentity, File], ids=lambda kind: kind.__name__)
def test_what_is_replaced_while_a_job_runs_is_read_again(
        haul, new_endpoint, services, tmp_path, kind):
    """Case 49."""
    scene = Scene(haul, new_endpoint(keys=None), tmp_path)
    scene.env |= {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    source = kind(tmp_path, services)
    names = {f"{n:02}": os.urandom(1000) for n in range(20)}
    scene.endpoint.fault("PutObject nth=5 gate=rotating\n"
                         "PutObject nth=5 status=400 code=ExpiredToken")
    running = scene.start_run(upload(scene.files(names)), env=source.env,
                              store={"credentials": source.credentials}, concurrency=1)
    scene.endpoint.wait_at("rotating")
    source.give("second")
    scene.endpoint.open("rotating")
    scene.end(running)
    assert scene.stored() == names
    assert source.shown() in (None, ["first", "second"])
    tokens = [entry["x-amz-security-token"] for entry in scene.endpoint.headers("PutObject")]
    assert len(tokens) == 21 and len(set(tokens)) == 2
    assert tokens == [tokens[0]] * 5 + [tokens[-1]] * 16
