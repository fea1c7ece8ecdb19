"""The VPC: private subnets for databases, hosts and functions in every zone."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from stacks.network_settings import SUBNET_PREFIX_STEP

# Sixteen blocks: four for each tier, one for each of at most four zones. The order is part of the
# addresses of everything that runs: never change it.
TIERS = ("database", "hosts", "functions", "public")
_ZONES_PER_TIER = 4


@dataclass(frozen=True)
class Placement:
    """Where the other components put things, whether in a VPC of ours or an existing one."""

    vpc_id: pulumi.Input[str]
    database_subnet_ids: list[pulumi.Input[str]]
    host_subnet_ids: list[pulumi.Input[str]]
    function_subnet_ids: list[pulumi.Input[str]]
    # Route tables that get the S3 gateway endpoint.
    route_table_ids: list[pulumi.Input[str]]
    # Of the databases' subnets.
    zones: tuple[str, ...]
    host_zones: tuple[str, ...]


def subnet_cidr(vpc_cidr: str, tier: str, zone: int) -> str:
    """The range of a tier's subnet in the zone with this number: a sixteenth of the VPC."""
    blocks = list(IPv4Network(vpc_cidr).subnets(prefixlen_diff=SUBNET_PREFIX_STEP))
    return str(blocks[TIERS.index(tier) * _ZONES_PER_TIER + zone])


class Network(pulumi.ComponentResource):
    """A VPC of its own. Databases have no route out; hosts and functions only through NAT."""

    placement: Placement

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        vpc_cidr: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make VPC, subnets and routes."""
        super().__init__("pgkeep:components:Network", name, None, opts)
        self._name = name
        self._deployment = deployment
        self._opts = pulumi.ResourceOptions(parent=self)
        self._vpc_cidr = vpc_cidr
        self.vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=vpc_cidr,
            # Private endpoint names resolve only with both.
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=deployment.tags(deployment.settings.prefix),
            opts=self._opts,
        )
        # Closes the group that AWS gives to whatever names none.
        aws.ec2.DefaultSecurityGroup(
            f"{name}-default",
            vpc_id=self.vpc.id,
            ingress=[],
            egress=[],
            tags=deployment.tags(deployment.name("default-closed")),
            opts=self._opts,
        )
        gateways = self._nat_gateways(deployment.settings.network.nat_gateway_count)
        database_table = self._route_table("database", None)
        private_tables = [
            self._route_table(f"private-{number}", gateway)
            for number, gateway in enumerate(gateways or [None], start=1)
        ]
        database = self._subnets("database", [database_table])
        hosts = self._subnets("hosts", private_tables)
        functions = self._subnets("functions", private_tables)
        self.placement = Placement(
            vpc_id=self.vpc.id,
            database_subnet_ids=[subnet.id for subnet in database],
            host_subnet_ids=[subnet.id for subnet in hosts],
            function_subnet_ids=[subnet.id for subnet in functions],
            route_table_ids=[table.id for table in private_tables],
            zones=deployment.zones,
            host_zones=deployment.zones,
        )
        self.register_outputs({"vpc_id": self.vpc.id})

    def _subnets(self, tier: str, tables: list[aws.ec2.RouteTable]) -> list[aws.ec2.Subnet]:
        subnets: list[aws.ec2.Subnet] = []
        for number, zone in enumerate(self._deployment.zones):
            label = f"{tier}-{number + 1}"
            subnet = aws.ec2.Subnet(
                f"{self._name}-{label}",
                vpc_id=self.vpc.id,
                cidr_block=subnet_cidr(self._vpc_cidr, tier, number),
                availability_zone=zone,
                map_public_ip_on_launch=False,
                tags=self._deployment.tags(self._deployment.name(label)),
                opts=self._opts,
            )
            aws.ec2.RouteTableAssociation(
                f"{self._name}-{label}-routes",
                subnet_id=subnet.id,
                route_table_id=tables[number % len(tables)].id,
                opts=self._opts,
            )
            subnets.append(subnet)
        return subnets

    def _route_table(self, label: str, gateway: aws.ec2.NatGateway | None) -> aws.ec2.RouteTable:
        table = aws.ec2.RouteTable(
            f"{self._name}-{label}",
            vpc_id=self.vpc.id,
            tags=self._deployment.tags(self._deployment.name(label)),
            opts=self._opts,
        )
        if gateway is not None:
            aws.ec2.Route(
                f"{self._name}-{label}-out",
                route_table_id=table.id,
                destination_cidr_block="0.0.0.0/0",
                nat_gateway_id=gateway.id,
                opts=self._opts,
            )
        return table

    def _nat_gateways(self, count: int) -> list[aws.ec2.NatGateway]:
        if count == 0:
            return []
        deployment = self._deployment
        internet = aws.ec2.InternetGateway(
            f"{self._name}-internet",
            vpc_id=self.vpc.id,
            tags=deployment.tags(deployment.settings.prefix),
            opts=self._opts,
        )
        table = self._route_table("public", None)
        aws.ec2.Route(
            f"{self._name}-public-out",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=internet.id,
            opts=self._opts,
        )
        gateways: list[aws.ec2.NatGateway] = []
        for number, subnet in enumerate(self._subnets("public", [table])[:count], start=1):
            label = f"nat-{number}"
            address = aws.ec2.Eip(
                f"{self._name}-{label}-address",
                domain="vpc",
                tags=deployment.tags(deployment.name(label)),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[internet]),
            )
            gateways.append(
                aws.ec2.NatGateway(
                    f"{self._name}-{label}",
                    subnet_id=subnet.id,
                    allocation_id=address.id,
                    connectivity_type="public",
                    tags=deployment.tags(deployment.name(label)),
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[internet]),
                )
            )
        return gateways
