"""S3's part of the check: its action names, bucket policies with all conditions, object keys.

moto ignores Condition in a bucket policy, so that a TLS-only Deny refuses everything; here the
whole policy counts. An explicit Deny also holds for the administrator, as on AWS.
"""

import contextvars
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import xmltodict
from moto.core.authorization import ActionAuthenticatorMixin
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response

from localcloud.permissions import accounts, callers, enforcement, object_keys
from localcloud.permissions.callers import Caller
from localcloud.permissions.policies import Decision, Request, evaluate

_ARN = "arn:aws:s3:::"

# Sub-resource in the query string -> what follows Get, Put or Delete in the IAM action.
_BUCKET_PARTS = {
    "acl": "BucketAcl", "accelerate": "AccelerateConfiguration", "cors": "BucketCORS",
    "encryption": "EncryptionConfiguration", "inventory": "InventoryConfiguration",
    "lifecycle": "LifecycleConfiguration", "location": "BucketLocation",
    "logging": "BucketLogging", "notification": "BucketNotification",
    "object-lock": "BucketObjectLockConfiguration",
    "ownershipControls": "BucketOwnershipControls", "policy": "BucketPolicy",
    "policyStatus": "BucketPolicyStatus", "publicAccessBlock": "BucketPublicAccessBlock",
    "replication": "ReplicationConfiguration", "tagging": "BucketTagging",
    "versioning": "BucketVersioning", "website": "BucketWebsite",
}  # fmt: skip
_BUCKET_LISTS = {"uploads": "ListBucketMultipartUploads", "versions": "ListBucketVersions"}
_BUCKET_DEFAULTS = {
    "GET": "ListBucket", "HEAD": "ListBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket",
    "POST": "PutObject",
}  # fmt: skip
_OBJECT_PARTS = {
    "acl": "ObjectAcl", "tagging": "ObjectTagging", "retention": "ObjectRetention",
    "legal-hold": "ObjectLegalHold", "attributes": "ObjectAttributes",
}  # fmt: skip
# Removing a bucket's configuration needs the permission to put it, but for these.
_DELETED = frozenset({"policy", "website"})

_READS = frozenset({"s3:GetObject", "s3:GetObjectVersion"})

_BYPASS = "x-amz-bypass-governance-retention"
_BYPASSING = frozenset({"s3:DeleteObjectVersion", "s3:PutObjectRetention"})

_current: contextvars.ContextVar[Any] = contextvars.ContextVar("s3_response", default=None)
_moto_setup: Any = S3Response.setup_class


def action(method: str, query: Mapping[str, Any], has_key: bool) -> str:
    """The IAM action of an S3 request.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
    """
    name = _object_action(method, query) if has_key else _bucket_action(method, query)
    return f"s3:{name}"


def _bucket_action(method: str, query: Mapping[str, Any]) -> str:
    if method == "GET":
        for name, listing in _BUCKET_LISTS.items():
            if name in query:
                return listing
    for name, part in _BUCKET_PARTS.items():
        if name in query:
            deletes = method == "DELETE" and name in _DELETED
            verb = "Get" if method in ("GET", "HEAD") else "Delete" if deletes else "Put"
            return f"{verb}{part}"
    return _BUCKET_DEFAULTS.get(method, "ListBucket")


def _object_action(method: str, query: Mapping[str, Any]) -> str:
    verb = {"PUT": "Put", "DELETE": "Delete"}.get(method, "Get")
    for name, part in _OBJECT_PARTS.items():
        if name in query:
            return f"{verb}{part}"
    if method in ("PUT", "POST"):
        return "RestoreObject" if "restore" in query else "PutObject"
    if "uploadId" in query:
        return "ListMultipartUploadParts" if method == "GET" else "AbortMultipartUpload"
    return f"{verb}Object{'Version' if 'versionId' in query else ''}"


