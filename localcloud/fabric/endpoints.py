"""VPC endpoints: private ways from a VPC to the AWS API, which is moto.

An interface endpoint is an interface in the VPC, filtered by its security groups, on which
HAProxy ends TLS for the service's own name and hands the requests to moto. The S3 gateway
endpoint does the same beyond the VPC's router, for the subnets of its route tables.
"""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.errors import LocalCloudError
from localcloud.fabric.fabric import Fabric
from localcloud.fabric.haproxy import Haproxy
from localcloud.fabric.interfaces import NetworkInterface
from localcloud.fabric.networks import S3_ADDRESS, S3_CIDR, Network

# Longest synchronous Lambda invocation, 15 minutes, and a margin ("Lambda quotas").
LONGEST_REQUEST_SECONDS = 930


@dataclass(eq=False)
class _InterfaceEndpoint:
    interface: NetworkInterface
    proxy: Haproxy
    subnet_ids: tuple[str, ...]
    names: tuple[str, ...]
    private_names: tuple[str, ...]


class Endpoints:
    """The VPC endpoints of one fabric, made to match moto's."""

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self._interfaces: dict[str, _InterfaceEndpoint] = {}
        self._gateways: dict[str, Haproxy] = {}
        self._lock = threading.RLock()

    def reconcile(self, endpoint: Any) -> None:
        """Make, change or remove the endpoint that this moto VPCEndPoint describes."""
        with self._lock:
            if endpoint.state == "deleted":
                self._remove_interface(endpoint.id)
            elif (endpoint.vpc_endpoint_type or "Gateway").lower() == "interface":
                self._reconcile_interface(endpoint)
            self.reconcile_gateway(endpoint.vpc_id)

    def reconcile_gateway(self, vpc_id: str) -> None:
        """Open S3 to the subnets whose route table has a gateway endpoint of the VPC."""
        with self._lock:
            ec2 = self._fabric.ec2
            gateways = [
                each
                for each in ec2.vpc_end_points.values()
                if each.vpc_id == vpc_id
                and each.state != "deleted"
                and (each.vpc_endpoint_type or "Gateway").lower() == "gateway"
                and each.service_name.endswith(".s3")
            ]
            if not gateways:
                self._remove_gateway(vpc_id)
                return
            network = self._fabric.network(vpc_id)
            tables = {table for gateway in gateways for table in gateway.route_table_ids}
            cidrs = [
                str(subnet.cidr)
                for subnet in ec2.describe_subnets()
                if subnet.vpc_id == vpc_id and _route_table_of(ec2, subnet) in tables
            ]
            if vpc_id not in self._gateways:
                self._start_gateway(network, gateways[0].id)
            network.allow_gateway_from(cidrs, table=self._fabric.table)

    def reconcile_gateways(self) -> None:
        """Follow route tables that changed."""
        with self._lock:
            for vpc_id in list(self._gateways):
                self.reconcile_gateway(vpc_id)

    def remove_vpc(self, vpc_id: str) -> None:
        """Take away the gateway of a VPC that goes."""
        with self._lock:
            self._remove_gateway(vpc_id)

    def stop(self) -> None:
        """Take every endpoint away; doing it twice is no error."""
        with self._lock:
            for endpoint_id in list(self._interfaces):
                self._remove_interface(endpoint_id)
            for vpc_id in list(self._gateways):
                self._remove_gateway(vpc_id)

    # Interface endpoints

    def _reconcile_interface(self, endpoint: Any) -> None:
        subnet_ids = tuple(endpoint.subnet_ids or ())
        current = self._interfaces.get(endpoint.id)
        if current is not None and current.subnet_ids == subnet_ids:
            self._fabric.set_security_groups(current.interface, endpoint.security_group_ids)
            return
        self._remove_interface(endpoint.id)
        if not subnet_ids:
            raise LocalCloudError(
                f"VPC endpoint {endpoint.service_name} refused: it has no subnet to be in; "
                "give one subnet a zone."
            )
        interface = self._fabric.attach(
            name=endpoint.id[:4] + "-" + endpoint.id[-8:],
            subnet_id=subnet_ids[0],
            more_subnet_ids=subnet_ids[1:],
            security_group_ids=endpoint.security_group_ids,
        )
        try:
            self._interfaces[endpoint.id] = self._serve(endpoint, interface, subnet_ids)
        except BaseException:
            self._fabric.detach(interface)
            raise
        self._describe_interfaces(endpoint, interface, subnet_ids)

    def _serve(
        self, endpoint: Any, interface: NetworkInterface, subnet_ids: tuple[str, ...]
    ) -> _InterfaceEndpoint:
        service = service_host(endpoint.service_name, self._fabric.region)
        names = tuple(entry["dns_name"] for entry in endpoint.dns_entries or ())
        private_names = (service,) if endpoint.private_dns_enabled else ()
        proxy = self._proxy(
            interface.name,
            interface.namespace,
            list(interface.addresses),
            [service, *names],
            {"X-Localcloud-Vpc": endpoint.vpc_id, "X-Localcloud-Vpce": endpoint.id},
        )
        for name in names:
            self._fabric.register_name(name, interface.addresses)
        for name in private_names:
            self._fabric.network(endpoint.vpc_id).records.register(name, interface.addresses)
        return _InterfaceEndpoint(interface, proxy, subnet_ids, names, private_names)

    def _describe_interfaces(
        self, endpoint: Any, interface: NetworkInterface, subnet_ids: tuple[str, ...]
    ) -> None:
        """Let DescribeNetworkInterfaces show the real addresses and groups, which moto invents."""
        ec2 = self._fabric.ec2
        for eni_id in endpoint.network_interface_ids:
            ec2.enis.pop(eni_id, None)
        endpoint.network_interface_ids = [
            ec2.create_network_interface(
                subnet_id, address, group_ids=list(interface.security_group_ids)
            ).id
            for subnet_id, address in zip(subnet_ids, interface.addresses, strict=True)
        ]

    def _remove_interface(self, endpoint_id: str) -> None:
        current = self._interfaces.pop(endpoint_id, None)
        if current is None:
            return
        for name in current.names:
            self._fabric.unregister_name(name)
        network = self._fabric.network(current.interface.vpc_id)
        for name in current.private_names:
            network.records.unregister(name)
        current.proxy.stop()
        self._fabric.detach(current.interface)

    # The S3 gateway

    def _start_gateway(self, network: Network, endpoint_id: str) -> None:
        host = f"s3.{self._fabric.region}.amazonaws.com"
        names = [host, f"*.{host}"]
        self._gateways[network.vpc_id] = self._proxy(
            f"s3-{network.vpc_id[-8:]}",
            network.namespace,
            [S3_ADDRESS],
            names,
            {"X-Localcloud-Vpc": network.vpc_id, "X-Localcloud-Vpce": endpoint_id},
        )
        for name in names:
            network.records.register(name, [S3_ADDRESS])
        for prefix_list in self._fabric.ec2.managed_prefix_lists.values():
            if prefix_list.prefix_list_name == f"com.amazonaws.{self._fabric.region}.s3":
                _add_entry(prefix_list, S3_CIDR)
        self._fabric.refresh_security_groups()

    def _remove_gateway(self, vpc_id: str) -> None:
        proxy = self._gateways.pop(vpc_id, None)
        if proxy is None:
            return
        proxy.stop()
        network = self._fabric.network(vpc_id)
        network.allow_gateway_from((), table=self._fabric.table)
        host = f"s3.{self._fabric.region}.amazonaws.com"
        for name in (host, f"*.{host}"):
            network.records.unregister(name)

    def _proxy(
        self,
        name: str,
        namespace: str,
        addresses: list[str],
        names: list[str],
        headers: dict[str, str],
    ) -> Haproxy:
        """TLS on port 443 of a namespace, forwarded to moto on this machine's loopback."""
        folder = self._fabric.home.fabric / name
        certificate, key = self._fabric.services_authority.issue(names[0], names)
        _write_private(folder / "tls.pem", certificate + key)
        # The process itself stays in the machine's own namespace, from where it reaches moto.
        proxy = Haproxy(self._fabric.image_root(), folder)
        binds = [f"  bind {each}:443 namespace {namespace} ssl crt tls.pem" for each in addresses]
        sets = [f"  http-request set-header {key} {value}" for key, value in headers.items()]
        proxy.load(
            "\n".join(
                [
                    "defaults",
                    "  mode http",
                    "  timeout connect 5s",
                    "  timeout http-keep-alive 60s",
                    f"  timeout client {LONGEST_REQUEST_SECONDS}s",
                    f"  timeout server {LONGEST_REQUEST_SECONDS}s",
                    "frontend service",
                    *binds,
                    "  option forwardfor",
                    # Policies with aws:SecureTransport or aws:SourceVpce need to know.
                    "  http-request set-header X-Forwarded-Proto https",
                    *sets,
                    "  default_backend api",
                    "backend api",
                    f"  server moto 127.0.0.1:{self._fabric.home.port}",
                    "",
                ]
            )
        )
        return proxy


