"""The pack in Pulumi's real engine, over a program that is not pgkeep's.

Covers preview, and apply of what preview could not verify: the bad resource must not be created.
The provider is an echo (echo_provider.py); the whole of pgkeep is the end-to-end suite's matter.
"""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.policies.good_stack import PARAMETERS
from toolchain.environment import engine_environment

ROOT = Path(__file__).resolve().parents[2]
PACK = ROOT / "policies"

BUCKET_PROGRAM = """
import json, pulumi
import pulumi_aws as aws

kept = pulumi.ResourceOptions(protect=True)
bucket = aws.s3.Bucket("backups", object_lock_enabled=True, opts=kept)
aws.s3.BucketObjectLockConfiguration("lock", bucket=bucket.id,
    rule={{"default_retention": {{"mode": "GOVERNANCE", "days": 30}}}})
aws.s3.BucketLogging("access", bucket=bucket.id, target_bucket="logs", target_prefix="a/")
aws.s3.BucketNotification("events", bucket=bucket.id, eventbridge=True)
aws.s3.BucketReplicationConfig("copies", bucket=bucket.id, role="arn:aws:iam::1:role/copy",
    rules=[{{"status": "Enabled", "destination": {{"bucket": "arn:aws:s3:::far",
        "encryption_configuration": {{"replica_kms_key_id": "arn:aws:kms:a:1:key/c"}}}}}}])
aws.s3.BucketPublicAccessBlock("block", bucket=bucket.id, block_public_acls=True,
    block_public_policy=True, ignore_public_acls=True, restrict_public_buckets=True)
def document(arn):
    return json.dumps({{"Statement": [{{"Effect": "{effect}", "Principal": {principal}, "Action": "s3:*",
        "Resource": [arn, arn + "/*"],
        "Condition": {{"Bool": {{"aws:SecureTransport": "false"}}}}}}]}})
aws.s3.BucketVersioning("versioning", bucket=bucket.id,
    versioning_configuration={{"status": "Enabled"}})
aws.s3.BucketOwnershipControls("ownership", bucket=bucket.id,
    rule={{"object_ownership": "BucketOwnerEnforced"}})
aws.s3.BucketServerSideEncryptionConfiguration("encryption", bucket=bucket.id, rules=[
    {{"apply_server_side_encryption_by_default": {{"sse_algorithm": "aws:kms",
        "kms_master_key_id": "arn:aws:kms:eu-west-1:1:key/a"}}}}])
aws.s3.BucketLifecycleConfiguration("lifecycle", bucket=bucket.id, rules=[{{"id": "abort",
    "status": "Enabled", "abort_incomplete_multipart_upload": {{"days_after_initiation": 1}}}}])
aws.s3.BucketPolicy("tls", bucket=bucket.id, policy=bucket.arn.apply(document))
"""
DATABASE_PROGRAM = """
import pulumi
import pulumi_aws as aws

subnet = aws.ec2.Subnet("private", vpc_id="vpc-1", cidr_block="10.0.1.0/24")
subnets = aws.rds.SubnetGroup("subnets", subnet_ids=[subnet.id])
group = aws.rds.ParameterGroup("group", family="postgres17",
    parameters=[{{"name": name, "value": value}} for name, value in {parameters}.items()])
db = aws.rds.Instance("db", engine="postgres", engine_version="17", instance_class="db.t4g.micro",
    allocated_storage=20, max_allocated_storage=100, storage_type="gp3", username="keeper",
    manage_master_user_password=True, parameter_group_name={group}, storage_encrypted=True,
    kms_key_id="arn:aws:kms:eu-west-1:1:key/a", performance_insights_enabled=True,
    performance_insights_kms_key_id="arn:aws:kms:eu-west-1:1:key/a", monitoring_interval=60,
    monitoring_role_arn="arn:aws:iam::1:role/monitoring", copy_tags_to_snapshot=True,
    enabled_cloudwatch_logs_exports=["postgresql", "upgrade"], multi_az=True,
    iam_database_authentication_enabled=True, auto_minor_version_upgrade=True,
    publicly_accessible=False, backup_retention_period={days}, deletion_protection=True,
    final_snapshot_identifier="last", delete_automated_backups=False,
    db_subnet_group_name=subnets.name, opts=pulumi.ResourceOptions(protect=True))
aws.rds.EventSubscription("events", sns_topic="arn:aws:sns:eu-west-1:1:alarms")
aws.rds.InstanceAutomatedBackupsReplication("copy", source_db_instance_arn=db.arn,
    kms_key_id="arn:aws:kms:eu-central-1:1:key/b", region="eu-central-1")
for metric in ("CPUUtilization", "FreeStorageSpace", "DatabaseConnections"):
    aws.cloudwatch.MetricAlarm(metric, namespace="AWS/RDS", metric_name=metric, threshold=1,
        comparison_operator="GreaterThanThreshold", evaluation_periods=1,
        alarm_actions=["arn:aws:sns:eu-west-1:1:alarms"],
        dimensions={{"DBInstanceIdentifier": db.identifier}})
aws.cloudwatch.MetricAlarm("age", namespace="backups", metric_name="BackupAgeSeconds", threshold=1,
    comparison_operator="GreaterThanThreshold", evaluation_periods=1,
    alarm_actions=["arn:aws:sns:eu-west-1:1:alarms"])
"""


