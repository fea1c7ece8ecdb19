"""AWS Backup at work: rules become jobs, jobs go on to their end, old recovery points go."""

import datetime
import logging
from collections.abc import Callable, Iterator

from moto.backup.models import backup_backends

from localcloud.errors import LocalCloudError
from localcloud.repeated import Repeated
from localcloud.schedules.clock import Agenda
from localcloud.vaults import backup_jobs, plans
from localcloud.vaults.access import Role
from localcloud.vaults.backend import LocalBackupBackend
from localcloud.vaults.records import RecoveryPoint

_log = logging.getLogger(__name__)

# AWS begins somewhere in the start window, and removes within eight hours of the end.
_TICK_SECONDS = 0.5


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Service(Repeated):
    """Looks after every account and region."""

    def __init__(self, now: Callable[[], datetime.datetime] = _utc_now) -> None:
        super().__init__("vaults", _TICK_SECONDS, self.tick)
        self._now = now
        self._agenda = Agenda()

    def tick(self) -> None:
        """Do what is to be done now."""
        now = self._now()
        backends = list(_backends())
        timers = [timer for backend in backends for timer in plans.timers(backend, now)]
        for timer, due in self._agenda.due(timers, now):
            timer.fire(due)
        for backend in backends:
            for job in list(backend.backup_jobs.values()):
                backup_jobs.advance(backend, job, now)
            for point in list(backend.points.values()):
                if point.delete_at is not None and point.delete_at <= now:
                    _expire(backend, point)


def _backends() -> Iterator[LocalBackupBackend]:
    for regions in list(backup_backends.values()):
        for backend in list(regions.values()):
            if isinstance(backend, LocalBackupBackend):
                yield backend


def _expire(backend: LocalBackupBackend, point: RecoveryPoint) -> None:
    """End what is past its retention, as the role that made it; no lock or policy keeps it.

    Source: AWS Backup developer guide, "Deleting backups": what the role may not delete, stays as
    EXPIRED.
    """
    if point.snapshot.status == "creating":
        return
    try:
        if point.role_arn is not None:
            role = Role(backend.account_id, point.role_arn)
            role.require("rds:DeleteDBSnapshot", point.arn)
    except LocalCloudError as error:
        if point.kept_because is None:
            _log.warning("recovery point %s is past its retention: %s", point.arn, error)
        point.kept_because = str(error)
        return
    backend.forget(point)
    _log.info("recovery point %s has ended with its retention", point.arn)
