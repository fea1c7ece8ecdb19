"""RDS for PostgreSQL: moto's API in front, real PostgreSQL servers behind."""

from typing import TYPE_CHECKING

from localcloud.cloud import Cloud

if TYPE_CHECKING:
    from localcloud.databases.housekeeping import Housekeeping
    from localcloud.databases.plane import Plane

__all__ = ["install", "shutdown"]

_installed: "list[tuple[Plane, Housekeeping]]" = []


def install(cloud: Cloud) -> None:
    """Put the data plane behind moto's RDS. Call before moto answers its first request.

    Raises LocalCloudError where databases cannot run.
    """
    # Not before the daemon has set moto's environment: these import moto.
    from moto.rds.models import rds_backends

    from localcloud.databases import responses
    from localcloud.databases.backend import LocalRDSBackend
    from localcloud.databases.housekeeping import Housekeeping
    from localcloud.databases.plane import Plane

    shutdown(cloud)
    plane = Plane(cloud)
    plane.start()
    LocalRDSBackend.plane = plane
    rds_backends.backend = LocalRDSBackend
    rds_backends.clear()
    responses.install(cloud.rds_authority)
    housekeeping = Housekeeping(plane)
    housekeeping.start()
    _installed.append((plane, housekeeping))


def shutdown(cloud: Cloud) -> None:
    """Stop every database in order; what was in them is not kept."""
    for installed in list(_installed):
        plane, housekeeping = installed
        if plane.cloud is cloud:
            housekeeping.stop()
            plane.shutdown()
            _installed.remove(installed)
