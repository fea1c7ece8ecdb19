"""VPC flow logs."""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.context import Context, names
from localcloud.provider.errors import ProviderError
from localcloud.provider.operations import Operation
from localcloud.provider.resource import Resource
from localcloud.provider.resources.network import ec2_arn, ec2_tags
from localcloud.provider.sdk_types import Failure

# The input that says what is logged → EC2's resource type.
_SUBJECTS = {"vpcId": "VPC", "subnetId": "Subnet", "eniId": "NetworkInterface"}


class _FlowLog(Resource):
    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        given = [name for name in _SUBJECTS if inputs.get(name) is not None]
        if len(given) != 1:
            reason = f"exactly one of {', '.join(_SUBJECTS)} is needed, but {len(given)} are given"
            return [Failure(given[1] if given else "vpcId", reason)]
        if inputs.get("trafficType") is None:
            return [Failure("trafficType", "is required for VPCs, subnets and interfaces")]
        if inputs.get("logDestination") is None:
            return [Failure("logDestination", "is required")]
        to_logs = inputs.get("logDestinationType", "cloud-watch-logs") == "cloud-watch-logs"
        if to_logs and inputs.get("iamRoleArn") is None:
            return [Failure("iamRoleArn", "is required for logs in CloudWatch Logs")]
        return []

    def start(self, context: Context) -> None:
        subject = next(name for name in _SUBJECTS if context.inputs.get(name) is not None)
        parameters = self.request(context.aws, context.inputs)
        parameters |= {
            "ResourceIds": [context.inputs[subject]],
            "ResourceType": _SUBJECTS[subject],
        }
        if context.inputs.get("tags") and self.tags:
            parameters |= self.tags.in_create(context.inputs["tags"])
        answer = context.call("ec2", "CreateFlowLogs", **parameters)
        for failed in answer.get("Unsuccessful") or []:
            raise ProviderError(f"{context.subject}: {failed['Error']['Message']}")
        context.id = answer["FlowLogIds"][0]

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        for name in _SUBJECTS:
            if context.inputs.get(name) is not None:
                values[name] = found["ResourceId"]
        return values


RESOURCES: tuple[Resource, ...] = (
    _FlowLog(
        kind="aws:ec2/flowLog:FlowLog",
        service="ec2",
        create_with=Operation("CreateFlowLogs"),
        identifier="",
        read_with=Operation("DescribeFlowLogs", {"FlowLogIds": ["$id"]}, "FlowLogs[0]"),
        delete_with=Operation("DeleteFlowLogs", {"FlowLogIds": ["$id"]}),
        renames={"iamRoleArn": "DeliverLogsPermissionArn"},
        special=names("vpcId subnetId eniId"),
        replaces=names(
            "deliverCrossAccountRole destinationOptions eniId iamRoleArn logDestination "
            "logDestinationType logFormat maxAggregationInterval subnetId trafficType vpcId"
        ),
        defaults={"logDestinationType": "cloud-watch-logs", "maxAggregationInterval": 600},
        formats=ec2_arn("vpc-flow-log"),
        tags=ec2_tags("vpc-flow-log"),
        not_found=names("InvalidFlowLogId.NotFound"),
    ),
)
