"""Auto Scaling groups."""

import re
from collections.abc import Mapping
from typing import Any

import jmespath

from localcloud.provider.context import Context, Names, call_until_free, keeping, names
from localcloud.provider.errors import NotFoundError, ProviderError
from localcloud.provider.operations import Operation, Update
from localcloud.provider.resource import Resource
from localcloud.provider.sdk_types import Failure
from localcloud.provider.shapes import to_request

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|m|s)")
_SECONDS = {"h": 3600, "m": 60, "s": 1}


def seconds(duration: str) -> float:
    """A Go duration such as 10m or 1h30m."""
    if not _DURATION.fullmatch(duration) and not re.fullmatch(
        f"(?:{_DURATION.pattern})+", duration
    ):
        if duration == "0":
            return 0
        raise ProviderError(f"waitForCapacityTimeout {duration!r} is not a duration such as 10m")
    return sum(float(n) * _SECONDS[unit] for n, unit in _DURATION.findall(duration))


class _Group(Resource):
    """An Auto Scaling group.

    As pulumi-aws it waits until the capacity is in service (waitForCapacityTimeout) and, with
    minElbCapacity or waitForElbCapacity, until so many instances are healthy in every target group.
    Unlike pulumi-aws it also waits for an instance refresh that a new launch template started, at
    most an hour: hosts are local and boot in seconds, and the program's end then means that they
    all run the new template.
    """

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        found: list[Failure] = []
        low, high, wanted = (inputs.get(n) for n in ("minSize", "maxSize", "desiredCapacity"))
        if isinstance(low, int) and isinstance(high, int) and low > high:
            found.append(Failure("minSize", f"{low} is more than maxSize {high}"))
        elif (
            isinstance(low, int)
            and isinstance(high, int)
            and isinstance(wanted, int)
            and not low <= wanted <= high
        ):
            found.append(Failure("desiredCapacity", f"{wanted} is not in {low} to {high}"))
        if inputs.get("launchTemplate") is None and inputs.get("mixedInstancesPolicy") is None:
            found.append(Failure("launchTemplate", "is required by the local cloud"))
        timeout = inputs.get("waitForCapacityTimeout")
        if isinstance(timeout, str):
            try:
                seconds(timeout)
            except ProviderError as error:
                found.append(Failure("waitForCapacityTimeout", str(error)))
        return found

    def request(self, aws: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        request = super().request(aws, inputs)
        zones = inputs.get("vpcZoneIdentifiers")
        if isinstance(zones, list):
            request["VPCZoneIdentifier"] = (
                ",".join(zones) if all(isinstance(z, str) for z in zones) else zones[0]
            )
        return request

    @staticmethod
    def _tags(context: Context, tags: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {
                "Key": tag["key"],
                "Value": tag["value"],
                "PropagateAtLaunch": tag["propagateAtLaunch"],
                "ResourceId": context.id or context.inputs["name"],
                "ResourceType": "auto-scaling-group",
            }
            for tag in tags
        ]

    def start(self, context: Context) -> None:
        inputs = context.inputs
        parameters = self.request(context.aws, inputs)
        if inputs.get("tags"):
            parameters["Tags"] = self._tags(context, inputs["tags"])
        context.call("autoscaling", "CreateAutoScalingGroup", **parameters)
        context.id = inputs["name"]
        with keeping(context):
            self._metrics(context)
            self._wait_for_capacity(context, creating=True)

    @staticmethod
    def _metrics(context: Context) -> None:
        metrics = context.inputs.get("enabledMetrics")
        if metrics:
            context.call(
                "autoscaling",
                "EnableMetricsCollection",
                AutoScalingGroupName=context.id,
                Granularity=context.inputs.get("metricsGranularity", "1Minute"),
                Metrics=metrics,
            )

    def update(self, context: Context, changed: Names) -> dict[str, Any]:
        inputs, old = context.inputs, context.old_inputs
        settings = changed - {"tags", "targetGroupArns", "enabledMetrics"} - self.local
        if settings:
            shape = context.aws.input_shape("autoscaling", "UpdateAutoScalingGroup")
            parameters = {
                k: v for k, v in self.request(context.aws, inputs).items() if k in shape.members
            }
            context.call("autoscaling", "UpdateAutoScalingGroup", **parameters)
        if "targetGroupArns" in changed:
            before = set(old.get("targetGroupArns") or [])
            after = set(inputs.get("targetGroupArns") or [])
            for operation, arns in (
                ("DetachLoadBalancerTargetGroups", before - after),
                ("AttachLoadBalancerTargetGroups", after - before),
            ):
                if arns:
                    context.call(
                        "autoscaling",
                        operation,
                        AutoScalingGroupName=context.id,
                        TargetGroupARNs=sorted(arns),
                    )
        if "tags" in changed:
            self._retag(context)
        if "enabledMetrics" in changed:
            self._metrics(context)
        if changed & {"minSize", "maxSize", "desiredCapacity"}:
            self._wait_for_capacity(context, creating=False)
        self._refresh(context, changed)
        return self.observe(context)

    def _retag(self, context: Context) -> None:
        old = self._tags(context, context.old_inputs.get("tags") or [])
        new = self._tags(context, context.inputs.get("tags") or [])
        kept = {tag["Key"] for tag in new}
        gone = [tag for tag in old if tag["Key"] not in kept]
        if gone:
            context.call("autoscaling", "DeleteTags", Tags=gone)
        if new:
            context.call("autoscaling", "CreateOrUpdateTags", Tags=new)

    def _refresh(self, context: Context, changed: Names) -> None:
        refresh = context.inputs.get("instanceRefresh")
        if not refresh:
            return
        triggers = {"launchTemplate", "launchConfiguration", "mixedInstancesPolicy"}
        triggers |= {"tags" if name == "tag" else name for name in refresh.get("triggers") or []}
        if not changed & triggers:
            return
        shape = context.aws.input_shape("autoscaling", "StartInstanceRefresh")
        wanted = {k: v for k, v in refresh.items() if k != "triggers"}
        parameters = to_request(
            shape, wanted, {"preferences.alarmSpecification": "AlarmSpecification"}
        )
        started = context.call(
            "autoscaling", "StartInstanceRefresh", AutoScalingGroupName=context.id, **parameters
        )["InstanceRefreshId"]

        def probe() -> str | None:
            found = context.call(
                "autoscaling",
                "DescribeInstanceRefreshes",
                AutoScalingGroupName=context.id,
                InstanceRefreshIds=[started],
            )["InstanceRefreshes"][0]
            status = found["Status"]
            if status in ("Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful"):
                raise ProviderError(
                    f"instance refresh of {context.subject} is {status}: "
                    f"{found.get('StatusReason', 'no reason given')}"
                )
            percent = found.get("PercentageComplete", 0)
            return None if status == "Successful" else f"instance refresh at {percent} %"

        context.wait(probe, 3600)

    def _wait_for_capacity(self, context: Context, *, creating: bool) -> None:
        inputs = context.inputs
        limit = seconds(inputs.get("waitForCapacityTimeout", "10m"))
        if limit == 0:
            return
        wanted = inputs.get("desiredCapacity") or inputs["minSize"]
        healthy = inputs.get("waitForElbCapacity") or 0
        if creating:
            healthy = healthy or inputs.get("minElbCapacity") or 0

        def probe() -> str | None:
            group = self.read(context)
            running = [
                i for i in group.get("Instances") or [] if i.get("LifecycleState") == "InService"
            ]
            if len(running) < wanted:
                return f"{len(running)} of {wanted} instances in service"
            for arn in group.get("TargetGroupARNs") or [] if healthy else []:
                answer = context.call("elbv2", "DescribeTargetHealth", TargetGroupArn=arn)
                states = jmespath.search("TargetHealthDescriptions[].TargetHealth.State", answer)
                if states.count("healthy") < healthy:
                    return f"{states.count('healthy')} of {healthy} targets healthy"
            return None

        context.aws.wait(
            probe,
            subject=context.subject,
            timeout_seconds=limit,
            interval_seconds=0.5,
            progress=context.progress,
        )

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        zones = found.get("VPCZoneIdentifier") or ""
        values["vpcZoneIdentifiers"] = [zone for zone in zones.split(",") if zone]
        values["tags"] = [
            {
                "key": tag["Key"],
                "value": tag["Value"],
                "propagateAtLaunch": tag.get("PropagateAtLaunch", False),
            }
            for tag in found.get("Tags") or []
        ]
        return values

    def delete(self, context: Context) -> None:
        self.read(context)  # One that is gone already has nothing to drain.
        force = bool(context.inputs.get("forceDelete"))
        if not force:
            self._drain(context)
        call_until_free(
            context,
            "autoscaling",
            "DeleteAutoScalingGroup",
            {"AutoScalingGroupName": context.id, "ForceDelete": force},
            retry_codes=names(
                "ResourceInUse ResourceInUseFault ScalingActivityInProgress "
                "ScalingActivityInProgressFault"
            ),
        )
        context.wait(lambda: self.still_there(context), 600)

    def _drain(self, context: Context) -> None:
        context.call(
            "autoscaling",
            "UpdateAutoScalingGroup",
            AutoScalingGroupName=context.id,
            MinSize=0,
            MaxSize=0,
            DesiredCapacity=0,
        )

        def probe() -> str | None:
            try:
                left = len(self.read(context).get("Instances") or [])
            except NotFoundError:
                return None
            return f"{left} instances end" if left else None

        context.wait(probe, 600)


RESOURCES: tuple[Resource, ...] = (
    _Group(
        kind="aws:autoscaling/group:Group",
        in_place=names(
            "availabilityZones capacityRebalance context defaultCooldown defaultInstanceWarmup "
            "desiredCapacity desiredCapacityType healthCheckGracePeriod healthCheckType "
            "launchTemplate maxInstanceLifetime maxSize minSize mixedInstancesPolicy "
            "protectFromScaleIn targetGroupArns terminationPolicies instanceMaintenancePolicy"
        ),
        service="autoscaling",
        create_with=Operation("CreateAutoScalingGroup"),
        identifier="inputs.name",
        read_with=Operation(
            "DescribeAutoScalingGroups",
            {"AutoScalingGroupNames": ["$id"]},
            "AutoScalingGroups[0]",
        ),
        renames={
            "name": "AutoScalingGroupName",
            "arn": "AutoScalingGroupARN",
            "loadBalancers": "LoadBalancerNames",
            "launchConfiguration": "LaunchConfigurationName",
            "protectFromScaleIn": "NewInstancesProtectedFromScaleIn",
            "launchTemplate.id": "LaunchTemplateId",
            "launchTemplate.name": "LaunchTemplateName",
            "initialLifecycleHooks": "LifecycleHookSpecificationList",
            "initialLifecycleHooks.name": "LifecycleHookName",
        },
        special=names("vpcZoneIdentifiers enabledMetrics metricsGranularity instanceRefresh tags"),
        local=names(
            "forceDelete forceDeleteWarmPool ignoreFailedScalingActivities minElbCapacity "
            "waitForCapacityTimeout waitForElbCapacity instanceRefresh metricsGranularity"
        ),
        replaces=names("name namePrefix"),
        defaults={
            "forceDelete": False,
            "forceDeleteWarmPool": False,
            "healthCheckGracePeriod": 300,
            "ignoreFailedScalingActivities": False,
            "metricsGranularity": "1Minute",
            "protectFromScaleIn": False,
            "waitForCapacityTimeout": "10m",
        },
        autoname="name",
        autoname_limit=255,
        unordered=names("vpcZoneIdentifiers targetGroupArns enabledMetrics tags availabilityZones"),
        unobserved=names("enabledMetrics initialLifecycleHooks"),
    ),
    Resource(
        kind="aws:autoscaling/lifecycleHook:LifecycleHook",
        service="autoscaling",
        create_with=Operation("PutLifecycleHook"),
        identifier="inputs.name",
        read_with=Operation(
            "DescribeLifecycleHooks",
            {"AutoScalingGroupName": "$autoscalingGroupName", "LifecycleHookNames": ["$id"]},
            "LifecycleHooks[0]",
        ),
        delete_with=Operation(
            "DeleteLifecycleHook",
            {"AutoScalingGroupName": "$autoscalingGroupName", "LifecycleHookName": "$id"},
        ),
        # Put again: it changes a hook in place.
        updates=(
            Update(
                "PutLifecycleHook",
                names(
                    "defaultResult heartbeatTimeout lifecycleTransition notificationMetadata "
                    "notificationTargetArn roleArn"
                ),
                {"AutoScalingGroupName": "$autoscalingGroupName", "LifecycleHookName": "$id"},
            ),
        ),
        renames={"name": "LifecycleHookName", "autoscalingGroupName": "AutoScalingGroupName"},
        replaces=names("name autoscalingGroupName"),
        autoname="name",
        autoname_limit=255,
    ),
)
