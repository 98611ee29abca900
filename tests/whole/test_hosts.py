"""AWS's hosts as botocore's rules make them, beside those of haul's presigned URLs: every kind of
region, option and bucket's name."""

import os
from functools import lru_cache
from itertools import product
from urllib.parse import parse_qs, urlsplit

import botocore.exceptions
import botocore.session
import pytest
from botocore.config import Config

REGIONS = [
    "us-east-1", "eu-central-1", "ap-southeast-3", "xx-new-9", "cn-north-1", "cn-northwest-1",
    "us-gov-west-1", "us-gov-east-1", "us-iso-east-1", "us-isob-east-1",
]
OPTIONS = [
    {word for word, wanted in zip(("dualstack", "fips", "accelerate"), choice) if wanted}
    for choice in product((False, True), repeat=3)
]
BUCKETS = ["bkt", "my.bkt", "My_Bkt", "b" * 63]
KEY = "a/b"


@lru_cache
def client_of(region, dualstack, fips, accelerate, addressing):
    return botocore.session.Session().create_client(
        "s3", region, aws_access_key_id="AKID", aws_secret_access_key="secret",
        config=Config(
            use_dualstack_endpoint=dualstack, use_fips_endpoint=fips,
            s3={
                "use_accelerate_endpoint": accelerate, "addressing_style": addressing,
                # Or us-east-1 would be the host of old, s3.amazonaws.com, which asks for other
                # regions' buckets, too. haul always names the region.
                "us_east_1_regional_endpoint": "regional",
            }))


def theirs(region, options, bucket, addressing):
    """What botocore's rules say: (host, path, region of the signature); None: they refuse."""
    client = client_of(
        region, "dualstack" in options, "fips" in options, "accelerate" in options, addressing)
    operation = client.meta.service_model.operation_model("GetObject")
    try:
        found = client._ruleset_resolver.construct_endpoint(
            operation, {"Bucket": bucket, "Key": KEY}, {})
    except botocore.exceptions.BotoCoreError:
        return None
    url = urlsplit(found.url)
    return url.hostname, f"{url.path}/{KEY}", found.properties["authSchemes"][0]["signingRegion"]


def ours(haul, region, options, bucket, addressing):
    """The same of the URL that haul presigns; None: it refuses."""
    config = haul.home / "config"
    config.write_text("[default]\ns3 =\n"
                      f"  use_accelerate_endpoint = {'accelerate' in options}\n"
                      f"  addressing_style = {addressing}\n")
    # Hundreds of them: by the program that has no sanitizers.
    done = haul.run("presign", f"s3://{bucket}/{KEY}", program=os.environ["HAUL_PLAIN"], env={
        "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": region,
        "AWS_CONFIG_FILE": str(config),
        "AWS_USE_DUALSTACK_ENDPOINT": str("dualstack" in options).lower(),
        "AWS_USE_FIPS_ENDPOINT": str("fips" in options).lower()})
    if done.returncode != 0:
        assert "AWS" in done.stderr or "accelerate" in done.stderr, done.stderr
        return None
    url = urlsplit(done.stdout.strip())
    # .hostname is in lower case, and haul writes no other.
    assert (url.scheme, url.netloc) == ("https", url.hostname)
    return url.hostname, url.path, parse_qs(url.query)["X-Amz-Credential"][0].split("/")[2]


def deliberate(region, options, bucket):
    """What haul is to say: what the rules do, but for three reasons."""
    label = "." not in bucket and bucket.islower()
    if "accelerate" in options and "fips" not in options and label \
            and region.startswith(("us-gov-", "us-iso")):
        return None  # the rules make a name up: AWS has no such hosts there
    if "dualstack" in options and region.startswith("us-iso"):
        return None  # the same; botocore's partitions.json says supportsDualStack: false
    if options in ({"fips"}, {"fips", "dualstack"}) and not label \
            and not region.startswith("cn-"):
        # These rules, of 2022, refuse the bucket in the path under FIPS; today's take it.
        dualstack = "dualstack." if "dualstack" in options else ""
        domain = {"us-iso-": "c2s.ic.gov", "us-isob": "sc2s.sgov.gov"}.get(
            region[:7], "amazonaws.com")
        return f"s3-fips.{dualstack}{region}.{domain}", f"/{bucket}/{KEY}", region
    return theirs(region, options, bucket, "auto")


@pytest.mark.parametrize("region", REGIONS)
def test_hosts_are_those_of_botocore_s_rules(haul, region):
    for options, bucket in product(OPTIONS, BUCKETS):
        expected = deliberate(region, options, bucket)
        assert ours(haul, region, options, bucket, "auto") == expected, (options, bucket)


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1"])
def test_a_bucket_in_the_path_stays_there_where_options_allow(haul, region):
    for options, bucket in product([set(), {"dualstack"}], ["bkt", "my.bkt"]):
        expected = theirs(region, options, bucket, "path")
        assert expected[1] == f"/{bucket}/{KEY}"
        assert ours(haul, region, options, bucket, "path") == expected, (options, bucket)


def test_fips_and_accelerate_exclude_each_other_in_every_region(haul):
    for region in REGIONS:
        assert theirs(region, {"fips", "accelerate"}, "bkt", "auto") is None
        assert ours(haul, region, {"fips", "accelerate"}, "bkt", "auto") is None


@pytest.mark.parametrize("region", ["evil.example/", "a b", "EU", "-", "#"])
def test_what_is_no_region_makes_no_host(haul, region):
    assert ours(haul, region, set(), "bkt", "auto") is None
