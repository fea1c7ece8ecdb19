"""Where moto would make the local cloud lie: what is mended, one module a defect."""

from localcloud.cloud import Cloud

_watchers: dict[str, object] = {}


def install(cloud: Cloud) -> None:
    """Mend moto and enforce permissions; before moto's first use."""
    from localcloud.defects import (
        access_logs,
        embedded_events,
        errors,
        inventories,
        object_locks,
        objects,
        replication,
        secrets,
    )
    from localcloud.defects.alarms import AlarmWatcher
    from localcloud.permissions import enforcement

    objects.install()
    object_locks.install()
    access_logs.install()
    inventories.install()
    replication.install()
    secrets.install()
    enforcement.install()
    errors.install()
    embedded_events.install()
    watcher = AlarmWatcher(cloud.account_id, cloud.region)
    watcher.start()
    _watchers[cloud.home.prefix] = watcher


def shutdown(cloud: Cloud) -> None:
    """Evaluate no more alarms."""
    from localcloud.defects.alarms import AlarmWatcher

    watcher = _watchers.pop(cloud.home.prefix, None)
    if isinstance(watcher, AlarmWatcher):
        watcher.stop()
