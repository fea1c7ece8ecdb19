"""Where moto would make the local cloud lie: what is mended, one module a defect."""

from localcloud.cloud import Cloud
from localcloud.repeated import Repeated

_watchers: dict[str, list[Repeated]] = {}


def install(cloud: Cloud) -> None:
    """Mend moto and enforce permissions; before moto's first use."""
    from localcloud.defects import (
        access_logs,
        embedded_events,
        errors,
        inventories,
        key_states,
        log_groups,
        object_encryption,
        object_locks,
        objects,
        replica_keys,
        replication,
        rotation,
        secrets,
        service_models,
    )
    from localcloud.defects.alarms import AlarmWatcher
    from localcloud.permissions import buckets, enforcement

    service_models.install()
    objects.install()
    object_locks.install()
    access_logs.install()
    inventories.install()
    key_states.install()
    log_groups.install()
    object_encryption.install()
    replication.install()
    replica_keys.install()
    secrets.install()
    rotation.install()
    enforcement.install()
    buckets.install()
    errors.install()
    embedded_events.install()
    watchers: list[Repeated] = [
        AlarmWatcher(cloud.account_id),
        rotation.RotationClock(cloud.account_id, cloud.region),
    ]
    for watcher in watchers:
        watcher.start()
    _watchers[cloud.home.prefix] = watchers


def shutdown(cloud: Cloud) -> None:
    """Evaluate no more alarms, rotate no more secrets."""
    for watcher in _watchers.pop(cloud.home.prefix, []):
        watcher.stop()
