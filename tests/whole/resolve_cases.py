"""Environments, files and services, and what boto3 and haul make of them: test_resolve.py's
table. Paths are below the home; {url} is the services', {home} the home.
"""

import dataclasses
import hashlib
import json

ENV = {"AWS_ACCESS_KEY_ID": "AKIDENVIRONMENT", "AWS_SECRET_ACCESS_KEY": "env/secret+key"}
KEYS = "aws_access_key_id = AKIDFILE\naws_secret_access_key = file/secret+key\n"
OTHER = "aws_access_key_id = AKIDOTHER\naws_secret_access_key = other/secret+key\n"
KNOWN = """key AKIDENVIRONMENT env/secret+key
key AKIDFILE file/secret+key
key AKIDOTHER other/secret+key
key AKIDPROCESS process/secret+key
identity the.identity.token
identity-expired an.old.token
sts.fixed yes
"""
ROLE = "arn:aws:iam::123456789012:role/reader"
SECOND = "arn:aws:iam::123456789012:role/second"
THIRD = "arn:aws:iam::123456789012:role/third"
HASTY = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "{url}"}
PATIENT = {"AWS_METADATA_SERVICE_TIMEOUT": "60"}  # for machines that are slow today
INSTANCE = HASTY | PATIENT
CONTAINER = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{url}/v2/credentials/id"}
IDENTITY = {"AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/identity", "AWS_ROLE_ARN": ROLE}
TOKEN = {"identity": "the.identity.token"}

START = "https://example.awsapps.com/start"
SSO = (f"sso_start_url = {START}\nsso_region = eu-central-1\nsso_account_id = 123456789012\n"
       "sso_role_name = Reader\n")
SESSION = ("sso_session = work\nsso_account_id = 123456789012\nsso_role_name = Reader\n"
           f"[sso-session work]\nsso_start_url = {START}\nsso_region = eu-central-1\n")
PAST, FUTURE = "2020-01-31T12:00:00Z", "2099-01-31T12:00:00Z"


@dataclasses.dataclass
class Case:
    name: str
    source: str | None  # of the keys, in haul's words; None: there are none
    env: dict = dataclasses.field(default_factory=dict)
    config: str | bytes | None = None
    credentials: str | bytes | None = None
    files: dict = dataclasses.field(default_factory=dict)
    services: str = ""
    faults: str = ""
    region: str = "us-east-1"
    session: bool = False  # is the session's name the same
    plain_user: bool = False
    why: str = ""  # haul differs, and on purpose
    haul: str | None = None  # its source then
    haul_key_id: str = "AKIDFILE"
    haul_region: str | None = None

    def __str__(self):
        return self.name.replace(" ", "_")


def login(name, expires=FUTURE, **more):
    """The file that `aws sso login` leaves for a session or a start URL."""
    path = f".aws/sso/cache/{hashlib.sha1(name.encode()).hexdigest()}.json"
    return {path: json.dumps({
        "startUrl": START, "region": "eu-central-1", "accessToken": "sso-access-token",
        "expiresAt": expires} | more)}


REFRESH = {"clientId": "client", "clientSecret": "client/secret+key",
           "registrationExpiresAt": FUTURE, "refreshToken": "sso-refresh-token"}


def process(text, status=0):
    """A program that prints that, and a profile that runs it."""
    return {"files": {"helper": f"#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit {status}\n"},
            "config": "[default]\ncredential_process = {home}/helper\n"}


def printed(**more):
    keys = {"Version": 1, "AccessKeyId": "AKIDPROCESS", "SecretAccessKey": "process/secret+key"}
    return json.dumps({name: value for name, value in (keys | more).items() if value})


def role(arn=ROLE, more="source_profile = base\n"):
    return f"[default]\nrole_arn = {arn}\n{more}[profile base]\n{KEYS}"


