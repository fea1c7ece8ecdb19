"""S3: removing one inventory of a bucket removes that; moto deletes the bucket instead."""

from typing import Any

from moto.s3.exceptions import S3ClientError
from moto.s3.responses import S3Response

_NO_CONTENT = 204
_moto_delete: Any = S3Response._bucket_response_delete  # pyright: ignore[reportPrivateUsage]


def _bucket_response_delete(response: Any, bucket_name: str, query: dict[str, Any]) -> Any:
    if "inventory" not in query:
        return _moto_delete(response, bucket_name, query)
    response._set_action("BUCKET", "DELETE", query)
    response._authenticate_and_authorize_s3_action(bucket_name=bucket_name)
    bucket = response.backend.get_bucket(bucket_name)
    if bucket.inventory_configs.pop(query["id"][0], None) is None:
        raise S3ClientError("NoSuchConfiguration", "The specified configuration does not exist.")
    return _NO_CONTENT, {}, ""


def install() -> None:
    """Mend S3; before moto's first use."""
    setattr(S3Response, "_bucket_response_delete", _bucket_response_delete)  # noqa: B010
