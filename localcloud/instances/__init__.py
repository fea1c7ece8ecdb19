"""EC2 instances and Auto Scaling: booted Debian hosts behind moto's records."""

from localcloud.instances.plane import install, shutdown

__all__ = ["install", "shutdown"]
