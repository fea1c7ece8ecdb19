"""Roles, buckets and clients for the tests of what is mended in moto."""

import json

from tests.localcloud.planes import REGION, Planes

ACCOUNT = "123456789012"


def as_role(planes: Planes, role: str, service: str, headers: dict[str, str] | None = None):
    """A client with the role's own credentials, as a host or function has them."""
    if not any(r["RoleName"] == role for r in planes.client("iam").list_roles()["Roles"]):
        planes.role(role, "ec2.amazonaws.com", [])
    session = planes.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName="session"
    )["Credentials"]
    client = planes.client(
        service,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )

    def add(request, **_):
        for name, value in (headers or {}).items():
            request.headers[name] = value

    client.meta.events.register("before-sign", add)
    return client


def with_header(client, name: str, value: str):
    client.meta.events.register(
        "before-sign", lambda request, **_: request.headers.add_header(name, value)
    )
    return client


def bucket(planes: Planes, name: str, *statements: dict) -> str:
    s3 = planes.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    if statements:
        s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Statement": list(statements)}))
    return name


def tls_only(name: str) -> dict:
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
