"""Holds the manifest's JSON Schema and haul's own parser together: what the one takes or
refuses, so does the other, and both know the same fields."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = ROOT / "tests/data/manifests"
SCHEMA = json.loads((ROOT / "schema/manifest.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
ENVIRONMENT = {
    "HAUL_TEST_DIR": "/srv/data",
    "HAUL_TEST_KEY": "AKIDEXAMPLE",
    "HAUL_TEST_SECRET": "secret",
}

# Faults that a schema can't see, and why.
UNSEEN = {
    "the schema sees data, YAML's own forms are gone by then": """
        alias duplicate-endpoint duplicate-key duplicate-key-deep tag tag-directive""",
    "variables are looked up in the file or in the environment": """
        client-key-password-unset credentials-unset empty-date missing-environment missing-environment-in-place
        no-variables unclosed-variable unknown-date unknown-source unknown-variable
        variable-bomb variable-cycle variable-expands-to-nothing variable-of-itself""",
    "one value depends on another": """
        dot-key-to-folder folder-to-key bucket-to-file include-for-one-file key-long-with-name
        prefix-to-file unknown-endpoint unknown-endpoint-far""",
    "two transfers meet": """
        download-into-upload file-above-folder file-and-folder one-file-twice
        one-file-twice-by-base one-folder-twice one-key-twice one-key-twice-by-name
        one-prefix-twice three-of-one upload-inside-download upload-into-download
        upload-of-a-downloaded-file""",
    "more than its patterns tell": """
        bucket-dots bucket-ip include-pattern key-long part-size-overflow path-dot path-long
        path-long-with-name path-up path-up-later url-long part-size-large part-size-small""",
}


class Plain(yaml.SafeLoader):
    """YAML as haul takes it: a number is decimal, truth is true or false, the rest is text."""

    yaml_implicit_resolvers = {}

    def flatten_mapping(self, node):
        """No merge keys."""


def resolve(tag, pattern, first):
    Plain.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), first)


resolve("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""])
resolve("bool", r"^(true|false)$", ["t", "f"])
resolve("int", r"^(0|-?[1-9][0-9]*)$", list("-0123456789"))


def names(folder):
    return sorted(path.stem for path in (MANIFESTS / folder).glob("*.yaml"))


def unseen():
    return {name for group in UNSEEN.values() for name in group.split()}


def fits_schema(path):
    try:
        data = yaml.load(path.read_bytes(), Plain)
    except (yaml.YAMLError, UnicodeDecodeError):
        return False
    return VALIDATOR.is_valid(data)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", names("good"))
def test_a_good_manifest_is_taken_by_both(haul, name):
    path = MANIFESTS / "good" / f"{name}.yaml"
    VALIDATOR.validate(yaml.load(path.read_bytes(), Plain))
    done = haul.run("check", path, env=ENVIRONMENT)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", names("bad"))
def test_a_bad_manifest_is_refused_by_both(haul, name):
    """Case 71."""
    path = MANIFESTS / "bad" / f"{name}.yaml"
    assert fits_schema(path) == (name in unseen())
    done = haul.run("check", path, env=ENVIRONMENT)
    assert done.returncode == 2
    told = re.findall(rf"^{re.escape(str(path.parent))}/(.*:\d+:\d+: .*)$", done.stderr, re.M)
    assert told == path.with_suffix(".expected").read_text().splitlines()


def test_the_table_of_unseen_faults_is_no_longer_than_it_must_be():
    assert unseen() <= set(names("bad"))


def properties(*path):
    node = SCHEMA
    for step in path:
        node = node[step]
    return set(node["properties"])


@pytest.mark.parametrize(
    "text, what, expected",
    [
        ("unknown: 1", "a manifest", properties()),
        ("defaults: {unknown: 1}", "defaults", properties("$defs", "defaults")),
        ("endpoints: {a: {unknown: 1}}", "an endpoint", properties("$defs", "endpoint")),
        (
            "endpoints: {a: {credentials: {unknown: 1}}}",
            "credentials",
            properties("$defs", "credentials", "anyOf", 2),
        ),
        ("transfers: [{unknown: 1}]", "a transfer", properties("$defs", "transfer")),
    ],
)
def test_schema_and_parser_know_the_same_fields(haul, text, what, expected):
    done = haul.run("check", haul.manifest(f"version: 1\nname: job\n{text}\n"))
    pattern = rf'"unknown" is no field of {what}: expected one of (.*)$'
    found = re.search(pattern, done.stderr, re.MULTILINE)
    assert found and set(found[1].split(", ")) == expected
