"""Puts the fabric behind moto: EC2's networks and endpoints, ELBv2's load balancers."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus

from localcloud.errors import LocalCloudError
from localcloud.fabric.elbv2 import LoadBalancers
from localcloud.fabric.endpoints import Endpoints, dns_entries, follow_route_tables
from localcloud.fabric.fabric import Fabric
from localcloud.fabric.hooks import Hooks, Original


class Plane:
    """The hooks of one fabric. At most one plane is installed in a process at a time."""

    def __init__(self, fabric: Fabric) -> None:
        self.fabric = fabric
        self.endpoints = Endpoints(fabric)
        self.load_balancers = LoadBalancers(fabric)
        self._hooks = Hooks()

    def install(self) -> None:
        """Hook moto's classes."""
        self._install_ec2()
        self._install_elbv2()

    def remove(self) -> None:
        """Unhook moto and take endpoints and load balancers away; networks stay."""
        self._hooks.remove()
        self.load_balancers.stop()
        self.endpoints.stop()

    # EC2

    def _install_ec2(self) -> None:
        rules = (
            "authorize_security_group_ingress",
            "authorize_security_group_egress",
            "revoke_security_group_ingress",
            "revoke_security_group_egress",
            "modify_managed_prefix_list",
        )
        routes = (
            "associate_route_table",
            "disassociate_route_table",
            "replace_route_table_association",
            "create_subnet",
        )
        self._hooks.after(EC2Backend, rules, self.fabric.refresh_security_groups)
        self._hooks.after(EC2Backend, routes, self.endpoints.reconcile_gateways)
        for name, replacement in {
            "modify_security_group_rules": self._modify_rules,
            "modify_network_interface_attribute": self._modify_interface,
            "delete_security_group": self._delete_security_group,
            "delete_subnet": self._delete_subnet,
            "delete_vpc": self._delete_vpc,
            "create_vpc_endpoint": self._create_endpoint,
            "modify_vpc_endpoint": self._modify_endpoint,
            "delete_vpc_endpoints": self._delete_endpoints,
        }.items():
            self._hooks.around(EC2Backend, name, replacement)

    def _modify_rules(
        self, original: Original, backend: Any, group_id: str, rules: dict[str, dict[str, Any]]
    ) -> None:
        original(group_id, rules)
        group = backend.get_security_group_by_name_or_id(group_id)
        for rule_id, new in rules.items():
            # moto changes the ports of such a rule, but not to whom it applies.
            rule = group.get_rule(rule_id)
            if new.get("ReferencedGroupId"):
                owner = {"OwnerId": rule.owner_id, "UserId": rule.owner_id}
                rule.source_group = {"GroupId": new["ReferencedGroupId"], **owner}
            if new.get("PrefixListId"):
                rule.prefix_list_id = new["PrefixListId"]
        self.fabric.refresh_security_groups()

    def _modify_interface(
        self,
        original: Original,
        backend: Any,
        eni_id: str,
        group_ids: Sequence[str],
        *args: Any,
        **kwargs: Any,
    ) -> None:
        original(eni_id, group_ids, *args, **kwargs)
        eni = backend.get_network_interface(eni_id)
        interface = self.fabric.interface_at(eni.subnet.vpc_id, eni.private_ip_address)
        if interface is not None and group_ids:
            with _as_ec2_error("InvalidParameterValue"):
                self.fabric.set_security_groups(interface, group_ids)

    def _delete_security_group(
        self,
        original: Original,
        _backend: Any,
        name: str | None = None,
        group_id: str | None = None,
    ) -> None:
        users = self.fabric.interfaces_of(security_group_id=group_id) if group_id else []
        _refuse_dependents(group_id or "", [each.name for each in users])
        original(name, group_id)

    def _delete_subnet(self, original: Original, _backend: Any, subnet_id: str) -> Any:
        _refuse_dependents(subnet_id, [i.name for i in self.fabric.interfaces_in(subnet_id)])
        return original(subnet_id)

    def _delete_vpc(self, original: Original, _backend: Any, vpc_id: str) -> Any:
        vpc = original(vpc_id)
        self.endpoints.remove_vpc(vpc_id)
        self.fabric.remove_network(vpc_id)
        return vpc

    def _create_endpoint(self, original: Original, backend: Any, *args: Any, **kwargs: Any) -> Any:
        endpoint = original(*args, **kwargs)
        endpoint.subnet_ids = list(endpoint.subnet_ids or ())
        try:
            with _as_ec2_error("InvalidParameter"):
                endpoint.dns_entries = dns_entries(endpoint, self.fabric.region)
                self.endpoints.reconcile(endpoint)
        except BaseException:
            del backend.vpc_end_points[endpoint.id]
            raise
        return endpoint

    def _modify_endpoint(
        self, original: Original, backend: Any, vpc_id: str, *args: Any, **kwargs: Any
    ) -> None:
        # moto calls the endpoint's id `vpc_id` here.
        for table_id in kwargs.get("add_route_tables") or ():
            backend.get_route_table(table_id)  # refuses an unknown one before anything changed
        original(vpc_id, *args, **kwargs)
        endpoint = backend.vpc_end_points[vpc_id]
        follow_route_tables(backend, endpoint)
        with _as_ec2_error("InvalidParameter"):
            self.endpoints.reconcile(endpoint)

    def _delete_endpoints(
        self, original: Original, backend: Any, vpce_ids: Iterable[str] | None = None
    ) -> None:
        ids = list(vpce_ids or ())
        original(ids)
        for endpoint_id in ids:
            endpoint = backend.vpc_end_points.get(endpoint_id)
            if endpoint is not None:
                self.endpoints.reconcile(endpoint)

    # ELBv2

    def _install_elbv2(self) -> None:
        follow = (
            "delete_listener",
            "register_targets",
            "deregister_targets",
            "notify_terminate_instances",
            "modify_target_group",
            "modify_target_group_attributes",
            "modify_listener_attributes",
        )
        self._hooks.after(ELBv2Backend, follow, self._follow_elbv2)
        for name, replacement in {
            "create_load_balancer": self._create_load_balancer,
            "delete_load_balancer": self._delete_load_balancer,
            "set_security_groups": self._set_security_groups,
            "set_subnets": self._set_subnets,
            "create_listener": self._create_listener,
            "modify_listener": self._modify_listener,
            "describe_target_health": self._describe_target_health,
        }.items():
            self._hooks.around(ELBv2Backend, name, replacement)

    def _follow_elbv2(self) -> None:
        with _as_elb_error("InvalidConfigurationRequest"):
            self.load_balancers.reconcile()

    def _create_load_balancer(
        self, original: Original, backend: Any, *args: Any, **kwargs: Any
    ) -> Any:
        kind = kwargs.get("loadbalancer_type") or "application"
        if kind != "network":
            raise ELBClientError(
                "InvalidConfigurationRequest",
                f"Load balancer type {kind!r} refused: the local cloud has Network Load Balancers "
                "only; use type 'network'.",
            )
        model = original(*args, **kwargs)
        # AWS's form of the name; moto's lacks the id, so two of one name would be confused.
        identifier = model.arn.rsplit("/", 1)[-1]
        model.dns_name = f"{model.name}-{identifier}.elb.{self.fabric.region}.amazonaws.com"
        try:
            with _as_elb_error("InvalidConfigurationRequest"):
                self.load_balancers.start(backend, model)
        except BaseException:
            del backend.load_balancers[model.arn]
            raise
        return model

    def _delete_load_balancer(self, original: Original, backend: Any, arn: str) -> None:
        model = backend.load_balancers.get(arn)
        if model is not None and model.attrs.get("deletion_protection.enabled") == "true":
            raise ELBClientError(
                "OperationNotPermitted",
                f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
            )
        original(arn)
        if model is not None:
            self.load_balancers.remove(model)

    def _set_security_groups(
        self, original: Original, backend: Any, arn: str, sec_groups: list[str]
    ) -> None:
        before = (
            backend.load_balancers[arn].security_groups if arn in backend.load_balancers else []
        )
        original(arn, sec_groups)
        try:
            with _as_elb_error("InvalidConfigurationRequest"):
                self.load_balancers.set_security_groups(backend.load_balancers[arn])
        except BaseException:
            backend.load_balancers[arn].security_groups = before
            raise

    def _set_subnets(self, original: Original, backend: Any, arn: str, *args: Any) -> Any:
        zones = original(arn, *args)
        with _as_elb_error("InvalidSubnet"):
            self.load_balancers.move(backend, backend.load_balancers[arn])
        return zones

    def _create_listener(self, original: Original, backend: Any, *args: Any, **kwargs: Any) -> Any:
        listener = original(*args, **kwargs)
        try:
            self._follow_elbv2()
        except BaseException:
            del backend.load_balancers[listener.load_balancer_arn].listeners[listener.arn]
            raise
        return listener

    def _modify_listener(self, original: Original, _backend: Any, *args: Any, **kwargs: Any) -> Any:
        listener = original(*args, **kwargs)
        self._follow_elbv2()
        return listener

    def _describe_target_health(
        self,
        original: Original,
        backend: Any,
        target_group_arn: str,
        targets: list[dict[str, Any]],
    ) -> list[Any]:
        # Refuses an unknown target group; what it says of the targets is invented.
        original(target_group_arn, targets)
        group = backend.target_groups[target_group_arn]
        ids = [target["Id"] for target in targets or ()]
        return [
            FakeHealthStatus(
                target["Id"],
                target["Port"],
                str(target["Port"])
                if group.health_check_port == "traffic-port"
                else group.health_check_port,
                health.state,
                health.reason or None,
                health.description or None,
            )
            for target, health in self.load_balancers.target_health(group, ids)
        ]


class _AsClientError:
    """Turns a LocalCloudError into the error of an AWS API, so the caller sees one line."""

    def __init__(self, error: Callable[[str, str], Exception], code: str) -> None:
        self._error = error
        self._code = code

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, LocalCloudError):
            raise self._error(self._code, str(error)) from error


def _as_ec2_error(code: str) -> _AsClientError:
    return _AsClientError(EC2ClientError, code)


def _as_elb_error(code: str) -> _AsClientError:
    return _AsClientError(ELBClientError, code)


def _refuse_dependents(resource_id: str, names: list[str]) -> None:
    """AWS deletes nothing that a network interface still uses."""
    if names:
        raise EC2ClientError(
            "DependencyViolation",
            f"resource {resource_id} has a dependent object: network interface {names[0]}"
            + (f" and {len(names) - 1} more" if len(names) > 1 else ""),
        )
