"""Hooks into moto's Auto Scaling: its calls write down what is wanted, the loop does it."""

from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import (
    AutoScalingBackend,
    FakeAutoScalingGroup,
    TerminateInstanceActivity,
)
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from localcloud.instances.scaling.groups import ScalingGroups

# What moto's create and update calls drop: request name -> attribute that describe reads.
_KEPT = {
    "DefaultInstanceWarmup": "default_instance_warmup",
    "MaxInstanceLifetime": "max_instance_lifetime",
    "InstanceMaintenancePolicy": "instance_maintenance_policy",
}
_KEPT_AT_UPDATE = _KEPT | {
    "DefaultCooldown": "default_cooldown",
    "TerminationPolicies": "termination_policies",
    "CapacityRebalance": "capacity_rebalance",
    "PlacementGroup": "placement_group",
}

_create_group = AutoScalingResponse.create_auto_scaling_group
_create_hook = AutoScalingBackend.create_lifecycle_hook
_update_group = AutoScalingResponse.update_auto_scaling_group


def hook(scaling: ScalingGroups) -> None:
    """Let the groups of the cloud's account and region be real."""
    for owner, functions in (
        (FakeAutoScalingGroup, _group_hooks(scaling)),
        (AutoScalingBackend, _backend_hooks(scaling)),
        (AutoScalingResponse, _response_hooks(scaling)),
    ):
        for name, function in functions.items():
            setattr(owner, name, function)


def _group_hooks(scaling: ScalingGroups) -> dict[str, Any]:
    def set_desired_capacity(group: Any, new_capacity: int | None) -> None:
        wanted = group.min_size if new_capacity is None else new_capacity
        if not int(group.min_size or 0) <= int(wanted or 0) <= int(group.max_size or 0):
            raise ValidationError(
                f"Desired capacity:{wanted} must be between the specified min size:"
                f"{group.min_size} and max size:{group.max_size}"
            )
        with scaling.lock:
            group.desired_capacity = wanted
        scaling.wake()

    def replace_instances(_group: Any, _count: int, _tags: dict[str, str]) -> None:
        scaling.wake()

    return {
        "set_desired_capacity": set_desired_capacity,
        "replace_autoscaling_group_instances": replace_instances,
    }


def _backend_hooks(scaling: ScalingGroups) -> dict[str, Any]:
    def wake(_backend: Any, *_: Any, **__: Any) -> None:
        scaling.wake()

    def create_lifecycle_hook(backend: Any, **inputs: Any) -> Any:
        made: Any = _create_hook(backend, **inputs)
        # moto makes up a role and a queue.
        made.role_arn = made.notification_target_arn = None
        return made

    def terminate_instance(
        backend: Any, instance_id: str, should_decrement: bool
    ) -> TerminateInstanceActivity:
        for group in backend.autoscaling_groups.values():
            for member in group.instance_states:
                if member.instance.id == instance_id:
                    with scaling.lock:
                        before = group.desired_capacity
                        if should_decrement:
                            group.desired_capacity = max(before - 1, group.min_size or 0)
                        cause = "an instance was taken out of service on a user's request"
                        scaling.terminate(group, member, cause)
                    scaling.wake()
                    return TerminateInstanceActivity(member.instance, before)
        raise ValidationError(
            f"Instance Id not found - No managed instance found for {instance_id}"
        )

    return {
        "update_attached_elbs": wake,
        "update_attached_target_groups": wake,
        "notify_terminate_instances": wake,
        "terminate_instance": terminate_instance,
        "create_lifecycle_hook": create_lifecycle_hook,
    }


