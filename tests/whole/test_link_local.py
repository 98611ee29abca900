"""The services at the addresses where they really are, port 80 and all, in a network namespace
of the test's own: relative URIs of containers, instances and both of their address families.
"""

import ctypes
import os
import subprocess

import pytest
from resolve import Job, check_different, check_same
from resolve_cases import CONTAINER, ENV, PATIENT, ROLE, Case

ADDRESSES = ["127.0.0.1/8", "169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32",
             "fd00:ec2::254/128", "fd00:ec2::23/128"]
CLONE_NEWNET = 0x40000000
NOBODY = "http://127.0.0.1:1"

INSTANCE = {"AWS_EC2_METADATA_DISABLED": "false"} | PATIENT
RELATIVE = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/id?x=a%20b"}


@pytest.fixture
def namespace():
    """This thread's network, and that of all it starts, is a lone loopback meanwhile."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(CLONE_NEWNET) != 0:
            pytest.skip(f"no network namespace can be made: {os.strerror(ctypes.get_errno())}")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
        assert libc.setns(home, CLONE_NEWNET) == 0
    finally:
        os.close(home)


@pytest.fixture
def there(namespace, new_services):
    """The services at all of their addresses, and at one of loopback."""
    listen = ["--listen", "127.0.0.1:0"]
    for address in ADDRESSES:
        # Those of IPv6 would otherwise be tried for duplicates first.
        nodad = ["nodad"] if ":" in address else []
        subprocess.run(["ip", "address", "replace", address, "dev", "lo", *nodad], check=True)
        host = address.partition("/")[0]
        listen += ["--listen", f"[{host}]:80" if ":" in host else f"{host}:80"]
    return new_services(*listen)


def hosts(services, operation):
    return {entry["headers"]["host"].removesuffix(":80") for entry in services.log(operation)}


CASES = [
    (Case("a relative URI", "container", RELATIVE), "169.254.170.2"),
    (Case("a relative URI goes before a full one", "container", RELATIVE | CONTAINER),
     "169.254.170.2"),
    (Case("a relative URI with a token", "container",
          RELATIVE | {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "abc"},
          services="container.authorization abc"), "169.254.170.2"),
    (Case("a full URI of a container", "container", {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/v2/credentials/id"}),
     "169.254.170.2"),
    (Case("an instance", "instance", INSTANCE), "169.254.169.254"),
    (Case("an instance by IPv6", "instance",
          INSTANCE | {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}), "[fd00:ec2::254]"),
    (Case("a role of an instance", "role", INSTANCE, (
        f"[default]\nrole_arn = {ROLE}\ncredential_source = Ec2InstanceMetadata\n")),
     "169.254.169.254"),
    (Case("a role of a container", "role", RELATIVE, (
        f"[default]\nrole_arn = {ROLE}\ncredential_source = EcsContainer\n")), "169.254.170.2"),
]

DIFFERENT = [
    (Case("a pod of EKS", None, haul="container", haul_key_id="ASIACONTAINER000001", env={
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"},
        why="this boto3 doesn't know EKS's addresses"), "169.254.170.23"),
    (Case("a pod of EKS by IPv6", None, haul="container", haul_key_id="ASIACONTAINER000001",
          env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[fd00:ec2::23]/v1/credentials"},
          why="this boto3 doesn't know EKS's addresses"), "[fd00:ec2::23]"),
    (Case("an instance with a proxy", None, haul="instance", haul_key_id="ASIAIMDS000000001",
          env=INSTANCE | {"http_proxy": NOBODY, "no_proxy": "127.0.0.1"},
          why="what is on the link is not behind a proxy"), "169.254.169.254"),
]


def operation(case):
    asks_instance = "AWS_EC2_METADATA_DISABLED" in case.env
    return "GetInstanceKeys" if asks_instance else "GetContainerKeys"


@pytest.mark.parametrize("case, host", CASES, ids=[str(case) for case, _ in CASES])
def test_services_are_found_where_they_are(case, host, haul, there):
    check_same(Job(case, haul, there))
    assert hosts(there, operation(case)) == {host}


@pytest.mark.parametrize("case, host", DIFFERENT, ids=[str(case) for case, _ in DIFFERENT])
def test_services_are_found_where_this_boto3_does_not_look(case, host, haul, there):
    check_different(Job(case, haul, there))
    assert hosts(there, operation(case)) == {host}


@pytest.mark.parametrize("env", [INSTANCE, RELATIVE], ids=["instance", "container"])
def test_elsewhere_there_are_no_keys(env, haul, namespace, new_services):
    """Case 48."""
    check_same(Job(Case("elsewhere", None, env), haul, new_services()))


def test_nobody_is_asked_for_keys_that_are_at_hand(haul, there):
    job = Job(Case("keys at hand", "environment", ENV | INSTANCE | RELATIVE), haul, there)
    check_same(job)
    assert there.count("imds") == there.count("container") == 0
