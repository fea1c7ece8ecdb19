"""What moto's ELBv2 knows of a load balancer, read as the data plane needs it."""

from dataclasses import dataclass
from typing import Any

from localcloud.errors import LocalCloudError

# "Update the TCP idle timeout for your Network Load Balancer listener".
DEFAULT_IDLE_TIMEOUT_SECONDS = 350


@dataclass(frozen=True)
class Target:
    """One registered target with the address behind its id."""

    id: str
    port: int
    address: str

    @property
    def server(self) -> str:
        """Its name in HAProxy."""
        return f"{self.id}_{self.port}".replace(".", "_")


@dataclass(frozen=True)
class ListenerSettings:
    """What a listener's HAProxy is started with; another value means another process."""

    port: int
    target_group_arn: str
    idle_timeout_seconds: int
    sticky: bool


def listeners_of(backend: Any, balancer: Any) -> dict[str, ListenerSettings]:
    """The listeners of a Network Load Balancer by ARN; other than TCP ones are refused."""
    found: dict[str, ListenerSettings] = {}
    for arn, listener in list(balancer.listeners.items()):
        if listener.protocol != "TCP":
            raise LocalCloudError(
                f"Listener protocol {listener.protocol} on port {listener.port} refused: the local "
                "cloud's Network Load Balancer forwards TCP only; use TCP."
            )
        group_arns = [
            group_arn
            for action in listener.default_actions
            if action.type == "forward"
            for group_arn in backend._get_target_group_arns_from(action_data=action.data)
        ]
        if len(group_arns) != 1 or group_arns[0] not in backend.target_groups:
            raise LocalCloudError(
                f"Listener on port {listener.port} refused: it forwards to {len(group_arns)} "
                "target groups, a Network Load Balancer to exactly one that exists; name that one."
            )
        group = backend.target_groups[group_arns[0]]
        found[arn] = ListenerSettings(
            port=int(listener.port),
            target_group_arn=group_arns[0],
            idle_timeout_seconds=int(
                listener.attributes.get("tcp.idle_timeout.seconds", DEFAULT_IDLE_TIMEOUT_SECONDS)
            ),
            sticky=_is_true(group.attributes.get("stickiness.enabled")),
        )
    return found


def targets_of(ec2: Any, group: Any) -> dict[str, Target]:
    """The registered targets by id, without instances that run no more."""
    found: dict[str, Target] = {}
    for target in list(group.targets.values()):
        address = target["Id"]
        if group.target_type == "instance":
            instance = ec2.get_instance_by_id(target["Id"])
            if instance is None or instance.state in ("shutting-down", "terminated"):
                continue
            address = instance.private_ip
        found[target["Id"]] = Target(target["Id"], int(target["Port"]), address)
    return found


def deregistration_delay_seconds(group: Any) -> float:
    """How long a deregistered target keeps its connections."""
    return float(group.attributes["deregistration_delay.timeout_seconds"])


def terminates_connections(group: Any) -> bool:
    """Whether a target's connections are closed when the delay is over (AWS's default: no)."""
    return _is_true(group.attributes.get("deregistration_delay.connection_termination.enabled"))


def terminates_unhealthy_connections(group: Any) -> bool:
    """Whether a target that becomes unhealthy loses its connections (AWS's default: yes)."""
    key = "target_health_state.unhealthy.connection_termination.enabled"
    return _is_true(group.attributes.get(key, "true"))


def speaks_proxy_protocol(group: Any) -> bool:
    """Whether targets are told the client's address with PROXY protocol version 2."""
    return _is_true(group.attributes.get("proxy_protocol_v2.enabled"))


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"
