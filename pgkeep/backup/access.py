"""The backups of a deployed stack, and how AWS's refusals reach the user."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from operations import aws_clients
from operations.backup.store import Store
from operations.errors import OperationError
from pgkeep.deployed import DeployedStack
from pgkeep.failures import CommandError, ExitCode

# A name such as instance:x: is no emoji.
console = Console(highlight=False, emoji=False)
#: Progress goes to standard error, so that standard output is the result alone.
progress_console = Console(stderr=True, highlight=False, emoji=False)


@contextmanager
def refusals_as_lines(interrupted: str = "nothing was changed") -> Generator[None]:
    """An operation that refuses, or an AWS or PostgreSQL error, becomes one line and exit code 1.

    `interrupted` is what Ctrl-C leaves, and what to do; its exit code is 130.

    Raises:
        CommandError: in place of what was raised.
    """
    import psycopg
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except OperationError as error:
        raise CommandError(str(error), ExitCode.REFUSED) from error
    except (BotoCoreError, ClientError, psycopg.Error) as error:
        reason, advice = " ".join(str(error).split()), aws_clients.what_to_do(error)
        text = f"{reason.rstrip('.')}; {advice}" if advice else reason
        raise CommandError(text, ExitCode.REFUSED) from error
    except KeyboardInterrupt:
        raise CommandError(f"interrupted: {interrupted}", ExitCode.INTERRUPTED) from None


def store(
    stack: DeployedStack, bucket: str | None = None, *, signed_by: str | None = None
) -> Store:
    """The stack's bucket or another one, its manifests verified where the stack signs them.

    `signed_by` is another key than the stack's, for backups of another stack or region.

    Raises:
        OperationError: there is no such key, or it does not sign manifests.
    """
    s3, name = stack.client("s3"), bucket or stack.bucket
    if signed_by is not None:
        kms, mac_key = _signing_key(stack, signed_by)
        return Store(s3, name, kms, mac_key)
    own: Any = stack.outputs.get("manifest_key_arn")
    return Store(s3, name, stack.client("kms") if own else None, str(own) if own else None)


def _signing_key(stack: DeployedStack, key: str) -> tuple[Any, str]:
    """A client of the key's region, and the key's ARN."""
    from botocore.exceptions import ClientError

    # arn:partition:kms:region:account:key/id, or alias/name
    parts = key.split(":")
    is_arn = len(parts) == 6 and parts[2] == "kms"
    if not is_arn and not key.startswith("alias/"):
        raise OperationError(
            f"--signed-by {key} refused: it must be the ARN of a key, or an alias in "
            f"{stack.outputs['region']} such as alias/pgkeep-prod-manifests"
        )
    kms = stack.client("kms", region=parts[3] if is_arn else None)
    try:
        found = kms.describe_key(KeyId=key)["KeyMetadata"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NotFoundException":
            raise
        raise OperationError(
            f"--signed-by {key} refused: {kms.meta.region_name} has no such key; `aws kms "
            f"list-aliases --region {kms.meta.region_name}` shows which there are"
        ) from None
    if found.get("KeyUsage") != "GENERATE_VERIFY_MAC":
        raise OperationError(
            f"--signed-by {key} refused: {found['Arn']} encrypts and signs no manifests; name the "
            "key of the output manifest_key_arn of the stack that made the backups, or its replica"
        )
    return kms, str(found["Arn"])


def bucket_key(stack: DeployedStack) -> str:
    """ARN of the KMS key that the bucket encrypts with."""
    answer = stack.client("s3").get_bucket_encryption(Bucket=stack.bucket)
    rule = answer["ServerSideEncryptionConfiguration"]["Rules"][0]
    return str(rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"])


def bytes_text(size_bytes: float) -> str:
    """For people: `1.4 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} TiB"


def age_text(seconds: float) -> str:
    """For people: `3 h 20 min`, `12 d`."""
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d"


def print_json(document: object) -> None:
    """One document on standard output."""
    import json

    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")
