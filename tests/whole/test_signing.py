"""The cases of tests/data/sigv4 as botocore signs them: an independent second opinion on what
tests/unit/test_sigv4.c, which explains their format, holds libhaul to. Chunks botocore does not
know: their values are those of Amazon's manual."""

from pathlib import Path
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

CASES = Path(__file__).resolve().parents[1] / "data/sigv4"


def escaped(text):
    return quote(text, safe="-._~")


def read_request(folder):
    """What `request` says: the words that stand there once, the headers, the parameters."""
    words, headers, params = {}, [], []
    for line in (folder / "request").read_text().splitlines():
        word, _, text = line.partition(" ")
        if word == "header":
            headers.append(text.split(":", 1))
        elif word == "param":
            params.append(text.partition(" ")[::2])
        else:
            words[word] = text
    return words, headers, params


def signed(folder):
    """Each stage by the name of its file."""
    words, headers, params = read_request(folder)
    path = quote(words["path"], safe="/-._~")
    query = "&".join(f"{escaped(name)}={escaped(value)}" for name, value in params)
    request = AWSRequest(method=words["method"], url=f"http://host{path}?{query}")
    for name, value in headers:
        request.headers[name] = value
    request.context["timestamp"] = words["time"]
    keys = Credentials(words["key-id"], words["secret"], words.get("token"))
    if "expires" in words:
        signer = S3SigV4QueryAuth(keys, "s3", words["region"], words["expires"])
        signer._modify_request_before_signing(request)
    else:
        signer = S3SigV4Auth(keys, "s3", words["region"])
    canonical = signer.canonical_request(request)
    to_sign = signer.string_to_sign(request, canonical)
    signature = signer.signature(to_sign, request)
    stages = {"canonical": canonical, "to-sign": to_sign}
    if "expires" in words:
        stages["query"] = f"{signer.canonical_query_string(request)}&X-Amz-Signature={signature}"
    else:
        signer._inject_signature_to_request(request, signature)
        stages["authorization"] = request.headers["Authorization"]
    return stages


@pytest.mark.parametrize("name", sorted(folder.name for folder in CASES.iterdir()))
def test_botocore_signs_alike(name):
    """Case 42."""
    for stage, text in signed(CASES / name).items():
        assert (CASES / name / stage).read_text() == text + "\n", stage