def _conditions(response: Any, caller: Caller) -> dict[str, Any]:
    """Global condition keys and those of S3."""
    values: dict[str, Any] = enforcement.context(response, caller)
    values["s3:resourceaccount"] = response.current_account
    if response.headers.get("X-Forwarded-Proto", "https") == "https":
        values["s3:tlsversion"] = "1.3"
    headers = {name.lower(): value for name, value in response.headers.items()}
    for name, value in headers.items():
        if name.startswith("x-amz-"):
            values[f"s3:{name}"] = value
    for name in ("mode", "retain-until-date", "legal-hold"):
        if value := headers.get(f"x-amz-object-lock-{name}"):
            values[f"s3:object-lock-{name}"] = value
    _add_upload(response, values)
    if "if-none-match" in headers:
        values["s3:if-none-match"] = headers["if-none-match"]
    query: Any = response.normalized_request.args
    values["s3:objectcreationoperation"] = str(_creates(response.method, query)).lower()
    for name, key in (
        ("prefix", "prefix"),
        ("delimiter", "delimiter"),
        ("max-keys", "max-keys"),
        ("versionId", "versionid"),
    ):
        if name in query:
            values[f"s3:{key}"] = query[name]
    return values


def _creates(method: str, query: Mapping[str, Any]) -> bool:
    """PutObject and CompleteMultipartUpload make objects; the other calls of an upload do not."""
    if method == "PUT":
        return "partNumber" not in query and not any(part in query for part in _OBJECT_PARTS)
    return method == "POST" and "uploadId" in query


def current_header(name: str) -> str | None:
    """A header of the request that is being answered, or None."""
    response = _current.get()
    return response.headers.get(name) if response is not None else None


def _add_upload(response: Any, values: dict[str, Any]) -> None:
    """Parts and completion of an upload count as encrypted as the upload was begun."""
    upload_id = response.normalized_request.args.get("uploadId")
    bucket = accounts.find_bucket(response.bucket_name)
    upload: Any = bucket.multiparts.get(upload_id) if bucket and upload_id else None
    if upload and upload.sse_encryption:
        values["s3:x-amz-server-side-encryption"] = upload.sse_encryption
    if upload and upload.kms_key_id:
        values["s3:x-amz-server-side-encryption-aws-kms-key-id"] = upload.kms_key_id


def _requests(response: Any, bucket: str, key: str | None) -> list[tuple[str, str]]:
    """Actions and ARNs that the request needs."""
    method: str = response.method
    query: Any = response.normalized_request.args
    name = action(method, query, key is not None)
    arn = f"{_ARN}{bucket}/{key}" if key is not None else f"{_ARN}{bucket}"
    found = [(name, arn)]
    headers = response.headers
    if name in _BYPASSING and headers.get(_BYPASS, "").lower() == "true":
        found.append(("s3:BypassGovernanceRetention", arn))
    if name != "s3:PutObject":
        return found
    if headers.get("x-amz-tagging"):
        found.append(("s3:PutObjectTagging", arn))
    if headers.get("x-amz-object-lock-mode"):
        found.append(("s3:PutObjectRetention", arn))
    if source := headers.get("x-amz-copy-source"):
        path = unquote(source).lstrip("/").partition("?")[0]
        found.append(("s3:GetObject", f"{_ARN}{path}"))
    return found


def _check(response: Any, bucket_name: str | None = None, key_name: str | None = None) -> None:
    """Take the place of moto's check of S3 requests."""
    caller = callers.identify(response)
    values = _conditions(response, caller)
    if not bucket_name:
        if caller.role is not None:
            everywhere = Request("s3:ListAllMyBuckets", "*", caller.principal, values)
            enforcement.require(caller, everywhere)
        return
    if _deletes_objects(response):
        # DeleteObjects is checked for each object: get_permission.
        return
    for name, arn in _requests(response, bucket_name, key_name):
        request = Request(name, arn, caller.principal, values)
        enforcement.check_endpoint(caller, request, response)
        _require(caller, request)
        _check_encryption(response, caller, request)
        _check_owner(caller, request)
    if key_name is not None and response.method in ("GET", "HEAD") and caller.role is not None:
        _hide_missing(caller, bucket_name, key_name, values)


def _check_owner(caller: Caller, request: Request) -> None:
    """Nobody of the bucket's account reads an object that another account owns.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
    """
    name, _, key = str(request.resource).removeprefix(_ARN).partition("/")
    bucket = accounts.find_bucket(name)
    stored: Any = bucket.keys.get(key) if bucket and key else None
    owner = getattr(stored, "owner_account", None)
    if owner not in (None, caller.principal.account_id) and request.action in _READS:
        enforcement.refuse(caller, request, f"because account {owner} owns the object")


