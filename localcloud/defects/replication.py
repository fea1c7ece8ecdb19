"""S3 replication: new versions in a bucket with a rule are copied to its destination.

moto keeps the rule and copies nothing. Here the role's permissions decide as on AWS: without one of
them, or without a versioned destination, the version's replication status is FAILED, and the rule's
metric counts it. In another account the destination's policy and its key's policy must let the role
in as well.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ replication-status.html,
repl-metrics.html, replication-failure-codes.html and replication-change-owner.html
"""

import datetime
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeKey, S3Backend, s3_backends

from localcloud.errors import LocalCloudError
from localcloud.permissions import accounts, encryption, roles
from localcloud.permissions.callers import Caller
from localcloud.permissions.enforcement import decide
from localcloud.permissions.policies import Decision, Principal, Request

_log = logging.getLogger(__name__)
# One at a time: versions of one key arrive in their order.
_copies = ThreadPoolExecutor(max_workers=1, thread_name_prefix="replication")

_ENFORCED = "BucketOwnerEnforced"
_originals: dict[str, Any] = {}


def _put_object(backend: Any, *arguments: Any, **named: Any) -> Any:
    key = _originals["put"](backend, *arguments, **named)
    bucket = backend.get_bucket(key.bucket_name)
    rule = _rule(bucket, key.name)
    if rule is not None:
        key.replication_status = "PENDING"
        _copies.submit(_replicate, bucket, key, rule)
    return key


def _rule(bucket: Any, key_name: str) -> dict[str, Any] | None:
    """The enabled rule of the highest priority whose prefix the key has, with the role."""
    configuration: dict[str, Any] = getattr(bucket, "replication", None) or {}
    fitting = [
        rule
        for rule in configuration.get("Rule", [])
        if rule["Status"] == "Enabled"
        and key_name.startswith((rule.get("Filter") or {}).get("Prefix") or "")
    ]
    best = max(fitting, key=lambda rule: int(rule["Priority"]), default=None)
    return {**best, "Role": configuration["Role"]} if best else None


def _replicate(bucket: Any, key: Any, rule: dict[str, Any]) -> None:
    try:
        _copy(bucket, key, rule)
    except Exception as error:
        key.replication_status = "FAILED"
        _log.warning("replication of %s/%s: %s", bucket.name, key.name, error)
    else:
        key.replication_status = "COMPLETED"
    _count(bucket, rule, failed=key.replication_status == "FAILED")


def _count(bucket: Any, rule: dict[str, Any], *, failed: bool) -> None:
    """Put the metric of a rule that asks for metrics, in the region of the source."""
    if (rule["Destination"].get("Metrics") or {}).get("Status") != "Enabled":
        return
    dimensions = {
        "SourceBucket": bucket.name,
        "DestinationBucket": rule["Destination"]["Bucket"].rpartition(":")[2],
        "RuleId": rule["ID"],
    }
    datum = {
        "MetricName": "OperationsFailedReplication",
        "Value": float(failed),
        "Unit": "Count",
        "Timestamp": datetime.datetime.now(datetime.UTC).replace(tzinfo=None),
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
    }
    backend: Any = cloudwatch_backends[bucket.account_id][bucket.region_name]
    backend.put_metric_data("AWS/S3", [datum])


def _copy(bucket: Any, key: Any, rule: dict[str, Any]) -> None:
    wanted = rule["Destination"]
    destination = _destination(bucket, wanted)
    role = _Role(bucket.account_id, rule["Role"])
    role.require("s3:GetObjectVersionForReplication", bucket, f"{bucket.arn}/{key.name}")
    role.require("s3:ReplicateObject", destination, f"{destination.arn}/{key.name}")
    override = (wanted.get("AccessControlTranslation") or {}).get("Owner") == "Destination"
    if override:
        action = "s3:ObjectOwnerOverrideToBucketOwner"
        role.require(action, destination, f"{destination.arn}/{key.name}")
    replica_key = (wanted.get("EncryptionConfiguration") or {}).get("ReplicaKmsKeyID")
    if key.kms_key_id:
        selected = (rule.get("SourceSelectionCriteria") or {}).get("SseKmsEncryptedObjects") or {}
        if not replica_key or selected.get("Status") != "Enabled":
            raise LocalCloudError("the rule does not select objects under a customer key.")
        role.require("kms:Decrypt", bucket, key.kms_key_id)
        role.require("kms:Encrypt", destination, replica_key)
        _require_usable(key.kms_key_id, "Decrypt")
        _require_usable(replica_key, "Encrypt")
    replica = _originals["put"](
        s3_backends[destination.account_id]["aws"],
        destination.name,
        key.name,
        key.value,
        storage=wanted.get("StorageClass"),
        etag=key.etag.strip('"'),
        encryption="aws:kms" if replica_key else key.encryption,
        kms_key_id=replica_key,
        lock_mode=key.lock_mode,
        lock_until=key.lock_until,
    )
    # A replica has the version id of its original.
    replica._version_id = key.version_id
    replica.set_metadata(dict(key.metadata))
    replica.replication_status = "REPLICA"
    given_up = override or _owner_enforced(destination)
    replica.owner_account = (destination if given_up else bucket).account_id


