"""S3 objects that a program puts into a bucket."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localcloud.provider.context import Context, Names, names
from localcloud.provider.errors import ProviderError
from localcloud.provider.operations import Operation
from localcloud.provider.resource import Resource
from localcloud.provider.resources.archives import zip_bytes
from localcloud.provider.resources.storage import NO_BUCKET
from localcloud.provider.sdk_types import Failure
from localcloud.provider.wire import Archive, Asset

_BODIES = ("source", "content", "contentBase64")
# Property -> what PutObject calls it.
_SENT = {
    "contentType": "ContentType",
    "contentEncoding": "ContentEncoding",
    "cacheControl": "CacheControl",
    "serverSideEncryption": "ServerSideEncryption",
    "kmsKeyId": "SSEKMSKeyId",
    "storageClass": "StorageClass",
    "metadata": "Metadata",
}


class _Object(Resource):
    """One object; whatever changes, it is put again. Its id is `bucket/key`."""

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        given = [name for name in _BODIES if inputs.get(name) is not None]
        if len(given) > 1:
            return [Failure(given[1], f"conflicts with {given[0]}: an object has one content")]
        return []

    def plan(self, aws: Any, inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
        del aws
        return [{"Bucket": inputs.get("bucket"), "Key": inputs.get("key")}]

    def start(self, context: Context) -> None:
        self._put(context)
        context.id = f"{context.inputs['bucket']}/{context.inputs['key']}"

    def apply_updates(self, context: Context, changed: Names) -> None:
        if changed:
            self._put(context)

    def read(self, context: Context) -> dict[str, Any]:
        return context.call("s3", "HeadObject", **self._where(context))

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        bucket, _, key = context.id.partition("/")
        return {
            **{name: found[member] for name, member in _SENT.items() if found.get(member)},
            "bucket": bucket,
            "key": key,
            "arn": f"arn:aws:s3:::{context.id}",
            "etag": str(found.get("ETag", "")).strip('"'),
            "versionId": found.get("VersionId", ""),
        }

    def delete(self, context: Context) -> None:
        context.call("s3", "DeleteObject", **self._where(context))

    def _put(self, context: Context) -> None:
        inputs = context.inputs
        more = {member: inputs[name] for name, member in _SENT.items() if inputs.get(name)}
        context.call(
            "s3",
            "PutObject",
            Bucket=inputs["bucket"],
            Key=inputs["key"],
            Body=_body(context),
            **more,
        )

    @staticmethod
    def _where(context: Context) -> dict[str, str]:
        bucket, _, key = context.id.partition("/")
        return {"Bucket": bucket, "Key": key}


def _body(context: Context) -> bytes:
    inputs = context.inputs
    source = inputs.get("source")
    if isinstance(source, Asset):
        if not source.path:
            return (source.text or "").encode()
        try:
            return Path(source.path).read_bytes()
        except OSError as error:
            raise ProviderError(f"source of {context.subject} cannot be read: {error}") from None
    if isinstance(source, Archive):
        return zip_bytes(source, context.subject)
    if inputs.get("contentBase64") is not None:
        return base64.b64decode(inputs["contentBase64"])
    return str(inputs.get("content") or "").encode()


RESOURCES: tuple[Resource, ...] = (
    _Object(
        kind="aws:s3/bucketObject:BucketObject",
        service="s3",
        create_with=Operation("PutObject"),
        identifier="inputs.key",
        read_with=Operation("HeadObject"),
        special=names(
            "bucket key source sourceHash content contentBase64 contentType contentEncoding "
            "cacheControl serverSideEncryption kmsKeyId storageClass metadata"
        ),
        replaces=names("bucket key"),
        # What was put is known by its hash; the object itself is not compared.
        unobserved=names("source sourceHash content contentBase64"),
        moving=names("etag versionId"),
        whole=True,
        not_found=NO_BUCKET | names("NoSuchKey 404"),
    ),
)
