"""Policies of vaults and of the keys of snapshots, here and in the account of the copies.

The program makes nothing in another account: `pgkeep backup destination` prints for its owner what
belongs there.
"""

from __future__ import annotations

from collections.abc import Sequence

from components.deployment import Deployment
from components.iam import Statement


def permanent(break_glass_role_arns: Sequence[str] = ()) -> Statement:
    """Nobody deletes or shortens; what is past its retention AWS Backup itself removes."""
    statement: Statement = {
        "Sid": "NobodyDeletesRecoveryPoints",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": [
            "backup:DeleteRecoveryPoint",
            "backup:DisassociateRecoveryPoint",
            "backup:UpdateRecoveryPointLifecycle",
        ],
        "Resource": "*",
    }
    if break_glass_role_arns:
        statement["Condition"] = {"ArnNotEquals": {"aws:PrincipalArn": list(break_glass_role_arns)}}
    return statement


def copies_from(account_root: str, sid: str) -> Statement:
    """Recovery points of another account may come into the vault.

    AWS Backup developer guide, creating backup copies across accounts: this is all that a vault's
    policy can give to another account.
    """
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": account_root},
        "Action": "backup:CopyIntoBackupVault",
        "Resource": "*",
    }


def key_users(deployment: Deployment, account_root: str) -> list[Statement]:
    """The account that gets copies of snapshots: it opens them with the key that they are under.

    AWS Backup developer guide: cross-account backup, encryption considerations.
    """
    return [
        {
            "Sid": "AccountThatGetsCopies",
            "Effect": "Allow",
            "Principal": {"AWS": account_root},
            "Action": ["kms:Decrypt", "kms:DescribeKey"],
            "Resource": "*",
            "Condition": deployment.via("rds"),
        },
        {
            "Sid": "GrantsForTheAccountThatGetsCopies",
            "Effect": "Allow",
            "Principal": {"AWS": account_root},
            "Action": "kms:CreateGrant",
            "Resource": "*",
            "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        },
    ]
