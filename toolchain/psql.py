"""`make psql`: psql on the stack `local`, from inside the security group a role connects from."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from toolchain.environment import REPOSITORY, local_environment, local_home, require_tool
from toolchain.local import stack_outputs
from toolchain.steps import RefusedError

# Role → where it connects, and the exported security group of the clients that may.
ROUTES = {
    "app": ("pooler", "application_security_group_id"),
    "readonly": ("replica", "analytics_security_group_id"),
    "migrator": ("database", "migration_security_group_id"),
}


def connect(role: str, arguments: list[str]) -> int:
    """Runs psql with TLS verified in full; the password stands in a file of its owner only."""
    if role not in ROUTES:
        raise RefusedError(f"there is no role {role!r} to connect as; one of {', '.join(ROUTES)}.")
    require_tool("psql", "postgresql-client")
    environment = local_environment()
    outputs = stack_outputs(environment)
    place, group = ROUTES[role]
    secret = _read_secret(environment, outputs["role_secret_names"][role])
    with tempfile.TemporaryDirectory(prefix="psql-", dir=local_home()) as folder:
        authority = Path(folder) / "ca.pem"
        host, port = outputs["database_endpoint"], outputs["database_port"]
        authority.write_bytes((local_home() / "rds-ca-bundle.pem").read_bytes())
        if place == "pooler":
            host, port = outputs["pooler_endpoint"], outputs["pooler_port"]
            authority.write_text(outputs["pooler_ca_certificate"])
        elif place == "replica":
            if not outputs["replica_endpoints"]:
                raise RefusedError(
                    "the stack local has no replica; set database.replica_count to 1."
                )
            host = outputs["replica_endpoints"][0]
        database = outputs["database_name"]
        passwords = Path(folder) / "pgpass"
        passwords.touch(mode=0o600)
        passwords.write_text(
            f"{host}:{port}:{database}:{secret['username']}:{secret['password']}\n"
        )
        connection = (
            f"host={host} port={port} dbname={database} user={secret['username']} "
            f"sslmode=verify-full sslrootcert={authority}"
        )
        command = [sys.executable, "-m", "localcloud", "run", "--security-group", outputs[group]]
        return subprocess.run(
            [*command, "--", "psql", connection, *arguments],
            cwd=REPOSITORY,
            env={**environment, "PGPASSFILE": str(passwords)},
            check=False,
        ).returncode


def _read_secret(environment: dict[str, str], name: str) -> dict[str, str]:
    import boto3  # Takes longer to import than all the other commands' modules together.

    client = boto3.client(
        "secretsmanager",
        endpoint_url=environment["PGKEEP_LOCALCLOUD_ENDPOINT"],
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106  The local cloud's administrator has no secret.
    )
    return json.loads(client.get_secret_value(SecretId=name)["SecretString"])