ENVIRONMENT_CASES = [
    Case("keys in the environment", "environment", ENV),
    Case("keys with a token in the environment", "environment",
         ENV | {"AWS_SESSION_TOKEN": "env//token=="}),
    Case("an empty token is none", "environment", ENV | {"AWS_SESSION_TOKEN": ""}),
    Case("the environment goes before everything", "environment",
         ENV | INSTANCE | CONTAINER | IDENTITY, role(), f"[default]\n{OTHER}", TOKEN),
    Case("the environment goes before the profile that it names", "environment",
         ENV | {"AWS_PROFILE": "x"}, f"[profile x]\n{KEYS}region = eu-west-1\n",
         region="eu-west-1"),
    Case("a token in files is not mixed with keys of the environment", "environment", ENV,
         credentials="[default]\naws_session_token = file//token==\n"),
    Case("a key id without a secret is an error", None,
         {"AWS_ACCESS_KEY_ID": "AKIDENVIRONMENT"}, credentials=f"[default]\n{KEYS}"),
    Case("empty variables are not set", "profile",
         {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
         credentials=f"[default]\n{KEYS}"),
    Case("a secret without a key id", "profile", {"AWS_SECRET_ACCESS_KEY": "x"},
         credentials=f"[default]\n{KEYS}", haul=None,
         why="half a setting is an error that is named, not passed over"),
    Case("a token alone", "profile", {"AWS_SESSION_TOKEN": "x"},
         credentials=f"[default]\n{KEYS}", haul=None,
         why="half a setting is an error that is named, not passed over"),
    Case("a profile that is nowhere, and keys in the environment", None,
         ENV | {"AWS_PROFILE": "nowhere"}, haul="environment",
         haul_key_id="AKIDENVIRONMENT",
         why="what is not asked for the keys can't spoil them"),
    Case("nothing at all", None),
    Case("AWS_REGION", "environment", ENV | {"AWS_REGION": "eu-west-3"},
         why="this boto3 doesn't know AWS_REGION, all other SDKs do", haul="environment",
         haul_region="eu-west-3", haul_key_id="AKIDENVIRONMENT"),
    Case("AWS_REGION and AWS_DEFAULT_REGION", "environment",
         ENV | {"AWS_REGION": "eu-west-3", "AWS_DEFAULT_REGION": "eu-west-1"},
         region="eu-west-1", haul="environment", haul_region="eu-west-3",
         haul_key_id="AKIDENVIRONMENT",
         why="this boto3 doesn't know AWS_REGION, all other SDKs do"),
    Case("AWS_DEFAULT_REGION goes before the profile's", "environment",
         ENV | {"AWS_DEFAULT_REGION": "eu-west-1"}, "[default]\nregion = eu-west-2\n",
         region="eu-west-1"),
]

FILE_CASES = [
    Case("the credentials file", "profile", credentials=f"[default]\n{KEYS}"),
    Case("a token in the credentials file", "profile",
         credentials=f"[default]\n{KEYS}aws_session_token = file//token==\n"),
    Case("an empty token in the credentials file", "profile",
         credentials=f"[default]\naws_session_token =\n{KEYS}"),
    Case("the config file", "profile", config=f"[default]\n{KEYS}region = eu-north-1\n",
         region="eu-north-1"),
    Case("the credentials file goes before the config file", "profile",
         config=f"[default]\n{OTHER}aws_session_token = other\nregion = eu-west-2\n",
         credentials=f"[default]\n{KEYS}", region="eu-west-2"),
    Case("a region in the credentials file", "profile", credentials=(
        f"[default]\n{KEYS}region = eu-west-2\n"), region="eu-west-2"),
    Case("a region in both files", "profile", config="[default]\nregion = eu-west-1\n",
         credentials=f"[default]\n{KEYS}region = eu-west-2\n", region="eu-west-2"),
    Case("AWS_PROFILE in the credentials file", "profile", {"AWS_PROFILE": "x"},
         credentials=f"[default]\n{OTHER}[x]\n{KEYS}"),
    Case("AWS_PROFILE in the config file", "profile", {"AWS_PROFILE": "x"},
         f"[default]\n{OTHER}region = eu-west-1\n[profile x]\n{KEYS}region = eu-west-2\n",
         region="eu-west-2"),
    Case("an empty AWS_PROFILE", None, {"AWS_PROFILE": ""},
         credentials=f"[default]\n{KEYS}", haul="profile",
         why="an empty variable is one that is not set"),
    Case("AWS_PROFILE that is nowhere", None, {"AWS_PROFILE": "nowhere"},
         credentials=f"[default]\n{KEYS}"),
    Case("a profile of the config file needs the word", None, {"AWS_PROFILE": "x"},
         f"[x]\n{KEYS}"),
    Case("a quoted name", "profile", {"AWS_PROFILE": "my job"},
         f'[profile "my job"]\n{KEYS}region = eu-west-2\n', region="eu-west-2"),
    Case("profile default", "profile", config=f"[profile default]\n{KEYS}"),
    Case("default and profile default", "profile",
         config=f"[default]\n{OTHER}[profile default]\n{KEYS}"),
    Case("profile default and default", "profile",
         config=f"[profile default]\n{KEYS}[default]\n{OTHER}", haul="profile",
         why="[profile default] goes before [default] in either order, says the reference"),
    Case("files in other places", "profile",
         {"AWS_CONFIG_FILE": "{home}/c", "AWS_SHARED_CREDENTIALS_FILE": "{home}/k"},
         credentials=f"[default]\n{OTHER}",
         files={"c": "[default]\nregion = eu-west-2\n", "k": f"[default]\n{KEYS}"},
         region="eu-west-2"),
    Case("files in other places of the home", "profile",
         {"AWS_CONFIG_FILE": "~/c", "AWS_SHARED_CREDENTIALS_FILE": "~/k"},
         files={"c": "[default]\nregion = eu-west-2\n", "k": f"[default]\n{KEYS}"},
         region="eu-west-2"),
    Case("files that are missing", None,
         {"AWS_CONFIG_FILE": "{home}/c", "AWS_SHARED_CREDENTIALS_FILE": "{home}/k"},
         credentials=f"[default]\n{KEYS}"),
    Case("a key id without a secret in the credentials file", None,
         credentials="[default]\naws_access_key_id = AKIDFILE\n"),
    Case("a key id in one file, a secret in the other", None,
         config="[default]\naws_secret_access_key = x\n",
         credentials="[default]\naws_access_key_id = AKIDFILE\n"),
    Case("a secret without a key id in the credentials file", "profile",
         config=f"[default]\n{KEYS}", credentials="[default]\naws_secret_access_key = x\n",
         haul=None, why="half a setting is an error that is named, not passed over"),
]

EDGE_CASES = [
    Case("comments", "profile",
         credentials=f"# one\n; two\n\n[default]\n# three\n{KEYS}; four = five\n#six"),
    Case("a comment behind a value", "profile",
         credentials="[default]\naws_access_key_id = AKIDFILE # mine\n"
                     "aws_secret_access_key = file/secret+key\n", haul="profile",
         why="the reference allows comments behind a value; boto3 takes them for a part of it"),
    Case("no comment without a blank", "profile",
         credentials="[default]\naws_access_key_id = AKID#1;2\n"
                     "aws_secret_access_key = a#b;c\n"),
    Case("odd white space", "profile",
         credentials="\n\n[default]   \naws_access_key_id=AKIDFILE   \n\n"
                     "aws_secret_access_key\t=\t file/secret+key \t\n"),
    Case("indented as a whole", "profile",
         credentials="[default]\n  aws_access_key_id = AKIDFILE\n"
                     "  aws_secret_access_key = file/secret+key\n"),
    Case("CRLF", "profile", config="[default]\r\nregion = eu-west-2\r\n",
         credentials=f"[default]\n{KEYS}".replace("\n", "\r\n"), region="eu-west-2"),
    Case("no line end at the end", "profile", credentials=f"[default]\n{KEYS}".rstrip()),
    Case("names in capitals", "profile", credentials=(
        "[default]\nAWS_ACCESS_KEY_ID = AKIDFILE\nAws_Secret_Access_Key = x\n")),
    Case("sections in capitals are others", None, credentials=f"[Default]\n{KEYS}"),
    Case("special characters in values", "profile", credentials=(
        "[default]\naws_access_key_id = AKID%(x)s\naws_secret_access_key = a=b:c%d\"e'f[g]\n")),
    Case("quotes are part of a value", "profile", credentials=(
        "[default]\naws_access_key_id = \"AKIDFILE\"\naws_secret_access_key = 'x'\n")),
    Case("letters of all kinds in comments", "profile",
         credentials=f"# Schlüssel — 鍵\n[default]\n{KEYS}"),
    Case("nested settings", "profile", region="eu-west-2", config=(
        "[default]\ns3 =\n  addressing_style = path\n  region = x\n"
        f"{KEYS}region = eu-west-2\n")),
    Case("duplicate sections", None,
         credentials=f"[default]\n{OTHER}[x]\n{OTHER}[default]\n{KEYS}", haul="profile",
         why="the reference merges them, and the later wins; boto3 refuses the file"),
    Case("duplicate settings", None, credentials=f"[default]\n{OTHER}{KEYS}", haul="profile",
         why="the later wins; boto3 refuses the file"),
    Case("a byte order mark", None, credentials=f"\ufeff[default]\n{KEYS}", haul="profile",
         why="some editors write one; boto3 refuses the file"),
    Case("colons for equals signs", "profile",
         credentials=f"[default]\n{KEYS}".replace(" =", ":"), haul=None,
         why="the reference has equals signs alone; the line is named"),
    Case("a line that is nothing", None, credentials=f"[default]\n{KEYS}what is this\n"),
    Case("a setting without a section", None, credentials=KEYS),
    Case("bytes that are no text", None, credentials=b"\x7fELF\x02\x00\x01\xff\xfe" * 64),
    Case("an empty file", None, config="", credentials=""),
    Case("10 MB of comments", "profile",
         credentials=f"{'# nothing but a comment' * 4}\n" * 110_000 + f"[default]\n{KEYS}"),
    Case("10 MB of profiles", "profile", config="".join(
        f"[profile p{n}]\nregion = r{n}\n# {'x' * 980}\n" for n in range(10_000))
        + f"[default]\n{KEYS}region = eu-west-2\n", region="eu-west-2"),
    Case("17 MB", "profile", credentials=f"[default]\n{KEYS}" + f"# {'x' * 997}\n" * 17_000,
         haul=None, why="16 MiB are enough; the file is named"),
    Case("an unreadable file", "profile", config=f"[default]\n{KEYS}",
         credentials=f"[default]\n{OTHER}", plain_user=True, haul=None,
         why="a file that can't be read is an error that is named, not a missing one"),
    Case("a folder for a file", "profile", config=f"[default]\n{KEYS}",
         files={".aws/credentials/file": ""}, haul=None,
         why="a file that can't be read is an error that is named, not a missing one"),
]

PROCESS_CASES = [
    Case("a process", "process", **process(printed())),
    Case("a process with a token", "process", **process(
        printed(SessionToken="process//token==", Expiration=FUTURE))),
    Case("a process with an offset in its Expiration", "process", **process(
        printed(SessionToken="t", Expiration="2099-01-31T12:00:00.25+01:00"))),
    Case("a process of another Version", None, **process(printed(Version=2))),
    Case("a process without a Version", None, **process(printed(Version=None))),
    Case("a process without a key id", None, **process(printed(AccessKeyId=None))),
    Case("a process that fails", None, **process(printed(), 1)),
    Case("a process without JSON", None, **process("AKIDPROCESS process/secret+key")),
    Case("a process with keys of the past", None, **process(printed(Expiration=PAST))),
    Case("a process with words in quotes", "process",
         config="[default]\ncredential_process = \"{home}/my helper\" one 'two  three'\n",
         files={"my helper": "#!/bin/sh\n[ \"$#$1$2\" = '2onetwo  three' ] && "
                             f"echo '{printed()}'\n"}),
    Case("a process in words of a shell", None,
         config="[default]\ncredential_process = \"$HOME/helper\" | cat\n",
         files={"helper": f"#!/bin/sh\necho '{printed()}'\n"}, haul="process",
         haul_key_id="AKIDPROCESS",
         why="the command is a shell's, as in most SDKs"),
    Case("a process that is missing", None,
         config="[default]\ncredential_process = {home}/x\n"),
    Case("keys of the credentials file go before a process", "profile",
         credentials=f"[default]\n{KEYS}", **process(printed())),
    Case("a process goes before keys of the config file", "process",
         **process(printed()) | {
             "config": f"[default]\ncredential_process = {{home}}/helper\n{KEYS}"}),
    Case("a process in the credentials file", "process",
         credentials="[default]\ncredential_process = {home}/helper\n",
         files=process(printed())["files"]),
]

ROLE_CASES = [
    Case("a role", "role", config=role()),
    Case("a role with its base in the credentials file", "role",
         config=f"[default]\nrole_arn = {ROLE}\nsource_profile = base\n",
         credentials=f"[base]\n{KEYS}"),
    Case("all settings of a role", "role", session=True, config=role(more=(
        "source_profile = base\nrole_session_name = nightly@lab\nexternal_id = x-1/2\n"
        "duration_seconds = 1800\nregion = eu-west-2\n")), region="eu-west-2",
        services=f"role {ROLE} external-id=x-1/2 trust=AKIDFILE"),
    Case("in the credentials file", "role", credentials=(
        f"[default]\nrole_arn = {ROLE}\nsource_profile = base\n[base]\n{KEYS}")),
    Case("a chain of roles", "role", config=(
        f"[default]\nrole_arn = {THIRD}\nsource_profile = b\n[profile b]\nrole_arn = {SECOND}\n"
        f"source_profile = a\n[profile a]\nrole_arn = {ROLE}\nsource_profile = base\n"
        f"[profile base]\n{KEYS}"), services=f"role {THIRD} trust=assumed-role/second"),
    Case("a profile that is its own base", "role",
         config=f"[default]\nrole_arn = {ROLE}\nsource_profile = default\n{KEYS}"),
    Case("a role goes before keys of the same profile", "role",
         config=role() + f"[profile y]\n{OTHER}", credentials=f"[default]\n{OTHER}"),
    Case("a role goes before web identity", "role", IDENTITY, role(), files=TOKEN),
    Case("a base with a role and keys is its keys", "role", config=(
        f"[default]\nrole_arn = {SECOND}\nsource_profile = a\n[profile a]\nrole_arn = {ROLE}\n"
        f"source_profile = base\n{KEYS}[profile base]\n{OTHER}")),
    Case("a circle", None, config=(
        f"[default]\nrole_arn = {ROLE}\nsource_profile = b\n[profile b]\nrole_arn = {SECOND}\n"
        "source_profile = default\n")),
    Case("a circle of one", None, config=(
        f"[default]\nrole_arn = {ROLE}\nsource_profile = default\n")),
    Case("a circle behind the first", None, config=(
        f"[default]\nrole_arn = {ROLE}\nsource_profile = b\n[profile b]\nrole_arn = {SECOND}\n"
        f"source_profile = c\n[profile c]\nrole_arn = {THIRD}\nsource_profile = b\n")),
    Case("a base that is nowhere", None, config=role(more="source_profile = nowhere\n")),
    Case("a base without keys", None, config=(
        f"[default]\nrole_arn = {ROLE}\nsource_profile = b\n[profile b]\nregion = x\n")),
    Case("both a base and a source", None, config=role(more=(
        "source_profile = base\ncredential_source = Ec2InstanceMetadata\n")), env=INSTANCE),
    Case("neither a base nor a source", None, config=role(more="")),
    Case("a role of an instance", "role", INSTANCE,
         role(more="credential_source = Ec2InstanceMetadata\n")),
    Case("a role of a container", "role", CONTAINER,
         role(more="credential_source = EcsContainer\n")),
    Case("a role of a container, which there is not", None, INSTANCE,
         role(more="credential_source = EcsContainer\n")),
    Case("a role of the environment, which goes first by itself", "environment", ENV,
         role(more="credential_source = Environment\n")),
    Case("a source that is none", None, INSTANCE,
         role(more="credential_source = Elsewhere\n")),
    Case("a chain that begins at an instance", "role", INSTANCE, (
        f"[default]\nrole_arn = {SECOND}\nsource_profile = a\n[profile a]\nrole_arn = {ROLE}\n"
        "credential_source = Ec2InstanceMetadata\n")),
    Case("a role by way of a process", "role",
         files=process(printed())["files"],
         config=role(more="source_profile = b\n") + (
             "[profile b]\ncredential_process = {home}/helper\n")),
    Case("a role by way of SSO", "role", files=login(START),
         config=role(more="source_profile = b\n") + f"[profile b]\n{SSO}"),
    Case("a role by way of web identity", "role", files=TOKEN,
         config=role(SECOND, "source_profile = b\n") + (
             f"[profile b]\nrole_arn = {ROLE}\nweb_identity_token_file = {{home}}/identity\n")),
    Case("a role that is denied", None, config=role(), services=f"role {ROLE} deny"),
    Case("a role that wants another external id", None,
         config=role(more="source_profile = base\nexternal_id = x-2\n"),
         services=f"role {ROLE} external-id=x-1"),
    Case("base keys that STS does not know", None,
         config=role().replace("AKIDFILE", "AKIDSTRANGER")),
    Case("a duration that is too long", None,
         config=role(more="source_profile = base\nduration_seconds = 43200\n"),
         services=f"role {ROLE} max-s=3600"),
    Case("a role that wants a code from a device", None,
         config=role(more="source_profile = base\n"
                          "mfa_serial = arn:aws:iam::123456789012:mfa/me\n")),
    Case("keys that STS says have expired", None, config=role(),
         faults="AssumeRole always expires-s=-60"),
    Case("an STS that fails for a moment", "role", config=role(),
         faults="AssumeRole every=2 status=503"),
    Case("an answer of STS that is none", None, config=role(),
         faults="AssumeRole always malformed"),
]

IDENTITY_CASES = [
    Case("web identity", "web_identity", IDENTITY, files=TOKEN),
    Case("the name of a web identity's session", "web_identity",
         IDENTITY | {"AWS_ROLE_SESSION_NAME": "nightly"}, files=TOKEN, session=True),
    Case("a profile's web identity", "web_identity", session=True, files=TOKEN, config=(
        f"[default]\nrole_arn = {ROLE}\nweb_identity_token_file = {{home}}/identity\n"
        "role_session_name = nightly\nregion = eu-west-2\n"), region="eu-west-2"),
    Case("web identity goes before keys in files", "web_identity", IDENTITY,
         credentials=f"[default]\n{KEYS}", files=TOKEN),
    Case("web identity goes before containers and instances", "web_identity",
         IDENTITY | INSTANCE | CONTAINER, files=TOKEN),
    Case("a token file that is missing", None, IDENTITY | INSTANCE),
    Case("a token file without a role", None,
         {"AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/identity"} | INSTANCE, files=TOKEN),
    Case("an old token", None, IDENTITY | INSTANCE, files={"identity": "an.old.token"}),
    Case("a stranger's token", None, IDENTITY, files={"identity": "another.token"}),
    Case("a role without a token file is none", "instance", INSTANCE | {"AWS_ROLE_ARN": ROLE}),
]

SSO_CASES = [
    Case("a login", "sso", config=f"[default]\n{SSO}", files=login(START)),
    Case("a session's login", "sso", config=f"[default]\n{SESSION}", files=login("work")),
    Case("a session's login that is refreshed", "sso", config=f"[default]\n{SESSION}",
         files=login("work", PAST, **REFRESH)),
    Case("a login that has expired", None, config=f"[default]\n{SSO}",
         files=login(START, PAST), services="sso.token other"),
    Case("a session's login that has expired", None, config=f"[default]\n{SESSION}",
         files=login("work", PAST)),
    Case("a refresh token that is no good", None, config=f"[default]\n{SESSION}",
         files=login("work", PAST, **REFRESH | {"refreshToken": "other"})),
    Case("a login that is nowhere", None, env=INSTANCE, config=f"[default]\n{SSO}"),
    Case("a token that the portal does not know", None, config=f"[default]\n{SSO}",
         files=login(START), services="sso.token other"),
    Case("a role that the portal does not give", None, config=f"[default]\n{SSO}",
         files=login(START), services="sso.role Writer"),
    Case("a login without a role", None, files=login(START),
         config="[default]\n" + SSO.replace("sso_role_name = Reader\n", "")),
    Case("a session that is nowhere", None, files=login("work"),
         config=f"[default]\n{SESSION}".replace("[sso-session work]", "[sso-session other]")),
    Case("a login goes before keys in files", "sso", config=f"[default]\n{SSO}",
         credentials=f"[default]\n{KEYS}", files=login(START)),
    Case("a login that is no JSON", None, config=f"[default]\n{SSO}",
         files={name: text[:40] for name, text in login(START).items()}),
]

CONTAINER_CASES = [
    Case("a container", "container", CONTAINER),
    Case("a container with a token", "container",
         CONTAINER | {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic abc=="},
         services="container.authorization Basic abc=="),
    Case("a token that is no good", None,
         CONTAINER | {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic abc=="},
         services="container.authorization Basic def=="),
    Case("a container with a token file", None,
         CONTAINER | {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{home}/token"},
         services="container.authorization abc==", files={"token": "abc=="}, haul="container",
         haul_key_id="ASIACONTAINER000001", why="this boto3 doesn't know token files"),
    Case("a container goes before an instance", "container", CONTAINER | INSTANCE),
    Case("files go before a container", "profile", CONTAINER, credentials=f"[default]\n{KEYS}"),
    Case("a place that is none of a container's", None, {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/credentials"} | INSTANCE),
    Case("a container service that fails", None, CONTAINER | INSTANCE,
         faults="container always status=404"),
    Case("a container without JSON", None, CONTAINER, faults="container always malformed"),
    Case("a container without keys", None, CONTAINER, faults="container always text={}"),
    Case("a container with keys of the past", None, CONTAINER,
         faults="container always expires-s=-60"),
    Case("a container with another type of content", "container", CONTAINER,
         faults="container always content-type=text/html"),
]

INSTANCE_CASES = [
    Case("an instance", "instance", INSTANCE),
    Case("an instance's region is not asked for", "instance", INSTANCE,
         services="imds.region eu-west-2"),
    Case("files go before an instance", "profile", INSTANCE, credentials=f"[default]\n{KEYS}"),
    Case("an instance that is not to be asked", None,
         INSTANCE | {"AWS_EC2_METADATA_DISABLED": "TRUE"}),
    Case("an instance without a role", None, INSTANCE, services="imds.role -"),
    Case("a role with a strange name", "instance", INSTANCE,
         services="imds.role A_Role+with=all,of@them.-"),
    Case("a role that is not trusted", None, INSTANCE,
         services="imds.code AssumeRoleUnauthorizedAccess"),
    Case("an instance without version 2", None, INSTANCE,
         faults="GetMetadataToken always status=404"),
    Case("an instance without JSON", None, INSTANCE, faults="GetInstanceKeys always malformed"),
    Case("an instance with an empty answer", None, INSTANCE,
         faults="GetInstanceKeys always empty"),
    Case("a second attempt at an instance", "instance",
         INSTANCE | {"AWS_METADATA_SERVICE_NUM_ATTEMPTS": "3"},
         faults="GetInstanceKeys nth=1 status=500\nGetMetadataToken nth=1 status=500\n"),
    Case("a slow instance", "instance", INSTANCE,
         faults="GetInstanceKeys always delay-ms=1200"),
    Case("an instance that is too slow", None, HASTY,
         faults="GetInstanceKeys always delay-ms=2500"),
    Case("an instance's keys of the past, which may still be good", "instance", INSTANCE,
         faults="GetInstanceKeys always expires-s=-60"),
]

CASES = (ENVIRONMENT_CASES + FILE_CASES + EDGE_CASES + PROCESS_CASES + ROLE_CASES
         + IDENTITY_CASES + SSO_CASES + CONTAINER_CASES + INSTANCE_CASES)
assert len({case.name for case in CASES}) == len(CASES)
