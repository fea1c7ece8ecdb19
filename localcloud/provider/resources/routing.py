"""Route tables, whose routes may stand inline, routes of their own, and associations."""

from collections.abc import Mapping
from typing import Any

import jmespath

from localcloud.provider.context import Context, Names, keeping, names
from localcloud.provider.errors import NotFoundError
from localcloud.provider.operations import Operation
from localcloud.provider.resource import Resource
from localcloud.provider.resources.network import HELD, ec2_arn, ec2_tags
from localcloud.provider.sdk_types import Failure
from localcloud.provider.wire import fingerprint

_DESTINATIONS = {
    "destinationCidrBlock": "DestinationCidrBlock",
    "destinationIpv6CidrBlock": "DestinationIpv6CidrBlock",
    "destinationPrefixListId": "DestinationPrefixListId",
}
# The same destinations as they are called inside a route table.
_INLINE_DESTINATIONS = {
    "cidrBlock": "DestinationCidrBlock",
    "ipv6CidrBlock": "DestinationIpv6CidrBlock",
    "destinationPrefixListId": "DestinationPrefixListId",
}
_TARGETS = {
    "carrierGatewayId": "CarrierGatewayId",
    "coreNetworkArn": "CoreNetworkArn",
    "egressOnlyGatewayId": "EgressOnlyInternetGatewayId",
    "gatewayId": "GatewayId",
    "localGatewayId": "LocalGatewayId",
    "natGatewayId": "NatGatewayId",
    "networkInterfaceId": "NetworkInterfaceId",
    "transitGatewayId": "TransitGatewayId",
    "vpcEndpointId": "VpcEndpointId",
    "vpcPeeringConnectionId": "VpcPeeringConnectionId",
}


def _parameters(values: Mapping[str, Any], names_: Mapping[str, str]) -> dict[str, Any]:
    return {member: values[name] for name, member in names_.items() if values.get(name)}


