"""`make up` and `make down`: the stack `local` on a local cloud of this machine."""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from toolchain.environment import (
    LOCAL_STACK,
    REPOSITORY,
    local_client_environment,
    local_environment,
    local_home,
)
from toolchain.functions import build_archive, build_client_layer
from toolchain.preview import read_stack
from toolchain.pulumi_cli import ensure_pulumi
from toolchain.steps import RefusedError, console, run_engine, step

ARCHITECTURE = "x86_64"  # Hosts and functions of the local stack run on this machine.


def up() -> int:
    """Deploys the stack `local`; a second run changes nothing. Returns the exit code."""
    _require_linux_and_root()
    read_stack(LOCAL_STACK)
    with step("Pulumi CLI"):
        ensure_pulumi()
    environment = local_environment()
    # The local cloud reports its own steps: tools, base image, daemon.
    _local_cloud("start", environment)
    with step("Functions and their PostgreSQL client layer"):
        build_archive(ARCHITECTURE)
        build_client_layer(ARCHITECTURE)
    _select_stack(environment)
    command = ["pulumi", "up", "--yes", "--stack", LOCAL_STACK]
    command += ["--policy-pack", "policies", "--suppress-outputs", *_config_file()]
    console.print(f"[dim]$ {' '.join(command)}[/dim]")
    code = run_engine(command, REPOSITORY, environment)
    if code != 0:
        return code
    summary(environment)
    return 0


def down() -> int:
    """Destroys the stack, stops the local cloud and removes its folder. Returns the exit code.

    A crashed local cloud has no stack left to destroy; what it left behind is removed all the same.
    """
    _require_linux_and_root()
    environment = local_environment()
    destroyed = 0
    if _local_cloud_answers(environment) and _stack_exists():
        delete_restored_instances()
        command = ["pulumi", "destroy", "--yes", "--stack", LOCAL_STACK]
        command += _config_file()
        console.print(f"[dim]$ {' '.join(command)}[/dim]")
        destroyed = run_engine(command, REPOSITORY, environment)
    _local_cloud("stop", environment)
    with step(f"Removed {local_home()}"):
        shutil.rmtree(local_home())
    if destroyed:
        console.print(
            "[red]pulumi destroy failed (see above); the local cloud is gone all the same."
        )
    return destroyed


def summary(environment: dict[str, str]) -> None:
    """Prints what runs, where it answers and how to connect."""
    # The state is a file of this machine; nothing that is printed is encrypted in it.
    state = json.loads(_state_file().read_text())
    resources: list[dict[str, Any]] = state["checkpoint"]["latest"].get("resources", [])
    outputs: dict[str, Any] = next(
        (r.get("outputs", {}) for r in resources if r["type"] == "pulumi:pulumi:Stack"), {}
    )
    provisioned = [r for r in resources if r.get("custom") and not r["type"].startswith("pulumi:")]
    rows = [
        ("Resources", f"{len(provisioned)} in stack {LOCAL_STACK}"),
        ("Pooler", f"{outputs['pooler_endpoint']}:{outputs['pooler_port']}"),
        ("Database", f"{outputs['database_endpoint']}:{outputs['database_port']}"),
        *(("Replica", f"{r}:{outputs['database_port']}") for r in outputs["replica_endpoints"]),
        ("Backups", f"s3://{outputs['backup_bucket']}"),
        ("AWS API", environment["PGKEEP_LOCALCLOUD_ENDPOINT"]),
        ("Connect", "make psql                  as app, through the pooler"),
        ("", "make psql ROLE=readonly    on the replica"),
        ("", "make psql ROLE=migrator    on the database, for migrations"),
        ("pulumi", 'eval "$(make env)"; pulumi preview --stack local'),
        ("Destroy", "make down"),
    ]
    console.print()
    for title, text in rows:
        console.print(f"[bold]{title:<10}[/bold] {text}")


