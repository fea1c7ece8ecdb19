"""`pgkeep backup destination`: what the owner of another account prepares for the copies."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pgkeep.backup.access import print_json, refusals_as_lines
from pgkeep.failures import CommandError
from pgkeep.lazy_aws import load_lazily
from pgkeep.stack_files import StackFile, read_stack
from stacks.aws_backup_settings import AwsBackupSettings
from stacks.backup_settings import ReplicationSettings
from stacks.settings import Settings, SettingsError
from toolchain.environment import LOCAL_STACK, local_endpoint

if TYPE_CHECKING:
    from components.deployment import Deployment

_ACCOUNT = re.compile(r"\d{12}")
# S3's API: the first region takes no constraint.
_WITHOUT_CONSTRAINT = "us-east-1"
#: Where the calls want what only the owner of the other account knows.
_KEY_ARN = "KEY_ARN"


def run(stack_name: str, account_id: str | None, *, as_json: bool) -> None:
    """Print policies, key statements and the calls that make the bucket and the vault.

    `account_id` is the stack's account; without it AWS is asked whose credentials these are.

    Raises:
        CommandError: the settings are refused or name nothing of another account, or AWS does
            not say which account this is.
    """
    stack = read_stack(stack_name)
    try:
        settings = stack.load()
    except SettingsError as error:
        raise CommandError("; ".join(error.lines)) from None
    owners = _owners(settings)
    if not owners:
        raise CommandError(
            f"stack {stack_name} copies its backups to no other account: set "
            "backups.replication.bucket_arn, account_id and key_arn, or "
            "backups.aws_backup.account_vault_arn; docs/backup-storage.md shows how."
        )
    if account_id is None:
        account_id = _own_account(stack)
    elif not _ACCOUNT.fullmatch(account_id):
        raise CommandError(f"--account {account_id} refused: an account's number has 12 digits.")
    for setting, owner in owners.items():
        if account_id == owner:
            raise CommandError(
                f"account {account_id} owns the copies ({setting}): name the stack's account with "
                "--account."
            )
    document = _document(settings, _region(stack), account_id)
    if as_json:
        print_json(document)
    else:
        _print(stack_name, document)


def _owners(settings: Settings) -> dict[str, str]:
    """The accounts that get copies, by the setting that names them."""
    replication, aws_backup = _elsewhere(settings), settings.backups.aws_backup
    owners: dict[str, str] = {}
    if replication is not None:
        owners["backups.replication.account_id"] = str(replication.account_id)
    if aws_backup is not None and aws_backup.other_account is not None:
        owners["backups.aws_backup.account_vault_arn"] = aws_backup.other_account
    return owners


def _elsewhere(settings: Settings) -> ReplicationSettings | None:
    """S3's copies, where they go to another account."""
    replication = settings.backups.replication
    if replication is None or replication.bucket_arn is None or replication.account_id is None:
        return None
    return replication


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


def _document(settings: Settings, region: str, account_id: str) -> dict[str, Any]:
    load_lazily()
    from components.deployment import Deployment
    from facts.regions import partition_of

    partition = partition_of(region)
    if partition is None:
        raise CommandError(f"aws:region {region}: there is no such region.")
    deployment = Deployment(
        settings, account_id, partition.name, partition.dns_suffix, region, zones=()
    )
    document: dict[str, Any] = {"stack_account": account_id}
    replication, aws_backup = _elsewhere(settings), settings.backups.aws_backup
    if replication is not None:
        document |= _bucket(deployment, replication)
    if aws_backup is not None and aws_backup.account_vault_arn is not None:
        document["vault"] = _vault(deployment, aws_backup, aws_backup.account_vault_arn)
    return document


def _bucket(deployment: Deployment, replication: ReplicationSettings) -> dict[str, Any]:
    from components.copies_destination import bucket_policy, key_statement

    bucket_arn = str(replication.bucket_arn)
    return {
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


def _vault(deployment: Deployment, chosen: AwsBackupSettings, vault_arn: str) -> dict[str, Any]:
    """The vault, its key, and what a given database key has to say."""
    from components.aws_backup_statements import copies_from, key_users, permanent

    settings = deployment.settings
    _, _, _, region, owner, _, name = vault_arn.split(":")
    kept = [settings.backups.retention_days[label] for label in chosen.schedules]
    root = deployment.account_root
    given_key = settings.database.origin.kms_key_arn or settings.keys.database_arn
    return {
        "account": owner,
        "name": name,
        "region": region,
        "calls": [
            f"aws backup create-backup-vault --region {region} --backup-vault-name {name} "
            f"--encryption-key-arn {_KEY_ARN}",
            f"aws backup put-backup-vault-access-policy --region {region} "
            f"--backup-vault-name {name} --policy file://vault-policy.json",
            f"aws backup put-backup-vault-lock-configuration --region {region} "
            f"--backup-vault-name {name} --min-retention-days {min(kept)} "
            f"--max-retention-days {max(kept)}",
        ],
        "vault_policy": {
            "Version": "2012-10-17",
            "Statement": [copies_from(root, "AllowCopies"), permanent()],
        },
        # Without it the stack's account could not open what is brought back.
        "key_statements": key_users(deployment, root),
        "database_key_arn": given_key,
        "database_key_statements": (
            key_users(deployment, deployment.root_of(owner)) if given_key is not None else []
        ),
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
    if "bucket" in document:
        print(
            f"# In account {document['bucket_account']}, before stack {stack_name} of account "
            f"{document['stack_account']} is deployed:"
        )
        for call in document["calls"]:
            print(call)
        _print_json("bucket-policy.json", document["bucket_policy"])
        _print_json(
            f"One more statement in the policy of {document['key_arn']}", document["key_statement"]
        )
    if "vault" in document:
        if "bucket" in document:
            print()
        _print_vault(stack_name, document["stack_account"], document["vault"])


def _print_vault(stack_name: str, stack_account: str, vault: dict[str, Any]) -> None:
    print(
        f"# Once, in the management account of the organization that {stack_account} and "
        f"{vault['account']} are in:\n"
        "aws backup update-global-settings "
        "--global-settings isCrossAccountBackupEnabled=true\n\n"
        f"# In account {vault['account']}, before stack {stack_name} of account {stack_account} "
        f"makes its first copy, with a KMS key of {vault['region']} for {_KEY_ARN}:"
    )
    for call in vault["calls"]:
        print(call)
    _print_json("vault-policy.json", vault["vault_policy"])
    _print_json(
        f"More statements in the policy of {_KEY_ARN}, so that copies can be brought back",
        vault["key_statements"],
    )
    if vault["database_key_statements"]:
        _print_json(
            f"More statements in the policy of {vault['database_key_arn']}, by its owner: the "
            "snapshots are under it",
            vault["database_key_statements"],
        )


def _print_json(heading: str, document: Any) -> None:
    print(f"\n# {heading}")
    print(json.dumps(document, indent=2))
