"""A group's load balancer target groups: registration and health of its instances."""

from typing import Any

from moto.elbv2.exceptions import ELBClientError


class TargetGroups:
    """Registers instances with moto's ELBv2, behind which the local balancers run."""

    def __init__(self, elbv2: Any) -> None:
        self.elbv2 = elbv2

    def register(self, group: Any, instance_id: str) -> None:
        """Register an instance with all of the group's target groups that lack it."""
        for arn in self._existing(group):
            target_group = self.elbv2.target_groups[arn]
            if instance_id not in target_group.targets:
                target = {"Id": instance_id, "Port": target_group.port}
                self.elbv2.register_targets(arn, [target])

    def deregister(self, group: Any, instance_id: str) -> None:
        """Deregister an instance from all of the group's target groups that have it."""
        for arn in self._existing(group):
            if instance_id in self.elbv2.target_groups[arn].targets:
                self.elbv2.deregister_targets(arn, [{"Id": instance_id}])

    def healthy(self, group: Any, instance_id: str) -> bool:
        """Whether every load balancer of the group would send connections to the instance."""
        # "unused": no listener forwards to the target group, so nothing is checked.
        return all(state in ("healthy", "unused") for state in self._states(group, instance_id))

    def unhealthy(self, group: Any, instance_id: str) -> bool:
        """Whether a load balancer found the instance unhealthy."""
        return "unhealthy" in self._states(group, instance_id)

    def draining(self, group: Any, instance_id: str) -> bool:
        """Whether connections of the deregistered instance are still served."""
        return "draining" in self._states(group, instance_id)

    def _states(self, group: Any, instance_id: str) -> list[str]:
        states: list[str] = []
        for arn in self._existing(group):
            try:
                target = {"Id": instance_id, "Port": self.elbv2.target_groups[arn].port}
                health = self.elbv2.describe_target_health(arn, [target])
            except (ELBClientError, KeyError):  # not registered, or the target group is gone
                continue
            states += [each.status for each in health]
        return states

    def _existing(self, group: Any) -> list[str]:
        # Target groups can be deleted before their Auto Scaling group.
        return [arn for arn in group.target_group_arns if arn in self.elbv2.target_groups]
