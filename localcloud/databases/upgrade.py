"""Major version upgrades in place: pg_upgrade, as RDS does it, of an instance and its replicas.

AWS RDS user guide, "Upgrades of the RDS for PostgreSQL DB engine": a precheck with the server
running, a snapshot, the upgrade, a second backup; read replicas of the region are upgraded with
their source, those elsewhere lose replication. What fails leaves the version of before running.
"""

import datetime
import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from moto.rds.exceptions import InvalidParameterCombination, RDSClientError

from localcloud.databases import backups, extension_owners, pg_upgrade, roles, standby
from localcloud.databases.archive import name_of
from localcloud.databases.instance import LocalDBInstance, default_option_group
from localcloud.databases.node import Node
from localcloud.databases.parameters import default_group, family_of
from localcloud.databases.pg_upgrade import UpgradeError
from localcloud.databases.plane import Plane
from localcloud.databases.validation import choose_version

if TYPE_CHECKING:
    from localcloud.databases.regional import Regional

_LOG = logging.getLogger(__name__)
_REPLICA_TIMEOUT_SECONDS = 600.0


@dataclass(frozen=True)
class Upgrade:
    """What an instance is to become."""

    version: str
    parameter_group: str
    # The group that replicas share with their source, before.
    old_parameter_group: str


@dataclass
class _Progress:
    """Whether an instance is upgraded; its replicas wait for it."""

    done: threading.Event = field(default_factory=threading.Event)
    worked: bool = False


def requested(
    backend: "Regional", instance: LocalDBInstance, inputs: Mapping[str, Any]
) -> Upgrade | None:
    """The upgrade that ModifyDBInstance asks for, None if none. Raises as RDS refuses."""
    asked, current = inputs.get("engine_version"), str(instance.engine_version)
    versions = backend.plane.versions
    version = current if asked is None else choose_version(asked, versions)
    if version == current:
        return None
    if versions.index(version) < versions.index(current):
        raise InvalidParameterCombination(f"Cannot upgrade postgres from {current} to {version}")
    if instance.is_replica:
        raise RDSClientError(
            "InvalidDBInstanceState",
            f"{instance.db_instance_identifier} is a read replica: it is upgraded with its source, "
            f"{instance.source_db_instance_identifier}.",
        )
    if not inputs.get("allow_major_version_upgrade"):
        raise InvalidParameterCombination(
            "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major "
            "version."
        )
    present = str(instance.db_parameter_group_name)
    group = inputs.get("db_parameter_group_name")
    if group is None and not present.startswith("default."):
        raise InvalidParameterCombination(
            f"The current DB parameter group {present} is custom. You must explicitly specify a "
            "new DB parameter group, either default or custom, for the engine version upgrade."
        )
    for replica in _in_region(backend, instance):
        backend.require(replica, ("available",))
    return Upgrade(version, group or default_group(family_of(version)), present)


def begin(plane: Plane, instance: LocalDBInstance, upgrade: Upgrade) -> Callable[[Node], None]:
    """Make the replicas wait for their source, and return the work of the instance's own worker.

    The instance is available again when its replicas are upgraded too.
    """
    progress = _Progress()
    backend = cast("Regional", instance.backend)
    replicas = [
        each
        for replica in _in_region(backend, instance)
        for each in _begin_replica(plane, replica, upgrade, progress)
    ]

    def work(node: Node) -> None:
        try:
            progress.worked = _upgrade(plane, node, upgrade)
        finally:
            instance.pending_modified_values.pop("EngineVersion", None)
            progress.done.set()
        for replica in replicas:
            replica.done.wait(_REPLICA_TIMEOUT_SECONDS)

    return work


def _begin_replica(
    plane: Plane, replica: LocalDBInstance, upgrade: Upgrade, source: _Progress
) -> list[_Progress]:
    """The progress of the replica and of those that follow it."""
    progress = _Progress()
    backend = cast("Regional", replica.backend)
    begun = [progress]
    for following in _in_region(backend, replica):
        begun += _begin_replica(plane, following, upgrade, progress)

    def work(node: Node) -> None:
        try:
            source.done.wait()
            if source.worked:
                _copy_again(plane, node, upgrade)
                progress.worked = True
        finally:
            progress.done.set()

    plane.change(replica, "upgrading", work)
    return begun


