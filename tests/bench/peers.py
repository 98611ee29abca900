"""Other programs that can do a work, each with its default settings and what an endpoint on this
machine needs. A command is made for a task: see works.py."""

import shutil
import subprocess

BUCKET = "bkt"


def kind_of(task):
    """One object goes up by the same command whatever its size."""
    return "up" if task.kind == "start" else task.kind


def curl(task):
    if kind_of(task) == "up":
        return ["curl", "-sSf", *curl_tls(task), "-T", task.source, "-o", "/dev/null",
                f"{task.url}/{BUCKET}/in/object"]
    if task.kind == "down":
        return ["curl", "-sSf", *curl_tls(task), "-o", task.target, f"{task.url}/{BUCKET}/large"]
    if task.kind == "puts":
        moves = [(f'upload-file = "{path}"', f"{task.url}/{BUCKET}/in/{name}", "/dev/null")
                 for name, path in task.files()]
    elif task.kind == "gets":
        moves = [("create-dirs", f"{task.url}/{BUCKET}/small/{name}", task.target / name)
                 for name in task.names()]
    else:
        return None
    lines = [f'{extra}\nurl = "{url}"\noutput = "{output}"' for extra, url, output in moves]
    return ["curl", "-sSf", "-Z", "-K", task.note("\n".join(lines))]


def curl_tls(task):
    return ["--cacert", task.ca] if task.ca else []


def aws(task):
    at = ["--endpoint-url", task.url, "--only-show-errors"]
    return {
        "up": ["aws", "s3", "cp", *at, task.source, f"s3://{BUCKET}/in/object"],
        "down": ["aws", "s3", "cp", *at, f"s3://{BUCKET}/large", task.target],
        "puts": ["aws", "s3", "cp", "--recursive", *at, task.source, f"s3://{BUCKET}/in/"],
        "gets": ["aws", "s3", "cp", "--recursive", *at, f"s3://{BUCKET}/small/", task.target],
        "plan": ["aws", "s3", "ls", "--recursive", at[0], at[1], f"s3://{BUCKET}/small/"],
    }.get(kind_of(task))


def rclone(task):
    store = f":s3:{BUCKET}"
    at = ["--config", "/dev/null", "--s3-provider", "Other", "--s3-endpoint", task.url,
          "--s3-env-auth", "--s3-region", "us-east-1", "--s3-force-path-style",
          "--s3-no-check-bucket", "--s3-list-version", "2", "--fast-list"]
    command = {
        "up": ["copyto", task.source, f"{store}/in/object"],
        "down": ["copyto", f"{store}/large", task.target],
        "puts": ["copy", task.source, f"{store}/in/"],
        "gets": ["copy", f"{store}/small/", task.target],
        "plan": ["lsf", "-R", f"{store}/small/"],
    }.get(kind_of(task))
    return command and ["rclone", command[0], *at, *command[1:]]


def s3cmd(task):
    settings = task.note("\n".join([
        "[default]", "access_key = a", "secret_key = b", f"host_base = {task.host}",
        f"host_bucket = {task.host}", "use_https = False", "progress_meter = False"]))
    command = {
        "up": ["put", task.source, f"s3://{BUCKET}/in/object"],
        "down": ["get", f"s3://{BUCKET}/large", task.target],
        "puts": ["put", "--recursive", f"{task.source}/", f"s3://{BUCKET}/in/"],
        "gets": ["get", "--recursive", f"s3://{BUCKET}/small/", f"{task.target}/"],
        "plan": ["ls", "--recursive", f"s3://{BUCKET}/small/"],
    }.get(kind_of(task))
    if task.kind == "gets":
        task.target.mkdir()
    return command and ["s3cmd", "-c", settings, "--quiet", *command]


def aria2c(task):
    plain = ["aria2c", "--no-conf", "-q", "--allow-overwrite=true"]
    if task.kind == "down":
        return [*plain, "-x", "8", "-s", "8", "-d", task.target.parent, "-o", task.target.name,
                f"{task.url}/{BUCKET}/large"]
    if task.kind == "gets":
        lines = [f"{task.url}/{BUCKET}/small/{name}\n out={name}" for name in task.names()]
        return [*plain, "-d", task.target, "-j", "16", "-i", task.note("\n".join(lines))]
    return None


def s5cmd(task):
    command = {
        "up": ["cp", task.source, f"s3://{BUCKET}/in/object"],
        "down": ["cp", f"s3://{BUCKET}/large", task.target],
        "puts": ["cp", f"{task.source}/", f"s3://{BUCKET}/in/"],
        "gets": ["cp", f"s3://{BUCKET}/small/*", f"{task.target}/"],
        "plan": ["ls", f"s3://{BUCKET}/small/*"],
    }.get(kind_of(task))
    return command and ["s5cmd", "--endpoint-url", task.url, *command]


# The share of a work that each is given, so that all of them fit into ten minutes: of one large
# object, of many small ones, of a listing. Figures are scaled up; that is said.
PEERS = {
    "curl": (curl, {"up": 1, "down": 0.25, "puts": 0.2, "gets": 0.2}),
    "aws": (aws, {"up": 0.125, "down": 0.125, "puts": 0.04, "gets": 0.04, "plan": 0.01}),
    "rclone": (rclone, {"up": 0.125, "down": 0.125, "puts": 0.1, "gets": 0.1, "plan": 0.1}),
    "s3cmd": (s3cmd, {"up": 0.125, "down": 0.125, "puts": 0.04, "gets": 0.04, "plan": 0.01}),
    "aria2c": (aria2c, {"down": 0.25, "gets": 0.2}),
    "s5cmd": (s5cmd, {"up": 0.125, "down": 0.125, "puts": 0.1, "gets": 0.1, "plan": 0.1}),
}
VERSION = {"rclone": ["rclone", "version"], "s5cmd": ["s5cmd", "version"]}


def share(name, kind):
    shares = PEERS[name][1]
    return 1 if kind == "start" and "up" in shares else shares.get(kind, 0)


def find(env, wanted=None):
    """What is on PATH: its version by its name; and why others are of no use."""
    found, useless = {}, {}
    for name in PEERS:
        if wanted is not None and name not in wanted:
            continue
        if not shutil.which(name, path=env["PATH"]):
            useless[name] = "not on PATH"
            continue
        said = subprocess.run(VERSION.get(name, [name, "--version"]), env=env, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL)
        if said.returncode == 0 and said.stdout.strip():
            found[name] = " ".join(said.stdout.split()[:3])
        else:
            useless[name] = (said.stderr.strip().splitlines() or ["says nothing"])[-1]
    return found, useless
