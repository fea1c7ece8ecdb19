"""Schedules that invoke one function, with a role that can invoke nothing else."""

from __future__ import annotations

from typing import NamedTuple

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.iam import allow, service_role
from components.operation_function import OperationFunction

# Scheduler retries a throttled or unreachable function for an hour; the function's own failures
# are retried by Lambda.
_RETRIES = 3
_OLDEST_EVENT_SECONDS = 3600


class Timer(NamedTuple):
    """When and with what event, as JSON."""

    label: str
    expression: str
    event: pulumi.Input[str]


class FunctionSchedule(pulumi.ComponentResource):
    """One or more schedules of a function, in UTC."""

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        operation: OperationFunction,
        timers: list[Timer],
        *,
        keys: EncryptionKeys,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the role and a schedule for each timer."""
        super().__init__("pgkeep:components:FunctionSchedule", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        via = deployment.via("sqs")
        role, policy = service_role(
            name,
            deployment,
            role_name=f"{operation.function_name}-timer",
            service="scheduler",
            description=f"EventBridge Scheduler invokes {operation.function_name}",
            statements=[
                allow("InvokeFunction", ["lambda:InvokeFunction"], [operation.function_arn]),
                allow(
                    "ReportUndelivered",
                    ["sqs:SendMessage"],
                    [deployment.arn("sqs", operation.queue_name)],
                ),
                allow(
                    "ReportUndeliveredKey",
                    ["kms:Decrypt", "kms:GenerateDataKey"],
                    [keys.telemetry.arn],
                    via,
                ),
            ],
            opts=child,
        )
        for timer in timers:
            aws.scheduler.Schedule(
                f"{name}-{timer.label}",
                name=f"{operation.function_name}-{timer.label}",
                description=f"{operation.function_name}: {timer.label}",
                schedule_expression=timer.expression,
                schedule_expression_timezone="UTC",
                flexible_time_window={"mode": "OFF"},
                state="ENABLED",
                target={
                    "arn": operation.function.arn,
                    "role_arn": role.arn,
                    "input": timer.event,
                    "dead_letter_config": {"arn": operation.queue.arn},
                    "retry_policy": {
                        "maximum_retry_attempts": _RETRIES,
                        "maximum_event_age_in_seconds": _OLDEST_EVENT_SECONDS,
                    },
                },
                opts=pulumi.ResourceOptions(
                    parent=self, depends_on=[policy] if policy is not None else []
                ),
            )
        self.register_outputs({})