class _RouteTable(Resource):
    """Inline routes are compared by destination: new ones made, other targets replaced."""

    def apply_updates(self, context: Context, changed: Names) -> None:
        if "routes" not in changed:
            return
        both = _INLINE_DESTINATIONS | _TARGETS
        old = [_parameters(r, both) for r in context.old_inputs.get("routes") or []]
        new = [_parameters(r, both) for r in context.inputs.get("routes") or []]
        members = set(_INLINE_DESTINATIONS.values())

        def destination(route: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
            return tuple(sorted((k, v) for k, v in route.items() if k in members))

        before = {destination(route): route for route in old}
        after = {destination(route): route for route in new}
        for key in before.keys() - after.keys():
            context.call("ec2", "DeleteRoute", RouteTableId=context.id, **dict(key))
        for key, route in after.items():
            if key not in before:
                context.call("ec2", "CreateRoute", RouteTableId=context.id, **route)
            elif route != before[key]:
                context.call("ec2", "ReplaceRoute", RouteTableId=context.id, **route)

    def delete(self, context: Context) -> None:
        for association in self.read(context).get("Associations") or []:
            if not association.get("Main"):
                context.call(
                    "ec2",
                    "DisassociateRouteTable",
                    AssociationId=association["RouteTableAssociationId"],
                )
        super().delete(context)

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        values["routes"] = [
            {
                inline: route[member]
                for inline, member in (_INLINE_DESTINATIONS | _TARGETS).items()
                if route.get(member)
            }
            for route in found.get("Routes") or []
            if route.get("Origin") == "CreateRoute"
        ]
        return values


class _Route(Resource):
    """A route has no id on AWS: it is found by table and destination."""

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        found: list[Failure] = []
        for what, choices in (("destination", _DESTINATIONS), ("target", _TARGETS)):
            given = [name for name in choices if inputs.get(name) is not None]
            if len(given) != 1:
                reason = f"exactly one {what} is needed, but {len(given)} are given"
                found.append(Failure(given[0] if given else next(iter(choices)), reason))
        return found

    def _destination(self, context: Context) -> dict[str, Any]:
        return _parameters({**context.state, **context.inputs}, _DESTINATIONS)

    def start(self, context: Context) -> None:
        table = context.inputs["routeTableId"]
        destination = self._destination(context)
        context.call(
            "ec2",
            "CreateRoute",
            RouteTableId=table,
            **destination,
            **_parameters(context.inputs, _TARGETS),
        )
        context.id = f"r-{table}{fingerprint(sorted(destination.values()), 10)}"

    def read(self, context: Context) -> dict[str, Any]:
        table = context.inputs.get("routeTableId") or context.state.get("routeTableId")
        tables = context.call("ec2", "DescribeRouteTables", RouteTableIds=[table])["RouteTables"]
        wanted = self._destination(context).items()
        for route in jmespath.search("[].Routes[]", tables) or []:
            if wanted <= route.items():
                return {**route, "RouteTableId": table}
        raise NotFoundError(f"{context.subject} does not exist in {table}")

    def apply_updates(self, context: Context, changed: Names) -> None:
        if changed & _TARGETS.keys():
            context.call(
                "ec2",
                "ReplaceRoute",
                RouteTableId=context.inputs["routeTableId"],
                **self._destination(context),
                **_parameters(context.inputs, _TARGETS),
            )

    def delete(self, context: Context) -> None:
        context.call(
            "ec2",
            "DeleteRoute",
            RouteTableId=context.inputs["routeTableId"],
            **self._destination(context),
        )


class _Association(Resource):
    """Found through the table that it belongs to."""

    def read(self, context: Context) -> dict[str, Any]:
        answer = context.call(
            "ec2",
            "DescribeRouteTables",
            Filters=[
                {
                    "Name": "association.route-table-association-id",
                    "Values": [context.id],
                }
            ],
        )
        for association in jmespath.search("RouteTables[].Associations[]", answer) or []:
            if association["RouteTableAssociationId"] == context.id:
                return association
        raise NotFoundError(f"{context.subject} ({context.id}) does not exist")

    def start(self, context: Context) -> None:
        super().start(context)
        with keeping(context):
            self.read(context)


RESOURCES: tuple[Resource, ...] = (
    _RouteTable(
        kind="aws:ec2/routeTable:RouteTable",
        service="ec2",
        create_with=Operation("CreateRouteTable", result="RouteTable"),
        identifier="result.RouteTableId",
        read_with=Operation("DescribeRouteTables", {"RouteTableIds": ["$id"]}, "RouteTables[0]"),
        delete_with=Operation("DeleteRouteTable", {"RouteTableId": "$id"}),
        later=names("routes"),
        replaces=names("vpcId"),
        unordered=names("routes"),
        formats=ec2_arn("route-table"),
        tags=ec2_tags("route-table"),
        not_found=names("InvalidRouteTableID.NotFound"),
        delete_retries=HELD,
    ),
    _Route(
        kind="aws:ec2/route:Route",
        in_place=frozenset(_TARGETS),
        service="ec2",
        create_with=Operation("CreateRoute"),
        identifier="",
        read_with=Operation("DescribeRouteTables"),
        renames={"egressOnlyGatewayId": "EgressOnlyInternetGatewayId"},
        replaces=names(
            "routeTableId destinationCidrBlock destinationIpv6CidrBlock destinationPrefixListId"
        ),
        not_found=names("InvalidRouteTableID.NotFound InvalidRoute.NotFound"),
        delete_before_replace=True,
    ),
    _Association(
        kind="aws:ec2/routeTableAssociation:RouteTableAssociation",
        service="ec2",
        create_with=Operation("AssociateRouteTable"),
        identifier="result.AssociationId",
        read_with=Operation("DescribeRouteTables"),
        delete_with=Operation("DisassociateRouteTable", {"AssociationId": "$id"}),
        # Another table gets another association id, which an update could not tell the engine.
        replaces=names("gatewayId subnetId routeTableId"),
        not_found=names("InvalidAssociationID.NotFound InvalidRouteTableID.NotFound"),
        delete_before_replace=True,
    ),
)