def _deletes_objects(response: Any) -> bool:
    return response.method == "POST" and "delete" in response.normalized_request.args


def _policy(bucket_name: str) -> list[str]:
    bucket = accounts.find_bucket(bucket_name)
    return [bucket.policy.decode()] if bucket and bucket.policy else []


def _require(caller: Caller, request: Request) -> None:
    if caller.role is not None:
        enforcement.require(caller, request)
        return
    bucket_name = str(request.resource).removeprefix(_ARN).partition("/")[0]
    decision = evaluate(_policy(bucket_name), request)
    if decision is not Decision.ALLOW and enforcement.foreign(caller, str(request.resource)):
        reason = f"because no resource-based policy allows the {request.action} action"
        enforcement.refuse(caller, request, reason)
    if caller.administrator:
        # The account's root may always repair a policy that shuts it out.
        repairs = request.action in ("s3:PutBucketPolicy", "s3:DeleteBucketPolicy")
        if decision is Decision.DENY and not repairs:
            enforcement.refuse(caller, request, "with an explicit deny in a resource-based policy")
        return
    if decision is Decision.DENY:
        enforcement.refuse(caller, request, "with an explicit deny in a resource-based policy")


def _check_encryption(response: Any, caller: Caller, request: Request) -> None:
    """The key's policies for the caller, then its state."""
    uses = object_keys.uses(response, request.action, str(request.resource))
    enforcement.check_keys(caller, uses, request.context)
    object_keys.require_usable(uses)


def _hide_missing(caller: Caller, bucket_name: str, key_name: str, values: dict[str, Any]) -> None:
    """Without s3:ListBucket a missing object is answered with 403, not 404."""
    bucket = accounts.find_bucket(bucket_name)
    if bucket is None or key_name in bucket.keys:
        return
    request = Request("s3:ListBucket", f"{_ARN}{bucket_name}", caller.principal, values)
    enforcement.require(caller, request)


def _get_permission(bucket: Any, action_name: str, resource: str) -> PermissionResult:
    """Answer moto's own questions: anonymous reads, and each object of DeleteObjects."""
    response = _current.get()
    if response is None:
        return PermissionResult.NEUTRAL
    caller = callers.identify(response)
    values = _conditions(response, caller)
    if _deletes_objects(response):
        try:
            for name in _deletions(response, resource.removeprefix(f"{_ARN}{bucket.name}/")):
                _require(caller, Request(name, resource, caller.principal, values))
        except enforcement.AccessDeniedError:
            return PermissionResult.DENIED
        return PermissionResult.NEUTRAL
    request = Request(action_name, resource, caller.principal, values)
    if not caller.principal.anonymous or not bucket.policy:
        return PermissionResult.NEUTRAL
    request = Request(
        action_name.replace("HeadObject", "GetObject"), resource, request.principal, request.context
    )
    allowed = evaluate([bucket.policy.decode()], request) is Decision.ALLOW
    return PermissionResult.PERMITTED if allowed else PermissionResult.NEUTRAL


def _deletions(response: Any, key: str) -> list[str]:
    """What DeleteObjects needs for one key: another action for a version than for a marker."""
    given: Any = xmltodict.parse(response.body, strip_whitespace=False)["Delete"].get("Object", [])
    versions = {
        bool(item.get("VersionId"))
        for item in (given if isinstance(given, list) else [given])
        if item["Key"] == key
    }
    found = [f"s3:DeleteObject{'Version' if version else ''}" for version in sorted(versions)]
    if True in versions and response.headers.get(_BYPASS, "").lower() == "true":
        found.append("s3:BypassGovernanceRetention")
    return found


def _setup(response: Any, *arguments: Any, **named: Any) -> None:
    _moto_setup(response, *arguments, **named)
    _current.set(response)


def install() -> None:
    """Put these checks in the place of moto's."""
    setattr(ActionAuthenticatorMixin, "_authenticate_and_authorize_s3_action", _check)  # noqa: B010
    setattr(S3Response, "setup_class", _setup)  # noqa: B010
    setattr(FakeBucket, "get_permission", _get_permission)  # noqa: B010
