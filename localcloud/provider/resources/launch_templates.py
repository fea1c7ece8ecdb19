"""EC2 launch templates: data in numbered versions."""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.context import Context, Names, names
from localcloud.provider.operations import Operation
from localcloud.provider.resource import Resource
from localcloud.provider.resources.network import ec2_arn, ec2_tags
from localcloud.provider.sdk_types import Failure, output_types
from localcloud.provider.shapes import from_response, to_request

# Properties of the template itself; everything else is data of a version.
_OF_TEMPLATE = names("name namePrefix description defaultVersion updateDefaultVersion")


class _LaunchTemplate(Resource):
    """A change makes another version of the template; its id stays."""

    def request(self, aws: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        shape = aws.input_shape("ec2", "CreateLaunchTemplate")
        data = {k: v for k, v in inputs.items() if k not in _OF_TEMPLATE | self.common}
        request: dict[str, Any] = {
            "LaunchTemplateName": inputs.get("name"),
            "LaunchTemplateData": to_request(
                shape.members["LaunchTemplateData"], data, self.renames
            ),
        }
        if inputs.get("description"):
            request["VersionDescription"] = inputs["description"]
        return request

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        data = inputs.get("userData")
        # 16 KB is EC2's limit before it is encoded in base64.
        if isinstance(data, str) and len(data) * 3 // 4 > 16384 + 2:
            size = len(data) * 3 // 4
            return [Failure("userData", f"{size} bytes decoded, EC2 takes at most 16384")]
        return []

    def apply_updates(self, context: Context, changed: Names) -> None:
        inputs = context.inputs
        if changed - {"tags", "defaultVersion", "updateDefaultVersion"}:
            request = self.request(context.aws, inputs)
            del request["LaunchTemplateName"]
            made = context.call(
                "ec2", "CreateLaunchTemplateVersion", LaunchTemplateId=context.id, **request
            )["LaunchTemplateVersion"]
            if inputs.get("updateDefaultVersion"):
                self._default(context, made["VersionNumber"])
        elif "updateDefaultVersion" in changed and inputs.get("updateDefaultVersion"):
            self._default(context, self.read(context)["LatestVersionNumber"])
        if "defaultVersion" in changed and inputs.get("defaultVersion"):
            self._default(context, inputs["defaultVersion"])

    @staticmethod
    def _default(context: Context, version: int) -> None:
        context.call(
            "ec2",
            "ModifyLaunchTemplate",
            LaunchTemplateId=context.id,
            DefaultVersion=str(version),
        )

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        answer = context.call(
            "ec2",
            "DescribeLaunchTemplateVersions",
            LaunchTemplateId=context.id,
            Versions=["$Latest"],
        )["LaunchTemplateVersions"]
        types = {
            k: v
            for k, v in output_types(self.kind).items()
            if k not in _OF_TEMPLATE | {"tags", "tagsAll", "arn", "latestVersion", "region"}
        }
        data = answer[0].get("LaunchTemplateData") or {} if answer else {}
        values = from_response(types, data, self.renames)
        # The template's own tags stand here too, but are not of the instances.
        values["tagSpecifications"] = [
            item
            for item in values.get("tagSpecifications", [])
            if item.get("resourceType") != "launch-template"
        ]
        return values | {
            **super().outputs(context, found),
            "name": found["LaunchTemplateName"],
            "latestVersion": found["LatestVersionNumber"],
            "defaultVersion": found["DefaultVersionNumber"],
        }


RESOURCES: tuple[Resource, ...] = (
    _LaunchTemplate(
        kind="aws:ec2/launchTemplate:LaunchTemplate",
        whole=True,
        service="ec2",
        create_with=Operation("CreateLaunchTemplate", result="LaunchTemplate"),
        identifier="result.LaunchTemplateId",
        read_with=Operation(
            "DescribeLaunchTemplates", {"LaunchTemplateIds": ["$id"]}, "LaunchTemplates[0]"
        ),
        delete_with=Operation("DeleteLaunchTemplate", {"LaunchTemplateId": "$id"}),
        renames={
            "vpcSecurityGroupIds": "SecurityGroupIds",
            "securityGroupNames": "SecurityGroups",
            "networkInterfaces.securityGroups": "Groups",
            "networkInterfaces.ipv4AddressCount": "SecondaryPrivateIpAddressCount",
            "blockDeviceMappings.noDevice": "NoDevice",
        },
        local=names("updateDefaultVersion defaultVersion"),
        replaces=names("name namePrefix"),
        autoname="name",
        autoname_limit=128,
        unordered=names("vpcSecurityGroupIds securityGroupNames"),
        formats=ec2_arn("launch-template"),
        moving=names("latestVersion defaultVersion"),
        tags=ec2_tags("launch-template"),
        not_found=names(
            "InvalidLaunchTemplateId.NotFound InvalidLaunchTemplateId.NotFoundException "
            "InvalidLaunchTemplateName.NotFoundException"
        ),
    ),
)
