"""Auto Scaling groups whose instances are the local cloud's hosts."""

from localcloud.instances.scaling.groups import ScalingGroups
from localcloud.instances.scaling.hooks import hook

__all__ = ["ScalingGroups", "hook"]
