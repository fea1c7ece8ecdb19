"""S3: Object Lock, replication, access logs, inventory and events of a bucket."""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.context import Context, Names, names
from localcloud.provider.errors import NotFoundError, UnsupportedPropertyError
from localcloud.provider.operations import Operation
from localcloud.provider.resource import Resource
from localcloud.provider.resources.storage import NO_BUCKET, Setting, bucket_setting
from localcloud.provider.shapes import to_request


class _ObjectLock(Setting):
    """The default retention; that the bucket can lock at all stays for ever."""

    def read(self, context: Context) -> dict[str, Any]:
        found = super().read(context)
        if not found.get("Rule"):
            raise NotFoundError(f"{context.subject} ({context.id}) has no default retention")
        return found


class _Logging(Setting):
    """Everything stands in `LoggingEnabled`, which is absent when there is no logging."""

    def read(self, context: Context) -> dict[str, Any]:
        found = context.call("s3", self.read_with.name, Bucket=context.id)
        if not found.get("LoggingEnabled"):
            raise NotFoundError(f"{context.subject} ({context.id}) writes no logs")
        return {"LoggingEnabled": found["LoggingEnabled"]}


class _Notification(Setting):
    """Events to EventBridge; on the wire an empty element turns them on."""

    def body(self, shape: Any, chosen: Mapping[str, Any]) -> dict[str, Any]:
        del shape
        for name, value in chosen.items():
            if name != "eventbridge" and value:
                raise UnsupportedPropertyError(name, "the local cloud sends events nowhere else")
        return {self.member: {"EventBridgeConfiguration": {}} if chosen.get("eventbridge") else {}}

    def read(self, context: Context) -> dict[str, Any]:
        context.call("s3", self.read_with.name, Bucket=context.id)
        # moto keeps the empty element to itself.
        return {"Eventbridge": bool(context.inputs.get("eventbridge"))}


class _Inventory(Resource):
    """A bucket has several, so the id is `bucket:name`."""

    def _named(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return {"Bucket": inputs["bucket"], "Id": inputs["name"]}

    def request(self, aws: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        shape = aws.input_shape("s3", self.create_with.name).members["InventoryConfiguration"]
        chosen = {k: v for k, v in inputs.items() if k not in self.common | {"bucket"}}
        configuration = to_request(shape, chosen, self.renames)
        return {**self._named(inputs), "InventoryConfiguration": configuration}

    def apply_updates(self, context: Context, changed: Names) -> None:
        if changed:
            parameters = self.request(context.aws, context.inputs)
            context.call("s3", self.create_with.name, **parameters)

    def delete(self, context: Context) -> None:
        context.call("s3", "DeleteBucketInventoryConfiguration", **self._named(context.inputs))

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        return {"bucket": context.inputs["bucket"], **super().outputs(context, found)}


RESOURCES: tuple[Resource, ...] = (
    bucket_setting(
        _ObjectLock,
        "bucketObjectLockConfiguration",
        "PutObjectLockConfiguration",
        member="ObjectLockConfiguration",
        read=Operation("GetObjectLockConfiguration", result="ObjectLockConfiguration"),
        off={"ObjectLockEnabled": "Enabled"},
        defaults={"objectLockEnabled": "Enabled"},
        also_replaces=names("objectLockEnabled"),
        not_found=names("ObjectLockConfigurationNotFoundError"),
    ),
    bucket_setting(
        Setting,
        "bucketReplicationConfig",
        "PutBucketReplication",
        member="ReplicationConfiguration",
        read=Operation("GetBucketReplication", result="ReplicationConfiguration"),
        delete="DeleteBucketReplication",
        not_found=names("ReplicationConfigurationNotFoundError"),
    ),
    bucket_setting(
        _Logging,
        "bucketLogging",
        "PutBucketLogging",
        member="BucketLoggingStatus",
        read=Operation("GetBucketLogging"),
        off={},
        renames={
            "targetBucket": "LoggingEnabled.TargetBucket",
            "targetPrefix": "LoggingEnabled.TargetPrefix",
            "targetGrants": "LoggingEnabled.TargetGrants",
            "targetObjectKeyFormat": "LoggingEnabled.TargetObjectKeyFormat",
        },
    ),
    bucket_setting(
        _Notification,
        "bucketNotification",
        "PutBucketNotificationConfiguration",
        member="NotificationConfiguration",
        read=Operation("GetBucketNotificationConfiguration"),
        off={},
        defaults={"eventbridge": False},
        unobserved=names("eventbridge"),
    ),
    _Inventory(
        kind="aws:s3/inventory:Inventory",
        service="s3",
        create_with=Operation("PutBucketInventoryConfiguration"),
        identifier="join(':', [inputs.bucket, inputs.name])",
        read_with=Operation(
            "GetBucketInventoryConfiguration",
            {"Bucket": "$bucket", "Id": "$name"},
            "InventoryConfiguration",
        ),
        delete_with=Operation("DeleteBucketInventoryConfiguration"),
        whole=True,
        renames={
            "name": "Id",
            "enabled": "IsEnabled",
            "destination.bucket": "S3BucketDestination",
            "destination.bucket.bucketArn": "Bucket",
        },
        replaces=names("bucket name"),
        defaults={"enabled": True},
        autoname="name",
        not_found=NO_BUCKET | names("NoSuchConfiguration"),
    ),
)
