"""A case of resolve_cases.py: its home, environment and services; what boto3 makes of it, and
what haul does.
"""

import json
import pathlib
import re
import subprocess
import sys
import types
import urllib.parse

import sigv4
import world
from resolve_cases import KNOWN
from test_refusals import PAUSED, PLAIN_USER

FRESH = "sso.token sso-access-token\noidc.refresh-token sso-refresh-token\n"
BOTO = pathlib.Path(__file__).with_name("resolve_boto.py")

# What is in all secrets and tokens of the table's and the services'. URLs have it escaped.
SECRETS = ["/secret+", "/token", "identity.token", "-access-token", "-refresh-token"]

# botocore's credentials.method in haul's words.
SOURCES = {
    "env": "environment", "shared-credentials-file": "profile", "config-file": "profile",
    "custom-process": "process", "sso": "sso", "assume-role": "role",
    "assume-role-with-web-identity": "web_identity", "container-role": "container",
    "iam-role": "instance",
}


class Job:
    """A case's home, environment and services."""

    def __init__(self, case, haul, services):
        self.case, self.haul, self.services = case, haul, services
        self.known = KNOWN
        self.fill = {"{url}": services.url, "{home}": str(haul.home)}
        self.env = {k: v for k, v in haul.env.items() if not k.lower().endswith("_proxy")}
        self.env |= {"AWS_ENDPOINT_URL": services.url}
        self.env |= {name: self.filled(value) for name, value in case.env.items()}
        self.under = PLAIN_USER if case.plain_user else []

    def filled(self, text):
        for name, value in self.fill.items():
            text = text.replace(name, value)
        return text

    def prepare(self):
        """All as it was at first: a login that is refreshed leaves traces."""
        case, services = self.case, self.services
        files = {".aws/config": case.config, ".aws/credentials": case.credentials} | case.files
        for name, text in files.items():
            if text is not None:
                self.write(self.haul.home / name, text)
        if case.plain_user:
            (self.haul.home / ".aws/credentials").chmod(0)
        services.set(FRESH + self.known + case.services)
        services.clear()
        services.fault(case.faults)
        services.reset()

    def write(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else self.filled(text).encode())
        path.chmod(0o700)

    def run(self, *words):
        """What came of it, and what STS was asked meanwhile."""
        self.prepare()
        done = subprocess.run(
            [*self.under, *map(str, words)], env=self.env, cwd=self.haul.home, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
        return done, [
            self.question(entry) for entry in self.services.log() if entry["service"] == "sts"]

    def question(self, entry):
        """A request to STS as far as boto3 and haul should agree on it."""
        form = dict(urllib.parse.parse_qsl(entry["body"]))
        form.setdefault("DurationSeconds", "3600")
        if not self.case.session:
            form.pop("RoleSessionName", None)
        scope = re.search("Credential=([^/]+)/[0-9]+/([^/]+)/sts",
                          entry["headers"].get("authorization", ""))
        return form | {"signed by": scope and scope.groups()}

    def boto(self):
        done, asked = self.run(sys.executable, BOTO)
        return json.loads(done.stdout), asked

    def run_haul(self, *words):
        """What it prints, or None: it has no keys, and its one line says so; never a secret."""
        done, asked = self.run(self.haul.program, *words)
        for secret in SECRETS:
            assert secret not in done.stdout + done.stderr
        if done.returncode == 0:
            return done.stdout, asked
        lines = [line for line in done.stderr.splitlines() if line.startswith("haul: ")]
        assert done.returncode == PAUSED and len(lines) == 1, done.stderr
        return None, asked

    def whoami(self):
        printed, asked = self.run_haul("whoami", "--json")
        return printed and json.loads(printed), asked

    def presign(self):
        return self.run_haul("presign", "s3://bucket/a key")[0]


def check_signature(url, keys):
    """The presigned URL comes from those keys; else it raises what S3 would say."""
    here = world.World()
    here.known[keys["key_id"]] = world.Key(
        keys["key_id"], keys["secret"], keys["token"], None, "me")
    parts = urllib.parse.urlsplit(url)
    sigv4.check(here, types.SimpleNamespace(
        method="GET", path=urllib.parse.unquote(parts.path), raw_query=parts.query,
        query=dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True)),
        headers={"host": parts.netloc}, body=b""), "s3", keys["region"])


def without_repeats(questions):
    """Retries are as each likes."""
    return [q for n, q in enumerate(questions) if q not in questions[:n]]


def check_haul(job, source, region):
    """haul has keys by that source, or none."""
    told, asked = job.whoami()
    url = job.presign()
    if source is None:
        assert (told, url) == (None, None)
        return None, asked, None
    assert told is not None and url is not None
    assert (told["source"], told["region"]) == (source, region)
    return told, asked, url.strip()


def check_same(job):
    """haul resolves what boto3 does, which is what the case says."""
    case = job.case
    boto, boto_asked = job.boto()
    if case.source is None:
        assert "error" in boto, boto
        check_haul(job, None, None)
        return
    assert "error" not in boto, boto
    boto["region"] = boto["region"] or "us-east-1"
    assert (SOURCES[boto["source"]], boto["region"]) == (case.source, case.region)
    if case.source in ("environment", "profile", "process"):
        job.known += f"key {boto['key_id']} {boto['secret']} {boto['token'] or '-'}\n"
    told, asked, url = check_haul(job, case.source, case.region)
    assert (told["key_id"], told["accepted"]) == (boto["key_id"][-4:], True)
    check_signature(url, boto)
    assert without_repeats(asked) == without_repeats(boto_asked)


def check_different(job):
    """boto3 and haul resolve what the case says for each."""
    case = job.case
    boto, _ = job.boto()
    assert SOURCES.get(boto.get("source")) == case.source, boto
    told = check_haul(job, case.haul, case.haul_region or case.region)[0]
    if told is not None:
        assert (told["key_id"], told["accepted"]) == (case.haul_key_id[-4:], True)
