"""IAM documents written out: statements with exact actions and resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment

Statement = dict[str, Any]
Conditions = Mapping[str, Mapping[str, Any]]


def document(*statements: Statement) -> pulumi.Output[str]:
    """A policy document as JSON."""
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[pulumi.Input[str]],
    conditions: Conditions | None = None,
) -> Statement:
    """A statement of an identity policy."""
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": list(resources),
    }
    return statement if conditions is None else {**statement, "Condition": conditions}


def read_secrets(
    deployment: Deployment,
    key_arn: pulumi.Input[str],
    secret_arns: Sequence[pulumi.Input[str]],
    *,
    write: bool = False,
) -> list[Statement]:
    """Read (and with `write` also replace) the values of exactly these secrets."""
    actions = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    key_actions = ["kms:Decrypt"]
    if write:
        actions += ["secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"]
        key_actions += ["kms:GenerateDataKey"]
    # The key only through Secrets Manager: no decryption of anything else.
    via = deployment.via("secretsmanager")
    verb = "Write" if write else "Read"
    return [
        allow(f"{verb}Secrets", actions, secret_arns),
        allow(f"{verb}SecretsKey", key_actions, [key_arn], via),
    ]


def service_role(
    name: str,
    deployment: Deployment,
    *,
    role_name: str,
    service: str,
    description: str,
    statements: Sequence[Statement],
    opts: pulumi.ResourceOptions,
    source_arn: str | None = None,
) -> tuple[aws.iam.Role, aws.iam.RolePolicy | None]:
    """A role that one AWS service assumes for this account only, with one inline policy.

    `name` is the Pulumi name, `role_name` the one in IAM (at most 64 characters), `service` the
    service's short name. With `source_arn` (a pattern) the service may assume it only for these.
    """
    trust: Statement = {
        "Effect": "Allow",
        "Principal": {"Service": deployment.service_principal(service)},
        "Action": "sts:AssumeRole",
    }
    if service not in ("ec2", "s3"):
        # Against the confused deputy; EC2 and S3's replication have no source account to compare,
        # and take roles of the caller's own account only.
        trust["Condition"] = {"StringEquals": {"aws:SourceAccount": deployment.account_id}}
    if source_arn is not None:
        trust["Condition"] = {
            **trust.get("Condition", {}),
            "ArnLike": {"aws:SourceArn": source_arn},
        }
    role = aws.iam.Role(
        f"{name}-role",
        name=role_name,
        description=description,
        assume_role_policy=document(trust),
        permissions_boundary=deployment.permissions_boundary,
        tags=deployment.tags(role_name),
        opts=opts,
    )
    if not statements:
        return role, None
    policy = aws.iam.RolePolicy(
        f"{name}-policy",
        name=role_name,
        role=role.name,
        policy=document(*statements),
        opts=opts,
    )
    return role, policy
