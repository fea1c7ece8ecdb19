"""The properties of buckets in states of older versions of the AWS provider.

`aws.s3.BucketV2` is the same bucket as version 7's `aws.s3.Bucket`. What can stand there once is a
list in it (`versionings: [{...}]`), as `loggings` is in version 6's `aws.s3.Bucket`, and an object
in the newest one (`versioning: {...}`), for which rules are written. Source: pulumi-aws's SDKs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

OLDER_BUCKET: Final = "aws:s3/bucketV2:BucketV2"
_BUCKETS: Final = frozenset({OLDER_BUCKET, "aws:s3/bucket:Bucket"})
_OBJECTS: Final = {
    "versionings": "versioning",
    "loggings": "logging",
    "websites": "website",
    "replicationConfigurations": "replicationConfiguration",
    "serverSideEncryptionConfigurations": "serverSideEncryptionConfiguration",
    "applyServerSideEncryptionByDefaults": "applyServerSideEncryptionByDefault",
    "defaultRetentions": "defaultRetention",
    "destinations": "destination",
    "expirations": "expiration",
    "noncurrentVersionExpirations": "noncurrentVersionExpiration",
}
# Here even the rules are one: a replication and a lifecycle have many.
_ONE_RULE: Final = frozenset({"serverSideEncryptionConfiguration", "objectLockConfiguration"})


def current_name(kind: str, name: str) -> str:
    """The name of the property `name` of a resource of the type `kind` in version 7."""
    return _OBJECTS.get(name, name) if kind in _BUCKETS else name


def current_properties(kind: str, properties: Mapping[str, object]) -> dict[str, object]:
    """Plain properties of a resource of the type `kind`, as version 7 has them."""
    return _renamed(properties, "") if kind in _BUCKETS else dict(properties)


def _renamed(fields: Mapping[str, object], inside: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in fields.items():
        single = "rule" if name == "rules" and inside in _ONE_RULE else _OBJECTS.get(name)
        entries = cast("list[object]", value) if isinstance(value, list) else None
        if single is None or (entries is not None and len(entries) > 1):
            # More of them than AWS takes stay what they are: no rule finds what it asks for.
            found[name] = _inner(value, name)
        elif entries is None:
            found[single] = _inner(value, single)
        elif entries:
            found[single] = _inner(entries[0], single)
    return found


def _inner(value: object, name: str) -> object:
    if isinstance(value, dict):
        return _renamed(cast("dict[str, object]", value), name)
    if isinstance(value, list):
        return [_inner(one, name) for one in cast("list[object]", value)]
    return value
