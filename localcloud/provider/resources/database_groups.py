"""RDS parameter groups and subnet groups. Defaults and replacements as in pulumi-aws 7 (the AWS
Terraform provider 6: internal/service/rds).
"""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.context import Context, Names, names
from localcloud.provider.operations import Operation, Update
from localcloud.provider.resource import Resource
from localcloud.provider.sdk_types import Failure
from localcloud.provider.tags import Tags

# RDS takes at most 20 parameters a request.
_PARAMETERS_A_REQUEST = 20


def rds_tags(read: str = "") -> Tags:
    """Tags of an RDS resource, which are listed by an operation of their own or stand in it."""
    return Tags(
        tag=Operation("AddTagsToResource", {"ResourceName": "$arn"}),
        untag=Operation("RemoveTagsFromResource", {"ResourceName": "$arn"}),
        read=read,
        list_with=None if read else Operation("ListTagsForResource", {"ResourceName": "$arn"}),
    )


class _ParameterGroup(Resource):
    """Parameters are sent in portions; one that is no longer given goes back to its default."""

    def apply_updates(self, context: Context, changed: Names) -> None:
        if "parameters" not in changed:
            return
        old = {p["name"]: _parameter(p) for p in context.old_inputs.get("parameters") or []}
        new = {p["name"]: _parameter(p) for p in context.inputs.get("parameters") or []}
        setting = [item for name, item in new.items() if old.get(name) != item]
        resetting = [
            {k: v for k, v in item.items() if k != "ParameterValue"}
            for name, item in old.items()
            if name not in new
        ]
        for operation, items in (
            ("ModifyDBParameterGroup", setting),
            ("ResetDBParameterGroup", resetting),
        ):
            for start in range(0, len(items), _PARAMETERS_A_REQUEST):
                context.call(
                    "rds",
                    operation,
                    DBParameterGroupName=context.id,
                    Parameters=items[start : start + _PARAMETERS_A_REQUEST],
                )

    def observe(self, context: Context) -> dict[str, Any]:
        values = super().observe(context)
        given = {p["name"]: p for p in context.inputs.get("parameters") or []}
        found: list[dict[str, Any]] = []
        marker: dict[str, str] = {}
        while True:
            answer = context.call(
                "rds", "DescribeDBParameters", DBParameterGroupName=context.id, **marker
            )
            found += answer["Parameters"]
            if not answer.get("Marker"):
                break
            marker = {"Marker": answer["Marker"]}
        values["parameters"] = [
            {
                "name": item["ParameterName"],
                "value": item["ParameterValue"],
                # RDS reports when a change takes effect in other words than it was asked in.
                "applyMethod": given.get(item["ParameterName"], {}).get("applyMethod")
                or item.get("ApplyMethod", "immediate"),
            }
            for item in found
            if "ParameterValue" in item
            and (item.get("Source") == "user" or item["ParameterName"] in given)
        ]
        return values

    def delete(self, context: Context) -> None:
        if not context.inputs.get("skipDestroy"):
            super().delete(context)

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        seen: set[str] = set()
        parameters = inputs.get("parameters")
        for item in parameters if isinstance(parameters, list) else []:
            name = item.get("name") if isinstance(item, dict) else None
            if isinstance(name, str) and name in seen:
                return [Failure("parameters", f"{name} is given twice")]
            if isinstance(name, str):
                seen.add(name)
        return []


def _parameter(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ParameterName": item["name"],
        "ParameterValue": item["value"],
        "ApplyMethod": item.get("applyMethod") or "immediate",
    }


RESOURCES: tuple[Resource, ...] = (
    _ParameterGroup(
        kind="aws:rds/parameterGroup:ParameterGroup",
        service="rds",
        create_with=Operation("CreateDBParameterGroup", result="DBParameterGroup"),
        identifier="result.DBParameterGroupName",
        read_with=Operation(
            "DescribeDBParameterGroups", {"DBParameterGroupName": "$id"}, "DBParameterGroups[0]"
        ),
        delete_with=Operation("DeleteDBParameterGroup", {"DBParameterGroupName": "$id"}),
        renames={
            "name": "DBParameterGroupName",
            "family": "DBParameterGroupFamily",
            "arn": "DBParameterGroupArn",
        },
        later=names("parameters"),
        local=names("skipDestroy"),
        replaces=names("name namePrefix family description"),
        defaults={"description": "Managed by Pulumi", "skipDestroy": False},
        autoname="name",
        autoname_limit=255,
        unordered=names("parameters"),
        tags=rds_tags(),
        not_found=names("DBParameterGroupNotFound DBParameterGroupNotFoundFault"),
        delete_retries=names("InvalidDBParameterGroupState"),
    ),
    Resource(
        kind="aws:rds/subnetGroup:SubnetGroup",
        service="rds",
        create_with=Operation("CreateDBSubnetGroup", result="DBSubnetGroup"),
        identifier="result.DBSubnetGroupName",
        read_with=Operation(
            "DescribeDBSubnetGroups", {"DBSubnetGroupName": "$id"}, "DBSubnetGroups[0]"
        ),
        delete_with=Operation("DeleteDBSubnetGroup", {"DBSubnetGroupName": "$id"}),
        updates=(
            Update(
                "ModifyDBSubnetGroup",
                names("description subnetIds"),
                {"DBSubnetGroupName": "$id"},
            ),
        ),
        renames={
            "name": "DBSubnetGroupName",
            "description": "DBSubnetGroupDescription",
            "arn": "DBSubnetGroupArn",
        },
        replaces=names("name namePrefix"),
        defaults={"description": "Managed by Pulumi"},
        autoname="name",
        autoname_limit=255,
        computed={"subnetIds": "Subnets[].SubnetIdentifier"},
        unordered=names("subnetIds"),
        tags=rds_tags(),
        not_found=names("DBSubnetGroupNotFoundFault DBSubnetGroupNotFound"),
        delete_retries=names("InvalidDBSubnetGroupStateFault InvalidDBSubnetGroupState"),
    ),
)
