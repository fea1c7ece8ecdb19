"""One function that operates the database, with its own role, log group and dead-letter queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.function_code import RUNTIME, FunctionCode
from components.iam import Statement, allow, service_role
from components.log_group import log_group

# A failed event waits this long for somebody to look at it: SQS's maximum, 14 days.
_DEAD_LETTER_RETENTION_SECONDS = 14 * 24 * 3600
# An operation that failed once is tried once more; what is an hour late is for a person.
_RETRIES = 1
_OLDEST_EVENT_SECONDS = 3600

_NETWORK_INTERFACE_ACTIONS = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
)
_NETWORK_INTERFACE_READS = ("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets")


@dataclass(frozen=True)
class FunctionSpec:
    """What differs between the functions.

    Attributes:
        purpose: last part of its names, such as `backup`.
        handler: Python path of the handler.
        description: one sentence.
        environment: variables; never a secret, only where to find it.
        statements: what its role may do besides logging and its dead-letter queue.
        memory_mib: memory, and with it the share of a processor.
        timeout_seconds: Lambda stops it after this time.
        layers: more layers than none.
        vpc_subnet_ids: subnets, for a function that connects to the database.
        vpc_security_group_id: its security group there.
        concurrency: how many runs at once are reserved for it; what else comes waits.
    """

    purpose: str
    handler: str
    description: str
    environment: Mapping[str, pulumi.Input[str]]
    statements: Sequence[Statement]
    memory_mib: int = 256
    timeout_seconds: int = 300
    layers: Sequence[pulumi.Input[str]] = ()
    vpc_subnet_ids: Sequence[pulumi.Input[str]] = field(default_factory=tuple)
    vpc_security_group_id: pulumi.Input[str] | None = None
    concurrency: int = 1


class OperationFunction(pulumi.ComponentResource):
    """A Lambda function with all that is its own and nothing that is shared."""

    purpose: str
    function_name: str
    function_arn: str
    queue_name: str
    queue: aws.sqs.Queue
    role: aws.iam.Role
    function: aws.lambda_.Function

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        spec: FunctionSpec,
        *,
        code: FunctionCode,
        keys: EncryptionKeys,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the function."""
        super().__init__("pgkeep:components:OperationFunction", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.purpose = spec.purpose
        self.function_name = deployment.name(spec.purpose)
        self.function_arn = deployment.arn("lambda", f"function:{self.function_name}")
        self.queue_name = f"{self.function_name}-failed"
        path = f"/aws/lambda/{self.function_name}"
        log = log_group(
            f"{name}-log",
            deployment,
            path,
            key_arn=keys.telemetry.arn,
            retention_days=deployment.settings.functions.log_retention_days,
            opts=child,
        )
        self.queue = aws.sqs.Queue(
            f"{name}-failed",
            name=self.queue_name,
            kms_master_key_id=keys.telemetry.arn,
            message_retention_seconds=_DEAD_LETTER_RETENTION_SECONDS,
            tags=deployment.tags(self.queue_name),
            opts=child,
        )
        in_vpc = spec.vpc_security_group_id is not None
        self.role, policy = service_role(
            name,
            deployment,
            role_name=self.function_name,
            service="lambda",
            description=spec.description,
            statements=[
                *self._own_statements(deployment, keys, path),
                *(_tracing_statements(deployment) if deployment.settings.functions.tracing else ()),
                *(self._network_statements(deployment) if in_vpc else ()),
                *spec.statements,
            ],
            opts=child,
        )
        self.function = aws.lambda_.Function(
            f"{name}-function",
            name=self.function_name,
            description=spec.description,
            runtime=RUNTIME,
            architectures=[code.architecture],
            handler=spec.handler,
            code=code.archive,
            layers=list(spec.layers),
            role=self.role.arn,
            memory_size=spec.memory_mib,
            timeout=spec.timeout_seconds,
            reserved_concurrent_executions=(
                spec.concurrency if deployment.settings.functions.reserve_concurrency else -1
            ),
            environment={"variables": dict(spec.environment)},
            kms_key_arn=keys.secrets.arn,
            dead_letter_config={"target_arn": self.queue.arn},
            tracing_config={
                "mode": "Active" if deployment.settings.functions.tracing else "PassThrough"
            },
            vpc_config=(
                {
                    "subnet_ids": list(spec.vpc_subnet_ids),
                    "security_group_ids": [spec.vpc_security_group_id],
                }
                if spec.vpc_security_group_id is not None
                else None
            ),
            tags=deployment.tags(self.function_name),
            # Lambda checks at creation that the role may use queue and network.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[log, *([policy] if policy else [])]
            ),
        )
        aws.lambda_.FunctionEventInvokeConfig(
            f"{name}-retries",
            function_name=self.function.name,
            maximum_retry_attempts=_RETRIES,
            maximum_event_age_in_seconds=_OLDEST_EVENT_SECONDS,
            opts=child,
        )
        self.register_outputs({"function_name": self.function.name})

    def _own_statements(
        self, deployment: Deployment, keys: EncryptionKeys, log_path: str
    ) -> list[Statement]:
        via = deployment.via("sqs")
        return [
            allow(
                "WriteOwnLog",
                ["logs:CreateLogStream", "logs:PutLogEvents"],
                [deployment.arn("logs", f"log-group:{log_path}:*")],
            ),
            allow(
                "ReportFailedEvents",
                ["sqs:SendMessage"],
                [deployment.arn("sqs", self.queue_name)],
            ),
            allow(
                "ReportFailedEventsKey",
                ["kms:Decrypt", "kms:GenerateDataKey"],
                [keys.telemetry.arn],
                via,
            ),
        ]

    def _network_statements(self, deployment: Deployment) -> list[Statement]:
        return [
            # Lambda itself attaches the function to the VPC with the function's role.
            allow(
                "AttachToVpc",
                _NETWORK_INTERFACE_ACTIONS,
                [
                    deployment.arn("ec2", "network-interface/*"),
                    deployment.arn("ec2", "security-group/*"),
                    deployment.arn("ec2", "subnet/*"),
                ],
            ),
            # EC2's read actions know no resources; the region is all that can be named.
            allow(
                "SeeNetworkInterfaces",
                _NETWORK_INTERFACE_READS,
                ["*"],
                {"StringEquals": {"aws:RequestedRegion": deployment.region}},
            ),
            # Only Lambda may use these, not the code that runs in the function.
            # AWS Lambda developer guide: giving Lambda functions access to resources in a VPC.
            {
                "Sid": "NotFromTheCode",
                "Effect": "Deny",
                "Action": [*_NETWORK_INTERFACE_ACTIONS, *_NETWORK_INTERFACE_READS],
                "Resource": "*",
                "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": self.function_arn}},
            },
        ]


def _tracing_statements(deployment: Deployment) -> list[Statement]:
    """Lambda itself sends the traces, with the function's role and from outside of the VPC.

    AWS X-Ray knows no resources for these actions; the region is all that can be named.
    """
    return [
        allow(
            "WriteTraces",
            ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
            ["*"],
            {"StringEquals": {"aws:RequestedRegion": deployment.region}},
        )
    ]
