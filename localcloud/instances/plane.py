"""Starts and stops the hosts of a local cloud and what keeps them."""

from dataclasses import dataclass

from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends

from localcloud.cloud import Cloud
from localcloud.instances import amis, ec2, instance_connect, scaling
from localcloud.instances.hosts import Hosts
from localcloud.instances.scaling import ScalingGroups


@dataclass(frozen=True)
class _Plane:
    hosts: Hosts
    groups: ScalingGroups


_planes: dict[str, _Plane] = {}


def install(cloud: Cloud) -> None:
    """Put booted hosts behind moto's EC2 and Auto Scaling; make images and key pair known."""
    backend = ec2_backends[cloud.account_id][cloud.region]
    amis.register_images(backend, cloud.region)
    amis.import_key_pair(backend, cloud.home)
    hosts = Hosts(cloud, backend)
    ec2.hook(hosts)
    instance_connect.hook(backend, hosts.keys)
    groups = ScalingGroups(autoscaling_backends[cloud.account_id][cloud.region], hosts)
    hosts.on_change = groups.wake
    scaling.hook(groups)
    groups.start()
    _planes[cloud.home.prefix] = _Plane(hosts, groups)


def shutdown(cloud: Cloud) -> None:
    """Cut the power of all hosts and remove them."""
    plane = _planes.pop(cloud.home.prefix, None)
    if plane is not None:
        plane.groups.close()
        plane.hosts.close()
