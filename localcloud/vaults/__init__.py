"""AWS Backup: vaults, plans and selections over moto, snapshots by the databases' data plane.

Rules fire, their snapshots are copied to other regions and accounts, and end with their retention.
"""

from localcloud.cloud import Cloud

_services: dict[str, object] = {}


def install(cloud: Cloud) -> None:
    """Put the backend behind moto's AWS Backup, after the databases', and begin to work."""
    from localcloud.vaults.service import Service

    replace_backend()
    service = Service()
    service.start()
    _services[cloud.home.prefix] = service


def replace_backend() -> None:
    """Put the backend and its actions in moto's place."""
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
    """Start nothing more."""
    from localcloud.vaults.service import Service

    service = _services.pop(cloud.home.prefix, None)
    if isinstance(service, Service):
        service.stop()
