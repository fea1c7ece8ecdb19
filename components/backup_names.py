"""Names of the buckets. Bucket names are shared by all AWS accounts, so account and region are in
them; their own part is short because S3 takes 63 characters (stacks/naming.py has the longest)."""

from __future__ import annotations

from components.deployment import Deployment


def bucket_name(deployment: Deployment) -> str:
    """The bucket of the backups."""
    return _name(deployment, "backups", deployment.region)


def log_bucket_name(deployment: Deployment) -> str:
    """Access logs and inventory of the backups."""
    return _name(deployment, "logs", deployment.region)


def copies_bucket_name(deployment: Deployment, region: str) -> str:
    """Copies of the backups; named by their own region."""
    return _name(deployment, "copies", region)


def copies_log_bucket_name(deployment: Deployment, region: str) -> str:
    """Access logs and inventory of the copies."""
    return _name(deployment, "copy-logs", region)


def backup_bucket_arn(deployment: Deployment) -> str:
    """ARN of the bucket of the backups."""
    return deployment.global_arn("s3", bucket_name(deployment))


def copies_role_name(deployment: Deployment) -> str:
    """The role that S3 makes the copies with."""
    return deployment.name("backup-copies")


def copies_role_arn(deployment: Deployment) -> str:
    """Its ARN, known before it exists."""
    account, name = deployment.account_id, copies_role_name(deployment)
    return f"arn:{deployment.partition}:iam::{account}:role/{name}"


def worker_name(deployment: Deployment) -> str:
    """The backup worker's group, role and launch template."""
    return deployment.name("backup-worker")


def export_name(deployment: Deployment) -> str:
    """The snapshot export's role; snapshots and exports are named after it."""
    return deployment.name("export")


def _name(deployment: Deployment, purpose: str, region: str) -> str:
    return deployment.name(purpose, deployment.account_id, region)