def _in_region(backend: "Regional", instance: LocalDBInstance) -> Iterator[LocalDBInstance]:
    for name in instance.replicas:
        if not name.startswith("arn:"):
            yield backend.instance(name)


def _upgrade(plane: Plane, node: Node, upgrade: Upgrade) -> bool:
    """Whether it worked; if not, the server runs as before. On the instance's worker."""
    instance, server = node.instance, node.server
    engine = plane.engine_of(upgrade.version)
    instance.record("precheck-started")
    try:
        pg_upgrade.check(server, engine)
    except UpgradeError as error:
        return _given_up(node, upgrade, error)
    instance.record("precheck-finished")
    _snapshot_before(node, upgrade)
    owners = extension_owners.read(server)
    instance.record("downtime-started")
    standby.remove(plane, node)
    server.stop()
    instance.record("upgrade-started")
    try:
        pg_upgrade.upgrade(server, engine)
    except UpgradeError as error:
        plane.start_server(node)
        standby.adapt(plane, node)
        return _given_up(node, upgrade, error)
    describe(instance, upgrade.version, upgrade.parameter_group)
    node.applied = cast("Regional", instance.backend).user_parameters(instance)
    # What is archived is of another cluster from here on.
    for archive in (node.archive, *node.followers):
        archive.clear()
    node.marks, instance.backed_up_at = [], None
    plane.start_server(node)
    roles.complete_roles(server)
    extension_owners.give_back(server, owners)
    instance.record("upgrade-finished")
    standby.adapt(plane, node)
    for name in instance.replicas:
        if name.startswith("arn:"):
            elsewhere = cast("Regional", instance.backend).instance_anywhere(name)
            elsewhere.replication_terminated = True
            elsewhere.record("replication-ended")
    if instance.backup_retention_period:
        backups.back_up(plane, instance)
    return True


def _given_up(node: Node, upgrade: Upgrade, error: UpgradeError) -> bool:
    name = node.instance.db_instance_identifier
    version = node.instance.engine_version
    _LOG.error("%s stays %s, not upgraded to %s: %s", name, version, upgrade.version, error)
    node.instance.record("upgrade-failed")
    return False


def _copy_again(plane: Plane, node: Node, upgrade: Upgrade) -> None:
    """A replica becomes a copy of its upgraded source. On the replica's worker."""
    instance, source = node.instance, node.source
    if source is None:
        return  # Promoted in the meantime.
    node.server.stop()
    node.server.empty()
    node.server.engine = plane.engine_of(upgrade.version)
    node.server.copy_primary(source.server, node.slot)
    shared = instance.db_parameter_group_name == upgrade.old_parameter_group
    group = upgrade.parameter_group if shared else default_group(family_of(upgrade.version))
    describe(instance, upgrade.version, group)
    node.applied = cast("Regional", instance.backend).user_parameters(instance)
    node.archive.clear()
    instance.backed_up_at = None
    plane.start_server(node)
    if instance.backup_retention_period:
        backups.back_up(plane, instance)


def describe(instance: LocalDBInstance, version: str, parameter_group: str) -> None:
    """Show the instance as one of the later version, its parameters in effect."""
    instance.engine_version = version
    instance.option_group_name = default_option_group(version)
    instance.db_parameter_group_name = parameter_group
    instance.parameter_apply_status = "in-sync"


def _snapshot_before(node: Node, upgrade: Upgrade) -> None:
    """RDS makes it where automated backups are on."""
    instance = node.instance
    if not instance.backup_retention_period:
        return
    started = datetime.datetime.now(datetime.UTC)
    data = node.server.folder / f"preupgrade-{name_of(started)}"
    versions = f"{instance.engine_version}-to-{upgrade.version}".replace(".", "-")
    name = f"rds:preupgrade-{instance.db_instance_identifier}-{versions}-{started:%Y-%m-%d-%H-%M}"
    try:
        node.server.back_up(data)
        instance.automated_snapshot(data, started, name)
    finally:
        shutil.rmtree(data, ignore_errors=True)
