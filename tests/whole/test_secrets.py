"""Whatever a run leaves behind is searched for every secret that it used: queues, logs, reports,
error texts, temporary files, the process list. Secrets come from each kind of source, and are
looked for as they are, percent-encoded, escaped, in base64 at any place, and in hex.

A presigned URL carries the session token, since a server wants it there; it never carries the
secret key. That is the one exception.
"""

import base64
import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import urllib.parse

import pytest
from resolve_cases import PAST, PATIENT, REFRESH, ROLE, SESSION, login
from queuefile import DONE, PAUSED, SOME_FAILED, USAGE
from scene import BUCKET, PART, Scene, download, upload

KEY_ID, SECRET, TOKEN = "AKIDGIVEN", "given/secret+key/0123456789", "given//token+0123456789=="
KEYS = f"aws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"
SIZES = {"a": 10, "b": 20, "big": 3 * PART + 1}


def forms(secret):
    """What a secret may look like where it should not be."""
    raw = secret.encode()
    quoted = urllib.parse.quote(secret, safe="")
    yield from {raw, quoted.encode(), urllib.parse.quote(secret).encode(), raw.hex().encode(),
                re.sub("%..", lambda escape: escape[0].lower(), quoted).encode(),
                json.dumps(secret)[1:-1].encode(), secret.replace("/", "\\/").encode()}
    for skipped, lost in enumerate((0, 2, 3)):  # bytes before it, characters they have a part in
        whole = (skipped + len(raw)) * 8 // 6
        for encode in base64.b64encode, base64.urlsafe_b64encode:
            yield encode(bytes(skipped) + raw)[lost:whole]


class Leftovers:
    """All that the commands of a test have printed and left, but for what lies in `given`."""

    def __init__(self, folder):
        self.folder, self.printed, self.secrets = folder, [], set()
        self.given = folder / "given"
        self.given.mkdir()

    def give(self, name, text):
        path = self.given / name
        path.write_text(text)
        return str(path)

    def keep(self, done):
        self.printed.append((str(done.args), (done.stdout + done.stderr).encode(
            errors="surrogateescape")))

    def files(self):
        return [path for path in self.folder.rglob("*")
                if path.is_file() and not path.is_symlink() and self.given not in path.parents]

    def places(self):
        yield from self.printed
        for path in self.files():
            with contextlib.suppress(FileNotFoundError):  # it has got another name
                yield str(path), path.name.encode() + b"\n" + path.read_bytes()

    def found(self):
        """[(secret, where)]; empty: there is none."""
        return [(secret, where) for where, data in self.places() for secret in self.secrets
                if any(form in data for form in forms(secret))]


def family(pid):
    """A process and all that descend from it."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    parent = int(stat.read().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it has ended
            children.setdefault(parent, []).append(int(entry))
    pids = [pid]
    for one in pids:
        pids += children.get(one, [])
    return pids


def process_list(pid):
    lines = []
    for one in family(pid):
        with open(f"/proc/{one}/cmdline", "rb") as cmdline, open(f"/proc/{one}/comm", "rb") as comm:
            lines.append(cmdline.read() + b" " + comm.read())
    return b"\n".join(lines)


# ---- Where keys come from ----


class Source:
    """env, the manifest's `store`, and the secrets that the test knows beforehand."""

    def __init__(self, env=None, secrets=(), **store):
        self.env, self.secrets, self.store = env or {}, set(secrets), store


def environment(left, services):
    return Source({"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET,
                   "AWS_SESSION_TOKEN": TOKEN}, [SECRET, TOKEN])


def variables(left, services):
    return Source({"MY_ID": KEY_ID, "MY_SECRET": SECRET, "MY_TOKEN": TOKEN}, [SECRET, TOKEN],
                  credentials={"access_key_id": "${env:MY_ID}", "session_token": "${env:MY_TOKEN}",
                               "secret_access_key": "${env:MY_SECRET}"})


def profile(left, services):
    config = left.give("config", f"[profile x]\n{KEYS}aws_session_token = {TOKEN}\n")
    return Source({"AWS_CONFIG_FILE": config, "AWS_PROFILE": "x"}, [SECRET, TOKEN])


def process(left, services):
    keys = {"Version": 1, "AccessKeyId": KEY_ID, "SecretAccessKey": SECRET, "SessionToken": TOKEN,
            "Expiration": "2099-01-31T12:00:00Z"}
    path = left.give("keys.json", json.dumps(keys))
    config = left.give("config", f"[profile x]\ncredential_process = cat {path}\n")
    return Source({"AWS_CONFIG_FILE": config}, [SECRET, TOKEN], credentials={"profile": "x"})


