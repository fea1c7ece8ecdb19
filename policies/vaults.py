"""Rules for AWS Backup: vaults under keys, locked, plans that keep and copy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from .database_joins import VAULT
from .databases import MINIMUM_RETENTION_DAYS
from .inventory import Resource, Stack
from .links import sources, targets
from .requirements import (
    ADVISORY_BELOW_STAGING,
    Part,
    flag,
    given,
    number,
    on_resource,
)
from .rules import Context, Outcome, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, Wrong, integer, one_or_many, sequence, shown

LOCK: Final = "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
PLAN: Final = "aws:backup/plan:Plan"


# As long as point-in-time recovery reaches, so that a copy is never shorter than it.
_lock = on_resource(
    number("minRetentionDays", default=0, least=MINIMUM_RETENTION_DAYS, unit="days")
)


def _vaults_locked(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for vault in stack.of_type(VAULT):
        locks = sources(stack, vault, (LOCK,), "backupVaultName")
        if locks.undecided:
            yield Unverified(vault, "the backupVaultName of a VaultLockConfiguration")
        elif not locks.found:
            limit = "have one with minRetentionDays"
            yield Violation(vault, "has no VaultLockConfiguration in this stack", limit)


def _plan_keeps(plan: Resource, context: Context) -> Iterator[Outcome]:
    least = MINIMUM_RETENTION_DAYS[context.environment]
    for part in _rules(plan, context):
        if isinstance(part, Part):
            value = part.read("lifecycle.deleteAfter")
            days = value if isinstance(value, Wrong) else integer(value, default=2**31)
            if days is UNKNOWN:
                yield part.unverified("lifecycle.deleteAfter")
            elif isinstance(days, Wrong) or days < least:
                limit = f"be at least {least} days in {context.environment}"
                yield part.violation("lifecycle.deleteAfter", value, limit)
        else:
            yield part


def _plan_copies(stack: Stack, context: Context) -> Iterator[Outcome]:
    for plan in stack.of_type(PLAN):
        own = plan.get("region")
        destinations = list(_destinations(plan, context))
        # A copy to a vault of the plan's own region dies with the region.
        far = [
            one
            for one in targets(stack, plan, "rules", (VAULT,)).found
            if one.get("region") not in (None, own)
        ]
        if destinations and (far or any(_is_far(one, own) for one in destinations)):
            continue
        if UNKNOWN in destinations:
            yield Unverified(plan, "copyActions")
        else:
            limit = "copy to a vault in another region"
            yield Violation(plan, "copies nothing to another region", limit)


def _destinations(plan: Resource, context: Context) -> Iterator[object]:
    """The vault of every copy; what is not known yet may be one."""
    for part in _rules(plan, context):
        actions = part.read("copyActions") if isinstance(part, Part) else None
        if isinstance(part, Unverified):
            yield UNKNOWN
        for action in one_or_many(actions):
            if action is UNKNOWN:
                yield UNKNOWN
            elif isinstance(action, dict):
                yield cast("dict[str, object]", action).get("destinationVaultArn")


def _is_far(arn: object, region: object) -> bool:
    """Whether a vault's ARN is of another region than `region`."""
    # arn:partition:backup:region:account:backup-vault:name
    parts = arn.split(":") if isinstance(arn, str) else []
    return len(parts) == 7 and parts[3] != region


def _rules(plan: Resource, context: Context) -> Iterator[Part | Outcome]:
    rules = sequence(plan.get("rules"))
    if rules is UNKNOWN:
        yield Unverified(plan, "rules")
    elif not isinstance(rules, list) or not rules:
        yield Violation(plan, f"has rules = {shown(plan.get('rules'))}", "have rules")
    else:
        for index, entry in enumerate(rules):
            place = f"rules[{index}]"
            if entry is UNKNOWN:
                yield Unverified(plan, place)
            elif isinstance(entry, dict):
                yield Part(plan, context, f"{place}.", cast("dict[str, object]", entry))
            else:
                yield Violation(plan, f"has {place} = {shown(entry)}", "be a rule")


RULES: Final = (
    Rule(
        id="backup-vault-key",
        title="Backup vaults are under a key of one's own",
        what="kmsKeyArn is set on every vault.",
        why="Under AWS's own key a backup cannot be restored from another account.",
        remediation="set kms_key_arn on the aws.backup.Vault.",
        severity=Severity.HIGH,
        catalogue=("BKP-01",),
        controls=("CKV_AWS_166", "Backup.1"),
        types=(VAULT,),
        check_resource=on_resource(given("kmsKeyArn")),
    ),
    Rule(
        id="backup-vault-locked",
        title="Backups in vaults cannot be deleted before their time",
        what="Every vault has a VaultLockConfiguration with minRetentionDays of 1 (local), 3 "
        "(dev), 7 (staging) or 30 (prod) days.",
        why="Whoever takes over an administrator's role deletes the backups first.",
        remediation="add aws.backup.VaultLockConfiguration with min_retention_days.",
        severity=Severity.HIGH,
        catalogue=("BKP-01",),
        controls=(),
        types=(LOCK,),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=_lock,
        check_stack=_vaults_locked,
        joined_types=(VAULT,),
    ),
    Rule(
        id="backup-vault-not-emptied",
        title="A vault with backups is not deleted",
        what="forceDestroy is false on every vault.",
        why="`destroy` would delete every snapshot that no lock keeps, and then the vault.",
        remediation="set backups.keep_bucket: true in stacks/Pulumi.<environment>.yaml.",
        severity=Severity.CRITICAL,
        catalogue=("BKP-01",),
        controls=(),
        types=(VAULT,),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=on_resource(flag("forceDestroy", False, default=False)),
    ),
    Rule(
        id="backup-plan-keeps",
        title="Backup plans keep backups long enough",
        what="lifecycle.deleteAfter of every plan's rules is at least 1 (local), 3 (dev), 7 "
        "(staging) or 30 (prod) days, or not set.",
        why="A deletion that is noticed later than this cannot be undone.",
        remediation="set lifecycle with delete_after in the plan's rules.",
        severity=Severity.HIGH,
        catalogue=("BKP-01",),
        controls=(),
        types=(PLAN,),
        check_resource=_plan_keeps,
    ),
    Rule(
        id="backup-plan-copies",
        title="Backup plans copy to another region",
        what="A rule of every plan has copyActions to a vault of another region.",
        why="The loss of a region would take database and backups together.",
        remediation="set copy_actions with destination_vault_arn in a rule of the aws.backup.Plan.",
        severity=Severity.HIGH,
        catalogue=("BKP-01",),
        controls=(),
        types=(),
        enforcement=ADVISORY_BELOW_STAGING,
        check_stack=_plan_copies,
        joined_types=(PLAN,),
    ),
)
