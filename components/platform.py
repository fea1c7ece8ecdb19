"""The whole stack: every component, in the order in which they need each other."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws

import workloads
from components import existing_database, existing_endpoints, existing_network
from components.alarm_topic import AlarmTopic
from components.aws_backup import AwsBackup
from components.backup_function import BackupFunction
from components.backup_names import bucket_name
from components.backup_retention import BackupRetention
from components.backup_storage import BackupStorage
from components.backup_worker import BackupWorker, BackupWorkerRole
from components.ca_bundle import read_ca_bundle
from components.database import Database
from components.database_backup_replication import DatabaseBackupReplication
from components.database_events import DatabaseEvents
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.flow_logs import FlowLogs
from components.function_code import FunctionCode
from components.managed_secret import managed_secret
from components.master_access import master_access
from components.migrations import Migrations
from components.monitoring import Monitoring
from components.network import Network, Placement
from components.pooler import Pooler
from components.pooler_certificates import PoolerCertificates
from components.pooler_hosts import PoolerHosts
from components.pooler_logs import pooler_log_group
from components.pooler_user_data import pooler_user_data
from components.protection import guard
from components.read_replica import ReadReplica
from components.regional_alarms import RegionalAlarms
from components.regional_replica import DatabaseRegionalReplica
from components.renames import keep_renamed
from components.restore_test import RestoreTest
from components.role_rotation import RoleRotation
from components.security_groups import POSTGRESQL_PORT, SecurityGroups
from components.service_endpoints import ServiceEndpoints
from components.workload_roles import WorkloadRoles
from stacks.replica_shapes import local_plans, regional_plans
from stacks.settings import Settings
from workloads import check_sql


class Platform(pulumi.ComponentResource):
    """Production PostgreSQL. `exports` holds endpoints and names, never a secret."""

    exports: dict[str, Any]

    def __init__(
        self, name: str, settings: Settings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Check what needs AWS to be checked, then make everything."""
        contract = _contract(settings)
        deployment = Deployment.discover(settings)
        existing = settings.network.existing
        found = _find_network(deployment)
        imported = settings.database.origin.existing
        found_database = existing_database.find(imported, settings) if imported else None
        ca_bundle = read_ca_bundle(deployment)

        transformations = [guard(deployment), keep_renamed()]
        super().__init__(
            "pgkeep:components:Platform",
            name,
            None,
            pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(transformations=transformations)
            ),
        )
        child = pulumi.ResourceOptions(parent=self)

        placement = found or self._network(deployment, child)
        groups = SecurityGroups(
            "security-groups",
            deployment,
            placement.vpc_id,
            opts=child,
        )
        endpoints = ServiceEndpoints(
            "endpoints",
            deployment,
            placement,
            groups,
            bucket_name=bucket_name(deployment),
            opts=child,
        )
        keys = EncryptionKeys("keys", deployment, child)
        # Whoever owns an existing VPC logs its traffic.
        if existing is None and settings.network.flow_logs.enabled:
            FlowLogs("flow-logs", deployment, vpc_id=placement.vpc_id, keys=keys, opts=child)
        database = Database(
            "database",
            deployment,
            placement=placement,
            keys=keys,
            security_group_id=groups.group_id("database"),
            imported=found_database,
            opts=child,
        )
        replicas = [
            ReadReplica(
                f"replica-{number}",
                deployment,
                number=number,
                plan=plan,
                primary=database,
                placement=placement,
                keys=keys,
                security_group_id=groups.group_id("replica"),
                opts=child,
            )
            for number, plan in enumerate(local_plans(settings), start=1)
        ]
        regional_replicas = [
            DatabaseRegionalReplica(
                f"replica-{replica.region}",
                deployment,
                replica,
                plan,
                primary=database,
                opts=child,
            )
            for replica, plan in regional_plans(settings)
        ]
        regional_alarms = {
            replica.region: RegionalAlarms(
                f"watch-{replica.region}",
                deployment,
                region=replica.region,
                identifier=replica.identifier,
                allocated_storage_gib=replica.allocated_storage_gib,
                opts=child,
            )
            for replica in regional_replicas
        }
        if settings.database.backup_replication is not None:
            DatabaseBackupReplication(
                "backup-replication",
                deployment,
                settings.database.backup_replication,
                primary=database,
                opts=child,
            )
        code = FunctionCode("function-code", deployment, ca_bundle=ca_bundle, opts=child)
        functions_placement: dict[str, Any] = {
            "subnet_ids": placement.function_subnet_ids,
            "security_group_id": groups.group_id("functions"),
        }
        master = master_access(
            "master-credentials", deployment, database=database, code=code, keys=keys, opts=child
        )
        roles = WorkloadRoles(
            "roles",
            deployment,
            contract=contract,
            database=database,
            master_secret_arn=master.secret_arn,
            master_ready=master.ready,
            code=code,
            keys=keys,
            reachable=[*groups.rules, *endpoints.resources],
            opts=child,
            **functions_placement,
        )
        rotation = RoleRotation(
            "role-rotation",
            deployment,
            contract=contract,
            roles=roles,
            database=database,
            master_secret_arn=master.secret_arn,
            code=code,
            keys=keys,
            opts=child,
            **functions_placement,
        )
        migrations = Migrations(
            "migrations",
            deployment,
            workload=contract.workload,
            migrations=workloads.migrations(contract.workload),
            roles=roles,
            database=database,
            code=code,
            keys=keys,
            opts=child,
            **functions_placement,
        )
        backup = BackupFunction(
            "backup",
            deployment,
            database=database,
            backup_secret=roles.secrets["backup"],
            code=code,
            keys=keys,
            opts=child,
            **functions_placement,
        )
        retention = BackupRetention(
            "backup-retention", deployment, code=code, keys=keys, opts=child
        )
        worker_roles = (
            [
                BackupWorkerRole(
                    "backup-worker-role",
                    deployment,
                    keys=keys,
                    backup_secret=roles.secrets["backup"],
                    opts=child,
                )
            ]
            if settings.backups.worker.enabled
            else []
        )
        storage = BackupStorage(
            "backups",
            deployment,
            keys=keys,
            writer_role_arns=[
                backup.operation.role.arn,
                *(role.role.arn for role in worker_roles),
            ],
            opts=child,
        )
        workers = [
            BackupWorker(
                "backup-worker",
                deployment,
                role=role,
                storage=storage,
                database=database,
                backup_secret=roles.secrets["backup"],
                code=code,
                ca_bundle=ca_bundle,
                keys=keys,
                placement=placement,
                security_group_id=groups.group_id("backup-worker"),
                opts=child,
            )
            for role in worker_roles
        ]
        restore_tests = (
            [
                RestoreTest(
                    "restore-test",
                    deployment,
                    database=database,
                    subnet_group_name=deployment.name("database"),
                    master_secret_arn=master.secret_arn,
                    workload=contract.workload,
                    objectives=contract.objectives.recovery,
                    code=code,
                    keys=keys,
                    scratch_security_group_id=groups.group_id("restore-test"),
                    opts=child,
                    **functions_placement,
                )
            ]
            if settings.restore_test.enabled
            else []
        )
        pooler = Pooler(
            "pooler",
            deployment,
            placement=placement,
            security_group_id=groups.group_id("load-balancer"),
            opts=child,
        )
        certificates = PoolerCertificates(
            "pooler-certificates",
            deployment,
            dns_name=pooler.load_balancer.dns_name,
            code=code,
            keys=keys,
            opts=child,
        )
        pause_secret = managed_secret(
            "pooler-pause",
            deployment,
            keys,
            "pooler",
            "pause",
            description="A restore's wish that the pooler hosts hold their clients back",
            credential=False,
            opts=child,
        )
        pooler_log = pooler_log_group("pooler", deployment, keys, child)
        hosts = PoolerHosts(
            "pooler-hosts",
            deployment,
            placement=placement,
            pooler=pooler,
            user_data=pooler_user_data(
                deployment,
                ca_bundle=ca_bundle,
                database=database,
                replicas=replicas,
                users_secret=roles.pooler_users_secret,
                server_secret=certificates.server_secret,
                health_secret=roles.secrets["health"],
                pause_secret=pause_secret,
            ),
            secret_arns=[
                roles.pooler_users_secret.arn,
                certificates.server_secret.arn,
                roles.secrets["health"].arn,
                pause_secret.arn,
            ],
            secrets_key_arn=keys.secrets.arn,
            security_group_id=groups.group_id("pooler"),
            # A host is healthy only with its users and its certificate.
            ready=[
                pooler_log,
                roles.applied,
                certificates.issued,
                *groups.rules,
                *endpoints.resources,
            ],
            opts=child,
        )
        alarm_topic = AlarmTopic("alarms", deployment, key_arn=keys.telemetry.arn, opts=child)
        Monitoring(
            "monitoring",
            deployment,
            alarm_topic=alarm_topic,
            primary=database.identifier,
            replicas={replica.identifier: replica.allocated_storage_gib for replica in replicas},
            operations=[
                *master.operations,
                roles.operation,
                rotation.operation,
                migrations.operation,
                backup.operation,
                retention.operation,
                certificates.operation,
                *(test.operation for test in restore_tests),
            ],
            pooler=pooler,
            objectives=contract.objectives,
            opts=child,
        )
        aws_backup = settings.backups.aws_backup
        if aws_backup is not None:
            AwsBackup(
                "aws-backup",
                deployment,
                aws_backup,
                database=database,
                keys=keys,
                alarm_topic=alarm_topic,
                opts=child,
            )
        DatabaseEvents(
            "database-events",
            deployment,
            alarm_topic=alarm_topic,
            instances=[database.instance, *(replica.instance for replica in replicas)],
            parameter_group=database.parameter_group,
            opts=child,
        )
        if settings.network.instance_connect_endpoint:
            aws.ec2transitgateway.InstanceConnectEndpoint(
                "administration",
                subnet_id=placement.host_subnet_ids[0],
                security_group_ids=[groups.group_id("administration")],
                preserve_client_ip=False,
                tags=deployment.tags(deployment.name("administration")),
                opts=child,
            )
        self.exports = {
            "environment": settings.environment,
            "region": deployment.region,
            "vpc_id": placement.vpc_id,
            "private_subnet_ids": placement.function_subnet_ids,
            "database_endpoint": database.instance.address,
            "database_identifier": database.identifier,
            "database_port": POSTGRESQL_PORT,
            "database_name": settings.database.name,
            "replica_endpoints": [replica.instance.address for replica in replicas],
            "regional_replica_endpoints": {
                replica.region: replica.instance.address for replica in regional_replicas
            },
            "pooler_endpoint": pooler.load_balancer.dns_name,
            "pooler_port": settings.pooler.port,
            "pooler_ca_certificate": certificates.ca_certificate,
            "pooler_group_name": hosts.group.name,
            "pooler_log_group": pooler_log.name,
            "pooler_pause_secret_name": pause_secret.name,
            "application_security_group_id": groups.group_id("application"),
            "migration_security_group_id": groups.group_id("migration"),
            "analytics_security_group_id": groups.group_id("analytics"),
            "administration_security_group_id": groups.group_id("administration"),
            "backup_bucket": storage.bucket.bucket,
            "backup_copies_bucket_arn": storage.copies_bucket_arn,
            "aws_backup_vaults": (
                {
                    deployment.region: deployment.name("database"),
                    aws_backup.region: deployment.name("copies"),
                }
                if aws_backup is not None
                else {}
            ),
            "backup_function": backup.operation.function.name,
            "backup_worker_group": workers[0].group.name if workers else None,
            "restore_test_function": (
                restore_tests[0].operation.function.name if restore_tests else None
            ),
            "recovery_objectives": contract.objectives.recovery,
            "recovery_checks": {
                "schema": contract.schema_name,
                "checks": [check.model_dump(mode="json") for check in contract.checks],
            },
            "backup_retention_function": retention.operation.function.name,
            "manifest_key_arn": None if keys.manifests is None else keys.manifests.arn,
            "backup_retention_days": settings.backups.retention_days,
            "role_secret_names": roles.secret_names,
            "roles_function": roles.operation.function.name,
            "roles_event": roles.applied.input,
            "master_secret_name": master.secret_name,
            "alarm_topic_arn": alarm_topic.topic.arn,
            "regional_alarm_topic_arns": {
                region: alarms.topic.topic.arn for region, alarms in regional_alarms.items()
            },
        }
        self.register_outputs(self.exports)

    def _network(self, deployment: Deployment, opts: pulumi.ResourceOptions) -> Placement:
        vpc_cidr = deployment.settings.network.vpc_cidr
        if vpc_cidr is None:
            raise AssertionError("stacks.rules refuses settings without a network")
        return Network("network", deployment, vpc_cidr, opts).placement


def _find_network(deployment: Deployment) -> Placement | None:
    """The existing VPC, with all that this stack needs of it; None where it makes its own."""
    existing = deployment.settings.network.existing
    if existing is None:
        return None
    existing_endpoints.check(deployment, existing)
    return existing_network.find(existing)


def _contract(settings: Settings) -> workloads.WorkloadContract:
    """The workload's contract. That it fits the settings stacks/rules/workload.py has judged.

    Raises:
        pulumi.RunError: when a check of it would do more than read.
    """
    contract = workloads.load(settings.workload)
    refused = check_sql.refusals(contract)
    if refused:
        raise pulumi.RunError(
            f"workloads/{contract.workload}/contract.yaml: " + "; ".join(refused) + "."
        )
    return contract
