"""A read replica in another region, inside a VPC that is there already."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.database import Database
from components.database_instance import CREATION_ONLY, shared_inputs
from components.database_logs import database_log_groups
from components.deployment import Deployment
from components.parameter_group import parameter_group
from components.regional_key import regional_key
from components.security_groups import POSTGRESQL_PORT
from stacks.replica_settings import RegionalReplica
from stacks.replica_shapes import ReplicaPlan


class DatabaseRegionalReplica(pulumi.ComponentResource):
    """What RDS takes from the primary in its own region has to be made there: key, groups, logs."""

    region: str
    identifier: str
    instance: aws.rds.Instance
    parameter_group: aws.rds.ParameterGroup
    allocated_storage_gib: int

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        settings: RegionalReplica,
        plan: ReplicaPlan,
        *,
        primary: Database,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the replica of `primary` in `settings.region`."""
        super().__init__("pgkeep:components:DatabaseRegionalReplica", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        there = deployment.in_region(settings.region)
        self._name = name
        self.region = settings.region
        self.identifier = deployment.name("replica", settings.region)
        self.allocated_storage_gib = (
            plan.allocated_storage_gib or deployment.settings.database.allocated_storage_gib
        )
        key_arn = regional_key(
            f"database-key-{name}",
            deployment,
            settings,
            label=f"replica-{settings.region}",
            region=settings.region,
            logs=True,
            opts=child,
        ).arn
        subnet_group = aws.rds.SubnetGroup(
            f"{name}-subnets",
            region=settings.region,
            name=deployment.name("database"),
            description=f"{deployment.settings.prefix}: private database subnets",
            subnet_ids=list(settings.subnet_ids),
            tags=deployment.tags(deployment.name("database")),
            opts=child,
        )
        self.parameter_group = parameter_group(name, there, child)
        log_groups = database_log_groups(name, there, key_arn, self.identifier, child)
        self.instance = aws.rds.Instance(
            f"{name}-instance",
            region=settings.region,
            identifier=self.identifier,
            # Another region's instance is named by its ARN.
            replicate_source_db=primary.instance.arn,
            instance_class=plan.instance_class,
            allocated_storage=plan.allocated_storage_gib,
            storage_type=plan.storage_type,
            iops=plan.iops,
            storage_throughput=plan.storage_throughput_mibps,
            dedicated_log_volume=plan.dedicated_log_volume,
            kms_key_id=key_arn,
            db_subnet_group_name=subnet_group.name,
            vpc_security_group_ids=[self._security_group(deployment, settings).id],
            parameter_group_name=self.parameter_group.name,
            multi_az=plan.multi_az,
            # RDS takes no final snapshot of a replica; the primary has the data.
            skip_final_snapshot=True,
            tags=deployment.tags(self.identifier),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*log_groups, *primary.monitoring],
                ignore_changes=CREATION_ONLY,
            ),
            **shared_inputs(
                deployment,
                monitoring_role_arn=primary.monitoring_role_arn,
                insights_key_arn=key_arn,
            ),
        )
        self.register_outputs({"endpoint": self.instance.address})

    def _security_group(
        self, deployment: Deployment, settings: RegionalReplica
    ) -> aws.ec2.SecurityGroup:
        child = pulumi.ResourceOptions(parent=self)
        label = deployment.name("replica")
        group = aws.ec2.SecurityGroup(
            f"{self._name}-group",
            region=settings.region,
            name=label,
            description="The read replicas",
            vpc_id=settings.vpc_id,
            tags=deployment.tags(label),
            opts=child,
        )
        for client in settings.client_security_group_ids:
            aws.vpc.SecurityGroupIngressRule(
                f"{self._name}-from-{client}",
                region=settings.region,
                security_group_id=group.id,
                referenced_security_group_id=client,
                description=f"replica from {client}",
                ip_protocol="tcp",
                from_port=POSTGRESQL_PORT,
                to_port=POSTGRESQL_PORT,
                tags=deployment.tags(deployment.name("replica-from", client)),
                opts=child,
            )
        return group
