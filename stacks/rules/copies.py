"""Rules of the copies of backups elsewhere, and of keys: what S3 and KMS would refuse or ignore."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stacks.rules.backups import MINIMUM_STORAGE_DAYS, field_of
from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.backup_settings import BackupSettings, ReplicationSettings
    from stacks.settings import Settings

# arn:partition:kms:region:account:key/id
_REGION, _ACCOUNT = 3, 4


def refusals(settings: Settings) -> Iterator[Refusal]:
    """Copies that could not be made or would not protect, and keys of another region."""
    replication = settings.backups.replication
    if replication is not None:
        yield from _place(replication, settings.region)
        yield from _key(replication)
        yield from _storage_class(settings.backups, replication)
        yield from _signing_key(settings.backups, replication, settings.region)
    yield from _own_keys(settings)


def _place(replication: ReplicationSettings, region: str | None) -> Iterator[Refusal]:
    if replication.account_id is not None and replication.bucket_arn is None:
        yield Refusal(
            "backups.replication.account_id",
            replication.account_id,
            "needs backups.replication.bucket_arn",
            "the program cannot make a bucket in another account",
            "Make the bucket there and name it, or remove the account.",
        )
    if replication.region == region and replication.account_id is None:
        yield Refusal(
            "backups.replication.region",
            replication.region,
            "another region than the stack's, or another account",
            "a copy in the same region and account is lost with the original",
            "Choose another region, or name a bucket of another account.",
        )


def _key(replication: ReplicationSettings) -> Iterator[Refusal]:
    if replication.key_arn is None:
        if replication.bucket_arn is not None:
            yield Refusal(
                "backups.replication.key_arn",
                None,
                "required with backups.replication.bucket_arn",
                "S3 copies no object that is encrypted by a customer key unless it is told the key "
                "of the copy",
                f"Name a key of {replication.region} that this account may encrypt with.",
            )
        return
    parts = replication.key_arn.split(":")
    if parts[_REGION] != replication.region:
        yield Refusal(
            "backups.replication.key_arn",
            replication.key_arn,
            f"a key of {replication.region} (backups.replication.region)",
            "S3 encrypts with keys of the bucket's own region only",
            "Name a key of that region.",
        )
    if replication.account_id is not None and parts[_ACCOUNT] != replication.account_id:
        yield Refusal(
            "backups.replication.key_arn",
            replication.key_arn,
            f"a key of account {replication.account_id} (backups.replication.account_id)",
            "the owner of the copies could not read them when this account is lost",
            "Name a key of that account.",
        )


def _storage_class(backups: BackupSettings, replication: ReplicationSettings) -> Iterator[Refusal]:
    storage = replication.storage_class
    name, days = min(backups.retention_days.items(), key=lambda item: item[1])
    if days < MINIMUM_STORAGE_DAYS[storage]:
        yield Refusal(
            "backups.replication.storage_class",
            storage,
            f"a minimum of at most {days} days ({field_of(name)}.retention_days), it is "
            f"{MINIMUM_STORAGE_DAYS[storage]}",
            "S3 charges the minimum time even for copies that are gone",
            "Set it to STANDARD or INTELLIGENT_TIERING.",
        )


def _signing_key(
    backups: BackupSettings, replication: ReplicationSettings, region: str | None
) -> Iterator[Refusal]:
    field = "backups.replication.signing_key_replica"
    if not replication.signing_key_replica:
        return
    if not backups.sign_manifests:
        yield Refusal(
            field,
            True,
            "needs backups.sign_manifests",
            "there is no key that signs",
            "Set it to false, or backups.sign_manifests to true.",
        )
    if replication.region == region:
        yield Refusal(
            field,
            True,
            "false with copies in the stack's own region",
            f"the key itself is in {region}",
            "Set it to false.",
        )


def _own_keys(settings: Settings) -> Iterator[Refusal]:
    for name in ("database", "backups", "secrets", "telemetry", "hosts"):
        arn: str | None = getattr(settings.keys, f"{name}_arn")
        if arn is not None and settings.region not in (None, arn.split(":")[_REGION]):
            yield Refusal(
                f"keys.{name}_arn",
                arn,
                f"a key of {settings.region}",
                "a KMS key encrypts in its own region only",
                "Name a key of the stack's region.",
            )