def role(left, services):
    config = left.give("config", f"[default]\nrole_arn = {ROLE}\nsource_profile = base\n"
                                 f"[profile base]\n{KEYS}")
    return Source({"AWS_CONFIG_FILE": config}, [SECRET])


def container(left, services):
    token = left.give("token", "Bearer " + TOKEN)
    services.set(f"container.authorization Bearer {TOKEN}")
    return Source({"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{services.url}/v1/credentials",
                   "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token}, [TOKEN],
                  credentials="container")


def instance(left, services):
    return Source(PATIENT | {
        "AWS_EC2_METADATA_DISABLED": "false",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": services.url}, credentials="instance")


def web_identity(left, services):
    services.set(f"identity {TOKEN}")
    return Source({"AWS_WEB_IDENTITY_TOKEN_FILE": left.give("identity", TOKEN),
                   "AWS_ROLE_ARN": ROLE}, [TOKEN], credentials="web_identity")


def sso(left, services):
    """A login that has to be refreshed, which changes its file."""
    config = left.give("config", f"[default]\n{SESSION}")
    secrets = REFRESH | {"clientSecret": "sso/client/secret+key", "refreshToken": "sso/refresh+0=="}
    services.set("sso.token sso/access+0==\noidc.refresh-token sso/refresh+0==")
    [(path, text)] = login("work", PAST, **secrets, accessToken="sso/stale+0==").items()
    (left.given / path).parent.mkdir(parents=True)
    left.give(path, text)
    return Source({"AWS_CONFIG_FILE": config, "HOME": str(left.given)},
                  ["sso/access+0==", "sso/refresh+0==", "sso/stale+0==", "sso/client/secret+key"])


SOURCES = [environment, variables, profile, process, role, container, instance, web_identity, sso]


# ---- Everything that haul does with them ----


class Trace:
    """haul with a source's keys, whose traces are kept."""

    def __init__(self, haul, endpoint, services, folder, source):
        self.haul, self.endpoint, self.services = haul, endpoint, services
        self.left = Leftovers(folder)
        services.set(f"key {KEY_ID} {SECRET}")
        self.source = source(self.left, services)
        self.left.secrets |= self.source.secrets
        self.scene = Scene(haul, endpoint, folder)
        self.scene.env |= {"AWS_ENDPOINT_URL": services.url, "TMPDIR": str(folder)}
        self.scene.env |= self.source.env

    def manifest(self, *transfers, **more):
        return self.scene.manifest(*transfers, store=self.source.store, part_size=PART,
                                   concurrency=2, retries=0, **more)

    def __call__(self, *words, exit_code=DONE, **popen):
        done = self.scene.command(*words, exit_code=exit_code, **popen)
        self.left.keep(done)
        return done

    def learn(self):
        """The secrets that the services have given meanwhile."""
        requests = self.endpoint.headers()
        ids = {match[1] for request in requests
               if (match := re.search("Credential=(ASIA[^/]*)/", request.get("authorization", "")))}
        for key_id in ids:
            key = self.services.key(key_id)
            self.left.secrets |= {key["secret"], key["token"]}
        for entry in self.services.log():
            headers = entry["headers"]
            self.left.secrets |= {headers[name] for name in (
                "x-aws-ec2-metadata-token", "x-amz-sso_bearer_token", "x-amz-security-token")
                if name in headers}
        for path in self.left.given.rglob("cache/*.json"):
            login = json.loads(path.read_text())
            self.left.secrets |= {login["accessToken"], login["refreshToken"]}

    def check(self):
        self.learn()
        assert self.left.secrets and all(len(secret) > 8 for secret in self.left.secrets)
        assert self.left.found() == []


def exercise(trace):
    """Runs, failures, a crash, pauses and reports; each ends as it should."""
    scene, endpoint = trace.scene, trace.endpoint
    bodies = {name: os.urandom(size) for name, size in SIZES.items()}
    up = trace.manifest(upload(scene.files(bodies)), name="up")
    down = trace.manifest(download("", scene.out), name="down")
    trace("check", up)
    trace("plan", up, "--json")

    endpoint.fault("PutObject key=b always status=403 code=AccessDenied")
    trace("run", up, "--log", "json", exit_code=SOME_FAILED)
    for code in "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AccessDenied":
        endpoint.fault(f"* always status=403 code={code}")
        trace("run", up, "--new", exit_code=None)
        trace("whoami", exit_code=None)
        endpoint.clear()
    trace("run", up, "--new")

    endpoint.fault(f"GetObject range={PART} always gate=here")
    running = scene.start("run", down)
    endpoint.wait_at("here")
    trace.learn()
    trace.left.printed.append(("/proc", process_list(running.pid)))
    names = [path.name for path in trace.left.files()]
    assert any(name.endswith("-wal") for name in names), names
    assert any(name.endswith(".lock") for name in names), names
    assert any(name.endswith(".haul-part") for name in names), names
    assert trace.left.found() == []
    running.kill()
    running.communicate()
    endpoint.clear()
    endpoint.fault("GetObject always status=400 code=ExpiredToken")
    trace("resume", "down", "--log", "json", exit_code=PAUSED)
    trace("status", "down")
    trace("jobs", "--json")
    trace.learn()
    endpoint.clear()
    trace("resume", "down")
    for words in [("status", "up", "--json"), ("status", "up", "--failed"), ("status", "down"),
                  ("jobs",), ("jobs", "--json")]:
        trace(*words)
    for words in [("whoami", "store"), ("whoami", "store", "--json"), ("ls", "store://"),
                  ("ls", "-r", f"store://{BUCKET}/", "--json"), ("stat", f"store://{BUCKET}/a")]:
        trace(*words, "--manifest", up)
    assert {name: len(body) for name, body in scene.stored().items()} == SIZES


@pytest.fixture
def unsigned(new_endpoint):
    """An endpoint that takes any keys: those of the services are made up."""
    return new_endpoint(keys=None)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_no_secret_is_left_behind(haul, unsigned, services, tmp_path, source):
    """Case 51."""
    trace = Trace(haul, unsigned, services, tmp_path, source)
    exercise(trace)
    trace.check()


def test_the_search_finds_what_is_there(tmp_path):
    """Case 51."""
    left = Leftovers(tmp_path)
    left.secrets = {SECRET}
    for n in range(5):
        text = "x" * n + SECRET + "y" * n
        for form in (text.encode(), urllib.parse.quote(text, safe="").encode(),
                     base64.b64encode(text.encode()), base64.urlsafe_b64encode(text.encode()),
                     json.dumps(text).encode(), text.encode().hex().encode()):
            path = tmp_path / "queue.db-wal"
            path.write_bytes(b"\0\1" + form + b"\2")
            assert [where for _, where in left.found()] == [str(path)], form
    path.write_text("nothing")
    assert left.found() == []
    left.printed.append(("words", SECRET.encode()))
    assert len(left.found()) == 1


# ---- Secrets that are no keys ----


def test_a_client_key_s_password_is_not_left_behind(
        haul, new_endpoint, services, tmp_path_factory, tmp_path):
    folder = tmp_path_factory.mktemp("certificates")
    password = "client/key+password/0123456789"
    pairs = {}
    for name in "server", "client":
        pairs[name] = (f"{folder}/{name}.pem", f"{folder}/{name}.key")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
             "subjectAltName=IP:127.0.0.1", "-out", pairs[name][0], "-keyout", pairs[name][1]],
            check=True, capture_output=True)
    subprocess.run(["openssl", "ec", "-in", pairs["client"][1], "-aes256", "-passout",
                    f"pass:{password}", "-out", f"{folder}/locked.key"],
                   check=True, capture_output=True)

    def certificate(left, _):
        return Source(
            {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "PASSWORD": password},
            [password, SECRET], client_cert=pairs["client"][0],
            client_key=f"{folder}/locked.key", client_key_password="${env:PASSWORD}")

    endpoint = new_endpoint(keys=None, tls=pairs["server"], client=pairs["client"])
    trace = Trace(haul, endpoint, services, tmp_path, certificate)
    job = trace.manifest(upload(trace.scene.files(["a"])))
    trace("run", job, "--log", "json")
    trace("run", job, "--new", exit_code=PAUSED, env={"PASSWORD": "wrong/password+0123456789"})
    trace.left.secrets.add("wrong/password+0123456789")
    trace("whoami", "store", "--manifest", job)
    (folder / "locked.key").unlink()
    trace("resume", exit_code=PAUSED)
    trace("jobs", "--json")
    trace("whoami", exit_code=PAUSED)  # it shows no certificate
    trace.check()


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_s_password_is_not_left_behind(haul, unsigned, services, tmp_path, variable):
    password = "proxy/password+0123456789"
    quoted = urllib.parse.quote(password, safe="")
    scheme = "http" if variable == "http_proxy" else "https"
    url = f"{scheme}://store.example"

    def proxied(left, _):
        return Source({"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET,
                       variable: f"http://me:{quoted}@127.0.0.1:1", "no_proxy": ""},
                      [password, SECRET], url=url)

    trace = Trace(haul, unsigned, services, tmp_path, proxied)
    job = trace.manifest(upload(trace.scene.files(["a"])))
    trace("run", job, "--log", "json", exit_code=PAUSED)
    trace("resume", exit_code=PAUSED)
    trace("plan", job, exit_code=PAUSED)
    trace("whoami", "--endpoint", url, exit_code=PAUSED)
    trace("ls", "s3://bucket", "--endpoint", url, exit_code=PAUSED)
    trace.check()


def test_keys_in_an_endpoint_s_url_are_refused_and_not_repeated(
        haul, unsigned, services, tmp_path):
    trace = Trace(haul, unsigned, services, tmp_path, environment)
    quoted = urllib.parse.quote(SECRET, safe="")
    url = f"http://{KEY_ID}:{quoted}@127.0.0.1:1"
    trace("ls", "s3://bucket", "--endpoint", url, exit_code=USAGE)
    trace("whoami", exit_code=USAGE, env={"AWS_ENDPOINT_URL_S3": url})
    trace("ls", "s3://bucket", exit_code=USAGE, env={"AWS_ENDPOINT_URL_S3": url})
    trace.left.printed = [(where[:20], data) for where, data in trace.left.printed]
    trace.check()


def test_a_secret_in_a_manifest_is_refused_and_not_repeated(haul, unsigned, services, tmp_path):
    trace = Trace(haul, unsigned, services, tmp_path, environment)
    for n, store in enumerate([
            {"credentials": {"access_key_id": KEY_ID, "secret_access_key": SECRET}},
            {"credentials": SECRET}, {"client_cert": "x", "client_key_password": SECRET},
            {"url": f"https://{KEY_ID}:{urllib.parse.quote(SECRET, safe='')}@host"}]):
        job = {"version": 1, "name": "job", "endpoints": {"store": store},
               "transfers": [upload("/tmp/x", "x")]}
        trace("run", trace.left.give(f"job{n}.yaml", json.dumps(job)), exit_code=USAGE)
    trace.check()


def test_a_presigned_url_has_the_token_and_not_the_secret(haul, unsigned, services, tmp_path):
    trace = Trace(haul, unsigned, services, tmp_path, environment)
    url = trace("presign", f"s3://{BUCKET}/a").stdout.strip()
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
    assert query["X-Amz-Security-Token"] == [TOKEN]
    trace.left.secrets = {SECRET}
    trace.check()


# ---- While it runs, and when it crashes ----


def test_the_process_list_shows_no_secret_of_a_program(haul, unsigned, services, tmp_path):
    """Case 51."""
    def waiting(left, _):
        keys = json.dumps({"Version": 1, "AccessKeyId": KEY_ID, "SecretAccessKey": SECRET,
                           "SessionToken": TOKEN})
        os.mkfifo(left.given / "pipe")
        program = left.give("get-keys", f"read keys <{left.given}/pipe\necho \"$keys\"\n")
        config = left.give("config", f"[profile x]\ncredential_process = sh {program}\n")
        source = Source({"AWS_CONFIG_FILE": config, "AWS_PROFILE": "x"}, [SECRET, TOKEN])
        source.pipe, source.keys = left.given / "pipe", keys
        return source

    trace = Trace(haul, unsigned, services, tmp_path, waiting)
    running = trace.scene.start("whoami")
    with open(trace.source.pipe, "w") as pipe:  # waits for the program
        shown = process_list(running.pid)
        assert b"get-keys" in shown
        trace.left.printed.append(("/proc", shown))
        pipe.write(trace.source.keys + "\n")
    trace.left.keep(trace.scene.end(running))
    trace.check()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_leaves_no_core(haul, unsigned, services, tmp_path, number):
    trace = Trace(haul, unsigned, services, tmp_path, environment)
    job = trace.manifest(upload(trace.scene.files(["a"])))
    unsigned.fault("PutObject always gate=here")
    env = haul.env | trace.scene.env
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)

    def allow_cores():
        os.chdir(tmp_path)
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    # Without sanitizers, which forbid cores themselves.
    with subprocess.Popen([os.environ["HAUL_PLAIN"], "run", job], env=env, preexec_fn=allow_cores,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        unsigned.wait_at("here")
        os.kill(running.pid, number)
        _, status = os.waitpid(running.pid, 0)
        running.returncode = -number
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == number
    assert not os.WCOREDUMP(status)
    trace.check()
