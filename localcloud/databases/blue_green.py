"""Blue/green deployments: a green copy that follows, and a switchover that loses no commit.

RDS for PostgreSQL replicates physically unless the major version changes (AWS RDS user guide,
"PostgreSQL replication methods for blue/green deployments"); then blue_green_major.py does it.
"""

import datetime
import logging
import secrets
import string
import time
from collections.abc import Mapping
from typing import Any

from moto.rds.exceptions import InvalidParameterCombination, RDSClientError
from moto.rds.models import DBInstance

from localcloud.databases import backups, blue_green_major, logical_replication, standby
from localcloud.databases.deployment import Deployment
from localcloud.databases.instance import KEPT_ATTRIBUTES, LocalDBInstance
from localcloud.databases.node import Node
from localcloud.databases.parameters import default_group, family_of
from localcloud.databases.read_replicas import ReadReplicas
from localcloud.databases.validation import validate_references
from localcloud.errors import LocalCloudError

_LOG = logging.getLogger(__name__)
# AWS, SwitchoverBlueGreenDeployment: "Default: 300 seconds".
_SWITCHOVER_TIMEOUT_SECONDS = 300
# Writes are blocked once no more than this is missing on green.
_SMALL_LAG_BYTES = 1024 * 1024
_POLL_SECONDS = 0.05
_COPIED = (
    *KEPT_ATTRIBUTES,
    "copy_tags_to_snapshot",
    "deletion_protection",
    "enabled_cloudwatch_logs_exports",
    "max_allocated_storage",
    "multi_az",
    "tags",
)


