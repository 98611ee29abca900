"""What the services have in common: the clock, settings, the keys that they have given and
know, and the shape of a reply."""
import datetime
import json
import threading
import time

# What `POST /-/set` may name, and what it is before. "-" stands for: none.
SETTINGS = {
    "clock.skew-s": "0",
    "imds.role": "job-role",
    "imds.region": "eu-central-1",
    "imds.code": "Success",
    "imds.lifetime-s": "21600",
    "imds.key": "-",
    "container.authorization": "-",
    "container.id": "-",
    "container.lifetime-s": "21600",
    "container.key": "-",
    "sts.lifetime-s": "-",
    "sts.max-s": "43200",
    "sts.region": "-",
    "sts.fixed": "no",
    "sso.token": "sso-access-token",
    "sso.account": "-",
    "sso.role": "-",
    "sso.lifetime-s": "3600",
    "sso.key": "-",
    "oidc.client-id": "-",
    "oidc.client-secret": "-",
    "oidc.refresh-token": "sso-refresh-token",
    "oidc.expired": "no",
    "oidc.lifetime-s": "3600",
    "s3.region": "-",
}


class Refusal(Exception):
    def __init__(self, status, code, message):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


class Reply:
    """A status, a body, and what else stands in the head. With keys, render(keys) is the body
    and stamp(moment) how this service writes a time."""

    def __init__(self, status, content_type, body=b"", headers=None, keys=None, render=None,
                 stamp=None):
        self.status, self.body = status, body
        self.headers = {"Content-Type": content_type} | (headers or {})
        self.keys, self.render, self.stamp = keys, render, stamp

    def finish(self):
        if self.render is not None:
            self.body, self.render = self.render(self.keys), None
        if isinstance(self.body, str):
            self.body = self.body.encode()


def iso(moment):
    """2026-01-31T12:00:00Z, as all but the SSO portal write it."""
    return datetime.datetime.utcfromtimestamp(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_json(document, indent=None):
    return json.dumps(document, indent=indent).encode()


class Key:
    """One set of keys. token None: keys of a user, for ever. arn: whose it is."""

    def __init__(self, key_id, secret, token, expires, arn):
        self.key_id, self.secret, self.token = key_id, secret, token
        self.expires, self.arn = expires, arn


class World:
    def __init__(self):
        self.lock = threading.RLock()
        self.settings = dict(SETTINGS)
        self.known = {}  # key id -> Key
        self.current = {}  # service -> Key: what it gives until that expires
        self.made = 0
        self.metadata_tokens = {}  # token -> when it ends
        self.identities = {}  # web identity token -> has it expired
        self.roles = {}  # ARN -> {"external-id": ..., "trust": ..., "max-s": ..., "deny": ...}
        self.objects = {}  # path -> bytes

    def now(self):
        return time.time() + float(self.settings["clock.skew-s"])

    def get(self, name):
        """A setting, or None for "-"."""
        value = self.settings[name]
        return None if value == "-" else value

    def make_key(self, label, lifetime_s, arn, number=None):
        """Fresh keys, which all services know from now on. The label is seen in them."""
        with self.lock:
            self.made += 1
            number = self.made if number is None else number
            plain = "".join(c for c in label.upper() if c.isalnum())
            key = Key(f"ASIA{plain[-8:]:0<8}{number:08}", f"{label}/secret+{number}/{'s' * 20}",
                      f"{label}/token+{number}//{'t' * 40}==", self.now() + lifetime_s, arn)
            self.known[key.key_id] = key
            return key

    def give(self, service, arn):
        """The keys of a service that gives the same ones until they expire or are rotated, or
        those that its setting `key` names."""
        with self.lock:
            lifetime_s = float(self.settings[f"{service}.lifetime-s"])
            fixed = self.get(f"{service}.key")
            if fixed is not None:
                key = Key(*fixed.split(" "), self.now() + lifetime_s, arn)
                self.known[key.key_id] = key
                return key
            key = self.current.get(service)
            if key is None or key.expires <= self.now():
                key = self.current[service] = self.make_key(service, lifetime_s, arn)
            return key

    def expire_key(self, key_id):
        with self.lock:
            self.known[key_id].expires = self.now()
            for service, key in list(self.current.items()):
                if key.key_id == key_id:
                    del self.current[service]
