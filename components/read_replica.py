"""A read replica: the same rules as its primary, in another zone where there is a choice."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.database import Database
from components.database_instance import CREATION_ONLY, shared_inputs
from components.database_logs import database_log_groups
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.network import Placement
from stacks.replica_shapes import ReplicaPlan


class ReadReplica(pulumi.ComponentResource):
    """One asynchronous replica. Key, subnet group and engine are the primary's, as RDS demands."""

    identifier: str
    instance: aws.rds.Instance
    allocated_storage_gib: int

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        number: int,
        plan: ReplicaPlan,
        primary: Database,
        placement: Placement,
        keys: EncryptionKeys,
        security_group_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make replica `number` (from 1) of `primary` on the machine and storage of `plan`."""
        super().__init__("pgkeep:components:ReadReplica", name, None, opts)
        settings = deployment.settings.database
        self.identifier = deployment.name("replica", str(number))
        self.allocated_storage_gib = plan.allocated_storage_gib or settings.allocated_storage_gib
        log_groups = database_log_groups(
            name,
            deployment,
            keys.telemetry.arn,
            self.identifier,
            pulumi.ResourceOptions(parent=self),
        )
        # The primary, if it has no standby, is in the first zone.
        zone = plan.availability_zone or placement.zones[number % len(placement.zones)]
        self.instance = aws.rds.Instance(
            f"{name}-instance",
            identifier=self.identifier,
            replicate_source_db=primary.instance.identifier,
            instance_class=plan.instance_class,
            allocated_storage=plan.allocated_storage_gib,
            storage_type=plan.storage_type,
            iops=plan.iops,
            storage_throughput=plan.storage_throughput_mibps,
            dedicated_log_volume=plan.dedicated_log_volume,
            vpc_security_group_ids=[security_group_id],
            multi_az=plan.multi_az,
            availability_zone=None if plan.multi_az else zone,
            parameter_group_name=primary.parameter_group.name,
            # RDS takes no final snapshot of a replica; the primary has the data.
            skip_final_snapshot=True,
            tags=deployment.tags(self.identifier),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(log_groups),
                ignore_changes=CREATION_ONLY,
                # RDS never gives a replica another source: with a new primary it is made anew,
                # and the old one is gone before its name is taken again.
                replace_with=[primary.instance],
                delete_before_replace=True,
            ),
            **shared_inputs(
                deployment,
                monitoring_role_arn=primary.monitoring_role_arn,
                insights_key_arn=settings.performance_insights_kms_key_arn or keys.database.arn,
            ),
        )
        self.register_outputs({"endpoint": self.instance.address})
