"""Starts and stops the hosts of a local cloud."""

from dataclasses import dataclass

from moto.ec2.models import ec2_backends

from localcloud.cloud import Cloud
from localcloud.instances import amis, ec2
from localcloud.instances.hosts import Hosts


@dataclass
class _Plane:
    hosts: Hosts


_planes: dict[str, _Plane] = {}


def install(cloud: Cloud) -> None:
    """Put booted hosts behind moto's EC2, and make the images and the key pair known."""
    backend = ec2_backends[cloud.account_id][cloud.region]
    amis.register_images(backend, cloud.region)
    amis.import_key_pair(backend, cloud.home)
    hosts = Hosts(cloud, backend)
    ec2.hook(hosts)
    _planes[cloud.home.prefix] = _Plane(hosts)


def shutdown(cloud: Cloud) -> None:
    """Cut the power of all hosts and remove them."""
    plane = _planes.pop(cloud.home.prefix, None)
    if plane is not None:
        plane.hosts.close()
