"""How a server comes to be: new, as a replica, or restored. Status creating → available."""

import datetime
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.databases import backups, roles, standby
from localcloud.databases.archive import Archive, link_tree
from localcloud.databases.configuration import Recovery
from localcloud.databases.instance import LocalDBInstance
from localcloud.databases.node import Node
from localcloud.databases.plane import Plane
from localcloud.errors import LocalCloudError

# Replaying a day's WAL may take its time.
_RECOVERY_TIMEOUT_SECONDS = 3600.0


@dataclass(frozen=True)
class Origin:
    """What an instance is restored from: a snapshot's folder, or an archive at a moment."""

    snapshot: Path | None = None
    archive: Archive | None = None
    moment: datetime.datetime | None = None

    def major_version(self) -> str:
        """Major version of the data: a backup of before an upgrade needs the engine of before.

        Raises LocalCloudError.
        """
        folder = self.snapshot if self.snapshot is not None else self._base_backup()
        return (folder / "PG_VERSION").read_text().strip()

    def prepare(self, folder: Path) -> None:
        """Put the data into `folder`; from then on the origin is not needed any more."""
        if self.snapshot is not None:
            folder.mkdir(mode=0o755)
            link_tree(self.snapshot, folder / "base")
        elif self.archive is not None:
            self.archive.link_from(self._base_backup(), folder)

    def _base_backup(self) -> Path:
        found = None
        if self.archive is not None and self.moment is not None:
            found = self.archive.start_for(self.moment)
        if found is None:
            raise LocalCloudError(
                f"Restore to {self.moment} refused: the base backup before it has just been "
                "pruned; restore to a later time."
            )
        return found


def create(
    plane: Plane, instance: LocalDBInstance, subnet_id: str, parameters: Mapping[str, str]
) -> None:
    """Boot a new primary."""
    node = plane.add(instance, subnet_id, None, parameters)
    password, instance.initial_password = instance.initial_password, None
    username = str(instance.master_username)

    def boot() -> None:
        node.server.prepare()
        node.server.initialize()
        plane.attach(node)
        plane.start_server(node)
        standby.adapt(plane, node)

    def finish() -> None:
        roles.create_roles(node.server, username, str(password), instance.db_name)
        plane.announce(node)
        instance.record("instance-created")

    node.finish = finish
    plane.run(node, "creating", boot)
    if instance.backup_retention_period:
        backups.back_up(plane, instance)


def create_replica(
    plane: Plane,
    instance: LocalDBInstance,
    source: LocalDBInstance,
    subnet_id: str,
    parameters: Mapping[str, str],
) -> None:
    """Boot a streaming replica of `source`."""
    primary = plane.node_of(source)
    node = plane.add(instance, subnet_id, primary, parameters)

    def boot() -> None:
        node.server.prepare(primary.server)
        node.server.copy_primary(primary.server, node.slot)
        plane.attach(node)
        plane.start_server(node)

    def finish() -> None:
        plane.announce(node)
        instance.record("instance-created")

    node.finish = finish
    plane.run(node, "creating", boot)


def restore(  # noqa: PLR0917 - what a restore needs
    plane: Plane,
    instance: LocalDBInstance,
    origin: Origin,
    subnet_id: str,
    parameters: Mapping[str, str],
    restored: Callable[[], None],
) -> None:
    """Boot a primary from other data; `restored` is called once it is open."""
    node = plane.add(instance, subnet_id, None, parameters)
    password, instance.initial_password = instance.initial_password, None
    node.server.folder.mkdir(mode=0o755)
    origin.prepare(node.server.restore)

    def boot() -> None:
        node.server.prepare()
        node.server.take_over(node.server.restore / "base")
        plane.attach(node)
        _recover(plane, node, origin.moment)
        plane.start_server(node)
        standby.adapt(plane, node)

    def finish() -> None:
        shutil.rmtree(node.server.restore)
        if password is not None:
            roles.set_password(node.server, str(instance.master_username), password)
        plane.announce(node)
        restored()

    node.finish = finish
    plane.run(node, "creating", boot, when_not_started="incompatible-restore")
    if instance.backup_retention_period:
        backups.back_up(plane, instance)


def _recover(plane: Plane, node: Node, moment: datetime.datetime | None) -> None:
    """Replay the WAL, up to the moment, and stop: the next start is an ordinary one."""
    if moment is not None:
        node.server.request_recovery()
    node.recovery = Recovery(moment)
    plane.start_server(node, _RECOVERY_TIMEOUT_SECONDS)
    node.server.stop()
    node.recovery = None