def service_host(service_name: str, region: str) -> str:
    """Host name of `com.amazonaws.<region>.<service>`; `ecr.api` is `api.ecr.<region>...`."""
    prefix = f"com.amazonaws.{region}."
    if not service_name.startswith(prefix):
        raise LocalCloudError(
            f"VPC endpoint {service_name} refused: only services of {region} are here, named "
            f"{prefix}<service>; correct the name."
        )
    labels = service_name.removeprefix(prefix).split(".")
    return ".".join([*reversed(labels), region, "amazonaws.com"])


def dns_entries(endpoint: Any, region: str) -> list[dict[str, str]]:
    """DNS names of an interface endpoint as AWS forms them; a gateway endpoint has none."""
    if not endpoint.dns_entries:
        return []
    service, _, rest = service_host(endpoint.service_name, region).partition(f".{region}.")
    zone = endpoint.dns_entries[0]["hosted_zone_id"]
    name = f"{endpoint.id}-{endpoint.id[-8:]}.{service}.{region}.vpce.{rest}"
    return [{"dns_name": name, "hosted_zone_id": zone}]


def follow_route_tables(ec2: Any, endpoint: Any) -> None:
    """Give just the gateway endpoint's route tables its route.

    moto makes the routes with the endpoint, forgets them when it is modified, and deletes it only
    if every route table has one.
    """
    prefix_list_id = endpoint.destination_prefix_list_id
    if not prefix_list_id:
        return
    for table in ec2.route_tables.values():
        routed = any(
            route.gateway is not None and route.gateway.id == endpoint.id for route in table.routes
        )
        wanted = table.id in endpoint.route_table_ids
        if wanted and not routed:
            ec2.create_route(
                table.id, None, gateway_id=endpoint.id, destination_prefix_list_id=prefix_list_id
            )
        elif routed and not wanted:
            ec2.delete_route(table.id, prefix_list_id)


def _route_table_of(ec2: Any, subnet: Any) -> str | None:
    """The subnet's route table: its own association or else the VPC's main table."""
    main = None
    for table in ec2.route_tables.values():
        if table.vpc_id != subnet.vpc_id:
            continue
        if any(each.get("SubnetId") == subnet.id for each in table.associations):
            return table.id
        if table.main_association_id is not None:
            main = table.id
    return main


def _add_entry(prefix_list: Any, cidr: str) -> None:
    """AWS's own lists have no version in moto, their entries stand under the first."""
    for entries in prefix_list.entries.values():
        if all(entry["Cidr"] != cidr for entry in entries):
            entries.append({"Cidr": cidr, "Description": "local cloud"})


def _write_private(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)
