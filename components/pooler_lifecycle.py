"""Lifecycle hooks: no pooler host serves before it proves a query, none ends undrained."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.iam import Statement, allow

# Boot, packages from a mirror, the first credentials, and a query.
_LAUNCH_SECONDS = 900
# For the host to notice, and to say that it is done.
_SPARE_SECONDS = 60


@dataclass(frozen=True)
class LifecycleHook:
    """One hook.

    Attributes:
        purpose: launch or termination.
        name: its name in AWS.
        transition: what it holds up.
        timeout_seconds: how long at most; AWS takes 30 to 7200.
        default_result: what a host that does not answer gets.
    """

    purpose: str
    name: str
    transition: str
    timeout_seconds: int
    default_result: str


def lifecycle_hooks(deployment: Deployment) -> tuple[LifecycleHook, LifecycleHook]:
    """The launch hook and the termination hook."""
    settings = deployment.settings.pooler
    draining = settings.drain_seconds + settings.transaction_grace_seconds
    return (
        LifecycleHook(
            "launch",
            deployment.name("pooler", "launch"),
            "autoscaling:EC2_INSTANCE_LAUNCHING",
            _LAUNCH_SECONDS,
            # A host that proves no query in time is given up; the others stay.
            "ABANDON",
        ),
        LifecycleHook(
            "termination",
            deployment.name("pooler", "termination"),
            "autoscaling:EC2_INSTANCE_TERMINATING",
            draining + _SPARE_SECONDS,
            "CONTINUE",
        ),
    )


def initial_hooks(
    deployment: Deployment,
) -> list[aws.autoscaling.GroupInitialLifecycleHookArgs]:
    """The hooks as a group's input: so that they hold for its first hosts too."""
    return [
        aws.autoscaling.GroupInitialLifecycleHookArgs(
            name=hook.name,
            lifecycle_transition=hook.transition,
            heartbeat_timeout=hook.timeout_seconds,
            default_result=hook.default_result,
        )
        for hook in lifecycle_hooks(deployment)
    ]


def follow_changes(
    name: str, deployment: Deployment, group: aws.autoscaling.Group, opts: pulumi.ResourceOptions
) -> None:
    """The same hooks as resources: a group takes changes of its initial hooks from nowhere else."""
    for hook in lifecycle_hooks(deployment):
        aws.autoscaling.LifecycleHook(
            f"{name}-{hook.purpose}",
            name=hook.name,
            autoscaling_group_name=group.name,
            lifecycle_transition=hook.transition,
            heartbeat_timeout=hook.timeout_seconds,
            default_result=hook.default_result,
            opts=opts,
        )


def complete_hooks(deployment: Deployment, group_name: str) -> Statement:
    """Permission to answer the hooks of this group, and of no other."""
    return allow(
        "CompleteOwnLifecycleActions",
        ["autoscaling:CompleteLifecycleAction"],
        # The part left open is the group's UUID, which is not known before the group exists.
        [deployment.arn("autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{group_name}")],
    )
