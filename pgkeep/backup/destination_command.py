"""`pgkeep backup destination`: what the owner of a bucket in another account puts there."""

from __future__ import annotations

import json
import re
from typing import Any

from pgkeep.backup.access import print_json, refusals_as_lines
from pgkeep.failures import CommandError
from pgkeep.lazy_aws import load_lazily
from pgkeep.stack_files import StackFile, read_stack
from stacks.backup_settings import ReplicationSettings
from stacks.settings import Settings, SettingsError
from toolchain.environment import LOCAL_STACK, local_endpoint

_ACCOUNT = re.compile(r"\d{12}")
# S3's API: the first region takes no constraint.
_WITHOUT_CONSTRAINT = "us-east-1"


def run(stack_name: str, account_id: str | None, *, as_json: bool) -> None:
    """Print bucket policy, key statement and the calls that make the bucket.

    `account_id` is the stack's account; without it AWS is asked whose credentials these are.

    Raises:
        CommandError: the settings are refused or name no bucket of another account, or AWS does
            not say which account this is.
    """
    stack = read_stack(stack_name)
    try:
        settings = stack.load()
    except SettingsError as error:
        raise CommandError("; ".join(error.lines)) from None
    replication = settings.backups.replication
    if replication is None or replication.bucket_arn is None or replication.account_id is None:
        raise CommandError(
            f"stack {stack_name} copies its backups to no other account: set "
            "backups.replication.bucket_arn, account_id and key_arn; docs/backup-storage.md shows "
            "how."
        )
    if account_id is None:
        account_id = _own_account(stack)
    elif not _ACCOUNT.fullmatch(account_id):
        raise CommandError(f"--account {account_id} refused: an account's number has 12 digits.")
    if account_id == replication.account_id:
        raise CommandError(
            f"account {account_id} owns the bucket (backups.replication.account_id): name the "
            "stack's account with --account."
        )
    document = _document(settings, _region(stack), account_id, replication)
    if as_json:
        print_json(document)
    else:
        _print(stack_name, document)


def _region(stack: StackFile) -> str:
    if stack.region is None:
        raise CommandError(f"{stack.label} has no aws:region: the policies name no one without it.")
    return stack.region


def _own_account(stack: StackFile) -> str:
    import boto3

    from operations import aws_clients

    local = stack.name == LOCAL_STACK
    session = boto3.Session(
        *(("local", "local") if local else ()),
        region_name=stack.region,
    )
    endpoint = local_endpoint() if local else None
    with refusals_as_lines():
        client = session.client("sts", endpoint_url=endpoint, config=aws_clients.patient())
        return str(client.get_caller_identity()["Account"])


def _document(
    settings: Settings, region: str, account_id: str, replication: ReplicationSettings
) -> dict[str, Any]:
    load_lazily()
    from components.copies_destination import bucket_policy, key_statement
    from components.deployment import Deployment
    from facts.regions import partition_of

    partition = partition_of(region)
    if partition is None:
        raise CommandError(f"aws:region {region}: there is no such region.")
    deployment = Deployment(
        settings, account_id, partition.name, partition.dns_suffix, region, zones=()
    )
    bucket_arn = str(replication.bucket_arn)
    return {
        "stack_account": account_id,
        "bucket_account": replication.account_id,
        "bucket": bucket_arn.rpartition(":")[2],
        "region": replication.region,
        "key_arn": replication.key_arn,
        "calls": _calls(bucket_arn.rpartition(":")[2], replication.region),
        "bucket_policy": {
            "Version": "2012-10-17",
            "Statement": bucket_policy(deployment, bucket_arn),
        },
        "key_statement": key_statement(deployment, replication.region, bucket_arn),
    }


def _calls(bucket: str, region: str) -> list[str]:
    """In their order. Object Lock brings versioning with it."""
    constraint = f" --create-bucket-configuration LocationConstraint={region}"
    return [
        f"aws s3api create-bucket --region {region} --bucket {bucket} "
        "--object-lock-enabled-for-bucket --object-ownership BucketOwnerEnforced"
        + ("" if region == _WITHOUT_CONSTRAINT else constraint),
        f"aws s3api put-public-access-block --region {region} --bucket {bucket} "
        "--public-access-block-configuration BlockPublicAcls=true,IgnorePublicAcls=true,"
        "BlockPublicPolicy=true,RestrictPublicBuckets=true",
        f"aws s3api put-bucket-policy --region {region} --bucket {bucket} "
        "--policy file://bucket-policy.json",
    ]


def _print(stack_name: str, document: dict[str, Any]) -> None:
    print(
        f"# In account {document['bucket_account']}, before stack {stack_name} of account "
        f"{document['stack_account']} is deployed:"
    )
    for call in document["calls"]:
        print(call)
    print("\n# bucket-policy.json")
    print(json.dumps(document["bucket_policy"], indent=2))
    print(f"\n# One more statement in the policy of {document['key_arn']}")
    print(json.dumps(document["key_statement"], indent=2))
