"""The user data of a backup worker: cloud-config that holds settings, and no secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from hosts.cloud_config import (
    CODE_FOLDER,
    certificates,
    file,
    fill,
    packed,
    program,
    text,
)

#: Which modules of this package the host's own programs are made of.
MODULES = ("__init__", "metadata", "signed_requests", "worker")
_CA_BUNDLE = "/etc/pgkeep/rds-ca-bundle.pem"
_UNITS = ("pgkeep-worker.service", "pgkeep-worker-limit.service", "pgkeep-worker-limit.timer")
# The worker stops by itself before the first, systemd at the second, the host ends at the third.
_STOP_SECONDS = 120
_LAST_SECONDS = 900


@dataclass(frozen=True)
class WorkerConfig:
    """What makes a backup worker. An object is its key in the bucket and its SHA-256."""

    region: str
    dns_suffix: str
    bucket: str
    kms_key_arn: str
    manifest_key_arn: str | None
    """Of the key that signs manifests, where they are signed."""
    secret_arn: str
    log_group: str
    rds_ca_bundle_pem: str
    database_host: str
    database_port: int
    database_name: str
    retention_days: Mapping[str, int]
    largest_hashed_table_bytes: int | None
    """Above it tables are counted only; None: all are hashed."""
    most_seconds: int
    code: tuple[str, str]
    sdk: tuple[str, str]
    client: tuple[str, str]


def render(config: WorkerConfig) -> bytes:
    """The user data, packed; `ValueError` when it is longer than EC2 takes."""
    return packed(cloud_config(config), "backup worker", config.rds_ca_bundle_pem)


def cloud_config(config: WorkerConfig) -> str:
    """`#cloud-config` text."""
    values = {
        "stop_seconds": config.most_seconds + _STOP_SECONDS,
        "last_seconds": config.most_seconds + _LAST_SECONDS,
    }
    return text(
        {
            "ssh_pwauth": False,
            "disable_root": True,
            "package_update": False,
            "runcmd": [
                ["systemctl", "daemon-reload"],
                # Before anything that could hang.
                ["systemctl", "start", "pgkeep-worker-limit.timer"],
                ["systemctl", "start", "--no-block", "pgkeep-worker.service"],
            ],
            # First what all workers have in common, last what looks different: so it compresses
            # best.
            "write_files": [
                *(file(f"{CODE_FOLDER}/hosts/{name}.py", program(name)) for name in MODULES),
                file("/etc/pgkeep/worker.env", _environment(config)),
                *(file(f"/etc/systemd/system/{name}", fill(name, values)) for name in _UNITS),
                file(_CA_BUNDLE, certificates(config.rds_ca_bundle_pem)),
            ],
        }
    )


def _environment(config: WorkerConfig) -> str:
    """What the host's programs read, the same names as the backup function's."""
    variables: dict[str, object] = {
        "AWS_REGION": config.region,
        "AWS_DEFAULT_REGION": config.region,
        # Debian's bundle, which has an organisation's own authorities too.
        "AWS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt",
        "DNS_SUFFIX": config.dns_suffix,
        "DB_HOST": config.database_host,
        "DB_PORT": config.database_port,
        "DB_NAME": config.database_name,
        "RDS_CA_BUNDLE": _CA_BUNDLE,
        "BACKUP_SECRET_ARN": config.secret_arn,
        "BACKUP_BUCKET": config.bucket,
        "KMS_KEY_ARN": config.kms_key_arn,
        "MANIFEST_KEY_ARN": config.manifest_key_arn or "",
        "RETENTION_DAYS": f"'{json.dumps(dict(config.retention_days))}'",
        "LARGEST_HASHED_TABLE_BYTES": config.largest_hashed_table_bytes or "",
        "LOG_GROUP": config.log_group,
        "MAX_SECONDS": config.most_seconds,
        "CODE_OBJECT": f'"{" ".join(config.code)}"',
        "SDK_OBJECT": f'"{" ".join(config.sdk)}"',
        "CLIENT_OBJECT": f'"{" ".join(config.client)}"',
    }
    return "".join(f"{name}={value}\n" for name, value in variables.items())