def delete_restored_instances() -> None:
    """Deletes what `pgkeep restore --to instance:NAME` made: it is in the stack's subnets.

    On AWS that is somebody's decision; here everything goes.
    """
    import boto3

    from operations.restore.instances import SCRATCH_TAG

    region = str(read_stack(LOCAL_STACK)["config"]["aws:region"])
    own = local_client_environment(region)
    rds: Any = boto3.client(
        "rds",
        region_name=region,
        endpoint_url=own["AWS_ENDPOINT_URL"],
        aws_access_key_id=own["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=own["AWS_SECRET_ACCESS_KEY"],
    )
    for page in rds.get_paginator("describe_db_instances").paginate():
        for one in page["DBInstances"]:
            if any(tag["Key"] == SCRATCH_TAG for tag in one.get("TagList", ())):
                name = one["DBInstanceIdentifier"]
                with step(f"Deleted the restored instance {name}"):
                    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def print_environment() -> int:
    """Prints shell commands that make plain `pulumi` and `aws` work on the stack `local`."""
    region = str(read_stack(LOCAL_STACK)["config"].get("aws:region", ""))
    own = local_client_environment(region)
    environment = local_environment() | own
    for name in sorted(environment):
        prefixes = ("PULUMI_", "PGKEEP_")
        if name in ("PATH", "PYTHONPYCACHEPREFIX", *own) or name.startswith(prefixes):
            print(f"export {name}={shlex.quote(environment[name])}")
    return 0


def stack_outputs(environment: dict[str, str]) -> dict[str, Any]:
    """The exports of the stack `local`.

    Raises:
        RefusedError: the stack is not deployed.
    """
    if not _stack_exists():
        raise RefusedError("the stack local is not deployed; run `make up` first.")
    return json.loads(
        _capture(["pulumi", "stack", "output", "--json", "--stack", LOCAL_STACK], environment)
    )


def _config_file() -> list[str]:
    """A stack file of the caller's choice (tests run with another address range)."""
    file = os.environ.get("PGKEEP_STACK_CONFIG_FILE")
    return ["--config-file", file] if file else []


def _require_linux_and_root() -> None:
    if platform.system() != "Linux":
        raise RefusedError(
            f"the local cloud needs Linux (this is {platform.system()}): it boots hosts in network "
            "namespaces. `make preview`, `make check` and the unit tests run here."
        )
    if os.geteuid() != 0:
        raise RefusedError(
            "the local cloud needs root: it makes network namespaces and mounts. Run `sudo make up`"
            " (or `sudo make down`); `make preview` and `make check` need no root."
        )


def _local_cloud(command: str, environment: dict[str, str]) -> None:
    """Runs `python -m localcloud COMMAND`, which reports its own steps and says what is wrong."""
    code = subprocess.run(
        [sys.executable, "-m", "localcloud", command], cwd=REPOSITORY, env=environment, check=False
    ).returncode
    if code != 0:
        raise SystemExit(code)


def _capture(command: list[str], environment: dict[str, str]) -> str:
    result = subprocess.run(
        command, cwd=REPOSITORY, env=environment, text=True, check=False, capture_output=True
    )
    if result.returncode != 0:
        raise RefusedError(f"{' '.join(command)}: {result.stderr.strip()}")
    return result.stdout


def _state_file() -> Path:
    return local_home() / "pulumi/.pulumi/stacks/pgkeep" / f"{LOCAL_STACK}.json"


def _stack_exists() -> bool:
    return _state_file().exists()


def _select_stack(environment: dict[str, str]) -> None:
    if not _stack_exists():
        _capture(["pulumi", "--non-interactive", "stack", "init", LOCAL_STACK], environment)


def _local_cloud_answers(environment: dict[str, str]) -> bool:
    return (
        subprocess.run(
            [sys.executable, "-m", "localcloud", "status"],
            cwd=REPOSITORY,
            env=environment,
            check=False,
            capture_output=True,
        ).returncode
        == 0
    )
