"""Rules of AWS Backup: what it would refuse, or carry out without protecting anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.settings import Settings

_FIELD = "backups.aws_backup"


def refusals(settings: Settings) -> Iterator[Refusal]:
    """Copies that cannot be made, or that die with the original."""
    chosen = settings.backups.aws_backup
    if chosen is None:
        return
    if chosen.region == settings.region:
        yield Refusal(
            f"{_FIELD}.region",
            chosen.region,
            "another region than the stack's",
            "the loss of the region would take database and copies together",
            "Name another region.",
        )
    if chosen.kms_key_arn is not None and chosen.kms_key_arn.split(":")[3] != chosen.region:
        yield Refusal(
            f"{_FIELD}.kms_key_arn",
            chosen.kms_key_arn,
            f"a key of {chosen.region}",
            "a vault uses a key of its own region",
            "Name a key there, or leave it out.",
        )
    vault = chosen.account_vault_arn
    if vault is not None and settings.region not in (None, vault.split(":")[3]):
        yield Refusal(
            f"{_FIELD}.account_vault_arn",
            vault,
            f"a vault in {settings.region}",
            "for RDS one copy goes to another region or to another account, never to both",
            "Make the vault there; the other account can copy on to another region.",
        )
