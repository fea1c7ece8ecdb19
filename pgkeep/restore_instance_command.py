"""`pgkeep restore --to instance:NAME`: a new RDS instance out of a moment or a snapshot."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.status import Status

from operations.backup.manifest import Manifest
from operations.database import Endpoint, password_refused
from operations.errors import OperationError
from operations.restore import instances, report, role_grants, row_readers
from operations.restore.instances import Target, Window
from operations.restore.proof import prove_without_manifest
from operations.restore.report import Kind, Report
from pgkeep import restore_progress
from pgkeep.backup.access import console, progress_console, refusals_as_lines, store
from pgkeep.deployed import DeployedStack, connector
from pgkeep.failures import CommandError, ExitCode
from pgkeep.restore_checks import objectives, roles, workload_checks
from pgkeep.restore_output import show
from pgkeep.restore_target import beside, keep

LATEST = "latest"
SNAPSHOT = "snapshot:"
INSTANCE = "instance:"
_PURPOSE = "restore"
# RDS API reference, RestoreDBInstanceToPointInTime: TargetDBInstanceIdentifier.
_IDENTIFIER = re.compile(r"[a-z](-?[a-z0-9]){0,62}")
# Longer than any restore that somebody should watch; the instance goes on without us.
_LONGEST_WAIT_SECONDS = 12 * 3600.0
_PASSWORD_SECONDS = 600.0
APPLICATION = "pgkeep restore"


@dataclass(frozen=True)
class InstanceRequest:
    """What the user asked for. Exactly one of `at` and `snapshot` is given."""

    stack: str
    identifier: str
    at: str | None
    snapshot: str | None
    through: str | None
    drop_afterwards: bool
    as_json: bool
    report_file: Path | None


@dataclass(frozen=True)
class Asked:
    """What RDS was asked for."""

    kind: Kind
    source_id: str
    moment: datetime
    rpo_seconds: float


def request(
    *,
    stack: str,
    source: str,
    at: str | None,
    target: str,
    selected: bool = False,
    no_owner: bool = False,
    through: str | None,
    drop_afterwards: bool,
    as_json: bool,
    report_file: Path | None,
) -> InstanceRequest:
    """Check how the options fit together.

    Raises:
        CommandError: they do not.
    """
    if not target.startswith(INSTANCE):
        raise CommandError(
            f"--to {target} refused: a moment or a snapshot comes back as a whole instance. Give "
            f"--to {INSTANCE}NAME; or name what you need, which is then copied into a database: "
            f"--table NAME --to {target}"
        )
    if selected or no_owner:
        option = "--table and --schema" if selected else "--no-owner"
        raise CommandError(
            f"{option} refused with --to {target}: an instance comes back whole. To bring tables "
            "of a moment or a snapshot into a database give its name: --to DATABASE"
        )
    identifier = target.removeprefix(INSTANCE)
    if not _IDENTIFIER.fullmatch(identifier):
        raise CommandError(
            f"--to {target} refused: the name of an instance has up to 63 lower-case letters, "
            "digits and single hyphens and begins with a letter."
        )
    snapshot = one_source(source, at, target)
    if through is not None:
        raise CommandError(
            f"--through {through} refused with --to {INSTANCE}NAME: a tunnel leads to one host, "
            "and the new one has no address yet. Run this where the VPC can be reached."
        )
    return InstanceRequest(
        stack, identifier, at, snapshot, through, drop_afterwards, as_json, report_file
    )


def one_source(source: str, at: str | None, target: str) -> str | None:
    """The snapshot that `source` names; None where `at` is given instead.

    Raises:
        CommandError: it is neither one nor the other.
    """
    snapshot = source.removeprefix(SNAPSHOT) if source.startswith(SNAPSHOT) else None
    if at is not None and snapshot is None and source != LATEST:
        raise CommandError(
            f"--at {at} refused with --from {source}: a dump shows one moment only. Leave one out."
        )
    if (at is None) == (snapshot is None):
        raise CommandError(
            f"--to {target} needs either --at TIME or --from {SNAPSHOT}ID. A dump is "
            "restored into a database: --to DATABASE."
        )
    return snapshot


def moment(text: str) -> datetime | None:
    """The time that the user gave; None for `latest`.

    Raises:
        CommandError: it is no ISO 8601 time with a zone.
    """
    if text == LATEST:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise CommandError(
            f"--at {text} refused: give a time with its zone as ISO 8601, such as "
            "2026-11-21T14:30:00Z, or `latest`."
        )
    if parsed.microsecond:
        raise CommandError(
            f"--at {text} refused: RDS restores to a whole second; leave the fraction out."
        )
    return parsed.astimezone(UTC)


def run(asked: InstanceRequest) -> None:
    """Restore, wait, prove, and say what was measured.

    Raises:
        CommandError: the moment, snapshot or target is refused, or RDS failed.
        typer.Exit: with 1 when the proof does not hold.
    """
    at = moment(asked.at) if asked.at is not None else None
    stack = DeployedStack.find(asked.stack)
    left = (
        f"{asked.identifier} is not proven; where RDS has begun it, it is made to its end, and "
        f"`aws rds delete-db-instance --db-instance-identifier {asked.identifier} "
        "--skip-final-snapshot` deletes it"
    )
    with refusals_as_lines(left):
        rds = stack.client("rds")
        source = instances.required(rds, str(stack.outputs["database_identifier"]))
        started_at = datetime.now(UTC)
        begun = begin(rds, source, asked, at, started_at)
        try:
            made, address = _prove(stack, rds, asked, begun, started_at)
            keep(stack, made)
        finally:
            if asked.drop_afterwards:
                drop(rds, asked.identifier)
            else:
                progress_console.print(
                    f"Instance {asked.identifier} has no deletion protection and the tag "
                    f"{instances.SCRATCH_TAG}; it costs money until it is deleted."
                )
    show(
        made,
        as_json=asked.as_json,
        report_file=asked.report_file,
        endpoint=None if asked.drop_afterwards else address,
    )
    if not asked.as_json and not asked.drop_afterwards:
        console.print(f"Endpoint: {address}", soft_wrap=True)
    if not made.proven:
        raise typer.Exit(ExitCode.REFUSED)


def begin(
    rds: Any,
    source: dict[str, Any],
    asked: InstanceRequest,
    at: datetime | None,
    started_at: datetime,
) -> Asked:
    """Ask RDS for the instance.

    Raises:
        OperationError: the moment, the snapshot or the name is refused.
    """
    target = Target(asked.identifier, _PURPOSE)
    if asked.snapshot is not None:
        snapshot = instances.restore_snapshot(rds, source, target, asked.snapshot)
        taken_at = instances.taken_at(snapshot)
        lost = (started_at - taken_at).total_seconds()
        return Asked("snapshot", asked.snapshot, taken_at, lost)
    limits: Window = instances.window(rds, str(source["DBInstanceIdentifier"]))
    wanted = instances.moment_in(limits, at or limits.latest)
    instances.restore_to_moment(rds, source, target, wanted)
    lost = max((started_at - limits.latest).total_seconds(), 0.0)
    return Asked("point-in-time", report.POINT_IN_TIME, wanted, lost)


def _prove(
    stack: DeployedStack,
    rds: Any,
    asked: InstanceRequest,
    begun: Asked,
    started_at: datetime,
) -> tuple[Report, str]:
    steps: dict[str, float] = {}
    started = time.monotonic()
    instance = wait(rds, asked.identifier)
    steps["instance restored"] = round(time.monotonic() - started, 3)
    address = str(instance["Endpoint"]["Address"])
    with stack.reach(address) as endpoint:
        started = time.monotonic()
        login_ = login(stack, rds, asked.identifier, endpoint)
        steps["login"] = round(time.monotonic() - started, 3)
        connect = connector(endpoint, login_, APPLICATION)
        with (
            beside(endpoint, login_) as connection,
            row_readers.assumed(connection, connect),
        ):
            with restore_progress.shown("Proving", "Read whole") as progress:
                proof, counts = prove_without_manifest(
                    begun.source_id,
                    connect=connect,
                    progress=progress,
                    before=_newest_backup(stack),
                )
            workload_checks(stack, proof, connect)
        role_grants.prove(proof, roles(stack), connect=connect, as_of_its_day=True)
    made = report.of_instance(
        begun.kind,
        proof,
        database=stack.database,
        target=f"instance {asked.identifier}",
        started_at=started_at,
        restored_to=begun.moment,
        rpo_seconds=begun.rpo_seconds,
        steps=steps,
        row_counts=counts,
        objectives=objectives(stack),
    )
    return made, address


def _newest_backup(stack: DeployedStack) -> Manifest | None:
    """What was wrong in it already is no fault of the instance; without a bucket nobody knows."""
    with suppress(OperationError, BotoCoreError, ClientError):
        return store(stack).get("latest", stack.database)
    return None


def wait(rds: Any, identifier: str) -> dict[str, Any]:
    """Wait until the new instance answers, and show its status meanwhile."""
    with progress_console.status(f"{identifier}: asked for") as status:
        return instances.wait_until_ready(
            rds,
            identifier,
            limit_seconds=_LONGEST_WAIT_SECONDS,
            progress=_progress(status, identifier),
        )


def login(stack: DeployedStack, rds: Any, identifier: str, endpoint: Endpoint) -> tuple[str, str]:
    """The present master password; an older instance gets it first."""
    found = stack.login("master")
    try:
        endpoint.connect(*found, application_name=APPLICATION).close()
    except psycopg.OperationalError as error:
        if not password_refused(error):
            raise
        progress_console.print(
            f"{identifier} still has the master password of its moment; it gets the present one."
        )
        instances.set_master_password(rds, identifier, found[1], _PASSWORD_SECONDS)
    return found


def _progress(status: Status, identifier: str) -> Callable[[str, float], None]:
    def show_status(what: str, seconds: float) -> None:
        status.update(f"{identifier}: {what}, {seconds:.0f} s")

    return show_status


def drop(rds: Any, identifier: str) -> None:
    """Delete the instance, waiting while RDS refuses to delete what it is still making.

    Raises:
        CommandError: it could not be deleted.
    """
    deadline = time.monotonic() + _PASSWORD_SECONDS
    while not instances.delete(rds, identifier):
        if time.monotonic() > deadline:
            raise CommandError(
                f"instance {identifier} could not be deleted in its present status; delete it "
                "later; it costs money until then.",
                ExitCode.REFUSED,
            )
        time.sleep(5)
