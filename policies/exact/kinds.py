"""Outside ids that are about one type of resource, of rules that judge several.

Source: the types that each of checkov's checks registers for, and the resource type that Security
Hub and CIS give with each control ("RDS.7" is of clusters, "RDS.8" of instances).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..database_copies import BACKUP_REPLICATION, CLUSTER_SNAPSHOT, SNAPSHOT, SNAPSHOT_COPY
from ..databases import CLUSTER, GLOBAL_CLUSTER, INSTANCE
from ..hosts import CONFIGURATION, HOST, TEMPLATE, VOLUME
from ..images import IMAGE, IMAGE_COPY
from ..inventory import Resource
from ..network_acls import ACL_RULE
from ..permissions import DOCUMENT_TYPES, POLICY
from ..privileges import USER
from ..resource_policies import QUEUE_POLICY
from ..rules import Context, Outcome, ResourceCheck, Violation

# Policies that are a part of a role, user or group, and not one of their own.
_INLINE: Final = tuple(kind for kind in DOCUMENT_TYPES if kind != POLICY)
_OF_TYPES: Final = {
    (INSTANCE,): "CKV_AWS_16 CKV_AWS_129 CKV_AWS_161 CKV_AWS_211 CKV_AWS_293 CKV2_AWS_60 3.2.1 "
    "RDS.3 RDS.8 RDS.9 RDS.10 RDS.17 RDS.26 RDS.36 rds-storage-encrypted "
    "rds-postgresql-logs-to-cloudwatch",
    (CLUSTER,): "CKV_AWS_96 CKV_AWS_139 CKV_AWS_313 CKV_AWS_324 CKV_AWS_327 CKV2_AWS_8 RDS.7",
    (GLOBAL_CLUSTER,): "CKV_AWS_140",
    (BACKUP_REPLICATION,): "CKV_AWS_245",
    (SNAPSHOT_COPY,): "CKV_AWS_266",
    (SNAPSHOT,): "CKV_AWS_302",
    (CLUSTER_SNAPSHOT,): "CKV_AWS_146",
    (HOST,): "CKV_AWS_126 CKV_AWS_135 CKV2_AWS_41 2.17 6.7 EC2.8 EC2.9 ec2-instance-no-public-ip "
    "ec2-instance-detailed-monitoring-enabled",
    (HOST, TEMPLATE): "CKV_AWS_88",
    (HOST, CONFIGURATION): "CKV_AWS_8",
    (TEMPLATE, CONFIGURATION): "CKV_AWS_341",
    (TEMPLATE,): "EC2.25 EC2.170 EC2.181",
    (CONFIGURATION,): "CKV_AWS_389",
    (VOLUME,): "CKV_AWS_3",
    (IMAGE,): "CKV_AWS_204",
    (IMAGE_COPY,): "CKV_AWS_235",
    (ACL_RULE,): "CKV_AWS_352",
    (USER,): "CKV_AWS_273",
    (POLICY,): "KMS.1",
    _INLINE: "KMS.2",
    (QUEUE_POLICY,): "CKV_AWS_387",
}
TYPES_OF: Final = {control: types for types, ids in _OF_TYPES.items() for control in ids.split()}


def narrowed(control: str, check: ResourceCheck | None) -> ResourceCheck | None:
    """What a source asks, on the types that it judges; `None` if it asks all that the rule does."""
    types = TYPES_OF.get(control)
    if types is None:
        return check

    def of_type(resource: Resource, context: Context) -> Iterator[Outcome]:
        if resource.type not in types:
            return
        if check is None:
            yield Violation(resource, "does not hold it", "hold it")
        else:
            yield from check(resource, context)

    return of_type
