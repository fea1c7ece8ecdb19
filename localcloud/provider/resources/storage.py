"""S3: a bucket, and the separate resources that pulumi-aws has for its settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.provider.context import Context, Names, names
from localcloud.provider.errors import RefusedError
from localcloud.provider.operations import Operation
from localcloud.provider.resource import Resource
from localcloud.provider.resources.identity import document, policy_failure
from localcloud.provider.sdk_types import Failure
from localcloud.provider.shapes import key_values, to_request
from localcloud.provider.tags import Tags

# The hosted zone of S3 websites in eu-west-1, from AWS's table of S3 website endpoints.
_HOSTED_ZONES = {"eu-west-1": "Z1BKCTXD74EZPE", "eu-central-1": "Z21DNDUVLTQW6Q"}


class _BucketTags(Tags):
    """S3 replaces all tags at once."""

    def apply(self, context: Context, old: Mapping[str, str], new: Mapping[str, str]) -> None:
        del old
        if new:
            context.call(
                "s3", "PutBucketTagging", Bucket=context.id, Tagging={"TagSet": key_values(new)}
            )
        else:
            context.call("s3", "DeleteBucketTagging", Bucket=context.id)


class _Bucket(Resource):
    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        name = inputs.get("bucket")
        if isinstance(name, str) and not (3 <= len(name) <= 63 and name == name.lower()):
            return [Failure("bucket", f"{name!r} must be 3 to 63 lower-case characters")]
        return []

    def start(self, context: Context) -> None:
        name = context.inputs["bucket"]
        parameters: dict[str, Any] = {"Bucket": name}
        if context.region != "us-east-1":
            parameters["CreateBucketConfiguration"] = {"LocationConstraint": context.region}
        if context.inputs.get("objectLockEnabled"):
            parameters["ObjectLockEnabledForBucket"] = True
        context.call("s3", "CreateBucket", **parameters)
        context.id = name
        if context.inputs.get("tags") and self.tags:
            self.tags.apply(context, {}, context.inputs["tags"])

    def read(self, context: Context) -> dict[str, Any]:
        context.call("s3", "HeadBucket", Bucket=context.id)
        return {"Name": context.id}

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        values["hostedZoneId"] = _HOSTED_ZONES.get(context.region, "")
        return values

    def delete(self, context: Context) -> None:
        if context.inputs.get("forceDestroy"):
            self._empty(context)
        context.call("s3", "DeleteBucket", Bucket=context.id)

    def _empty(self, context: Context) -> None:
        while True:
            page = context.call("s3", "ListObjectVersions", Bucket=context.id, MaxKeys=1000)
            objects = [
                {"Key": item["Key"], "VersionId": item["VersionId"]}
                for item in (page.get("Versions") or []) + (page.get("DeleteMarkers") or [])
            ]
            if not objects:
                return
            context.call(
                "s3",
                "DeleteObjects",
                Bucket=context.id,
                Delete={"Objects": objects, "Quiet": True},
                BypassGovernanceRetention=True,
            )


@dataclass(frozen=True, kw_only=True)
class Setting(Resource):
    """One setting of a bucket: `put` with all of it, read, and deleted as a whole. Its id is the
    bucket's name. `member` is the request member that the properties go into."""

    member: str = ""
    # For a setting that AWS cannot delete: the value that stands for "off".
    off: Mapping[str, Any] | None = None

    def request(self, aws: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        shape = aws.input_shape("s3", self.create_with.name)
        chosen = {
            k: v
            for k, v in inputs.items()
            if k not in self.local | self.common | {"bucket", "expectedBucketOwner"}
        }
        owner = inputs.get("expectedBucketOwner")
        request: dict[str, Any] = {"Bucket": inputs["bucket"]}
        if owner:
            request["ExpectedBucketOwner"] = owner
        request |= self.body(shape, chosen)
        return request

    def body(self, shape: Any, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """The setting itself as the request carries it."""
        inner = shape.members[self.member]
        return {self.member: to_request(inner, chosen, self.renames)}

    def start(self, context: Context) -> None:
        context.call("s3", self.create_with.name, **self.request(context.aws, context.inputs))
        context.id = context.inputs["bucket"]

    def apply_updates(self, context: Context, changed: Names) -> None:
        if changed:
            request = self.request(context.aws, context.inputs)
            context.call("s3", self.create_with.name, **request)

    def delete(self, context: Context) -> None:
        if context.inputs.get("skipDestroy"):
            return
        if self.off is not None:
            parameters = {"Bucket": context.id, self.member: dict(self.off)}
            context.call("s3", self.create_with.name, **parameters)
        else:
            super().delete(context)

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        return {"bucket": context.id, **super().outputs(context, found)}


class _Versioning(Setting):
    def body(self, shape: Any, chosen: Mapping[str, Any]) -> dict[str, Any]:
        configuration = chosen.get("versioningConfiguration")
        known = configuration if isinstance(configuration, Mapping) else {}
        body = {self.member: to_request(shape.members[self.member], known, self.renames)}
        return body | ({"MFA": chosen["mfa"]} if chosen.get("mfa") else {})

    def delete(self, context: Context) -> None:
        try:
            super().delete(context)
        except RefusedError as error:
            # With Object Lock a bucket stays versioned until it is deleted itself.
            if error.code != "InvalidBucketState":
                raise

    def read(self, context: Context) -> dict[str, Any]:
        found = context.call("s3", "GetBucketVersioning", Bucket=context.id)
        return {"VersioningConfiguration": {"Status": found.get("Status", "Disabled")}}


class _Policy(Setting):
    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        return policy_failure("policy", inputs.get("policy"))

    def body(self, shape: Any, chosen: Mapping[str, Any]) -> dict[str, Any]:
        del shape
        value = chosen["policy"]
        return {"Policy": document(value) if isinstance(value, str | dict) else value}


class _Lifecycle(Setting):
    """Rules need a filter on the wire; AWS takes an empty one for the whole bucket."""

    def body(self, shape: Any, chosen: Mapping[str, Any]) -> dict[str, Any]:
        body = super().body(shape, {k: v for k, v in chosen.items() if k == "rules"})
        rules = body[self.member].get("Rules")
        for rule in rules if isinstance(rules, list) else []:
            if not isinstance(rule, dict):
                continue
            wanted = rule.get("Filter")
            if (wanted is None and "Prefix" not in rule) or (
                isinstance(wanted, dict) and not wanted
            ):
                rule["Filter"] = {"Prefix": ""}
        size = chosen.get("transitionDefaultMinimumObjectSize")
        return body | ({"TransitionDefaultMinimumObjectSize": size} if size else {})

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        for rule in values.get("rules", []):
            if rule.get("filter") == {"prefix": ""}:
                rule["filter"] = {}
        return values


NO_BUCKET = names("NoSuchBucket 404")
# The settings whose requests can name the bucket's expected owner.
_OWNED = names(
    "bucketVersioning bucketServerSideEncryptionConfiguration bucketLifecycleConfiguration "
    "bucketObjectLockConfiguration bucketLogging"
)


def bucket_setting(
    cls: type[Setting],
    name: str,
    operation: str,
    *,
    member: str = "",
    read: Operation,
    delete: str = "",
    **more: Any,
) -> Resource:
    pulumi_name = name[0].upper() + name[1:]
    more["not_found"] = more.get("not_found", frozenset()) | NO_BUCKET
    replaces = names("bucket expectedBucketOwner") if name in _OWNED else names("bucket")
    return cls(
        kind=f"aws:s3/{name}:{pulumi_name}",
        service="s3",
        create_with=Operation(operation),
        identifier="inputs.bucket",
        read_with=Operation(read.name, {"Bucket": "$id"}, read.result),
        delete_with=Operation(delete, {"Bucket": "$id"}) if delete else None,
        member=member,
        whole=True,
        replaces=replaces | more.pop("also_replaces", frozenset()),
        delete_before_replace=True,
        **more,
    )


RESOURCES: tuple[Resource, ...] = (
    _Bucket(
        kind="aws:s3/bucket:Bucket",
        service="s3",
        create_with=Operation("CreateBucket"),
        identifier="inputs.bucket",
        read_with=Operation("HeadBucket"),
        special=names("bucket objectLockEnabled"),
        local=names("forceDestroy"),
        replaces=names("bucket bucketPrefix objectLockEnabled"),
        defaults={"forceDestroy": False},
        autoname="bucket",
        autoname_limit=63,
        formats={
            "arn": "arn:aws:s3:::{id}",
            "bucket": "{id}",
            "bucketRegion": "{region}",
            "bucketDomainName": "{id}.s3.amazonaws.com",
            "bucketRegionalDomainName": "{id}.s3.{region}.amazonaws.com",
        },
        tags=_BucketTags(
            create_member="",
            tag=Operation("PutBucketTagging"),
            untag=Operation("DeleteBucketTagging"),
            read="",
        ),
        not_found=NO_BUCKET,
    ),
    bucket_setting(
        _Versioning,
        "bucketVersioning",
        "PutBucketVersioning",
        member="VersioningConfiguration",
        read=Operation("GetBucketVersioning"),
        off={"Status": "Suspended"},
    ),
    bucket_setting(
        Setting,
        "bucketServerSideEncryptionConfiguration",
        "PutBucketEncryption",
        member="ServerSideEncryptionConfiguration",
        read=Operation("GetBucketEncryption", result="ServerSideEncryptionConfiguration"),
        delete="DeleteBucketEncryption",
        renames={
            "rules.applyServerSideEncryptionByDefault.kmsMasterKeyId": "KMSMasterKeyID",
            "rules.applyServerSideEncryptionByDefault.sseAlgorithm": "SSEAlgorithm",
        },
        not_found=names("ServerSideEncryptionConfigurationNotFoundError"),
    ),
    bucket_setting(
        Setting,
        "bucketPublicAccessBlock",
        "PutPublicAccessBlock",
        member="PublicAccessBlockConfiguration",
        read=Operation("GetPublicAccessBlock", result="PublicAccessBlockConfiguration"),
        delete="DeletePublicAccessBlock",
        local=names("skipDestroy"),
        defaults={
            "blockPublicAcls": False,
            "blockPublicPolicy": False,
            "ignorePublicAcls": False,
            "restrictPublicBuckets": False,
        },
        not_found=names("NoSuchPublicAccessBlockConfiguration"),
    ),
    bucket_setting(
        _Policy,
        "bucketPolicy",
        "PutBucketPolicy",
        read=Operation("GetBucketPolicy"),
        delete="DeleteBucketPolicy",
        json_properties=names("policy"),
        not_found=names("NoSuchBucketPolicy"),
    ),
    bucket_setting(
        _Lifecycle,
        "bucketLifecycleConfiguration",
        "PutBucketLifecycleConfiguration",
        member="LifecycleConfiguration",
        read=Operation("GetBucketLifecycleConfiguration"),
        delete="DeleteBucketLifecycle",
        renames={
            "rules.id": "ID",
            "rules.expiration.days": "Days",
            "rules.filter.and.tags": "Tags",
        },
        not_found=names("NoSuchLifecycleConfiguration"),
        # The API answers in another form than it is asked in (filters, default transition size).
        unobserved=names("transitionDefaultMinimumObjectSize"),
    ),
    bucket_setting(
        Setting,
        "bucketOwnershipControls",
        "PutBucketOwnershipControls",
        member="OwnershipControls",
        read=Operation("GetBucketOwnershipControls", result="OwnershipControls"),
        delete="DeleteBucketOwnershipControls",
        renames={"rule": "Rules"},
        not_found=names("OwnershipControlsNotFoundError"),
    ),
)