def _require_usable(key_arn: str, operation: str) -> None:
    key = encryption.find(key_arn)
    if key is None:
        raise LocalCloudError(f"key {key_arn} does not exist.")
    refused = encryption.refusal(key, operation, encryption.ENCRYPTION)
    if refused is not None:
        raise LocalCloudError(": ".join(refused))


def _destination(bucket: Any, wanted: dict[str, Any]) -> Any:
    """The bucket that the rule copies to. Raises LocalCloudError where S3 could not copy there."""
    destination = accounts.find_bucket(wanted["Bucket"].rpartition(":")[2])
    owner = wanted.get("Account")
    if destination is None or not destination.is_versioned:
        raise LocalCloudError(f"{wanted['Bucket']} is no versioned bucket.")
    if owner not in (None, destination.account_id):
        raise LocalCloudError(f"{wanted['Bucket']} is no bucket of account {owner}.")
    if bucket.object_lock_enabled and not destination.object_lock_enabled:
        raise LocalCloudError(f"{wanted['Bucket']} has no Object Lock, and the source has.")
    return destination


def _owner_enforced(bucket: Any) -> bool:
    """Whether the bucket's account owns all that is in it; so by default since April 2023."""
    return (bucket.ownership_rule or _ENFORCED) == _ENFORCED


class _Role:
    """The role that S3 copies with."""

    def __init__(self, account: str, arn: str) -> None:
        role = roles.find(account, arn)
        if role is None:
            raise LocalCloudError(f"role {arn} does not exist.")
        self._arn, self._account = arn, account
        self._caller = Caller(Principal(account, (arn,)), role, "s3")

    def require(self, action: str, bucket: Any, resource: str) -> None:
        """Raise LocalCloudError unless the role may do this for objects of `bucket`."""
        context = {
            "aws:securetransport": "true",
            "s3:tlsversion": "1.3",
            "aws:principalarn": self._arn,
            "aws:principalaccount": self._account,
            "aws:resourceaccount": bucket.account_id,
            "kms:viaservice": f"s3.{bucket.region_name}.amazonaws.com",
            "kms:encryptioncontext:aws:s3:arn": bucket.arn,
        }
        request = Request(action, resource, self._caller.principal, context)
        if decide(self._caller, request) is not Decision.ALLOW:
            raise LocalCloudError(f"role {self._arn} may not {action} on {resource}.")


def _put_rules(backend: Any, bucket_name: str, replication: dict[str, Any]) -> None:
    """PutBucketReplication: S3 looks at the destinations, and not at their policies."""
    rules: Any = replication["Rule"]
    for rule in rules if isinstance(rules, list) else [rules]:
        found = accounts.find_bucket(rule["Destination"]["Bucket"].rpartition(":")[2])
        if found is None:
            raise S3ClientError("InvalidRequest", "Destination bucket must exist.")
        if not found.is_versioned:
            raise S3ClientError(
                "InvalidRequest", "Destination bucket must have versioning enabled."
            )
    _originals["rules"](backend, bucket_name, replication)


def _response_dict(key: Any) -> dict[str, Any]:
    found: dict[str, Any] = _originals["headers"](key)
    status = getattr(key, "replication_status", None)
    return {**found, "x-amz-replication-status": status} if status else found


def install() -> None:
    """Copy what is put; after the other changes of S3, before moto's first use."""
    if _originals:
        return
    _originals["put"] = S3Backend.put_object
    _originals["headers"] = FakeKey.response_dict.fget
    _originals["rules"] = S3Backend.put_bucket_replication
    setattr(S3Backend, "put_object", _put_object)  # noqa: B010
    setattr(S3Backend, "put_bucket_replication", _put_rules)  # noqa: B010
    setattr(FakeKey, "response_dict", property(_response_dict))  # noqa: B010
