"""Which data planes stand behind moto, and in which order they start and stop.

Importing this imports moto: the daemon sets moto's environment first.
"""

import importlib
import logging
from types import ModuleType

from localcloud.cloud import Cloud

logger = logging.getLogger(__name__)

# The order matters: planes that put their own backends in moto's place come before those that
# already make resources in them.
NAMES = ("defects", "fabric", "databases", "functions", "schedules", "instances")


def _planes() -> list[ModuleType]:
    found: list[ModuleType] = []
    for name in NAMES:
        try:
            plane = importlib.import_module(f"localcloud.{name}")
        except ImportError as error:
            logger.warning("plane %s is missing: %s", name, error)
            continue
        if hasattr(plane, "install"):
            found.append(plane)
        else:
            logger.warning("plane %s has no install", name)
    return found


PLANES = _planes()


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
