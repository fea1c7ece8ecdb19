"""moto's ELBv2 with data planes: what its API calls do to the running load balancers."""

import threading
from typing import Any

from localcloud.errors import LocalCloudError
from localcloud.fabric.fabric import Fabric
from localcloud.fabric.load_balancers import LoadBalancer
from localcloud.fabric.target_health import UNUSED, TargetHealth

_NOT_IN_USE = TargetHealth(
    UNUSED,
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)
_NOT_REGISTERED = TargetHealth(
    UNUSED, "Target.NotRegistered", "Target is not registered to the target group"
)


class LoadBalancers:
    """The Network Load Balancers of one fabric, made to match moto's ELBv2 backend."""

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self._running: dict[str, LoadBalancer] = {}
        self._lock = threading.RLock()

    def start(self, backend: Any, model: Any) -> None:
        """Bring a new load balancer up with its DNS name."""
        folder = self._fabric.home.fabric / f"nlb-{_suffix(model.arn)}"
        subnet_ids = [subnet.id for subnet in model.subnets]
        image = self._fabric.image_root()
        interface = self._fabric.attach(
            name=folder.name,
            subnet_id=subnet_ids[0],
            more_subnet_ids=subnet_ids[1:],
            security_group_ids=model.security_groups or (),
            # A Network Load Balancer made without security groups has none, not the default one.
            filtered=bool(model.security_groups),
        )
        try:
            balancer = LoadBalancer(backend, model, interface, image=image, folder=folder)
            balancer.start()
        except BaseException:
            self._fabric.detach(interface)
            raise
        with self._lock:
            self._running[model.arn] = balancer
        self._fabric.register_name(model.dns_name, interface.addresses)
        balancer.reconcile()

    def remove(self, model: Any) -> None:
        """Take a load balancer away with its connections; an unknown one is no error."""
        with self._lock:
            balancer = self._running.pop(model.arn, None)
        if balancer is not None:
            self._fabric.unregister_name(model.dns_name)
            balancer.stop()
            self._fabric.detach(balancer.interface)

    def move(self, backend: Any, model: Any) -> None:
        """Follow new subnets: the load balancer starts anew with addresses in them."""
        self.remove(model)
        self.start(backend, model)

    def set_security_groups(self, model: Any) -> None:
        """Follow new security groups. One without any cannot get some later, as on AWS."""
        balancer = self._running.get(model.arn)
        if balancer is not None:
            if not balancer.interface.security_group_ids or not model.security_groups:
                raise LocalCloudError(
                    f"Security groups of {model.name} refused: a Network Load Balancer created "
                    "without or with security groups stays so; replace the load balancer."
                )
            self._fabric.set_security_groups(balancer.interface, model.security_groups)

    def reconcile(self) -> None:
        """Follow changed listeners, target groups and registrations now."""
        with self._lock:
            running = list(self._running.values())
        for balancer in running:
            balancer.reconcile()

    def target_health(
        self, group: Any, target_ids: list[str]
    ) -> list[tuple[dict[str, Any], TargetHealth]]:
        """What DescribeTargetHealth says: of the targets asked for, or of all.

        All are the registered and the draining ones. Targets are {"Id", "Port"}.
        """
        states, draining = self._states(group.arn)
        known = {id_: dict(target) for id_, target in group.targets.items()}
        known |= {id_: target for id_, target in draining.items() if id_ not in known}
        found: list[tuple[dict[str, Any], TargetHealth]] = []
        for id_ in target_ids or known:
            target = known.get(id_, {"Id": id_, "Port": group.port})
            if states is None:
                missing = _NOT_IN_USE if id_ in known else _NOT_REGISTERED
            else:
                missing = _NOT_REGISTERED
            found.append((target, (states or {}).get(id_, missing)))
        return found

    def stop(self) -> None:
        """Take every load balancer away; doing it twice is no error."""
        with self._lock:
            running, self._running = list(self._running.values()), {}
        for balancer in running:
            balancer.stop()
            self._fabric.detach(balancer.interface)

    def _states(
        self, target_group_arn: str
    ) -> tuple[dict[str, TargetHealth] | None, dict[str, dict[str, Any]]]:
        with self._lock:
            running = list(self._running.values())
        for balancer in running:
            balancer.reconcile()
            states = balancer.health(target_group_arn)
            if states is not None:
                draining = balancer.draining(target_group_arn)
                return states, {each.id: {"Id": each.id, "Port": each.port} for each in draining}
        return None, {}


def _suffix(arn: str) -> str:
    return arn.rsplit("/", 1)[-1][-8:]
