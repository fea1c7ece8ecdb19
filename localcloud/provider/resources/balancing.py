"""Load balancers, target groups and listeners (ELBv2)."""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.context import Context, Names, names
from localcloud.provider.errors import NotFoundError
from localcloud.provider.operations import Operation, Ready, Update
from localcloud.provider.resource import Resource
from localcloud.provider.sdk_types import Failure
from localcloud.provider.tags import Tags

# Property → attribute key. Network load balancers take only those without an application prefix.
_BALANCER_ATTRIBUTES = {
    "enableDeletionProtection": "deletion_protection.enabled",
    "enableCrossZoneLoadBalancing": "load_balancing.cross_zone.enabled",
    "dnsRecordClientRoutingPolicy": "dns_record.client_routing_policy",
    "enableZonalShift": "zonal_shift.config.enabled",
    "idleTimeout": "idle_timeout.timeout_seconds",
    "clientKeepAlive": "client_keep_alive.seconds",
    "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
    "desyncMitigationMode": "routing.http.desync_mitigation_mode",
    "enableHttp2": "routing.http2.enabled",
    "preserveHostHeader": "routing.http.preserve_host_header.enabled",
}
_TARGET_ATTRIBUTES = {
    "deregistrationDelay": "deregistration_delay.timeout_seconds",
    "connectionTermination": "deregistration_delay.connection_termination.enabled",
    "preserveClientIp": "preserve_client_ip.enabled",
    "proxyProtocolV2": "proxy_protocol_v2.enabled",
    "loadBalancingCrossZoneEnabled": "load_balancing.cross_zone.enabled",
    "loadBalancingAlgorithmType": "load_balancing.algorithm.type",
    "slowStart": "slow_start.duration_seconds",
}


def _attributes(keys: Mapping[str, str], inputs: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {"Key": key, "Value": str(value).lower() if isinstance(value, bool) else str(value)}
        for name, key in keys.items()
        if (value := inputs.get(name)) is not None
    ]


def _tags() -> Tags:
    arns = {"ResourceArns": ["$id"]}
    return Tags(
        tag=Operation("AddTags", arns),
        untag=Operation("RemoveTags", arns),
        list_with=Operation("DescribeTags", arns, "TagDescriptions[0].Tags"),
    )


