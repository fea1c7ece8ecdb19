"""AWS Backup: vaults, plans and selections over moto, snapshots by the databases' data plane.

A job that is started makes a real snapshot. The plans' own schedules do not fire.
"""

from localcloud.cloud import Cloud

__all__ = ["install", "shutdown"]


def install(cloud: Cloud) -> None:
    """Put the backend behind moto's AWS Backup, after the databases'."""
    del cloud
    from moto.backup import urls
    from moto.backup.models import backup_backends

    from localcloud.vaults import responses
    from localcloud.vaults.backend import LocalBackupBackend

    backup_backends.backend = LocalBackupBackend
    backup_backends.clear()
    responses.install()
    for path in responses.PATHS:
        urls.url_paths[path] = urls.response.dispatch


def shutdown(cloud: Cloud) -> None:
    """Nothing of its own runs."""
    del cloud
