"""Prints what boto3 resolves from this process's environment, in one JSON object: source key_id
secret token region, or error. Run by test_resolve.py.
"""

import json
import os

import boto3
import botocore.session
import botocore.utils

# Debian's botocore knows no AWS_ENDPOINT_URL yet.
create_client = botocore.session.Session.create_client


def create_client_there(self, service, *args, **more):
    if service in ("sts", "sso", "sso-oidc"):
        more["endpoint_url"] = os.environ["AWS_ENDPOINT_URL"]
    if service == "sts" and self.get_config_variable("region") is None:
        more["region_name"] = "us-east-1"  # as without an endpoint_url
    return create_client(self, service, *args, **more)


botocore.session.Session.create_client = create_client_there
botocore.utils.ContainerMetadataFetcher.SLEEP_TIME = 0


def resolve():
    session = boto3.Session()
    credentials = session.get_credentials()
    if credentials is None:
        return {"error": "no credentials"}
    frozen = credentials.get_frozen_credentials()
    return {"source": credentials.method, "key_id": frozen.access_key,
            "secret": frozen.secret_key, "token": frozen.token or None,
            "region": session.region_name}


try:
    print(json.dumps(resolve()))
except Exception as error:  # whatever it is, boto3 has no keys
    print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
