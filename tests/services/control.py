"""What /-/ does: settings, faults, gates, the log. README.md lists the calls."""
import json
import threading
import urllib.parse

from world import SETTINGS, Key

ACTIONS = {  # name: has it a value
    "status": True, "code": True, "delay-ms": True, "gate": True, "trickle": True,
    "truncate": True, "skew-s": True, "expires-s": True, "expires": True, "without": True,
    "text": True, "content-type": True, "location": True, "malformed": False, "huge": False,
    "empty": False, "reset": False,
}


class Fault:
    """One line: which requests it strikes, and what happens to them."""

    def __init__(self, line):
        self.operation, *words = line.split()
        self.nth = self.every = self.count = None
        self.actions, self.seen, self.struck, when = {}, 0, 0, 0
        for word in words:
            name, equals, value = word.partition("=")
            when += name in ("nth", "every", "always")
            if name in ("nth", "every", "count") and int(value) > 0:
                setattr(self, name, int(value))
            elif word == "always":
                pass
            elif name in ACTIONS and ACTIONS[name] == bool(equals):
                self.actions[name] = urllib.parse.unquote(value, errors="surrogateescape")
            else:
                raise ValueError(f"not an action: {word}")
        if when != 1 or not self.actions:
            raise ValueError("one of nth=, every=, always, and an action")

    def strikes(self, service, operation):
        if self.operation not in ("*", service, operation):
            return False
        self.seen += 1
        if self.count is not None and self.struck >= self.count:
            return False
        hit = self.seen == self.nth or self.nth is None and self.seen % (self.every or 1) == 0
        self.struck += hit
        return hit


class Control:
    def __init__(self, world):
        self.world = world
        self.changed = threading.Condition()
        self.entries, self.faults = [], []
        self.gates, self.waiting = set(), {}  # closed ones; how many hang at each

    # ---- For the services ----

    def begin(self, service, operation):
        """The faults that strike this request, as one dict."""
        with self.changed:
            struck = [f.actions for f in self.faults if f.strikes(service, operation)]
        return {name: value for actions in struck for name, value in actions.items()}

    def pass_gate(self, gate):
        with self.changed:
            self.waiting[gate] = self.waiting.get(gate, 0) + 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: gate not in self.gates)
            self.waiting[gate] -= 1

    def log(self, service, operation, request, reply, fault):
        with self.changed:
            self.entries.append({
                "seq": len(self.entries) + 1, "service": service, "op": operation,
                "method": request.method, "target": request.target, "headers": request.headers,
                "body": request.body.decode("utf-8", "replace"),
                "status": 0 if "reset" in fault else reply.status, "fault": sorted(fault)})
            self.changed.notify_all()

    # ---- For tests ----

    def answer(self, request):
        verb, _, name = request.path.removeprefix("/-/").partition("/")
        call = getattr(self, f"{request.method.lower()}_{verb}", None)
        if call is None:
            return 404, "text/plain", f"no such call: {request.method} {request.path}\n"
        try:
            text = request.body.decode("utf-8", "surrogateescape")
            return 200, "text/plain", call(name, request.query, text) or ""
        except (ValueError, KeyError, TypeError) as error:
            return 400, "text/plain", f"{request.target}: {error!r}\n"

    def get_log(self, name, *_):
        with self.changed:
            return "".join(json.dumps(e) + "\n" for e in self.entries if name in ("", e["op"]))

    def get_count(self, name, query, _):
        """Waits until there have been n, when asked for that."""
        def count():
            return sum(name in ("", e["op"], e["service"]) for e in self.entries)
        with self.changed:
            self.changed.wait_for(lambda: count() >= int(query.get("n", 0)))
            return f"{count()}\n"

    def post_reset(self, *_):
        with self.changed:
            self.entries.clear()

    def post_faults(self, _, __, text):
        lines = [line for line in text.splitlines() if line.strip() and line[0] != "#"]
        faults = [Fault(line) for line in lines]
        with self.changed:
            self.faults += faults
            self.gates |= {f.actions["gate"] for f in faults if "gate" in f.actions}

    def delete_faults(self, *_):
        with self.changed:
            self.faults.clear()
            self.gates.clear()
            self.changed.notify_all()

    def post_open(self, gate, *_):
        with self.changed:
            self.gates.discard(gate)
            self.changed.notify_all()

    def get_waiting(self, gate, query, _):
        with self.changed:
            self.changed.wait_for(
                lambda: self.waiting.get(gate, 0) >= int(query.get("n", 1)))

    def post_set(self, _, __, text):
        special = {"key": self._key, "role": self._role, "identity": self._identity,
                   "identity-expired": self._identity_expired}
        with self.world.lock:
            for line in filter(None, text.splitlines()):
                name, _, value = line.partition(" ")
                if name in special:
                    special[name](value)
                elif name in SETTINGS:
                    self.world.settings[name] = value
                else:
                    raise ValueError(f"not a setting: {name}")

    def _key(self, value):
        key_id, secret, *rest = value.split(" ")
        expires = self.world.now() + float(rest[1]) if len(rest) > 1 else None
        self.world.known[key_id] = Key(
            key_id, secret, rest[0] if rest and rest[0] != "-" else None, expires,
            f"arn:aws:iam::123456789012:user/{key_id}")

    def _role(self, value):
        arn, *words = value.split(" ")
        self.world.roles[arn] = {n: v for n, _, v in (word.partition("=") for word in words)}

    def _identity(self, value):
        self.world.identities[value] = False

    def _identity_expired(self, value):
        self.world.identities[value] = True

    def post_rotate(self, service, *_):
        with self.world.lock:
            self.world.current.pop(service, None)

    def post_expire(self, name, *_):
        with self.world.lock:
            if name == "metadata-tokens":
                self.world.metadata_tokens.clear()
            else:
                self.world.expire_key(name)

    def get_key(self, key_id, *_):
        with self.world.lock:
            key = self.world.known[key_id]
        return json.dumps(vars(key)) + "\n"
