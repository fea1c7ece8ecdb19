"""Forty bad changes beside the eight of the walking stack, as a table for the real engine.

Each is a resource of a scratch program, bad in one way, with the rule that must refuse it. A stack
rule's fault is a resource without its companion.
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any, Final

_WORLD: Final = {
    "type": "ingress",
    "protocol": "tcp",
    "description": "x",
    "securityGroupId": "sg-1",
    "cidrBlocks": ["0.0.0.0/0"],
}
_ROLE_POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
_INSTANCE: Final = "aws:rds/instance:Instance"
_GROUP: Final = "aws:rds/parameterGroup:ParameterGroup"
_HOST: Final = "aws:ec2/instance:Instance"
_FUNCTION: Final = "aws:lambda/function:Function"
_GROUP_RULE: Final = "aws:ec2/securityGroupRule:SecurityGroupRule"
_POOLER: Final = "[pgbouncer]\nclient_tls_sslmode = require\nserver_tls_sslmode = prefer\n"


def document(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def policy(action: str, resource: str = "*") -> dict[str, Any]:
    return {"role": "app", "policy": document(Action=action, Resource=resource)}


def parameters(**values: str) -> dict[str, Any]:
    listed = [{"name": name.replace("__", "."), "value": value} for name, value in values.items()]
    return {"family": "postgres17", "parameters": listed}


def port(number: int) -> dict[str, Any]:
    return {**_WORLD, "fromPort": number, "toPort": number}


# what was changed -> (rule, type, properties)
BAD_CHANGES: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    "single zone": ("rds-multi-az", _INSTANCE, {"multiAz": False}),
    "deletable database": ("rds-deletion-protected", _INSTANCE, {"deletionProtection": False}),
    "no final snapshot": ("rds-final-snapshot", _INSTANCE, {"skipFinalSnapshot": True}),
    "backups deleted with it": ("rds-final-snapshot", _INSTANCE, {"deleteAutomatedBackups": True}),
    "password in the program": ("rds-no-stored-password", _INSTANCE, {"password": "hunter2"}),
    "guessable master": ("rds-master-username", _INSTANCE, {"username": "postgres"}),
    "unsupported version": ("rds-supported-version", _INSTANCE, {"engineVersion": "11.22"}),
    "version with a file read": ("rds-no-file-read", _INSTANCE, {"engineVersion": "13.2"}),
    "no logs": ("rds-logs-exported", _INSTANCE, {"enabledCloudwatchLogsExports": []}),
    "default VPC": ("rds-private-subnets", _INSTANCE, {"engine": "postgres"}),
    "default parameters": ("rds-own-parameter-group", _INSTANCE, {
        "parameterGroupName": "default.postgres17"}),
    "not protected in Pulumi": ("rds-stateful-protected", _INSTANCE, {"storageEncrypted": True}),
    "no alarms": ("logs-database-alarms", _INSTANCE, {"engine": "postgres"}),
    "nobody hears of events": ("rds-instance-events", _INSTANCE, {"engine": "postgres"}),
    "one copy of the backups": ("rds-backed-up-elsewhere", _INSTANCE, {"engine": "postgres"}),
    "public snapshot": ("rds-snapshots-not-shared", "aws:rds/snapshot:Snapshot", {
        "dbInstanceIdentifier": "a", "dbSnapshotIdentifier": "s", "sharedAccounts": ["all"]}),
    "md5 passwords": ("pg-scram-passwords", _GROUP, parameters(password_encryption="md5")),
    "old TLS": ("pg-modern-tls", _GROUP, parameters(ssl_min_protocol_version="TLSv1")),
    "no audit": ("pg-audit", _GROUP, parameters(rds__force_ssl="1")),
    "fsync off": ("pg-durable-writes", _GROUP, parameters(fsync="0")),
    "database open to the world": ("net-database-from-groups-only", _GROUP_RULE, port(5432)),
    "pooler open to a network": ("net-database-from-groups-only", _GROUP_RULE, {
        **port(6432), "cidrBlocks": ["10.0.0.0/8"]}),
    "SSH open to the world": ("net-no-world-ssh", _GROUP_RULE, port(22)),
    "everything may leave": ("net-bounded-egress", _GROUP_RULE, {
        **_WORLD, "type": "egress", "protocol": "-1", "fromPort": 0, "toPort": 0}),
    "no flow logs": ("net-flow-logs", "aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"}),
    "public host": ("ec2-no-public-address", _HOST, {"associatePublicIpAddress": True}),
    "metadata without a token": ("ec2-metadata-needs-token", _HOST, {
        "metadataOptions": {"httpTokens": "optional"}}),
    "key in user data": ("ec2-no-secret-user-data", _HOST, {
        "userData": "export AWS_ACCESS_KEY_ID=" + "AKIA" + "IOSFODNN7EXAMPLE"}),
    "packed pooler without verify-full": ("db-verify-full", _HOST, {
        "userDataBase64": base64.b64encode(gzip.compress(_POOLER.encode())).decode()}),
    "sslmode=require in a variable": ("db-verify-full", _FUNCTION, {
        "role": "r", "environment": {"variables": {"PGSSLMODE": "require"}}}),
    "password in a variable": ("lambda-no-secret-variables", _FUNCTION, {
        "role": "r", "environment": {"variables": {"DB_PASSWORD": "hunter2"}}}),
    "URL without verify-full in a secret": (
        "db-verify-full", "aws:secretsmanager/secretVersion:SecretVersion", {
            "secretId": "a", "secretString": "postgresql://app@db.internal/app"}),
    "anyone may call": ("lambda-not-public", "aws:lambda/permission:Permission", {
        "action": "lambda:InvokeFunction", "function": "f", "principal": "*"}),
    "deletion of backups": ("iam-no-deletion", _ROLE_POLICY, policy(
        "s3:DeleteObject", "arn:aws:s3:::backups/*")),
    "decryption of everything": ("iam-no-decrypt-all-keys", _ROLE_POLICY, policy("kms:Decrypt")),
    "becomes every role": ("iam-no-escalation", _ROLE_POLICY, policy(
        "iam:PassRole", "arn:aws:iam::123456789012:role/*")),
    "reads every secret": ("iam-no-exfiltration", _ROLE_POLICY, policy(
        "secretsmanager:GetSecretValue")),
    "trusts every repository": ("iam-oidc-subject", "aws:iam/role:Role", {
        "assumeRolePolicy": document(
            Action="sts:AssumeRoleWithWebIdentity",
            Principal={"Federated": "arn:aws:iam::1:oidc-provider/"
                       "token.actions.githubusercontent.com"})}),
    "public key policy": ("kms-no-public-policy", "aws:kms/key:Key", {
        "policy": document(Principal="*", Action="kms:*", Resource="*")}),
    "no rotation of a key": ("kms-rotation", "aws:kms/key:Key", {"enableKeyRotation": False}),
    "secret gone at once": ("secrets-recovery-window", "aws:secretsmanager/secret:Secret", {
        "recoveryWindowInDays": 0}),
    "unversioned bucket": ("s3-versioned", "aws:s3/bucket:Bucket", {"bucket": "plain"}),
    "backups without a lock": ("s3-object-lock", "aws:s3/bucket:Bucket", {"bucket": "unlocked"}),
    "one region": ("s3-replicated", "aws:s3/bucket:Bucket", {"bucket": "near"}),
    "short logs": ("logs-retention", "aws:cloudwatch/logGroup:LogGroup", {"retentionInDays": 7}),
    "plain HTTP": ("lb-no-plain-http", "aws:lb/listener:Listener", {
        "loadBalancerArn": "arn:aws:elasticloadbalancing:a:1:loadbalancer/app/a/b",
        "port": 80, "protocol": "HTTP",
        "defaultActions": [{"type": "forward", "targetGroupArn": "arn:t"}]}),
    "emptied vault": ("backup-vault-not-emptied", "aws:backup/vault:Vault", {
        "name": "emptied", "forceDestroy": True}),
    "unlocked vault": ("backup-vault-locked", "aws:backup/vault:Vault", {"name": "vault"}),
    "silent alarm": ("logs-alarm-has-action", "aws:cloudwatch/metricAlarm:MetricAlarm", {
        "metricName": "CPUUtilization", "namespace": "AWS/EC2",
        "comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 1}),
}  # fmt: skip
