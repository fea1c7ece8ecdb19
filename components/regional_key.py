"""A customer key in another region, for the copies that go there."""

from __future__ import annotations

import pulumi

from components.customer_key import CustomerKey, make_key
from components.deployment import Deployment
from components.encryption_keys import log_key_user
from stacks.replica_settings import RegionalKey


def regional_key(
    name: str,
    deployment: Deployment,
    settings: RegionalKey,
    *,
    label: str,
    region: str,
    logs: bool,
    opts: pulumi.ResourceOptions,
) -> CustomerKey:
    """The given key, or one made in `region`; with `logs` CloudWatch Logs there may use it.

    A key that is made stays as `database.keep_kms_key` says (components/protection.py): replicated
    backups and a promoted replica need it.
    """
    if settings.kms_key_arn is not None:
        return CustomerKey.existing(settings.kms_key_arn)
    there = deployment.in_region(region)
    return make_key(
        name,
        deployment,
        label,
        f"Copies of the database in {region}",
        *([log_key_user(there, "/aws/rds/instance/{}*")] if logs else []),
        region=region,
        opts=opts,
    )