def database_program(*, group: str = "group.name", days: int = 30) -> str:
    """A database that every rule accepts, but for its parameter group or its retention."""
    parameters = {"rds.force_ssl": "1", **PARAMETERS}
    return DATABASE_PROGRAM.format(group=group, days=days, parameters=parameters)


class Project:
    """A Pulumi project elsewhere, with a stack and the echo provider on PATH."""

    def __init__(self, folder: Path, stack: str) -> None:
        self.folder = folder
        self.stack = stack
        self.created = folder / "created"
        plugins = folder / "bin"
        plugins.mkdir()
        plugin = plugins / "pulumi-resource-aws"
        provider = Path(__file__).with_name("echo_provider.py")
        plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{provider}"\n')
        plugin.chmod(0o755)
        (folder / "Pulumi.yaml").write_text("name: someone-elses\nruntime: python\n")
        environment = engine_environment(folder / "state")
        self.environment = {
            **environment,
            "PATH": os.pathsep.join([str(plugins), environment["PATH"]]),
            "ECHO_PROVIDER_CREATED": str(self.created),
        }
        self.pulumi("stack", "init", stack)

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def run(self, program: str, *arguments: str, config: dict[str, Any] | None = None) -> str:
        """Output of `pulumi ARGUMENTS` with the pack, `exit N` as its last line."""
        (self.folder / "__main__.py").write_text(program)
        settings = {"aws:region": "eu-west-1", **(config or {})}
        file = self.folder / f"Pulumi.{self.stack}.yaml"
        content = yaml.safe_load(file.read_text()) if file.exists() else {}
        file.write_text(yaml.safe_dump({**(content or {}), "config": settings}))
        result = self.pulumi(*arguments, "--stack", self.stack, "--policy-pack", str(PACK))
        return f"{result.stdout}{result.stderr}\nexit {result.returncode}"

    def created_types(self) -> list[str]:
        lines = self.created.read_text().splitlines() if self.created.exists() else []
        return [line.split("::")[2] for line in lines]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, "prod")


def test_what_preview_cannot_verify_is_noted_and_verified_at_apply(project: Project) -> None:
    program = BUCKET_PROGRAM.format(effect="Deny", principal='"*"')
    output = project.run(program, "up", "--yes")
    assert output.endswith("exit 0"), output
    preview, _, applied = output.partition("Updating (prod)")
    assert "[advisory]" in preview
    (note,) = (line for line in preview.splitlines() if "could not be verified before" in line)
    assert "s3-tls-only" in note
    assert applied
    assert "could not be verified" not in applied
    assert len(project.created_types()) == 11


def test_what_is_found_at_apply_is_not_created(project: Project) -> None:
    program = BUCKET_PROGRAM.format(effect="Allow", principal='"111122223333"')
    output = project.run(program, "up", "--yes")
    assert not output.endswith("exit 0"), output
    preview, _, applied = output.partition("Updating (prod)")
    assert "[mandatory]" not in preview
    assert "[mandatory] [severity: high]  s3-tls-only" in applied
    assert "aws:s3/bucketPolicy:BucketPolicy" not in project.created_types()


def test_a_violation_stops_the_preview_with_rule_resource_and_remedy(project: Project) -> None:
    output = project.run(database_program(group="None", days=7), "preview")
    assert not output.endswith("exit 0"), output
    assert "[mandatory] [severity: high]  rds-pitr-retention  (aws:rds:Instance: db)" in output
    assert "has backupRetentionPeriod = 7; it must be 30 to 35 days in prod" in output
    assert "What to do:" in output


def test_joins_are_made_by_reference(project: Project) -> None:
    # The group has no name yet at preview: the dependency of the property joins it.
    output = project.run(database_program(), "preview")
    assert output.endswith("exit 0"), output
    unjoined = database_program(group="None")
    output = project.run(unjoined, "preview")
    assert "rds-ssl-enforced  (aws:rds:Instance: db)" in output
    assert not output.endswith("exit 0")


def test_an_exemption_of_the_stack_file_counts_without_extra_flags(project: Project) -> None:
    expires = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=30)
    entry = {
        "rule": "rds-pitr-retention",
        "resource": "aws:rds/instance:Instance::db",
        "reason": "scratch copy, rebuilt every night",
        "owner": "platform@example.com",
        # As YAML writes a date without quotes.
        "expires": expires,
    }
    program = database_program(days=7)
    config = {"pgkeep:settings": {"policy_exemptions": [entry]}}
    output = project.run(program, "preview", config=config)
    assert output.endswith("exit 0"), output
    assert f"exempted until {expires} by platform@example.com" in output
    unused = project.run(database_program(), "preview", config=config)
    assert "is not used: remove it" in unused
    assert not unused.endswith("exit 0")