def _response_hooks(scaling: ScalingGroups) -> dict[str, Any]:
    def create_auto_scaling_group(response: Any) -> Any:
        if response._get_param("LaunchConfigurationName") or response._get_param("InstanceId"):
            raise ValidationError(
                "The local cloud launches groups from a launch template only; give LaunchTemplate."
            )
        name = response._get_param("AutoScalingGroupName")
        if name in scaling.backend.autoscaling_groups:
            raise AutoscalingClientError(
                "AlreadyExists",
                "AutoScalingGroup by this name already exists - A group with the name "
                f"{name} already exists",
            )
        with scaling.lock:
            answer = _create_group(response)
            _keep(response, scaling.backend.autoscaling_groups[name], _KEPT)
            for hook in response._get_param("LifecycleHookSpecificationList", []):
                scaling.backend.create_lifecycle_hook(
                    name=hook["LifecycleHookName"],
                    as_name=name,
                    transition=hook["LifecycleTransition"],
                    timeout=int(hook.get("HeartbeatTimeout") or 0),
                    result=hook.get("DefaultResult"),
                )
        scaling.wake()
        return answer

    def update_auto_scaling_group(response: Any) -> Any:
        with scaling.lock:
            answer = _update_group(response)
            _keep(response, _group(scaling, response), _KEPT_AT_UPDATE)
        scaling.wake()
        return answer

    def delete_auto_scaling_group(response: Any) -> Any:
        group = _group(scaling, response)
        with scaling.lock:
            if group.instance_states and not response._get_bool_param("ForceDelete"):
                raise AutoscalingClientError(
                    "ResourceInUse",
                    "You cannot delete an AutoScalingGroup while there are instances or pending "
                    "Spot instance request(s) still in the group.",
                )
            group.deleting = True
            group.min_size = group.desired_capacity = 0
            if not group.instance_states:
                scaling.backend.autoscaling_groups.pop(group.name, None)
        scaling.wake()
        return EmptyResult()

    def start_instance_refresh(response: Any) -> Any:
        group = _group(scaling, response)
        with scaling.lock:
            if scaling.refreshes.active(group.name):
                raise AutoscalingClientError(
                    "InstanceRefreshInProgress",
                    "An Instance Refresh is already in progress and blocks the execution of this "
                    "Instance Refresh.",
                )
            refresh = scaling.refreshes.start(
                group,
                response._get_param("Preferences", {}),
                response._get_param("DesiredConfiguration", {}),
            )
        scaling.wake()
        return ActionResult({"InstanceRefreshId": refresh.instance_refresh_id})

    def describe_instance_refreshes(response: Any) -> Any:
        ids = response._get_param("InstanceRefreshIds", [])
        found = scaling.refreshes.of(_group(scaling, response).name, ids)
        return ActionResult({"InstanceRefreshes": found})

    def cancel_instance_refresh(response: Any) -> Any:
        refresh = scaling.refreshes.active(_group(scaling, response).name)
        if refresh is None:
            raise AutoscalingClientError(
                "ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found."
            )
        refresh.status = "Cancelling"
        scaling.wake()
        return ActionResult({"InstanceRefreshId": refresh.instance_refresh_id})

    def complete_lifecycle_action(response: Any) -> Any:
        with scaling.lock:
            _group(scaling, response)
            scaling.lifecycle.complete(
                response._get_param("InstanceId") or "",
                response._get_param("LifecycleHookName"),
                response._get_param("LifecycleActionResult"),
            )
        scaling.wake()
        return EmptyResult()

    def describe_scaling_activities(response: Any) -> Any:
        name = response._get_param("AutoScalingGroupName")
        return ActionResult({"Activities": scaling.activities.of(name)})

    hooks = (
        create_auto_scaling_group,
        update_auto_scaling_group,
        delete_auto_scaling_group,
        start_instance_refresh,
        describe_instance_refreshes,
        cancel_instance_refresh,
        complete_lifecycle_action,
        describe_scaling_activities,
    )
    return {function.__name__: function for function in hooks}


def _group(scaling: ScalingGroups, response: Any) -> Any:
    name = response._get_param("AutoScalingGroupName")
    group = scaling.backend.autoscaling_groups.get(name)
    if group is None:
        raise ValidationError(
            f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"
        )
    return group


def _keep(response: Any, group: Any, fields: dict[str, str]) -> None:
    for name, attribute in fields.items():
        value = response._get_param(name)
        if value is not None:
            setattr(group, attribute, value)
