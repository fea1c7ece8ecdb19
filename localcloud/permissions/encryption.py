"""The KMS permissions that a call to another service needs as well, and the state of its key.

A role that may read a secret but not use its key fails on AWS: so it does here. Keys that AWS
manages (`alias/aws/…`) need no permission of the caller. S3's own rules: `object_keys`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.kms.models import kms_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from localcloud.permissions import accounts, resources

# The key that AWS manages for S3, where none is named.
MANAGED = "alias/aws/s3"
# The usage of a key that encrypts.
ENCRYPTION = "ENCRYPT_DECRYPT"

_WRITE = ("kms:GenerateDataKey",)
_READ = ("kms:Decrypt",)
_BOTH = _WRITE + _READ

_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "secretsmanager:GetSecretValue": _READ,
    "secretsmanager:PutSecretValue": _BOTH,
    "secretsmanager:UpdateSecret": _BOTH,
    "sqs:SendMessage": _BOTH,
    "sqs:ReceiveMessage": _READ,
    "sns:Publish": _BOTH,
    "s3:GetObject": _READ,
    "s3:PutObject": _WRITE,
}


@dataclass(frozen=True)
class KeyUse:
    """A KMS action on a key that a service performs as the caller."""

    action: str
    key_arn: str
    via_service: str


def needed(action: str, resource: str | None, account: str, region: str) -> list[KeyUse]:
    """What the call needs of KMS; nothing for unencrypted resources and AWS's own keys."""
    actions = _ACTIONS.get(action)
    if not actions or not resource:
        return []
    service = action.partition(":")[0]
    key = _KEYS[service](resource, account, region)
    if not key:
        return []
    return uses(actions, key, service, account, region)


def uses(
    actions: tuple[str, ...], key_id: str, service: str, account: str, region: str
) -> list[KeyUse]:
    """The key uses of `actions` through a service."""
    arn = resources.key_arn(key_id, account, region)
    key = find(arn)
    if key is not None and any(alias.startswith("alias/aws/") for alias in key.aliases):
        return []
    return [KeyUse(action, arn, f"{service}.{region}.amazonaws.com") for action in actions]


def find(arn: str) -> Any | None:
    """moto's key with this ARN, None without one."""
    place, owner = arn.split(":")[3:5]
    return kms_backends[owner][place].keys.get(arn.rpartition("/")[2])


def refusal(key: Any, operation: str, usage: str | None) -> tuple[str, str] | None:
    """KMS's error and its text where the key is of no use for the operation; None where it is.

    Source: AWS KMS developer guide, "Key states of AWS KMS keys", table details 1 and 3.
    """
    if key.key_state == "PendingDeletion":
        return "KMSInvalidStateException", f"{key.arn} is pending deletion."
    if not key.enabled:
        return "DisabledException", f"{key.arn} is disabled."
    # moto keeps None where CreateKey names no usage.
    found = key.key_usage or ENCRYPTION
    if usage not in (None, found):
        text = f"{key.arn} key usage is {found} which is not valid for {operation}."
        return "InvalidKeyUsageException", text
    return None


def _of_secret(arn: str, account: str, region: str) -> str | None:
    secret: Any = secretsmanager_backends[account][region].secrets.get(arn)
    return secret.kms_key_id if secret else None


def _of_queue(arn: str, account: str, region: str) -> str | None:
    queue: Any = sqs_backends[account][region].queues.get(arn.rpartition(":")[2])
    return getattr(queue, "kms_master_key_id", None) if queue else None


def _of_topic(arn: str, account: str, region: str) -> str | None:
    topic: Any = sns_backends[account][region].topics.get(arn)
    return topic.kms_master_key_id if topic else None


def bucket_default(bucket: Any) -> tuple[str | None, str | None]:
    """Algorithm and key of a bucket's default encryption; the key as it was given."""
    rule: Any = (bucket.encryption or {}).get("Rule") if bucket else None
    if isinstance(rule, list):
        rule = rule[0]
    default: dict[str, str] = (rule or {}).get("ApplyServerSideEncryptionByDefault") or {}
    return default.get("SSEAlgorithm"), default.get("KMSMasterKeyID")


def _of_object(arn: str, account: str, region: str) -> str | None:
    """The key of the object that is there, or of one that is to come."""
    del account, region
    name, _, key = arn.removeprefix("arn:aws:s3:::").partition("/")
    bucket = accounts.find_bucket(name)
    stored: Any = bucket.keys.get(key) if bucket else None
    if stored is not None and getattr(stored, "kms_key_id", None):
        return stored.kms_key_id
    algorithm, key_id = bucket_default(bucket)
    return (key_id or MANAGED) if str(algorithm).startswith("aws:kms") else None


_KEYS = {"secretsmanager": _of_secret, "sqs": _of_queue, "sns": _of_topic, "s3": _of_object}