class _LoadBalancer(Resource):
    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        kind = inputs.get("loadBalancerType")
        if kind == "network":
            mine = names("dropInvalidHeaderFields desyncMitigationMode enableHttp2 idleTimeout")
            wrong = sorted(mine & inputs.keys())
            if wrong:
                return [Failure(wrong[0], "belongs to application load balancers")]
        return []

    def start(self, context: Context) -> None:
        super().start(context)
        self._modify(context, frozenset(_BALANCER_ATTRIBUTES))

    def request(self, aws: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        request = super().request(aws, {k: v for k, v in inputs.items() if k != "internal"})
        internal = inputs.get("internal")
        if internal is not None:
            request["Scheme"] = "internal" if internal is True else "internet-facing"
        return request

    def _modify(self, context: Context, changed: Names) -> None:
        chosen = {k: v for k, v in context.inputs.items() if k in changed}
        attributes = _attributes(_BALANCER_ATTRIBUTES, chosen)
        if attributes:
            context.call(
                "elbv2",
                "ModifyLoadBalancerAttributes",
                LoadBalancerArn=context.id,
                Attributes=attributes,
            )

    def apply_updates(self, context: Context, changed: Names) -> None:
        super().apply_updates(context, changed)
        self._modify(context, changed)

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        zones = found.get("AvailabilityZones") or []
        values["subnets"] = [zone["SubnetId"] for zone in zones if zone.get("SubnetId")]
        values["internal"] = found.get("Scheme") == "internal"
        values["arnSuffix"] = context.id.split(":loadbalancer/", 1)[-1]
        return values

    def delete(self, context: Context) -> None:
        super().delete(context)
        context.wait(lambda: self.still_there(context), self.wait_seconds)


_HEALTH_CHECK = {
    "enabled": "HealthCheckEnabled",
    "healthyThreshold": "HealthyThresholdCount",
    "unhealthyThreshold": "UnhealthyThresholdCount",
    "interval": "HealthCheckIntervalSeconds",
    "timeout": "HealthCheckTimeoutSeconds",
    "path": "HealthCheckPath",
    "port": "HealthCheckPort",
    "protocol": "HealthCheckProtocol",
}


def _health_check(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    request = {
        member: value[name] for name, member in _HEALTH_CHECK.items() if value.get(name) is not None
    }
    if value.get("matcher"):
        request["Matcher"] = {"HttpCode": value["matcher"]}
    return request


class _TargetGroup(Resource):
    """The health check is one object for Pulumi and eight members for AWS."""

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        if inputs.get("targetType") == "lambda":
            return []
        return [
            Failure(name, "is required unless targetType is lambda")
            for name in ("port", "protocol", "vpcId")
            if inputs.get(name) is None
        ]

    def request(self, aws: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return super().request(aws, inputs) | _health_check(inputs.get("healthCheck"))

    def start(self, context: Context) -> None:
        super().start(context)
        self._modify(context, frozenset(_TARGET_ATTRIBUTES) | names("targetHealthStates"))

    def _modify(self, context: Context, changed: Names) -> None:
        chosen = {k: v for k, v in context.inputs.items() if k in changed}
        attributes = _attributes(_TARGET_ATTRIBUTES, chosen)
        if "stickiness" in changed or ("stickiness" in context.inputs and not context.old_inputs):
            attributes += self._stickiness(context.inputs.get("stickiness"))
        if "targetHealthStates" in changed and context.inputs.get("targetHealthStates"):
            attributes += self._unhealthy(context.inputs["targetHealthStates"])
        if attributes:
            context.call(
                "elbv2",
                "ModifyTargetGroupAttributes",
                TargetGroupArn=context.id,
                Attributes=attributes,
            )

    @staticmethod
    def _unhealthy(value: list[dict[str, Any]]) -> list[dict[str, str]]:
        (state,) = value
        prefix = "target_health_state.unhealthy"
        return _attributes(
            {
                "enableUnhealthyConnectionTermination": f"{prefix}.connection_termination.enabled",
                "unhealthyDrainingInterval": f"{prefix}.draining_interval_seconds",
            },
            state,
        )

    @staticmethod
    def _stickiness(value: Mapping[str, Any] | None) -> list[dict[str, str]]:
        if not value:
            return [{"Key": "stickiness.enabled", "Value": "false"}]
        enabled = str(value.get("enabled", True)).lower()
        return [
            {"Key": "stickiness.enabled", "Value": enabled},
            {"Key": "stickiness.type", "Value": value["type"]},
        ]

    def apply_updates(self, context: Context, changed: Names) -> None:
        if "healthCheck" in changed:
            context.call(
                "elbv2",
                "ModifyTargetGroup",
                TargetGroupArn=context.id,
                **_health_check(context.inputs.get("healthCheck")),
            )
        self._modify(context, changed)

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        values["arnSuffix"] = context.id.rsplit(":", 1)[-1]
        check = {name: found[member] for name, member in _HEALTH_CHECK.items() if member in found}
        if "HttpCode" in (found.get("Matcher") or {}):
            check["matcher"] = found["Matcher"]["HttpCode"]
        values["healthCheck"] = check
        return values

    def delete(self, context: Context) -> None:
        try:
            super().delete(context)
        except NotFoundError:
            return


class _Listener(Resource):
    def request(self, aws: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        request = super().request(aws, inputs)
        if inputs.get("certificateArn") is not None:
            request["Certificates"] = [{"CertificateArn": inputs["certificateArn"]}]
        if inputs.get("alpnPolicy") is not None:
            request["AlpnPolicy"] = [inputs["alpnPolicy"]]
        return request

    def apply_updates(self, context: Context, changed: Names) -> None:
        if changed - {"tags", "tcpIdleTimeoutSeconds"}:
            request = self.request(context.aws, context.inputs)
            del request["LoadBalancerArn"]
            context.call("elbv2", "ModifyListener", ListenerArn=context.id, **request)
        if "tcpIdleTimeoutSeconds" in changed and context.inputs.get("tcpIdleTimeoutSeconds"):
            context.call(
                "elbv2",
                "ModifyListenerAttributes",
                ListenerArn=context.id,
                Attributes=[
                    {
                        "Key": "tcp.idle_timeout.seconds",
                        "Value": str(context.inputs["tcpIdleTimeoutSeconds"]),
                    }
                ],
            )

    def start(self, context: Context) -> None:
        parameters = self.request(context.aws, context.inputs)
        if context.inputs.get("tags") and self.tags:
            parameters |= self.tags.in_create(context.inputs["tags"])
        made = context.call("elbv2", "CreateListener", **parameters)["Listeners"][0]
        context.id = made["ListenerArn"]
        self.apply_updates(context, names("tcpIdleTimeoutSeconds"))


RESOURCES: tuple[Resource, ...] = (
    _LoadBalancer(
        kind="aws:lb/loadBalancer:LoadBalancer",
        service="elbv2",
        create_with=Operation("CreateLoadBalancer", result="LoadBalancers[0]"),
        identifier="result.LoadBalancerArn",
        read_with=Operation(
            "DescribeLoadBalancers", {"LoadBalancerArns": ["$id"]}, "LoadBalancers[0]"
        ),
        delete_with=Operation("DeleteLoadBalancer", {"LoadBalancerArn": "$id"}),
        updates=(
            Update("SetSecurityGroups", names("securityGroups"), {"LoadBalancerArn": "$id"}),
            Update("SetSubnets", names("subnets subnetMappings"), {"LoadBalancerArn": "$id"}),
            Update("SetIpAddressType", names("ipAddressType"), {"LoadBalancerArn": "$id"}),
        ),
        renames={
            "loadBalancerType": "Type",
            "arn": "LoadBalancerArn",
            "zoneId": "CanonicalHostedZoneId",
        },
        computed={"name": "LoadBalancerName"},
        special=frozenset(_BALANCER_ATTRIBUTES) | names("internal"),
        replaces=names("name namePrefix internal loadBalancerType customerOwnedIpv4Pool"),
        defaults={
            "enableDeletionProtection": False,
            "loadBalancerType": "application",
        },
        autoname="name",
        autoname_limit=32,
        unordered=names("securityGroups subnets"),
        tags=_tags(),
        # moto reports "provisioning" for a while, AWS for two minutes or more.
        ready=Ready("State.Code", names("active active_impaired"), names("failed")),
        not_found=names("LoadBalancerNotFound"),
        delete_retries=names("ResourceInUse DependencyViolation"),
    ),
    _TargetGroup(
        kind="aws:lb/targetGroup:TargetGroup",
        service="elbv2",
        create_with=Operation("CreateTargetGroup", result="TargetGroups[0]"),
        identifier="result.TargetGroupArn",
        read_with=Operation(
            "DescribeTargetGroups", {"TargetGroupArns": ["$id"]}, "TargetGroups[0]"
        ),
        delete_with=Operation("DeleteTargetGroup", {"TargetGroupArn": "$id"}),
        renames={"arn": "TargetGroupArn"},
        computed={"name": "TargetGroupName"},
        special=frozenset(_TARGET_ATTRIBUTES) | names("healthCheck stickiness targetHealthStates"),
        local=names("lambdaMultiValueHeadersEnabled"),
        replaces=names(
            "name namePrefix port protocol protocolVersion targetType vpcId ipAddressType"
        ),
        defaults={
            "deregistrationDelay": 300,
            "lambdaMultiValueHeadersEnabled": False,
            "proxyProtocolV2": False,
            "targetType": "instance",
        },
        autoname="name",
        autoname_limit=32,
        tags=_tags(),
        not_found=names("TargetGroupNotFound"),
        delete_retries=names("ResourceInUse"),
    ),
    _Listener(
        kind="aws:lb/listener:Listener",
        whole=True,
        service="elbv2",
        create_with=Operation("CreateListener", result="Listeners[0]"),
        identifier="result.ListenerArn",
        read_with=Operation("DescribeListeners", {"ListenerArns": ["$id"]}, "Listeners[0]"),
        delete_with=Operation("DeleteListener", {"ListenerArn": "$id"}),
        renames={
            "arn": "ListenerArn",
            "defaultActions.forward": "ForwardConfig",
            "defaultActions.redirect": "RedirectConfig",
            "defaultActions.fixedResponse": "FixedResponseConfig",
            "defaultActions.authenticateCognito": "AuthenticateCognitoConfig",
            "defaultActions.authenticateOidc": "AuthenticateOidcConfig",
        },
        special=names("certificateArn alpnPolicy tcpIdleTimeoutSeconds"),
        replaces=names("loadBalancerArn"),
        tags=_tags(),
        not_found=names("ListenerNotFound LoadBalancerNotFound"),
        delete_before_replace=True,
    ),
)
