"""boto3 as a co-process of a C test: boto.h starts it and is its manual.

On standard input come a verb, a name and a length on a line, and then so many bytes: `text` and
`bytes` bind them to the name, `eval` evaluates them as a Python expression. For that one the
answer is a line with a length, and then so many bytes: str() of the value. Errors of the server
are values too. At the end of input the buckets that were made here go away.
"""

import base64
import hashlib
import os
import sys
import uuid

import boto3
import botocore.config
import botocore.exceptions

s3 = boto3.client(
    "s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"], region_name=os.environ["AWS_REGION"],
    config=botocore.config.Config(s3={"addressing_style": "path"}))
made = []


def new_bucket():
    """Makes a bucket and returns its name, which nobody else has."""
    made.append(f"test-{uuid.uuid4().hex}")
    s3.create_bucket(Bucket=made[-1])
    return made[-1]


def every(method, member, **arguments):
    """The rows of all pages: every("list_objects_v2", "Contents", Bucket=...)."""
    return [row for page in s3.get_paginator(method).paginate(**arguments)
            for row in page.get(member, [])]


def keys(bucket, **arguments):
    """The objects' names."""
    rows = every("list_objects_v2", "Contents", Bucket=bucket, **arguments)
    return [row["Key"] for row in rows]


def read(bucket, key, **arguments):
    """The object's bytes."""
    return s3.get_object(Bucket=bucket, Key=key, **arguments)["Body"].read()


def etag(bucket, key):
    """The object's ETag, an MD5, in base64 and with the number of parts behind, if it has one."""
    digits, *count = s3.head_object(Bucket=bucket, Key=key)["ETag"].strip('"').split("-")
    return "-".join([base64.b64encode(bytes.fromhex(digits)).decode(), *count])


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def remove(bucket):
    """The bucket with all that is in it. Fine when it is gone already."""
    try:
        for row in every("list_multipart_uploads", "Uploads", Bucket=bucket):
            s3.abort_multipart_upload(Bucket=bucket, Key=row["Key"], UploadId=row["UploadId"])
        for member in "Versions", "DeleteMarkers":
            for row in every("list_object_versions", member, Bucket=bucket):
                s3.delete_object(Bucket=bucket, Key=row["Key"], VersionId=row["VersionId"])
        s3.delete_bucket(Bucket=bucket)
    except s3.exceptions.NoSuchBucket:
        pass


def evaluate(expression, names):
    try:
        return str(eval(expression, names))
    except botocore.exceptions.ClientError as error:
        return "error: " + error.response["Error"]["Code"]


def main():
    names = globals()
    for line in sys.stdin.buffer:
        verb, name, length = line.decode().split()
        data = sys.stdin.buffer.read(int(length))
        if verb == "eval":
            answer = evaluate(data.decode(), names).encode("utf-8", "surrogateescape")
            sys.stdout.buffer.write(b"%d\n%b" % (len(answer), answer))
            sys.stdout.buffer.flush()
        else:
            names[name] = data if verb == "bytes" else data.decode("utf-8", "surrogateescape")


if __name__ == "__main__":
    try:
        main()
    finally:
        for one in made:
            remove(one)
