"""VPC networks, security groups, DNS, service endpoints and load balancers of the local cloud."""

from typing import TYPE_CHECKING

from localcloud.fabric.fabric import Fabric
from localcloud.fabric.interfaces import NetworkInterface
from localcloud.fabric.namespaces import run_in_namespace

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.fabric.plane import Plane

__all__ = ["Fabric", "NetworkInterface", "install", "run_in_namespace", "shutdown"]

_installed: "list[Plane]" = []


def install(cloud: "Cloud") -> None:
    """Let moto's VPCs, security groups, endpoints and load balancers be real in `cloud`."""
    # Not before the daemon has set moto's environment: this imports moto.
    from localcloud.fabric.plane import Plane

    shutdown(cloud)
    cloud.fabric.image = cloud.image
    plane = Plane(cloud.fabric)
    plane.install()
    _installed.append(plane)


def shutdown(cloud: "Cloud") -> None:
    """Take load balancers and endpoints away; `Fabric.stop` removes the networks afterwards."""
    for plane in list(_installed):
        if plane.fabric is cloud.fabric:
            plane.remove()
            _installed.remove(plane)
