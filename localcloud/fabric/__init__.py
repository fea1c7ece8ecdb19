"""VPC networks, security groups, DNS, service endpoints and load balancers of the local cloud."""

from localcloud.fabric.fabric import Fabric
from localcloud.fabric.interfaces import NetworkInterface
from localcloud.fabric.namespaces import run_in_namespace

__all__ = ["Fabric", "NetworkInterface", "run_in_namespace"]
