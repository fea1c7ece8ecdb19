"""The metrics that AWS Backup reports of its jobs, in the region of the jobs.

Source: AWS Backup developer guide, "AWS Backup metrics with Amazon CloudWatch". It does not say
whether a copy job counts for the vault that it copies from or to: here for the first.
"""

import datetime
from typing import Any

from moto.backup.models import Vault
from moto.cloudwatch.models import cloudwatch_backends

from localcloud.vaults.records import RESOURCE_TYPE

_NAMESPACE = "AWS/Backup"


def count(vault: Vault, name: str, now: datetime.datetime) -> None:
    """One job more, of the vault alone and of the vault's jobs of this type of resource."""
    _, _, _, region, account, *_ = vault.backup_vault_arn.split(":")
    backend: Any = cloudwatch_backends[account][region]
    of_vault = [{"Name": "BackupVaultName", "Value": vault.backup_vault_name}]
    of_type = [*of_vault, {"Name": "ResourceType", "Value": RESOURCE_TYPE}]
    data = [
        {
            "MetricName": name,
            "Value": 1.0,
            "Unit": "Count",
            "Timestamp": now.astimezone(datetime.UTC).replace(tzinfo=None),
            "Dimensions": dimensions,
        }
        for dimensions in (of_vault, of_type)
    ]
    backend.put_metric_data(_NAMESPACE, data)
