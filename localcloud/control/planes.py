"""Which data planes stand behind moto, and in which order they start and stop.

Importing this imports moto: the daemon sets moto's environment first.
"""

import logging

from localcloud import databases, defects, fabric, functions, instances, schedules, vaults
from localcloud.cloud import Cloud

logger = logging.getLogger(__name__)

# The order matters: planes that put their own backends in moto's place come before those that
# already make resources in them.
PLANES = (defects, fabric, databases, vaults, functions, schedules, instances)


def install(cloud: Cloud) -> None:
    """Put every data plane behind moto."""
    for plane in PLANES:
        plane.install(cloud)


def shutdown(cloud: Cloud) -> None:
    """Stop every data plane, last started first. One that fails does not keep the others."""
    for plane in reversed(PLANES):
        try:
            plane.shutdown(cloud)
        except Exception:
            logger.exception("%s did not stop in order", plane.__name__)
