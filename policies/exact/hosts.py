"""Outside demands on hosts, disks, functions and keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ..functions import allows_every, functions_of
from ..hosts import FUNCTION_URL, HOST, VOLUME
from ..images import (
    EVENT_ENCRYPTED,
    EVENT_KEY,
    SCHEDULE_ENCRYPTED,
    SCHEDULE_KEY,
    event_copies,
    scheduled_copies,
)
from ..inventory import Resource, Stack
from ..links import sources
from ..requirements import flag, on_resource
from ..rules import Context, Outcome, ResourceCheck, StackCheck, Violation

_ATTACHMENT: Final = "aws:ec2/volumeAttachment:VolumeAttachment"
# Checkov's own list, which is shorter than AWS's.
_STILL_ACCEPTED: Final = ("nodejs18.x", "nodejs20.x", "python3.8", "ruby3.2")


def _deprecated_runtime(function: Resource, _context: Context) -> Iterator[Outcome]:
    if function.get("runtime") not in _STILL_ACCEPTED:
        yield Violation(function, "has an old runtime", "have a newer one")


def _everyone(permission: Resource, _context: Context) -> Iterator[Outcome]:
    """CKV_AWS_301 knows the wildcard only; Lambda.1 also S3 without an account."""
    principal = permission.get("principal")
    if not isinstance(principal, str) or not principal.strip("*? "):
        yield Violation(permission, "is for everyone", "name somebody")


def _attached_volumes(stack: Stack, _context: Context) -> Iterator[Outcome]:
    """EC2.3 and CKV2_AWS_2 are about volumes that a host has."""
    for volume in stack.of_type(VOLUME):
        attached = sources(stack, volume, (_ATTACHMENT,), "volumeId")
        if attached.found or attached.undecided:
            yield Violation(volume, "is not encrypted", "be encrypted")
    for host in stack.of_type(HOST):
        yield Violation(host, "has a disk that is not encrypted", "have none")


def _secure_without_key(parameter: Resource, _context: Context) -> Iterator[Outcome]:
    if parameter.get("type") == "SecureString":
        yield Violation(parameter, "has no key of its own", "have one")


def _every_origin_and_method(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for url in stack.of_type(FUNCTION_URL):
        if allows_every(url, "allowOrigins") and allows_every(url, "allowMethods"):
            for one in (url, *functions_of(stack, url)):
                yield Violation(one, "answers every page", "name methods or origins")


RESOURCES: Final[Mapping[str, Mapping[str, ResourceCheck]]] = {
    "lambda-runtime": {"CKV_AWS_363": _deprecated_runtime},
    "lambda-not-public": {"CKV_AWS_301": _everyone},
    "ec2-lifecycle-copies-encrypted": {
        "CKV_AWS_253": on_resource(event_copies(EVENT_ENCRYPTED)),
        "CKV_AWS_254": on_resource(event_copies(EVENT_ENCRYPTED, EVENT_KEY)),
        "CKV_AWS_255": on_resource(scheduled_copies(SCHEDULE_ENCRYPTED)),
        "CKV_AWS_256": on_resource(scheduled_copies(SCHEDULE_ENCRYPTED, SCHEDULE_KEY)),
    },
    "secrets-parameters-encrypted": {"CKV_AWS_337": _secure_without_key},
    "kms-enabled": {"CKV_AWS_227": on_resource(flag("isEnabled", True, default=True))},
}
JOINS: Final[Mapping[str, Mapping[str, StackCheck]]] = {
    "lambda-url-origins": {"CKV2_AWS_75": _every_origin_and_method},
    "ec2-encrypted-disks": {"CKV2_AWS_2": _attached_volumes, "EC2.3": _attached_volumes},
}