class BlueGreenDeployments(ReadReplicas):
    """The blue/green deployments of one region."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.deployments: dict[str, Deployment] = {}

    def start_deployment(self, inputs: Mapping[str, Any]) -> Deployment:
        """CreateBlueGreenDeployment: answer at once, green is copied in the background."""
        blue = self.instance_anywhere(str(inputs["Source"]))
        name = str(inputs["BlueGreenDeploymentName"])
        self._check_blue(blue, name)
        version = self._version_of_green(blue, inputs.get("TargetEngineVersion"))
        group = inputs.get("TargetDBParameterGroupName")
        if major := version != blue.engine_version:
            group = group or default_group(family_of(version))
            checked = {"db_parameter_group_name": group}
            validate_references(self, checked, str(blue.vpc_id), family_of(version))
        suffix = "".join(secrets.choice(string.ascii_lowercase) for _ in range(6))
        targets = {
            "allocated_storage": inputs.get("TargetAllocatedStorage"),
            "db_instance_class": inputs.get("TargetDBInstanceClass"),
            "db_parameter_group_name": None if major else group,
            "iops": inputs.get("TargetIops"),
            "storage_throughput": inputs.get("TargetStorageThroughput"),
            "storage_type": inputs.get("TargetStorageType"),
        }
        name_of_green = f"{blue.db_instance_identifier}-green-{suffix}"
        self.create_db_instance_read_replica(
            {
                "db_instance_identifier": name_of_green,
                "source_db_instance_identifier": blue.db_instance_identifier,
                "availability_zone": blue.availability_zone,
                **{member: value for member, value in targets.items() if value is not None},
            }
        )
        green = self.instance(name_of_green)
        for attribute in _COPIED:
            if (value := getattr(blue, attribute, None)) is not None:
                setattr(green, attribute, value)
        deployment = Deployment(
            identifier=f"bgd-{secrets.token_hex(8)}",
            name=name,
            blue=blue,
            green=green,
            created=datetime.datetime.now(datetime.UTC),
            tags=list(inputs.get("Tags") or []),
            major=major,
        )
        self.deployments[deployment.identifier] = deployment
        if major:
            self._upgrade_green(deployment, version, str(group))
        return deployment

    def _version_of_green(self, blue: LocalDBInstance, asked: str | None) -> str:
        current = str(blue.engine_version)
        version = self.choose_version(asked or current)
        versions = self.plane.versions
        if versions.index(version) < versions.index(current):
            raise InvalidParameterCombination(
                f"Cannot upgrade postgres from {current} to {version}"
            )
        return version

    def _upgrade_green(self, deployment: Deployment, version: str, group: str) -> None:
        """Green is a replica by then; on its worker it becomes one of the later version."""
        blue = self.plane.node_of(deployment.blue)

        def work(green: Node) -> None:
            deployment.green.status = "upgrading"
            try:
                deployment.slots = blue_green_major.make_green(
                    self.plane, blue, green, version, group
                )
            except LocalCloudError as error:
                deployment.phase, deployment.details = "INVALID_CONFIGURATION", str(error)
                _LOG.error("%s: %s", deployment.name, error)
                raise
            self._end_replica(deployment.green)

        self.plane.change(deployment.green, "creating", work)

    def _end_replica(self, green: LocalDBInstance) -> None:
        self.forget_source(green)
        green.is_replica = False
        green.source_db_instance_identifier = None

    def _check_blue(self, blue: LocalDBInstance, name: str) -> None:
        if any(each.name == name for each in self.deployments.values()):
            raise RDSClientError(
                "BlueGreenDeploymentAlreadyExistsFault",
                f"A blue/green deployment named {name} exists.",
            )
        self.require(blue, ("available",))
        if blue.is_replica or blue.replicas:
            raise InvalidParameterCombination(
                f"{blue.db_instance_identifier} is a read replica or has some: the local cloud "
                "makes blue/green deployments of single instances only."
            )

    def deployment(self, identifier: str) -> Deployment:
        """The deployment of that identifier. Raises BlueGreenDeploymentNotFoundFault."""
        if identifier not in self.deployments:
            raise RDSClientError(
                "BlueGreenDeploymentNotFoundFault", f"BlueGreenDeployment {identifier} not found."
            )
        return self.deployments[identifier]

    def switch_over(self, identifier: str, timeout_seconds: int | None) -> Deployment:
        """SwitchoverBlueGreenDeployment: answer at once, blue's worker does it."""
        deployment = self.deployment(identifier)
        ready = deployment.blue.status == deployment.green.status == "available"
        if deployment.status not in ("AVAILABLE", "SWITCHOVER_FAILED") or not ready:
            raise RDSClientError(
                "InvalidBlueGreenDeploymentStateFault",
                f"BlueGreenDeployment {identifier} cannot be switched over: it is "
                f"{deployment.status}, blue is {deployment.blue.status}, green is "
                f"{deployment.green.status}.",
            )
        deployment.phase, deployment.details = "SWITCHOVER_IN_PROGRESS", None
        deployment.green.status = "modifying"
        green = self.plane.node_of(deployment.green)
        limit = timeout_seconds or _SWITCHOVER_TIMEOUT_SECONDS

        def switch(blue: Node) -> None:
            try:
                green.worker.submit(lambda: None).result()
                switch_by = self._switch_major if deployment.major else self._switch
                switch_by(deployment, blue, green, time.monotonic() + limit)
            except SwitchoverError as error:
                deployment.phase, deployment.details = "SWITCHOVER_FAILED", str(error)
            except Exception:
                deployment.phase = "SWITCHOVER_FAILED"
                raise
            finally:
                deployment.green.status = "available"

        self.plane.change(deployment.blue, "modifying", switch)
        return deployment

    def _switch(self, deployment: Deployment, blue: Node, green: Node, deadline: float) -> None:
        _wait_for_small_lag(blue, green, deadline)
        standby.remove(self.plane, blue)
        # Cuts every client off; an orderly stop ends when green has all that was committed.
        blue.server.stop()
        if not _has_everything(blue, green):
            self.plane.start_server(blue)
            raise SwitchoverError("green did not receive all of blue's last commits")
        green.server.query("SELECT pg_promote(true, 60)")
        green.source = None
        self._end_replica(deployment.green)
        self._put_into_production(deployment, blue, green)
        blue.server.drop_slot(green.slot)

    def _switch_major(
        self, deployment: Deployment, blue: Node, green: Node, deadline: float
    ) -> None:
        position = logical_replication.written(blue.server)
        lag = blue_green_major.wait_for(blue, position, _SMALL_LAG_BYTES, deadline)
        if lag > _SMALL_LAG_BYTES:
            raise SwitchoverError(f"green is {lag} bytes behind blue, too far within the timeout")
        slots, missing = deployment.slots or {}, None
        try:
            missing = blue_green_major.hand_over(self.plane, blue, green, slots, deadline)
        finally:
            blue.closed = False
            if missing != 0:  # Clients come in again.
                self.plane.restart_unchanged(blue)
                standby.adapt(self.plane, blue)
        if missing:
            raise SwitchoverError(f"green did not receive blue's last {missing} bytes in time")
        self._put_into_production(deployment, blue, green)

    def _put_into_production(self, deployment: Deployment, blue: Node, green: Node) -> None:
        self._exchange_names(deployment)
        blue.read_only = True
        for node in (green, blue):
            self.plane.renew_certificate(node)
            self.plane.restart_unchanged(node)
            self.plane.announce(node)
        standby.adapt(self.plane, green)
        deployment.phase = "SWITCHOVER_COMPLETED"
        if deployment.green.backup_retention_period:
            backups.back_up(self.plane, deployment.green)

    def _exchange_names(self, deployment: Deployment) -> None:
        blue, green = deployment.blue, deployment.green
        green.backup_retention_period = (
            green.backup_retention_period or blue.backup_retention_period
        )
        name, number = blue.db_instance_identifier, 1
        while f"{name}-old{number}" in self.databases:
            number += 1
        self._rename(blue, f"{name}-old{number}")
        self._rename(green, name)
        _LOG.info("%s is now what was its green copy", name)

    def _rename(self, instance: LocalDBInstance, name: str) -> None:
        del self.databases[instance.db_instance_identifier]
        self.plane.rename(instance, name)
        self.databases[name] = instance

    def end_deployment(self, identifier: str, delete_target: bool) -> Deployment:
        """DeleteBlueGreenDeployment: the instances stay, but green may be asked to go too."""
        deployment = self.deployment(identifier)
        if deployment.status == "SWITCHOVER_IN_PROGRESS":
            raise RDSClientError(
                "InvalidBlueGreenDeploymentStateFault",
                f"BlueGreenDeployment {identifier} is being switched over.",
            )
        if delete_target and deployment.status == "SWITCHOVER_COMPLETED":
            raise InvalidParameterCombination(
                "DeleteTarget cannot be specified after a switchover: the target is in production."
            )
        if delete_target:
            deployment.green.deletion_protection = False
            target: Any = self
            target.delete_db_instance(
                deployment.green.db_instance_identifier, skip_final_snapshot=True
            )
        if deployment.major and deployment.status != "SWITCHOVER_COMPLETED":
            self.plane.in_background(
                deployment.blue, lambda node: logical_replication.unpublish(node.server)
            )
        del self.deployments[identifier]
        deployment.phase = "DELETING"
        return deployment

    def create_db_instance_read_replica(self, db_kwargs: Mapping[str, Any]) -> DBInstance:
        """As RDS: no replica of an instance whose deployment is not over."""
        source = str(db_kwargs["source_db_instance_identifier"])
        for deployment in self.deployments.values():
            if source == deployment.blue.db_instance_identifier and not deployment.phase:
                raise RDSClientError(
                    "InvalidDBInstanceState",
                    f"{source} is the source of blue/green deployment {deployment.identifier}.",
                )
        return super().create_db_instance_read_replica(db_kwargs)


class SwitchoverError(Exception):
    """Blue goes on as before; the text says why."""


def _wait_for_small_lag(blue: Node, green: Node, deadline: float) -> None:
    while True:
        written = blue.server.query("SELECT pg_current_wal_lsn()::text")[0][0]
        lag = green.server.query(
            "SELECT pg_wal_lsn_diff(%s::pg_lsn, pg_last_wal_replay_lsn())::bigint", written
        )[0][0]
        if isinstance(lag, int) and lag <= _SMALL_LAG_BYTES:
            return
        if time.monotonic() > deadline:
            raise SwitchoverError(f"green is {lag} bytes behind blue, too far within the timeout")
        time.sleep(_POLL_SECONDS)


def _has_everything(blue: Node, green: Node) -> bool:
    """Whether green has the checkpoint with which blue stopped: nothing is written after it."""
    last = blue.server.last_checkpoint()
    found = green.server.query("SELECT pg_last_wal_receive_lsn() > %s::pg_lsn", last)
    return found == [(True,)]
